"""Reading every message of a stream with its position, time and headers, without changing anything.

No consumer is made: the direct API answers with many messages at once (NATS ADR-31) where a stream allows
it, and where only its leader may answer, messages are asked for one by one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple

import nats.errors
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from services.backup.errors import BackupFailed

_TIMEOUT_S: Final = 10.0
_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 4 << 20
_LAGS_AT_MOST_S: Final = 10.0
_LOOK_AGAIN_S: Final = 0.1
_NO_MESSAGE: Final = 10037
_POSITION: Final = "Nats-Sequence"
_TIME: Final = "Nats-Time-Stamp"
_SUBJECT: Final = "Nats-Subject"
_OF_THE_ANSWER: Final = frozenset(
    {"Nats-Stream", _SUBJECT, _POSITION, _TIME, "Nats-Num-Pending", "Nats-Last-Sequence"}
)
"""Headers of a direct answer that are not those of the message."""


class Stored(NamedTuple):
    """A message as the stream has it. `at` is the server's time, as it spells it (RFC 3339, nanoseconds)."""

    position: int
    at: str
    subject: str
    sha256: str
    """Of its headers, sorted, and its payload."""
    size: int
    """Bytes of the payload."""


async def stored_messages(nc: Client, stream: str, *, last: int, direct: bool) -> AsyncIterator[Stored]:
    """The messages up to the position `last`, in order; positions that the stream has forgotten are missing.

    Raises BackupFailed.
    """
    try:
        if direct:
            async for message in _many(nc, stream, last):
                yield message
        else:
            async for message in _one_by_one(nc, stream, last):
                yield message
    except (nats.errors.Error, TimeoutError, OSError) as error:
        raise BackupFailed("backup_unreadable", stream=stream, reason=type(error).__name__) from error


async def _many(nc: Client, stream: str, last: int) -> AsyncIterator[Stored]:
    inbox = nc.new_inbox()
    answers = await nc.subscribe(inbox)
    position, heard_at = 0, time.monotonic()
    try:
        while position < last:
            asked = {"seq": position + 1, "batch": _AT_ONCE, "max_bytes": _BYTES_AT_ONCE}
            await nc.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(asked).encode(), reply=inbox)
            async for message in _answered(answers):
                if message.position > last:
                    continue
                if message.position != position + 1:
                    raise BackupFailed("backup_gap", stream=stream, position=position + 1)
                position, heard_at = message.position, time.monotonic()
                yield message
            if position < last and time.monotonic() - heard_at > _LAGS_AT_MOST_S:
                raise BackupFailed("backup_gap", stream=stream, position=position + 1)
            if position < last and heard_at < time.monotonic() - _LOOK_AGAIN_S:
                await asyncio.sleep(_LOOK_AGAIN_S)  # any server answers, and one may lag behind the leader
    finally:
        await answers.unsubscribe()


async def _answered(answers: Subscription) -> AsyncIterator[Stored]:
    """The messages of one answer."""
    while True:
        message = await answers.next_msg(_TIMEOUT_S)
        headers = message.headers or {}
        if "Status" in headers:  # 204: the end of them; 404: there is none
            return
        own = {name: value for name, value in headers.items() if name not in _OF_THE_ANSWER}
        yield _stored(int(headers[_POSITION]), headers[_TIME], headers[_SUBJECT], own, message.data)


async def _one_by_one(nc: Client, stream: str, last: int) -> AsyncIterator[Stored]:
    position = 0
    while position < last:
        asked = {"seq": position + 1, "next_by_subj": ">"}
        reply = await nc.request(
            f"$JS.API.STREAM.MSG.GET.{stream}", json.dumps(asked).encode(), timeout=_TIMEOUT_S
        )
        answer: dict[str, Any] = json.loads(reply.data)
        if (error := answer.get("error")) is not None:
            if error.get("err_code") == _NO_MESSAGE:
                return
            reason = str(error.get("description"))
            raise BackupFailed("backup_unreadable", stream=stream, reason=reason)
        message = answer["message"]
        position = int(message["seq"])
        if position > last:
            return
        headers = _headers(base64.b64decode(message.get("hdrs", "")))
        payload = base64.b64decode(message.get("data", ""))
        yield _stored(position, message["time"], message["subject"], headers, payload)


def _stored(position: int, at: str, subject: str, headers: Mapping[str, str], payload: bytes) -> Stored:
    sha = hashlib.sha256(json.dumps(sorted(headers.items())).encode())
    sha.update(b"\n")
    sha.update(payload)
    return Stored(position, at, subject, sha.hexdigest(), len(payload))


def _headers(raw: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in raw.decode(errors="replace").split("\r\n")[1:])
    return {name.strip(): value.strip() for name, colon, value in lines if colon}
