"""From an answer in somebody's inbox to a reply on the ticket, or to why it is none: all of it real."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import smtplib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
import pytest_asyncio

from contracts import subjects
from contracts.access.people import person_id
from contracts.client import Attachments
from contracts.notify.events import Outcome
from contracts.number import shown
from contracts.requests import SentActor
from services.attachments.app import attachments
from services.attachments.settings import AttachmentsSettings
from services.embedded.nats_server import NatsServer
from services.runtime.settings import load
from tests.access_log import AccessLog
from tests.files.samples import PNG
from tests.intake.conftest import context
from tests.notify.post import Post, Verdict, answer, history_of, texts_of
from tests.notify.servers import MailDouble, mail_server
from tests.notify.system import BEN, System, account, text, to, until
from tests.tickets.conftest import AGENT, JAN, OLA, Caller, access, caller, nc, server, service

__all__ = ["access", "caller", "nc", "server", "service"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUPPORT = "support@casetrail.example"
GONE = "zwrot@acme.example"
"""Whose mailbox is there no more."""


@dataclass
class Running:
    """The system while notify runs; `ask` is a ticket that Jan opened, and Ben's e-mail about it."""

    system: System
    mail: MailDouble
    post: Post

    async def arrived(self, address: str, count: int) -> list[EmailMessage]:
        """So many e-mails for somebody."""

        async def enough() -> list[EmailMessage] | None:
            found = to(self.mail, address)
            return found if len(found) >= count else None

        found: list[EmailMessage] = await until(enough)
        return found

    async def told(self) -> tuple[str, EmailMessage]:
        """A new ticket's number, and the e-mail in which Ben heard of it."""
        before = len(to(self.mail, BEN))
        number = await self.system.open()
        return number, (await self.arrived(BEN, before + 1))[-1]


@pytest_asyncio.fixture(loop_scope="module")
async def running(
    server: NatsServer, caller: Caller, access: AccessLog, tmp_path: Path
) -> AsyncIterator[Running]:
    system = await account(server, caller, access, tmp_path)
    post = Post(system)
    with contextlib.closing(post):
        async with mail_server() as mail, system.notify(mail, **post.settings):
            yield Running(system, mail, post)


async def test_an_answer_becomes_a_reply_in_its_authors_name(running: Running) -> None:
    number, told = await running.told()
    sent = answer("Działa od rana.", sender=f"Ben <{BEN}>", to=str(told["Reply-To"]), to_mail=told)
    received = await running.post.send(sent, to=str(told["Reply-To"]))
    handled = await running.post.became(received)
    assert (handled.data.outcome, handled.data.reason) == ("replied", "address")
    assert handled.data.ticket == number
    assert await texts_of(running.system, number) == ["Od wczoraj.", "Działa od rana."]
    history = await history_of(running.system, number)
    event = history["events"][-1]["event"]
    assert (event["via"], event["actor"]) == ("email", f"member:{person_id(BEN)}")
    assert event["id"] == handled.data.event
    (news,) = await running.arrived(JAN, 1)
    assert "Działa od rana." in text(news)


async def test_an_agent_answers_by_e_mail_as_an_agent(running: Running) -> None:
    number, _ = await running.told()
    await running.system.caller.reply(number, "Co widać na ekranie?", actor=AGENT)
    await running.system.caller.reply(number, "Pusty ekran.")
    asked = (await running.arrived(OLA, 1))[-1]
    received = await running.post.send(
        answer("Poprawione.", sender=OLA, to=str(asked["Reply-To"]), to_mail=asked), to=str(asked["Reply-To"])
    )
    handled = await running.post.became(received)
    assert handled.data.outcome == "replied"
    history = await history_of(running.system, number)
    assert history["events"][-1]["event"]["actor"] == f"agent:{person_id(OLA)}"


