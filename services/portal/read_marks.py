"""Up to where people have read their tickets, for the unread marks of a list.

    <person>.<account>  ->  {"since": position, "read": {ticket number: position}}

A bucket of its own, since a session ends with the day and what was read should stay read. Everything up to
`since` counts as read: it begins with where the log was at the first visit, and rises when the entry would
grow too large, so that the oldest marks go first. Marks are a courtesy: when they cannot be had, nothing is
marked, and when two windows write at once, one of two tickets may be marked again.
"""

from __future__ import annotations

from typing import Final

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.subjects import READ_MARKS, bucket_stream
from contracts.tickets.requests import TicketSummary

MAX_TICKETS: Final = 500
_TRIES: Final = 3


class Marks(BaseModel):
    """What one person has read in one account."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    since: int
    read: dict[str, int] = {}

    def has_news(self, ticket: TicketSummary, person: str) -> bool:
        """Whether somebody else did something on the ticket that the person has not seen."""
        if ticket.updated_by.id == person:
            return False
        return ticket.position > max(self.since, self.read.get(ticket.number, 0))

    def after_reading(self, number: str, position: int) -> Marks:
        """The marks after the person has seen a ticket up to a position."""
        if position <= max(self.since, self.read.get(number, 0)):
            return self
        read = {**self.read, number: position}
        if len(read) <= MAX_TICKETS:
            return Marks(since=self.since, read=read)
        oldest = min(read, key=read.__getitem__)
        return Marks(since=read.pop(oldest), read=read)


class ReadMarks:
    """Reads and writes them."""

    def __init__(self, js: JetStreamContext) -> None:
        self._kv = KeyValue(
            name=READ_MARKS,
            stream=bucket_stream(READ_MARKS),
            pre=f"$KV.{READ_MARKS}.",
            js=js,
            direct=False,
        )

    async def of(self, person: str, account: str, *, position: int) -> Marks | None:
        """What somebody has read; begun at `position` if this is the first time. None: it is not known."""
        try:
            found = await self._read(f"{person}.{account}")
            if found is not None:
                return found[0]
            begun = Marks(since=position)
            await self._kv.create(f"{person}.{account}", begun.model_dump_json().encode())
        except KeyWrongLastSequenceError:  # begun by another request at this moment
            return Marks(since=position)
        except (nats.errors.Error, APIError, TimeoutError):
            return None
        return begun

    async def note(self, person: str, account: str, number: str, position: int) -> None:
        """Somebody has seen a ticket up to a position."""
        key = f"{person}.{account}"
        try:
            for _ in range(_TRIES):
                found = await self._read(key)
                marks, revision = (Marks(since=0), 0) if found is None else found
                after = marks.after_reading(number, position)
                if after == marks:
                    return
                try:
                    await self._kv.update(key, after.model_dump_json().encode(), last=revision)
                except KeyWrongLastSequenceError:
                    continue
                return
        except (nats.errors.Error, APIError, TimeoutError):
            return  # see above: a courtesy

    async def _read(self, key: str) -> tuple[Marks, int] | None:
        try:
            entry = await self._kv.get(key)
        except KeyNotFoundError:
            return None
        if entry.value is None or entry.revision is None:
            return None
        try:
            return Marks.model_validate_json(entry.value), entry.revision
        except ValidationError:  # of a version that we do not understand
            return Marks(since=0), entry.revision
