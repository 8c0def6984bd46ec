"""The history of an account's tickets: newest first, searched and filtered by the address of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.routing import Route

from contracts.text import ShortLine
from contracts.tickets import requests
from contracts.tickets.requests import TicketPage, TicketStatus, TicketSummary
from services.portal.finding import Found, find
from services.portal.site import Site, Visit

PAGE: Final = 25
_SEARCH: Final[TypeAdapter[str]] = TypeAdapter(ShortLine)
_MAX_POSITION: Final = 2**63


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address of the page asks for. What cannot be understood is left out."""

    words: str = ""
    status: TicketStatus | None = None
    before: int | None = None
    too_long: bool = False

    @classmethod
    def of(cls, query: QueryParams) -> Filters:
        """Those of an address."""
        words, status, before = query.get("q", "").strip(), query.get("status"), query.get("before", "")
        too_long = False
        if words:
            try:
                _SEARCH.validate_python(words)
            except ValidationError:
                words, too_long = "", True
        position = int(before) if before.isascii() and before.isdecimal() and len(before) < 20 else 0
        return cls(
            words=words,
            status=TicketStatus(status) if status in set(TicketStatus) else None,
            before=position if 0 < position < _MAX_POSITION else None,
            too_long=too_long,
        )

    def address(self, **changed: str | int | None) -> str:
        """The address of the same page with other filters."""
        given = {"q": self.words or None, "status": self.status and self.status.value, **changed}
        asked = urlencode({name: value for name, value in given.items() if value is not None})
        return f"/tickets?{asked}" if asked else "/tickets"


def routes(site: Site) -> list[Route]:
    """`/tickets`."""
    return [Route("/tickets", site.page(tickets), methods=["GET"])]


async def tickets(visit: Visit) -> Response:
    """The list."""
    account = visit.account
    if account is None:
        return visit.render("no_access.html")
    filters = Filters.of(visit.request.query_params)
    found = Found()
    if filters.words and filters.before is None:
        found = await find(visit, filters.words, account)
    page = await _page(visit, account, filters)
    marks = await visit.site.marks.of(visit.person.id, account, position=page.position)
    exact = {ticket.number for ticket in found.tickets}
    listed = [ticket for ticket in page.tickets if ticket.number not in exact]
    return visit.render(
        "tickets.html",
        account=account,
        filters=filters,
        found=found,
        tickets=listed,
        counts=page.counts,
        next_before=page.next_before,
        position=page.position,
        unread={
            ticket.number
            for ticket in (*found.tickets, *page.tickets)
            if marks is not None and marks.has_news(ticket, visit.person.id)
        },
        statuses=TicketStatus,
    )


async def _page(visit: Visit, account: str, filters: Filters) -> TicketPage:
    """One page of the list. A search may end pages early: it goes on until there is something to show."""
    before, tickets = filters.before, list[TicketSummary]()
    while True:
        query = requests.ListTickets(
            actor=visit.actor(),
            account=account,
            status=filters.status,
            words=filters.words or None,
            limit=PAGE,
            before=before,
            at_least=visit.at_least("tickets"),
        )
        page = await visit.ask(requests.LIST, query, requests.TicketPage)
        tickets += page.tickets
        before = page.next_before
        if tickets or before is None:
            return page.model_copy(update={"tickets": tuple(tickets)})
