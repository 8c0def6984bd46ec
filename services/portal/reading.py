"""Reading a ticket and its events from the ticket service, as a visitor of one of the sides."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.exceptions import HTTPException

from contracts.access.roles import Permission
from contracts.number import is_number, spelled
from contracts.tickets import requests
from contracts.tickets.requests import RecordedDocument, Ticket
from services.portal.sides import Side
from services.portal.site import Visit
from services.portal.timeline import Entry, entries
from services.runtime.errors import ServiceError

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """A ticket with all its events, up to one moment."""

    ticket: Ticket
    entries: list[Entry]
    may_reply: bool
    may_close: bool
    may_reopen: bool


def number_of(visit: Visit) -> str:
    """The ticket number in the path. Raises HTTPException 404 when it can be no ticket's."""
    typed = str(visit.request.path_params["number"])
    if not is_number(typed):
        raise HTTPException(404)
    return spelled(typed)


async def read_ticket(visit: Visit, side: Side) -> Ticket:
    """The ticket of the path. Raises as `Visit.ask`, and HTTPException."""
    query = requests.GetTicket(
        actor=visit.actor(side.kind), number=number_of(visit), at_least=visit.at_least("tickets")
    )
    return await visit.ask(requests.GET, query, requests.Ticket)


async def read_events(
    visit: Visit, side: Side, number: str, *, after_revision: int = 0, at_least: int = 0
) -> list[Entry]:
    """The entries of a ticket after a revision. Raises as `Visit.ask`."""
    events: list[RecordedDocument] = []
    more: int | None = after_revision
    while more is not None:
        query = requests.TicketHistory(
            actor=visit.actor(side.kind),
            number=number,
            after_revision=more,
            limit=_PAGE,
            at_least=max(at_least, visit.at_least("tickets")),
        )
        page = await visit.ask(requests.HISTORY, query, requests.HistoryPage)
        events += page.events
        more = page.next_after_revision
    return entries(events, reader=visit.person.id, name_of=visit.name_of)


async def read_all(visit: Visit, side: Side) -> Seen:
    """The ticket of the path, its events, and what the visitor may do. Notes that it was read."""
    ticket = await read_ticket(visit, side)
    thread = await read_events(visit, side, ticket.number, at_least=ticket.position)
    await visit.site.marks.note(visit.person.id, ticket.account, ticket.number, ticket.position)
    return Seen(
        ticket=ticket,
        entries=thread,
        may_reply=may(visit, side, ticket.account, Permission.TICKET_REPLY),
        may_close=may(visit, side, ticket.account, Permission.TICKET_CLOSE),
        may_reopen=may(visit, side, ticket.account, Permission.TICKET_REOPEN),
    )


def may(visit: Visit, side: Side, account: str, permission: Permission) -> bool:
    """Whether to offer something. The service decides when it is done."""
    try:
        visit.site.guard.check(visit.actor(side.kind), account, permission)
    except ServiceError:
        return False
    return True
