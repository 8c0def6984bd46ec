"""The requests of notify: what was sent to whom and came in from whom, and what people may do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Base64Bytes, Field, model_validator
from pydantic_core import PydanticCustomError

from contracts import subjects
from contracts.access.people import EmailAddress, LanguageTag
from contracts.envelope import Timestamp, Via
from contracts.notify.events import HowSettled, Outcome
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
RECEIVED: Final = subjects.request(SERVICE, "received")
RECEIVED_MAIL: Final = subjects.request(SERVICE, "received-mail")
ORIGINAL: Final = subjects.request(SERVICE, "original")
RAW: Final = subjects.request(SERVICE, "raw")
SETTLE: Final = subjects.request(SERVICE, "settle")

MAX_RAW_BYTES: Final = 512 * 1024
"""Of an e-mail as it came in, in one answer."""

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


class ListReceived(Query):
    """E-mails that came in, newest first; all filters hold at once."""

    waiting: Annotated[bool, Field(description="Only those that somebody should look at")] = False
    account: AccountId | None = None
    ticket: TicketNumber | None = None
    person: PersonId | None = None
    outcome: Annotated[Outcome | None, Field(strict=False)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    before: Annotated[Position | None, Field(description="`next_before` of the page before")] = None


class ReceivedSummary(Answered):
    """An e-mail that came in, as one line of a list."""

    received: str
    received_at: Timestamp
    size: Annotated[int, Field(description="Bytes")]
    recipient: Annotated[str, Field(description="RCPT TO")]
    sender: Annotated[str | None, Field(description="The address in From")] = None
    subject: str | None = None
    outcome: Annotated[Outcome | None, Field(description="Absent: not handled yet")] = None
    reason: Code | None = None
    account: AccountId | None = None
    ticket: TicketNumber | None = None
    person: PersonId | None = None
    event: Annotated[str | None, Field(description="The reply's event in the log of tickets")] = None
    handled_at: Timestamp | None = None
    settled: HowSettled | None = None
    waits: Annotated[bool, Field(description="Somebody should look at it")] = False
    position: Annotated[Position, Field(description="Of its receipt; lists are in descending order of it")]


class ReceivedPage(Answered):
    """A page of e-mails that came in."""

    mails: tuple[ReceivedSummary, ...]
    waiting: Annotated[int, Field(description="How many in all somebody should look at")]
    next_before: Annotated[Position | None, Field(description="For the next page; absent: the last")] = None


class ReceivedFile(Answered):
    """A file in an e-mail that came in."""

    name: str
    media_type: Annotated[str, Field(description="As its sender called it")]
    size: Annotated[int, Field(description="Bytes")]


class Original(Answered):
    """An e-mail as its sender wrote it, for people to read. Cut where `is_cut`: then `raw` has all of it."""

    sender: Annotated[str, Field(description="From, with the name")]
    recipients: Annotated[str, Field(description="To and Cc")] = ""
    subject: str = ""
    date: Annotated[str, Field(description="As its sender wrote it")] = ""
    text: Annotated[str, Field(description="What was taken for new: the reply")] = ""
    folded: Annotated[str, Field(description="What was taken for quoted, or a signature")] = ""
    html: Annotated[str | None, Field(description="Without anything that acts or loads")] = None
    files: tuple[ReceivedFile, ...] = ()
    is_cut: bool = False


class GetReceived(Query):
    """Everything that is on record of one e-mail that came in."""

    received: MailId


class ReceivedRecord(Answered):
    """An e-mail that came in, every event of it, and what it says."""

    mail: ReceivedSummary
    events: tuple[RecordedDocument, ...]
    original: Annotated[Original | None, Field(description="Absent: it is not kept any more")] = None


class GetOriginal(Query):
    """The e-mail that a reply came by, for whoever may see the ticket."""

    account: AccountId
    event: Annotated[ShortLine, Field(description="The reply's event in the log of tickets")]


class GetRaw(Query):
    """Some bytes of an e-mail as it came in."""

    received: MailId
    offset: Annotated[int, Field(ge=0)] = 0


class RawChunk(Answered):
    """Bytes of an e-mail as it came in."""

    size: Annotated[int, Field(description="Of the whole e-mail, in bytes")]
    data: Base64Bytes
    next_offset: Annotated[int | None, Field(description="Absent: these were the last bytes")] = None


class SettleMail(_MailCommand):
    """Put an e-mail that waits on a ticket, in the name of who asks; without a ticket, dismiss it."""

    received: MailId
    ticket: TicketNumber | None = None
    account: Annotated[AccountId | None, Field(description="Of the ticket; given together with it")] = None

    @model_validator(mode="after")
    def _ticket_with_account(self) -> SettleMail:
        if (self.ticket is None) != (self.account is None):
            raise PydanticCustomError(
                "ticket_and_account", "must be given together with the ticket, or neither"
            )
        return self


class MailSettled(Answered):
    """The command's effect on an e-mail that waited, which is in the log."""

    received: str
    how: HowSettled
    event: Annotated[str | None, Field(description="The reply's event in the log of tickets")] = None
    position: Position
