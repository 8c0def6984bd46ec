"""Files coming in, chunk by chunk: nothing is a file before it was looked at whole.

The chunks go into the object store as they come, each after the one before, so that any replica of the
service may take any of them. With the last one the file is read back, hashed, sniffed and scanned; only what
passes gets the description that makes it a file. What never gets one is forgotten with its age.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final

import structlog
from nats.aio.client import Client

from contracts.access.roles import Permission
from contracts.attachments.files import MEDIA_TYPES, Attachment
from contracts.attachments.requests import UploadChunk, Uploaded
from contracts.subjects import UPLOADS
from services.attachments.allowance import Allowance
from services.files.scan import Scanner
from services.files.sniff import NotAllowed, safe_name, sniffed
from services.files.store import FileStore, OutOfOrder, UploadRecord, upload_record
from services.guard.guard import Guard
from services.runtime.errors import Malformed, Refused
from services.runtime.ids import derived_id

_ALLOWED: Final = ", ".join(MEDIA_TYPES.values())

log = structlog.get_logger()


class Uploads:
    """Takes files in."""

    def __init__(self, nc: Client, guard: Guard, scanner: Scanner | None, allowance: Allowance) -> None:
        self._store = FileStore(nc, UPLOADS)
        self._guard = guard
        self._scanner = scanner
        self._allowance = allowance

    async def upload(self, request: UploadChunk) -> Uploaded:
        """Take the next chunk; with the last one, the file. A repeated chunk is answered as before.

        Raises:
            Refused: the actor may not, the chunk does not follow, the type is not taken, something was found
                in the file, or the account has uploaded enough for this hour.
            Malformed: the chunk goes beyond the file.
            Unavailable: the store or the scanner does not answer; the same chunk may be sent again.
        """
        await self._guard.require(request.actor, request.account, Permission.TICKET_REPLY)
        attachment_id = derived_id(
            "attachment", request.account, request.actor.kind.value, request.actor.id, request.upload
        )
        end = request.offset + len(request.data)
        if end > request.size:
            raise Malformed("data", "chunk_beyond_the_end", {"end": end, "size": request.size})
        if (request.after == 0) != (request.offset == 0):
            raise Malformed("after", "chunk_after", {})
        await self._allowance.take(request.account, len(request.data), at=datetime.now(UTC))
        self._guard.check(request.actor, request.account, Permission.TICKET_REPLY)
        name = safe_name(request.name)
        try:
            position = await self._store.add_chunk(attachment_id, request.data, after=request.after)
        except OutOfOrder:
            raise Refused("upload_out_of_order", {"name": name}) from None
        if end < request.size:
            return Uploaded(next_offset=end, position=position)
        attachment = await self._finished(request, attachment_id, name)
        return Uploaded(next_offset=end, position=position, attachment=attachment)

    async def _finished(self, request: UploadChunk, attachment_id: str, name: str) -> Attachment:
        described = await self._store.describe(attachment_id)
        record = None if described is None else upload_record(described)
        if record is not None:
            return record.attachment
        content = await self._store.read(attachment_id, at_most=request.size)
        if len(content) != request.size:
            raise Refused("upload_out_of_order", {"name": name})
        try:
            media_type = sniffed(content)
        except NotAllowed:
            raise Refused("attachment_type_not_allowed", {"name": name, "allowed": _ALLOWED}) from None
        if self._scanner is not None and await self._scanner.finds(content):
            raise Refused("attachment_infected", {"name": name})
        attachment = Attachment(
            id=attachment_id,
            name=name,
            media_type=media_type,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        record = UploadRecord(account=request.account, actor=request.actor, attachment=attachment)
        await self._store.finish(attachment_id, attachment_id, content, {"upload": record.model_dump_json()})
        log.info("attachments.uploaded", attachment=attachment_id, size=len(content), type=media_type)
        return attachment
