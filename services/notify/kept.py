"""E-mails as they came in, out of the object store, and what stands in them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from services.files.store import Damaged, FileStore
from services.notify.received.headers import Headers
from services.notify.received.mime import ReadMail, read
from services.notify.received.reply import Reply, reply_text

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMail:
    """An e-mail, byte by byte, and read: its headers, its parts, the new text in it."""

    raw: bytes
    headers: Headers
    mail: ReadMail
    reply: Reply

    @property
    def message_id(self) -> str | None:
        """Its Message-ID, if it has one."""
        return next(iter(self.headers.message_ids("Message-ID")), None)


class KeptMails:
    """Reads what the listener kept."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    async def raw(self, received: str) -> bytes | None:
        """The bytes; None: they are not there, or not those that came in. Raises Unavailable."""
        description = await self._store.describe(received)
        if description is None:
            return None
        try:
            return await self._store.load(description)
        except Damaged:
            log.error("mail.kept_damaged", received=received)
            return None

    async def read(self, received: str) -> KeptMail | None:
        """The e-mail, read on a thread: a large one takes a while. Raises Unavailable."""
        raw = await self.raw(received)
        return None if raw is None else await asyncio.to_thread(read_kept, raw)


def read_kept(raw: bytes) -> KeptMail:
    """What stands in an e-mail. Takes a while for a large one."""
    mail = read(raw)
    return KeptMail(raw=raw, headers=Headers(raw), mail=mail, reply=reply_text(mail))
