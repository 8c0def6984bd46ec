"""Conversations, headers that cannot be broken, and addresses for answers."""

from __future__ import annotations

from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import compat32

import dkim  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.access.people import person_id
from contracts.number import derive_number
from services.notify.threading import (
    MAX_REFERENCES,
    POLICY,
    ReplyAddresses,
    message_id,
    one_line,
    root_id,
    set_automatic,
    set_conversation,
    set_unsubscribe,
    ticket_of,
    ticket_subject,
)
from tests.notify.letters import ADDRESSES, DOMAIN, EMAIL, KEY, NUMBER

PERSON = person_id(EMAIL)
ROOT = root_id(NUMBER, DOMAIN)
FROM_OUTLOOK = f"<{'DB9PR05MB1234' * 6}@DB9PR05MB1234.eurprd05.prod.outlook.com>"


def _conversation(*earlier: str, root: str | None = ROOT) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    set_conversation(message, root=root, earlier=earlier)
    return message


def _raw(message: EmailMessage, name: str) -> str:
    """The header as a parser that knows nothing of ours reads it, unfolded."""
    value = BytesHeaderParser(policy=compat32).parsebytes(bytes(message))[name]
    return " ".join(str(value).split())


def test_a_message_id_follows_from_event_and_recipient_and_names_neither() -> None:
    made = message_id("event 1", EMAIL, DOMAIN)
    assert made == message_id("event 1", EMAIL, DOMAIN)
    assert made != message_id("event 2", EMAIL, DOMAIN)
    assert made != message_id("event 1", "jan@acme-clinic.example", DOMAIN)
    assert "anna" not in made
    assert "event" not in made
    assert made.endswith(f"@{DOMAIN}>")


def test_the_first_mail_answers_the_root_and_the_next_answers_the_one_before() -> None:
    assert _raw(_conversation(), "In-Reply-To") == _raw(_conversation(), "References") == ROOT
    later = _conversation("<a@mail.example>", FROM_OUTLOOK)
    assert _raw(later, "In-Reply-To") == FROM_OUTLOOK
    assert _raw(later, "References") == f"{ROOT} <a@mail.example> {FROM_OUTLOOK}"


def test_a_long_conversation_keeps_the_root_and_the_latest() -> None:
    earlier = [f"<{n}@mail.example>" for n in range(500)]
    references = _raw(_conversation(*earlier), "References").split()
    assert len(references) == MAX_REFERENCES
    assert references == [ROOT, *earlier[1 - MAX_REFERENCES :]]
    assert _raw(_conversation(*earlier, root=None), "References").split() == earlier[-MAX_REFERENCES:]


@pytest.mark.parametrize(
    "bad",
    ["", "no brackets", "<a b@c>", "<a@b>\r\nBcc: x@y", "<ż@b>", "<@>", f"<{'a' * 999}@b>", "<a@b> <c@d>"],
)
def test_what_is_no_message_id_does_not_get_into_a_header(bad: str) -> None:
    message = _conversation("<a@mail.example>", bad)
    assert _raw(message, "References") == f"{ROOT} <a@mail.example>"
    assert message["Bcc"] is None


def test_a_mail_outside_of_tickets_has_no_conversation() -> None:
    assert _conversation(root=None).keys() == []


def test_a_root_leads_back_to_its_ticket_and_nothing_else_does() -> None:
    assert ticket_of(ROOT, DOMAIN) == NUMBER
    assert ticket_of(ROOT.replace("mail.example", "MAIL.example"), DOMAIN) == NUMBER
    assert ticket_of(ROOT, "other.example") is None
    assert ticket_of(root_id("1234567890", DOMAIN), DOMAIN) is None, "a wrong check digit"
    assert ticket_of(message_id("e", "r", DOMAIN), DOMAIN) is None


def test_the_subject_stays_but_for_re() -> None:
    first = ticket_subject(NUMBER, "Feed rejected", is_first=True)
    assert first == f"[{NUMBER[:3]}-{NUMBER[3:6]}-{NUMBER[6:]}] Feed rejected"
    assert ticket_subject(NUMBER, "Feed rejected", is_first=False) == f"Re: {first}"
    long = ticket_subject(NUMBER, "ą" * 500, is_first=True)
    assert len(long) == 180
    assert ticket_subject(NUMBER, "ą" * 500, is_first=False) == f"Re: {long}"


def test_a_program_is_told_that_a_program_wrote() -> None:
    message = EmailMessage(policy=POLICY)
    set_automatic(message, "auto-replied")
    assert _raw(message, "Auto-Submitted") == "auto-replied"
    assert message["Precedence"] is None


