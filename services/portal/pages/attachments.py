"""Files of tickets, through the portal: whoever may see the ticket, and the bytes as they came in."""

from __future__ import annotations

import re
from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts.client import Attachments
from services.portal.reading import read_ticket
from services.portal.sides import PARTNER, Side
from services.portal.site import Site, Visit

_ID: Final = re.compile(r"[a-z0-9]{26}")
_SHOWN: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What a browser may show in its window; it can run nothing. All else is saved."""


def routes(site: Site, side: Side = PARTNER) -> list[Route]:
    """`/tickets/NUMBER/files/ID`."""
    path = f"{side.ticket('{number}')}/files/{{attachment}}"
    return [Route(path, site.page(partial(download, side=side)), methods=["GET"])]


async def download(visit: Visit, *, side: Side) -> Response:
    """The file, by its own name."""
    attachment = str(visit.request.path_params["attachment"])
    if not _ID.fullmatch(attachment):
        raise HTTPException(404)
    ticket = await read_ticket(visit, side)
    client = Attachments(visit.site.nc)
    about, content = await client.download(attachment, account=ticket.account, actor=visit.actor(side.kind))
    how = "inline" if about.media_type in _SHOWN else "attachment"
    return Response(
        content,
        media_type=about.media_type,
        headers={
            "content-disposition": f"{how}; filename*=UTF-8''{quote(about.name, safe='')}",
            "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
            "cache-control": "private, no-store",
        },
    )
