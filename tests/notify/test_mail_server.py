"""Mail servers that misbehave, on a clock that the tests move: nothing is lost, nothing silently repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from nats.aio.client import Client

from contracts.notify.events import MailSendingV1
from contracts.number import shown
from services.embedded.nats_server import NatsServer
from services.notify.outgoing import GIVE_UP_AFTER
from tests.access_log import AccessLog
from tests.notify.servers import MailDouble, mail_server
from tests.notify.system import BEN, System, account, text, to, until
from tests.tickets.conftest import AGENT, Caller, access, caller, nc, server, service

__all__ = ["access", "caller", "nc", "server", "service"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Clock:
    """Stands still but for what the test says."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, by: timedelta) -> None:
        self.at += by


@pytest_asyncio.fixture(loop_scope="module")
async def system(server: NatsServer, caller: Caller, access: AccessLog, tmp_path: Path) -> System:
    return await account(server, caller, access, tmp_path)


async def facts(system: System, number: str, *expected: str) -> None:
    """Returns once the only mail about the ticket has these facts."""

    async def are_there() -> bool:
        return list((await system.mails_of(number)).values()) == [list(expected)]

    await until(are_there)


async def looks_again(system: System, mail: MailDouble) -> None:
    """Something else to send makes the sender look at the clock."""
    before = len(to(mail, BEN))
    await system.open()

    async def arrived() -> bool:
        return len(to(mail, BEN)) > before

    await until(arrived)


async def test_greylisting_costs_a_minute(system: System) -> None:
    clock = Clock()
    async with mail_server() as mail, system.notify(mail, now=clock):
        mail.rcpt = ["451 4.7.1 Greylisted, come back later"]
        number = await system.open()
        await facts(system, number, "queued", "sending", "deferred")
        clock.move(timedelta(seconds=59))
        await looks_again(system, mail)
        await facts(system, number, "queued", "sending", "deferred")
        clock.move(timedelta(seconds=2))
        await looks_again(system, mail)
        await facts(system, number, "queued", "sending", "deferred", "sending", "sent")


async def test_a_server_that_is_away_for_an_hour_gets_everything_in_order(system: System) -> None:
    clock = Clock()
    async with mail_server() as gone:
        port = gone.port
    async with system.notify(port, now=clock):
        number = await system.open()
        for turn in range(3):
            await system.caller.reply(number, f"reply {turn}", actor=AGENT)

        async def all_queued() -> bool:
            found = await system.mails_of(number)
            return len(found) == 1 + 2 * 3 and all(each == ["queued"] for each in found.values())

        await until(all_queued)
        clock.move(timedelta(hours=1))
        async with mail_server(port) as back:

            async def all_sent() -> bool:
                every = (await system.mails_of(number)).values()
                return all(each == ["queued", "sending", "sent"] for each in every)

            await until(all_sent)
            about = [message for message in to(back, BEN) if shown(number) in str(message["Subject"])]
            replies = [text(message) for message in about[1:]]
            assert [f"reply {turn}" in body for turn, body in enumerate(replies)] == [True] * 3


async def test_what_is_put_off_for_four_days_is_given_up_and_can_be_sent_again(
    system: System, nc: Client
) -> None:
    clock = Clock()
    async with mail_server() as mail, system.notify(mail, now=clock):
        mail.rcpt = ["452 4.2.2 Mailbox full"] * 2
        number = await system.open()
        await facts(system, number, "queued", "sending", "deferred")
        clock.move(GIVE_UP_AFTER)
        await looks_again(system, mail)
        await facts(system, number, "queued", "sending", "deferred", "sending", "dead")
        (lost,) = await system.mails_of(number)
        revived = await system.done("revive", command_id="again", mail=lost)
        assert revived["mail"] == lost
        await facts(
            system, number, "queued", "sending", "deferred", "sending", "dead", "revived", "sending", "sent"
        )
        assert await system.done("revive", command_id="again", mail=lost) == revived


async def test_a_connection_that_breaks_after_the_mail_repeats_it_and_says_so(system: System) -> None:
    clock = Clock()
    async with mail_server() as mail, system.notify(mail, now=clock):
        mail.die_after_data = 1
        number = await system.open()
        await facts(system, number, "queued", "sending", "deferred")
        clock.move(timedelta(minutes=2))
        await looks_again(system, mail)
        await facts(system, number, "queued", "sending", "deferred", "sending", "sent")
        (subject,) = await system.mails_of(number)
        attempts = await system.events(f"events.notify.mails.{subject}")
        claims = [each.data.may_repeat for each in attempts if isinstance(each, MailSendingV1)]
        assert claims == [False, True]
        ids = [message["Message-ID"] for message in to(mail, BEN) if subject in message["Message-ID"]]
        assert len(ids) == 2
        copies = [m.as_bytes() for m in to(mail, BEN) if subject in m["Message-ID"]]
        assert copies[0] == copies[1]


async def test_a_slow_server_gets_each_mail_once(system: System) -> None:
    async with mail_server() as mail, system.notify(mail):
        mail.slow_s = 1.5
        number = await system.open()
        await facts(system, number, "queued", "sending", "sent")
        assert len(to(mail, BEN)) == 1


async def test_an_address_that_takes_no_mail_is_given_up_at_once(system: System) -> None:
    async with mail_server() as mail, system.notify(mail):
        mail.rcpt = ["550 5.1.1 No such user"]
        number = await system.open()
        await facts(system, number, "queued", "sending", "dead")
        await system.open()  # does not hold up what comes after it

        async def arrived() -> bool:
            return len(to(mail, BEN)) == 1

        await until(arrived)
