"""Between the contract and the domain: facts become events, and back. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_never

from pydantic import ValidationError

from contracts.envelope import ActorKind, Via, format_time
from contracts.notify import events as wire
from contracts.notify import requests
from services.notify import outgoing
from services.runtime.errors import Unavailable

SERVICE = requests.SERVICE
SOURCE = f"/casetrail/{SERVICE}"

_MAX_ANSWER_CHARACTERS = 500


def event(
    fact: outgoing.MailFact, mail: outgoing.Mail, *, event_id: str, traceparent: str | None
) -> dict[str, Any]:
    """The event that puts the fact on record. `mail` is as the fact makes it."""
    tag, data = _type_and_data(fact)
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "subject": mail.letter.id,
        "time": format_time(fact.at),
        "datacontenttype": "application/json",
        "account": mail.letter.account,
        "revision": mail.revision,
        "actor": f"{ActorKind.SYSTEM.value}:{SERVICE}",
        "via": Via.EMAIL.value,
        "commandid": fact.command_id,
        "correlationid": mail.letter.cause.event,
        "traceparent": traceparent,
        "type": tag,
        "data": data,
    }
    if traceparent is None:
        del document["traceparent"]
    return document


def _type_and_data(fact: outgoing.MailFact) -> tuple[str, dict[str, Any]]:
    match fact:
        case outgoing.Queued():
            return "casetrail.mail.queued.v1", _queued(fact.letter)
        case outgoing.Sending():
            data: dict[str, Any] = {"attempt": fact.attempt, "may_repeat": fact.may_repeat}
            return "casetrail.mail.sending.v1", data
        case outgoing.Sent():
            return "casetrail.mail.sent.v1", _answered(fact.attempt, fact.answer)
        case outgoing.Deferred():
            data = _answered(fact.attempt, fact.answer)
            content = data.pop("content")
            data["until"] = format_time(fact.until)
            if not fact.answer.handed_over:
                data["handed_over"] = False
            return "casetrail.mail.deferred.v1", {**data, "content": content}
        case outgoing.Dead():
            return "casetrail.mail.dead.v1", _answered(fact.attempt, fact.answer)
        case outgoing.Revived():
            return "casetrail.mail.revived.v1", {}
        case outgoing.Bounced():
            told = {"hard": fact.hard, "status": fact.status, "received": fact.received}
            return "casetrail.mail.bounced.v1", {k: v for k, v in told.items() if v is not None}
        case _:
            assert_never(fact)


def _queued(letter: outgoing.Letter) -> dict[str, Any]:
    cause = letter.cause
    about: dict[str, Any] = {"event": cause.event, "type": cause.type}
    if cause.stream is not None:
        about = {"stream": cause.stream, "position": cause.position, **about}
    data: dict[str, Any] = {"kind": letter.kind, "cause": about, "why": letter.why}
    if letter.person is not None:
        data["person"] = letter.person
    if letter.ticket is not None:
        data["ticket"] = letter.ticket
    if letter.capacity is not None:
        data["capacity"] = letter.capacity
    if letter.answers is not None:
        data["answers"] = letter.answers
    return data | {
        "language": letter.language,
        "reference": letter.reference,
        "message_id": letter.message_id,
        "content": {"email": letter.email},
    }


def _answered(attempt: int, answer: outgoing.Answer) -> dict[str, Any]:
    data: dict[str, Any] = {"attempt": attempt}
    if answer.code is not None:
        data["code"] = answer.code
    return data | {"content": {"answer": one_line(answer.words)}}


def one_line(words: str) -> str:
    """What a server said, as one line that an event can hold."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line[:_MAX_ANSWER_CHARACTERS] or "-"


# Events to facts


def read_fact(_tag: str, stored: bytes) -> outgoing.MailFact:
    """Today's fact out of an event of any version.

    Raises:
        Unavailable: `event_unknown`; a newer version of the service wrote it, as in a rolling upgrade.
    """
    try:
        event = wire.parse_notify_event(stored)
        if not isinstance(event, wire.AnyMailEvent):
            raise Unavailable("event_unknown")
        return fact(event)
    except ValidationError as error:
        raise Unavailable("event_unknown") from error


def fact(event: wire.AnyMailEvent) -> outgoing.MailFact:
    """The fact that the event puts on record."""
    command_id, at = event.commandid, event.time
    match event:
        case wire.MailQueuedV1():
            return outgoing.Queued(command_id=command_id, at=at, letter=_letter(event))
        case wire.MailSendingV1(data=sending):
            return outgoing.Sending(
                command_id=command_id, at=at, attempt=sending.attempt, may_repeat=sending.may_repeat
            )
        case wire.MailSentV1(data=sent):
            answer = outgoing.Answer(sent.code, sent.content.answer)
            return outgoing.Sent(command_id=command_id, at=at, attempt=sent.attempt, answer=answer)
        case wire.MailDeferredV1(data=deferred):
            return _deferred(command_id, at, deferred)
        case wire.MailDeadV1(data=dead):
            answer = outgoing.Answer(dead.code, dead.content.answer)
            return outgoing.Dead(command_id=command_id, at=at, attempt=dead.attempt, answer=answer)
        case wire.MailRevivedV1():
            return outgoing.Revived(command_id=command_id, at=at)
        case wire.MailBouncedV1(data=bounced):
            return outgoing.Bounced(
                command_id=command_id,
                at=at,
                hard=bounced.hard,
                status=bounced.status,
                received=bounced.received,
            )
        case _:
            assert_never(event)


def _deferred(command_id: str, at: datetime, deferred: wire.Deferred) -> outgoing.Deferred:
    return outgoing.Deferred(
        command_id=command_id,
        at=at,
        attempt=deferred.attempt,
        answer=outgoing.Answer(deferred.code, deferred.content.answer, handed_over=deferred.handed_over),
        until=deferred.until,
    )


def _letter(event: wire.MailQueuedV1) -> outgoing.Letter:
    data = event.data
    return outgoing.Letter(
        id=event.subject,
        account=event.account,
        kind=data.kind,
        cause=outgoing.Cause(
            event=data.cause.event,
            type=data.cause.type,
            stream=data.cause.stream,
            position=data.cause.position,
        ),
        why=data.why,
        email=data.content.email,
        language=data.language,
        reference=data.reference,
        message_id=data.message_id,
        person=data.person,
        ticket=data.ticket,
        capacity=None if data.capacity is None else data.capacity.value,
        answers=data.answers,
    )
