"""The requests of the ticket service: commands that change a ticket, queries that show it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator
from pydantic_core import PydanticCustomError

from contracts import subjects
from contracts.attachments.files import MAX_ATTACHMENTS, Attachment, AttachmentId
from contracts.envelope import Actor, Timestamp
from contracts.number import TicketNumber
from contracts.requests import Answered, Command, Position, Query, Sent
from contracts.text import AccountId, Body, Code, ShortLine, Title
from contracts.tickets.events import (
    MAX_ANSWERS,
    MAX_IDENTIFIERS,
    Answer,
    CloseReason,
    Identifier,
)

SERVICE: Final = "tickets"
OPEN: Final = subjects.request(SERVICE, "open")
REPLY: Final = subjects.request(SERVICE, "reply")
CLOSE: Final = subjects.request(SERVICE, "close")
REOPEN: Final = subjects.request(SERVICE, "reopen")
GET: Final = subjects.request(SERVICE, "get")
HISTORY: Final = subjects.request(SERVICE, "history")
LIST: Final = subjects.request(SERVICE, "list")
LOOKUP: Final = subjects.request(SERVICE, "lookup")
TOPICS: Final = subjects.request(SERVICE, "topics")
SUBMISSION: Final = subjects.request(SERVICE, "submission")

MAX_ANSWERS_BYTES: Final = 256 * 1024
DEFAULT_TOPIC: Final = "other"

AttachmentIds = Annotated[
    tuple[AttachmentId, ...],
    Field(max_length=MAX_ATTACHMENTS, description="Files that the actor uploaded for this account"),
]


class TicketStatus(StrEnum):
    """Whether a ticket takes replies."""

    OPEN = "open"
    CLOSED = "closed"


class SentIdentifier(Identifier, Sent):  # the last one's configuration holds
    """An identifier, as a caller sends it."""


class SentAnswer(Answer, Sent):  # the last one's configuration holds
    """An answer to a questionnaire, as a caller sends it."""


class OpenTicket(Command):
    """Open a ticket. Its number follows from the account and the command id."""

    title: Title
    message: Body
    topic: Code = DEFAULT_TOPIC
    questionnaire: ShortLine | None = None
    answers: Annotated[tuple[SentAnswer, ...], Field(max_length=MAX_ANSWERS)] = ()
    identifiers: Annotated[tuple[SentIdentifier, ...], Field(max_length=MAX_IDENTIFIERS)] = ()
    follows: TicketNumber | None = None
    attachments: AttachmentIds = ()

    @field_validator("answers")
    @classmethod
    def _answers_fit_into_a_message(cls, answers: tuple[SentAnswer, ...]) -> tuple[SentAnswer, ...]:
        size = sum(len(text.encode()) for answer in answers for text in (answer.question, *answer.values))
        if size > MAX_ANSWERS_BYTES:
            raise PydanticCustomError(
                "answers_too_long",
                "has answers of {size} bytes in all, at most {limit} are allowed",
                {"size": size, "limit": MAX_ANSWERS_BYTES},
            )
        return answers


class TicketCommand(Command):
    """Asks for a change of a ticket that exists."""

    number: TicketNumber


class ReplyToTicket(TicketCommand):
    """Answer on an open ticket."""

    text: Body
    attachments: AttachmentIds = ()


class CloseTicket(TicketCommand):
    """Close an open ticket."""

    reason: CloseReason
    note: Body | None = None


class ReopenTicket(TicketCommand):
    """Open a closed ticket again."""

    reason: Body


class CommandDone(Answered):
    """The command's effect, which is in the log. A repeated command has the same answer."""

    number: TicketNumber
    account: AccountId
    status: Annotated[TicketStatus, Field(description="The ticket's status right after this command")]
    revision: Annotated[int, Field(description="The revision that this command made")]
    position: Annotated[Position, Field(description="Pass it as `at_least` to see this change in any query")]
    event_id: str
    at: Timestamp


def _rfc3339(value: object) -> object:
    """Text as RFC 3339 has it; pydantic by itself also takes digits alone, as Unix time."""
    if not isinstance(value, str):
        return value
    try:
        if not value.isdigit():
            return datetime.fromisoformat(value)
    except ValueError:
        pass
    raise PydanticCustomError("datetime_parsing", "must be a date and time (RFC 3339)")


class GetTicket(Query):
    """One ticket, as it stands, or as it stood at a revision, a position of the log, or a time."""

    number: TicketNumber
    account: Annotated[AccountId | None, Field(description="Only if it is this account's")] = None
    as_of_revision: Annotated[int | None, Field(ge=1, lt=2**63)] = None
    as_of_position: Annotated[int | None, Field(ge=1, lt=2**63)] = None
    as_of_time: Annotated[Timestamp | None, BeforeValidator(_rfc3339)] = None

    @model_validator(mode="after")
    def _as_of_one_thing(self) -> GetTicket:
        given = [self.as_of_revision, self.as_of_position, self.as_of_time]
        if sum(value is not None for value in given) > 1:
            raise PydanticCustomError(
                "as_of_more_than_one", "names more than one of as_of_revision, as_of_position and as_of_time"
            )
        return self


class TicketSummary(Answered):
    """A ticket as one line of a list."""

    number: TicketNumber
    account: AccountId
    status: TicketStatus
    title: str
    topic: Code
    opened_by: Actor
    opened_at: Timestamp
    opened_position: Annotated[Position, Field(description="Lists are in descending order of it")]
    updated_at: Timestamp
    updated_by: Actor
    revision: int
    position: Annotated[Position, Field(description="Position of the ticket's last event")]
    replies: int
    unanswered_since: Annotated[
        Timestamp | None,
        Field(
            description="Of an open ticket: since when the partner's side waits for an answer; absent: not"
        ),
    ] = None


