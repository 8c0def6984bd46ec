"""The pages over HTTP, from the event loop of the process whose guest they are."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Final

import uvicorn
from starlette.applications import Starlette

from services.embedded.ports import HOST
from services.runtime.settings import SettingsInvalid, problem

_STOP_S: Final = 0.3


class _Server(uvicorn.Server):
    """uvicorn as a guest: the process and its signals belong to the mail server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(application: Starlette, port: int, *, host: str = HOST) -> AsyncIterator[int]:
    """Serves while the body runs; yields the port, which the system chose if it was 0.

    Raises:
        SettingsInvalid: the port is taken.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]), name="mailbox page")
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        done, _ = await asyncio.wait({serving}, timeout=_STOP_S)
        if not done:  # a request is under way
            server.force_exit = True
            for connection in server.server_state.connections:
                connection.transport.abort()
        await serving


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        rule = f"cannot listen on {host}: {error.strerror}; choose another, or 0 for any free port"
        raise SettingsInvalid(problem("CASETRAIL_MAILBOX_HTTP_PORT", port, rule)) from None
    listener.setblocking(False)
    return listener
