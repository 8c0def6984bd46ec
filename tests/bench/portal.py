"""Pages of the portal at 100,000 tickets, one portal process, against a server of constant pages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
import nats
import uvicorn
from nats.aio.client import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.access.people import person_id
from contracts.envelope import Via
from contracts.number import derive_number
from contracts.subjects import inbox_prefix, ticket_events
from services.credentials.creds import creds_file
from services.tickets import domain, translate
from tests.bench.system import append_batch
from tests.signin.steps import sign_in

TICKETS: Final = 100_000
OF_ACME: Final = 2_000
REPLIES: Final = 50
BATCH: Final = 1_000
CLIENTS: Final = (1, 8)
SECONDS: Final = 6
WHO: Final = "anna.kowalska@acme-clinic.example"
ACME: Final = "acme-clinic"


async def run(directory: Path) -> None:
    """Print pages a second, and how long each took."""
    with _up(directory) as said:
        portal = _portal(said)
        async with _connected(directory, "tickets") as nc:
            number = await _fill(nc)
        async with httpx2.AsyncClient(headers={"sec-fetch-site": "same-origin"}, timeout=30) as browser:
            await sign_in(browser, portal, WHO)
            cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
        pages = {"list of tickets": "/tickets", f"ticket, {REPLIES} replies": f"/tickets/{number}"}
        await _until_there(portal, cookies, f"/tickets/{number}")
        print(f"{TICKETS:,} tickets, {OF_ACME:,} of the account; one portal process")
        print("   page                  clients   pages/s   p50 ms   p99 ms   1st byte    KB   raw/s   ratio")
        for name, path in pages.items():
            for clients in CLIENTS:
                content = await _get(portal, cookies, path)
                rate, whole, first = await _measured(portal, cookies, path, clients)
                async with _constant(content) as constant:
                    raw, _, _ = await _measured(constant, cookies, "/", clients)
                p = statistics.quantiles(whole, n=100)
                print(
                    f"   {name:20}  {clients:7}   {rate:7.0f}   {p[49] * 1e3:6.1f}   {p[98] * 1e3:6.1f}   "
                    f"{statistics.median(first) * 1e3:11.1f}   {len(content) / 1e3:4.1f}   "
                    f"{raw:5.0f}   {rate / raw:5.3f}"
                )


@contextlib.contextmanager
def _up(directory: Path) -> Iterator[Path]:
    """`casetrail up`, until the body ends; what it said is in the file."""
    said, data = directory / "up.log", directory / "data"
    env = {key: value for key, value in os.environ.items() if not key.startswith("CASETRAIL_")}
    command = [sys.executable, "-m", "services.cli.main", "up", "--data", str(data)]
    with said.open("wb") as log:
        up = subprocess.Popen(
            [*command, "--nats-port", "0", "--identity-port", "0", "--port", "0"],
            env=env, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 90
        while not (data / "up.json").exists():
            if up.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(said.read_text())
            time.sleep(0.1)
        yield said
    finally:
        up.terminate()
        up.wait()


def _portal(said: Path) -> str:
    found = re.search(r"^  portal +(http://\S+)", said.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("`casetrail up` names no portal")
    return found[1]


@contextlib.asynccontextmanager
async def _connected(directory: Path, user: str) -> AsyncIterator[Client]:
    data = directory / "data"
    nc = await nats.connect(
        json.loads((data / "up.json").read_text())["nats_url"],
        user_credentials=str(creds_file(data / "creds", user)),
        inbox_prefix=inbox_prefix(user),
    )
    try:
        yield nc
    finally:
        await nc.close()


async def _fill(nc: Client) -> str:
    """Tickets of many accounts, and one of ours with many replies; its number."""
    batch: list[tuple[str, bytes]] = []
    number = ""
    for turn in range(TICKETS):
        account = ACME if turn % (TICKETS // OF_ACME) == 0 else f"account-{turn % 500}"
        number = derive_number(account, f"bench-{turn}")
        batch += _ticket(account, number, turn, replies=0)
        if len(batch) >= BATCH:
            await append_batch(nc, batch[:BATCH])
            batch = batch[BATCH:]
    number = derive_number(ACME, "bench-with-replies")
    await append_batch(nc, [*batch, *_ticket(ACME, number, TICKETS, replies=REPLIES)])
    return number


def _ticket(account: str, number: str, turn: int, *, replies: int) -> list[tuple[str, bytes]]:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=turn)
    author = domain.Person(domain.Capacity.MEMBER, person_id(WHO))
    facts: list[domain.TicketFact] = [
        domain.Opened(
            command_id=domain.CommandId(f"bench-{turn}"),
            at=at,
            number=domain.TicketNumber(number),
            account=domain.AccountId(account),
            opened_by=author,
            title=f"Rezerwacje nie docierają do kalendarza, sprawa {turn}",
            message="Od poniedziałku kalendarz jest pusty. " * 5,
            topic="bookings",
            identifiers=(domain.Identifier("merchant", f"M-{turn}"),),
        )
    ]
    facts += [
        domain.Replied(
            command_id=domain.CommandId(f"r{each}"),
            at=at + timedelta(minutes=each + 1),
            reply_id=domain.ReplyId(f"{turn}-{each}"),
            author=author,
            text="Nadal to samo, także w drugiej placówce.\n" * 4,
        )
        for each in range(replies)
    ]
    return [_event(fact, account, number, turn, revision) for revision, fact in enumerate(facts, start=1)]


def _event(fact: domain.TicketFact, account: str, number: str, turn: int, revision: int) -> tuple[str, bytes]:
    event = translate.event(
        fact,
        number=number,
        account=account,
        revision=revision,
        circumstances=translate.Circumstances(
            event_id=f"bench-{turn}-{revision}", via=Via.PORTAL, correlation_id="bench", traceparent=None
        ),
    )
    return ticket_events(account, number), json.dumps(event).encode()


async def _until_there(portal: str, cookies: str, path: str) -> None:
    async with asyncio.timeout(300):
        while True:
            with contextlib.suppress(RuntimeError):
                await _get(portal, cookies, path)
                return
            await asyncio.sleep(0.5)


async def _get(origin: str, cookies: str, path: str) -> bytes:
    reader, writer = await _open(origin)
    try:
        _, content = await _ask(reader, writer, origin, cookies, path)
        return content
    finally:
        writer.close()


async def _measured(
    origin: str, cookies: str, path: str, clients: int
) -> tuple[float, list[float], list[float]]:
    """Pages a second, the seconds that each took, and until its first byte."""
    whole: list[float] = []
    first: list[float] = []
    ends = time.monotonic() + SECONDS

    async def visit() -> None:
        reader, writer = await _open(origin)
        while time.monotonic() < ends:
            began = time.monotonic()
            there, _ = await _ask(reader, writer, origin, cookies, path)
            first.append(there - began)
            whole.append(time.monotonic() - began)
        writer.close()

    await asyncio.gather(*(visit() for _ in range(clients)))
    return len(whole) / SECONDS, whole, first


async def _open(origin: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(origin)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, origin: str, cookies: str, path: str
) -> tuple[float, bytes]:
    """When the first byte came, and the page. Raises RuntimeError for any other answer."""
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: {urlsplit(origin).netloc}\r\nCookie: {cookies}\r\n"
        "Accept: text/html\r\nAccept-Language: en\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    there = time.monotonic()
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    content = await reader.readexactly(int(length[1])) if length else b""
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.partition(b"\r\n")[0].decode())
    return there, content


@contextlib.asynccontextmanager
async def _constant(content: bytes) -> AsyncIterator[str]:
    """The raw limit: a process of the same server that only says the same bytes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.portal", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(content)
    process.stdin.close()
    port = int(await process.stdout.readline())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _serve(content: bytes) -> None:
    async def page(_request: Request) -> Response:
        return Response(content, media_type="text/html")

    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[Route("/", page)]), port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn tells nobody
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving


if __name__ == "__main__":
    asyncio.run(_serve(sys.stdin.buffer.read()))
