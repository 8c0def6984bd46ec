"""The token in the link by which a person gets no more e-mails about tickets: made by notify, read by access.

It names the person, signed, and is good for ever (a list of links that expire is a list of people who cannot
leave). Nothing else can be done with it. The key signs other links too, each with a salt of its own.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from itsdangerous import BadData, URLSafeSerializer

MIN_KEY_CHARACTERS: Final = 32

_SALT: Final = "casetrail.mail.stop"


class KeyInvalid(Exception):
    """The file does not hold a key."""


class TokenVoid(Exception):
    """Not signed by us, or for something else."""


def read_key(file: Path) -> str:
    """Raises KeyInvalid, OSError."""
    key = file.read_text(encoding="ascii", errors="replace").strip()
    if len(key) < MIN_KEY_CHARACTERS:
        raise KeyInvalid(f"a key has at least {MIN_KEY_CHARACTERS} characters")
    return key


class MailTokens:
    """Makes and reads tokens with one key."""

    def __init__(self, key: str) -> None:
        self._serializer = URLSafeSerializer(
            key, salt=_SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    def token(self, person: str) -> str:
        """Always the same for a person."""
        return str(self._serializer.dumps(person))

    def read(self, token: str) -> str:
        """The person's id. Raises TokenVoid."""
        try:
            person = self._serializer.loads(token)
        except (BadData, UnicodeEncodeError):
            raise TokenVoid from None
        if not isinstance(person, str) or re.fullmatch(r"p[a-z2-7]{15}", person) is None:
            raise TokenVoid
        return person
