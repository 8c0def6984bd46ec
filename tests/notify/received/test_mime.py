"""E-mails taken apart: their texts, their files, their character sets, and what hostile senders write."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.received.charsets import text_of
from services.notify.received.flowed import unflowed
from services.notify.received.mime import MAX_DEPTH, MAX_PARTS, Attachment, ReadMail, read

FOLDER: Final = Path(__file__).parent / "samples"
POLISH: Final = "Zażółć gęślą jaźń – „źdźbło”."


def _sample(name: str) -> ReadMail:
    return read((FOLDER / f"{name}.eml").read_bytes())


def _mixed(*parts: str) -> bytes:
    inside = "".join(f"--b\n{part}\n" for part in parts)
    return f"Content-Type: multipart/mixed; boundary=b\n\n{inside}--b--\n".encode()


def _only(mail: ReadMail) -> Attachment:
    (attachment,) = mail.attachments
    return attachment


def test_a_file_between_two_texts() -> None:
    found = _only(_sample("apple-mail-en-file-in-between"))
    assert found == Attachment(name="feed.csv", media_type="text/csv", content=b"id;price\n1;2\n")


@pytest.mark.parametrize(
    ("name", "file_name", "media_type", "begins"),
    [
        ("winmail-dat-en", "winmail.dat", "application/ms-tnef", b"\x78\x9f\x3e\x22"),
        ("calendar-reply-pl", "1.ics", "text/calendar", b"BEGIN:VCALENDAR"),
        ("forwarded-as-attachment-pl", "Umowa.eml", "message/rfc822", b"From: bank@bank.example\n"),
        ("pgp-encrypted", "encrypted.asc", "application/octet-stream", b"-----BEGIN PGP MESSAGE-----"),
        ("smime-encrypted", "smime.p7m", "application/pkcs7-mime", b"\x30\x80"),
    ],
)
def test_what_is_no_text_is_a_file(name: str, file_name: str, media_type: str, begins: bytes) -> None:
    found = _only(_sample(name))
    assert (found.name, found.media_type, found.inline) == (file_name, media_type, False)
    assert found.content.startswith(begins)


def test_encrypted_e_mails_say_so_and_nothing_else() -> None:
    for name in ("pgp-encrypted", "smime-encrypted"):
        mail = _sample(name)
        assert mail.encrypted
        assert mail.text is mail.html is None
    assert not _sample("smime-signed-pl").encrypted


def test_signatures_are_no_attachments() -> None:
    for name in ("smime-signed-pl", "pgp-signed-en"):
        assert _sample(name).attachments == ()


def test_subjects_and_file_names_are_read_however_they_are_written() -> None:
    assert _sample("gmail-web-pl-top").subject.endswith("Plik oferty jest odrzucany od poniedziałku")
    assert _sample("windows-1250-undeclared").subject == "Błąd ścieżki"
    for disposition in (
        "attachment; filename*=utf-8''%C5%BC%C3%B3%C5%82w.pdf",
        "attachment; filename*0*=utf-8''%C5%BC%C3%B3; filename*1*=%C5%82w.pdf",
        'attachment; filename="=?utf-8?q?=C5=BC=C3=B3=C5=82w=2Epdf?="',
        'attachment; filename="żółw.pdf"',
        'attachment; filename="C:\\\\Users\\\\Anna\\\\żółw.pdf"',
        'attachment; filename="../../żółw.pdf"',
    ):
        part = f"Content-Type: application/pdf\nContent-Disposition: {disposition}\n\n%PDF"
        assert _only(read(_mixed(part))).name == "żółw.pdf", disposition


@pytest.mark.parametrize(
    ("html", "inline"),
    [
        ('<img src="cid:a@b">', True),
        ("<img src='CID:a%40b'>", True),
        ('<img src="cid:other">', False),
        ("cid:a@b", False),
    ],
)
def test_a_picture_is_inline_if_the_html_shows_it(html: str, inline: bool) -> None:
    picture = "Content-Type: image/png; name=a.png\nContent-ID: <a@b>\nContent-Disposition: inline\n\nx"
    mail = read(_mixed(f"Content-Type: text/html\n\n{html}", picture))
    assert _only(mail) == Attachment(
        name="a.png", media_type="image/png", content=b"x", inline=inline, content_id="a@b"
    )


def test_texts_one_after_the_other_are_one_text() -> None:
    mail = read(
        _mixed("\none", "Content-Type: text/html\n\n<p>two</p>", "Content-Type: text/plain\n\nthree <3")
    )
    assert mail.text == "one\n\ntwo\n\nthree <3"
    assert mail.html == "<div>one</div>\n<p>two</p>\n<div>three &lt;3</div>"


@pytest.mark.parametrize("actual", ["utf-8", "windows-1250", "utf-16"])
@pytest.mark.parametrize(
    "declared",
    ["utf-8", "UTF8", "windows-1250", "cp1250", "iso-8859-2", "us-ascii", "", "no-such", "utf-16", "hex"],
)
def test_polish_is_read_whatever_is_declared(actual: str, declared: str) -> None:
    assert text_of(f"{POLISH}\r\nA".encode(actual), declared) == f"{POLISH}\nA"


def test_what_is_declared_rightly_is_read_as_declared() -> None:
    for text, charset in (
        ("Grüße, ça va à Zürich", "iso-8859-1"),
        ("źle żółć ąę", "iso-8859-2"),
        ("日本", "iso-2022-jp"),
    ):
        assert text_of(text.encode(charset), charset) == text


def test_control_characters_do_not_come_through() -> None:
    assert text_of(b"\xef\xbb\xbfa\x00b\x07c\x0cd\re", "utf-8") == "ab\ufffdc\nd\ne"


def test_soft_line_breaks_are_taken_out_with_the_quotes_around_them() -> None:
    text = "one \ntwo\n> a \n> b\n>> c \n> d\n-- \nAnna \nK"
    assert unflowed(text, delete_space=False) == "one two\n> a b\n>> c \n> d\n-- \nAnna K"
    assert unflowed("ko \nt", delete_space=True) == "kot"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"\x00" * 100,
        b"Content-Type: multipart/mixed\n\nx",
        b"Content-Type: multipart/mixed; boundary=\n\nx",
        b"Content-Type: text/plain; charset=\xff\xfe; name*0*=x; name*2=y\n\nx",
        b"Content-Type: application/x; name*=utf-8''%\n\nx",
        b"Subject: =?utf-8?b?x?=\n =?idna?q?xn--?= =?zip?b?eA==?=\n\nx",
        b"Content-Transfer-Encoding: base64\n\n=====A=B=C",
        b"From: " + b"(" * 5000 + b"\n\nx",
    ],
)
def test_malformed_e_mails_are_read(raw: bytes) -> None:
    assert isinstance(read(raw), ReadMail)


def test_parts_within_parts_are_read_to_some_depth_and_then_kept_as_a_file() -> None:
    head = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(2000))
    mail = read(head + b"\ntext")
    assert _only(mail).content.endswith(b"\ntext")
    assert mail.text is None
    shallow = head[: head.index(b"Content-Type: multipart/mixed; boundary=b%d\n" % MAX_DEPTH)]
    assert read(shallow + b"\ntext").text == "text"


def test_more_parts_than_anybody_sends_are_kept_in_one() -> None:
    mail = read(_mixed(*[f"Content-Type: application/x\n\n{i}" for i in range(MAX_PARTS + 50)]))
    assert len(mail.attachments) < MAX_PARTS
    assert mail.attachments[-1].content.rstrip().endswith(f"{MAX_PARTS + 49}\n--b--".encode())


def test_twenty_five_megabytes_are_read() -> None:
    content = b64encode(bytes(range(256)) * 73_000)
    head = "Content-Type: application/x\nContent-Transfer-Encoding: base64\n\nCONTENT"
    raw = _mixed(head).replace(b"CONTENT", content)
    assert _only(read(raw)).content == bytes(range(256)) * 73_000


@given(st.lists(st.sampled_from(
    [b"--b\n", b"--b--\n", b"\n", b"x\n", b"Content-Type: multipart/mixed; boundary=b\n",
     b"Content-Type: text/html\n", b"Content-Type: multipart/alternative; boundary=b\n",
     b"Content-Type: message/rfc822\n", b"Content-Transfer-Encoding: base64\n",
     b"Content-Disposition: attachment\n", b"\xff\x00=?", b"\r", b" ;"]
), max_size=30))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_reading_never_fails(lines: list[bytes]) -> None:
    mail = read(b"".join(lines))
    assert all(each.name and each.media_type for each in mail.attachments)