async def test_an_answer_is_found_by_what_it_refers_to(running: Running) -> None:
    number, told = await running.told()
    message = answer("Do skrzynki ogólnej.", sender=BEN, to=SUPPORT, to_mail=told)
    handled = await running.post.became(await running.post.send(message, to=SUPPORT))
    assert (handled.data.outcome, handled.data.reason, handled.data.ticket) == (
        "replied",
        "reference",
        number,
    )


async def test_a_number_in_the_subject_counts_of_a_sender_that_is_sure(running: Running) -> None:
    number, _ = await running.told()
    message = answer("Z ręki.", sender=BEN, to=SUPPORT, subject=f"Pytanie [{shown(number)}]")
    handled = await running.post.became(await running.post.send(message, to=SUPPORT))
    assert (handled.data.outcome, handled.data.reason) == ("replied", "number")
    unsure = answer("Z ręki.", sender=BEN, to=SUPPORT, subject=f"[{shown(number)}]", verdict=None)
    handled = await running.post.became(await running.post.send(unsure, to=SUPPORT))
    assert (handled.data.outcome, handled.data.reason) == ("quarantined", "sender_not_checked")


async def test_a_sender_that_fails_its_check_is_quarantined_and_hears_nothing(running: Running) -> None:
    number, told = await running.told()
    forged = answer(
        "Zamknijcie to.", sender=BEN, to=str(told["Reply-To"]), to_mail=told, verdict=Verdict("fail")
    )
    received = await running.post.send(forged, to=str(told["Reply-To"]))
    handled = await running.post.became(received)
    assert (handled.data.outcome, handled.data.reason) == ("quarantined", "sender_check_failed")
    assert await texts_of(running.system, number) == ["Od wczoraj."]
    assert await _answers(running, received) == []


async def test_the_signed_address_alone_lets_nobody_else_write(running: Running) -> None:
    number, told = await running.told()
    address = str(told["Reply-To"])
    handled = await running.post.became(
        await running.post.send(answer("Obcy.", sender="eve@evil.example", to=address), to=address)
    )
    assert (handled.data.outcome, handled.data.reason) == ("unassigned", "no_access")
    unsure = answer("Jan?", sender=JAN, to=address, verdict=None)
    handled = await running.post.became(await running.post.send(unsure, to=address))
    assert (handled.data.outcome, handled.data.reason) == ("quarantined", "sender_not_checked")
    own = answer("Ben.", sender=BEN, to=address, verdict=None)
    handled = await running.post.became(await running.post.send(own, to=address))
    assert handled.data.outcome == "replied"
    assert await texts_of(running.system, number) == ["Od wczoraj.", "Ben."]


async def test_who_lost_access_cannot_reply_by_e_mail(running: Running) -> None:
    number, told = await running.told()
    await running.system.access.removed(running.system.caller.account, BEN)
    message = answer("Jeszcze ja.", sender=BEN, to=str(told["Reply-To"]), to_mail=told)
    handled = await running.post.became(await running.post.send(message, to=str(told["Reply-To"])))
    assert (handled.data.outcome, handled.data.reason) == ("unassigned", "no_access")
    assert await texts_of(running.system, number) == ["Od wczoraj."]
    await running.system.access.joined(running.system.caller.account, BEN)


async def test_an_answer_to_a_closed_ticket_comes_back_with_its_text_and_two_ways_on(
    running: Running,
) -> None:
    number, told = await running.told()
    await running.system.caller.close(number)
    before = len(await running.arrived(BEN, 2))
    message = answer("Dalej nie działa!", sender=BEN, to=str(told["Reply-To"]), to_mail=told)
    received = await running.post.send(message, to=str(told["Reply-To"]))
    handled = await running.post.became(received)
    assert (handled.data.outcome, handled.data.reason) == ("refused", "closed")
    refusal = (await running.arrived(BEN, before + 1))[-1]
    assert "Dalej nie działa!" in text(refusal)
    assert f"/tickets/{number}/reopen" in text(refusal)
    assert f"follows={number}" in text(refusal)
    assert refusal["Auto-Submitted"] == "auto-replied"
    assert refusal["In-Reply-To"] == message["Message-ID"]
    assert await texts_of(running.system, number) == ["Od wczoraj."]


