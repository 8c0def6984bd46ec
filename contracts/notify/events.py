"""The events of notify, version 1: updates and whom to tell, mails to be sent, mails that came in.

How to change this file: see the rules of evolution in `contracts/__init__.py`. The envelope's subject is the
id of the mail, or of the event that an update tells of. The account is the one that it is about, or
`platform`; addresses and texts stand under `data.content` only. Replaying these events sends nothing: who
sends a mail is who recorded `sending` for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter

from contracts.access.people import LanguageTag
from contracts.envelope import Actor, ActorKind, Envelope, Published, Timestamp
from contracts.number import TicketNumber
from contracts.reference import Reference
from contracts.requests import Position
from contracts.text import AccountId, Code, Line, PersonId, ShortLine

MAX_RECIPIENTS: Final = 2_000

MessageId = Annotated[str, Field(min_length=3, max_length=998, description="RFC 5322, with < and >")]
Attempt = Annotated[int, Field(ge=1, description="1, 2, 3...")]


class Cause(Published):
    """The fact that a mail tells of."""

    stream: Annotated[Code | None, Field(description="In small letters; absent: nothing in a log")] = None
    position: Position | None = None
    event: ShortLine
    type: ShortLine


class Begun(Published):
    """From here on updates are told of; what was in the log before never is."""

    stream: Annotated[Code, Field(description="In small letters")]
    position: Position


class Recipient(Published):
    """Somebody who is to be told of an update."""

    mail: Annotated[str, Field(min_length=1, max_length=64, description="The mail's id")]
    person: PersonId
    capacity: Annotated[ActorKind, Field(description="In which the person gets it: member or agent")]
    why: Annotated[Code, Field(description="Such as member, involved, agent, asked")]


class Addressed(Published):
    """Who is told of an update: decided once, whoever joins or changes their mind later."""

    cause: Cause
    ticket: TicketNumber
    recipients: Annotated[tuple[Recipient, ...], Field(max_length=MAX_RECIPIENTS)] = ()


class QueuedContent(Published):
    """What is personal of a mail to be sent."""

    email: Annotated[str, Field(min_length=3, max_length=254)]


class Queued(Published):
    """A mail is to be sent."""

    kind: Annotated[Code, Field(description="What the mail is for, such as interest_confirmation")]
    cause: Cause
    why: Annotated[Code, Field(description="Why it goes to this person, such as asked")]
    person: Annotated[PersonId | None, Field(description="Absent: somebody who is not known")] = None
    ticket: TicketNumber | None = None
    capacity: Annotated[ActorKind | None, Field(description="In which the person gets it")] = None
    answers: Annotated[str | None, Field(max_length=64, description="The mail received that it answers")] = (
        None
    )
    language: LanguageTag
    reference: Reference
    message_id: MessageId
    content: QueuedContent


class Sending(Published):
    """Somebody hands the mail to the server now. Without a result after it, nobody knows whether it went."""

    attempt: Attempt
    may_repeat: Annotated[bool, Field(description="An attempt before this one has no result")] = False


class AnswerContent(Published):
    """What a mail server said; it may name addresses."""

    answer: Line


class Sent(Published):
    """The server has taken the mail."""

    attempt: Attempt
    code: Annotated[int, Field(ge=200, le=299, description="SMTP reply code")]
    content: AnswerContent


class Deferred(Published):
    """The server did not take the mail for now, or was not to be reached."""

    attempt: Attempt
    code: Annotated[int | None, Field(ge=400, le=499, description="Absent: no answer")] = None
    until: Timestamp
    handed_over: Annotated[bool, Field(description="False: it did not get as far as the server")] = True
    content: AnswerContent


class Dead(Published):
    """The mail was given up: refused for good, or tried for too long. It can be sent again by hand."""

    attempt: Attempt
    code: Annotated[int | None, Field(ge=400, le=599, description="Absent: no answer")] = None
    content: AnswerContent


class Revived(Published):
    """Somebody asks to send a mail that was given up once more."""


class Bounced(Published):
    """What was sent came back."""

    hard: Annotated[bool, Field(description="The address takes no mail; otherwise it may later")]
    status: Annotated[str | None, Field(pattern=r"^[245](\.[0-9]{1,3}){2}$", description="RFC 3463")] = None
    received: Annotated[str, Field(max_length=64, description="The mail that told it")]


class ReceivedContent(Published):
    """What is personal of a mail that came in: the addresses of its envelope and where it came from."""

    sender: Annotated[str, Field(max_length=320, description="MAIL FROM; empty: the null sender")]
    recipient: Annotated[str, Field(max_length=320, description="RCPT TO")]
    helo: Annotated[str, Field(max_length=255)] = ""
    peer: Annotated[str, Field(max_length=64, description="The address that handed it over")] = ""


class Received(Published):
    """A mail came in. It is kept, byte by byte, in the object store MAIL under the event's subject."""

    size: Annotated[int, Field(ge=0, description="Bytes")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    content: ReceivedContent


class Outcome(StrEnum):
    """What became of a mail that came in."""

    REPLIED = "replied"  # it is a reply on its ticket
    REPEATED = "repeated"  # the same mail was handled before
    REFUSED = "refused"  # the ticket took no reply; its sender was told
    QUARANTINED = "quarantined"  # who sent it cannot be told; people should look at it
    UNASSIGNED = "unassigned"  # it belongs to no ticket, or not to its sender; people should look at it
    BOUNCED = "bounced"  # a mail of ours came back
    IGNORED = "ignored"  # a program sent it


class HandledContent(Published):
    """What is personal of what became of a mail."""

    sender: Annotated[str | None, Field(max_length=320, description="From")] = None
    subject: Line | None = None
    note: Line | None = None


class Handled(Published):
    """What became of a mail that came in."""

    outcome: Outcome
    reason: Annotated[Code, Field(description="Why, such as closed, no_ticket, no_access, auto_submitted")]
    key: Annotated[str | None, Field(max_length=64, description="The same for copies of one mail")] = None
    text_sha256: Annotated[str | None, Field(description="Of the reply's text", max_length=64)] = None
    account: AccountId | None = None
    ticket: TicketNumber | None = None
    person: PersonId | None = None
    capacity: ActorKind | None = None
    event: Annotated[ShortLine | None, Field(description="The reply's event in the log of tickets")] = None
    content: HandledContent = HandledContent()


class HowSettled(StrEnum):
    """What somebody did with a mail that waited for people."""

    DISMISSED = "dismissed"
    APPENDED = "appended"


class Settled(Published):
    """Somebody looked at a mail that waited for people."""

    how: HowSettled
    settled_by: Actor
    account: AccountId | None = None
    ticket: TicketNumber | None = None
    event: ShortLine | None = None


class Settling(Published):
    """Somebody is putting a mail that waited on a ticket: nobody else may put it on another one meanwhile."""

    settling_by: Actor
    account: AccountId
    ticket: TicketNumber


class Unsettled(Published):
    """It was not put there after all, as the ticket does not take it: the mail waits again."""

    reason: Annotated[Code, Field(description="Such as ticket_is_closed")]


class UpdatesBegunV1(Envelope):
    """Event: from here on updates are told of."""

    type: Literal["casetrail.updates.begun.v1"] = "casetrail.updates.begun.v1"
    data: Begun


class UpdateAddressedV1(Envelope):
    """Event: it was decided who is told of an update."""

    type: Literal["casetrail.update.addressed.v1"] = "casetrail.update.addressed.v1"
    data: Addressed


class MailBouncedV1(Envelope):
    """Event: a mail that was sent came back."""

    type: Literal["casetrail.mail.bounced.v1"] = "casetrail.mail.bounced.v1"
    data: Bounced


class MailReceivedV1(Envelope):
    """Event: a mail came in."""

    type: Literal["casetrail.mail.received.v1"] = "casetrail.mail.received.v1"
    data: Received


class MailHandledV1(Envelope):
    """Event: it was found out what to do with a mail that came in, and done."""

    type: Literal["casetrail.mail.handled.v1"] = "casetrail.mail.handled.v1"
    data: Handled


class MailSettledV1(Envelope):
    """Event: somebody looked at a mail that waited for people."""

    type: Literal["casetrail.mail.settled.v1"] = "casetrail.mail.settled.v1"
    data: Settled


class MailSettlingV1(Envelope):
    """Event: somebody puts a mail that waited for people on a ticket."""

    type: Literal["casetrail.mail.settling.v1"] = "casetrail.mail.settling.v1"
    data: Settling


class MailUnsettledV1(Envelope):
    """Event: a mail that waited for people was not put on a ticket after all."""

    type: Literal["casetrail.mail.unsettled.v1"] = "casetrail.mail.unsettled.v1"
    data: Unsettled


class MailQueuedV1(Envelope):
    """Event: a mail is to be sent."""

    type: Literal["casetrail.mail.queued.v1"] = "casetrail.mail.queued.v1"
    data: Queued


class MailSendingV1(Envelope):
    """Event: a mail is being handed to the server."""

    type: Literal["casetrail.mail.sending.v1"] = "casetrail.mail.sending.v1"
    data: Sending


class MailSentV1(Envelope):
    """Event: the server has taken a mail."""

    type: Literal["casetrail.mail.sent.v1"] = "casetrail.mail.sent.v1"
    data: Sent


class MailDeferredV1(Envelope):
    """Event: a mail will be tried again."""

    type: Literal["casetrail.mail.deferred.v1"] = "casetrail.mail.deferred.v1"
    data: Deferred


class MailDeadV1(Envelope):
    """Event: a mail was given up."""

    type: Literal["casetrail.mail.dead.v1"] = "casetrail.mail.dead.v1"
    data: Dead


class MailRevivedV1(Envelope):
    """Event: a mail that was given up is to be sent once more."""

    type: Literal["casetrail.mail.revived.v1"] = "casetrail.mail.revived.v1"
    data: Revived


AnyMailEvent = (
    MailQueuedV1 | MailSendingV1 | MailSentV1 | MailDeferredV1 | MailDeadV1 | MailRevivedV1 | MailBouncedV1
)
AnyReceivedEvent = MailReceivedV1 | MailHandledV1 | MailSettlingV1 | MailUnsettledV1 | MailSettledV1
AnyNotifyEvent = AnyMailEvent | AnyReceivedEvent | UpdatesBegunV1 | UpdateAddressedV1
NotifyEvent = Annotated[AnyNotifyEvent, Field(discriminator="type")]


class RecordedNotifyEvent(NamedTuple):
    """An event and where it stands in the log."""

    position: int
    event: AnyNotifyEvent


_ADAPTER: Final[TypeAdapter[AnyNotifyEvent]] = TypeAdapter(
    NotifyEvent, config=ConfigDict(hide_input_in_errors=True)
)


def parse_notify_event(payload: bytes | str) -> AnyNotifyEvent:
    """The event in a message's payload.

    Raises:
        pydantic.ValidationError: not an event of notify that this version of the contract knows.
    """
    return _ADAPTER.validate_json(payload)
