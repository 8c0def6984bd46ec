"""The pages, by what they are about. A module of pages has `routes(site)`, and joins `PAGES`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from starlette.routing import Route

from services.portal.pages import (
    attachments,
    desk,
    front,
    live,
    originals,
    preferences,
    ticket,
    ticket_actions,
    tickets,
)
from services.portal.site import Site

PAGES: Final[tuple[Callable[[Site], list[Route]], ...]] = (
    front.routes,
    preferences.routes,
    tickets.routes,
    live.routes,
    ticket.routes,
    ticket_actions.routes,
    attachments.routes,
    originals.routes,
    desk.routes,
)

_TAKES_FILES: Final = re.compile(r"(?:/desk)?/tickets/[^/]+/reply(?:-and-close/[^/]+)?")


def takes_files(path: str) -> bool:
    """Whether a form that is sent to a path may carry files."""
    return _TAKES_FILES.fullmatch(path) is not None
