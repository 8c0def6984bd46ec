"""The rules of a ticket: its facts, its state, and what may happen to it.

    decide(command, ticket) -> facts        what a command does, or a Refusal; () if it was done before
    evolve(ticket, fact) -> ticket          what a fact changes

A ticket is opened once, takes replies while it is open, can be closed while open and reopened while
closed. Ids and times come with the commands; nothing here reads a clock, draws a number or waits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final, NewType, assert_never

TicketNumber = NewType("TicketNumber", str)
AccountId = NewType("AccountId", str)
CommandId = NewType("CommandId", str)
ReplyId = NewType("ReplyId", str)

MAX_REVISION: Final = 2000
"""A ticket of this many events takes no reply, only a closing: what reads a whole ticket stays bounded."""


class Capacity(StrEnum):
    """In which capacity a person acts."""

    MEMBER = "member"
    AGENT = "agent"
    SYSTEM = "system"


class Status(StrEnum):
    """Whether a ticket takes replies."""

    OPEN = "open"
    CLOSED = "closed"


class CloseReason(StrEnum):
    """Why a ticket was closed."""

    SOLVED = "solved"
    NO_ANSWER = "no_answer"
    DUPLICATE = "duplicate"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acts, by pseudonym."""

    capacity: Capacity
    id: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """Something by which a ticket can be found again."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question, with the question as it was worded."""

    link_id: str
    question: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message. `size` in bytes."""

    id: str
    name: str
    media_type: str
    size: int
    sha256: str


# Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What every fact says besides itself: which command made it, and when (UTC)."""

    command_id: CommandId
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Fact):
    """A ticket was opened."""

    number: TicketNumber
    account: AccountId
    opened_by: Person
    title: str
    message: str
    topic: str
    questionnaire: str | None = None
    answers: tuple[Answer, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    follows: TicketNumber | None = None
    submission: str | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied(Fact):
    """Somebody answered."""

    reply_id: ReplyId
    author: Person
    text: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed(Fact):
    """The ticket was closed."""

    closed_by: Person
    reason: CloseReason
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened(Fact):
    """The ticket was opened again."""

    reopened_by: Person
    reason: str


TicketFact = Opened | Replied | Closed | Reopened


# Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What every command says: its id, who asks, for which account, and the time now (UTC)."""

    id: CommandId
    account: AccountId
    by: Person
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Open(Command):
    """Open the ticket of this number."""

    number: TicketNumber
    title: str
    message: str
    topic: str
    questionnaire: str | None = None
    answers: tuple[Answer, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    follows: TicketNumber | None = None
    submission: str | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Command):
    """Answer."""

    reply_id: ReplyId
    text: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Command):
    """Close the ticket."""

    reason: CloseReason
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen(Command):
    """Open the ticket again."""

    reason: str


ChangeCommand = Reply | Close | Reopen
TicketCommand = Open | ChangeCommand


# Refusals


class Refusal(Exception):
    """A rule said no, and nothing happened. `code` is stable; `data` is what a person may be told."""

    code: ClassVar[str]

    def __init__(self, **data: str | int) -> None:
        super().__init__(self.code)
        self.data = data


class TicketNotFound(Refusal):
    """There is no such ticket, or not for this account: nobody is told which."""

    code = "ticket_not_found"


class TicketIsClosed(Refusal):
    """A closed ticket takes no replies."""

    code = "ticket_is_closed"


class TicketIsAlreadyClosed(Refusal):
    """A closed ticket cannot be closed."""

    code = "ticket_is_already_closed"


class TicketIsOpen(Refusal):
    """An open ticket cannot be reopened."""

    code = "ticket_is_open"


class TicketIsFull(Refusal):
    """The ticket has as many events as a ticket may have."""

    code = "ticket_is_full"


class CommandIdReused(Refusal):
    """The command id did something else before."""

    code = "command_id_reused"


class NumberIsTaken(Refusal):
    """Another command opened a ticket of this number: take the next derivation. Never leaves the service."""

    code = "number_is_taken"


# State


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: the revision that it made, and a hash of what it said, good in this process."""

    revision: int
    said: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket as its facts make it. `done` holds every command that ever had an effect on it.

    Good within one process: it is never stored, and cannot be copied or pickled.
    """

    number: TicketNumber
    account: AccountId
    submission: str | None
    status: Status
    revision: int
    updated_at: datetime
    done: MappingProxyType[CommandId, Done]


