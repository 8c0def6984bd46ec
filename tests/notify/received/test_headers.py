"""Headers and addresses, whatever somebody wrote."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.received.addresses import Addresses, Mailbox, addresses
from services.notify.received.headers import MAX_BYTES, MAX_VALUE_CHARACTERS, Headers


def headers(*lines: str) -> Headers:
    return Headers(("\r\n".join(lines) + "\r\n\r\nbody").encode())


def test_names_are_compared_without_case_and_values_keep_their_order() -> None:
    read = headers("Received: one", "SUBJECT: a", "received: two", "X:", "Received:three")
    assert read.all("RECEIVED") == ("one", "two", "three")
    assert read.first("subject") == "a"
    assert (read.first("X"), read.first("Y"), read.all("Y")) == ("", None, ())
    assert [name for name, _ in read.items()] == ["received", "subject", "received", "x", "received"]


def test_the_body_is_not_read() -> None:
    read = Headers(b"From: a@b.example\n\nFrom: c@d.example\n")
    assert read.all("From") == ("a@b.example",)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
def test_folded_lines_become_one(line_end: bytes) -> None:
    raw = line_end.join([b"Subject: one", b"  two", b"\tthree ", b"X: y", b"", b""])
    assert Headers(raw).first("Subject") == "one two three"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("=?utf-8?q?Za=C5=BC=C3=B3=C5=82=C4=87?=", "Zażółć"),
        ("=?UTF-8?B?WmHFvMOzxYLEhw==?=", "Zażółć"),
        ("=?iso-8859-2?Q?Za=BF=F3=B3=E6?=", "Zażółć"),
        ("=?utf-8?q?Za=C5=BC=C3=B3?= =?utf-8?q?=C5=82=C4=87?=", "Zażółć"),
        ("Re: =?utf-8?q?=C5=BC?= x", "Re: ż x"),
        ("=?utf-8?q?two_lines=0D=0AX-Evil:_1?=", "two lines X-Evil: 1"),
        ("=?unknown?q?abc?=", "=?unknown?q?abc?="),
        ("=?utf-8?b?!!!?=", ""),
        ("=?utf-8?q?open", "=?utf-8?q?open"),
        ("Zażółć", "Zażółć"),
        ("", ""),
    ],
)
def test_text_for_people_is_decoded(written: str, meant: str) -> None:
    assert headers(f"Subject: {written}").text("Subject") == meant


def test_utf_8_in_headers_is_read_and_other_bytes_are_marked() -> None:
    read = Headers("From: Ola Żółw <ola@żółw.pl>\r\nSubject: ".encode() + b"Za\xbf\x00\xf3\r\n\r\n")
    assert read.mailboxes("From") == (Mailbox("Ola Żółw", "ola@żółw.pl"),)
    assert read.text("Subject") == "Za\ufffd\ufffd"


@pytest.mark.parametrize(
    ("value", "boxes", "clear"),
    [
        ("ola@example.com", [("", "ola@example.com")], True),
        ("<ola@example.com>", [("", "ola@example.com")], True),
        ("Ola Nowak <ola@example.com>", [("Ola Nowak", "ola@example.com")], True),
        ('"Nowak, Ola" <ola@example.com>', [("Nowak, Ola", "ola@example.com")], True),
        ('"Ola \\"N\\" \\\\" <ola@example.com>', [('Ola "N" \\', "ola@example.com")], True),
        ("Ola(HR) <ola@example.com> (x)", [("Ola", "ola@example.com")], True),
        ("ola@example.com (Ola (HR) Nowak)", [("Ola (HR) Nowak", "ola@example.com")], True),
        ("ola (x) @ (y) example . com", [("x y", "ola@example.com")], True),
        ('"ola"@example.com', [("", "ola@example.com")], True),
        ('"ola nowak"@example.com', [("", '"ola nowak"@example.com')], True),
        ('"a@b.example"@example.com', [("", '"a@b.example"@example.com')], True),
        ('"a\\"b"@example.com', [("", '"a\\"b"@example.com')], True),
        ("ola@[192.0.2.1]", [("", "ola@[192.0.2.1]")], True),
        ("a@b.example <c@d.example>", [("a@b.example", "c@d.example")], True),
        ("a@b.example, c@d.example", [("", "a@b.example"), ("", "c@d.example")], True),
        ("A <a@b.example>, B <c@d.example>", [("A", "a@b.example"), ("B", "c@d.example")], True),
        ("Team: a@b.example, c@d.example;", [("", "a@b.example"), ("", "c@d.example")], False),
        ("undisclosed-recipients:;", [], False),
        ("<@x.example,@y.example:a@b.example>", [("", "a@b.example")], False),
        ("a@b.example,", [("", "a@b.example")], False),
        (",a@b.example", [("", "a@b.example")], False),
        ("a@b.example; c@d.example", [("", "a@b.example"), ("", "c@d.example")], False),
        ("a@b.example c@d.example", [], False),
        ("Ola Nowak ola@example.com", [], False),
        ("a@b@c.example", [], False),
        ("<a@b.example> <c@d.example>", [("", "c@d.example")], False),
        ("<a@b.example> Ola", [("Ola", "a@b.example")], False),
        ("<a@b.example", [("", "a@b.example")], False),
        ("a@b.example>", [("", "a@b.example")], False),
        ("a@b.example (open", [("open", "a@b.example")], False),
        ("a@b.example )", [("", "a@b.example")], False),
        ('"open a@b.example', [], False),
        ("Ola", [], False),
        ("@example.com", [], False),
        ("ola@", [], False),
        ("<>", [], False),
        ("", [], False),
    ],
)
def test_addresses(value: str, boxes: list[tuple[str, str]], clear: bool) -> None:
    assert addresses(value) == Addresses(tuple(Mailbox(*box) for box in boxes), clear)


def test_mailboxes_are_of_all_values_and_their_names_are_decoded() -> None:
    read = headers("Cc: =?utf-8?q?=C5=BBaneta=2C_Ola?= <a@b.example>", "cc: c@d.example, nobody")
    assert read.mailboxes("Cc") == (Mailbox("Żaneta, Ola", "a@b.example"), Mailbox("", "c@d.example"))


def test_an_encoded_name_is_no_address() -> None:
    read = headers("From: =?utf-8?q?=3Ca=40b=2Eexample=3E=2C?= <c@d.example>")
    assert read.mailboxes("From") == (Mailbox("<a@b.example>,", "c@d.example"),)
    assert read.author() == "c@d.example"


@pytest.mark.parametrize(
    ("lines", "author"),
    [
        (["From: Ola <ola@example.com>"], "ola@example.com"),
        (["From: Ola <OLA@Example.com>"], "OLA@Example.com"),
        (["From: a@b.example, c@d.example"], None),
        (["From: a@b.example", "From: a@b.example"], None),
        (["From: a@b.example", "from:"], None),
        (["Sender: a@b.example"], None),
        (["From: Team: a@b.example;"], None),
    ],
)
def test_the_author_is_exactly_one(lines: list[str], author: str | None) -> None:
    assert headers(*lines).author() == author


def test_message_ids_are_found_among_anything() -> None:
    read = headers("References: <a@b> junk <c@d>", " (x) <e f@g> <h@i", "references: <j@k>")
    assert read.message_ids("References") == ("<a@b>", "<c@d>", "<j@k>")


@given(st.binary(max_size=3000))
def test_any_bytes_are_read(raw: bytes) -> None:
    read = Headers(raw)
    for name, value in read.items():
        assert "\n" not in value
        read.text(name)
        read.mailboxes(name)
        read.message_ids(name)
    read.author()


@given(st.text(alphabet=' \t"\\()<>,:;@[].aé=?', max_size=80))
def test_any_value_is_read_and_what_is_found_is_an_address(value: str) -> None:
    for box in addresses(value).mailboxes:
        local, at, domain = box.address.rpartition("@")
        assert (bool(local), at, bool(domain)) == (True, "@", True)


@given(st.text(max_size=200))
def test_a_clear_address_is_clear_whatever_the_quoted_name_is(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    read = addresses(f'"{quoted}" <ola@example.com>')
    assert (read.clear, [box.address for box in read.mailboxes]) == (True, ["ola@example.com"])


def test_what_is_too_long_is_cut() -> None:
    read = Headers(b"Subject: " + b"x" * 100_000 + b"\r\nTo: a@b.example\r\n\r\n")
    assert len(read.first("Subject") or "") == MAX_VALUE_CHARACTERS
    assert read.first("To") == "a@b.example"
    assert Headers(b"X: y\r\n" * (MAX_BYTES // 6 + 1) + b"To: a@b.example\r\n\r\n").first("To") is None


@pytest.mark.parametrize(
    "value",
    [
        "(" * 19_000,
        "()" * 9_000,
        '"' * 19_001,
        "<" * 19_000,
        "," * 19_000,
        "a@b.example," * 1_500,
        "\\" * 19_000,
        "=?utf-8?q?" * 1_900,
        "=?utf-8?q?a?= " * 1_300,
        "=?" * 9_000,
        " @" * 9_000,
        "a" * 19_000,
        "a." * 9_500,
    ],
)
def test_hostile_values_end_soon(value: str) -> None:
    began = time.monotonic()
    read = headers(*[f"From: {value}"] * 12)
    read.mailboxes("From")
    read.text("From")
    read.author()
    assert time.monotonic() - began < 10


def test_a_large_mail_is_read_soon() -> None:
    began = time.monotonic()
    Headers(b"From: a@b.example\r\n\r\n" + b"x\r\n" * 5_000_000)
    assert time.monotonic() - began < 10
