"""From what happens to a ticket to the inboxes: real NATS, the real ticket service, real SMTP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import pytest_asyncio
from nats.aio.client import Client

from contracts.access.people import person_id
from contracts.number import shown
from contracts.reference import is_reference
from contracts.subjects import TICKETS, update_events
from services.embedded.nats_server import NatsServer
from services.notify.fanout import UPDATES
from services.notify.threading import root_id
from tests.access_log import AccessLog
from tests.notify.servers import mail_server
from tests.notify.system import BEN, System, account, text, to, until
from tests.tickets.conftest import AGENT, JAN, OLA, Caller, access, caller, nc, server, service

__all__ = ["access", "caller", "nc", "server", "service"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def system(server: NatsServer, caller: Caller, access: AccessLog, tmp_path: Path) -> System:
    return await account(server, caller, access, tmp_path)


async def sent(system: System, number: str, mails: int) -> dict[str, list[str]]:
    """The facts of the mails about a ticket, once so many were sent."""

    async def are_there() -> dict[str, list[str]] | None:
        found = await system.mails_of(number)
        done = [facts for facts in found.values() if facts[-1] in {"sent", "dead"}]
        return found if len(done) >= mails else None

    found: dict[str, list[str]] = await until(are_there, within_s=60)
    assert len(found) == mails
    return found


async def test_everybody_but_who_did_it_gets_what_happened(system: System) -> None:
    async with mail_server() as mail, system.notify(mail):
        number = await system.open(title="Feed rejected", message="Since <Monday> & on.")
        await sent(system, number, 1)
        await system.caller.reply(number, "We look into it.", actor=AGENT)
        await sent(system, number, 3)
        await system.caller.reply(number, "Thank you!")
        await sent(system, number, 5)
    assert len(to(mail, BEN)) == 3
    assert len(to(mail, JAN)) == 1
    assert len(to(mail, OLA)) == 1
    opened, replied, thanked = to(mail, BEN)
    assert "Since <Monday> & on." in text(opened)
    assert "We look into it." in text(replied)
    assert JAN in text(opened)  # who has no name yet is called by the address
    assert OLA not in text(replied)
    assert opened["Subject"] == f"[{shown(number)}] Feed rejected"
    assert replied["Subject"] == thanked["Subject"] == f"Re: [{shown(number)}] Feed rejected"


async def test_the_mails_of_a_ticket_are_one_conversation(system: System) -> None:
    async with mail_server() as mail, system.notify(mail):
        number = await system.open()
        await sent(system, number, 1)
        await system.caller.reply(number, actor=AGENT)
        await system.caller.close(number)
        await sent(system, number, 5)
    opened, replied, closed = to(mail, BEN)
    root = root_id(number, "casetrail.example")
    assert opened["In-Reply-To"] == root
    assert replied["In-Reply-To"] == opened["Message-ID"]
    assert closed["References"].split() == [root, opened["Message-ID"], replied["Message-ID"]]
    ids = {message["Message-ID"] for _, message in mail.taken}
    assert len(ids) == len(mail.taken)
    assert opened["Auto-Submitted"] == "auto-generated"
    assert opened["List-Unsubscribe"].startswith("<https://support.example/mail/stop?token=")
    assert opened["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert opened["Reply-To"] is None
    assert "Answers to this e-mail are not read." in text(opened)


async def test_the_log_says_who_is_told_why_and_what_the_server_said(system: System) -> None:
    async with mail_server() as mail, system.notify(mail):
        opened = await system.caller.open()
        number = opened["number"]
        await sent(system, number, 1)
    (addressed,) = await system.events(update_events(opened["event_id"]))
    ((told),) = addressed.data.recipients  # type: ignore[union-attr]
    assert (told.person, told.why, told.capacity) == (person_id(BEN), "member", "member")
    assert addressed.data.cause.position == opened["position"]  # type: ignore[union-attr]
    queued, sending, was_sent = await system.events(f"events.notify.mails.{told.mail}")
    assert queued.data.cause.event == opened["event_id"]  # type: ignore[union-attr]
    assert queued.data.content.email == BEN  # type: ignore[union-attr]
    assert is_reference(queued.data.reference)  # type: ignore[union-attr]
    assert sending.data.may_repeat is False  # type: ignore[union-attr]
    assert was_sent.data.code == 250  # type: ignore[union-attr]
    (message,) = to(mail, BEN)
    assert queued.data.reference in text(message)  # type: ignore[union-attr]


async def test_people_get_what_they_wish(system: System) -> None:
    quiet, own, mine = (f"{each}-{system.caller.account}@acme.example" for each in ("q", "o", "m"))
    for each in (quiet, own, mine):
        await system.access.joined(system.caller.account, each)
    await system.access.says(quiet, mail={"tickets": "none"})
    await system.access.says(own, mail={"tickets": "all", "own": True}, language="pl")
    await system.access.says(mine, mail={"tickets": "mine"})
    async with mail_server() as mail, system.notify(mail):
        number = await system.open(actor={"kind": "member", "id": person_id(own)})
        await sent(system, number, 3)  # Ben, Jan and who did it
        await system.caller.reply(number, actor={"kind": "member", "id": person_id(mine)})
        await system.caller.reply(number, actor=AGENT)
        await sent(system, number, 3 + 3 + 4)
    assert to(mail, quiet) == []
    assert len(to(mail, own)) == 3
    assert len(to(mail, mine)) == 1
    assert to(mail, own)[0]["Content-Language"] == "pl"


async def test_who_has_lost_access_is_told_nothing_more(system: System) -> None:
    async with mail_server() as away:
        port = away.port
    async with system.notify(port):
        number = await system.open()

        async def queued() -> bool:
            return list((await system.mails_of(number)).values()) == [["queued"]]

        await until(queued)
        await system.access.removed(system.caller.account, BEN)
        async with mail_server(port) as back:
            (facts,) = (await sent(system, number, 1)).values()
            assert facts == ["queued", "sending", "dead"]
            assert to(back, BEN) == []


async def test_the_history_before_the_first_start_is_not_mailed(
    nc: Client, system: System, tmp_path: Path
) -> None:
    """Nor is anything mailed again when consumers and replica files are lost."""
    async with mail_server() as mail:
        async with system.notify(mail, "first"):
            number = await system.open()
            await sent(system, number, 1)
        await nc.jetstream().delete_consumer(TICKETS.name, UPDATES)
        await system.access.joined(system.caller.account, f"new-{system.caller.account}@acme.example")
        async with system.notify(mail, "second"):
            later = await system.open()
            await sent(system, later, 2)
            assert len(await system.mails_of(number)) == 1


async def test_mails_of_a_ticket_to_one_person_stay_in_order(system: System) -> None:
    async with mail_server() as mail, system.notify(mail, smtp_connections=8):
        numbers = [await system.open() for _ in range(5)]
        for turn in range(6):
            await asyncio.gather(
                *(system.caller.reply(number, f"reply {turn}", actor=AGENT) for number in numbers)
            )
        for number in numbers:
            await sent(system, number, 1 + 2 * 6)
    for number in numbers:
        arrived = [m for m in to(mail, BEN) if shown(number) in m["Subject"]]
        bodies = [text(message) for message in arrived[1:]]
        assert [f"reply {turn}" in body for turn, body in enumerate(bodies)] == [True] * 6


async def test_what_is_put_off_holds_up_only_its_own_lane(system: System) -> None:
    async with mail_server() as mail, system.notify(mail):
        mail.rcpt = ["451 4.7.1 Greylisted"]
        number = await system.open()

        async def put_off() -> bool:
            return [facts[-1] for facts in (await system.mails_of(number)).values()] == ["deferred"]

        await until(put_off)
        await system.caller.reply(number, actor=AGENT)

        async def jan_has_it() -> bool:
            return len(to(mail, JAN)) == 1

        await until(jan_has_it)
        states = sorted(facts[-1] for facts in (await system.mails_of(number)).values())
        assert states == ["deferred", "queued", "sent"]
        assert to(mail, BEN) == []
