"""Random keys by which services sign what they hand out, one file each, the same for all replicas."""

from __future__ import annotations

import secrets
from pathlib import Path

from services.credentials.nkeys import write_private

_BYTES = 32


def key_file(directory: Path, setting: str) -> Path:
    """The file of the key that a setting names; it is made if there is none, and kept if there is."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{setting.lower()}.key"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(_BYTES) + "\n")
    return path
