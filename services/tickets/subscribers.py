"""What the ticket service reacts to: submissions, of which it opens the tickets."""

from __future__ import annotations

from typing import Final

from contracts import subjects
from contracts.intake.events import SubmittedV1
from services.runtime.events import Retry, Subscribers
from services.tickets.commands import Commands

SUBMISSIONS: Final = "tickets-submissions"
"""The durable consumer; all replicas of the service share it."""

RETRY: Final = Retry(deliveries=2_000, first_s=0.5, longest_s=60.0)
"""More than a day: what somebody submitted is not given up because a log does not answer. What cannot be
handled in all that time is a fault of ours: it is logged as an error and kept in `DEAD_LETTERS`."""


def subscribe(subscribers: Subscribers, commands: Commands) -> None:
    """Have a ticket opened from every submission. A repeated delivery finds the ticket."""

    async def open_ticket(event: SubmittedV1, _position: int) -> None:
        """Opens the ticket that was asked for."""
        await commands.open_submitted(event)

    subscribers.subscribe(
        subjects.INTAKE,
        subjects.submission_events("*", "*"),
        name=SUBMISSIONS,
        parse=SubmittedV1.model_validate_json,
        handler=open_ticket,
        schema=SubmittedV1,
        retry=RETRY,
    )
