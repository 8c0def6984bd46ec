"""Between the contract and the domain: requests become commands, facts become events, and back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from pydantic import ValidationError
from pydantic_core import to_json

from contracts.attachments.files import Attachment
from contracts.envelope import Actor, ActorKind, Via, format_time
from contracts.intake.events import SubmittedV1
from contracts.tickets import events as wire
from contracts.tickets import requests
from services.runtime.errors import Unavailable
from services.tickets import domain

SOURCE = "/casetrail/tickets"

WireEvent = wire.OpenedV1 | wire.RepliedV1 | wire.ClosedV1 | wire.ReopenedV1


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What an event says beside its fact. `event_id` is a UUIDv7."""

    event_id: str
    via: Via
    correlation_id: str
    traceparent: str | None


# Requests to commands


def open_command(
    request: requests.OpenTicket, *, number: str, at: datetime, attachments: Sequence[Attachment] = ()
) -> domain.Open:
    return domain.Open(
        id=domain.CommandId(request.command_id),
        account=domain.AccountId(request.account),
        by=_person(request.actor),
        at=at,
        number=domain.TicketNumber(number),
        title=request.title,
        message=request.message,
        topic=request.topic,
        questionnaire=request.questionnaire,
        answers=tuple(domain.Answer(a.link_id, a.question, a.values) for a in request.answers),
        identifiers=tuple(domain.Identifier(i.kind, i.value) for i in request.identifiers),
        follows=None if request.follows is None else domain.TicketNumber(request.follows),
        attachments=_attachments(attachments),
    )


def open_submitted_command(
    event: SubmittedV1, *, number: str, at: datetime, follows: str | None
) -> domain.Open:
    """The command that a submission stands for. `follows` is the account's own ticket, or None."""
    data, content = event.data, event.data.content
    return domain.Open(
        id=domain.CommandId(submission_command_id(event.subject)),
        account=domain.AccountId(event.account),
        by=_person(data.submitted_by),
        at=at,
        number=domain.TicketNumber(number),
        title=content.title,
        message=content.message,
        topic=data.topic,
        questionnaire=data.questionnaire,
        answers=tuple(domain.Answer(a.link_id, a.question, a.values) for a in content.answers),
        identifiers=tuple(domain.Identifier(i.kind, i.value) for i in content.identifiers),
        follows=None if follows is None else domain.TicketNumber(follows),
        submission=event.subject,
        attachments=_attachments(content.attachments),
    )


def submission_command_id(submission: str) -> str:
    """The id of the command that opens a submission's ticket, so that there is one ticket of it."""
    return f"submission.{submission}"


def change_command(
    request: requests.ReplyToTicket | requests.CloseTicket | requests.ReopenTicket,
    *,
    at: datetime,
    reply_id: str,
    attachments: Sequence[Attachment] = (),
) -> domain.ChangeCommand:
    """`reply_id` names the reply, if it is one; `attachments` are the files that it names."""
    command_id = domain.CommandId(request.command_id)
    account = domain.AccountId(request.account)
    by = _person(request.actor)
    match request:
        case requests.ReplyToTicket():
            return domain.Reply(
                id=command_id,
                account=account,
                by=by,
                at=at,
                reply_id=domain.ReplyId(reply_id),
                text=request.text,
                attachments=_attachments(attachments),
            )
        case requests.CloseTicket():
            reason = domain.CloseReason(request.reason.value)
            return domain.Close(
                id=command_id, account=account, by=by, at=at, reason=reason, note=request.note
            )
        case requests.ReopenTicket():
            return domain.Reopen(id=command_id, account=account, by=by, at=at, reason=request.reason)
        case _:
            assert_never(request)


def _attachments(attachments: Sequence[Attachment]) -> tuple[domain.Attachment, ...]:
    return tuple(
        domain.Attachment(each.id, each.name, each.media_type, each.size, each.sha256) for each in attachments
    )


def _person(actor: Actor) -> domain.Person:
    return domain.Person(domain.Capacity(actor.kind.value), actor.id)


# Facts to events


