"""The front page: for strangers the two ways in; whoever is signed in goes on to where their work is."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from services.portal.sides import DESK
from services.portal.site import Site, Visit


def routes(site: Site) -> list[Route]:
    """`/`."""
    return [Route("/", site.open_page(front), methods=["GET"])]


async def front(visit: Visit) -> Response:
    """The two ways in, or on to the tickets."""
    if not visit.is_signed_in:
        return visit.render("front.html")
    if visit.person.for_the_platform:
        return visit.redirect(DESK.base)
    if visit.person.memberships:
        return visit.redirect("/tickets")
    return visit.render("no_access.html")
