"""Answers by e-mail: from DATA to 250, and until they are replies, against a server that only says 250."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import aiosmtplib
from nats.aio.client import Client

from contracts.access.people import person_id
from contracts.notify import requests as notify_requests
from contracts.subjects import NOTIFY
from services.embedded.ports import ReservedPort
from services.notify.threading import ReplyAddresses
from tests.access_log import AccessLog, on_server
from tests.bench.notify import ask, sink
from tests.bench.system import broker, service, ticket_service

MAILS: Final = 400
TICKETS: Final = 20
CONNECTIONS: Final = (1, 4, 16)
WORDS: Final = "Od wczoraj synchronizacja kalendarza nie działa. " * 40
AUTHOR: Final = "p0@many.example"
_DOMAIN: Final = "casetrail.example"


async def run(directory: Path) -> None:
    """Print how many e-mails a second are kept, and how many are handled."""
    key = directory / "key"
    key.write_text("k" * 40)
    port = ReservedPort()
    async with sink() as mails, broker(directory) as (server, nc), ticket_service(server.url, nc, directory):
        await AccessLog(on_server(nc)).account("many", members=[AUTHOR])
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
            CASETRAIL_MAIL_FROM=f"support@{_DOMAIN}",
            CASETRAIL_MAIL_IN_PORT=str(port.number),
            CASETRAIL_PUBLIC_URL="https://support.example",
        ):
            print(f"{MAILS} answers by e-mail of {len(WORDS)} characters, to {TICKETS} tickets")
            print("   connections   kept/s   p50 ms   p99 ms   handled/s   raw SMTP/s   ratio")
            for connections in CONNECTIONS:
                addresses = await _addresses(nc, key.read_text(), connections)
                raw, _ = await _handed_over(mails.port, addresses, connections)
                before = await _handled(nc)
                began = time.monotonic()
                kept, delays = await _handed_over(port.number, addresses, connections)
                while await _handled(nc) < before + 2 * MAILS:  # noqa: ASYNC110  # received and handled
                    await asyncio.sleep(0.02)
                handled = MAILS / (time.monotonic() - began)
                quantiles = [each * 1000 for each in statistics.quantiles(delays, n=100)]
                print(
                    f"   {connections:11}   {kept:6.0f}   {quantiles[49]:6.1f}   {quantiles[98]:6.1f}   "
                    f"{handled:9.0f}   {raw:10.0f}   {kept / raw:5.2f}"
                )


async def _addresses(nc: Client, key: str, turn: int) -> list[str]:
    """Where answers on new tickets go: a few of them, so that no ticket gets more than people write."""
    made = ReplyAddresses(key, _DOMAIN)
    opened = [await ask(nc, "open", f"{turn}.{each}", title="T", message="M") for each in range(TICKETS)]
    return [made.address(str(each["number"]), person_id(AUTHOR)) for each in opened]


async def _handed_over(port: int, addresses: Sequence[str], connections: int) -> tuple[float, list[float]]:
    """E-mails a second, and the seconds that each took."""
    delays: list[float] = []

    async def send(first: int) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
            for turn in range(first, MAILS, connections):
                began = time.monotonic()
                await smtp.sendmail(AUTHOR, [addresses[turn % TICKETS]], _mail(turn, addresses[0]))
                delays.append(time.monotonic() - began)

    began = time.monotonic()
    await asyncio.gather(*(send(first) for first in range(connections)))
    return MAILS / (time.monotonic() - began), delays


def _mail(turn: int, about: str) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = AUTHOR, "Re: T"
    message["Message-ID"] = f"<{turn}.{about.partition('@')[0][6:20]}@many.example>"
    message.set_content(f"{turn} {WORDS}")
    return bytes(message)


async def _handled(nc: Client) -> int:
    """Events on record of e-mails that came in."""
    info = await nc.jetstream().stream_info(NOTIFY.name, subjects_filter="events.notify.received.*")
    return sum((info.state.subjects or {}).values())
