"""The confirmation of the interest form: queued for each form that waits, written when it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError
from nats.js.kv import KeyValue

from contracts.access.events import PLATFORM
from contracts.intake.requests import PendingInterest
from contracts.subjects import INTERESTS, Stream, bucket_stream
from services.notify import outgoing
from services.notify.commands import Commands
from services.notify.updates import InterestConfirmation
from services.runtime.events import Retry, Subscribers
from services.runtime.ids import derived_id

KIND: Final = "interest_confirmation"
CONFIRMATIONS: Final = "notify-interests"
"""The durable consumer; all replicas of the service share it."""

RETRY: Final = Retry(deliveries=2_000, first_s=0.5, longest_s=60.0)

_ASKED: Final = "asked"
_STREAM: Final = Stream(
    name=bucket_stream(INTERESTS), subjects=(f"$KV.{INTERESTS}.>",), description="Interest forms that wait"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry of the bucket, as the runtime delivers events."""

    interest: PendingInterest
    type: str = "interest"
    traceparent: str | None = None


def parse(payload: bytes) -> Kept:
    """Raises ValueError for what is no interest."""
    return Kept(PendingInterest.model_validate_json(payload))


def subscribe(subscribers: Subscribers, commands: Commands, *, domain: str) -> None:
    """Have a confirmation queued for every interest form. `domain` is that of our addresses."""

    async def queue(kept: Kept, _position: int) -> None:
        """Queues the e-mail that asks for a confirmation."""
        if not kept.interest.confirmed:
            await commands.queue(confirmation(kept.interest, domain=domain))

    subscribers.subscribe(
        _STREAM,
        _STREAM.subjects[0],
        name=CONFIRMATIONS,
        parse=parse,
        handler=queue,
        schema=PendingInterest,
        retry=RETRY,
    )


def confirmation(interest: PendingInterest, *, domain: str) -> outgoing.Letter:
    """The letter that asks for the confirmation: always the same for an interest."""
    mail = derived_id("mail", KIND, interest.reference)
    return outgoing.Letter(
        id=mail,
        account=PLATFORM,
        kind=KIND,
        cause=outgoing.Cause(event=interest.reference, type=KIND),
        why=_ASKED,
        email=interest.email,
        language=interest.language,
        reference=interest.reference,
        message_id=f"<{mail}@{domain}>",
    )


class Confirmations:
    """Writes confirmations."""

    def __init__(self, js: JetStreamContext, *, public_url: str) -> None:
        stream = bucket_stream(INTERESTS)
        self._kv = KeyValue(name=INTERESTS, stream=stream, pre=f"$KV.{INTERESTS}.", js=js, direct=False)
        self._public_url = public_url

    async def write(self, letter: outgoing.Letter, *, at: datetime) -> InterestConfirmation | None:
        """What the e-mail says; None: there is nothing to confirm any more. Raises `nats.errors.Error`."""
        try:
            entry = await self._kv.get(letter.cause.event)
        except KeyNotFoundError:
            return None
        if entry.value is None:  # it has just reached the end of its time
            return None
        interest = PendingInterest.model_validate_json(entry.value)
        if interest.confirmed or interest.expires_at <= at:
            return None
        return InterestConfirmation(
            link=f"{self._public_url}/interest/confirm?token={quote(interest.token, safe='')}",
            until=interest.expires_at,
        )
