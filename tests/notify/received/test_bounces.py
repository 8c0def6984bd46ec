"""Reports of undeliverable e-mails: whom they did not reach, for good or this time, and which one it was."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.received.bounces import Bounce, bounce
from tests.notify.received.reports import (
    ADA,
    EXCHANGE,
    EXIM,
    GMAIL,
    O2,
    ONET,
    OURS,
    POSTFIX,
    QMAIL,
    RETURNED,
    SENDMAIL,
    SES,
    WP,
    YAHOO,
    dsn,
    plain,
    recipient,
)


def hard(status: str | None = "5.1.1", *, of: str = ADA, message: str | None = OURS) -> Bounce:
    return Bounce((of,), (), message, status)


def soft(status: str | None, *, of: str = ADA, message: str | None = OURS) -> Bounce:
    return Bounce((), (of,), message, status)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (POSTFIX, hard()),
        (EXIM, hard()),
        (EXCHANGE, hard("5.1.10")),
        (GMAIL, hard()),
        (YAHOO, hard(None)),
        (SES, hard()),
        (QMAIL, hard()),
        (SENDMAIL, hard()),
        (WP, hard()),
        (O2, soft("5.2.2")),
        (ONET, hard("5.7.1")),
    ],
    ids=["Postfix", "Exim", "Exchange", "Gmail", "Yahoo", "SES", "qmail", "Sendmail", "WP", "o2", "Onet"],
)
def test_reports_as_servers_write_them(raw: bytes, expected: Bounce) -> None:
    assert bounce(raw) == expected
    assert bounce(raw.replace(b"\r\n", b"\n")) == expected
    assert bounce(b"Return-Path: <>\r\nReceived: from a by b\r\n" + raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (dsn(recipient("4.2.2")), soft("4.2.2")),
        (dsn(recipient("5.2.2 (mailbox full)")), soft("5.2.2")),
        (
            dsn(recipient("4.4.7", more="Diagnostic-Code: smtp; 550 4.4.7 delivery time expired")),
            soft("4.4.7"),
        ),
        (dsn(recipient("5.0.0")), hard("5.0.0")),
        (dsn(recipient("5.4.4")), hard("5.4.4")),
        (dsn(recipient("unknown")), hard(None)),
        (dsn(recipient("2.0.0")), hard(None)),
        (dsn(recipient("unknown"), text="452 4.2.2 The mailbox is over quota"), soft("4.2.2")),
        (dsn(recipient("5.1.1", "error")), hard()),
        (dsn(recipient("5.1.1", "Failed (at the very end)")), hard()),
        (dsn(f"Final-Recipient: <{ADA}>\nAction: failed\nStatus: 5.1.1"), hard()),
        (
            dsn(
                recipient("4.2.2", address="x@alias.example", more=f"Original-Recipient: rfc822;{ADA}"),
            ),
            soft("4.2.2"),
        ),
        (
            plain("Hi. This is the qmail-send program.\n\n<ada@partner.example>:\nquota (#5.2.2)\n\n--- x"),
            soft("5.2.2", message=None),
        ),
    ],
)
def test_for_good_or_this_time(raw: bytes, expected: Bounce) -> None:
    assert bounce(raw) == expected


def test_one_report_speaks_of_several_recipients() -> None:
    raw = dsn(
        recipient("5.1.1"),
        recipient("4.2.2", address="Ewa@partner.example"),
        recipient("4.0.0", "delayed", address="jan@partner.example"),
        recipient("2.1.5", "delivered", address="ula@partner.example"),
    )
    assert bounce(raw) == Bounce((ADA,), ("Ewa@partner.example",), OURS, "5.1.1")


@pytest.mark.parametrize(
    "raw",
    [
        dsn(recipient("4.4.1", "delayed"), subject="Warning: could not send message for past 4 hours"),
        dsn(
            recipient(
                "4.2.0", "delayed", more="Diagnostic-Code: smtp; 450 4.2.0 Greylisted, try again in 300 s"
            )
        ),
        plain(
            "**********************************************\n**      THIS IS A WARNING MESSAGE ONLY      **\n"
            "**  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n\n    ----- The following addresses had"
            f" transient non-fatal errors -----\n<{ADA}>\n"
        ),
        plain(
            "This message was created automatically by mail delivery software.\nA message that you sent has"
            f" not yet been\ndelivered.\n\n  RCPT TO:<{ADA}>: 451 4.7.1 Greylisted\n"
        ),
        dsn(recipient("2.1.5", "delivered"), subject="Successful Mail Delivery Report"),
        dsn(recipient("2.1.5", "relayed")),
        dsn(recipient("2.1.5", "expanded")),
        dsn(""),
        dsn("Action: failed\nStatus: 5.1.1"),
        dsn("Final-Recipient: rfc822;\nAction: failed\nStatus: 5.1.1"),
        dsn("Final-Recipient: rfc822; nobody\nAction: failed\nStatus: 5.1.1"),
    ],
    ids=[
        "late",
        "greylisted",
        "a warning",
        "of Exim",
        "delivered",
        "relayed",
        "expanded",
        "of nobody",
        "no recipient",
        "an empty one",
        "no address",
    ],
)
def test_what_is_no_failure_is_no_bounce(raw: bytes) -> None:
    assert bounce(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        plain(
            QMAIL.decode().partition("\r\n\r\n")[2].replace("\r\n", "\n"), author="Ola <ola@partner.example>"
        ),
        plain(
            f"Delivery to the following recipient failed permanently:\n\n     {ADA}\n",
            author="ola@partner.example",
        ),
        plain("I am away until Monday.", author="ola@partner.example", extra="Auto-Submitted: auto-replied"),
        POSTFIX.replace(b"multipart/report; report-type=delivery-status", b"multipart/mixed")
        .replace(b"MAILER-DAEMON@", b"ola@")
        .replace(b"Auto-Submitted: auto-replied\r\n", b""),
        dsn(recipient("5.1.1")).replace(b"message/delivery-status", b"message/disposition-notification"),
        b"",
        RETURNED.encode(),
    ],
    ids=[
        "a quoted one",
        "one in words",
        "an out-of-office",
        "a forwarded one",
        "a receipt",
        "nothing",
        "our own",
    ],
)
def test_what_people_write_about_reports_is_none(raw: bytes) -> None:
    assert bounce(raw) is None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (dsn(recipient("5.1.1")), OURS),
        (
            dsn(
                recipient("5.1.1"),
                returned=f"Content-Type: text/rfc822-headers\n\nX: y\nmessage-id:\n {OURS}\n",
            ),
            OURS,
        ),
        (
            dsn(
                recipient("5.1.1"),
                returned="Content-Type: message/rfc822\n\nX: y\n",
                extra=f"In-Reply-To: {OURS}",
            ),
            OURS,
        ),
        (dsn(recipient("5.1.1"), returned="X: y\n\n", about=f"Original-Message-ID: {OURS}"), OURS),
        (dsn(recipient("5.1.1"), returned="X: y\n\n", extra=f"Original-Message-ID: {OURS}"), OURS),
        (dsn(recipient("5.1.1"), returned=f"Content-Type: text/plain\n\nMessage-ID: {OURS}\n"), OURS),
        (dsn(recipient("5.1.1"), returned="X: y\n\n"), None),
        (dsn(recipient("5.1.1"), returned="Content-Type: message/rfc822\n\nMessage-ID: none\n"), None),
        (
            dsn(
                recipient("5.1.1"), returned="Content-Type: message/rfc822\n\nMessage-ID: =?utf-8?q?=3Ca?=\n"
            ),
            None,
        ),
    ],
)
def test_which_e_mail_comes_back(raw: bytes, message: str | None) -> None:
    assert bounce(raw) == hard(message=message)


def test_text_in_base_64_is_read() -> None:
    text = base64.encodebytes(QMAIL.partition(b"\r\n\r\n")[2]).decode()
    assert bounce(plain(text, extra="Content-Transfer-Encoding: base64")) == hard()


def test_a_forged_report_says_what_it_says() -> None:
    # That it is about an e-mail of ours to that address is for the caller to see.
    raw = dsn(recipient("5.1.1", address="victim@other.example"), author="ola@partner.example")
    assert bounce(raw) == hard(of="victim@other.example")


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("ola+tag@partner.example", True),
        ("o'la_%x@partner.example", True),
        ("ola@żółw.example", False),
        ("a b@partner.example", False),
        ("<script>@partner.example", False),
        ("x" * 129 + "@partner.example", False),
        ("x@" + "y" * 254, False),
    ],
)
def test_only_plain_addresses_are_taken(address: str, kept: bool) -> None:
    found = bounce(dsn(recipient("5.1.1", address=address)))
    assert (found.hard if found else ()) == ((address,) if kept else ())


HEAD = b"From: MAILER-DAEMON@x.example\r\nContent-Type: multipart/report; boundary=b\r\n"
HOSTILE = {
    "one long line": plain("x" * 256 * 1024),
    "one long line of addresses": plain("Your message could not be delivered\n" + "a@b.example " * 20_000),
    "one long line of brackets": plain("Hi. This is the qmail\n\n" + "<" * 250_000),
    "one long line of spaces": plain("Your message could not be delivered to\n" + " " * 250_000),
    "many empty lines": plain("\n" * 250_000),
    "many short lines": plain("Your message could not be delivered\n" + "a@b\n" * 60_000),
    "ten thousand parts": HEAD + b"\r\n" + b"--b\r\n\r\nx\r\n" * 10_000,
    "ten thousand parts with a kind": HEAD
    + b"\r\n"
    + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 10_000,
    "ten thousand e-mails": HEAD + b"\r\n" + b"--b\r\nContent-Type: message/rfc822\r\n\r\n" * 10_000,
    "deep e-mails": HEAD + b"\r\n--b\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 58,
    "deeper e-mails": HEAD + b"\r\n--b\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 5_000,
    "deep parts": HEAD
    + b"".join(b"\r\n--b%d\r\nContent-Type: multipart/x; boundary=b%d\r\n" % (n, n + 1) for n in range(58)),
    "many recipients": dsn(*[recipient("5.1.1", address=f"a{n}@b.example") for n in range(3_000)]),
    "brackets in a header": HEAD + b"X-Failed-Recipients: " + b"(" * 100_000 + b"\r\n\r\n",
    "brackets in a field": dsn(f"Final-Recipient: rfc822; {'(' * 5_000}\nAction: failed\nStatus: 5.1.1"),
    "quotes in a field": dsn("Final-Recipient: rfc822; " + '"' * 5_001 + "\nAction: failed\nStatus: 5.1.1"),
    "many headers": HEAD + b"X: y\r\n" * 40_000 + b"\r\n",
    "a header in many lines": HEAD + b"X: y\r\n" + b" \r\n" * 80_000 + b"\r\n",
    "a long boundary": b"From: MAILER-DAEMON@x\r\nContent-Type: multipart/report; boundary="
    + b"-" * 250_000
    + b"\r\n\r\n"
    + b"-",
    "a boundary in pieces": b"From: MAILER-DAEMON@x\r\nContent-Type: multipart/report; "
    + b"".join(b"boundary*%d=b; " % n for n in range(10_000))
    + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_reports_end_soon(name: str) -> None:
    began = time.monotonic()
    found = bounce(HOSTILE[name])
    assert time.monotonic() - began < 10
    assert found is None or len(found.hard) <= 2_500


_PIECES = st.sampled_from(
    [
        b"From: MAILER-DAEMON@x.example\r\n",
        b"Content-Type: multipart/report; boundary=b\r\n",
        b"Return-Path: <>\r\n",
        b"Content-Type: message/delivery-status\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/plain\r\n",
        b"Content-Type: text/html; charset=utf-16\r\n",
        b"Content-Type: multipart/mixed; boundary*=utf-16'x'%ff\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: x-uuencode\r\n",
        b"X-Failed-Recipients: ",
        b"Final-Recipient: rfc822; a@b.example\r\n",
        b"Original-Recipient: ",
        b"Action: failed\r\n",
        b"Status: 4.2.2\r\n",
        b"\r\n",
        b"\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"begin 644 x\r\n",
        b"Hi. This is the qmail\r\n\r\n<a@b.example>:\r\n",
        b"Content-Type: message/rfc822; x\xff\r\n",
        b"Content-Type:\xff/\xfe\r\n",
        b" \r\n",
        b"\x00",
        b"=?utf-8?q?x?=",
        b"Content-Description: Notification\r\n",
        b"The Postfix\r\n",
        b"'",
        b'"',
        b"(",
        b"<",
        b"\xc4\x85",
    ]
)


@given(st.lists(_PIECES | st.binary(max_size=20), max_size=40))
def test_whatever_comes_is_read(pieces: list[bytes]) -> None:
    found = bounce(b"From: MAILER-DAEMON@x.example\r\n" + b"".join(pieces))
    assert found is None or found.hard or found.soft
