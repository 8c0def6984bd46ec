"""What people are told when a page cannot be shown, in their language and without what is ours to know.

401  a form came when nobody was signed in any more
403  not from a page of ours, or not permitted      404  no such page, ticket, account
405, 408, 413, 429  as HTTP has it                  500  a fault of ours, logged with its trace
503  something does not answer: the same page can be asked for again, nothing is done twice

Each of them holds what was sent, if it was a form (`unsent`), to be sent once more or copied.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final

import nats.errors
import structlog
from nats.js.errors import APIError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from contracts import wording
from contracts.client import NotFound, Refused, RequestFailed, ServiceUnavailable
from contracts.wording import Language
from services.portal import unsent
from services.portal.security import BodyTooLarge, BodyTooSlow
from services.portal.site import Site, Visit, asked_for, chosen_language
from services.portal.unsent import Unsent
from services.runtime import errors
from services.signin.origins import is_from_own_page
from services.signin.pages import sign_in_path

RETRY_AFTER_S: Final = 5
BROKER_AWAY: Final = (nats.errors.Error, APIError, TimeoutError, OSError)
UNAVAILABLE: Final = (*BROKER_AWAY, ServiceUnavailable, errors.Unavailable)

_AGAIN: Final = frozenset({401, 429, 500, 503})
"""Of these the same form may be sent again, and then be taken."""
_UNREAD: Final = frozenset({400, 405, 408, 413})
"""Of these nothing can be held, unless the form was read before."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Failures:
    """The pages of failures."""

    site: Site

    async def shown(self, request: Request, status: int, reason: str | None = None) -> Response:
        """The page of a status; `reason` in the visitor's language, where there is more to say."""
        language = _language(request)
        visit: Visit | None = getattr(request.state, "visit", None)
        html = self.site.templates.render(
            "failure.html",
            language,
            visit=visit,
            status=status,
            reason=reason,
            unsent=await self._unsent(request, status),
            again=asked_for(request) if status in _AGAIN else None,
            sign_in=sign_in_path("/" if visit is None else visit.address) if status == 401 else None,
        )
        headers: dict[str, str] = {"content-language": language}
        if status in {429, 503}:
            headers["retry-after"] = str(RETRY_AFTER_S)
        return HTMLResponse(html, status, headers)

    async def _unsent(self, request: Request, status: int) -> Unsent | None:
        is_read = hasattr(request.state, "form")
        if request.method != "POST" or (status in _UNREAD and not is_read):
            return None
        if not is_from_own_page(request.headers, self.site.settings.origin):
            return None
        return await unsent.read(request)

    async def on_http(self, request: Request, error: Exception) -> Response:
        """Of what Starlette itself refuses: no such page, not by this method."""
        assert isinstance(error, HTTPException)  # noqa: S101
        if not hasattr(request.state, "visit"):  # no page took it: yet it says whose it is, and leads on
            with contextlib.suppress(*UNAVAILABLE):
                await self.site.visit(request)
        response = await self.shown(request, error.status_code)
        response.headers.update(error.headers or {})
        return response

    async def on_failed(self, request: Request, error: Exception) -> Response:
        """Of what a service did not do."""
        assert isinstance(error, RequestFailed)  # noqa: S101
        if isinstance(error, ServiceUnavailable):
            return await self.shown(request, 503)
        if isinstance(error, NotFound):
            return await self.shown(request, 404)
        if isinstance(error, Refused):
            reason = wording.refusal(error.reply.code, error.reply.data, _language(request))
            return await self.shown(request, error.reply.status, reason)
        if error.reply.status == 400:
            return await self.shown(request, 400)
        log.error("page.service_fault", path=request.url.path, reason=str(error))
        return await self.shown(request, 500)

    async def on_refused(self, request: Request, error: Exception) -> Response:
        """Of what the guard refuses here."""
        return await self.shown(request, getattr(error, "status", 403))

    async def on_unavailable(self, request: Request, error: Exception) -> Response:
        """Of what does not answer."""
        log.warning("page.unavailable", reason=f"{type(error).__name__}: {error}")
        return await self.shown(request, 503)

    async def on_too_large(self, request: Request, _error: Exception) -> Response:
        """Of a body that is larger than the page takes."""
        return await self.shown(request, 413)

    async def on_too_slow(self, request: Request, _error: Exception) -> Response:
        """Of a body that does not come."""
        return await self.shown(request, 408)

    async def on_fault(self, request: Request, error: Exception) -> Response:
        """Of anything else."""
        log.error("page.fault", path=request.url.path, exc_info=error)
        return await self.shown(request, 500)

    def handlers(self) -> dict[type[Exception], object]:
        """For a Starlette application."""
        return {
            HTTPException: self.on_http,
            RequestFailed: self.on_failed,
            BodyTooLarge: self.on_too_large,
            BodyTooSlow: self.on_too_slow,
            errors.Refused: self.on_refused,
            **dict.fromkeys((*BROKER_AWAY, errors.Unavailable), self.on_unavailable),
            Exception: self.on_fault,
        }


def _language(request: Request) -> Language:
    """The language of the visit, if it came that far."""
    return chosen_language(request, getattr(request.state, "language", None))
