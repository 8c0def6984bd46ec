"""News of tickets by e-mail: from the event until the mail server has it, against the mail server alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiosmtplib
from aiosmtpd.smtp import SMTP, Envelope, Session
from nats.aio.client import Client

from contracts.notify import requests as notify_requests
from contracts.notify.events import MailQueuedV1, parse_notify_event
from contracts.subjects import NOTIFY
from contracts.tickets import requests
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings
from tests.access_log import AccessLog, member, on_server
from tests.bench.system import broker, service, ticket_service

RECIPIENTS: Final = 5
RATES: Final = (10, 50)
"""Events a second."""
SECONDS: Final = 10
BURST: Final = 200
TICKETS: Final = 10
CONNECTIONS: Final = 4
_MESSAGE_ID: Final = re.compile(rb"^Message-ID: *\r?\n? *(<[^>]+>)", re.MULTILINE)


class Sink:
    """A mail server that notes when it took which mail."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}
        self.last = b""
        self.port = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        found = _MESSAGE_ID.search(content)
        self.taken[found[1].decode() if found else ""] = time.monotonic()
        self.last = content
        return "250 OK"


@contextlib.asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    handler = Sink()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="localhost"), "127.0.0.1", 0
    )
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()


async def run(directory: Path) -> None:
    """Print the rate of a burst, and the delay at a steady rate."""
    key = directory / "key"
    key.write_text("k" * 40)
    async with sink() as mails, broker(directory) as (server, nc), ticket_service(server.url, nc, directory):
        people = [f"p{number}@many.example" for number in range(RECIPIENTS + 1)]
        await AccessLog(on_server(nc)).account("many", members=people)
        async with service(
            server.url,
            nc,
            directory,
            "notify",
            probe=notify_requests.MAILS,
            CASETRAIL_LINK_KEY_FILE=str(key),
            CASETRAIL_SMTP_HOST="127.0.0.1",
            CASETRAIL_SMTP_PORT=str(mails.port),
            CASETRAIL_SMTP_TLS="none",
            CASETRAIL_SMTP_CONNECTIONS=str(CONNECTIONS),
            CASETRAIL_MAIL_FROM="support@casetrail.example",
            CASETRAIL_PUBLIC_URL="https://support.example",
        ):
            tickets = [await ask(nc, "open", number, title="T", message="M") for number in range(TICKETS)]
            numbers = [str(each["number"]) for each in tickets]
            await _until(mails, TICKETS * RECIPIENTS)
            rate = await _burst(nc, mails, numbers)
            raw = await _raw(mails)
            print(f"a burst of {BURST} events to {RECIPIENTS} people each, {CONNECTIONS} connections")
            print("   mails/s   raw SMTP/s   ratio")
            print(f"   {rate:7.0f}   {raw:10.0f}   {rate / raw:5.2f}\n")
            print(f"from the event to 250, {RECIPIENTS} people each, for {SECONDS} s")
            print("   events/s   p50 ms   p99 ms")
            for events_per_s in RATES:
                delays = await _steady(nc, server.url, mails, numbers, events_per_s)
                quantiles = statistics.quantiles(delays, n=100)
                print(f"   {events_per_s:8}   {quantiles[49] * 1000:6.1f}   {quantiles[98] * 1000:6.1f}")


async def _burst(nc: Client, mails: Sink, numbers: list[str]) -> float:
    before = len(mails.taken)
    began = time.monotonic()
    await asyncio.gather(
        *(ask(nc, "reply", f"b{each}", number=numbers[each % TICKETS], text="x") for each in range(BURST))
    )
    await _until(mails, before + BURST * RECIPIENTS)
    return BURST * RECIPIENTS / (max(mails.taken.values()) - began)


async def _raw(mails: Sink) -> float:
    content, total = mails.last, 400

    async def send(share: int) -> None:
        async with aiosmtplib.SMTP(
            hostname="127.0.0.1", port=mails.port, use_tls=False, start_tls=False
        ) as smtp:
            for _ in range(share):
                await smtp.sendmail("a@b.example", ["c@d.example"], content)

    began = time.monotonic()
    await asyncio.gather(*(send(total // CONNECTIONS) for _ in range(CONNECTIONS)))
    return total / (time.monotonic() - began)


async def _steady(nc: Client, url: str, mails: Sink, numbers: list[str], events_per_s: int) -> list[float]:
    done: dict[str, float] = {}
    before = len(mails.taken)

    async def reply(turn: int) -> None:
        answer = await ask(nc, "reply", f"s{events_per_s}.{turn}", number=numbers[turn % TICKETS], text="x")
        done[str(answer["event_id"])] = time.monotonic()

    began = time.monotonic()
    replies = []
    for turn in range(events_per_s * SECONDS):
        await asyncio.sleep(max(0.0, began + turn / events_per_s - time.monotonic()))
        replies.append(asyncio.create_task(reply(turn)))
    await asyncio.gather(*replies)
    await _until(mails, before + events_per_s * SECONDS * RECIPIENTS)
    causes = await _causes(url)
    return [mails.taken[mail] - done[event] for mail, event in causes.items() if event in done]


async def _causes(url: str) -> dict[str, str]:
    """The event that each mail tells of, by Message-ID."""
    nc = await connect(RuntimeSettings(nats_url=url), user="bench-reader")
    found: dict[str, str] = {}
    subscription = await nc.jetstream().subscribe(
        "events.notify.mails.*", stream=NOTIFY.name, ordered_consumer=True
    )
    with contextlib.suppress(TimeoutError):
        while True:
            message = await subscription.next_msg(timeout=1)
            if b"casetrail.mail.queued.v1" in message.data:
                event = parse_notify_event(message.data)
                if isinstance(event, MailQueuedV1):
                    found[event.data.message_id] = event.data.cause.event
    await nc.close()
    return found


async def _until(mails: Sink, count: int) -> None:
    async with asyncio.timeout(120):
        while len(mails.taken) < count:  # noqa: ASYNC110  # an event per mail would be measured as well
            await asyncio.sleep(0.005)


async def ask(nc: Client, name: str, command_id: int | str, **body: Any) -> dict[str, Any]:
    """What the ticket service answers to the first member."""
    command = {
        "command_id": f"bench-{command_id}",
        "account": "many",
        "actor": member("p0@many.example"),
        **body,
    }
    subject = {"open": requests.OPEN, "reply": requests.REPLY}[name]
    reply = await nc.request(subject, json.dumps(command).encode(), timeout=30)
    answer: dict[str, Any] = json.loads(reply.data)
    return answer
