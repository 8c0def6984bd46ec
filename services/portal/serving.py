"""The pages over HTTP, in the event loop of the service."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from services.portal.connections import Connection, Idle
from services.portal.settings import PortalSettings
from services.runtime.settings import SettingsInvalid, problem

_CUT_OFF_WITHIN_S: Final = 1.0
_IDLE_S: Final = 75
"""Longer than proxies keep an idle connection (nginx and most others: 60 s), so that they close it, and no
request is sent into one that is being closed here."""


class _Server(uvicorn.Server):
    """uvicorn as a guest: the process and its signals belong to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(
    application: ASGIApp, listener: socket.socket, settings: PortalSettings, idle: Idle | None = None
) -> AsyncIterator[None]:
    """Serves while the body runs; what is under way after it has `shutdown_timeout_s` to end.

    How many requests may be under way is the application's to say: see `Secured`.
    """
    config = uvicorn.Config(
        application,
        http=partial(Connection, idle=idle or Idle()),  # type: ignore[arg-type]  # it is only called
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=True,
        forwarded_allow_ips=settings.portal_trusted_proxies,
        timeout_keep_alive=_IDLE_S,
        h11_max_incomplete_event_size=32 * 1024,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]), name="pages")
    try:
        yield
    finally:
        server.should_exit = True
        done, _ = await asyncio.wait({serving}, timeout=settings.shutdown_timeout_s)
        if not done:
            server.force_exit = True
            for connection in list(server.server_state.connections):
                connection.transport.abort()
        async with asyncio.timeout(_CUT_OFF_WITHIN_S):
            await serving


def listen(settings: PortalSettings) -> socket.socket:
    """The socket that browsers reach. Raises SettingsInvalid when the port or address is not to be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.portal_host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.portal_host, settings.portal_port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        rule = f"cannot listen on {settings.portal_host}: {error.strerror}; choose another, or 0 for any"
        raise SettingsInvalid(problem("CASETRAIL_PORTAL_PORT", settings.portal_port, rule)) from None
    listener.setblocking(False)
    return listener
