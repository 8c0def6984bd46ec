"""One address is one person, however it is spelled, and two addresses are two."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.access.people import EmailAddress, NotAnAddress, normalised, person_id
from contracts.access.systems import SystemName, SystemUser, account_of, system_user
from contracts.text import AccountId, PersonId

EMAIL: TypeAdapter[str] = TypeAdapter(EmailAddress)


@pytest.mark.parametrize(
    ("typed", "known_as"),
    [
        ("jan@example.com", "jan@example.com"),
        (" Jan.Nowak@EXAMPLE.com\n", "jan.nowak@example.com"),
        ("ｊａｎ＠example.com", "jan@example.com"),
        ("zażółć@łódź.pl", "zażółć@xn--d-uga0v4h.pl"),
        ("zaz\u0307ółc\u0301@XN--D-UGA0V4H.pl", "zażółć@xn--d-uga0v4h.pl"),
        ("jan+test@mail.example.co.uk", "jan+test@mail.example.co.uk"),
    ],
)
def test_an_address_is_known_in_every_spelling(typed: str, known_as: str) -> None:
    assert normalised(typed) == known_as
    assert person_id(typed) == person_id(known_as)
    assert EMAIL.validate_python(typed) == typed.strip()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("admin@straße.de", "admin@strasse.de"),  # two domains to IDNA 2008, one to IDNA 2003
        ("jan@example.com", "jan@example.org"),
        ("j.an@example.com", "jan@example.com"),
        ("jan@łódź.pl", "jan@lodz.pl"),
        ("jan@example.com", "jan@examp1e.com"),
    ],
)
def test_two_addresses_are_two_people(one: str, other: str) -> None:
    assert person_id(one) != person_id(other)


@pytest.mark.parametrize(
    "typed",
    [
        "", "jan", "jan@", "@example.com", "jan@example", "jan@@example.com", "ja n@example.com",
        "jan@exa mple.com", "jan@-example.com", "jan@example-.com", "jan@example..com", ".jan@example.com",
        "ja..n@example.com", "jan@example.com>", "<jan@example.com", "jan,ola@example.com",
        "jan\x00@example.com", "jan@exam\nple.com", "jan@[127.0.0.1]", '"jan"@example.com', "jan@℀.com",
        "jan@😀.com", "x" * 65 + "@example.com", "jan@" + "x" * 64 + ".com", "jan@" + "x." * 130 + "com",
        "jan@example.com\ud800", "\ud800@example.com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(NotAnAddress):
        person_id(typed)
    with pytest.raises(ValidationError):
        EMAIL.validate_python(typed)


@given(st.text(max_size=30), st.text(max_size=30))
def test_normalising_is_done_after_one_time(local: str, domain: str) -> None:
    try:
        once = normalised(f"{local}@{domain}.pl")
    except NotAnAddress:
        return
    assert normalised(once) == once


def test_the_id_of_a_person_is_short_and_stays() -> None:
    assert person_id("jan@example.com") == "pxaw34vbtz6xlki4"
    assert re.fullmatch(r"p[a-z2-7]{15}", person_id("ola@example.com"))
    TypeAdapter(PersonId).validate_python(person_id("ola@example.com"))


def test_a_system_has_one_user_over_all_accounts() -> None:
    accounts, names = ["acme", "acme-b", "a2", "b" * 32], ["sync", "b-sync", "x", "c" * 31]
    users = {system_user(account, name): account for account in accounts for name in names}
    assert len(users) == len(accounts) * len(names)
    for user, account in users.items():
        assert account_of(TypeAdapter(SystemUser).validate_python(user)) == account
        TypeAdapter(PersonId).validate_python(user)
    assert account_of("tickets") is None
    with pytest.raises(ValidationError):
        TypeAdapter(AccountId).validate_python("acme_b")
    with pytest.raises(ValidationError):
        TypeAdapter(SystemName).validate_python("a_b")
