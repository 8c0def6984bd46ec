"""The events of notify, version 1: mails to be sent, and what became of each.

How to change this file: see the rules of evolution in `contracts/__init__.py`. The envelope's subject is the
mail's id. A mail has the account that it is about, or `platform`; addresses and texts stand under
`data.content` only. Replaying these events sends nothing: who sends a mail is who recorded `sending` for it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter

from contracts.access.people import LanguageTag
from contracts.envelope import Envelope, Published, Timestamp
from contracts.number import TicketNumber
from contracts.reference import Reference
from contracts.requests import Position
from contracts.text import Code, Line, PersonId, ShortLine

MessageId = Annotated[str, Field(min_length=3, max_length=998, description="RFC 5322, with < and >")]
Attempt = Annotated[int, Field(ge=1, description="1, 2, 3...")]


class Cause(Published):
    """The fact that a mail tells of."""

    stream: Annotated[Code | None, Field(description="In small letters; absent: nothing in a log")] = None
    position: Position | None = None
    event: ShortLine
    type: ShortLine


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


AnyNotifyEvent = MailQueuedV1 | MailSendingV1 | MailSentV1 | MailDeferredV1 | MailDeadV1 | MailRevivedV1
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
