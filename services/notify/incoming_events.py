"""Between the facts of e-mails that came in and their events. Pure."""

from __future__ import annotations

from typing import Any, assert_never

from pydantic import ValidationError

from contracts.access.events import PLATFORM
from contracts.envelope import Actor, ActorKind, Via, format_time
from contracts.notify import events as wire
from services.notify import incoming
from services.notify.threading import cut, one_line
from services.notify.translate import SERVICE, SOURCE
from services.runtime.errors import Unavailable

_MAX_LINE_CHARACTERS = 1000
_MAX_ADDRESS_CHARACTERS = 320


def event(
    fact: incoming.IncomingFact, mail: incoming.Incoming, *, event_id: str, traceparent: str | None
) -> dict[str, Any]:
    """The event that puts the fact on record. `mail` is as the fact makes it."""
    tag, data, account = _told(fact)
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "subject": mail.delivery.id,
        "time": format_time(fact.at),
        "datacontenttype": "application/json",
        "account": account or PLATFORM,
        "revision": mail.revision,
        "actor": _actor(fact),
        "via": Via.EMAIL.value,
        "commandid": fact.command_id,
        "correlationid": mail.delivery.id,
        "traceparent": traceparent,
        "type": tag,
        "data": data,
    }
    if traceparent is None:
        del document["traceparent"]
    return document


def _actor(fact: incoming.IncomingFact) -> str:
    if isinstance(fact, incoming.Settled):
        return f"{fact.settlement.by_kind}:{fact.settlement.by}"
    if isinstance(fact, incoming.Settling):
        return f"{fact.intent.by_kind}:{fact.intent.by}"
    return f"{ActorKind.SYSTEM.value}:{SERVICE}"


def _told(fact: incoming.IncomingFact) -> tuple[str, dict[str, Any], str | None]:
    match fact:
        case incoming.Received():
            return "casetrail.mail.received.v1", _received(fact.delivery), None
        case incoming.Handled():
            return "casetrail.mail.handled.v1", _handled(fact.result), fact.result.account
        case incoming.Settling():
            return "casetrail.mail.settling.v1", _settling(fact.intent), fact.intent.account
        case incoming.Unsettled():
            return "casetrail.mail.unsettled.v1", {"reason": fact.reason}, None
        case incoming.Settled():
            return "casetrail.mail.settled.v1", _settled(fact.settlement), fact.settlement.account
        case _:
            assert_never(fact)


def _received(delivery: incoming.Delivery) -> dict[str, Any]:
    return {
        "size": delivery.size,
        "sha256": delivery.sha256,
        "content": {
            "sender": delivery.sender,
            "recipient": delivery.recipient,
            "helo": delivery.helo,
            "peer": delivery.peer,
        },
    }


def _handled(result: incoming.Result) -> dict[str, Any]:
    data = {
        "outcome": result.outcome.value,
        "reason": result.reason,
        "key": result.key,
        "text_sha256": result.text_sha256,
        "account": result.account,
        "ticket": result.ticket,
        "person": result.person,
        "capacity": result.capacity,
        "event": result.event,
    }
    content = {
        "sender": (result.sender or "")[:_MAX_ADDRESS_CHARACTERS] or None,
        "subject": _line(result.subject),
        "note": _line(result.note),
    }
    return _given(data) | {"content": _given(content)}


def _settling(intent: incoming.Intent) -> dict[str, Any]:
    return {
        "settling_by": {"kind": intent.by_kind, "id": intent.by},
        "account": intent.account,
        "ticket": intent.ticket,
    }


def _settled(settlement: incoming.Settlement) -> dict[str, Any]:
    data = {
        "how": settlement.how,
        "settled_by": {"kind": settlement.by_kind, "id": settlement.by},
        "account": settlement.account,
        "ticket": settlement.ticket,
        "event": settlement.event,
    }
    return _given(data)


def _given(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def _line(text: str | None) -> str | None:
    """As one line that an event can hold; None for one that says nothing."""
    return cut(one_line(text or ""), _MAX_LINE_CHARACTERS) or None


# Events to facts


def read_fact(_tag: str, stored: bytes) -> incoming.IncomingFact:
    """Today's fact out of an event of any version.

    Raises:
        Unavailable: `event_unknown`; a newer version of the service wrote it, as in a rolling upgrade.
    """
    try:
        event = wire.parse_notify_event(stored)
    except ValidationError as error:
        raise Unavailable("event_unknown") from error
    if not isinstance(event, wire.AnyReceivedEvent):
        raise Unavailable("event_unknown")
    return fact(event)


def fact(event: wire.AnyReceivedEvent) -> incoming.IncomingFact:
    """The fact that the event puts on record."""
    command_id, at = event.commandid, event.time
    match event:
        case wire.MailReceivedV1():
            return incoming.Received(command_id=command_id, at=at, delivery=delivery(event))
        case wire.MailHandledV1(data=handled):
            return incoming.Handled(command_id=command_id, at=at, result=_result(handled))
        case wire.MailSettlingV1(data=settling):
            intent = incoming.Intent(
                by_kind=settling.settling_by.kind.value,
                by=settling.settling_by.id,
                account=settling.account,
                ticket=settling.ticket,
            )
            return incoming.Settling(command_id=command_id, at=at, intent=intent)
        case wire.MailUnsettledV1(data=unsettled):
            return incoming.Unsettled(command_id=command_id, at=at, reason=unsettled.reason)
        case wire.MailSettledV1(data=settled):
            return incoming.Settled(command_id=command_id, at=at, settlement=_settlement(settled))
        case _:
            assert_never(event)


def delivery(event: wire.MailReceivedV1) -> incoming.Delivery:
    """What came in."""
    content = event.data.content
    return incoming.Delivery(
        id=event.subject,
        sender=content.sender,
        recipient=content.recipient,
        helo=content.helo,
        peer=content.peer,
        size=event.data.size,
        sha256=event.data.sha256,
    )


def _result(handled: wire.Handled) -> incoming.Result:
    return incoming.Result(
        outcome=incoming.Outcome(handled.outcome.value),
        reason=handled.reason,
        key=handled.key,
        text_sha256=handled.text_sha256,
        account=handled.account,
        ticket=handled.ticket,
        person=handled.person,
        capacity=None if handled.capacity is None else handled.capacity.value,
        event=handled.event,
        sender=handled.content.sender,
        subject=handled.content.subject,
        note=handled.content.note,
    )


def _settlement(settled: wire.Settled) -> incoming.Settlement:
    by: Actor = settled.settled_by
    return incoming.Settlement(
        how=settled.how.value,
        by_kind=by.kind.value,
        by=by.id,
        account=settled.account,
        ticket=settled.ticket,
        event=settled.event,
    )
