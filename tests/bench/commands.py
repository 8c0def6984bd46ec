"""Commands per second over request-reply, against `js.publish` one by one on the same server."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from nats.aio.client import Client

from contracts.tickets import requests
from tests.access_log import member
from tests.bench.system import broker, ticket_service

ROUNDS = 5
CLIENTS = {1: 150, 16: 1600, 64: 4800, 256: 9600}
"""Clients at once, and messages in one round."""

AIM = {1: 0.6, 16: 0.8, 64: 1.3, 256: 2.0}
TEXT = "Od wczoraj rezerwacje z Państwa portalu nie docierają do naszego kalendarza w Łodzi. " * 4
REPLIES = 4  # after each opening

Act = Callable[[str, int], Awaitable[None]]


@dataclass(frozen=True)
class Round:
    """One measurement: per second, and the latencies in seconds, sorted."""

    rate: float
    latencies: list[float]

    def percentile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


async def run(directory: Path) -> None:
    """Print a line for each number of clients: medians over rounds that take turns."""
    print(f"commands (1 opening, {REPLIES} replies, fsync on) against one-by-one js.publish, {ROUNDS} rounds")
    print(" clients  commands/s   p50 ms   p99 ms   publish/s   p99 ms   ratio   aim")
    async with broker(directory) as (server, nc), ticket_service(server.url, nc, directory):
        for clients, total in CLIENTS.items():
            commands, raw = [], []
            for _ in range(ROUNDS):
                raw.append(await measured(clients, total, publisher(nc)))
                commands.append(await measured(clients, total, _commander(nc)))
            ratio = statistics.median(c.rate / r.rate for c, r in zip(commands, raw, strict=True))
            columns = [
                f"{clients:8d}  {_median(commands, lambda r: r.rate):10.0f}",
                f"{_median(commands, lambda r: r.percentile(0.5)) * 1e3:7.1f}",
                f"{_median(commands, lambda r: r.percentile(0.99)) * 1e3:7.1f}",
                f"{_median(raw, lambda r: r.rate):10.0f}",
                f"{_median(raw, lambda r: r.percentile(0.99)) * 1e3:7.1f}",
                f"{ratio:6.2f}  {AIM[clients]:4.1f}",
            ]
            print("  ".join(columns))


def _median(rounds: list[Round], of: Callable[[Round], float]) -> float:
    return statistics.median(of(measured) for measured in rounds)


async def measured(clients: int, total: int, act: Act) -> Round:
    """So many clients do it again and again, `total` times in all.

    `act` is told the client's name and its turn.
    """
    latencies: list[float] = []

    async def client() -> None:
        name = uuid.uuid4().hex
        for turn in range(total // clients):
            began = time.perf_counter()
            await act(name, turn)
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Round(len(latencies) / (time.perf_counter() - began), sorted(latencies))


def publisher(nc: Client) -> Act:
    """One append of the length of an event, on subjects of which each gets several."""
    js = nc.jetstream(timeout=60)
    payload = json.dumps({"text": TEXT, "envelope": "x" * 450}).encode()  # as long as an event

    async def publish(name: str, turn: int) -> None:
        await js.publish(f"raw.{name}{turn // (REPLIES + 1)}", payload)

    return publish


def _commander(nc: Client) -> Act:
    numbers: dict[str, str] = {}
    actor = {"account": "acme", "actor": member("jan@acme.example")}

    async def command(name: str, turn: int) -> None:
        command_id = f"{name}-{turn}"
        if turn % (REPLIES + 1) == 0:
            content = {"title": "Rezerwacje nie docierają", "message": TEXT, "command_id": command_id}
            answer = await nc.request(requests.OPEN, json.dumps(actor | content).encode(), timeout=60)
        else:
            content = {"number": numbers[name], "text": TEXT, "command_id": command_id}
            answer = await nc.request(requests.REPLY, json.dumps(actor | content).encode(), timeout=60)
        done = json.loads(answer.data)
        if "number" not in done:
            raise RuntimeError(f"the command was refused: {done}")
        numbers[name] = done["number"]

    return command
