"""Tokens of invitations, and the key that the service is given for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from itsdangerous import URLSafeSerializer

from services.access.app import AccessSettings
from services.links.invitations import InvitationTokens
from services.links.mail import TokenVoid
from services.runtime.settings import SettingsInvalid, load

KEY = "0123456789abcdef0123456789abcdef"


def test_a_token_says_which_invitation_it_is_and_is_always_the_same() -> None:
    tokens = InvitationTokens(KEY)
    token = tokens.token("acme", "0192f0c4-7d2a-7b3e-8c1d-5a6b7c8d9e30")
    assert tokens.read(token) == ("acme", "0192f0c4-7d2a-7b3e-8c1d-5a6b7c8d9e30")
    assert InvitationTokens(KEY).token("acme", "0192f0c4-7d2a-7b3e-8c1d-5a6b7c8d9e30") == token
    assert len(tokens.token("a" * 32, "i" * 64)) < 512


@pytest.mark.parametrize(
    "forged",
    [
        "", "x", ".", "a.b", "ł", "\ud800",
        InvitationTokens("another key, of the length that a key has").token("acme", "i"),
        str(URLSafeSerializer(KEY).dumps(["acme", "i"])),
        str(URLSafeSerializer(KEY, salt="casetrail.session").dumps(["acme", "i"])),
        InvitationTokens(KEY).token("acme", "i").replace("W", "X", 1),
        InvitationTokens(KEY).token("acme", "i")[:-2],
    ],
)  # fmt: skip
def test_what_was_not_signed_here_and_for_this_is_no_invitation(forged: str) -> None:
    with pytest.raises(TokenVoid):
        InvitationTokens(KEY).read(forged)


def test_the_service_does_not_start_without_a_good_key(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="CASETRAIL_LINK_KEY_FILE: not set"):
        load(AccessSettings)
    file = tmp_path / "link.key"
    with pytest.raises(SettingsInvalid, match="no such file"):
        load(AccessSettings, link_key_file=file)
    file.write_text("too short\n")
    with pytest.raises(SettingsInvalid, match=r"CASETRAIL_LINK_KEY_FILE.*at least 32 characters") as refused:
        load(AccessSettings, link_key_file=file).link_key()
    assert "too short" not in str(refused.value)
    file.write_text(f"{KEY}\n")
    assert load(AccessSettings, link_key_file=file).link_key() == KEY
