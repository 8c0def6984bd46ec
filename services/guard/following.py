"""Keeping the picture equal to the access log, and knowing how old it is.

That the consumer is alive says nothing of that: in a cluster it may be on a server that lags, or is cut off
from the others, and knows as little of what it misses. So the stream's leader is asked, twice a second, where
the log ends. A leader that is cut off itself gives up within some 20 s, which bounds what is not noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol, cast

import structlog
from nats.aio.client import Client
from nats.nuid import NUID
from pydantic_core import from_json

from contracts.follow import Follower, FollowError, Message
from contracts.subjects import ACCESS, consumer_names
from services.runtime.cancel import cancel
from services.runtime.errors import Unavailable
from services.runtime.streams import StreamsUnavailable, replicated, stream_info

_RETRY_S: Final = 0.5
_ASK_EVERY_S: Final = 0.5
_LAG_S: Final = 30.0
"""How long a server of a cluster is given to hear who leads the stream now, or to catch up with it. Nobody is
let do anything meanwhile, once the picture is too old."""
_LOOK_EVERY_S: Final = 0.1

_AT_ONCE: Final = 2000
"""Events taken in before other tasks have a turn: about ten milliseconds."""

log = structlog.get_logger()


class Picture(Protocol):
    """What is made of the access log."""

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take in the next event of the log, a CloudEvents document."""


class AccessLogReplaced(Exception):
    """The stream is another one than before: what was read of it says nothing any more."""


class Following:
    """Follows `ACCESS` into a picture. Start `run()` as a task; it ends only when it must begin anew."""

    def __init__(
        self,
        nc: Client,
        picture: Picture,
        *,
        user: str,
        on_change: Callable[[Collection[str]], None] = lambda _ids: None,
        domain: str | None = None,
    ) -> None:
        """Args:
        user: the NATS user, which scopes the name of the consumer.
        domain: JetStream domain of the log, if it is another NATS account's. Only the few names that
            such a user has may be used then.
        on_change: called with the ids of the accounts and people on which something was just taken in.
        """
        self._nc = nc
        self._picture = picture
        self._user = user
        self._domain = domain
        self._on_change = on_change
        self.position = 0
        """The position up to which the picture holds everything."""
        self._complete_at: float | None = None
        self._told = (0.0, 0)
        """When the leader was asked last, and where the log ended then."""
        self._created: str | None = None
        self._moved = asyncio.Event()
        self._caught_up = asyncio.Event()

    @property
    def age_s(self) -> float:
        """For how many seconds the picture has not been known to hold all that the log holds."""
        return float("inf") if self._complete_at is None else time.monotonic() - self._complete_at

    async def caught_up(self) -> None:
        """Return once the picture has held, for the first time, everything that the log held."""
        await self._caught_up.wait()

    async def catch_up(self, *, timeout_s: float = 5.0) -> None:
        """Return once the picture holds everything that the log holds now, as its leader says.

        Raises:
            Unavailable: `access_unknown`, nobody says so, or it does not within `timeout_s` seconds.
        """
        try:
            async with asyncio.timeout(timeout_s):
                wanted = int((await stream_info(self._nc, ACCESS, domain=self._domain))["state"]["last_seq"])
                await self._reach(wanted)
        except (TimeoutError, StreamsUnavailable) as error:
            raise Unavailable("access_unknown") from error

    async def reach(self, position: int, *, timeout_s: float = 5.0) -> None:
        """Return once the picture holds everything up to a position.

        Raises:
            Unavailable: `access_unknown`, it does not within `timeout_s` seconds.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._reach(position)
        except TimeoutError as error:
            raise Unavailable("access_unknown") from error

    async def _reach(self, position: int) -> None:
        while self.position < position:
            await self._moved.wait()

    async def run(self) -> None:
        """Follow the stream until cancelled.

        Raises:
            AccessLogReplaced: there is another log than before. End the process; the next one reads that.
            EventUnknown: the log holds what only a later version understands.
        """
        while True:
            try:
                await self._follow()
            except (FollowError, StreamsUnavailable) as error:
                log.warning("access.cannot_follow", reason=str(error))
                await asyncio.sleep(_RETRY_S)

    async def _follow(self) -> None:
        await self._ask()
        task = cast("asyncio.Task[None]", asyncio.current_task())
        lost: list[str] = []
        follower = Follower(
            self._nc,
            ACCESS.name,
            ACCESS.subjects[0],
            names=[f"{self._user}-{NUID().next().decode()}"]
            if self._domain is None
            else consumer_names(self._user),
            after=self.position,
            domain=self._domain,
            on_lost=lost.append,
        )
        asking = asyncio.create_task(self._ask_again_and_again())
        try:
            async with contextlib.aclosing(follower.batches(wait_s=_LOOK_EVERY_S)) as batches:
                async for batch in batches:
                    if task.cancelling():  # and `asyncio.wait_for` of Python 3.11, in nats-py, swallowed it
                        raise asyncio.CancelledError
                    if asking.done():
                        asking.result()
                    if lost:  # the broker may have come back with another log
                        log.info("access.consumer_lost", reason=lost[-1])
                        lost.clear()
                        await self._ask()
                    await self._take_in(batch.messages)
        finally:
            await cancel([asking])

    async def _ask_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(_ASK_EVERY_S)
            with contextlib.suppress(StreamsUnavailable):  # the picture gets older
                await self._ask()

    async def _ask(self) -> None:
        """Raises AccessLogReplaced, StreamsUnavailable."""
        deadline = time.monotonic() + _LAG_S
        while True:
            position, asked_at = self.position, time.monotonic()
            about = await stream_info(self._nc, ACCESS, domain=self._domain)
            created, end = str(about["created"]), int(about["state"]["last_seq"])
            lags = replicated(about) and time.monotonic() < deadline
            if self._created not in (None, created) or (position > end and not lags):
                raise AccessLogReplaced(f"{ACCESS.name} is another stream than before")
            if position <= end:
                break
            await asyncio.sleep(_ASK_EVERY_S)
        self._created = created
        self._told = asked_at, end
        self._note_if_complete()

    async def _take_in(self, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), _AT_ONCE):
            if start:
                await asyncio.sleep(0)
            self._apply(messages[start : start + _AT_ONCE])
        self._note_if_complete()

    def _note_if_complete(self) -> None:
        asked_at, end = self._told
        if self.position < end:
            return
        self._complete_at = asked_at
        if not self._caught_up.is_set():
            log.info("access.caught_up", position=self.position)
            self._caught_up.set()

    def _apply(self, messages: Sequence[Message]) -> None:
        changed: set[str] = set()
        for message in messages:
            try:
                event: dict[str, Any] = from_json(message.payload)
                ids = event["subject"], event["account"]
                self._picture.apply(event)
                changed.update(ids)
            except (ValueError, KeyError, TypeError) as error:
                # Only the access service may publish here, so somebody put it there by hand.
                log.error("access.not_an_event", position=message.position, reason=str(error))
        self.position = messages[-1].position
        self._moved.set()
        self._moved = asyncio.Event()
        self._on_change(changed)