def evolve(ticket: Ticket | None, fact: TicketFact) -> Ticket:
    """The ticket after one more fact. Facts of a ticket arrive in order, the first is `Opened`."""
    revision = 1 if ticket is None else ticket.revision + 1
    done = {fact.command_id: Done(revision, _said(fact))}
    if isinstance(fact, Opened):
        if ticket is not None:
            raise ValueError(f"ticket {fact.number} is opened twice in the log")
        return Ticket(
            number=fact.number,
            account=fact.account,
            submission=fact.submission,
            status=Status.OPEN,
            revision=revision,
            updated_at=fact.at,
            done=MappingProxyType(done),
        )
    if ticket is None:
        raise ValueError("the log of a ticket does not begin with its opening")
    match fact:
        case Replied():
            status = ticket.status
        case Closed():
            status = Status.CLOSED
        case Reopened():
            status = Status.OPEN
        case _:
            assert_never(fact)
    return replace(
        ticket,
        status=status,
        revision=revision,
        updated_at=fact.at,
        done=MappingProxyType(ticket.done | done),
    )


# Decisions


def decide(command: TicketCommand, ticket: Ticket | None) -> tuple[TicketFact, ...]:
    """The facts that the command adds: none if it was done before (`ticket.done` tells at which revision).

    Raises:
        Refusal: a rule forbids it; the log stays as it is.
    """
    if isinstance(command, Open):
        return _open(command, ticket)
    if ticket is None or ticket.account != command.account:
        raise TicketNotFound
    fact = _change(command, at=max(command.at, ticket.updated_at))
    if _was_done_before(ticket, fact):
        return ()
    match command:
        case Reply():
            if ticket.status is Status.CLOSED:
                raise TicketIsClosed
            if ticket.revision >= MAX_REVISION:
                raise TicketIsFull(limit=MAX_REVISION)
        case Close():
            if ticket.status is Status.CLOSED:
                raise TicketIsAlreadyClosed
        case Reopen():
            if ticket.status is Status.OPEN:
                raise TicketIsOpen
            if ticket.revision >= MAX_REVISION:
                raise TicketIsFull(limit=MAX_REVISION)
        case _:
            assert_never(command)
    return (fact,)


def _open(command: Open, ticket: Ticket | None) -> tuple[TicketFact, ...]:
    fact = Opened(
        command_id=command.id,
        at=command.at,
        number=command.number,
        account=command.account,
        opened_by=command.by,
        title=command.title,
        message=command.message,
        topic=command.topic,
        questionnaire=command.questionnaire,
        answers=command.answers,
        identifiers=command.identifiers,
        follows=command.follows,
        submission=command.submission,
        attachments=command.attachments,
    )
    if ticket is None:
        return (fact,)
    asked_by = (ticket.account, ticket.submission)
    done = ticket.done.get(command.id)
    if asked_by != (command.account, command.submission) or done is None or done.revision != 1:
        raise NumberIsTaken
    if command.submission is None:  # else it is the same one, read by this version or another
        _was_done_before(ticket, fact)
    return ()


def _change(command: ChangeCommand, *, at: datetime) -> TicketFact:
    match command:
        case Reply():
            return Replied(
                command_id=command.id,
                at=at,
                reply_id=command.reply_id,
                author=command.by,
                text=command.text,
                attachments=command.attachments,
            )
        case Close():
            return Closed(
                command_id=command.id, at=at, closed_by=command.by, reason=command.reason, note=command.note
            )
        case Reopen():
            return Reopened(command_id=command.id, at=at, reopened_by=command.by, reason=command.reason)
        case _:
            assert_never(command)


def _was_done_before(ticket: Ticket, fact: TicketFact) -> bool:
    """Raises CommandIdReused if the id did something else."""
    done = ticket.done.get(fact.command_id)
    if done is None:
        return False
    if done.said != _said(fact):
        raise CommandIdReused(command_id=fact.command_id)
    return True


def _said(fact: TicketFact) -> int:
    """Of what a command said, without what the edges add at each try (times, the reply's id)."""
    match fact:
        case Opened():
            return hash((
                Opened, fact.account, fact.opened_by, fact.title, fact.message, fact.topic,
                fact.questionnaire, fact.answers, fact.identifiers, fact.follows,
                fact.submission, _ids(fact.attachments),
            ))  # fmt: skip
        case Replied():
            return hash((Replied, fact.author, fact.text, _ids(fact.attachments)))
        case Closed():
            return hash((Closed, fact.closed_by, fact.reason, fact.note))
        case Reopened():
            return hash((Reopened, fact.reopened_by, fact.reason))
        case _:
            assert_never(fact)


def _ids(attachments: tuple[Attachment, ...]) -> tuple[str, ...]:
    """An id stands for the file: what is said of it came with the upload, not with the command."""
    return tuple(attachment.id for attachment in attachments)
