"""The e-mail that a reply came by, as its sender wrote it: for whoever may see the ticket."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts.client import NotFound
from contracts.notify import requests as notify
from contracts.notify.requests import Original
from contracts.tickets import requests
from contracts.tickets.requests import Ticket
from services.portal.foreign_html import foreign_html
from services.portal.reading import read_ticket
from services.portal.sides import PARTNER, Side
from services.portal.site import Site, Visit

_REVISION: Final = re.compile(r"[1-9][0-9]{0,8}")


def routes(site: Site, side: Side = PARTNER) -> list[Route]:
    """`/tickets/NUMBER/original/REVISION`, and its HTML by itself."""
    path = f"{side.ticket('{number}')}/original/{{revision}}"
    return [
        Route(path, site.page(partial(show, side=side)), methods=["GET"]),
        Route(f"{path}/html", site.page(partial(html, side=side)), methods=["GET"]),
    ]


async def show(visit: Visit, *, side: Side) -> Response:
    """The e-mail; that it is not kept any more is told too."""
    ticket, original = await _original(visit, side)
    return visit.render(
        "original.html",
        status=200 if original else 404,
        side=side,
        ticket=ticket,
        original=original,
        address=visit.request.url.path,
        revision=visit.request.path_params["revision"],
    )


async def html(visit: Visit, *, side: Side) -> Response:
    """What a frame shows of it."""
    _, original = await _original(visit, side)
    return foreign_html(visit, None if original is None else original.html)


async def _original(visit: Visit, side: Side) -> tuple[Ticket, Original | None]:
    revision = str(visit.request.path_params["revision"])
    if not _REVISION.fullmatch(revision):
        raise HTTPException(404)
    ticket = await read_ticket(visit, side)
    history = requests.TicketHistory(
        actor=visit.actor(side.kind),
        number=ticket.number,
        after_revision=int(revision) - 1,
        limit=1,
        at_least=ticket.position,
    )
    found = (await visit.ask(requests.HISTORY, history, requests.HistoryPage)).events
    if not found:
        raise HTTPException(404)
    query = notify.GetOriginal(
        actor=visit.actor(side.kind), account=ticket.account, event=str(found[0].event["id"])
    )
    try:
        return ticket, await visit.ask(notify.ORIGINAL, query, Original)
    except NotFound:
        return ticket, None
