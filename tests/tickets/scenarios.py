"""Scenarios of one ticket: `given(*facts).when(command).then(*facts)` or `.refused(Reason)`.

A command and the fact that it makes have builders with the same defaults: `reply()` makes `replied()`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import pytest

from services.tickets.domain import (
    AccountId,
    Answer,
    Attachment,
    Capacity,
    Close,
    Closed,
    CloseReason,
    CommandId,
    Identifier,
    Open,
    Opened,
    Person,
    Refusal,
    Reopen,
    Reopened,
    Replied,
    Reply,
    ReplyId,
    Ticket,
    TicketCommand,
    TicketFact,
    TicketNumber,
    decide,
    evolve,
)

SUBMISSION: Final = "s1" * 13
ACCOUNT: Final = AccountId("clinic")
OTHER_ACCOUNT: Final = AccountId("aggregator")
NUMBER: Final = TicketNumber("4830291746")
MEMBER: Final = Person(Capacity.MEMBER, "ola")
AGENT: Final = Person(Capacity.AGENT, "jan")
TITLE: Final = "Wizyty znikają z kalendarza"
MESSAGE: Final = "Od rana nie widać żadnej wizyty."
TOPIC: Final = "bookings"
QUESTIONNAIRE: Final = "https://casetrail.example/q/bookings|3"
ANSWERS: Final = (Answer("since", "Since when?", ("today", "7:40")),)
IDENTIFIERS: Final = (Identifier("merchant", "M-17"), Identifier("reference", "R-4"))
FOLLOWS: Final = TicketNumber("1200000008")
ATTACHMENTS: Final = (
    Attachment("a1" * 13, "Wizyty.png", "image/png", 70, "0" * 64),
    Attachment("a2" * 13, "Wizyty.csv", "text/csv", 1, "f" * 64),
)


def minute(count: int) -> datetime:
    """So many minutes after the scenario began."""
    return datetime(2026, 11, 2, 9, 0, tzinfo=UTC) + timedelta(minutes=count)


def open_ticket(command_id: str = "open", *, at: int = 0) -> Open:
    """Opens `NUMBER` with every field filled in but that of a submission."""
    return Open(
        id=CommandId(command_id),
        account=ACCOUNT,
        by=MEMBER,
        at=minute(at),
        number=NUMBER,
        title=TITLE,
        message=MESSAGE,
        topic=TOPIC,
        questionnaire=QUESTIONNAIRE,
        answers=ANSWERS,
        identifiers=IDENTIFIERS,
        follows=FOLLOWS,
        attachments=ATTACHMENTS,
    )


def opened(command_id: str = "open", *, at: int = 0) -> Opened:
    """What `open_ticket` makes."""
    return Opened(
        command_id=CommandId(command_id),
        at=minute(at),
        number=NUMBER,
        account=ACCOUNT,
        opened_by=MEMBER,
        title=TITLE,
        message=MESSAGE,
        topic=TOPIC,
        questionnaire=QUESTIONNAIRE,
        answers=ANSWERS,
        identifiers=IDENTIFIERS,
        follows=FOLLOWS,
        attachments=ATTACHMENTS,
    )


def open_submitted(*, at: int = 0) -> Open:
    """Opens `NUMBER` from the submission `SUBMISSION`."""
    return replace(open_ticket(f"submission.{SUBMISSION}", at=at), submission=SUBMISSION)


def opened_from_submission(*, at: int = 0) -> Opened:
    """What `open_submitted` makes."""
    return replace(opened(f"submission.{SUBMISSION}", at=at), submission=SUBMISSION)


def reply(command_id: str = "reply", *, text: str = "Już działa.", at: int = 0) -> Reply:
    """A member's reply."""
    return Reply(
        id=CommandId(command_id),
        account=ACCOUNT,
        by=MEMBER,
        at=minute(at),
        reply_id=ReplyId(f"id of {command_id}"),
        text=text,
        attachments=ATTACHMENTS[:1],
    )


