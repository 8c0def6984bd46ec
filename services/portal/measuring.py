"""How long answers take: one line of the log for each, and a histogram by status."""

from __future__ import annotations

import time
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

log = structlog.get_logger()


class Measured:
    """The layer around an application. The time is that until the answer begins."""

    def __init__(self, application: ASGIApp, registry: CollectorRegistry) -> None:
        self._application = application
        self._seconds = Histogram(
            "casetrail_page_seconds",
            "Time until the answer to a browser begins",
            ["method", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        began = time.monotonic()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.monotonic() - began
                method = scope["method"] if scope["method"] in {"GET", "HEAD", "POST"} else "other"
                self._seconds.labels(method, str(message["status"])).observe(seconds)
                log.debug(
                    "page.done",
                    method=method,
                    path=scope["path"],
                    status=message["status"],
                    seconds=round(seconds, 6),
                )
            await send(message)

        await self._application(scope, receive, send_measured)