def event(
    fact: domain.TicketFact,
    *,
    number: str,
    account: str,
    revision: int,
    circumstances: Circumstances,
) -> dict[str, Any]:
    """The event that puts the fact on record, as the JSON object that its contract describes.

    Not as a model of the contract: what a fact holds was checked when it came in, and checking it again
    would be a third of the cost of a command. Tests show that every event reads back as its model.
    """
    tag, data = _type_and_data(fact)
    by = _by(fact)
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": circumstances.event_id,
        "source": SOURCE,
        "subject": number,
        "time": format_time(fact.at),
        "datacontenttype": "application/json",
        "account": account,
        "revision": revision,
        "actor": f"{by.capacity.value}:{by.id}",
        "via": circumstances.via.value,
        "commandid": fact.command_id,
        "correlationid": circumstances.correlation_id,
        "traceparent": circumstances.traceparent,
        "type": tag,
        "data": data,
    }
    if circumstances.traceparent is None:
        del document["traceparent"]
    return document


def payload(event: dict[str, Any]) -> bytes:
    """The exact bytes that stand in the log."""
    return to_json(event)


def _type_and_data(fact: domain.TicketFact) -> tuple[str, dict[str, Any]]:
    by = _actor(_by(fact))
    match fact:
        case domain.Opened():
            data: dict[str, Any] = {"topic": fact.topic, "opened_by": by}
            if fact.questionnaire is not None:
                data["questionnaire"] = fact.questionnaire
            if fact.follows is not None:
                data["follows"] = fact.follows
            if fact.submission is not None:
                data["submission"] = fact.submission
            data["content"] = {
                "title": fact.title,
                "message": fact.message,
                "identifiers": [{"kind": i.kind, "value": i.value} for i in fact.identifiers],
                "answers": [
                    {"link_id": a.link_id, "question": a.question, "values": a.values} for a in fact.answers
                ],
                "attachments": _attached(fact.attachments),
            }
            return "casetrail.ticket.opened.v1", data
        case domain.Replied():
            text = {"text": fact.text, "attachments": _attached(fact.attachments)}
            return "casetrail.ticket.replied.v1", {"reply_id": fact.reply_id, "author": by, "content": text}
        case domain.Closed():
            note = {} if fact.note is None else {"note": fact.note}
            closed = {"reason": fact.reason.value, "closed_by": by, "content": note}
            return "casetrail.ticket.closed.v1", closed
        case domain.Reopened():
            reason = {"reason": fact.reason}
            return "casetrail.ticket.reopened.v1", {"reopened_by": by, "content": reason}
        case _:
            assert_never(fact)


def _attached(attachments: Sequence[domain.Attachment]) -> list[dict[str, Any]]:
    return [
        {
            "id": each.id,
            "name": each.name,
            "media_type": each.media_type,
            "size": each.size,
            "sha256": each.sha256,
        }
        for each in attachments
    ]


def _by(fact: domain.TicketFact) -> domain.Person:
    match fact:
        case domain.Opened():
            return fact.opened_by
        case domain.Replied():
            return fact.author
        case domain.Closed():
            return fact.closed_by
        case domain.Reopened():
            return fact.reopened_by
        case _:
            assert_never(fact)


def _actor(person: domain.Person) -> dict[str, str]:
    return {"kind": person.capacity.value, "id": person.id}


# Events to facts: every tag ever published has its line here, older versions are upcast


def read_fact(_tag: str, stored: bytes) -> domain.TicketFact:
    """Today's fact out of an event of any version. Raises Unavailable as `read_event`."""
    return fact(read_event(stored))


def read_event(stored: bytes) -> WireEvent:
    """The event that was stored.

    Raises:
        Unavailable: `event_unknown`; a newer version of the service wrote it, as in a rolling upgrade.
    """
    try:
        return wire.parse_ticket_event(stored)
    except ValidationError as error:
        raise Unavailable("event_unknown") from error


