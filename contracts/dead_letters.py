"""Dead letters: what stands beside an event that a subscriber gave up on, and how it is handled again.

A dead letter is a message of the stream `DEAD_LETTERS`: the event's bytes, and headers that say which event
it was, whose, and why. A message with `RETRIED_HEADER` is none: it says that a letter is settled.

For the operator's terminal only, so the request is not among those that are published.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from contracts import subjects
from contracts.requests import Answered, Sent, SentActor

SUBJECT_HEADER: Final = "Casetrail-Subject"
POSITION_HEADER: Final = "Casetrail-Position"
REASON_HEADER: Final = "Casetrail-Reason"
DELIVERIES_HEADER: Final = "Casetrail-Deliveries"
LETTER_HEADER: Final = "Nats-Msg-Id"
"""The letter's id, `letter_id`: the server drops a repeat that comes within seconds."""
RETRIED_HEADER: Final = "Casetrail-Retried"
"""The id of the letter that was handled since."""

Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def letter_id(service: str, subscriber: str, stream: str, position: int) -> str:
    """What tells a dead letter from others: one per subscriber and event, however often it was given up."""
    return f"{service}.{subscriber}.{stream}.{position}"


def retry_request(service: str) -> str:
    """The subject of `RetryEvent`."""
    return subjects.request(service, "retry")


class RetryEvent(Sent):
    """Has a subscriber handle an event once more, out of its turn. May be sent again."""

    actor: SentActor
    subscriber: Annotated[Token, Field(description="The durable consumer's name")]
    stream: Token
    position: Annotated[int, Field(ge=1, lt=2**63, description="Of the event in its stream")]


class EventRetried(Answered):
    """What became of it. The first two settle the letter; after the others it stands as before."""

    outcome: Annotated[
        Literal["handled", "gone", "failed", "nobody"],
        Field(
            description="Handled; let go by its stream, so that nothing is left to do; failed again; "
            "there is no such subscriber"
        ),
    ]
    reason: Annotated[str | None, Field(description="Of what failed, on one line")] = None
