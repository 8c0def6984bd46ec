"""JetStream's own snapshots: a stream out, byte by byte, and in again under the same positions and times.

Source: STREAM.SNAPSHOT and STREAM.RESTORE in
https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

import nats.errors
from nats.aio.client import Client

from services.backup.errors import BackupFailed

PIECE_BYTES: Final = 128 << 10
_TIMEOUT_S: Final = 30.0
_FINISHED_WITHIN_S: Final = 600.0
"""The server reads through what was sent before it answers the last piece."""
_DONE: Final = "204"


def server_version(nc: Client) -> str:
    """Of the server that the connection is to: `2.15.1`."""
    version = nc.connected_server_version
    return f"{version.major}.{version.minor}.{version.patch}"


async def take(nc: Client, stream: str, write: Callable[[bytes], object]) -> dict[str, Any]:
    """Write the snapshot of a stream; returns what it is of: its `config` and `state`.

    Its consumers are not in it: services make theirs again. Raises BackupFailed, and what `write` raises.
    """
    inbox = nc.new_inbox()
    pieces = await nc.subscribe(inbox)
    asked = {"deliver_subject": inbox, "no_consumers": True, "jsck": True, "chunk_size": PIECE_BYTES}
    try:
        answer = await _ask(nc, f"$JS.API.STREAM.SNAPSHOT.{stream}", asked)
        _raise_refusal(answer, "backup_unreadable", stream)
        while True:
            piece = await pieces.next_msg(_TIMEOUT_S)
            if not piece.data:
                break
            write(piece.data)
            if piece.reply:
                await nc.publish(piece.reply, b"")  # else the server stops after its window
    except (nats.errors.Error, TimeoutError, ConnectionError) as error:
        raise BackupFailed("backup_unreadable", stream=stream, reason=type(error).__name__) from error
    finally:
        await pieces.unsubscribe()
    status = (piece.headers or {}).get("Status", _DONE)
    if status != _DONE:
        raise BackupFailed("backup_unreadable", stream=stream, reason=f"{status} {piece.headers}")
    return answer


async def put(nc: Client, config: dict[str, Any], state: dict[str, Any], pieces: Iterable[bytes]) -> None:
    """Make a stream of a snapshot. There must be none of its name.

    Raises BackupFailed: the server did not take it, and there still is none.
    """
    stream = config["name"]
    try:
        answer = await _ask(nc, f"$JS.API.STREAM.RESTORE.{stream}", {"config": config, "state": state})
        _raise_refusal(answer, "restore_failed", stream)
        subject = answer["deliver_subject"]
        for piece in pieces:
            taken = await nc.request(subject, piece, timeout=_TIMEOUT_S)
            if taken.data:
                _raise_refusal(json.loads(taken.data), "restore_failed", stream)
        done = await nc.request(subject, b"", timeout=_FINISHED_WITHIN_S)
        _raise_refusal(json.loads(done.data), "restore_failed", stream)
    except (nats.errors.Error, TimeoutError, ConnectionError) as error:
        raise BackupFailed("restore_failed", stream=stream, reason=type(error).__name__) from error


async def _ask(nc: Client, subject: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = await nc.request(subject, json.dumps(body).encode(), timeout=_TIMEOUT_S)
    answer: dict[str, Any] = json.loads(reply.data)
    return answer


def _raise_refusal(answer: dict[str, Any], code: str, stream: str) -> None:
    if (error := answer.get("error")) is not None:
        raise BackupFailed(code, stream=stream, reason=str(error.get("description", error)))
