"""Replies, and plain appends, on one node against three nodes with three copies; one machine and one disk."""

from __future__ import annotations

import contextlib
import json
import statistics
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

from nats.aio.client import Client

from contracts.tickets import requests
from tests.access_log import member
from tests.bench.commands import TEXT, Act, Round, measured, publisher
from tests.bench.size import nodes
from tests.bench.system import make_raw, ticket_service

ROUNDS: Final = 7
CLIENTS: Final = {1: 100, 16: 1600, 64: 4800}
"""Clients at once, and how often in one round."""
WHO: Final[dict[str, Any]] = {"account": "acme", "actor": member("jan@acme.example")}


async def run(directory: Path) -> None:
    """Print two lines for each number of clients: medians over rounds that take turns."""
    print(f"fsync on, {ROUNDS} rounds that take turns: one node (1), three nodes with three copies (3)")
    print(" clients                  a second: 1       3   ratio   p50 ms: 1      3   p99 ms: 1      3")
    async with _system(directory / "one", 1) as one, _system(directory / "three", 3) as three:
        for clients, total in CLIENTS.items():
            for name, act in (("replies", _replier), ("js.publish", _publisher)):
                rounds = [
                    [await measured(clients, total, await act(nc, clients)) for nc in (one, three)]
                    for _ in range(ROUNDS)
                ]
                print(f"{clients:8d}   {name:10s}   {_line(rounds)}")


def _line(rounds: list[list[Round]]) -> str:
    def median(of: Callable[[Round], float], which: int) -> float:
        return statistics.median(of(pair[which]) for pair in rounds)

    rate = [median(lambda r: r.rate, which) for which in (0, 1)]
    p50 = [median(lambda r: r.percentile(0.5) * 1e3, which) for which in (0, 1)]
    p99 = [median(lambda r: r.percentile(0.99) * 1e3, which) for which in (0, 1)]
    ratio = statistics.median(three.rate / one.rate for one, three in rounds)
    return (
        f"{rate[0]:12.0f} {rate[1]:7.0f}   {ratio:5.2f}"
        f"   {p50[0]:9.1f} {p50[1]:6.1f}   {p99[0]:9.1f} {p99[1]:6.1f}"
    )


@contextlib.asynccontextmanager
async def _system(directory: Path, count: int) -> AsyncIterator[Client]:
    """So many servers with a ticket service; a connection of its clients."""
    async with nodes(directory, count) as (running, nc):
        await make_raw(nc, replicas=count)
        url = ",".join(node.url for node in running)
        async with ticket_service(url, nc, directory):
            yield nc


async def _publisher(nc: Client, _clients: int) -> Act:
    return publisher(nc)


async def _replier(nc: Client, clients: int) -> Act:
    """Each client on a ticket of its own, which is open."""
    opened = [await _open(nc) for _ in range(clients)]
    tickets: defaultdict[str, str] = defaultdict(opened.pop)

    async def reply(name: str, _turn: int) -> None:
        await _command(nc, requests.REPLY, number=tickets[name], text=TEXT)

    return reply


async def _open(nc: Client) -> str:
    return str((await _command(nc, requests.OPEN, title="Rezerwacje nie docierają", message=TEXT))["number"])


async def _command(nc: Client, subject: str, **content: str) -> dict[str, Any]:
    command = {**WHO, "command_id": uuid.uuid4().hex, **content}
    done: dict[str, Any] = json.loads(
        (await nc.request(subject, json.dumps(command).encode(), timeout=60)).data
    )
    if "number" not in done:
        raise RuntimeError(f"the command was refused: {done}")
    return done
