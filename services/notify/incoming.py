"""The rules of an e-mail that came in: its facts, its state, and what may happen to it.

    received   it is kept, whole, and its sender's server may forget it
    handled    it was found out what to do with it, and done
    settling   somebody puts one that waited for people on a ticket
    unsettled  the ticket did not take it: it waits again
    settled    somebody looked at it, and it does not wait any more

Handled once: whoever finds it handled already has nothing left to do. Only what waits for people is settled.
Who puts it on a ticket says so first, since the reply is an event of another log: whoever comes next, after a
crash too, brings that to its end before anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from services.notify.outgoing import Command, Done, Fact, Refusal


class Outcome(StrEnum):
    """What became of an e-mail."""

    REPLIED = "replied"
    REPEATED = "repeated"
    REFUSED = "refused"
    QUARANTINED = "quarantined"
    UNASSIGNED = "unassigned"
    BOUNCED = "bounced"
    IGNORED = "ignored"


FOR_PEOPLE: Final = frozenset({Outcome.QUARANTINED, Outcome.UNASSIGNED, Outcome.BOUNCED})
"""The outcomes that somebody should look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came over SMTP or LMTP: the envelope, and what the bytes are known by."""

    id: str
    sender: str
    recipient: str
    helo: str
    peer: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of it. `key` is the same for copies of one e-mail."""

    outcome: Outcome
    reason: str
    key: str | None = None
    text_sha256: str | None = None
    account: str | None = None
    ticket: str | None = None
    person: str | None = None
    capacity: str | None = None
    event: str | None = None
    sender: str | None = None
    subject: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What somebody did about it."""

    how: str
    by_kind: str
    by: str
    account: str | None = None
    ticket: str | None = None
    event: str | None = None


# Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(Fact):
    """It came in, and is kept."""

    delivery: Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled(Fact):
    """It was found out what to do with it, and done."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Fact):
    """Somebody looked at it."""

    settlement: Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Who is putting it on which ticket. `command_id` is of the request that asked for it."""

    by_kind: str
    by: str
    account: str
    ticket: str
    command_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling(Fact):
    """Somebody is putting it on a ticket."""

    intent: Intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled(Fact):
    """The ticket did not take it."""

    reason: str


IncomingFact = Received | Handled | Settling | Unsettled | Settled


# Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Take(Command):
    """Put on record that it came in."""

    delivery: Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle(Command):
    """Put on record what became of it."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle(Command):
    """Put on record what somebody did about it."""

    settlement: Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginSettling(Command):
    """Put on record that somebody is about to put it on a ticket."""

    intent: Intent


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUpSettling(Command):
    """Put on record that the ticket did not take it."""

    reason: str


IncomingCommand = Take | Handle | BeginSettling | GiveUpSettling | Settle


# Refusals


class IncomingNotFound(Refusal):
    """There is no such e-mail."""

    code = "mail_not_found"


class NeedsNobody(Refusal):
    """It does not wait for people."""

    code = "mail_needs_nobody"


class IsBeingSettled(Refusal):
    """Somebody is putting it on a ticket."""

    code = "mail_is_being_settled"


class IsSettled(Refusal):
    """Somebody has settled it already."""

    code = "mail_is_settled"


# State


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An e-mail that came in, as its facts make it."""

    delivery: Delivery
    received_at: datetime
    result: Result | None
    intent: Intent | None = None
    settlement: Settlement | None
    revision: int
    done: Mapping[str, Done] = field(default_factory=dict)

    @property
    def waits_for_people(self) -> bool:
        """Whether somebody should look at it, and nobody has."""
        return self.result is not None and self.result.outcome in FOR_PEOPLE and self.settlement is None


def evolve(mail: Incoming | None, fact: IncomingFact) -> Incoming:
    """The e-mail after one more fact."""
    if isinstance(fact, Received):
        return Incoming(
            delivery=fact.delivery,
            received_at=fact.at,
            result=None,
            settlement=None,
            revision=1,
            done=MappingProxyType({fact.command_id: Done(1)}),
        )
    if mail is None:
        raise TypeError("the facts of an e-mail do not begin with its receipt")
    revision = mail.revision + 1
    done = MappingProxyType({**mail.done, fact.command_id: Done(revision)})
    mail = replace(mail, revision=revision, done=done)
    match fact:
        case Handled():
            return replace(mail, result=fact.result)
        case Settling():
            return replace(mail, intent=replace(fact.intent, command_id=fact.command_id))
        case Unsettled():
            return replace(mail, intent=None)
        case Settled():
            return replace(mail, settlement=fact.settlement, intent=None)
        case _:
            assert_never(fact)


def decide(command: IncomingCommand, mail: Incoming | None) -> tuple[IncomingFact, ...]:
    """The facts that the command adds: none if it was done before.

    Raises:
        Refusal: a rule forbids it; the log stays as it is.
    """
    if isinstance(command, Take):
        fact = Received(command_id=command.id, at=command.at, delivery=command.delivery)
        return (fact,) if mail is None else ()
    if mail is None:
        raise IncomingNotFound
    if command.id in mail.done:
        return ()
    match command:
        case Handle():
            return (Handled(command_id=command.id, at=command.at, result=command.result),)
        case BeginSettling():
            _check_waits(mail)
            return (Settling(command_id=command.id, at=command.at, intent=command.intent),)
        case GiveUpSettling():
            if mail.intent is None:
                raise NeedsNobody
            return (Unsettled(command_id=command.id, at=command.at, reason=command.reason),)
        case Settle():
            is_of_the_intent = mail.intent is not None and mail.intent.ticket == command.settlement.ticket
            if not is_of_the_intent:
                _check_waits(mail)
            return (Settled(command_id=command.id, at=command.at, settlement=command.settlement),)
        case _:
            assert_never(command)


def _check_waits(mail: Incoming) -> None:
    """Raises Refusal unless somebody may settle it now."""
    if mail.settlement is not None:
        raise IsSettled
    if not mail.waits_for_people:
        raise NeedsNobody
    if mail.intent is not None:
        raise IsBeingSettled
