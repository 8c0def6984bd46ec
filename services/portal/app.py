"""The portal put together: settings, connection, guard, sessions, pages."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount
from starlette.types import ASGIApp

from contracts.subjects import OUTSIDE_DOMAIN
from services.guard.guard import start_guard
from services.portal.directory import Directory
from services.portal.failures import Failures
from services.portal.live import News, Streams
from services.portal.measuring import Measured
from services.portal.pages import PAGES, mail, takes_files
from services.portal.pages.signing_in import SignInPages
from services.portal.positions import Positions
from services.portal.read_marks import ReadMarks
from services.portal.rendering import Templates
from services.portal.security import RateLimit, Secured
from services.portal.serving import listen, served
from services.portal.settings import PortalSettings
from services.portal.site import Site
from services.portal.static_files import Assets
from services.portal.translations import load_translations
from services.runtime.service import Context, serve
from services.signin.mount import signing_in
from services.signin.people import AccessPeople

NAME: Final = "portal"
_JETSTREAM_TIMEOUT_S: Final = 4.0

STRANGERS_PER_MINUTE: Final = {"/sign-in": 60, "/interest": 60, "/mail/": 60, "/invitation": 60}
"""Requests of one address of what needs no sign-in, by the beginning of the path."""

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def portal(
    context: Context[PortalSettings], listener: socket.socket | None = None
) -> AsyncIterator[None]:
    """Serves the pages while the body runs, on `listener` or where the settings say."""
    settings = context.settings
    templates = Templates(load_translations(), settings.assets_dir())
    listener = listener or listen(settings)
    directory = Directory()
    js = context.nc.jetstream(domain=OUTSIDE_DOMAIN, timeout=_JETSTREAM_TIMEOUT_S)
    news = News(context.nc, user=context.user)
    try:
        guard = await start_guard(context, domain=OUTSIDE_DOMAIN, beside=directory)
        context.spawn(news.run(), name="news")
        look = SignInPages(templates)
        async with signing_in(settings, js, AccessPeople(context.nc), look=look) as signin:
            site = Site(
                settings=settings,
                nc=context.nc,
                guard=guard,
                directory=directory,
                signin=signin,
                templates=templates,
                positions=Positions(settings.session_keys(), secure=settings.origin.startswith("https:")),
                marks=ReadMarks(js),
                news=news,
                streams=Streams(in_all=max(1, settings.max_concurrent_requests * 3 // 4)),
            )
            pages = Measured(application(site), context.registry)
            async with served(pages, listener, settings):
                log.info("portal.listening", url=settings.origin, port=listener.getsockname()[1])
                with contextlib.closing(news):  # streams end first: they would outlast any patience
                    yield
    finally:
        await context.cancel_tasks()
        listener.close()


def application(site: Site) -> ASGIApp:
    """All pages, with what holds for every one of them."""
    failures = Failures(site)
    starlette = Starlette(
        routes=[
            *site.signin.routes(),
            *(route for pages in PAGES for route in pages(site)),
            Mount("/assets", GZipMiddleware(Assets(site.settings.assets_dir()))),
        ],
        exception_handlers=failures.handlers(),  # type: ignore[arg-type]
    )
    starlette.router.redirect_slashes = False
    return Secured(
        starlette,
        origin=site.settings.origin,
        refuse=failures.shown,
        takes_files=takes_files,
        at_once=site.settings.max_concurrent_requests,
        limits={path: RateLimit(limit) for path, limit in STRANGERS_PER_MINUTE.items()},
        from_anywhere={mail.STOP},
    )


def main() -> int:
    """Run the service until it is told to stop; returns the exit code."""
    return serve(NAME, PortalSettings, portal)