def fact(event: WireEvent) -> domain.TicketFact:
    """The fact that the event puts on record."""
    command_id, at = domain.CommandId(event.commandid), event.time
    match event:
        case wire.OpenedV1(data=data):
            return domain.Opened(
                command_id=command_id,
                at=at,
                number=domain.TicketNumber(event.subject),
                account=domain.AccountId(event.account),
                opened_by=_person(data.opened_by),
                title=data.content.title,
                message=data.content.message,
                topic=data.topic,
                questionnaire=data.questionnaire,
                answers=tuple(domain.Answer(a.link_id, a.question, a.values) for a in data.content.answers),
                identifiers=tuple(domain.Identifier(i.kind, i.value) for i in data.content.identifiers),
                follows=None if data.follows is None else domain.TicketNumber(data.follows),
                submission=data.submission,
                attachments=_attachments(data.content.attachments),
            )
        case wire.RepliedV1(data=data):
            return domain.Replied(
                command_id=command_id,
                at=at,
                reply_id=domain.ReplyId(data.reply_id),
                author=_person(data.author),
                text=data.content.text,
                attachments=_attachments(data.content.attachments),
            )
        case wire.ClosedV1(data=data):
            return domain.Closed(
                command_id=command_id,
                at=at,
                closed_by=_person(data.closed_by),
                reason=domain.CloseReason(data.reason.value),
                note=data.content.note,
            )
        case wire.ReopenedV1(data=data):
            return domain.Reopened(
                command_id=command_id,
                at=at,
                reopened_by=_person(data.reopened_by),
                reason=data.content.reason,
            )
        case _:
            assert_never(event)


# Events to pictures


def recorded(position: int, stored: bytes) -> wire.RecordedEvent:
    """An event of the replica."""
    return wire.RecordedEvent(position=position, event=read_event(stored))


def ticket(recorded: list[wire.RecordedEvent]) -> requests.Ticket:
    """The ticket as its events make it; at least the first must be there."""
    first, last = recorded[0], recorded[-1]
    opened = first.event
    if not isinstance(opened, wire.OpenedV1):
        raise TypeError(f"ticket {opened.subject} does not begin with its opening")
    content = opened.data.content
    closing: requests.Closing | None = None
    replies = 0
    for item in recorded[1:]:
        match item.event:
            case wire.ClosedV1(data=data, time=at):
                closing = requests.Closing(
                    reason=data.reason, note=data.content.note, closed_by=data.closed_by, at=at
                )
            case wire.ReopenedV1():
                closing = None
            case wire.RepliedV1():
                replies += 1
            case wire.OpenedV1():
                raise TypeError(f"ticket {opened.subject} is opened twice")
            case _:
                assert_never(item.event)
    return requests.Ticket(
        number=opened.subject,
        account=opened.account,
        status=requests.TicketStatus.OPEN if closing is None else requests.TicketStatus.CLOSED,
        title=content.title,
        topic=opened.data.topic,
        opened_by=opened.data.opened_by,
        opened_at=opened.time,
        opened_position=first.position,
        updated_at=last.event.time,
        updated_by=actor(last.event.actor),
        revision=last.event.revision,
        position=last.position,
        replies=replies,
        unanswered_since=_unanswered_since(recorded, is_open=closing is None),
        message=content.message,
        questionnaire=opened.data.questionnaire,
        answers=content.answers,
        identifiers=content.identifiers,
        follows=opened.data.follows,
        submission=opened.data.submission,
        attachments=content.attachments,
        closing=closing,
    )


def _unanswered_since(recorded: list[wire.RecordedEvent], *, is_open: bool) -> datetime | None:
    """When the partner's side first did something after which no agent did anything."""
    since = None
    for item in reversed(recorded if is_open else ()):
        if actor(item.event.actor).kind is ActorKind.AGENT or isinstance(item.event, wire.ClosedV1):
            break
        since = item.event.time
    return since


def actor(spelled: str) -> Actor:
    """The actor out of an event's `actor` attribute."""
    kind, _, person = spelled.partition(":")
    return Actor(kind=ActorKind(kind), id=person)


def done(position: int, event: dict[str, Any]) -> requests.CommandDone:
    """The answer to the command that made this event. `event` is as `event()` makes it."""
    closed = event["type"] == "casetrail.ticket.closed.v1"
    return requests.CommandDone.model_construct(
        number=event["subject"],
        account=event["account"],
        status=requests.TicketStatus.CLOSED if closed else requests.TicketStatus.OPEN,
        revision=event["revision"],
        position=position,
        event_id=event["id"],
        at=datetime.fromisoformat(event["time"]),
    )