class Closing(Answered):
    """Why and by whom a ticket was closed."""

    reason: CloseReason
    note: str | None = None
    closed_by: Actor
    at: Timestamp


class Ticket(TicketSummary):
    """A ticket without its replies, which are in its history."""

    message: str
    questionnaire: str | None = None
    answers: tuple[Answer, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    follows: TicketNumber | None = None
    submission: str | None = None
    attachments: Annotated[tuple[Attachment, ...], Field(description="Of the first message")] = ()
    closing: Annotated[Closing | None, Field(description="While the ticket is closed")] = None


class TicketHistory(Query):
    """A ticket's events in order, a page at a time."""

    number: TicketNumber
    account: AccountId | None = None
    after_revision: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class RecordedDocument(Answered):
    """An event as it stands in the log, with every field that it has there, and its position.

    Which type it is of, and whether the caller knows that type, is for `contracts.tickets.events` to say.
    """

    position: Position
    event: Annotated[
        dict[str, Any],
        WithJsonSchema({"type": "object", "description": "A CloudEvents 1.0 document, see ../events"}),
    ]


class HistoryPage(Answered):
    """Events of a ticket; a page ends early where it would outgrow a message."""

    number: TicketNumber
    account: AccountId
    events: tuple[RecordedDocument, ...]
    next_after_revision: Annotated[
        int | None, Field(description="For the next page; absent: this is the last")
    ] = None


class IdentifierFilter(Sent):
    """An identifier to find tickets by; without a kind, any kind's value."""

    kind: Code | None = None
    value: ShortLine


class TicketOrder(StrEnum):
    """In which order tickets are listed."""

    NEWEST = "newest"
    OLDEST_UNANSWERED = "oldest_unanswered"


class ListTickets(Query):
    """Tickets, newest first; all filters hold at once.

    `order: oldest_unanswered` lists those that wait for an answer, who waits longest first, and takes only
    the filters account and topic. Its pages go on with `after`, those of the other order with `before`.

    `words` finds tickets in which each word stands somewhere (title, texts, answers, identifiers), in any
    case and with or without diacritics; `rezerw*` finds words that begin so.
    """

    account: AccountId | None = None
    status: TicketStatus | None = None
    topic: Code | None = None
    unanswered: Annotated[
        bool, Field(description="Only open ones on which nobody of the platform did anything since")
    ] = False
    number: TicketNumber | None = None
    identifier: IdentifierFilter | None = None
    words: Annotated[ShortLine | None, Field(description="At most 128 characters and 12 words")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    before: Annotated[Position | None, Field(description="`next_before` of the page before")] = None
    order: TicketOrder = TicketOrder.NEWEST
    after: Annotated[Position | None, Field(description="`next_after` of the page before")] = None

    @model_validator(mode="after")
    def _filters_fit_the_order(self) -> ListTickets:
        if self.order is TicketOrder.NEWEST:
            unfit = {"after": self.after}
        else:
            unfit = {
                name: getattr(self, name) for name in ("status", "number", "identifier", "words", "before")
            }
        for name, value in unfit.items():
            if value is not None:
                raise PydanticCustomError(
                    "not_in_this_order",
                    "takes no {name} in the order {order}",
                    {"name": name, "order": self.order.value},
                )
        return self


class StatusCounts(Answered):
    """How many tickets there are of each status, of the account asked for or of all; filters aside."""

    open: int
    closed: int


class TicketPage(Answered):
    """A page of a list. A search may end one early: with `next_before` it may have few tickets, or none."""

    tickets: tuple[TicketSummary, ...]
    next_before: Annotated[
        Position | None, Field(description="For the next page; absent: this is the last")
    ] = None
    next_after: Annotated[
        Position | None, Field(description="The same, in the order `oldest_unanswered`")
    ] = None
    counts: StatusCounts
    unanswered: Annotated[
        int, Field(description="How many wait for an answer, of the account asked for or of all")
    ] = 0
    position: Annotated[Position, Field(description="The log's position that this page shows")]


class ListTopics(Query):
    """The topics that tickets have, of an account or of all; first those with most open tickets."""

    account: AccountId | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 200


class TopicCounts(StatusCounts):
    """How many tickets of a topic there are."""

    topic: Code
    unanswered: Annotated[int, Field(description="How many of the open ones wait for an answer")]


class TopicList(Answered):
    """Topics, and the log's position that they are of."""

    topics: tuple[TopicCounts, ...]
    position: Position


class LookUp(Query):
    """Find tickets by anything that a person may hold in hands: a number, a reference ID, an identifier."""

    value: ShortLine
    account: AccountId | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 20


class FoundAs(StrEnum):
    """What the value looked up was."""

    NUMBER = "number"
    IDENTIFIER = "identifier"


class Match(Answered):
    """A ticket that was found."""

    found_as: FoundAs
    kind: Annotated[Code | None, Field(description="The identifier's kind")] = None
    ticket: TicketSummary


class LookUpResult(Answered):
    """What was found, the surest first."""

    matches: tuple[Match, ...]
    number_mistyped: Annotated[
        bool, Field(description="Ten digits with a wrong check digit: no ticket can have that number")
    ] = False


class GetSubmission(Query):
    """The ticket that was opened from a submission; one that is still to be opened is waited for."""

    account: AccountId
    submission: ShortLine
    wait_s: Annotated[int, Field(ge=0, le=8, description="Seconds; then `ticket_not_opened_yet`")] = 0


class SubmissionTicket(Answered):
    """The ticket of a submission."""

    number: TicketNumber
    account: AccountId
    submission: str
    position: Annotated[Position, Field(description="Of its opening; pass it as `at_least`")]
