"""The requests of notify: what was sent to whom and came in from whom, and what people may do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from contracts import subjects
from contracts.access.people import EmailAddress, LanguageTag
from contracts.envelope import Timestamp, Via
from contracts.number import TicketNumber
from contracts.reference import Reference
from contracts.requests import Answered, Position, Query, Sent, SentActor
from contracts.text import AccountId, Code, CommandId, PersonId, ShortLine
from contracts.tickets.requests import RecordedDocument

SERVICE: Final = "notify"
MAILS: Final = subjects.request(SERVICE, "mails")
MAIL: Final = subjects.request(SERVICE, "mail")
FIND: Final = subjects.request(SERVICE, "find")
REVIVE: Final = subjects.request(SERVICE, "revive")
TEST: Final = subjects.request(SERVICE, "test")

MailId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]


class MailState(StrEnum):
    """Where an e-mail of ours is."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


class ListMails(Query):
    """E-mails that were to be sent, newest first; all filters hold at once."""

    account: AccountId | None = None
    ticket: TicketNumber | None = None
    person: PersonId | None = None
    state: MailState | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    before: Annotated[Position | None, Field(description="`next_before` of the page before")] = None


class MailSummary(Answered):
    """An e-mail as one line of a list."""

    mail: str
    kind: Code
    state: MailState
    account: str
    ticket: TicketNumber | None = None
    person: PersonId | None = None
    email: str
    why: Code
    reference: Reference
    message_id: str
    queued_at: Timestamp
    updated_at: Timestamp
    attempts: int
    code: Annotated[int | None, Field(description="What the mail server answered last (SMTP)")] = None
    answer: Annotated[str | None, Field(description="In its words")] = None
    bounced: Annotated[bool, Field(description="It was sent, and came back")] = False
    position: Annotated[Position, Field(description="Of its queueing; lists are in descending order of it")]


class MailPage(Answered):
    """A page of e-mails."""

    mails: tuple[MailSummary, ...]
    next_before: Annotated[Position | None, Field(description="For the next page; absent: the last")] = None


class GetMail(Query):
    """Everything that is on record of one e-mail, by its id or its reference ID."""

    mail: Annotated[ShortLine, Field(description="Its id, or the reference ID that stands in it")]


class MailRecord(Answered):
    """An e-mail, every event of it, and what it says (or would say, if it is still to be sent)."""

    mail: MailSummary
    events: tuple[RecordedDocument, ...]
    text: Annotated[str | None, Field(description="Absent: there is nothing to say any more")] = None


class FindReference(Query):
    """Which ticket an e-mail was about, by the reference ID that stands in it."""

    reference: Reference
    account: AccountId | None = None


class FoundReference(Answered):
    """The ticket that an e-mail was about."""

    reference: Reference
    account: AccountId
    ticket: TicketNumber
    mail: str


class _MailCommand(Sent):
    """Asks for a change. The same `command_id` again has the same answer, and one effect."""

    command_id: CommandId
    actor: SentActor
    via: Via = Via.API
    correlation_id: CommandId | None = None


class ReviveMail(_MailCommand):
    """Send once more what was given up, also to an address from which mail came back."""

    mail: MailId


class SendTest(_MailCommand):
    """Send an e-mail that shows that e-mails arrive, and how they look."""

    email: EmailAddress
    language: LanguageTag = "en"


class MailDone(Answered):
    """The command's effect on an e-mail, which is in the log."""

    mail: str
    position: Position
