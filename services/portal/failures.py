"""What people are told when a page cannot be shown, in their language and without what is ours to know.

403  not from a page of ours, or not permitted      404  no such page, ticket, account
405, 413, 429  as HTTP has it                       500  a fault of ours, logged with its trace
503  something does not answer: the same page can be asked for again, nothing is done twice
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
from services.portal.security import BodyTooLarge
from services.portal.site import Site, chosen_language
from services.runtime import errors

RETRY_AFTER_S: Final = 5
BROKER_AWAY: Final = (nats.errors.Error, APIError, TimeoutError, OSError)
UNAVAILABLE: Final = (*BROKER_AWAY, ServiceUnavailable, errors.Unavailable)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Failures:
    """The pages of failures."""

    site: Site

    def shown(self, request: Request, status: int, reason: str | None = None) -> Response:
        """The page of a status; `reason` in the visitor's language, where there is more to say."""
        language = _language(request)
        visit = getattr(request.state, "visit", None)
        html = self.site.templates.render("failure.html", language, visit=visit, status=status, reason=reason)
        headers: dict[str, str] = {"content-language": language}
        if status in {429, 503}:
            headers["retry-after"] = str(RETRY_AFTER_S)
        return HTMLResponse(html, status, headers)

    async def on_http(self, request: Request, error: Exception) -> Response:
        """Of what Starlette itself refuses: no such page, not by this method."""
        assert isinstance(error, HTTPException)  # noqa: S101
        if not hasattr(request.state, "visit"):  # no page took it: yet it says whose it is, and leads on
            with contextlib.suppress(*UNAVAILABLE):
                await self.site.visit(request)
        response = self.shown(request, error.status_code)
        response.headers.update(error.headers or {})
        return response

    async def on_failed(self, request: Request, error: Exception) -> Response:
        """Of what a service did not do."""
        assert isinstance(error, RequestFailed)  # noqa: S101
        if isinstance(error, ServiceUnavailable):
            return self.shown(request, 503)
        if isinstance(error, NotFound):
            return self.shown(request, 404)
        if isinstance(error, Refused):
            reason = wording.refusal(error.reply.code, error.reply.data, _language(request))
            return self.shown(request, error.reply.status, reason)
        if error.reply.status == 400:
            return self.shown(request, 400)
        log.error("page.service_fault", path=request.url.path, reason=str(error))
        return self.shown(request, 500)

    async def on_refused(self, request: Request, error: Exception) -> Response:
        """Of what the guard refuses here."""
        return self.shown(request, getattr(error, "status", 403))

    async def on_unavailable(self, request: Request, error: Exception) -> Response:
        """Of what does not answer."""
        log.warning("page.unavailable", reason=f"{type(error).__name__}: {error}")
        return self.shown(request, 503)

    async def on_too_large(self, request: Request, _error: Exception) -> Response:
        """Of a body that is larger than the page takes."""
        return self.shown(request, 413)

    async def on_fault(self, request: Request, error: Exception) -> Response:
        """Of anything else."""
        log.error("page.fault", path=request.url.path, exc_info=error)
        return self.shown(request, 500)

    def handlers(self) -> dict[type[Exception], object]:
        """For a Starlette application."""
        return {
            HTTPException: self.on_http,
            RequestFailed: self.on_failed,
            BodyTooLarge: self.on_too_large,
            errors.Refused: self.on_refused,
            **dict.fromkeys((*BROKER_AWAY, errors.Unavailable), self.on_unavailable),
            Exception: self.on_fault,
        }


def _language(request: Request) -> Language:
    """The language of the visit, if it came that far."""
    return chosen_language(request, getattr(request.state, "language", None))
