"""News of tickets as they happen: which ticket, up to which position of the log. What happened, pages ask.

One consumer per process follows the log of tickets; whoever waits for a ticket, or for any of an account
or of all, is woken. Nothing of a ticket is kept here, so there is nothing to protect: what a page then shows
it gets from the ticket service, as its visitor.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from typing import Final

import structlog
from nats.aio.client import Client

from contracts.follow import Follower, FollowError
from contracts.subjects import OUTSIDE_DOMAIN, TICKETS, consumer_names

_RETRY_S: Final = 1.0
_ANY: Final = ""
MAX_STREAMS_OF_ONE: Final = 20

log = structlog.get_logger()


class News:
    """Start `run()` as a task."""

    def __init__(self, nc: Client, *, user: str) -> None:
        self._nc = nc
        self._user = user
        self._waiting: dict[tuple[str, str], set[_Waiting]] = {}
        self._newest: dict[str, int] = {}
        self._began_at = 0
        self._is_closed = False

    async def run(self) -> None:
        """Follow the log, from its end on, until cancelled."""
        while True:
            try:
                await self._follow()
            except FollowError as error:
                log.warning("news.cannot_follow", reason=str(error))
                await asyncio.sleep(_RETRY_S)

    def close(self) -> None:
        """End whatever waits for news, and what would begin to: this process is about to end."""
        self._is_closed = True
        self._wake_all(0)

    async def of(self, account: str | None, number: str | None = None) -> AsyncGenerator[int, None]:
        """Positions of new events of a ticket, or of any of an account or of all; only the last of several.

        Begins at once with that of the newest event there that is known here, or 0. Where following the log
        begins, be it late, its end then counts as one of everybody's: from what a page shows on, nothing is
        missed. Ends when closed.
        """
        with self._registered(account or _ANY, number or _ANY) as waiting:
            position = self._newest.get(account or _ANY, self._began_at)
            while not self._is_closed:
                yield position
                position = await waiting.next()

    async def _follow(self) -> None:
        follower = Follower(
            self._nc,
            TICKETS.name,
            TICKETS.filter,
            names=consumer_names(self._user),
            after=None,
            domain=OUTSIDE_DOMAIN,
        )
        is_following = False
        async with contextlib.aclosing(follower.batches()) as batches:
            async for batch in batches:
                if not is_following:  # what was before is known to nobody here
                    is_following = True
                    self._newest.clear()
                    self._began_at = follower.position
                    self._wake_all(self._began_at)
                for message in batch.messages:
                    _, _, account, number = message.subject.split(".")
                    self._newest[account] = self._newest[_ANY] = message.position
                    for key in ((account, number), (account, _ANY), (_ANY, _ANY)):
                        for waiting in self._waiting.get(key, ()):
                            waiting.wake(message.position)

    def _wake_all(self, position: int) -> None:
        for each in [each for several in self._waiting.values() for each in several]:
            each.wake(position)

    @contextlib.contextmanager
    def _registered(self, account: str, number: str) -> Iterator[_Waiting]:
        waiting = _Waiting()
        self._waiting.setdefault((account, number), set()).add(waiting)
        try:
            yield waiting
        finally:
            self._waiting[account, number].discard(waiting)
            if not self._waiting[account, number]:
                del self._waiting[account, number]


class Streams:
    """The streams of news that are under way, so that they leave room for pages."""

    def __init__(self, *, in_all: int, of_one: int = MAX_STREAMS_OF_ONE) -> None:
        """`of_one`: of one session, which is a person in a browser."""
        self._in_all = in_all
        self._of_one = of_one
        self._under_way: Counter[object] = Counter()

    def refuses(self, session: object) -> int | None:
        """The status of the answer, if there are too many: of the session 429, of all 503."""
        if self._under_way[session] >= self._of_one:
            return 429
        return 503 if self._under_way.total() >= self._in_all else None

    @contextlib.contextmanager
    def one(self, session: object) -> Iterator[None]:
        """One more while the body runs."""
        self._under_way[session] += 1
        try:
            yield
        finally:
            self._under_way[session] -= 1
            if not self._under_way[session]:
                del self._under_way[session]


class _Waiting:
    """Somebody who waits for news."""

    def __init__(self) -> None:
        self._position = 0
        self._woken = asyncio.Event()

    def wake(self, position: int) -> None:
        self._position = position
        self._woken.set()

    async def next(self) -> int:
        await self._woken.wait()
        self._woken.clear()
        return self._position
