"""The tokens of the interest form: what they say comes out again, and nothing else is taken for one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from itsdangerous import URLSafeSerializer

from contracts.reference import derive_reference
from services.intake.links import HandedOut, InterestTokens, KeyInvalid, TokenVoid, read_key
from services.links.invitations import InvitationTokens

KEY = "the key of these tests, long enough to be one"
FORM = "https://casetrail.example/questionnaires/interest|1.0"
NOW = datetime(2026, 11, 24, 9, 0, 0, 123000, UTC)
REFERENCE = derive_reference("a test")


def test_a_form_token_says_which_form_it_was_and_when_to_the_millisecond() -> None:
    tokens = InterestTokens(KEY)
    assert tokens.read_form(tokens.of_form(FORM, NOW)) == HandedOut(FORM, NOW)
    later = NOW + timedelta(milliseconds=1)
    assert tokens.read_form(tokens.of_form(FORM, later)).at == later


def test_a_form_token_of_a_long_name_fits_into_a_request() -> None:
    longest = "https://casetrail.example/" + "ż" * 98 + "|1.0"
    assert len(InterestTokens(KEY).of_form(longest, NOW)) <= 512


def test_a_confirmation_is_the_same_whenever_it_is_made() -> None:
    tokens = InterestTokens(KEY)
    assert tokens.of_confirmation(REFERENCE) == InterestTokens(KEY).of_confirmation(REFERENCE)
    assert tokens.read_confirmation(tokens.of_confirmation(REFERENCE)) == REFERENCE


def test_what_was_signed_for_one_thing_is_worth_nothing_for_another() -> None:
    tokens = InterestTokens(KEY)
    invitation = InvitationTokens(KEY).token("acme", REFERENCE)
    for token in (tokens.of_confirmation(REFERENCE), invitation):
        with pytest.raises(TokenVoid):
            tokens.read_form(token)
    for token in (tokens.of_form(FORM, NOW), invitation):
        with pytest.raises(TokenVoid):
            tokens.read_confirmation(token)


@pytest.mark.parametrize(
    "bend",
    [
        lambda token: token[:-1],
        lambda token: "A" + token[1:],
        lambda token: token.rpartition(".")[0],
        lambda token: "",
        lambda token: "ż",
        lambda token: "\ud800",
        lambda token: "." * 512,
    ],
)
def test_a_bent_token_is_void(bend: Callable[[str], str]) -> None:
    tokens = InterestTokens(KEY)
    with pytest.raises(TokenVoid):
        tokens.read_form(bend(tokens.of_form(FORM, NOW)))
    with pytest.raises(TokenVoid):
        tokens.read_confirmation(bend(tokens.of_confirmation(REFERENCE)))


def test_another_key_makes_all_tokens_void() -> None:
    others = InterestTokens(KEY + "!")
    with pytest.raises(TokenVoid):
        others.read_form(InterestTokens(KEY).of_form(FORM, NOW))
    with pytest.raises(TokenVoid):
        others.read_confirmation(InterestTokens(KEY).of_confirmation(REFERENCE))


@pytest.mark.parametrize("content", [None, 7, [], [FORM], [FORM, "1"], [FORM, 1, 2], {"at": 1}, "R-1"])
def test_a_signature_alone_is_not_enough(content: object) -> None:
    signer_kwargs = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    for salt in ("casetrail.intake.interest-form", "casetrail.intake.interest-confirmation"):
        token = str(URLSafeSerializer(KEY, salt=salt, signer_kwargs=signer_kwargs).dumps(content))
        tokens = InterestTokens(KEY)
        with pytest.raises(TokenVoid):
            tokens.read_form(token)
        with pytest.raises(TokenVoid):
            tokens.read_confirmation(token)


def test_a_key_is_read_from_its_file_and_has_a_length(tmp_path: Path) -> None:
    file = tmp_path / "links.key"
    file.write_text(f"{KEY}\n")
    assert read_key(file) == KEY
    file.write_text("short")
    with pytest.raises(KeyInvalid):
        read_key(file)
