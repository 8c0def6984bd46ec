"""What a backup says of itself.

    DEAD_LETTERS.snapshot   the stream as the server hands it out (JetStream's snapshot)
    DEAD_LETTERS.index      gzip; a line for each message: [position, time, subject, SHA-256]
    NOTIFY.snapshot         ... two for each stream, in the order in which they were taken
    manifest.json           this
    manifest.sha256         what `sha256sum` says of it: the fingerprint of the whole backup

Why the server's snapshot, and no format of our own: only it brings back positions *and* times, so that
other systems go on from where they were, by either; it is quick; and NATS' own tools read it, should ours
fail. It is opaque, so the index stands beside it: by that each message is compared after a restore.

The SHA-256 show what went wrong with a file. Whoever alters a backup on purpose can alter them too: keep the
fingerprint elsewhere, and give it to `casetrail restore`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

FORMAT: Final = "casetrail-backup-1"
MANIFEST: Final = "manifest.json"
FINGERPRINT: Final = "manifest.sha256"


def snapshot_name(stream: str) -> str:
    return f"{stream}.snapshot"


def index_name(stream: str) -> str:
    return f"{stream}.index"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRecord(_Part):
    """A file of the backup. `size` is in bytes, `sha256` in hexadecimal."""

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class StreamRecord(_Part):
    """A stream as it stood at one moment: how many messages, from which position up to which."""

    name: str
    messages: int = Field(ge=0)
    bytes: int = Field(ge=0)
    first: int = Field(ge=0)
    last: int = Field(ge=0)
    config: dict[str, Any]
    indexed: int = Field(ge=0)
    """Messages in the index: fewer than `messages` where a stream forgot some while they were listed."""
    snapshot: FileRecord
    index: FileRecord


class Manifest(_Part):
    """`began_at`: what was acknowledged by then is in the backup."""

    format: str
    casetrail: str
    nats_server: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    began_at: datetime
    ended_at: datetime
    streams: tuple[StreamRecord, ...]