async def test_the_same_e_mail_twice_is_one_reply(running: Running) -> None:
    number, told = await running.told()
    message = answer("Raz.", sender=BEN, to=str(told["Reply-To"]), to_mail=told)
    first = await running.post.became(await running.post.send(message, to=str(told["Reply-To"])))
    second = await running.post.became(await running.post.send(message, to=SUPPORT))
    assert (first.data.outcome, second.data.outcome) == ("replied", "repeated")
    assert first.data.event == second.data.event
    assert await texts_of(running.system, number) == ["Od wczoraj.", "Raz."]
    del message["Content-Type"], message["Content-Transfer-Encoding"]
    message.set_content("Co innego pod tym samym Message-ID.")
    third = await running.post.became(await running.post.send(message, to=str(told["Reply-To"])))
    assert (third.data.outcome, third.data.reason) == ("quarantined", "message_id_reused")


async def test_two_tickets_in_one_e_mail_get_it_once_each(running: Running) -> None:
    one, of_one = await running.told()
    other, of_other = await running.told()
    addresses = [str(of_one["Reply-To"]), str(of_other["Reply-To"])]
    message = answer("Dotyczy obu.", sender=BEN, to=", ".join(addresses))
    for address in addresses:
        await running.post.became(await running.post.send(message, to=address))
    assert await texts_of(running.system, one) == ["Od wczoraj.", "Dotyczy obu."]
    assert await texts_of(running.system, other) == ["Od wczoraj.", "Dotyczy obu."]


async def test_files_come_along_and_what_is_not_taken_is_named(running: Running, tmp_path: Path) -> None:
    number, told = await running.told()
    message = answer("W załączeniu.", sender=BEN, to=str(told["Reply-To"]), to_mail=told)
    message.add_attachment(PNG, maintype="image", subtype="png", filename="Zrzut ekranu.png")
    message.add_attachment(
        b"MZ\x90\x00" * 50, maintype="application", subtype="x-msdownload", filename="run.exe"
    )
    settings = load(AttachmentsSettings, data_dir=tmp_path / "files")
    async with attachments(context(running.system.nc, settings, "attachments")):
        handled = await running.post.became(await running.post.send(message, to=str(told["Reply-To"])))
    assert handled.data.outcome == "replied"
    history = await history_of(running.system, number)
    content = history["events"][-1]["event"]["data"]["content"]
    assert [each["name"] for each in content["attachments"]] == ["Zrzut ekranu.png"]
    assert content["text"].startswith("W załączeniu.\n\n[")
    assert "run.exe" in content["text"]


