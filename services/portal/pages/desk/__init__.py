"""The desk: tickets of all accounts, new partners, e-mails. Who may what is in `contracts.access.roles`."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts.access.roles import Permission
from services.portal.desk import Desk
from services.portal.pages import attachments, live, originals, ticket, ticket_actions
from services.portal.pages.desk import (
    accounts,
    mail,
    mails,
    partners,
    reply_and_close,
    ticket_then,
    tickets,
    tickets_live,
)
from services.portal.sides import DESK
from services.portal.site import Site, Visit


def routes(site: Site) -> list[Route]:
    """Everything under `/desk`."""
    reading = Desk.of(site, Permission.TICKET_READ)
    return [
        Route(DESK.base, site.page(first), methods=["GET"]),
        *tickets.routes(reading),
        *tickets_live.routes(reading),
        *ticket_then.routes(reading),
        *ticket.routes(reading, side=DESK),
        *live.routes(reading, side=DESK),
        *attachments.routes(reading, side=DESK),
        *originals.routes(reading, side=DESK),
        *ticket_actions.routes(Desk.of(site, Permission.TICKET_CLOSE), side=DESK),
        *reply_and_close.routes(Desk.of(site, Permission.TICKET_CLOSE)),
        *accounts.routes(Desk.of(site, Permission.PEOPLE_READ)),
        *partners.routes(site),
        *mails.routes(site),
        *mail.routes(site),
    ]


async def first(visit: Visit) -> Response:
    """On to the first place that there is for the visitor."""
    if not visit.places:
        raise HTTPException(404)
    return visit.redirect(visit.places[0].path)
