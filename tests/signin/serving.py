"""A Starlette application over real HTTP, on a free port of this machine, in the loop of the test."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

STOP_WITHIN_S = 2.0


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(
    application: Callable[[str], Starlette], *, certificate: Path | None = None
) -> AsyncIterator[str]:
    """Serves what `application` makes of its own origin; yields the origin.

    `certificate`: a PEM file with a key and a certificate, for https.
    """
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    scheme = "http" if certificate is None else "https"
    origin = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        application(origin),
        lifespan="off",
        log_config=None,
        log_level="warning",
        server_header=False,
        ssl_certfile=certificate,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield origin
    finally:
        server.should_exit = True
        server.force_exit = True
        for connection in server.server_state.connections:
            connection.transport.abort()
        async with asyncio.timeout(STOP_WITHIN_S):
            await serving
