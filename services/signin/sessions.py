"""Who is signed in: each session is an entry of a NATS KV bucket, and the browser holds the only key to it.

    <person>.<SHA-256 of the secret>  ->  the session

The bucket knows secrets by their hashes only, so that reading it signs nobody in. A session is never
written but over the revision that was read: one that was ended meanwhile stays ended.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NamedTuple

from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.envelope import Timestamp
from contracts.subjects import SESSIONS_STREAM
from contracts.text import PersonId
from contracts.wording import Language
from services.signin.bucket import PREFIX, bucket

Clock = Callable[[], datetime]
"""The time now, in UTC."""

_KEY: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.([A-Za-z0-9_-]{43})")
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_SEEN_STEPS: Final = 30


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class Session(BaseModel):
    """Somebody who has signed in, in one browser."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    person: PersonId
    email: Annotated[str | None, Field(description="As the provider has verified it")] = None
    name: str | None = None
    language: Language | None = None
    issued_at: Timestamp
    seen_at: Annotated[Timestamp, Field(description="Of a request; up to a thirtieth of the idle time late")]


class Open(NamedTuple):
    """A session that has not ended. `name` is no key to it: it only says which one is to be ended."""

    name: str
    session: Session
    is_own: bool
    """It is the one that asks."""


class Sessions:
    """Begins, finds and ends sessions. Every method raises `nats.errors.Error` when the broker is away."""

    def __init__(
        self, js: JetStreamContext, *, idle: timedelta, absolute: timedelta, clock: Clock = utc_now
    ) -> None:
        """`idle` without a request, or `absolute` after signing in, and a session has ended."""
        self._js = js
        self._kv: KeyValue = bucket(js)
        self._idle = idle
        self._absolute = absolute
        self._clock = clock

    async def begin(
        self,
        person: PersonId,
        *,
        email: str | None = None,
        name: str | None = None,
        language: Language | None = None,
    ) -> str:
        """A new session; returns the key to it, which is known to nobody else and is not kept."""
        now = self._clock()
        session = Session(
            person=person, email=email, name=name, language=language, issued_at=now, seen_at=now
        )
        key = f"{person}.{secrets.token_urlsafe(32)}"
        await self._kv.create(_entry(key), _stored(session))
        return key

    async def find(self, key: str) -> Session | None:
        """The session that the key belongs to, if it has not ended; notes that it is in use."""
        if not _KEY.fullmatch(key):
            return None
        entry = _entry(key)
        while (read := await self._read(entry)) is not None:
            session, revision = read
            now = self._clock()
            if self._has_ended(session, now) or not key.startswith(f"{session.person}."):
                return None
            if now - session.seen_at < self._idle / _SEEN_STEPS:
                return session
            session = session.model_copy(update={"seen_at": now})
            try:
                await self._kv.update(entry, _stored(session), last=revision)
            except KeyWrongLastSequenceError:  # ended, or noted by another request: look again
                continue
            return session
        return None

    async def end(self, key: str) -> None:
        """End the session that the key belongs to. May be repeated."""
        if _KEY.fullmatch(key):
            await self._kv.delete(_entry(key))

    async def end_all(self, person: PersonId) -> int:
        """End every session of a person, in all browsers; returns how many there were."""
        ended = 0
        for entry in await self._entries(person):
            if await self._read(entry) is not None:
                await self._kv.delete(entry)
                ended += 1
        return ended

    async def of(self, key: str) -> list[Open]:
        """The sessions of the person whose session the key belongs to, the one in use last first."""
        if not _KEY.fullmatch(key):
            return []
        own, now = _entry(key), self._clock()
        found: list[Open] = []
        for entry in await self._entries(key.partition(".")[0]):
            read = await self._read(entry)
            if read is not None and not self._has_ended(read[0], now):
                found.append(Open(entry.partition(".")[2], read[0], entry == own))
        return sorted(found, key=lambda each: each.session.seen_at, reverse=True)

    async def end_one(self, person: PersonId, name: str) -> None:
        """End the session of a person that `of` calls so. May be repeated."""
        if _NAME.fullmatch(name):
            await self._kv.delete(f"{person}.{name}")

    async def _entries(self, person: str) -> list[str]:
        found = await self._js.stream_info(SESSIONS_STREAM, subjects_filter=f"{PREFIX}{person}.*")
        return [subject.removeprefix(PREFIX) for subject in found.state.subjects or {}]

    def _has_ended(self, session: Session, now: datetime) -> bool:
        return now - session.seen_at >= self._idle or now - session.issued_at >= self._absolute

    async def _read(self, entry: str) -> tuple[Session, int] | None:
        try:
            found = await self._kv.get(entry)
        except KeyNotFoundError:
            return None
        if (
            found.value is None or found.revision is None
        ):  # it has just reached the end of its time in the bucket
            return None
        try:
            return Session.model_validate_json(found.value), found.revision
        except ValidationError:  # of a version that we do not understand: its holder signs in again
            return None


def _entry(key: str) -> str:
    person, _, secret = key.partition(".")
    return f"{person}.{hashlib.sha256(secret.encode()).hexdigest()}"


def _stored(session: Session) -> bytes:
    return session.model_dump_json(exclude_none=True).encode()
