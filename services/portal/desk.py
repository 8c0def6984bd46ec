"""The desk's pages are for the platform's people: for others they do not exist."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Final

import nats.errors
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from contracts.access.roles import Permission
from contracts.client import RequestFailed, call
from contracts.notify import requests as notify
from services.portal.sides import DESK
from services.portal.site import Handler, Site, Visit

_COUNTED_WITHIN_S: Final = 1.0
"""The navigation goes without the count rather than make a page wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk(Site):
    """The site, with pages for those who may something in all accounts."""

    needs: Permission

    @classmethod
    def of(cls, site: Site, needs: Permission) -> Desk:
        """The desk of a site."""
        return cls(needs=needs, **{each.name: getattr(site, each.name) for each in fields(Site)})

    def page(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint for who is signed in and may. For others it is a page that there is not."""

        async def checked(visit: Visit) -> Response:
            if not visit.person.for_the_platform:
                raise HTTPException(404)
            await self.guard.require(visit.actor(DESK.kind), None, self.needs)
            if visit.person.may(Permission.MAIL_READ):
                visit.waiting_mails = await self._waiting(visit)
            return await handler(visit)

        return Site.page(self, checked)

    async def _waiting(self, visit: Visit) -> int:
        """How many e-mails wait for somebody; 0 when nobody says."""
        query = notify.ListReceived(
            actor=visit.actor(DESK.kind), waiting=True, limit=1, at_least=visit.at_least("notify")
        )
        try:
            page = await call(
                self.nc, notify.RECEIVED, query, notify.ReceivedPage, timeout_s=_COUNTED_WITHIN_S
            )
        except (RequestFailed, nats.errors.Error, TimeoutError, OSError):
            return 0
        return page.waiting
