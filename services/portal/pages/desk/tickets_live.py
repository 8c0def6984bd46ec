"""That a list of the desk would show something else by now: told once, and the list stays as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from sse_starlette import ServerSentEvent
from starlette.responses import Response
from starlette.routing import Route

from services.portal.pages.desk.tickets import Filters, fingerprint, read_page
from services.portal.pages.live import stream
from services.portal.sides import DESK
from services.portal.site import Site, Visit

_LOOKS_EVERY_S: Final = 1.0
"""At most, however much happens: what changes the list is told by the first look."""


def routes(site: Site) -> list[Route]:
    """`/desk/tickets/live?shown=FINGERPRINT`, and the filters of the list. Before `/desk/tickets/NUMBER`."""
    return [Route(f"{DESK.base}/tickets/live", site.page(of_list))]


async def of_list(visit: Visit) -> Response:
    """A link to the list as it is now, once it is not as it was shown."""
    filters = Filters.of(visit.request.query_params, visit.site.directory)
    is_told = "last-event-id" in visit.request.headers  # by the stream before this one
    shown = visit.request.query_params.get("shown")

    async def changes(position: int) -> AsyncIterator[ServerSentEvent]:
        nonlocal is_told
        if is_told:
            return
        page = await read_page(visit, filters, at_least=position)
        if page is None or fingerprint(filters, page) == shown:
            return
        is_told = True
        again = filters.address(**{"from": filters.place})
        link = visit.site.templates.render("desk/tickets_changed.html", visit.language, address=again)
        yield ServerSentEvent(id=str(page.position), data=link)

    return stream(visit, DESK, filters.account, None, changes, every_s=_LOOKS_EVERY_S)
