"""Every event type, request and answer of Casetrail, by its stable name.

What stands here is published (`contracts.publish`) and guarded (`contracts.compatibility`). A name that
was given once keeps its meaning for ever: a second model under it is refused when this module is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel

from contracts.envelope import Envelope, schema_name
from contracts.requests import Answered, Sent
from contracts.tickets import events as ticket_events
from contracts.tickets import requests as ticket_requests

_TAG: Final = re.compile(r"casetrail\.[a-z]+\.[a-z]+\.v[1-9][0-9]*")


class NameTaken(ValueError):
    """A name was given to a second model."""


def tag(model: type[Envelope]) -> str:
    """The type tag of an event's model.

    Raises:
        ValueError: it has none, or not one of the form `casetrail.<noun>.<fact>.v<n>`.
    """
    field = model.model_fields.get("type")
    if field is None or not isinstance(field.default, str) or not _TAG.fullmatch(field.default):
        raise ValueError(f"{model.__name__} has no type tag casetrail.<noun>.<fact>.v<n>")
    return field.default


def event_types(models: Iterable[type[Envelope]]) -> Mapping[str, type[Envelope]]:
    """The models by their type tags, in the order of the tags.

    Raises:
        NameTaken: two models have the same tag.
    """
    found: dict[str, type[Envelope]] = {}
    for model in models:
        name = tag(model)
        if name in found:
            raise NameTaken(f"{name} is {found[name].__name__}; {model.__name__} needs a tag of its own")
        found[name] = model
    return MappingProxyType(dict(sorted(found.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that a service answers, with the codes of the refusals that a caller must expect."""

    subject: str
    asks: type[Sent]
    answers: type[Answered]
    refusals: tuple[str, ...] = ()

    @property
    def service(self) -> str:
        return self.subject.split(".")[1]

    def published_as(self, model: type[BaseModel]) -> str:
        """The name under which its question or its answer is published."""
        return f"{self.service}.{schema_name(model)}"


def requests(entries: Iterable[Request]) -> Mapping[str, Request]:
    """The requests by their subjects, in the order of the subjects.

    Raises:
        NameTaken: a subject stands for two requests, or two models would be published under one name.
    """
    found: dict[str, Request] = {}
    models: dict[str, type[BaseModel]] = {}
    for entry in entries:
        if entry.subject in found:
            raise NameTaken(f"{entry.subject} stands for two requests")
        found[entry.subject] = entry
        for model in (entry.asks, entry.answers):
            name = entry.published_as(model)
            if models.setdefault(name, model) is not model:
                raise NameTaken(f"{name} is published for two models")
    return MappingProxyType(dict(sorted(found.items())))


EVENTS: Final = event_types(
    (
        ticket_events.OpenedV1,
        ticket_events.RepliedV1,
        ticket_events.ClosedV1,
        ticket_events.ReopenedV1,
    )
)

REQUESTS: Final = requests(
    (
        Request(
            subject=ticket_requests.OPEN,
            asks=ticket_requests.OpenTicket,
            answers=ticket_requests.CommandDone,
            refusals=("command_id_reused", "followed_ticket_not_found"),
        ),
        Request(
            subject=ticket_requests.REPLY,
            asks=ticket_requests.ReplyToTicket,
            answers=ticket_requests.CommandDone,
            refusals=("command_id_reused", "ticket_is_closed", "ticket_is_full", "ticket_not_found"),
        ),
        Request(
            subject=ticket_requests.CLOSE,
            asks=ticket_requests.CloseTicket,
            answers=ticket_requests.CommandDone,
            refusals=("command_id_reused", "ticket_is_already_closed", "ticket_not_found"),
        ),
        Request(
            subject=ticket_requests.REOPEN,
            asks=ticket_requests.ReopenTicket,
            answers=ticket_requests.CommandDone,
            refusals=("command_id_reused", "ticket_is_full", "ticket_is_open", "ticket_not_found"),
        ),
        Request(
            subject=ticket_requests.GET,
            asks=ticket_requests.GetTicket,
            answers=ticket_requests.Ticket,
            refusals=("ticket_did_not_exist", "ticket_not_found"),
        ),
        Request(
            subject=ticket_requests.HISTORY,
            asks=ticket_requests.TicketHistory,
            answers=ticket_requests.HistoryPage,
            refusals=("ticket_not_found",),
        ),
        Request(
            subject=ticket_requests.LIST,
            asks=ticket_requests.ListTickets,
            answers=ticket_requests.TicketPage,
        ),
        Request(
            subject=ticket_requests.LOOKUP,
            asks=ticket_requests.LookUp,
            answers=ticket_requests.LookUpResult,
        ),
    )
)
