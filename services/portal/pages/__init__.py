"""The pages, by what they are about. A module of pages has `routes(site)`, and joins `PAGES`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from starlette.routing import Route

from services.portal.pages import (
    asking,
    attachments,
    desk,
    draft,
    front,
    interest,
    invitation,
    live,
    mail,
    originals,
    people,
    preferences,
    profile,
    submission,
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
    asking.routes,
    draft.routes,
    submission.routes,
    interest.routes,
    people.routes,
    invitation.routes,
    profile.routes,
    mail.routes,
)

_TAKES_FILES: Final = re.compile(r"(?:/desk)?/tickets/[^/]+/reply(?:-and-close/[^/]+)?|/help/[^/]+/[^/]+")


def takes_files(path: str) -> bool:
    """Whether a form that is sent to a path may carry files."""
    return _TAKES_FILES.fullmatch(path) is not None