def replied(command_id: str = "reply", *, text: str = "Już działa.", at: int = 0) -> Replied:
    """What `reply` makes."""
    return Replied(
        command_id=CommandId(command_id),
        at=minute(at),
        reply_id=ReplyId(f"id of {command_id}"),
        author=MEMBER,
        text=text,
        attachments=ATTACHMENTS[:1],
    )


def close(command_id: str = "close", *, at: int = 0) -> Close:
    """An agent's close."""
    return Close(
        id=CommandId(command_id),
        account=ACCOUNT,
        by=AGENT,
        at=minute(at),
        reason=CloseReason.SOLVED,
        note="Cache cleared.",
    )


def closed(command_id: str = "close", *, at: int = 0) -> Closed:
    """What `close` makes."""
    return Closed(
        command_id=CommandId(command_id),
        at=minute(at),
        closed_by=AGENT,
        reason=CloseReason.SOLVED,
        note="Cache cleared.",
    )


def reopen(command_id: str = "reopen", *, at: int = 0) -> Reopen:
    """A member's reopening."""
    return Reopen(
        id=CommandId(command_id), account=ACCOUNT, by=MEMBER, at=minute(at), reason="Znowu to samo."
    )


def reopened(command_id: str = "reopen", *, at: int = 0) -> Reopened:
    """What `reopen` makes."""
    return Reopened(
        command_id=CommandId(command_id), at=minute(at), reopened_by=MEMBER, reason="Znowu to samo."
    )


def opened_with_replies(count: int) -> tuple[TicketFact, ...]:
    """An open ticket's facts: the opening and so many replies, of the commands `reply-1`, `reply-2`..."""
    return opened(), *(replied(f"reply-{nth}", text=f"{nth}.") for nth in range(1, count + 1))


def replay(facts: Iterable[TicketFact], ticket: Ticket | None = None) -> Ticket | None:
    """The ticket after these facts, one by one."""
    for fact in facts:
        ticket = evolve(ticket, fact)
    return ticket


def sent_again(command: TicketCommand, *, at: datetime) -> TicketCommand:
    """The command as a caller's retry arrives: the time and the reply's id are new, what it says is not."""
    if isinstance(command, Reply):
        return replace(command, at=at, reply_id=ReplyId(f"{command.reply_id}, once more"))
    return replace(command, at=at)


@cache  # tables begin with the same few histories, the longest of which take a while to replay
def _ticket_of(facts: tuple[TicketFact, ...]) -> Ticket | None:
    return replay(facts)


def given(*facts: TicketFact) -> Given:
    """A ticket with this history; without any fact, no ticket."""
    return Given(_ticket_of(facts))


@dataclass(frozen=True, slots=True)
class Given:
    """The ticket before the command."""

    ticket: Ticket | None

    def when(self, command: TicketCommand) -> When:
        """The command that the scenario is about."""
        return When(self.ticket, command)


@dataclass(frozen=True, slots=True)
class When:
    """A command that meets a ticket."""

    ticket: Ticket | None
    command: TicketCommand

    def then(self, *facts: TicketFact) -> None:
        """It adds exactly these facts, and none when it is sent again, at once or a day later."""
        decided = decide(self.command, self.ticket)
        assert decided == facts, f"decided {decided}, not {facts}"
        after = replay(decided, self.ticket)
        for again in (self.command, sent_again(self.command, at=self.command.at + timedelta(days=1))):
            repeated = decide(again, after)
            assert repeated == (), f"decided {repeated} when sent again"

    def refused(self, reason: type[Refusal]) -> Refusal:
        """It is refused for this reason, and for the same one when it is sent again."""
        refusal = self._refusal()
        assert type(refusal) is reason, f"refused as {refusal!r}, not as {reason.__name__}"
        again = self._refusal()
        assert (type(again), again.data) == (reason, refusal.data), f"refused as {again!r} when sent again"
        return refusal

    def _refusal(self) -> Refusal:
        with pytest.raises(Refusal) as raised:
            decide(self.command, self.ticket)
        return raised.value
