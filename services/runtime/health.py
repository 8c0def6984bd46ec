"""Health: `/livez`, `/readyz` and `/metrics`, served from the event loop that does the work.

That the loop answers at all is the proof of life; whether the service should be given work is what the
readiness checks say.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from services.runtime.settings import SettingsInvalid, problem

Check = Callable[[], Awaitable[str | None]]
"""None when ready, else the reason why not, for the operator."""

_STOP_S: Final = 0.3

log = structlog.get_logger()


class Health:
    """The health endpoints of one service. Checks may be added before and after `start`."""

    def __init__(self, registry: CollectorRegistry, *, check_timeout_s: float = 1.0) -> None:
        self._registry = registry
        self._check_timeout_s = check_timeout_s
        self._checks: dict[str, Check] = {}
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    def add_check(self, name: str, check: Check) -> None:
        """Makes `/readyz` depend on `check`. Checks run side by side, each bounded by `check_timeout_s`."""
        if name in self._checks:
            raise ValueError(f"there is a check {name!r} already")
        self._checks[name] = check

    async def start(self, host: str, port: int) -> int:
        """Serves from now on; tells the port, which the system chose if 0 was asked for.

        Raises:
            SettingsInvalid: the address cannot be had; names the setting.
        """
        listener = _listen(host, port)
        app = Starlette(
            routes=[
                Route("/livez", self._livez),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
            ]
        )
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, log_level="warning", access_log=False, server_header=False
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve([listener]), name="health")
        bound: int = listener.getsockname()[1]
        log.info("health.listening", host=host, port=bound)
        return bound

    async def stop(self) -> None:
        """Closes the port and every connection, within half a second."""
        server, serving, self._server, self._serving = self._server, self._serving, None, None
        if server is None or serving is None:
            return
        server.should_exit = True
        done, _ = await asyncio.wait({serving}, timeout=_STOP_S)
        if not done:  # a request is under way
            server.force_exit = True
            for connection in server.server_state.connections:
                connection.transport.abort()
        await serving

    async def _livez(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _readyz(self, _request: Request) -> Response:
        names = list(self._checks)
        reasons = await asyncio.gather(*(self._run(name) for name in names))
        checks = [
            {"name": name, "ok": reason is None, "reason": reason}
            for name, reason in zip(names, reasons, strict=True)
        ]
        ready = bool(checks) and all(check["ok"] for check in checks)  # no check yet: still starting
        return JSONResponse({"ready": ready, "checks": checks}, status_code=200 if ready else 503)

    async def _metrics(self, _request: Request) -> Response:
        return Response(generate_latest(self._registry), headers={"content-type": CONTENT_TYPE_LATEST})

    async def _run(self, name: str) -> str | None:
        try:
            async with asyncio.timeout(self._check_timeout_s):
                return await self._checks[name]()
        except TimeoutError:
            return f"no answer within {self._check_timeout_s:g} s"
        except Exception as error:  # the edge: a check that fails is not ready, and must not hide the others
            log.exception("health.check_failed", check=name)
            return f"{type(error).__name__}: {error}"


class _Server(uvicorn.Server):
    """uvicorn as a guest: the process and its signals belong to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise SettingsInvalid(problem("CASETRAIL_HEALTH_HOST", host, str(error.strerror))) from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        rule = f"cannot listen on {host}: {error.strerror}; choose another, or 0 for any free port"
        raise SettingsInvalid(problem("CASETRAIL_HEALTH_PORT", port, rule)) from None
    listener.setblocking(False)
    return listener
