"""A ticket on the desk: as it stands, or, with `?as_of=REVISION`, as it stood after one of its events."""

from __future__ import annotations

import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts.tickets import requests
from services.portal.pages import ticket as ticket_page
from services.portal.reading import number_of, read_events, read_ticket
from services.portal.sides import DESK
from services.portal.site import Site, Visit

_REVISION: Final = re.compile(r"[1-9][0-9]{0,8}")


def routes(site: Site) -> list[Route]:
    """`/desk/tickets/NUMBER`."""
    return [Route(DESK.ticket("{number}"), site.page(show), methods=["GET"])]


async def show(visit: Visit) -> Response:
    """The page; of then: what was known, and the way to the event before and after."""
    wanted = visit.request.query_params.get("as_of")
    if wanted is None:
        return await ticket_page.show(visit, side=DESK)
    if not _REVISION.fullmatch(wanted):
        raise HTTPException(404)
    revision = int(wanted)
    now = await read_ticket(visit, DESK)
    query = requests.GetTicket(
        actor=visit.actor(DESK.kind), number=number_of(visit), as_of_revision=revision, at_least=now.position
    )
    then = await visit.ask(requests.GET, query, requests.Ticket)
    entries = await read_events(visit, DESK, now.number, at_least=now.position)
    return visit.render(
        "desk/ticket_then.html",
        side=DESK,
        ticket=then,
        now=now,
        entries=[entry for entry in entries if entry.revision <= revision],
    )
