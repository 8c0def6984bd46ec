"""Notify killed at every step between a mail server's DATA and the reply on the ticket: one reply each time.

The mail server in front of it does what every one does: it hands over again what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import aiosmtplib
import pytest
from aiosmtplib.errors import SMTPException
from nats.aio.client import Client

from contracts.access.people import person_id
from contracts.notify.events import AnyNotifyEvent, MailHandledV1, MailQueuedV1, MailReceivedV1
from services.embedded.key_files import key_file
from services.embedded.nats_server import NatsServer
from services.embedded.ports import ReservedPort
from services.notify.threading import ReplyAddresses
from tests.access_log import AccessLog, on_server
from tests.faults.conftest import JAN
from tests.faults.process import Process
from tests.faults.test_intake import Partner
from tests.faults.test_notify import recorded

pytestmark = pytest.mark.faults

JAN_ID: Final = person_id(JAN)
DOMAIN: Final = "casetrail.example"
TEXT: Final = "Od rana znowu nie działa."
STEPS: Final = {
    "first chunk kept": ("$O.MAIL.C.", ""),
    "whole mail kept": ("$O.MAIL.M.", ""),
    "received": ("events.notify.received.", "mail.received"),
    "replied": ("requests.tickets.reply", ""),
    "handled": ("events.notify.received.", "mail.handled"),
}


@contextlib.asynccontextmanager
async def running(
    broker: NatsServer, nc: Client, directory: Path
) -> AsyncIterator[tuple[Process, Partner, ReservedPort]]:
    """The ticket service runs, of notify there is the process; Jan is a member of acme."""
    await AccessLog(on_server(nc)).account("acme", members=[JAN])
    port, away = ReservedPort(), ReservedPort()
    tickets = Process("tickets", broker.url, directory)
    notify = Process(
        "notify",
        broker.url,
        directory,
        {
            "CASETRAIL_SMTP_HOST": "127.0.0.1",
            "CASETRAIL_SMTP_PORT": str(away.number),
            "CASETRAIL_SMTP_TLS": "none",
            "CASETRAIL_MAIL_FROM": f"support@{DOMAIN}",
            "CASETRAIL_MAIL_IN_PORT": str(port.number),
            "CASETRAIL_PUBLIC_URL": "https://support.example",
            "CASETRAIL_LINK_KEY_FILE": str(key_file(directory, "link")),
        },
    )
    await tickets.start()
    try:
        yield notify, Partner(nc), port
    finally:
        await notify.kill()
        await tickets.kill()
        port.release()
        away.release()
        assert tickets.faults() == []
        assert notify.faults() == []


def written(number: str, directory: Path, *, turn: int = 0) -> tuple[bytes, str]:
    """Jan's answer on a ticket, and the address that it goes to."""
    addresses = ReplyAddresses(key_file(directory, "link").read_text().strip(), DOMAIN)
    address = addresses.address(number, JAN_ID)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = JAN, address, "Re: Title"
    message["Message-ID"] = f"<answer.{turn}@mail.example>"
    message.set_content(f"{TEXT} {turn}" if turn else TEXT)
    return bytes(message), address


async def handed_over(port: int, content: bytes, recipient: str) -> None:
    """As a mail server does it: again and again, until it hears 250."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with aiosmtplib.SMTP(
                    hostname="127.0.0.1", port=port, start_tls=False, timeout=5
                ) as client:
                    await client.sendmail(JAN, [recipient], content)
                    return
            except (SMTPException, OSError):
                await asyncio.sleep(0.1)


async def handled(nc: Client, mails: int) -> list[AnyNotifyEvent]:
    """What is on record once so many e-mails were handled, and none is left."""
    async with asyncio.timeout(60):
        while True:
            found = await recorded(nc)
            done = {event.subject for event in found if isinstance(event, MailHandledV1)}
            if len(done) >= mails and done == {e.subject for e in found if isinstance(e, MailReceivedV1)}:
                return found
            await asyncio.sleep(0.1)


async def replies(partner: Partner, number: str) -> list[Any]:
    history = await partner.done("tickets", "history", number=number)
    events = [each["event"] for each in history["events"]]
    return [event["data"]["content"]["text"] for event in events if event["type"].endswith("replied.v1")]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_notify_dies_at_a_step_and_the_mail_is_one_reply(
    broker: NatsServer, nc: Client, tmp_path: Path, step: str, when: str
) -> None:
    async with running(broker, nc, tmp_path) as (notify, partner, port):
        await notify.start(*STEPS[step], when)
        opened = await partner.done("tickets", "open", command_id="open", title="Title", message="Message")
        content, address = written(opened["number"], tmp_path)
        delivery = asyncio.create_task(handed_over(port.number, content, address))
        await notify.died()
        await notify.start()
        await delivery
        events = await handled(nc, 1)
        assert await replies(partner, opened["number"]) == [TEXT]
        outcomes = sorted(e.data.outcome for e in events if isinstance(e, MailHandledV1))
        assert outcomes in (["replied"], ["repeated", "replied"])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["mail.queued", "mail.handled"])
async def test_notify_dies_while_it_refuses_a_reply_on_a_closed_ticket_and_refuses_it_once(
    broker: NatsServer, nc: Client, tmp_path: Path, step: str, when: str
) -> None:
    async with running(broker, nc, tmp_path) as (notify, partner, port):
        opened = await partner.done("tickets", "open", command_id="open", title="Title", message="Message")
        number = opened["number"]
        await partner.done("tickets", "close", command_id="close", number=number, reason="solved")
        await notify.start("events.notify.", step, when)
        content, address = written(number, tmp_path)
        delivery = asyncio.create_task(handed_over(port.number, content, address))
        await notify.died()
        await notify.start()
        await delivery
        events = await handled(nc, 1)
        assert [e.data.outcome for e in events if isinstance(e, MailHandledV1)] == ["refused"]
        answers = [e for e in events if isinstance(e, MailQueuedV1) and e.data.kind == "reply_refused"]
        assert len(answers) == 1
        assert await replies(partner, number) == []


async def test_killed_again_and_again_while_mails_come_in_nothing_is_lost_or_doubled(
    broker: NatsServer, nc: Client, tmp_path: Path
) -> None:
    async with running(broker, nc, tmp_path) as (notify, partner, port):
        await notify.start()
        opened = await partner.done("tickets", "open", command_id="open", title="Title", message="Message")
        sent = [written(opened["number"], tmp_path, turn=turn) for turn in range(1, 25)]
        deliveries = [asyncio.create_task(handed_over(port.number, *each)) for each in sent]
        for _ in range(3):
            some = [task for task in deliveries if not task.done()]
            if some:
                await asyncio.wait(some, return_when=asyncio.FIRST_COMPLETED)
            await notify.kill()
            await notify.start()
        await asyncio.gather(*deliveries)
        await handled(nc, len(sent))
        found = await replies(partner, opened["number"])
        assert sorted(found) == sorted(f"{TEXT} {turn}" for turn in range(1, 25))
