"""Files going out, for those who may see their ticket.

A file on a ticket stands in the store `ATTACHMENTS`, with the account that the ticket is of. Before it is
there, only whoever uploaded it gets it. What is sent is a download: its type says what it is, and whoever
serves it to a browser must say that it is not to be shown.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from nats.aio.client import Client

from contracts.access.roles import Permission
from contracts.attachments.files import Attachment
from contracts.attachments.requests import MAX_CHUNK_BYTES, AttachmentChunk, DownloadAttachment
from contracts.subjects import ATTACHMENTS, UPLOADS
from services.attachments.keep import kept_record
from services.files.store import Description, FileStore, upload_record
from services.guard.guard import Guard
from services.guard.picture import AccountUnknown
from services.runtime.errors import NotFound

COPIED_WITHIN_S: Final = 3.0
"""How long a file that a ticket names may take to be copied."""

CACHED_BYTES: Final = 64 << 20

_LOOK_EVERY_S: Final = 0.1


class Downloads:
    """Gives files out, in chunks."""

    def __init__(self, nc: Client, guard: Guard) -> None:
        self._uploads = FileStore(nc, UPLOADS)
        self._attachments = FileStore(nc, ATTACHMENTS)
        self._guard = guard
        self._loaded = _Loaded()

    async def download(self, request: DownloadAttachment) -> AttachmentChunk:
        """Some bytes of a file.

        Raises:
            NotFound: there is no such file for the actor in this account.
            Refused: the actor may not see the account's tickets.
        """
        try:
            return await self._download(request)
        except AccountUnknown:  # nobody is told whether the account or the file is missing
            raise NotFound("attachment_not_found", {"attachment": request.attachment}) from None

    async def _download(self, request: DownloadAttachment) -> AttachmentChunk:
        await self._guard.require(request.actor, request.account, Permission.TICKET_READ)
        store, description, attachment = await self._find(request)
        content = self._loaded.get(description.nuid)
        if content is None:
            content = await store.load(description)
            self._loaded.put(description.nuid, content)
        end = request.offset + MAX_CHUNK_BYTES
        self._guard.check(request.actor, request.account, Permission.TICKET_READ)
        return AttachmentChunk.model_construct(
            name=attachment.name,
            media_type=attachment.media_type,
            size=attachment.size,
            data=content[request.offset : end],
            next_offset=end if end < len(content) else None,
        )

    async def _find(self, request: DownloadAttachment) -> tuple[FileStore, Description, Attachment]:
        deadline = asyncio.get_running_loop().time() + COPIED_WITHIN_S
        while True:
            found = await self._kept(request) or await self._own(request)
            if found is not None:
                return found
            upload = await self._uploads.describe(request.attachment)
            if upload is None or asyncio.get_running_loop().time() > deadline:
                raise NotFound("attachment_not_found", {"attachment": request.attachment})
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _kept(self, request: DownloadAttachment) -> tuple[FileStore, Description, Attachment] | None:
        description = await self._attachments.describe(request.attachment)
        record = None if description is None else kept_record(description)
        if description is None or record is None or record.account != request.account:
            return None
        return self._attachments, description, record.attachment

    async def _own(self, request: DownloadAttachment) -> tuple[FileStore, Description, Attachment] | None:
        description = await self._uploads.describe(request.attachment)
        record = None if description is None else upload_record(description)
        if description is None or record is None:
            return None
        if not record.is_by(request.actor, request.account):
            return None
        return self._uploads, description, record.attachment


class _Loaded:
    """Files given out lately: the next chunk is asked for in a moment."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    def get(self, nuid: str) -> bytes | None:
        content = self._files.get(nuid)
        if content is not None:
            self._files.move_to_end(nuid)
        return content

    def put(self, nuid: str, content: bytes) -> None:
        if nuid in self._files:
            return
        self._files[nuid] = content
        self._size += len(content)
        while self._size > CACHED_BYTES:
            _, oldest = self._files.popitem(last=False)
            self._size -= len(oldest)
