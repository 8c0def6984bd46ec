"""Files in NATS object stores (ADR-20), written once: chunks first, then what makes them a file.

    $O.<store>.C.<nuid>                 the chunks, in their order
    $O.<store>.M.<base64url of the id>  the description, which names the nuid; no description, no file

The description is ADR-20's, so that NATS' own tools can read the stores; what Casetrail needs to know of a
file stands in its `metadata`. Nothing is ever overwritten: the second description of an id is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.js.errors import APIError
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.attachments.files import Attachment
from contracts.envelope import Actor, format_time
from contracts.subjects import UPLOADS, object_stream
from contracts.text import AccountId
from services.runtime.errors import Unavailable

CHUNK_BYTES: Final = 512 * 1024
"""Of what is written here; what others have written may be in other pieces."""

_TIMEOUT_S: Final = 5.0
_NO_MESSAGE: Final = 10037
_WRONG_LAST_SEQUENCE: Final = 10071
_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_MAX_CHUNKS: Final = 4096


class UploadRecord(BaseModel):
    """A file that somebody uploaded for an account."""

    model_config = ConfigDict(frozen=True)

    account: AccountId
    actor: Actor
    attachment: Attachment

    def is_by(self, actor: Actor, account: str) -> bool:
        """Whether this person has uploaded it for this account."""
        return (self.account, self.actor.kind, self.actor.id) == (account, actor.kind, actor.id)


class OutOfOrder(Exception):
    """A chunk does not follow the one that is there."""


class Damaged(Exception):
    """What is stored is not what was described."""


@dataclass(frozen=True, slots=True)
class Description:
    """What makes chunks a file. `nuid` names the chunks, `metadata` is the writer's."""

    name: str
    nuid: str
    size: int
    chunks: int
    sha256: str
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Message:
    position: int
    data: bytes


class FileStore:
    """One object store. Every method raises Unavailable when the broker does not answer."""

    def __init__(self, nc: Client, store: str) -> None:
        self._nc = nc
        self._js = nc.jetstream(timeout=_TIMEOUT_S)
        self._store = store
        self._stream = object_stream(store)

    async def describe(self, name: str) -> Description | None:
        """The file of this name, if it is whole."""
        message = await self._get({"last_by_subj": self._described(name)})
        return None if message is None else _description(message.data)

    async def add_chunk(self, nuid: str, data: bytes, *, after: int) -> int:
        """The position of the chunk, also if it is there already. `after` is that of the chunk before, or 0.

        Raises:
            OutOfOrder: another chunk follows that one.
        """
        subject = self._chunks(nuid)
        try:
            return await self._publish(subject, data, expected=after)
        except OutOfOrder:
            following = await self._get({"seq": after + 1, "next_by_subj": subject})
            if following is None or following.data != data:
                raise
            return following.position

    async def read(self, nuid: str, *, at_most: int) -> bytes:
        """The chunks put together, or as many as are more than `at_most` bytes."""
        found = bytearray()
        async for data in self._in_order(nuid):
            found += data
            if len(found) > at_most:
                break
        return bytes(found)

    async def load(self, description: Description) -> bytes:
        """The bytes of a file.

        Raises:
            Damaged: they are not those that were described.
        """
        content = await self.read(description.nuid, at_most=description.size)
        if hashlib.sha256(content).hexdigest() != description.sha256:
            raise Damaged(description.name)
        return content

    async def write(self, name: str, nuid: str, content: bytes, metadata: dict[str, str]) -> None:
        """Write a whole file. `nuid` is new with every attempt; a name that is there stays as it is."""
        after = 0
        for start in range(0, len(content), CHUNK_BYTES):
            after = await self.add_chunk(nuid, content[start : start + CHUNK_BYTES], after=after)
        await self.finish(name, nuid, content, metadata)

    async def finish(self, name: str, nuid: str, content: bytes, metadata: dict[str, str]) -> None:
        """Make a file of chunks that are there. A name that is there already stays as it is."""
        chunks = max(1, -(-len(content) // CHUNK_BYTES))
        digest = hashlib.sha256(content).digest()
        info = {
            "name": name,
            "bucket": self._store,
            "nuid": nuid,
            "size": len(content),
            "mtime": format_time(datetime.now(UTC)),
            "chunks": chunks,
            "digest": f"SHA-256={base64.urlsafe_b64encode(digest).decode()}",
            "metadata": metadata,
            "options": {"max_chunk_size": CHUNK_BYTES},
        }
        try:
            await self._publish(self._described(name), json.dumps(info).encode(), expected=0)
        except OutOfOrder:
            return

    async def _in_order(self, nuid: str) -> AsyncIterator[bytes]:
        position = 1
        for _ in range(_MAX_CHUNKS):
            message = await self._get({"seq": position, "next_by_subj": self._chunks(nuid)})
            if message is None:
                return
            yield message.data
            position = message.position + 1

    async def _publish(self, subject: str, data: bytes, *, expected: int) -> int:
        headers: dict[str, Any] = {_EXPECTED: str(expected)}
        try:
            ack = await self._js.publish(subject, data, timeout=_TIMEOUT_S, headers=headers)
        except APIError as error:
            if error.err_code == _WRONG_LAST_SEQUENCE:
                raise OutOfOrder from None
            raise Unavailable from error
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable from error
        return int(ack.seq)

    async def _get(self, asked: dict[str, Any]) -> _Message | None:
        try:
            reply = await self._nc.request(
                f"$JS.API.STREAM.MSG.GET.{self._stream}", json.dumps(asked).encode(), timeout=_TIMEOUT_S
            )
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable from error
        answer: dict[str, Any] = json.loads(reply.data)
        if "error" in answer:
            if answer["error"].get("err_code") == _NO_MESSAGE:
                return None
            raise Unavailable
        message = answer["message"]
        return _Message(
            position=int(message["seq"]),
            data=base64.b64decode(message.get("data", "")),
        )

    def _described(self, name: str) -> str:
        return f"$O.{self._store}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"

    def _chunks(self, nuid: str) -> str:
        return f"$O.{self._store}.C.{nuid}"


async def describe_upload(nc: Client, attachment: str) -> UploadRecord | None:
    """Whose the upload is, and what it is; None: there is no such upload, or its time is over.

    Raises:
        Unavailable: the broker does not answer.
    """
    description = await FileStore(nc, UPLOADS).describe(attachment)
    return None if description is None else upload_record(description)


def upload_record(description: Description) -> UploadRecord | None:
    """What the description of an upload says; None for one that is none of ours."""
    try:
        return UploadRecord.model_validate_json(description.metadata.get("upload", ""))
    except ValidationError:
        return None


def _description(data: bytes) -> Description | None:
    try:
        info = json.loads(data)
        if info.get("deleted"):
            return None
        return Description(
            name=str(info["name"]),
            nuid=str(info["nuid"]),
            size=int(info["size"]),
            chunks=int(info["chunks"]),
            sha256=base64.urlsafe_b64decode(str(info["digest"]).removeprefix("SHA-256=")).hex(),
            metadata={str(key): str(value) for key, value in (info.get("metadata") or {}).items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
