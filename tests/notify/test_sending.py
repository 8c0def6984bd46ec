"""E-mails from the interest form to a mail server, on a real NATS server and over real SMTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from contracts.intake.requests import PendingInterest
from contracts.notify.events import parse_notify_event
from contracts.reference import derive_reference
from contracts.subjects import INTERESTS, NOTIFY, mail_events
from services.embedded.key_files import key_file
from services.embedded.nats_server import NatsServer
from services.notify import outgoing
from services.notify.app import notify
from services.notify.interests import confirmation
from services.notify.settings import NotifySettings
from services.runtime.settings import SettingsInvalid, load
from tests.intake.conftest import context, nc, new_id, server
from tests.notify.servers import MailDouble, mail_server

__all__ = ["nc", "server"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

Start = Callable[..., AbstractAsyncContextManager[None]]


@pytest_asyncio.fixture(loop_scope="module")
async def start(server: NatsServer, tmp_path: Path) -> Start:
    """Runs a replica of the service until the end of the block."""

    @contextlib.asynccontextmanager
    async def run(mail: MailDouble | int, name: str = "n") -> AsyncIterator[None]:
        client = await nats.connect(server.url)
        settings = load(
            NotifySettings,
            data_dir=tmp_path / name,
            smtp_host="127.0.0.1",
            smtp_port=mail if isinstance(mail, int) else mail.port,
            smtp_tls="none",
            mail_from="support@casetrail.example",
            public_url="https://support.example/",
            link_key_file=key_file(tmp_path, "link.key"),
        )
        try:
            async with notify(context(client, settings, "notify")):
                yield
        finally:
            await client.close()

    return run


def interest(**more: Any) -> PendingInterest:
    now = datetime.now(UTC)
    made: dict[str, Any] = {
        "reference": derive_reference(new_id()),
        "submission": "a" * 26,
        "questionnaire": "https://q.example/interest|1",
        "language": "pl",
        "email": "Ewa.Lis@Lakowa.example",
        "answers": {"company": ("Łąkowa",)},
        "at": now,
        "expires_at": now + timedelta(days=7),
        "token": "tok.en+/=",
        **more,
    }
    return PendingInterest(**made)


async def expressed(nc: Client, made: PendingInterest) -> outgoing.Letter:
    """Puts it where intake keeps it; returns the letter that follows from it."""
    await nc.jetstream().publish(f"$KV.{INTERESTS}.{made.reference}", made.model_dump_json().encode())
    return confirmation(made, domain="casetrail.example")


async def events_of(nc: Client, letter: outgoing.Letter) -> list[Any]:
    js = nc.jetstream()
    subject = mail_events(letter.id)
    found: list[Any] = []
    sequence = 1
    with contextlib.suppress(NotFoundError):
        while True:
            message = await js.get_msg(NOTIFY.name, sequence, subject=subject, next=True)
            found.append(parse_notify_event(message.data or b""))
            sequence = int(message.seq or 0) + 1
    return found


async def until_events(nc: Client, letter: outgoing.Letter, *facts: str) -> list[Any]:
    """The events of the mail, once they are these."""
    async with asyncio.timeout(10):
        while True:
            found = await events_of(nc, letter)
            if [event.type.split(".")[2] for event in found] == list(facts):
                return found
            await asyncio.sleep(0.02)


async def test_whoever_filled_in_the_form_is_asked_to_confirm_it(nc: Client, start: Start) -> None:
    made = interest()
    async with mail_server() as mail, start(mail):
        letter = await expressed(nc, made)
        queued, _, sent = await until_events(nc, letter, "queued", "sending", "sent")
    ((recipient, message),) = mail.taken
    assert recipient == "Ewa.Lis@Lakowa.example"
    assert message["Message-ID"] == letter.message_id
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"].startswith("Potwierdź")
    link = "https://support.example/interest/confirm?token=tok.en%2B%2F%3D"
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        content = part.get_content()
        assert link in content
        assert made.reference in content
    assert queued.data.content.email == "Ewa.Lis@Lakowa.example"
    assert queued.data.cause.event == made.reference
    assert (sent.data.attempt, sent.data.code) == (1, 250)
    assert sent.data.content.answer == "2.0.0 Ok: queued as 4B1F"


async def test_nothing_is_sent_twice_however_often_it_is_read(nc: Client, start: Start) -> None:
    made = interest()
    async with mail_server() as mail:
        async with start(mail, "first"):
            letter = await expressed(nc, made)
            await until_events(nc, letter, "queued", "sending", "sent")
        async with start(mail, "another replica file"), start(mail, "and another"):
            await expressed(nc, made)  # the same entry once more, as a redelivery
            other = await expressed(nc, interest())
            await until_events(nc, other, "queued", "sending", "sent")
        assert [message["Message-ID"] for _, message in mail.taken] == [letter.message_id, other.message_id]


async def test_several_replicas_share_the_work(nc: Client, start: Start) -> None:
    async with mail_server() as mail, start(mail, "a"), start(mail, "b"), start(mail, "c"):
        letters = [await expressed(nc, interest()) for _ in range(20)]
        for letter in letters:
            await until_events(nc, letter, "queued", "sending", "sent")
        assert sorted(message["Message-ID"] for _, message in mail.taken) == sorted(
            letter.message_id for letter in letters
        )


async def test_what_is_put_off_is_tried_again_later(nc: Client, start: Start) -> None:
    async with mail_server() as mail, start(mail):
        mail.rcpt = ["451 4.7.1 Greylisted, come back"]
        letter = await expressed(nc, interest())
        *_, deferred = await until_events(nc, letter, "queued", "sending", "deferred")
        assert deferred.data.code == 451
        assert "Greylisted" in deferred.data.content.answer
        assert deferred.data.until - deferred.time == timedelta(minutes=1)
        assert mail.taken == []


async def test_what_is_refused_for_good_is_given_up(nc: Client, start: Start) -> None:
    async with mail_server() as mail, start(mail):
        mail.data = ["554 5.7.1 We do not like it"]
        letter = await expressed(nc, interest())
        *_, dead = await until_events(nc, letter, "queued", "sending", "dead")
        assert (dead.data.code, dead.data.content.answer) == (554, "5.7.1 We do not like it")
        mail.rcpt = ["550 5.1.1 No such user"]
        other = await expressed(nc, interest())
        await until_events(nc, other, "queued", "sending", "dead")
        fine = await expressed(nc, interest())  # the connection is still good for others
        await until_events(nc, fine, "queued", "sending", "sent")


async def test_a_server_that_breaks_off_after_the_mail_is_no_answer(nc: Client, start: Start) -> None:
    async with mail_server() as mail, start(mail):
        mail.die_after_data = 1
        letter = await expressed(nc, interest())
        *_, deferred = await until_events(nc, letter, "queued", "sending", "deferred")
        assert deferred.data.code is None
        assert len(mail.taken) == 1  # it may have arrived: the next one has the same Message-ID


async def test_a_server_that_is_away_loses_nothing(nc: Client, start: Start) -> None:
    async with mail_server() as gone:
        port = gone.port
    async with start(port):
        letter = await expressed(nc, interest())
        await until_events(nc, letter, "queued")
        await asyncio.sleep(0.5)  # nothing is claimed, so nothing can be told apart but by waiting
        assert len(await events_of(nc, letter)) == 1
        async with mail_server(port) as back:
            await until_events(nc, letter, "queued", "sending", "sent")
            assert [message["Message-ID"] for _, message in back.taken] == [letter.message_id]


async def test_what_was_confirmed_or_is_over_is_not_asked_for(nc: Client, start: Start) -> None:
    async with mail_server() as mail:
        made = interest(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        confirmed = interest(confirmed=True, email="")
        async with start(mail):
            letter = await expressed(nc, made)
            *_, dead = await until_events(nc, letter, "queued", "sending", "dead")
            assert dead.data.content.answer == "nothing to say any more"
            silent = await expressed(nc, confirmed)
            other = await expressed(nc, interest())
            await until_events(nc, other, "queued", "sending", "sent")
            assert await events_of(nc, silent) == []
        assert len(mail.taken) == 1


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, {"CASETRAIL_LINK_KEY_FILE",
              "CASETRAIL_PUBLIC_URL", "CASETRAIL_MAIL_FROM", "CASETRAIL_SMTP_HOST"}),
        (
            {"public_url": "support", "mail_from": "x", "smtp_host": "h"},
            {"CASETRAIL_LINK_KEY_FILE", "CASETRAIL_PUBLIC_URL", "CASETRAIL_MAIL_FROM"},
        ),
        ({"public_url": "https://s.example", "mail_from": "a@b.example", "smtp_host": "h", "smtp_user": "u"},
         {"CASETRAIL_LINK_KEY_FILE", "CASETRAIL_SMTP_PASSWORD_FILE"}),
    ],
)  # fmt: skip
async def test_a_wrong_setting_is_named(settings: dict[str, Any], names: set[str]) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load(NotifySettings, **settings)
    assert {problem.split(":")[0] for problem in refused.value.problems} == names


async def test_a_password_is_not_sent_in_the_clear(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    with pytest.raises(SettingsInvalid, match="without TLS") as refused:
        load(
            NotifySettings,
            public_url="https://s.example",
            mail_from="a@b.example",
            smtp_host="h",
            smtp_user="u",
            smtp_tls="none",
            smtp_password_file=password,
        )
    assert "secret" not in str(refused.value)
