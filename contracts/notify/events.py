"""The events of notify, version 1: mails to be sent and mails that came in, and what became of each.

How to change this file: see the rules of evolution in `contracts/__init__.py`. The envelope's subject is the
mail's id. A mail has the account that it is about, or `platform`; addresses and texts stand under
`data.content` only. Replaying these events sends nothing: who sends a mail is who recorded `sending` for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter

from contracts.access.people import LanguageTag
from contracts.attachments.files import Sha256
from contracts.envelope import Envelope, Published, Timestamp
from contracts.number import TicketNumber
from contracts.reference import Reference
from contracts.requests import Position
from contracts.text import Body, Code, Line, PersonId, ShortLine

MailId = Annotated[str, Field(pattern="^[a-z0-9]{26}$")]
"""Out: follows from what caused it and whom it goes to. In: from the bytes that came, and for whom."""

MessageId = Annotated[str, Field(min_length=3, max_length=998, description="RFC 5322, with < and >")]
Attempt = Annotated[int, Field(ge=1, description="1, 2, 3...")]


class MailKind(StrEnum):
    """What an outgoing mail is for."""

    TICKET = "ticket"  # news of a ticket; the cause says which
    INTEREST_CONFIRMATION = "interest_confirmation"
    INTEREST_RECEIVED = "interest_received"
    INVITATION = "invitation"
    REPLY_REFUSED = "reply_refused"
    UNASSIGNED = "unassigned"
    TEST = "test"


class Why(StrEnum):
    """Why somebody gets a mail."""

    MEMBER = "member"  # of the account, and wants all of its tickets
    INVOLVED = "involved"  # opened the ticket or wrote on it
    AGENT = "agent"  # a support agent
    ASKED = "asked"  # it answers something that they did


class Cause(Published):
    """The fact that a mail tells of."""

    stream: Annotated[Code | None, Field(description="In small letters; absent: nothing in a log")] = None
    position: Position | None = None
    event: ShortLine
    type: ShortLine


class QueuedContent(Published):
    """What is personal of a mail to be sent."""

    email: Annotated[str, Field(min_length=3, max_length=254)]
    text: Annotated[Body | None, Field(description="What is quoted back to who wrote it")] = None


class Queued(Published):
    """A mail is to be sent."""

    kind: MailKind
    cause: Cause
    why: Why
    person: Annotated[PersonId | None, Field(description="Absent: somebody who is not known")] = None
    ticket: TicketNumber | None = None
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
    content: AnswerContent


class Dead(Published):
    """The mail was given up: refused for good, or tried for too long. It can be sent again by hand."""

    attempt: Attempt
    code: Annotated[int | None, Field(ge=400, le=599, description="Absent: no answer")] = None
    content: AnswerContent


class Revived(Published):
    """Somebody asks to send a mail that was given up once more."""


class BegunAt(Published):
    """Notify works from here on: nobody is told of what was before."""

    stream: Code
    position: Position


class ReceivedContent(Published):
    """What is personal of a mail that came in."""

    mail_from: Annotated[str, Field(max_length=512, description="Empty: the null sender")]
    rcpt_to: Annotated[str, Field(min_length=1, max_length=512)]
    peer: Annotated[ShortLine | None, Field(description="Address of the server that handed it over")] = None


class Received(Published):
    """A mail came in; its sender was told so after this was on record."""

    raw: Annotated[ShortLine, Field(description="Object in the store `MAIL`")]
    sha256: Sha256
    size: Annotated[int, Field(ge=0, description="Bytes")]
    content: ReceivedContent


class Outcome(StrEnum):
    """What became of a mail that came in."""

    REPLIED = "replied"  # it is a reply on the ticket
    REFUSED = "refused"  # its ticket takes no replies; the sender was told
    QUARANTINED = "quarantined"  # who sent it is not sure
    UNASSIGNED = "unassigned"  # which ticket it is about is not sure
    IGNORED = "ignored"  # a program sent it
    BOUNCED = "bounced"  # it tells that a mail of ours did not arrive
    REPEATED = "repeated"  # it had come in before


class Handled(Published):
    """A mail that came in was dealt with."""

    outcome: Outcome
    because: Annotated[Code, Field(description="Which rule decided so")]
    person: PersonId | None = None
    ticket: TicketNumber | None = None
    bounced: Annotated[MailId | None, Field(description="The mail of ours that did not arrive")] = None


class AddressFailedContent(Published):
    """What is personal of an address that takes no mail."""

    email: Annotated[str, Field(min_length=3, max_length=254)]


class AddressFailed(Published):
    """A person's address takes no mail any more; nothing is sent to it until it changes or is confirmed."""

    person: PersonId
    content: AddressFailedContent


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


class MailReceivedV1(Envelope):
    """Event: a mail came in."""

    type: Literal["casetrail.mail.received.v1"] = "casetrail.mail.received.v1"
    data: Received


class MailHandledV1(Envelope):
    """Event: a mail that came in was dealt with."""

    type: Literal["casetrail.mail.handled.v1"] = "casetrail.mail.handled.v1"
    data: Handled


class NotifyBegunV1(Envelope):
    """Event: notify works from here on."""

    type: Literal["casetrail.notify.begun.v1"] = "casetrail.notify.begun.v1"
    data: BegunAt


class AddressFailedV1(Envelope):
    """Event: a person's address takes no mail any more."""

    type: Literal["casetrail.address.failed.v1"] = "casetrail.address.failed.v1"
    data: AddressFailed


AnyNotifyEvent = (
    MailQueuedV1
    | MailSendingV1
    | MailSentV1
    | MailDeferredV1
    | MailDeadV1
    | MailRevivedV1
    | MailReceivedV1
    | MailHandledV1
    | NotifyBegunV1
    | AddressFailedV1
)
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
