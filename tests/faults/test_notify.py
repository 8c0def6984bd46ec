"""Notify killed at every step between an event and the mail server's answer: each mail arrives, at most once
more than once, and then the log says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from contracts.access.roles import PlatformRole
from contracts.notify.events import AnyNotifyEvent, MailQueuedV1, MailSendingV1, parse_notify_event
from contracts.subjects import NOTIFY
from services.embedded.key_files import key_file
from services.embedded.nats_server import NatsServer
from tests.access_log import AccessLog, agent, on_server
from tests.faults.conftest import JAN
from tests.faults.process import Process
from tests.faults.test_intake import Partner
from tests.notify.servers import MailDouble, mail_server

pytestmark = pytest.mark.faults

EWA, OLA = "ewa@acme.example", "ola@desk.example"
REPLIES: Final = 3
CONNECTIONS: Final = 4
"""As many mails may be under way when the process dies."""
STEPS: Final = {
    "addressed": ("events.notify.updates.", "update.addressed"),
    "queued": ("events.notify.mails.", "mail.queued"),
    "claimed": ("events.notify.mails.", "mail.sending"),
    "answered": ("events.notify.mails.", "mail.sent"),
}


@contextlib.asynccontextmanager
async def running(
    broker: NatsServer, nc: Client, directory: Path, mail: MailDouble
) -> AsyncIterator[tuple[Process, Partner]]:
    """The ticket service runs, of notify there is the process; Jan and Ewa are members, Ola is an agent."""
    access = AccessLog(on_server(nc))
    await access.account("acme", members=[JAN, EWA])
    await access.appointed(OLA, PlatformRole.AGENT)
    tickets = Process("tickets", broker.url, directory)
    notify = Process(
        "notify",
        broker.url,
        directory,
        {
            "CASETRAIL_SMTP_HOST": "127.0.0.1",
            "CASETRAIL_SMTP_PORT": str(mail.port),
            "CASETRAIL_SMTP_TLS": "none",
            "CASETRAIL_MAIL_FROM": "support@casetrail.example",
            "CASETRAIL_PUBLIC_URL": "https://support.example",
            "CASETRAIL_LINK_KEY_FILE": str(key_file(directory, "link")),
        },
    )
    await tickets.start()
    try:
        yield notify, Partner(nc)
    finally:
        await notify.kill()
        await tickets.kill()
        assert tickets.faults() == []
        assert notify.faults() == []


async def conversation(partner: Partner) -> int:
    """Jan opens a ticket, Ola replies; how many mails that makes for Jan and Ewa."""
    opened = await partner.done("tickets", "open", command_id="open", title="Title", message="Message")
    for turn in range(REPLIES):
        await partner.done(
            "tickets", "reply", command_id=f"r{turn}", number=opened["number"], text=f"reply {turn}",
            actor=agent(OLA),
        )  # fmt: skip
    return 1 + 2 * REPLIES


async def recorded(nc: Client) -> list[AnyNotifyEvent]:
    js = nc.jetstream()
    found: list[AnyNotifyEvent] = []
    sequence = 1
    with contextlib.suppress(NotFoundError):
        while True:
            message = await js.get_msg(NOTIFY.name, sequence, subject=NOTIFY.subjects[0], next=True)
            found.append(parse_notify_event(message.data or b""))
            sequence = int(message.seq or 0) + 1
    return found


async def all_sent(nc: Client, mails: int) -> list[AnyNotifyEvent]:
    async with asyncio.timeout(60):
        while True:
            found = await recorded(nc)
            if sum(event.type == "casetrail.mail.sent.v1" for event in found) >= mails:
                return found
            await asyncio.sleep(0.1)


def check(mail: MailDouble, events: list[AnyNotifyEvent], mails: int) -> None:
    """Every mail is there; what is there twice is the same mail, and the log says that it may be."""
    queued = [event for event in events if isinstance(event, MailQueuedV1)]
    assert len(queued) == mails
    arrived = Counter(str(message["Message-ID"]) for _, message in mail.taken)
    assert set(arrived) == {event.data.message_id for event in queued}
    repeats = {e.subject for e in events if isinstance(e, MailSendingV1) and e.data.may_repeat}
    by_id = {event.data.message_id: event.subject for event in queued}
    assert max(arrived.values()) <= 2
    assert {by_id[each] for each, times in arrived.items() if times > 1} <= repeats
    assert sum(arrived.values()) <= mails + CONNECTIONS
    for address in (JAN, EWA):
        seen = list(dict.fromkeys(str(m["Message-ID"]) for to, m in mail.taken if to == address))
        order = [event.data.message_id for event in queued if event.data.content.email == address]
        assert seen == order


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_notify_dies_at_a_step_and_every_mail_arrives(
    broker: NatsServer, nc: Client, tmp_path: Path, step: str, when: str
) -> None:
    async with mail_server() as mail, running(broker, nc, tmp_path, mail) as (notify, partner):
        await notify.start(*STEPS[step], when)
        mails = await conversation(partner)
        await notify.died()
        await notify.start()
        check(mail, await all_sent(nc, mails), mails)


async def test_notify_dies_right_after_the_mail_server_took_the_mail(
    broker: NatsServer, nc: Client, tmp_path: Path
) -> None:
    async with mail_server() as mail, running(broker, nc, tmp_path, mail) as (notify, partner):
        await notify.start()
        mails = await conversation(partner)
        await mail.until(lambda: len(mail.taken) >= 2)
        await notify.kill()
        await notify.start()
        events = await all_sent(nc, mails)
        check(mail, events, mails)


async def test_a_replica_made_anew_sends_nothing_again(
    broker: NatsServer, nc: Client, tmp_path: Path
) -> None:
    async with mail_server() as mail, running(broker, nc, tmp_path, mail) as (notify, partner):
        await notify.start()
        mails = await conversation(partner)
        await all_sent(nc, mails)
        await notify.kill()
        for file in (tmp_path / "notify").glob("*.sqlite*"):
            file.unlink()
        await notify.start()
        await partner.done("tickets", "open", command_id="more", title="Another", message="Message")
        await all_sent(nc, mails + 1)
        assert len(mail.taken) == mails + 1