def test_one_click_needs_https_and_a_long_link_stays_whole() -> None:
    link = "https://portal.example/preferences?token=" + "a" * 300
    message = EmailMessage(policy=POLICY)
    set_unsubscribe(message, link)
    assert _raw(message, "List-Unsubscribe") == f"<{link}>"
    assert _raw(message, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    message = EmailMessage(policy=POLICY)
    set_unsubscribe(message, "http://127.0.0.1:8080/preferences")
    assert message["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize(
    "link",
    ["", "javascript:alert(1)", "https://a/>\r\nBcc: x", "https://a/ż", "https://a/ b", "https://a/<b>"],
)
def test_what_is_no_link_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match="web address"):
        set_unsubscribe(EmailMessage(policy=POLICY), link)


@settings(max_examples=200, deadline=None)
@given(title=st.text(max_size=300), name=st.text(max_size=100))
def test_no_title_and_no_name_breaks_the_headers(title: str, name: str) -> None:
    message = EmailMessage(policy=POLICY)
    message["From"] = Address(one_line(name), addr_spec="support@mail.example")
    subject = ticket_subject(NUMBER, title, is_first=True)
    message["Subject"] = subject
    set_conversation(message, root=ROOT, earlier=[FROM_OUTLOOK])
    message.set_content("text")
    check_strictly(bytes(message), ["From", "Subject", "In-Reply-To", "References"])
    read = BytesHeaderParser(policy=compat32).parsebytes(bytes(message))
    assert decoded(read["Subject"]) == subject
    assert (
        str(read["From"])
        .rstrip()
        .endswith("support@mail.example" if not one_line(name) else "<support@mail.example>")
    )


def decoded(header: object) -> str:
    """The words of a header, without its folds and encodings."""
    return str(make_header(decode_header(str(header).replace("\r\n", ""))))


def check_strictly(raw: bytes, expected_first: list[str]) -> None:
    """RFC 5322 and RFC 2047, line by line, and by two parsers that are not ours."""
    head, _, body = raw.partition(b"\r\n\r\n")
    assert raw.isascii()
    for line in (head + b"\r\n" + body).split(b"\r\n"):
        assert len(line) <= 998
        assert b"\n" not in line
        assert b"\r" not in line
    for line in head.split(b"\r\n"):
        assert line.strip(), "no line of white space only"
        assert b"=?" not in line or len(line) <= 76, "RFC 2047, section 2"
    names = [name.decode() for name, _ in dkim.rfc822_parse(raw)[0]]
    assert names[: len(expected_first)] == expected_first
    assert BytesHeaderParser(policy=compat32).parsebytes(raw).keys() == names
    assert len({name.lower() for name in names}) == len(names)


# Addresses for answers


@settings(max_examples=100, deadline=None)
@given(command=st.text(max_size=20), user=st.from_regex("[a-z]{1,20}", fullmatch=True))
def test_an_address_for_answers_says_again_what_it_was_made_of(command: str, user: str) -> None:
    number, person = derive_number("acme", command), person_id(f"{user}@acme.example")
    address = ADDRESSES.address(number, person)
    assert len(address.partition("@")[0]) <= 64
    assert ADDRESSES.read(address) == (number, person)
    assert ADDRESSES.read(address.upper()) == (number, person)


def test_a_single_changed_character_makes_the_address_void() -> None:
    address = ADDRESSES.address(NUMBER, PERSON)
    start, end = address.index("+") + 1, address.index("@")
    for at in range(start, end):
        other = "a" if address[at] != "a" else "b"
        if at == end - 1:  # two of its five bits say nothing: both spellings must not be taken
            others = [c for c in "abcdefghijklmnopqrstuvwxyz234567" if c != address[at]]
        else:
            others = [other]
        for each in others:
            assert ADDRESSES.read(address[:at] + each + address[at + 1 :]) is None


@pytest.mark.parametrize(
    "address",
    ["", "reply+@mail.example", "reply@mail.example", f"reply+{'a' * 47}@mail.example", "żółw", "@", "+@"],
)
def test_what_was_not_signed_is_not_read(address: str) -> None:
    assert ADDRESSES.read(address) is None


def test_another_key_or_domain_makes_all_addresses_void() -> None:
    address = ADDRESSES.address(NUMBER, PERSON)
    assert ReplyAddresses(KEY + "!", DOMAIN).read(address) is None
    assert ReplyAddresses(KEY, "other.example").read(address) is None
    assert ADDRESSES.read(address.replace(DOMAIN, "other.example")) is None


@pytest.mark.parametrize(
    ("number", "person"), [("1234567890", PERSON), ("x", PERSON), (NUMBER, "anna"), (NUMBER, "")]
)
def test_an_address_is_only_made_of_a_number_and_a_person(number: str, person: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        ADDRESSES.address(number, person)
