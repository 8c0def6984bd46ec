"""The e-mails of the development mailbox: read however malformed, and put together as mail clients do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.embedded.inbox.mails import Shelf, conversations, people, without_prefixes
from services.embedded.inbox.parts import Correspondent, taken_apart
from tests.embedded.inboxes import ANNA, plain, put, rich


def test_the_newest_comes_first_and_only_kept_mails_are_listed(tmp_path: Path) -> None:
    older, newer = put(tmp_path, plain(), minute=1), put(tmp_path, plain(), minute=2)
    (tmp_path / ".half-written").write_bytes(plain())
    (tmp_path / "notes.eml").write_bytes(plain())
    (tmp_path / f"{older}.txt").write_bytes(plain())
    assert [mail.id for mail in Shelf(tmp_path).mails()] == [newer, older]


def test_a_shelf_sees_what_came_and_what_went_since_it_looked(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "mail")
    assert shelf.mails() == ()
    first = put(tmp_path / "mail", plain())
    assert [mail.id for mail in shelf.mails()] == [first]
    second = put(tmp_path / "mail", plain(), minute=1)
    assert [mail.id for mail in shelf.mails()] == [second, first]
    (tmp_path / "mail" / f"{first}.eml").unlink()
    assert [mail.id for mail in shelf.mails()] == [second]


def test_a_mail_belongs_to_whom_it_was_delivered_to_and_not_to_whom_it_names(tmp_path: Path) -> None:
    put(tmp_path, plain(to="Somebody <else@x.example>"), person="Anna+Work/1@Acme.example")
    (found,) = people(Shelf(tmp_path).mails())
    assert (found.address, found.mails) == ("anna+work/1@acme.example", 1)


def test_without_a_line_that_agrees_the_name_of_the_file_says_whose_it_is(tmp_path: Path) -> None:
    identifier = put(tmp_path, plain())
    for source in (plain(), b"Delivered-To: somebody@else.example\r\n" + plain()):
        (tmp_path / f"{identifier}.eml").write_bytes(source)
        assert [mail.person for mail in Shelf(tmp_path).mails()] == [ANNA]


@pytest.mark.parametrize(
    "identifier",
    [
        "../secret",
        "20261124T090000.000000-../secret",
        "20261124T090000.000000-a\\..\\secret",
        "20261124T090000.000000-a\0",
        "20261124T090000.000000-a\n",
        "٢٠٢٦١١٢٤T٠٩٠٠٠٠.٠٠٠٠٠٠-a",
        "20261124T090000.000000-",
        "",
        ".",
    ],
)
def test_what_is_no_id_opens_nothing(tmp_path: Path, identifier: str) -> None:
    (tmp_path / "secret.eml").write_bytes(b"secret")
    (tmp_path / "mail").mkdir()
    shelf = Shelf(tmp_path / "mail")
    assert shelf.source(identifier) is None
    assert shelf.mail(identifier) is None


def test_a_link_to_a_file_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "mail").mkdir()
    identifier = "20261124T090000.000000-a@x.example"
    (tmp_path / "mail" / f"{identifier}.eml").symlink_to(tmp_path / "secret")
    assert Shelf(tmp_path / "mail").source(identifier) is None
    assert Shelf(tmp_path / "mail").mails() == ()


def test_digits_that_are_no_moment_are_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "99999999T999999.999999-a@x.example.eml").write_bytes(plain())
    put(tmp_path, plain())
    assert len(Shelf(tmp_path).mails()) == 2


def test_a_preview_is_the_beginning_of_what_the_reader_sees(tmp_path: Path) -> None:
    put(tmp_path, plain("One\r\n\r\ntwo " + "x" * 500))
    put(
        tmp_path, rich("<title>T</title><style>p{}</style><p>See&nbsp;&lt;this&gt;</p>!").as_bytes(), minute=1
    )
    html, text = Shelf(tmp_path).mails()
    assert html.preview == "See <this> !"
    assert text.preview.startswith("One two xx")
    assert len(text.preview) == 160


# Conversations


def _together(directory: Path) -> list[list[str]]:
    return [
        [mail.preview for mail in conversation.mails]
        for conversation in conversations(Shelf(directory).mails())
    ]


def test_mails_that_refer_to_the_same_are_one_conversation(tmp_path: Path) -> None:
    put(tmp_path, plain("1", message_id="<1@x>", references="<root@x>"))
    put(tmp_path, plain("2", message_id="<2@x>", subject="Re: Another"), minute=1)
    put(
        tmp_path,
        plain("3", message_id="<3@x>", references="<root@x> <1@x>", subject="Quite another"),
        minute=2,
    )
    put(tmp_path, plain("4", message_id="<4@x>", in_reply_to="<3@x>"), minute=3)
    assert _together(tmp_path) == [["4", "3", "1"], ["2"]]


def test_two_conversations_become_one_when_a_mail_refers_to_both(tmp_path: Path) -> None:
    put(tmp_path, plain("1", message_id="<1@x>"))
    put(tmp_path, plain("2", message_id="<2@x>"), minute=1)
    put(tmp_path, plain("3", references="<1@x> <2@x>"), minute=2)
    assert _together(tmp_path) == [["3", "2", "1"]]


def test_an_answer_that_refers_to_nothing_joins_the_latest_with_its_subject(tmp_path: Path) -> None:
    put(tmp_path, plain("1", message_id="<1@x>", subject="Test"))
    put(tmp_path, plain("2", message_id="<2@x>", subject="Test"), minute=1)
    put(tmp_path, plain("3", message_id="<3@x>", subject="ODP: Re: test"), minute=2)
    assert _together(tmp_path) == [["3", "2"], ["1"]]


def test_mails_without_a_subject_stay_apart(tmp_path: Path) -> None:
    put(tmp_path, plain("1", subject=""))
    put(tmp_path, plain("2", subject="Re:"), minute=1)
    assert _together(tmp_path) == [["2"], ["1"]]


def test_prefixes_of_several_languages_are_none_of_the_subject() -> None:
    assert without_prefixes("Re: AW: Odp: Fwd[2]: Reset") == "Reset"
    assert without_prefixes("Reset: now") == "Reset: now"


# One e-mail


def test_what_the_headers_say_is_read(tmp_path: Path) -> None:
    head = taken_apart(
        plain(
            **{"from": '"Wi, \\"W\\"" <w@x.example>, =?utf-8?q?Ol=C4=85?= <ola@x.example>'},
            subject="=?utf-8?b?WmHFvA==?=\r\n =?iso-8859-2?q?=F3=B3=E6?= [1]",
            date="Tue, 24 Nov 2026 10:00:00 +0100",
            references="<a@x>\r\n <b@x>",
        )
    ).head
    assert head.senders == (Correspondent('Wi, "W"', "w@x.example"), Correspondent("Olą", "ola@x.example"))
    assert head.subject == "Zażółć [1]"
    assert head.date == datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert head.references == ("<a@x>", "<b@x>")


def test_letters_that_stand_in_the_headers_as_they_are_are_read() -> None:
    assert taken_apart(plain(subject="Zażółć")).head.subject == "Zażółć"


def test_both_bodies_and_the_files_are_told_apart() -> None:
    message = rich("<p>In HTML</p>")
    message.add_attachment("a;b\n", subtype="csv", filename="../../plan żółty.csv")
    inner = rich("<b>x</b>", subject="Inner")
    message.add_attachment(inner)
    contents = taken_apart(message.as_bytes())
    assert (contents.text, contents.html) == ("In text\n", "<p>In HTML</p>\n")
    assert [(each.name, each.media_type) for each in contents.attachments] == [
        ("plan żółty.csv", "text/csv"),
        ("2.eml", "message/rfc822"),
    ]
    assert contents.attachments[0].content == b"a;b\n"
    assert b"Subject: Inner" in contents.attachments[1].content


@pytest.mark.parametrize("charset", ["no-such-set", "zip", "\x00", "undefined", "utf-16-le", "idna"])
def test_text_in_no_known_character_set_is_text_all_the_same(charset: str) -> None:
    source = b"Content-Type: text/plain; charset=" + charset.encode() + b"\r\n\r\nHi\x00\xff\r\n"
    text = taken_apart(source).text
    assert text
    assert text.encode()
    assert "\0" not in text


def test_parts_nested_without_end_leave_a_mail_that_can_be_listed(tmp_path: Path) -> None:
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number)
        for number in range(3000)
    )
    put(tmp_path, b"Subject: deep\r\n" + nested)
    put(tmp_path, plain(**{"from": "(" * 5000}), minute=1)
    assert len(Shelf(tmp_path).mails()) == 2


_PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                b"Content-Type: message/rfc822\r\n",
                b"Content-Type: text/html; charset*0*=utf-8''%ff; charset*1=x\r\n",
                b"Content-Disposition: attachment; filename*=x''%ff%00; filename*0*=y'%\r\n",
                b"Content-Transfer-Encoding: base64\r\n",
                b"Content-Transfer-Encoding: quoted-printable\r\n",
                b"Subject: =?utf-8?b?a?= =?x?q?=ff?= =?utf-16?b?/w==?=\r\n",
                b"Date: Tue, 99 Nov 99999 99:99:99 +9999\r\n",
                b'From: <<<@>,,;:"\\ (\r\n',
                b"References: <a@b> <<> \xff <\xc4\x85@x>\r\n",
                b"--b\r\n",
                b"--b--\r\n",
                b"\r\n",
                b"=3D=\r\n=ff \x00\xff<p>\r\n",
            ]
        ),
        st.binary(max_size=20),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(_PIECES)
@example([b"Content-Type: multipart/mixed; boundary=\r\n", b"\r\n", b"--\r\n"])
@example([b"Content-Type: message/rfc822\r\n", b"Content-Transfer-Encoding: base64\r\n", b"\r\n", b"a"])
def test_any_bytes_are_taken_apart_into_what_can_be_shown(pieces: list[bytes]) -> None:
    contents = taken_apart(b"".join(pieces))
    shown = [contents.text or "", contents.html or "", contents.head.subject]
    shown += [each.name for each in contents.attachments]
    shown += [part for who in (*contents.head.senders, *contents.head.to) for part in who]
    assert "".join(shown).encode() is not None  # no half of a character that HTTP could not carry
