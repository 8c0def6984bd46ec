"""The tokens of the interest form: when it was handed out, and which interest a confirmation is of. Signed.

Nothing secret stands in them. One key signs both, each with a salt of its own, so that neither can be taken
for the other, nor for the link of an invitation, which the access service signs with the same key.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from itsdangerous import BadData, URLSafeSerializer

from contracts.reference import is_reference

MIN_KEY_CHARACTERS: Final = 32

_FORM: Final = "casetrail.intake.interest-form"
_CONFIRMATION: Final = "casetrail.intake.interest-confirmation"


class KeyInvalid(Exception):
    """The file does not hold a key."""


class TokenVoid(Exception):
    """Not signed by us, or for something else."""


class HandedOut(NamedTuple):
    """A form as somebody got it: which version of the questionnaire, and when (UTC)."""

    questionnaire: str
    at: datetime


def read_key(file: Path) -> str:
    """Raises KeyInvalid, OSError."""
    key = file.read_text(encoding="ascii", errors="replace").strip()
    if len(key) < MIN_KEY_CHARACTERS:
        raise KeyInvalid(f"a key has at least {MIN_KEY_CHARACTERS} characters")
    return key


class InterestTokens:
    """Makes and reads tokens with one key."""

    def __init__(self, key: str) -> None:
        self._form = _serializer(key, _FORM)
        self._confirmation = _serializer(key, _CONFIRMATION)

    def of_form(self, questionnaire: str, at: datetime) -> str:
        """Says that this version (`url|version`) was handed out at this moment."""
        return str(self._form.dumps([questionnaire, int(at.timestamp() * 1000)]))

    def read_form(self, token: str) -> HandedOut:
        """How old it may be is for the caller to say. Raises TokenVoid."""
        match _loaded(self._form, token):
            case [str(questionnaire), int(milliseconds)]:
                return HandedOut(questionnaire, datetime.fromtimestamp(milliseconds / 1000, UTC))
            case _:
                raise TokenVoid

    def of_confirmation(self, reference: str) -> str:
        """Always the same for an interest, so that it can be made again at any time."""
        return str(self._confirmation.dumps(reference))

    def read_confirmation(self, token: str) -> str:
        """The reference of the interest. Raises TokenVoid."""
        match _loaded(self._confirmation, token):
            case str(reference) if is_reference(reference):
                return reference
            case _:
                raise TokenVoid


def _serializer(key: str, salt: str) -> URLSafeSerializer:
    return URLSafeSerializer(
        key, salt=salt, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
    )


def _loaded(serializer: URLSafeSerializer, token: str) -> Any:
    try:
        return serializer.loads(token)
    except (BadData, UnicodeEncodeError):
        raise TokenVoid from None
