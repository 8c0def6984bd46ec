"""Restoring a backup into a system that is empty, and comparing every message with the index.

While it goes on, the stream `RESTORING` stands beside the others. Whoever finds it knows that what is there
is no system yet: `casetrail setup` stops, and the next restore may clear it away and begin again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import nats.errors
from nats.aio.client import Client

from contracts.subjects import RESTORING
from services.backup import index, snapshot
from services.backup.archive import Archive
from services.backup.contents import CONTENTS
from services.backup.errors import BackupFailed, BackupRefused
from services.backup.manifest import Manifest, StreamRecord, snapshot_name
from services.backup.messages import stored_messages
from services.backup.take import Progress
from services.runtime.streams import every_configuration

_TIMEOUT_S: Final = 10.0
_NOT_FOUND: Final = 10059
_ENDS: Final = "casetrail.ends"
"""Metadata of the stream RESTORING: where each stream of the backup ends."""


async def restore_backup(
    nc: Client,
    archive: Archive,
    manifest: Manifest,
    *,
    replicas: int,
    progress: Progress,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Make the streams of a checked backup, under the same positions and times; all of them or none.

    `nc` is a connection of the user `restore`. Streams are configured as this version wants them, with so
    many replicas. Sessions and limits, which no backup holds, are for `casetrail setup` to make.

    Raises:
        BackupRefused: something is there already, the server is older, or what came out is not what the index
            says; names the stream and the position.
        BackupFailed: NATS does not answer or refuses.
    """
    _check_server(nc, manifest)
    wanted = {config["name"]: config for config in every_configuration(replicas=replicas)}
    for stream in await _clearable(nc, list(wanted)):
        await _delete(nc, stream)
    await _mark(nc, manifest, replicas)
    made: list[str] = []
    try:
        for record in manifest.streams:
            made.append(record.name)
            await _restore(nc, archive, record, wanted[record.name], progress, now())
    except BaseException:
        with contextlib.suppress(BackupFailed):  # then the mark stays, and says so
            for stream in (*made, RESTORING.name):
                await _delete(nc, stream)
        raise
    await _delete(nc, RESTORING.name)


async def _restore(
    nc: Client,
    archive: Archive,
    record: StreamRecord,
    config: dict[str, Any],
    progress: Progress,
    now: datetime,
) -> None:
    progress(record.name, messages=0, of=record.messages)
    state = {
        "messages": record.messages,
        "bytes": record.bytes,
        "first_seq": record.first,
        "last_seq": record.last,
    }
    pieces = archive.pieces(snapshot_name(record.name), snapshot.PIECE_BYTES)
    await snapshot.put(nc, config, state, pieces)
    forgets = next(kept.forgets for kept in CONTENTS if kept.stream == record.name)
    found = await _info(nc, record.name)
    last = 0 if found is None else int(found["state"]["last_seq"])
    if last != record.last:
        raise BackupRefused("restore_ends", stream=record.name, position=last, wanted=record.last)
    comparison = index.Comparison(
        record.name,
        index.lines(archive, record.name),
        forgets=forgets,
        max_age_ns=index.configured_age(config),
        now=now,
    )
    async for message in stored_messages(
        nc, record.name, last=record.last, direct=bool(config["allow_direct"])
    ):
        comparison.take(message)
        progress(record.name, messages=comparison.messages, of=record.messages)
    comparison.end()


def _check_server(nc: Client, manifest: Manifest) -> None:
    """An older server may not read what a newer one wrote, or only half of it."""
    here = snapshot.server_version(nc)
    if _minor(here) < _minor(manifest.nats_server):
        raise BackupRefused("restore_older_server", found=here, wanted=manifest.nats_server)


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


async def _clearable(nc: Client, streams: list[str]) -> list[str]:
    """What stands where the restore has to go and holds nothing, or what an interrupted restore has left.

    Raises BackupRefused: there is something that may be needed.
    """
    mark = await _info(nc, RESTORING.name)
    left = {} if mark is None else json.loads(mark["config"]["metadata"][_ENDS])
    there: list[str] = []
    for stream in streams:
        about = await _info(nc, stream)
        if about is None:
            continue
        last, messages = int(about["state"]["last_seq"]), int(about["state"]["messages"])
        if last > 0 and left.get(stream) != last:
            code = "restore_not_empty" if mark is None else "restore_written_since"
            raise BackupRefused(code, stream=stream, messages=messages, position=last)
        there.append(stream)
    return [*there, *([] if mark is None else [RESTORING.name])]


async def _mark(nc: Client, manifest: Manifest, replicas: int) -> None:
    ends = {record.name: record.last for record in manifest.streams}
    config = {
        "name": RESTORING.name,
        "description": RESTORING.description,
        "subjects": list(RESTORING.subjects),
        "storage": "file",
        "num_replicas": replicas,  # it has to be seen when a server is down, too
        "max_msgs": 1,
        "metadata": {_ENDS: json.dumps(ends)},
    }
    answer = await _ask(nc, f"STREAM.CREATE.{RESTORING.name}", config)
    if "error" in answer:
        raise BackupFailed("restore_failed", stream=RESTORING.name, reason=answer["error"]["description"])


async def _info(nc: Client, stream: str) -> dict[str, Any] | None:
    answer = await _ask(nc, f"STREAM.INFO.{stream}", {})
    if (error := answer.get("error")) is None:
        return answer
    if error.get("err_code") == _NOT_FOUND:
        return None
    raise BackupFailed("restore_failed", stream=stream, reason=str(error.get("description")))


async def _delete(nc: Client, stream: str) -> None:
    """May be repeated."""
    answer = await _ask(nc, f"STREAM.DELETE.{stream}", None)
    if (error := answer.get("error")) is not None and error.get("err_code") != _NOT_FOUND:
        raise BackupFailed("restore_failed", stream=stream, reason=str(error.get("description")))


async def _ask(nc: Client, verb: str, body: dict[str, Any] | None) -> dict[str, Any]:
    try:
        raw = b"" if body is None else json.dumps(body).encode()
        reply = await nc.request(f"$JS.API.{verb}", raw, timeout=_TIMEOUT_S)
    except (nats.errors.Error, TimeoutError, ConnectionError) as error:
        stream = verb.rpartition(".")[2]
        raise BackupFailed("restore_failed", stream=stream, reason=type(error).__name__) from error
    answer: dict[str, Any] = json.loads(reply.data)
    return answer
