"""Which e-mails programs wrote, and which people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.received.headers import Headers
from services.notify.received.loops import automatic, may_be_answered

OLA = "ola.nowak@partner.example"
OWN = frozenset({"support@company.example", "bounces@company.example"})


def is_own(address: str) -> bool:
    return address in OWN or (address.startswith("reply+") and address.endswith("@company.example"))


def headers(*lines: str, author: str = f"Ola Nowak <{OLA}>") -> Headers:
    own = [f"From: {author}", "To: reply+abc@company.example", "Message-ID: <1@partner.example>"]
    return Headers(("\r\n".join([*own, *lines]) + "\r\n\r\nHello").encode())


def why(*lines: str, author: str = f"Ola Nowak <{OLA}>", envelope: str = OLA) -> str | None:
    return automatic(headers(*lines, author=author), envelope_sender=envelope, is_own=is_own)


PEOPLE: dict[str, tuple[list[str], str, str]] = {
    "an answer": (
        ["Subject: Re: [483-029-1746] Bookings do not arrive", "In-Reply-To: <x@company.example>"], OLA, OLA,
    ),
    "an answer to an out-of-office mail": (
        ["Subject: Re: Automatic reply: Odpowiedź automatyczna: Poza biurem",
         "In-Reply-To: <oof@x.example>"], OLA, OLA,
    ),
    "a subject of its own about being away": (["Subject: Poza biurem w piątek: kto odpowie?"], OLA, OLA),
    "through a corporate gateway": (
        ["X-Auto-Response-Suppress: DR, OOF, AutoReply", "X-MS-Exchange-Organization-AuthAs: Internal",
         "X-Proofpoint-Spam-Details: rule=outbound", "X-MS-Has-Attach:"], OLA, OLA,
    ),
    "Precedence: normal": (["Precedence: normal"], OLA, OLA),
    "Precedence: first-class": (["Precedence: first-class"], OLA, OLA),
    "with a feedback id": (
        ["Feedback-ID: 1.eu-west-1.abc=:AmazonSES", "X-SES-Outgoing: 2026.11.25"], OLA, OLA,
    ),
    "Auto-Submitted: no": (["Auto-Submitted: no"], OLA, OLA),
    "Auto-Submitted: no, with a comment": (["Auto-Submitted: No (a person)"], OLA, OLA),
    "with a way out, from a sales program": (["List-Unsubscribe: <https://crm.example/u>"], OLA, OLA),
    "by a bounce address of the provider": (
        [], "0102-abc@eu-west-1.amazonses.com", OLA,
    ),
    "by a rewritten sender of a forwarder": ([], "srs0=hh=tt=partner.example=ola.nowak@fwd.example", OLA),
    "of somebody with an odd name": (
        [], "noreen.reply@partner.example", "Noreen Reply <noreen.reply@partner.example>",
    ),
    "of somebody called Post": ([], "post@partner.example", "Anna Post <post@partner.example>"),
    "an agent of the same domain": ([], "ola@company.example", "Ola <ola@company.example>"),
    "an agent for whom a colleague sent": (
        ["Sender: ewa@company.example"], "ewa@company.example", "ola@company.example",
    ),
    "after many hops": (["Received: from a by b"] * 25, OLA, OLA),
    "with a loop mark of somebody else": (["X-Loop: list@partner.example"], OLA, OLA),
    "asks for a receipt": (
        ["Disposition-Notification-To: ola.nowak@partner.example", "Importance: high"], OLA, OLA,
    ),
    "with an e-mail in it": (["Content-Type: multipart/mixed; boundary=x; report-type=no"], OLA, OLA),
    "a signature of an autoresponder in words": (
        ["X-Autoreply: no", "X-Mailer: Microsoft Outlook 16.0"], OLA, OLA,
    ),
    "passed on by a rule of our own mailbox": (
        ["X-MS-Exchange-Inbox-Rules-Loop: support@company.example"], OLA, OLA,
    ),
    "passed on by our own group": (
        ["List-ID: <support.company.example>", "Precedence: list", "X-BeenThere: support@company.example",
         "Mailing-list: list support@company.example; contact support+owners@company.example"], OLA, OLA,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PEOPLE)
def test_peoples_mails_are_not_taken_for_automatic(name: str) -> None:
    lines, envelope, author = PEOPLE[name]
    assert why(*lines, envelope=envelope, author=author) is None


PROGRAMS: dict[str, tuple[list[str], str, str, str]] = {
    # the envelope and the addresses
    "the null sender": ([], "", OLA, "null_sender"),
    "the null sender in brackets": ([], "<>", OLA, "null_sender"),
    "the null sender, as the server kept it": (["Return-Path: < >"], OLA, OLA, "null_sender"),
    "our own address": ([], "support@company.example", "support@company.example", "own_address"),
    "our own address in From": ([], OLA, "Support <SUPPORT@company.example>", "own_address"),
    "our own address among others": ([], OLA, f"{OLA}, support@company.example", "own_address"),
    "our own address in Sender": (["Sender: support@company.example"], OLA, OLA, "own_address"),
    "our own bounce address": ([], "bounces@company.example", OLA, "own_address"),
    "an address that we made for an answer": ([], "reply+abc@company.example", OLA, "own_address"),
    "came round": (["X-Loop: <support@company.example>"], OLA, OLA, "loop"),
    "too many hops": (["Received: from a by b"] * 31, OLA, OLA, "loop"),
    "no-reply": ([], "bounce@x.example", "no-reply@x.example", "system_sender"),
    "noreply": ([], "bounce@x.example", "NoReply@x.example", "system_sender"),
    "do_not_reply": ([], "bounce@x.example", "do_not_reply@x.example", "system_sender"),
    "donotreply+tag": ([], "bounce@x.example", "donotreply+1@x.example", "system_sender"),
    "with the name before it": ([], "bounce@x.example", "jira-noreply@x.example", "system_sender"),
    "Polish": ([], "bounce@x.example", "nie-odpowiadaj@x.example", "system_sender"),
    "Polish, infinitive": ([], "bounce@x.example", "prosze.nie.odpowiadac@x.example", "system_sender"),
    "a mail server": ([], "MAILER-DAEMON@x.example", OLA, "system_sender"),
    "a postmaster": ([], OLA, "postmaster@x.example", "system_sender"),
    # reports
    "a bounce with a sender": (["X-Failed-Recipients: a@b.example"], OLA, OLA, "delivery_report"),
    "a report": (
        ["Content-Type: multipart/report; report-type=delivery-status"], OLA, OLA, "delivery_report",
    ),
    "a read receipt": (
        ["Content-Type: Multipart/Report; report-type=disposition-notification"], OLA, OLA, "delivery_report",
    ),
    # RFC 3834
    "auto-replied": (["Auto-Submitted: auto-replied"], OLA, OLA, "auto_submitted"),
    "auto-generated": (
        ["Auto-Submitted: auto-generated; owner-email=a@b.example"], OLA, OLA, "auto_submitted",
    ),
    "auto-notified": (["auto-submitted: AUTO-NOTIFIED (x)"], OLA, OLA, "auto_submitted"),
    "something new": (["Auto-Submitted: x-other"], OLA, OLA, "auto_submitted"),
    "no, and then yes": (["Auto-Submitted: no", "Auto-Submitted: auto-replied"], OLA, OLA, "auto_submitted"),
    # out of office
    "Exchange": (
        ["Subject: Odpowiedź automatyczna: Poza biurem",
         "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
         "X-Auto-Response-Suppress: All", "Auto-Submitted: auto-generated"], OLA, OLA, "auto_submitted",
    ),
    "an older Exchange": (
        ["X-Auto-Response-Suppress: DR, RN, NRN, OOF, All"], OLA, OLA, "auto_response_suppress",
    ),
    "a rule of Outlook": (["X-MS-Exchange-Inbox-Rules-Loop: ola@partner.example"], OLA, OLA, "inbox_rule"),
    "Gmail": (
        ["Subject: Poza biurem Re: [483-029-1746]", "Precedence: bulk", "X-Autoreply: yes",
         "Auto-Submitted: auto-replied"], OLA, OLA, "auto_submitted",
    ),
    "Gmail, of old": (["Precedence: bulk", "X-Autoreply: yes"], OLA, OLA, "auto_reply"),
    "WP and o2": (
        ["Subject: Autoodpowiedź", "X-Autoresponder: 1", "Precedence: junk"], OLA, OLA, "auto_reply",
    ),
    "Onet": (["Subject: Poza biurem", "Auto-Submitted: auto-replied (vacation)"], OLA, OLA, "auto_submitted"),
    "Dovecot": (["Auto-Submitted: auto-replied (vacation)", "Precedence: bulk"], OLA, OLA, "auto_submitted"),
    "cPanel": (["X-Precedence: auto-reply"], OLA, OLA, "precedence"),
    "qmail": (["X-Mail-Autoreply: ola", "Precedence: junk"], OLA, OLA, "auto_reply"),
    # lists
    "a list": (["List-Id: Integrations <dev.lists.example.org>"], OLA, OLA, "list"),
    "a list of old": (["Mailing-List: contact x; run by ezmlm"], OLA, OLA, "list"),
    "a list without an id": (["Precedence: list"], OLA, OLA, "precedence"),
    "another list with our name in it": (
        ["List-Id: support@company.example", "List-Post: <mailto:dev@lists.example.org>"], OLA, OLA, "list",
    ),
    "junk": (["Precedence: JUNK (x)"], OLA, OLA, "precedence"),
    # ticket systems
    "Zendesk": (
        ["Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All", "X-Mailer: Zendesk Mailer",
         "X-Delivery-Context: event-id-1"],
        "bounce@zendesk.example", "support@x.zendesk.example", "auto_submitted",
    ),
    "Zammad": (
        ["X-Loop: yes", "Precedence: bulk", "Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All",
         "X-Powered-By: Zammad"], "help@x.example", "help@x.example", "auto_submitted",
    ),
    "OTRS": (
        ["X-OTRS-Loop: yes", "X-Powered-By: OTRS", "X-Mailer: OTRS Mail Service"],
        "help@x.example", "help@x.example", "auto_reply",
    ),
    "Jira": (
        ["X-JIRA-FingerPrint: 1", "Auto-Submitted: auto-generated", "Precedence: bulk"],
        "jira@x.atlassian.example", "Jira <jira@x.atlassian.example>", "auto_submitted",
    ),
    "Freshdesk": (["X-Autoreply: true"], "help@x.example", "help@x.example", "auto_reply"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_recognised(name: str) -> None:
    lines, envelope, author, expected = PROGRAMS[name]
    assert why(*lines, envelope=envelope, author=author) == expected
    assert not may_be_answered(
        headers(*lines, author=author), envelope_sender=envelope, is_own=is_own, authenticated=True
    )


@pytest.mark.parametrize(
    ("lines", "author", "expected"),
    [
        ([], f"Ola <{OLA}>", True),
        (["X-Auto-Response-Suppress: None"], OLA, True),
        (["Reply-To: ola@home.example"], OLA, True),
        (["X-Auto-Response-Suppress: OOF"], OLA, False),
        (["X-Auto-Response-Suppress: DR, AutoReply"], OLA, False),
        (["List-Unsubscribe: <https://crm.example/u>"], OLA, False),
        (["Reply-To: support@company.example"], OLA, False),
        (["Reply-To: <Reply+abc@Company.example>"], OLA, False),
        ([], f"{OLA}, ewa@partner.example", False),
        (["From: ewa@partner.example"], OLA, False),
        ([], "Ola", False),
    ],
)
def test_who_may_be_answered(lines: list[str], author: str, expected: bool) -> None:
    read = headers(*lines, author=author)
    for authenticated in (True, False):
        answered = may_be_answered(read, envelope_sender=OLA, is_own=is_own, authenticated=authenticated)
        assert answered == (expected and authenticated)


@given(st.binary(max_size=2000), st.text(max_size=100))
def test_any_mail_is_judged(raw: bytes, envelope: str) -> None:
    assert automatic(Headers(raw), envelope_sender=envelope, is_own=is_own) != ""


@given(
    st.sampled_from(["Auto-Submitted", "Precedence", "X-Loop", "List-Post", "From", "Sender"]),
    st.text(max_size=200),
)
def test_any_value_is_judged(name: str, value: str) -> None:
    line = f"{name}: {value}".replace("\r", " ").replace("\n", " ")
    assert why(line.encode("utf-8", "replace").decode()) != ""
