"""The events of a ticket, version 1.

How to change this file: see the rules of evolution in `contracts/__init__.py`. Never edit a published
model other than by adding an optional field; the check `make lint` compares with every version that was
ever committed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter

from contracts.attachments.files import MAX_ATTACHMENTS, Attachment
from contracts.envelope import Actor, Envelope, Published
from contracts.number import TicketNumber
from contracts.text import Body, Code, Line, ShortLine, Title

MAX_IDENTIFIERS: Final = 20
MAX_ANSWERS: Final = 200

Attachments = Annotated[tuple[Attachment, ...], Field(max_length=MAX_ATTACHMENTS)]


class CloseReason(StrEnum):
    """Why a ticket was closed."""

    SOLVED = "solved"
    NO_ANSWER = "no_answer"
    DUPLICATE = "duplicate"
    DECLINED = "declined"


class Identifier(Published):
    """Something by which a ticket can be found again: a merchant ID, an earlier reference ID."""

    kind: Code
    value: ShortLine


class Answer(Published):
    """An answer to a question of the questionnaire, with the question as it was worded."""

    link_id: ShortLine
    question: Line
    values: Annotated[tuple[Body, ...], Field(min_length=1, max_length=20)]


class OpenedContent(Published):
    """What may be personal in an opened ticket."""

    title: Title
    message: Body
    identifiers: Annotated[tuple[Identifier, ...], Field(max_length=MAX_IDENTIFIERS)] = ()
    answers: Annotated[tuple[Answer, ...], Field(max_length=MAX_ANSWERS)] = ()
    attachments: Attachments = ()


class Opened(Published):
    """A ticket was opened."""

    topic: Code
    opened_by: Actor
    questionnaire: Annotated[ShortLine | None, Field(description="url|version, as in FHIR")] = None
    follows: Annotated[TicketNumber | None, Field(description="The ticket that this one follows up")] = None
    submission: Annotated[ShortLine | None, Field(description="The submission that asked for it")] = None
    content: OpenedContent


class RepliedContent(Published):
    """What may be personal in a reply."""

    text: Body
    attachments: Attachments = ()


class Replied(Published):
    """Somebody answered on an open ticket."""

    reply_id: Annotated[str, Field(min_length=1, max_length=64)]
    author: Actor
    content: RepliedContent


class ClosedContent(Published):
    """What may be personal in a closing."""

    note: Body | None = None


class Closed(Published):
    """An open ticket was closed."""

    reason: CloseReason
    closed_by: Actor
    content: ClosedContent = ClosedContent()


class ReopenedContent(Published):
    """What may be personal in a reopening."""

    reason: Body


class Reopened(Published):
    """A closed ticket was opened again."""

    reopened_by: Actor
    content: ReopenedContent


class OpenedV1(Envelope):
    """Event: a ticket was opened."""

    type: Literal["casetrail.ticket.opened.v1"] = "casetrail.ticket.opened.v1"
    data: Opened


class RepliedV1(Envelope):
    """Event: somebody answered on an open ticket."""

    type: Literal["casetrail.ticket.replied.v1"] = "casetrail.ticket.replied.v1"
    data: Replied


class ClosedV1(Envelope):
    """Event: an open ticket was closed."""

    type: Literal["casetrail.ticket.closed.v1"] = "casetrail.ticket.closed.v1"
    data: Closed


class ReopenedV1(Envelope):
    """Event: a closed ticket was opened again."""

    type: Literal["casetrail.ticket.reopened.v1"] = "casetrail.ticket.reopened.v1"
    data: Reopened


TicketEvent = Annotated[OpenedV1 | RepliedV1 | ClosedV1 | ReopenedV1, Field(discriminator="type")]


class RecordedEvent(NamedTuple):
    """An event and where it stands in the log."""

    position: int
    event: OpenedV1 | RepliedV1 | ClosedV1 | ReopenedV1


_ADAPTER: Final[TypeAdapter[OpenedV1 | RepliedV1 | ClosedV1 | ReopenedV1]] = TypeAdapter(
    TicketEvent, config=ConfigDict(hide_input_in_errors=True)
)


def parse_ticket_event(payload: bytes | str) -> OpenedV1 | RepliedV1 | ClosedV1 | ReopenedV1:
    """The event in a message's payload.

    Raises:
        pydantic.ValidationError: not an event of a ticket that this version of the contract knows.
    """
    return _ADAPTER.validate_json(payload)
