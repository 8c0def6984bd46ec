"""Questionnaires that are being answered: entries of a NATS KV bucket, which live for 30 days after a change.

    <person>.<account>.<draft>  ->  the draft

A draft is only written over what was read of it, so of two windows one is told that it came too late. Once it
is submitted, the entry says so and nothing else: the answers are in the log.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Final

from nats.js import JetStreamContext
from nats.js.errors import APIError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KV_DEL, KeyValue
from pydantic import BaseModel, ConfigDict, Field

from contracts.access.people import LanguageTag
from contracts.envelope import Actor, Timestamp, Via
from contracts.number import TicketNumber
from contracts.subjects import DRAFTS, bucket_stream
from contracts.text import AccountId, CommandId
from services.runtime.errors import Unavailable

KEPT_FOR: Final = timedelta(days=30)
"""The age of an entry at which the bucket forgets it."""

MAX_DRAFTS: Final = 20
"""Of a person in an account."""

_PREFIX: Final = f"$KV.{DRAFTS}."
_CONFLICTS: Final = (10071, 10164)
_READ_AT_ONCE: Final = 50


class Turn(BaseModel):
    """The last page that was answered: a repeated request is known by it."""

    model_config = ConfigDict(frozen=True)

    command_id: CommandId
    revision: int
    said: str


class Draft(BaseModel):
    """A questionnaire that somebody answers. `page` is where it was left; None: at the review."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    draft: str
    actor: Actor
    account: AccountId
    questionnaire: str
    language: LanguageTag
    via: Via
    message: str
    follows: TicketNumber | None = None
    answers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    page: str | None = None
    started_at: Timestamp
    updated_at: Timestamp
    begun_as: Annotated[str, Field(description="Digest of the request that began it")]
    last: Turn | None = None
    asked_for: Annotated[bool, Field(description="Submit was pressed: the log may have it")] = False
    is_submitted: bool = False

    @property
    def expires_at(self) -> datetime:
        """When the bucket forgets it, unless it changes before."""
        return self.updated_at + KEPT_FOR


class Kept(BaseModel):
    """A draft, and the revision of its entry."""

    model_config = ConfigDict(frozen=True)

    draft: Draft
    revision: int


class DraftChanged(Exception):
    """Somebody has changed the draft since it was read."""


class Drafts:
    """Reads and writes drafts. Every method raises `nats.errors.Error` when the broker is away."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        stream = bucket_stream(DRAFTS)
        self._kv = KeyValue(name=DRAFTS, stream=stream, pre=_PREFIX, js=js, direct=False)

    async def get(self, actor: Actor, account: str, draft: str) -> Kept | None:
        """The draft of this person in this account, submitted ones too."""
        return await self._read(_entry(actor, account, draft))

    async def put(self, draft: Draft, *, over: int) -> int:
        """Write the draft over the revision that was read, 0 for a new one; returns its revision.

        Raises:
            DraftChanged: there is another revision by now.
        """
        value = draft.model_dump_json(exclude_none=True).encode()
        try:
            return await self._kv.update(_entry(draft.actor, draft.account, draft.draft), value, last=over)
        except KeyWrongLastSequenceError:
            raise DraftChanged from None

    async def discard(self, kept: Kept) -> None:
        """Forget the draft at once.

        Raises:
            DraftChanged: there is another revision by now.
        """
        draft = kept.draft
        try:
            await self._kv.delete(_entry(draft.actor, draft.account, draft.draft), last=kept.revision)
        except APIError as error:
            if error.err_code not in _CONFLICTS:
                raise
            raise DraftChanged from None

    async def was_discarded(self, actor: Actor, account: str, draft: str) -> bool:
        """Whether this person threw it away, as far back as the bucket remembers."""
        try:
            await self._kv.get(_entry(actor, account, draft))
        except KeyNotFoundError as missing:
            return bool(missing.op == KV_DEL)
        return False

    async def list(self, actor: Actor, account: str) -> list[Kept]:
        """The drafts of this person in this account that are not submitted, the one changed last first."""
        subjects = f"{_PREFIX}{actor.id}.{account}.*"
        found = await self._js.stream_info(bucket_stream(DRAFTS), subjects_filter=subjects)
        entries = [subject.removeprefix(_PREFIX) for subject in found.state.subjects or {}]
        read: list[Kept | None] = []
        for start in range(0, len(entries), _READ_AT_ONCE):  # those submitted lately are among them
            read += await asyncio.gather(*map(self._read, entries[start : start + _READ_AT_ONCE]))
        kept = [each for each in read if each is not None and not each.draft.is_submitted]
        return sorted(
            (each for each in kept if each.draft.actor == actor),
            key=lambda each: each.draft.updated_at,
            reverse=True,
        )

    async def _read(self, entry: str) -> Kept | None:
        try:
            found = await self._kv.get(entry)
        except KeyNotFoundError:
            return None
        if found.value is None or found.revision is None:  # it has just reached the end of its time
            return None
        try:
            return Kept(draft=Draft.model_validate_json(found.value), revision=found.revision)
        except ValueError as error:  # of a later version of this service, as in a rolling upgrade
            raise Unavailable("draft_unknown") from error


def _entry(actor: Actor, account: str, draft: str) -> str:
    return f"{actor.id}.{account}.{draft}"
