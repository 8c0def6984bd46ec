"""Interest forms that wait for their confirmation, and those that were confirmed: the bucket `INTERESTS`.

    <reference>  ->  the interest

An entry is created once and replaced once, when it is confirmed: what it said is in the log then, and not
here any more. It goes by itself some days after it was last written.
"""

from __future__ import annotations

from typing import NamedTuple

from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from contracts.intake.requests import PendingInterest
from contracts.requests import Position
from contracts.subjects import INTERESTS, bucket_stream
from services.runtime.errors import Unavailable


class KeptInterest(PendingInterest):
    """With the position of the submission in the log of intake, once it is confirmed."""

    position: Position | None = None


class Found(NamedTuple):
    """An entry and its revision."""

    interest: KeptInterest
    revision: int


class PendingInterests:
    """Every method raises `nats.errors.Error` when the broker is away or the bucket is full."""

    def __init__(self, js: JetStreamContext) -> None:
        stream = bucket_stream(INTERESTS)
        self._kv = KeyValue(name=INTERESTS, stream=stream, pre=f"$KV.{INTERESTS}.", js=js, direct=False)

    async def find(self, reference: str) -> Found | None:
        """The entry, as the bucket's leader has it. Raises Unavailable for one that cannot be read here."""
        try:
            entry = await self._kv.get(reference)
        except KeyNotFoundError:
            return None
        if entry.value is None or entry.revision is None:  # it has just reached the end of its time
            return None
        try:
            return Found(KeptInterest.model_validate_json(entry.value), entry.revision)
        except ValueError as error:  # of a later version of this service, as in a rolling upgrade
            raise Unavailable("event_unknown") from error

    async def create(self, interest: KeptInterest) -> bool:
        """False, and nothing is written, if there is one already."""
        try:
            await self._kv.create(interest.reference, _stored(interest))
        except KeyWrongLastSequenceError:
            return False
        return True

    async def confirm(self, found: Found, position: int) -> None:
        """Keep that it was confirmed, and nothing of what it said. May be repeated."""
        confirmed = found.interest.model_copy(
            update={"email": "", "answers": {}, "confirmed": True, "position": position}
        )
        try:
            await self._kv.update(found.interest.reference, _stored(confirmed), last=found.revision)
        except KeyWrongLastSequenceError:  # by another replica: with the same position
            return


def _stored(interest: KeptInterest) -> bytes:
    return interest.model_dump_json(exclude_none=True).encode()
