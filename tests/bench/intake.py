"""Drafts, submissions and uploads, each against the raw writes that it cannot do without."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from contracts.attachments.requests import MAX_CHUNK_BYTES, UPLOAD
from contracts.intake import requests
from contracts.tickets.requests import SUBMISSION
from tests.access_log import AccessLog, member, on_server
from tests.bench.system import broker, service, ticket_service

ROUNDS = 5
CLIENTS = {1: 40, 16: 320}
"""Clients at once, and drafts or tickets in one round."""

JAN: dict[str, Any] = {"account": "acme", "actor": member("jan@acme.example")}
PEOPLE = 320
MANY = [f"p{number}@many.example" for number in range(PEOPLE)]
OTHER = "https://casetrail.example/questionnaires/other|1.0"
MIB = 1 << 20

Act = Callable[[], Awaitable[None]]


async def run(directory: Path) -> None:
    """Print a line for each kind of work: medians over rounds that take turns."""
    key = directory / "key"
    key.write_text("k" * 40)
    async with (
        broker(directory) as (server, nc),
        ticket_service(server.url, nc, directory),
        service(server.url, nc, directory, "intake", probe=requests.OFFER, CASETRAIL_LINK_KEY_FILE=str(key)),
        service(
            server.url,
            nc,
            directory,
            "attachments",
            probe=UPLOAD,
            CASETRAIL_UPLOAD_BYTES_PER_HOUR=str(1 << 40),
        ),
    ):
        await AccessLog(on_server(nc)).account("many", members=MANY)
        print(f"intake, against js.publish of the same writes one by one, {ROUNDS} rounds")
        print(" clients  answers/s   writes/s   ratio    submits to tickets/s   p50 ms")
        for clients, total in CLIENTS.items():
            await _line(nc, clients, total)
        await _uploads(nc)


async def _line(nc: Client, clients: int, total: int) -> None:
    answers: list[float] = []
    writes: list[float] = []
    tickets: list[float] = []
    latencies: list[float] = []
    for _ in range(ROUNDS):
        drafts = await asyncio.gather(*(_start(nc, email) for email in MANY[:total]))
        writes.append(await _rate(clients, [partial(_write, nc)] * total))
        answers.append(await _rate(clients, [partial(_answer, nc, draft) for draft in drafts]))
        tickets.append(await _rate(clients, [partial(_submit, nc, draft, latencies) for draft in drafts]))
    ratio = statistics.median(a / w for a, w in zip(answers, writes, strict=True))
    print(
        f"{clients:8d}  {statistics.median(answers):9.0f}  {statistics.median(writes):9.0f}  {ratio:6.2f}"
        f"  {statistics.median(tickets):22.0f}  {statistics.median(latencies) * 1e3:7.1f}"
    )


async def _rate(clients: int, work: list[Act]) -> float:
    waiting = iter(work)

    async def client() -> None:
        for act in waiting:
            await act()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return len(work) / (time.perf_counter() - began)


async def _ask(nc: Client, subject: str, who: dict[str, Any] = JAN, **body: Any) -> dict[str, Any]:
    reply = await nc.request(subject, json.dumps(who | body).encode(), timeout=60)
    answer: dict[str, Any] = json.loads(reply.data)
    if "kind" in answer:
        raise RuntimeError(f"refused: {answer}")
    return answer


async def _start(nc: Client, email: str) -> dict[str, Any]:
    who = {"account": "many", "actor": member(email)}
    draft = await _ask(
        nc,
        requests.START,
        who,
        command_id=uuid.uuid4().hex,
        questionnaire=OTHER,
        message="Help",
        language="en",
    )
    return draft | {"who": who}


async def _write(nc: Client) -> None:
    await nc.jetstream(timeout=60).publish(f"raw.{uuid.uuid4().hex}", b"x" * 900)


async def _answer(nc: Client, draft: dict[str, Any]) -> None:
    answers = {"outcome": ["Fix it"], "urgency": ["can-wait"]}
    draft |= await _ask(
        nc,
        requests.ANSWER,
        draft["who"],
        command_id=uuid.uuid4().hex,
        draft=draft["draft"],
        revision=draft["revision"],
        page="details",
        answers=answers,
    )


async def _submit(nc: Client, draft: dict[str, Any], latencies: list[float]) -> None:
    began = time.perf_counter()
    done = await _ask(
        nc,
        requests.SUBMIT,
        draft["who"],
        command_id=uuid.uuid4().hex,
        draft=draft["draft"],
        revision=draft["revision"],
    )
    await _ask(nc, SUBMISSION, draft["who"], submission=done["submission"], wait_s=8)
    latencies.append(time.perf_counter() - began)


async def _uploads(nc: Client) -> None:
    content = b"%PDF-1.4\n" + os.urandom(10 * MIB - 9)
    uploads, raw = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        js = nc.jetstream(timeout=60)
        for start in range(0, len(content), MAX_CHUNK_BYTES):
            await js.publish(f"raw.{uuid.uuid4().hex}", content[start : start + MAX_CHUNK_BYTES])
        raw.append(time.perf_counter() - began)
        began = time.perf_counter()
        await _upload(nc, content)
        uploads.append(time.perf_counter() - began)
    ratio = statistics.median(r / u for r, u in zip(raw, uploads, strict=True))
    print(
        f"upload of 10 MiB: {statistics.median(uploads) * 1e3:.0f} ms, the same bytes by js.publish "
        f"{statistics.median(raw) * 1e3:.0f} ms, ratio {ratio:.2f}"
    )


async def _upload(nc: Client, content: bytes) -> None:
    upload, after = uuid.uuid4().hex, 0
    for start in range(0, len(content), MAX_CHUNK_BYTES):
        data = base64.b64encode(content[start : start + MAX_CHUNK_BYTES]).decode()
        done = await _ask(
            nc,
            UPLOAD,
            upload=upload,
            name="a.pdf",
            size=len(content),
            offset=start,
            after=after,
            data=data,
        )
        after = done["position"]
