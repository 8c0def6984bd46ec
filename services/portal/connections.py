"""Connections of browsers that ask for nothing: they cost little, and must not keep out those that ask.

uvicorn counts connections where it means requests, and waits without end for the first request of one. Here
a connection without a request under way may be closed at any moment, of too many the one that is idle
longest, and when the head of a request takes too long to come. HTTP lets a server do so; clients come back.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MAX_IDLE: Final = 1024
HEAD_WITHIN_S: Final = 10.0


class Idle:
    """The connections of a server that have no request under way, in the order in which they fell idle."""

    def __init__(self, *, at_most: int = MAX_IDLE, head_within_s: float = HEAD_WITHIN_S) -> None:
        """Args:
        at_most: of more than these, those that are idle longest are closed.
        head_within_s: how long the head of a request may take, once the connection is made or it has begun.
        """
        self.head_within_s = head_within_s
        self._at_most = at_most
        self._connections: dict[Connection, None] = {}

    def add(self, connection: Connection) -> None:
        """One more; possibly one fewer of the others."""
        self._connections.setdefault(connection)
        if len(self._connections) > self._at_most:
            longest = next(iter(self._connections))
            del self._connections[longest]
            longest.transport.close()

    def discard(self, connection: Connection) -> None:
        """A request of it is under way, or it is closed."""
        self._connections.pop(connection, None)


class Connection(H11Protocol):
    """A connection of a browser, as uvicorn has it, that knows whether it is idle."""

    def __init__(self, *args: Any, idle: Idle, **more: Any) -> None:
        super().__init__(*args, **more)
        self._idle = idle
        self._too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """As asyncio has it."""
        super().connection_made(transport)
        self._idle.add(self)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """As asyncio has it."""
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle  # there is none before the first request
        if cycle is not None and not cycle.response_complete:
            self._idle.discard(self)
            self._expect_nothing()
        else:
            self._expect_head()

    def on_response_complete(self) -> None:
        """As uvicorn has it: what is left of the time between two requests, uvicorn sees to."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._idle.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio has it."""
        self._idle.discard(self)
        self._expect_nothing()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._too_late is None and not self.transport.is_closing():
            self._too_late = self.loop.call_later(self._idle.head_within_s, self.transport.close)

    def _expect_nothing(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None
