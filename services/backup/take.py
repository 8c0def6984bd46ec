"""Taking a backup of a running system: each stream's snapshot, then the index of what is in it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from nats.aio.client import Client

from services.backup.archive import ArchiveWriter, writing
from services.backup.contents import CONTENTS, Kept
from services.backup.index import IndexWriter
from services.backup.manifest import (
    FINGERPRINT,
    FORMAT,
    MANIFEST,
    Manifest,
    StreamRecord,
    index_name,
    snapshot_name,
)
from services.backup.messages import stored_messages
from services.backup.snapshot import server_version, take


class Progress(Protocol):
    """Told how far it is."""

    def __call__(self, stream: str, *, messages: int, of: int) -> None:
        """So many messages of a stream, of so many."""


async def take_backup(
    nc: Client, path: Path, *, progress: Progress, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> tuple[Manifest, str]:
    """Write a backup; returns what is in it, and its fingerprint. `nc` is a connection of the user `backup`.

    The file is there once it is whole and on disk, or not at all.
    Raises BackupFailed, BackupRefused (another backup is writing it), FileExistsError, OSError.
    """
    began_at = now()
    with writing(path, made_at=int(time.time())) as archive:
        streams = [await _stream(nc, archive, kept, progress) for kept in CONTENTS]
        manifest = Manifest(
            format=FORMAT,
            casetrail=version("casetrail"),
            nats_server=server_version(nc),
            began_at=began_at,
            ended_at=now(),
            streams=tuple(streams),
        )
        content = manifest.model_dump_json(indent=1).encode()
        fingerprint = hashlib.sha256(content).hexdigest()
        for name, text in ((MANIFEST, content), (FINGERPRINT, f"{fingerprint}  {MANIFEST}\n".encode())):
            with archive.member(name) as member:
                member.write(text)
    return manifest, fingerprint


async def _stream(nc: Client, archive: ArchiveWriter, kept: Kept, progress: Progress) -> StreamRecord:
    progress(kept.stream, messages=0, of=0)
    with archive.member(snapshot_name(kept.stream)) as snapshot:
        answer = await take(nc, kept.stream, snapshot.write)
    config: dict[str, Any] = answer["config"]
    state: dict[str, Any] = answer["state"]
    with archive.member(index_name(kept.stream)) as member:
        index = IndexWriter(member)
        direct = bool(config.get("allow_direct"))
        async for message in stored_messages(nc, kept.stream, last=state["last_seq"], direct=direct):
            index.add(message)
            progress(kept.stream, messages=index.messages, of=state["messages"])
        index.close()
    return StreamRecord(
        name=kept.stream,
        messages=state["messages"],
        bytes=state["bytes"],
        first=state["first_seq"],
        last=state["last_seq"],
        config=config,
        indexed=index.messages,
        snapshot=snapshot.record,
        index=member.record,
    )
