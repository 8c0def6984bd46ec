"""What an e-mail tells, in plain values: who did what, and which ways on there are. No wording, no layout."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from contracts.access.roles import MemberRole
from contracts.tickets.events import CloseReason


class File(NamedTuple):
    """An attachment: named, not sent. Size in bytes."""

    name: str
    size: int


class Answered(NamedTuple):
    """A question of the questionnaire as it was worded, and what was answered."""

    question: str
    values: tuple[str, ...]


class Why(StrEnum):
    """Why somebody gets an e-mail about a ticket."""

    MEMBER = "member"  # of the account, and wants all of its tickets
    INVOLVED = "involved"  # opened the ticket or wrote on it
    AGENT = "agent"  # a support agent
    ASKED = "asked"  # wants to be told of what they do themselves


class What(StrEnum):
    """What happened to a ticket."""

    OPENED = "opened"
    REPLIED = "replied"
    CLOSED = "closed"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketNews:
    """Something happened to a ticket.

    `text` is what the person wrote, whole: the message, the reply, the note of a closing, the reason of a
    reopening. `link`, `reopen_link` and `new_ticket_link` are of the portal, for an agent of the desk.
    """

    what: What
    number: str
    title: str
    account: str
    author: str
    link: str
    text: str | None = None
    files: tuple[File, ...] = ()
    answers: tuple[Answered, ...] = ()
    reason: CloseReason | None = None
    reopen_link: str | None = None
    new_ticket_link: str | None = None
    why: Why = Why.MEMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestConfirmation:
    """Asks whoever filled in the interest form to confirm it. `until` in UTC."""

    link: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestReceived:
    """The interest form has reached the team; `interest` is the reference ID to quote."""

    interest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Somebody is invited to an account. `expires` in UTC."""

    account: str
    invited_by: str
    role: MemberRole
    link: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRefused:
    """An answer by e-mail came to a closed ticket: its text, and in `answered` its Message-ID."""

    number: str
    title: str
    text: str
    reopen_link: str
    new_ticket_link: str
    answered: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unassigned:
    """An e-mail came in that belongs to no ticket. Nothing of it is repeated: its sender may be forged."""

    portal_link: str
    answered: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFails:
    """E-mails to somebody come back; told to agents. `status` as RFC 3463 has it."""

    number: str
    title: str
    account: str
    person: str
    status: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """Shows that e-mails arrive and how they look."""

    portal_link: str


Update = (
    TicketNews
    | InterestConfirmation
    | InterestReceived
    | Invitation
    | ReplyRefused
    | Unassigned
    | AddressFails
    | Test
)
