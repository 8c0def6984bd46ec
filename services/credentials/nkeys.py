"""The nkey pair of each NATS user, kept as one seed file per user. The server learns public keys only."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

import nkeys  # type: ignore[import-untyped]


class SeedInvalid(Exception):
    """A seed file does not hold the nkey seed of a user."""


def seed_file(directory: Path, user: str) -> Path:
    """Where the seed of a user is kept."""
    return directory / f"{user}.nk"


def public_key(directory: Path, user: str) -> str:
    """The public key of a user, whose seed is made if there is none yet and kept if there is.

    The directory is readable to its owner only (0700), and so is the seed file (0600), from its first
    byte on. Raises SeedInvalid.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    path = seed_file(directory, user)
    if not path.exists():
        _write(path, nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER))
    try:
        pair = nkeys.from_seed(bytearray(path.read_bytes().strip()))
        key: bytes = pair.public_key
    except (nkeys.NkeysError, ValueError) as error:
        raise SeedInvalid(f"{path} does not hold an nkey seed; delete it to have a new one made") from error
    return key.decode()


def _write(path: Path, seed: bytes) -> None:
    """Whole or not at all: a crash half-way must not leave half a seed."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # 0600
    with os.fdopen(handle, "wb") as file:
        file.write(seed + b"\n")
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).rename(path)
