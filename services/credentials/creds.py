"""Credentials files of NATS: a user's JWT and the seed of its key, in one text that every client reads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.credentials.nkeys import KeyKind, KeyPair, SeedInvalid, write_private

_JWT: Final = re.compile(r"-BEGIN NATS USER JWT-+\s+(\S+)\s")
_SEED: Final = re.compile(r"-BEGIN USER NKEY SEED-+\s+(\S+)\s")


class CredsInvalid(Exception):
    """A file is not a credentials file; `str()` names it, and never shows what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Creds:
    """What a user proves itself with. The server is told neither the seed nor who it will be."""

    user: str
    jwt: str = field(repr=False)
    key: KeyPair

    @property
    def public_key(self) -> str:
        return self.key.public

    def text(self) -> str:
        """The file's content. Holds the secret."""
        return (
            f"-----BEGIN NATS USER JWT-----\n{self.jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{self.key.seed}\n------END USER NKEY SEED------\n"
        )

    def write(self, path: Path) -> None:
        """Keep it in a file that only its owner reads. Raises OSError."""
        write_private(path, self.text())

    @classmethod
    def read(cls, path: Path, user: str) -> Creds:
        """Raises CredsInvalid, OSError."""
        content = path.read_text(encoding="ascii", errors="replace")
        jwt, seed = _JWT.search(content), _SEED.search(content)
        if jwt is None or seed is None:
            raise CredsInvalid(f"{path} is not a NATS credentials file")
        try:
            return cls(user=user, jwt=jwt[1], key=KeyPair(seed[1], KeyKind.USER))
        except SeedInvalid:
            raise CredsInvalid(f"{path} is not a NATS credentials file") from None


def creds_file(directory: Path, user: str) -> Path:
    """Where the credentials of a user are kept."""
    return directory / f"{user}.creds"
