"""The rules of an e-mail to be sent: its facts, its state, and what may happen to it.

    decide(command, mail) -> facts          what a command does, or a Refusal; () if it was done before
    evolve(mail, fact) -> mail              what a fact changes

A mail is queued once. Whoever is to send it claims it first, and records what the server answered: `sent`,
`deferred` (to be tried again) or `dead` (given up, until somebody revives it). A claim without a result runs
out: then nobody knows whether the mail went, and the next claim says so. Nothing but a claim sends a mail,
so that reading the facts again sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final, assert_never

CLAIM_LASTS: Final = timedelta(minutes=3)
"""Longer than handing a mail over can take: every step of it has a time limit."""

GIVE_UP_AFTER: Final = timedelta(days=4)
"""RFC 5321, section 4.5.4.1: at least four to five days."""

_PAUSES_MIN: Final = (1, 2, 5, 15, 30, 60, 120, 240)


class State(StrEnum):
    """Where a mail is."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The fact that a mail tells of."""

    event: str
    type: str
    stream: str | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a mail is about and whom it goes to. Its words are made when it is sent."""

    id: str
    account: str
    kind: str
    cause: Cause
    why: str
    email: str
    language: str
    reference: str
    message_id: str
    person: str | None = None
    ticket: str | None = None
    capacity: str | None = None
    """In which the person gets it: member or agent."""
    answers: str | None = None
    """The mail received that it answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the mail server said; without a code it said nothing, if the mail was handed over to it at all."""

    code: int | None
    words: str
    handed_over: bool = True


# Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What every fact says besides itself: which command made it, and when (UTC)."""

    command_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(Fact):
    """It is to be sent."""

    letter: Letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending(Fact):
    """Somebody hands it to the server now."""

    attempt: int
    may_repeat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent(Fact):
    """The server has taken it."""

    attempt: int
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred(Fact):
    """It is to be tried again."""

    attempt: int
    answer: Answer
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead(Fact):
    """It was given up."""

    attempt: int
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Revived(Fact):
    """It is to be sent after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounced(Fact):
    """It came back after it was sent."""

    hard: bool
    status: str | None
    received: str


MailFact = Queued | Sending | Sent | Deferred | Dead | Revived | Bounced


# Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What every command says: its id and the time now (UTC)."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(Command):
    """Have it sent."""

    letter: Letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Command):
    """Send it now, and nobody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAnswer(Command):
    """What the server answered to an attempt. `is_final`: it is not to be tried again, whatever it was."""

    attempt: int
    answer: Answer
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Revive(Command):
    """Send what was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBounce(Command):
    """It came back, as the mail `received` says."""

    hard: bool
    status: str | None
    received: str


MailCommand = Queue | Claim | RecordAnswer | Revive | RecordBounce


# Refusals


class Refusal(Exception):
    """A rule said no, and nothing happened. `code` is stable; `data` is what a person may be told."""

    code: ClassVar[str]

    def __init__(self, **data: str | int) -> None:
        super().__init__(self.code)
        self.data = data


class MailNotFound(Refusal):
    """There is no such mail."""

    code = "mail_not_found"


class NotDue(Refusal):
    """It is not to be sent now: somebody else sends it, it was sent, or its time has not come."""

    code = "mail_not_due"


class AttemptIsOver(Refusal):
    """Another attempt has begun since, or this one has its result."""

    code = "mail_attempt_is_over"


class NotDead(Refusal):
    """Only what was given up, or came back, can be revived."""

    code = "mail_not_dead"


# State


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: the revision that it made."""

    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail as its facts make it."""

    letter: Letter
    queued_at: datetime
    state: State
    due: datetime
    """When it may be claimed: its next attempt, or the end of a claim without a result."""
    attempt: int
    uncertain: bool = False
    """An attempt ended without an answer: the server may have the mail."""
    bounced: bool = False
    """It came back after it was sent."""
    retry_since: datetime
    """From when on the time counts after which it is given up."""
    revision: int
    done: Mapping[str, Done] = field(default_factory=dict)


def evolve(mail: Mail | None, fact: MailFact) -> Mail:
    """The mail after one more fact."""
    if isinstance(fact, Queued):
        return Mail(
            letter=fact.letter,
            queued_at=fact.at,
            state=State.WAITING,
            due=fact.at,
            attempt=0,
            retry_since=fact.at,
            revision=1,
            done=MappingProxyType({fact.command_id: Done(1)}),
        )
    if mail is None:
        raise TypeError("the facts of a mail do not begin with its queueing")
    revision = mail.revision + 1
    done = MappingProxyType({**mail.done, fact.command_id: Done(revision)})
    mail = replace(mail, revision=revision, done=done)
    match fact:
        case Sending():
            return replace(mail, state=State.SENDING, attempt=fact.attempt, due=fact.at + CLAIM_LASTS)
        case Sent():
            return replace(mail, state=State.SENT)
        case Deferred():
            uncertain = mail.uncertain or (fact.answer.handed_over and fact.answer.code is None)
            return replace(mail, state=State.WAITING, due=fact.until, uncertain=uncertain)
        case Dead():
            return replace(mail, state=State.DEAD)
        case Revived():
            return replace(mail, state=State.WAITING, due=fact.at, retry_since=fact.at, bounced=False)
        case Bounced():
            return replace(mail, bounced=True)
        case _:
            assert_never(fact)


def decide(command: MailCommand, mail: Mail | None) -> tuple[MailFact, ...]:
    """The facts that the command adds: none if it was done before.

    Raises:
        Refusal: a rule forbids it; the log stays as it is.
    """
    if isinstance(command, Queue):
        fact = Queued(command_id=command.id, at=command.at, letter=command.letter)
        return (fact,) if mail is None else ()  # the id of a mail follows from what it tells to whom
    if mail is None:
        raise MailNotFound
    if command.id in mail.done:
        return ()
    match command:
        case Claim():
            if mail.state not in {State.WAITING, State.SENDING} or command.at < mail.due:
                raise NotDue
        case RecordAnswer():
            if mail.state is not State.SENDING or mail.attempt != command.attempt:
                raise AttemptIsOver
        case Revive():
            if mail.state is not State.DEAD and not mail.bounced:
                raise NotDead
        case RecordBounce():
            pass  # whoever says so, it is worth knowing
        case _:
            assert_never(command)
    return (_fact(command, mail),)


def pause(attempt: int) -> timedelta:
    """How long to wait after an attempt (1, 2, 3...) that was put off."""
    return timedelta(minutes=_PAUSES_MIN[min(attempt, len(_PAUSES_MIN)) - 1])


def _fact(command: Claim | RecordAnswer | Revive | RecordBounce, mail: Mail) -> MailFact:
    match command:
        case Claim():
            return Sending(
                command_id=command.id,
                at=command.at,
                attempt=mail.attempt + 1,
                may_repeat=mail.uncertain or mail.state is State.SENDING,
            )
        case RecordAnswer():
            return _result(command, mail)
        case Revive():
            return Revived(command_id=command.id, at=command.at)
        case RecordBounce():
            return Bounced(
                command_id=command.id,
                at=command.at,
                hard=command.hard,
                status=command.status,
                received=command.received,
            )
        case _:
            assert_never(command)


def _result(command: RecordAnswer, mail: Mail) -> MailFact:
    code, until = command.answer.code, command.at + pause(command.attempt)
    if code is not None and 200 <= code < 300:
        return Sent(command_id=command.id, at=command.at, attempt=command.attempt, answer=command.answer)
    refused_for_good = command.is_final or (code is not None and code >= 500)
    if refused_for_good or until - mail.retry_since > GIVE_UP_AFTER:
        return Dead(command_id=command.id, at=command.at, attempt=command.attempt, answer=command.answer)
    return Deferred(
        command_id=command.id, at=command.at, attempt=command.attempt, answer=command.answer, until=until
    )
