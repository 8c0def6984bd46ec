"""Keeping the files of tickets: copied from `UPLOADS`, which forgets, to `ATTACHMENTS`, which does not.

A copy is made as often as the event is delivered, until its description is there; then it is done.
"""

from __future__ import annotations

from typing import Final

import structlog
from nats.aio.client import Client
from nats.nuid import NUID
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts import subjects
from contracts.attachments.files import Attachment
from contracts.number import TicketNumber
from contracts.text import AccountId
from contracts.tickets.events import (
    ClosedV1,
    OpenedV1,
    ReopenedV1,
    RepliedV1,
    TicketEvent,
    parse_ticket_event,
)
from services.files.store import Damaged, Description, FileStore
from services.runtime.events import Retry, Subscribers

AnyTicketEvent = OpenedV1 | RepliedV1 | ClosedV1 | ReopenedV1

KEEPER: Final = "attachments-keeper"
"""The durable consumer; all replicas of the service share it."""

RETRY: Final = Retry(deliveries=2_000, first_s=0.5, longest_s=60.0)
"""More than a day, of the forty that an upload is there; what is not copied then is a dead letter."""

log = structlog.get_logger()


class KeptRecord(BaseModel):
    """A file of a ticket."""

    model_config = ConfigDict(frozen=True)

    account: AccountId
    ticket: TicketNumber
    attachment: Attachment


class UploadGone(Exception):
    """A ticket names a file that is not in the store."""


class Keeper:
    """Copies files."""

    def __init__(self, nc: Client) -> None:
        self._uploads = FileStore(nc, subjects.UPLOADS)
        self._attachments = FileStore(nc, subjects.ATTACHMENTS)

    async def keep(self, event: AnyTicketEvent, _position: int) -> None:
        """Keeps the files of a ticket's message.

        Raises:
            UploadGone, Damaged, Unavailable: a file could not be copied yet.
        """
        if not isinstance(event, OpenedV1 | RepliedV1):
            return
        for attachment in event.data.content.attachments:
            await self._keep(attachment, account=event.account, ticket=event.subject)

    async def _keep(self, attachment: Attachment, *, account: str, ticket: str) -> None:
        if await self._attachments.describe(attachment.id) is not None:
            return
        upload = await self._uploads.describe(attachment.id)
        if upload is None:
            raise UploadGone(attachment.id)
        content = await self._uploads.load(upload)
        if len(content) != attachment.size or upload.sha256 != attachment.sha256:
            raise Damaged(attachment.id)
        record = KeptRecord(account=account, ticket=ticket, attachment=attachment)
        nuid = NUID().next().decode()  # a new one for each attempt: chunks of one that failed are nobody's
        await self._attachments.write(attachment.id, nuid, content, {"kept": record.model_dump_json()})
        log.info("attachments.kept", attachment=attachment.id, size=attachment.size)


def kept_record(description: Description) -> KeptRecord | None:
    """What the description of a ticket's file says; None for one that is none of ours."""
    try:
        return KeptRecord.model_validate_json(description.metadata.get("kept", ""))
    except ValidationError:
        return None


def subscribe(subscribers: Subscribers, keeper: Keeper) -> None:
    """Have the files of every message kept."""
    subscribers.subscribe(
        subjects.TICKETS,
        subjects.ticket_events("*", "*"),
        name=KEEPER,
        parse=parse_ticket_event,
        handler=keeper.keep,
        schema=TicketEvent,
        retry=RETRY,
    )
