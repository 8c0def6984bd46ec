"""Addresses that our e-mails come back to."""

from __future__ import annotations

import pytest

from services.notify.verp import BounceAddresses
from services.runtime.ids import derived_id

MAIL = derived_id("mail", "event", "person")
ADDRESSES = BounceAddresses("a key of these tests, long enough to be one", "mail.example")


def test_an_address_tells_its_mail_in_any_case_of_letters() -> None:
    address = ADDRESSES.address(MAIL)
    assert ADDRESSES.read(address) == MAIL
    assert ADDRESSES.read(address.upper()) == MAIL
    assert len(address.partition("@")[0]) <= 64


def test_what_was_not_signed_by_us_is_not_read() -> None:
    address = ADDRESSES.address(MAIL)
    changed = address.replace(MAIL, derived_id("mail", "another", "person"))
    for forged in (
        changed,
        address.replace("mail.example", "other.example"),
        f"bounce+{MAIL}@mail.example",
        "",
    ):
        assert ADDRESSES.read(forged) is None
    assert BounceAddresses("another key", "mail.example").read(address) is None


@pytest.mark.parametrize("mail", ["", "short", "A" * 26, f"{'a' * 25}@"])
def test_an_address_is_only_made_of_a_mails_id(mail: str) -> None:
    with pytest.raises(ValueError, match="mail: must be the id of a mail"):
        ADDRESSES.address(mail)
