"""Key pairs of NATS (nkeys, Ed25519) and the private files that hold them.

A key says what it is by its first letter: O an operator, A an account, U a user. A seed begins with S and
then that letter; it never leaves its file and this process, and no text of an object here shows it.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from enum import Enum
from pathlib import Path

import nkeys  # type: ignore[import-untyped]


class KeyKind(Enum):
    """Whose key it is; the value is the prefix that nkeys encodes."""

    OPERATOR = nkeys.PREFIX_BYTE_OPERATOR
    ACCOUNT = nkeys.PREFIX_BYTE_ACCOUNT
    USER = nkeys.PREFIX_BYTE_USER


class SeedInvalid(Exception):
    """A text or a file does not hold the seed that it should; `str()` never shows what it holds."""


class KeyPair:
    """A key that can sign."""

    def __init__(self, seed: str, kind: KeyKind) -> None:
        """Raises SeedInvalid: it is no seed, or one of another kind."""
        encoded = bytearray(seed, "ascii", "replace")
        try:
            prefix, _ = nkeys.decode_seed(encoded)
            self._pair = nkeys.from_seed(encoded)
            self.public: str = self._pair.public_key.decode()
        except (nkeys.NkeysError, ValueError):
            raise SeedInvalid("not an nkey seed") from None
        if prefix != kind.value or nkeys.encode_seed(bytes(self._pair._keys), prefix) != bytes(encoded):
            raise SeedInvalid(f"not the nkey seed of an {kind.name.lower()}")  # its check sum is wrong, too

    @classmethod
    def new(cls, kind: KeyKind) -> KeyPair:
        """A key that nobody had before."""
        return cls(nkeys.encode_seed(secrets.token_bytes(32), kind.value).decode(), kind)

    @classmethod
    def read(cls, path: Path, kind: KeyKind) -> KeyPair:
        """The key whose seed a file holds. Raises SeedInvalid, OSError."""
        try:
            return cls(path.read_text(encoding="ascii", errors="replace").strip(), kind)
        except SeedInvalid as error:
            raise SeedInvalid(f"{path}: {error}") from None

    @property
    def seed(self) -> str:
        """The secret itself, for the one file that it belongs into."""
        return bytes(self._pair.seed).decode()

    def sign(self, content: bytes) -> bytes:
        signature: bytes = self._pair.sign(content)
        return signature

    def has_signed(self, content: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's, over this content."""
        try:
            self._pair.verify(content, signature)
        except (nkeys.ErrInvalidSignature, ValueError):  # ValueError: not as long as a signature is
            return False
        return True

    def __repr__(self) -> str:
        return f"KeyPair({self.public})"


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner reads (0600 from its first byte on), whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