async def test_programs_are_not_answered_and_write_no_replies(running: Running) -> None:
    number, told = await running.told()
    for headers in ({"Auto-Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"List-Id": "<a.example>"}):
        message = answer(
            "Jestem na urlopie.", sender=BEN, to=str(told["Reply-To"]), to_mail=told, headers=headers
        )
        received = await running.post.send(message, to=str(told["Reply-To"]))
        handled = await running.post.became(received)
        assert handled.data.outcome == "ignored"
        assert await _answers(running, received) == []
    null = answer("Jestem na urlopie.", sender=BEN, to=str(told["Reply-To"]), to_mail=told)
    handled = await running.post.became(await running.post.send(null, to=str(told["Reply-To"]), sender=""))
    assert (handled.data.outcome, handled.data.reason) == ("ignored", "null_sender")
    assert await texts_of(running.system, number) == ["Od wczoraj."]


async def test_what_belongs_nowhere_waits_for_people_and_its_sender_is_told_if_that_is_safe(
    running: Running,
) -> None:
    sure = answer("Czy mogę zostać partnerem?", sender="nowa@firma.example", to=SUPPORT)
    received = await running.post.send(sure, to=SUPPORT)
    handled = await running.post.became(received)
    assert (handled.data.outcome, handled.data.reason) == ("unassigned", "no_ticket")
    (told,) = await running.arrived("nowa@firma.example", 1)
    assert told["Auto-Submitted"] == "auto-replied"
    assert told["In-Reply-To"] == sure["Message-ID"]
    unsure = answer("Ja też.", sender="obca@firma.example", to=SUPPORT, verdict=None)
    unsafe = await running.post.send(unsure, to=SUPPORT)
    await running.post.became(unsafe)
    assert await _answers(running, unsafe) == []
    assert len(await _answers(running, received)) == 1
    page = await running.system.done("received", waiting=True)
    assert received in {mail["received"] for mail in page["mails"]}
    assert page["waiting"] >= 2


async def test_nobody_is_answered_without_end(running: Running) -> None:
    for _ in range(7):
        message = answer("Halo?", sender="ktos@firma.example", to=SUPPORT)
        await running.post.became(await running.post.send(message, to=SUPPORT))
    last = answer("Koniec.", sender="ktos2@firma.example", to=SUPPORT)
    await running.post.became(await running.post.send(last, to=SUPPORT))
    await running.arrived("ktos2@firma.example", 1)
    assert len(to(running.mail, "ktos@firma.example")) == 5


async def test_an_agent_puts_a_waiting_e_mail_on_a_ticket_or_dismisses_it(running: Running) -> None:
    number, _ = await running.told()
    waiting = answer("Od kolegi z recepcji.", sender="recepcja@firma.example", to=SUPPORT, verdict=None)
    received = await running.post.send(waiting, to=SUPPORT)
    await running.post.became(received)
    order = {
        "received": received,
        "ticket": number,
        "account": running.system.caller.account,
        "actor": AGENT,
        "command_id": "settle-1",
    }
    settled = await _asked(running, "settle", **order)
    assert settled["how"] == "appended"
    assert await _asked(running, "settle", **order) == settled
    texts = await texts_of(running.system, number)
    assert len(texts) == 2
    assert texts[1].endswith("Od kolegi z recepcji.")
    assert "recepcja@firma.example" in texts[1]
    record = await _asked(running, "received-mail", received=received, actor=AGENT)
    assert (record["mail"]["settled"], record["mail"]["ticket"], record["mail"]["waits"]) == (
        "appended", number, False,
    )  # fmt: skip
    original = await _original(running, event=settled["event"], actor=AGENT)
    assert original["text"] == "Od kolegi z recepcji."
    again = await _asked(running, "settle", received=received, actor=AGENT, command_id="settle-2")
    assert again["code"] == "mail_is_settled"


async def test_members_do_not_see_what_came_in_but_the_original_of_their_ticket(running: Running) -> None:
    _, told = await running.told()
    message = answer("Oryginał.", sender=BEN, to=str(told["Reply-To"]), to_mail=told)
    handled = await running.post.became(await running.post.send(message, to=str(told["Reply-To"])))
    jan = {"kind": "member", "id": person_id(JAN)}
    assert (await _asked(running, "received", actor=jan))["kind"] == "refused"
    account_ = running.system.caller.account
    original = await _original(running, event=handled.data.event, actor=jan)
    assert original["text"] == "Oryginał."
    assert original["subject"] == message["Subject"]
    stranger = {"kind": "member", "id": person_id("eve@evil.example")}
    refused = await _asked(running, "original", account=account_, event=handled.data.event, actor=stranger)
    assert refused["status"] in {403, 404}


async def test_the_raw_e_mail_is_kept_byte_by_byte(running: Running) -> None:
    raw = b"From: x@firma.example\r\nSubject: \xff\xfe\r\n\r\n" + b"Zdanie bez ko\xf1ca.\r\n" * 60_000
    received = await running.post.send(raw, to=SUPPORT, sender="x@firma.example")
    await running.post.became(received)
    found, offset = b"", 0
    while True:
        chunk = await _asked(running, "raw", received=received, offset=offset, actor=AGENT)
        found += base64.b64decode(chunk["data"])
        if "next_offset" not in chunk:
            break
        offset = chunk["next_offset"]
    assert found == raw


async def test_only_our_addresses_and_one_recipient_at_a_time_are_taken(running: Running) -> None:
    message = bytes(answer("Hej", sender=BEN, to="kto@inny.example"))
    code, _ = await running.post.hand_over(message, sender=BEN, recipient="kto@inny.example")
    assert code == 550
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=running.post.port, start_tls=False) as client:
        await client.ehlo()
        await client.mail(BEN)
        await client.rcpt(SUPPORT)
        with pytest.raises(aiosmtplib.SMTPRecipientRefused) as second:
            await client.rcpt(f"postmaster@{SUPPORT.rpartition('@')[2]}")
        assert second.value.code == 452


async def test_a_hard_bounce_marks_the_address_and_tells_the_agent(running: Running) -> None:
    await running.system.access.joined(running.system.caller.account, GONE)
    number, _ = await running.told()
    await running.system.caller.reply(number, "Sprawdzamy.", actor=AGENT)
    told = (await running.arrived(GONE, 2))[-1]
    sent = next(mail for mail in (await running.system.done("mails", ticket=number))["mails"]
                if mail["message_id"] == told["Message-ID"])  # fmt: skip
    report = (
        b"From: MAILER-DAEMON@mx.acme.example\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        b"Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.acme.example\r\n\r\n"
        b"Final-Recipient: rfc822; " + GONE.encode() + b"\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        b"--b--\r\n"
    )
    (path,) = (sender for sender, message in running.mail.senders if message == told["Message-ID"])
    assert sent["mail"] in path
    handled = await running.post.became(await running.post.send(report, to=path, sender=""))
    assert (handled.data.outcome, handled.data.ticket) == ("bounced", number)
    (notice,) = await running.arrived(OLA, 1)
    assert "5.1.1" in text(notice)
    assert GONE in text(notice)
    await running.system.caller.reply(number, "Jeszcze jedno.", actor=AGENT)

    async def given_up() -> bool:
        mails = (await running.system.done("mails", ticket=number, state="dead"))["mails"]
        return any(mail["email"] == GONE for mail in mails)

    assert await until(given_up)


async def _original(running: Running, **asked: object) -> dict[str, Any]:
    """The original of an event, once the replica has heard of it."""

    async def found() -> dict[str, Any] | None:
        original = await _asked(running, "original", account=running.system.caller.account, **asked)
        return original if "text" in original else None

    original: dict[str, Any] = await until(found)
    return original


async def _asked(running: Running, name: str, **body: object) -> dict[str, Any]:
    """What notify answers, an error too."""
    actor = body.get("actor", {"kind": "system", "id": "cli"})
    assert isinstance(actor, dict)
    subject = (
        subjects.system_request("cli", "notify", name)
        if actor["kind"] == "system"
        else subjects.request("notify", name)
    )
    reply = await running.system.nc.request(
        subject, json.dumps({**body, "actor": actor}).encode(), timeout=15
    )
    found: dict[str, Any] = json.loads(reply.data)
    return found


async def test_a_flood_on_one_ticket_is_for_people_to_look_at(running: Running) -> None:
    number, told = await running.told()
    address = str(told["Reply-To"])
    mails = [answer(f"Nr {turn}.", sender=BEN, to=address, to_mail=told) for turn in range(33)]
    received = [await running.post.send(mail, to=address) for mail in mails]
    outcomes = [(await running.post.became(each)).data.outcome for each in received]
    assert outcomes.count(Outcome.REPLIED) >= 30
    assert outcomes[-1] == "quarantined"
    texts = await texts_of(running.system, number)
    assert len(texts) == 1 + outcomes.count(Outcome.REPLIED)
    assert texts[1:4] == ["Nr 0.", "Nr 1.", "Nr 2."]


async def test_a_text_longer_than_a_reply_is_there_whole_as_a_file(running: Running, tmp_path: Path) -> None:
    number, told = await running.told()
    words = "".join(f"Zdanie numer {turn} tej długiej opowieści.\n" for turn in range(3_000))
    message = answer(words, sender=BEN, to=str(told["Reply-To"]), to_mail=told)
    settings = load(AttachmentsSettings, data_dir=tmp_path / "files")
    async with attachments(context(running.system.nc, settings, "attachments")):
        handled = await running.post.became(await running.post.send(message, to=str(told["Reply-To"])))
        assert handled.data.outcome == "replied"
        history = await history_of(running.system, number)
        content = history["events"][-1]["event"]["data"]["content"]
        assert content["text"].startswith("Zdanie numer 0 tej")
        assert "e-mail.txt" in content["text"]
        (file,) = content["attachments"]
        _, kept = await Attachments(running.system.nc).download(
            file["id"], account=running.system.caller.account, actor=_jan()
        )
    assert kept.decode().rstrip() == words.rstrip()


async def test_an_e_mail_without_a_word_or_a_file_waits_for_people(running: Running) -> None:
    number, told = await running.told()
    message = answer("\n\n", sender=BEN, to=str(told["Reply-To"]), to_mail=told)
    handled = await running.post.became(await running.post.send(message, to=str(told["Reply-To"])))
    assert (handled.data.outcome, handled.data.reason) == ("unassigned", "no_text")
    assert await texts_of(running.system, number) == ["Od wczoraj."]


async def test_lmtp_is_spoken_too_and_others_are_not_let_in(running: Running, tmp_path: Path) -> None:
    number, told = await running.told()
    address = str(told["Reply-To"])
    message = answer("Po LMTP.", sender=BEN, to=address, to_mail=told)

    def over_lmtp(port: int) -> None:
        with smtplib.LMTP("127.0.0.1", port) as client:
            client.sendmail(BEN, [address], bytes(message))

    post = Post(running.system)
    with contextlib.closing(post):
        async with running.system.notify(running.mail, "lmtp", **post.settings, mail_in_protocol="lmtp"):
            await asyncio.to_thread(over_lmtp, post.port)
            await until(lambda: _has(running, number, "Po LMTP."))
        other = {**post.settings, "mail_in_peers": "10.0.0.0/8"}
        async with running.system.notify(running.mail, "closed", **other):
            code, words = await post.hand_over(bytes(message), sender=BEN, recipient=address)
    assert (code, words.partition(" ")[0]) == (554, "5.7.1")


async def test_what_cannot_be_handled_now_is_handled_later(running: Running) -> None:
    """No attachments service runs: the reply waits, with its file, until there is one."""
    number, told = await running.told()
    message = answer("Z plikiem.", sender=BEN, to=str(told["Reply-To"]), to_mail=told)
    message.add_attachment(PNG, maintype="image", subtype="png", filename="a.png")
    received = await running.post.send(message, to=str(told["Reply-To"]))
    other = answer("Bez pliku.", sender=BEN, to=SUPPORT, subject=f"[{shown(number)}]")
    assert (await running.post.became(await running.post.send(other, to=SUPPORT))).data.outcome == "replied"
    record = await running.system.done("received-mail", received=received)
    assert "outcome" not in record["mail"]  # one that cannot be handled now holds up no other
    settings = load(AttachmentsSettings, data_dir=running.system.directory / "files")
    async with attachments(context(running.system.nc, settings, "attachments")):
        handled = await running.post.became(received)
    assert handled.data.outcome == "replied"
    history = await history_of(running.system, number)
    assert len(history["events"][-1]["event"]["data"]["content"]["attachments"]) == 1


async def _has(running: Running, number: str, text_: str) -> bool:
    return text_ in await texts_of(running.system, number)


def _jan() -> SentActor:
    return SentActor.model_validate({"kind": "member", "id": person_id(JAN)}, strict=False)


async def test_twenty_megabytes_come_in_and_their_files_stand_on_the_ticket(
    running: Running, tmp_path: Path
) -> None:
    number, told = await running.told()
    message = answer("Eksport w załączeniu.", sender=BEN, to=str(told["Reply-To"]), to_mail=told)
    rows = b"".join(b"%d;zajete;2026-11-25\n" % row for row in range(280_000))
    for name in ("a.csv", "b.csv"):
        message.add_attachment(rows, maintype="text", subtype="csv", filename=name)
    assert len(bytes(message)) > 15_000_000
    settings = load(AttachmentsSettings, data_dir=tmp_path / "files")
    async with attachments(context(running.system.nc, settings, "attachments")):
        handled = await running.post.became(await running.post.send(message, to=str(told["Reply-To"])))
    assert handled.data.outcome == "replied"
    history = await history_of(running.system, number)
    files = history["events"][-1]["event"]["data"]["content"]["attachments"]
    assert [(each["name"], each["size"]) for each in files] == [("a.csv", len(rows)), ("b.csv", len(rows))]
    too_large = b"Subject: x\r\n\r\n" + b"x" * 76 * (27 << 20 >> 6)
    code, _ = await running.post.hand_over(too_large, sender=BEN, recipient=SUPPORT)
    assert code == 552


async def _answers(running: Running, received: str) -> list[str]:
    """The mails on record that answer an e-mail: the log is complete once that is handled."""
    every = await running.system.events("events.notify.mails.*")
    return [event.subject for event in every if getattr(event.data, "answers", None) == received]


async def test_an_original_names_no_agent_and_holds_no_address_to_write_to(running: Running) -> None:
    number, _ = await running.told()
    await running.system.caller.reply(number, "Pytanie.", actor=AGENT)
    await running.system.caller.reply(number, "Odpowiedź.")
    asked = (await running.arrived(OLA, 1))[-1]
    address = str(asked["Reply-To"])
    message = answer(f"Ode mnie.\n\n> Reply-To: {address}", sender=OLA, to=address, to_mail=asked)
    handled = await running.post.became(await running.post.send(message, to=address))
    assert handled.data.outcome == "replied"
    actor = _jan().model_dump(mode="json")
    for_member = await _original(running, event=handled.data.event, actor=actor)
    assert for_member["text"].startswith("Ode mnie.")
    assert OLA not in json.dumps(for_member)
    assert "reply+" not in json.dumps(for_member)
    for_agent = await _asked(running, "received-mail", received=handled.subject, actor=AGENT)
    assert OLA in for_agent["original"]["sender"]
    assert "reply+" not in json.dumps(for_agent["original"])


async def test_an_agents_reply_needs_more_than_the_signed_address(running: Running) -> None:
    number, _ = await running.told()
    await running.system.caller.reply(number, "Pytanie.", actor=AGENT)
    await running.system.caller.reply(number, "Odpowiedź.")
    address = str((await running.arrived(OLA, 1))[-1]["Reply-To"])
    unsure = answer("Na pewno ja.", sender=OLA, to=address, verdict=None)
    handled = await running.post.became(await running.post.send(unsure, to=address))
    assert (handled.data.outcome, handled.data.reason) == ("quarantined", "sender_not_checked")


async def test_a_report_to_another_address_changes_nothing(running: Running) -> None:
    number, told = await running.told()
    report = (
        f"From: MAILER-DAEMON@evil.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        f"Final-Recipient: rfc822; {BEN}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {told['Message-ID']}\r\n\r\n--b--\r\n"
    ).encode()
    handled = await running.post.became(await running.post.send(report, to=SUPPORT, sender=""))
    assert handled.data.outcome == "ignored"
    mails = (await running.system.done("mails", ticket=number))["mails"]
    assert [mail["bounced"] for mail in mails] == [False] * len(mails)


async def test_a_mail_that_came_back_for_this_time_waits_for_people_and_marks_no_address(
    running: Running,
) -> None:
    number, told = await running.told()
    (path,) = (sender for sender, message in running.mail.senders if message == told["Message-ID"])
    report = (
        f"From: MAILER-DAEMON@mx.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        f"Final-Recipient: rfc822; {BEN}\r\nAction: failed\r\nStatus: 4.4.7\r\n\r\n--b--\r\n"
    ).encode()
    handled = await running.post.became(await running.post.send(report, to=path, sender=""))
    assert (handled.data.outcome, handled.data.reason) == ("bounced", "not_delivered")
    await running.system.caller.reply(number, "Dalej piszemy.", actor=AGENT)
    assert "Dalej piszemy." in text((await running.arrived(BEN, 2))[-1])


async def test_another_text_under_a_known_message_id_is_never_lost(running: Running) -> None:
    number, told = await running.told()
    address = str(told["Reply-To"])
    first = answer("Tak, zgoda na wszystko.", sender=BEN, to=address, to_mail=told)
    await running.post.became(await running.post.send(first, to=address))
    second = answer("Tak", sender=BEN, to=address, to_mail=told, message_id=str(first["Message-ID"]))
    handled = await running.post.became(await running.post.send(second, to=address))
    assert (handled.data.outcome, handled.data.reason) == ("quarantined", "message_id_reused")
    assert await texts_of(running.system, number) == ["Od wczoraj.", "Tak, zgoda na wszystko."]


async def test_two_agents_at_once_put_an_e_mail_on_one_ticket(running: Running) -> None:
    one, _ = await running.told()
    other, _ = await running.told()
    waiting = answer("Na jedno z dwóch.", sender="gosc@firma.example", to=SUPPORT, verdict=None)
    received = await running.post.send(waiting, to=SUPPORT)
    await running.post.became(received)
    account_ = running.system.caller.account

    async def put(number: str) -> dict[str, Any]:
        return await _asked(
            running, "settle", received=received, ticket=number, account=account_, actor=AGENT,
            command_id=f"put-{number}",
        )  # fmt: skip

    done = await asyncio.gather(put(one), put(other))
    assert [each.get("how") for each in done].count("appended") == 1
    stands = [len(await texts_of(running.system, number)) - 1 for number in (one, other)]
    assert sorted(stands) == [0, 1]


async def test_an_e_mail_for_a_closed_ticket_waits_on_until_it_is_put_elsewhere(running: Running) -> None:
    number, _ = await running.told()
    await running.system.caller.close(number)
    waiting = answer("<p></p>", sender="gosc@firma.example", to=SUPPORT, verdict=None)
    waiting.set_content("<blockquote>Tylko w cytacie.</blockquote>", subtype="html")
    received = await running.post.send(waiting, to=SUPPORT)
    await running.post.became(received)
    order = {"received": received, "account": running.system.caller.account, "actor": AGENT}
    refused = await _asked(running, "settle", **order, ticket=number, command_id="closed-1")
    assert refused["code"] == "ticket_is_closed"
    other, _ = await running.told()
    done = await _asked(running, "settle", **order, ticket=other, command_id="closed-2")
    assert done["how"] == "appended"
    assert "Tylko w cytacie." in (await texts_of(running.system, other))[1]


async def test_empty_lines_without_end_are_refused(running: Running) -> None:
    many = b"Subject: x\r\n\r\n" + b"\r\n" * 700_001
    code, _ = await running.post.hand_over(many, sender=BEN, recipient=SUPPORT)
    assert code == 552
    few = b"From: " + BEN.encode() + b"\r\n\r\n" + b"..dot\r\n" + b"x" * 3_000 + b"\r\n"
    received = await running.post.send(few, to=SUPPORT, sender=BEN)
    chunk = await _asked(running, "raw", received=received, actor=AGENT)
    assert base64.b64decode(chunk["data"]) == few
