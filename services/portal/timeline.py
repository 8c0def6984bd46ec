"""From the events of a ticket to the entries of its timeline. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from pydantic import TypeAdapter, ValidationError

from contracts.attachments.files import Attachment
from contracts.envelope import Actor, ActorKind, Via
from contracts.tickets import events as wire
from contracts.tickets.requests import RecordedDocument

TicketEvent = wire.OpenedV1 | wire.RepliedV1 | wire.ClosedV1 | wire.ReopenedV1

_ADAPTER: Final[TypeAdapter[TicketEvent]] = TypeAdapter(wire.TicketEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event, as it is shown. `kind` is `opened`, `replied`, `closed` or `reopened`."""

    kind: str
    revision: int
    position: int
    at: datetime  # UTC
    actor: Actor
    author: str
    via: Via
    is_own: bool
    command: str
    text: str | None = None
    reason: wire.CloseReason | None = None
    attachments: tuple[Attachment, ...] = ()
    answers: tuple[wire.Answer, ...] = ()
    identifiers: tuple[wire.Identifier, ...] = ()

    @property
    def is_support(self) -> bool:
        return self.actor.kind is ActorKind.AGENT


def entries(
    events: Iterable[RecordedDocument], *, reader: str, name_of: Callable[[Actor], str]
) -> list[Entry]:
    """The entries in the order of the events. What only a later version understands is left out.

    `reader` is the id of the person for whom they are.
    """
    return [
        _entry(event, recorded.position, reader, name_of)
        for recorded in events
        if (event := _understood(recorded)) is not None
    ]


def _understood(recorded: RecordedDocument) -> TicketEvent | None:
    try:
        return _ADAPTER.validate_python(recorded.event)
    except ValidationError:
        return None


def _entry(event: TicketEvent, position: int, reader: str, name_of: Callable[[Actor], str]) -> Entry:
    actor = _actor(event)
    kind, text, reason = _said(event)
    content = event.data.content
    return Entry(
        kind=kind,
        revision=event.revision,
        position=position,
        at=event.time,
        actor=actor,
        author=name_of(actor),
        via=Via(event.via),
        is_own=actor.id == reader,
        command=event.commandid,
        text=text,
        reason=reason,
        attachments=content.attachments
        if isinstance(content, wire.OpenedContent | wire.RepliedContent)
        else (),
        answers=content.answers if isinstance(content, wire.OpenedContent) else (),
        identifiers=content.identifiers if isinstance(content, wire.OpenedContent) else (),
    )


def _said(event: TicketEvent) -> tuple[str, str | None, wire.CloseReason | None]:
    match event:
        case wire.OpenedV1():
            return "opened", event.data.content.message, None
        case wire.RepliedV1():
            return "replied", event.data.content.text, None
        case wire.ClosedV1():
            return "closed", event.data.content.note, event.data.reason
        case wire.ReopenedV1():
            return "reopened", event.data.content.reason, None
        case _:
            assert_never(event)


def _actor(event: TicketEvent) -> Actor:
    """Who did it: of a ticket that was opened from a questionnaire, who answered that."""
    match event:
        case wire.OpenedV1():
            return event.data.opened_by
        case wire.RepliedV1():
            return event.data.author
        case wire.ClosedV1():
            return event.data.closed_by
        case wire.ReopenedV1():
            return event.data.reopened_by
        case _:
            assert_never(event)
