"""The guard of a service: decides who may do what, on its own, from the access log.

    check      now, or a refusal; microseconds
    require    the same for one request: refuses only on the log as it is at this moment
    watch      the same for as long as something flows

A picture that has not heard of the log for `max_age_s` decides nothing: better refuse than guess.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Mapping
from typing import Any, TypeVar

from nats.aio.client import Client
from prometheus_client import CollectorRegistry, Gauge

from contracts.access.roles import Permission
from contracts.envelope import Actor
from services.guard import following
from services.guard.following import Following
from services.guard.picture import Picture
from services.guard.settings import GuardSettings
from services.runtime.errors import Refused, Unavailable
from services.runtime.service import Context

ItemT = TypeVar("ItemT")
SettingsT = TypeVar("SettingsT", bound=GuardSettings)


class Guard:
    """Decides by a picture that it keeps up to date itself. Start `run()` as a task."""

    def __init__(
        self,
        nc: Client,
        *,
        user: str,
        max_age_s: float,
        domain: str | None = None,
        beside: following.Picture | None = None,
    ) -> None:
        """Args:
        user: the NATS user, which scopes the name of the consumer.
        domain: JetStream domain of the access log, if it is another NATS account's.
        beside: another picture of the same log, which is kept just as the guard's own.
        """
        self._picture = Picture()
        kept = self._picture if beside is None else _Both(self._picture, beside)
        self._following = Following(nc, kept, user=user, on_change=self._wake, domain=domain)
        self._max_age_s = max_age_s
        self._watching: dict[str, set[asyncio.Event]] = {}

    async def run(self) -> None:
        """Follow the access log until cancelled. Raises as `Following.run`."""
        await self._following.run()

    async def caught_up(self) -> None:
        """Return once the picture has held, for the first time, everything that the log held."""
        await self._following.caught_up()

    async def reach(self, position: int) -> None:
        """Return once the picture holds the access log up to a position.

        Raises:
            Unavailable: `access_unknown`, it does not within five seconds.
        """
        await self._following.reach(position)

    async def not_ready(self) -> str | None:
        """Why requests should not be sent here; None if they may. A check for `/readyz`."""
        age_s = self._following.age_s
        if math.isinf(age_s):
            return "has not heard of the access log yet"
        return None if age_s <= self._max_age_s else f"cut off from the access log for {age_s:.0f} s"

    def show(self, registry: CollectorRegistry) -> None:
        """Show the picture in `/metrics`."""
        position = Gauge(
            "casetrail_access_position",
            "Position of the access log up to which decisions know everything",
            registry=registry,
        )
        age = Gauge(
            "casetrail_access_age_seconds",
            "Time since decisions were last known to rest on all of the access log",
            registry=registry,
        )
        position.set_function(lambda: self._following.position)
        age.set_function(lambda: self._following.age_s)

    def check(self, actor: Actor | None, account: str | None, permission: Permission) -> None:
        """Returns if the actor may, as far as the picture knows; `account` None: in all accounts.

        Raises:
            Refused: as `Picture.check`.
            Unavailable: `access_unknown`, the picture is too old.
        """
        self._check_age()
        self._picture.check(actor, account, permission)

    async def require(self, actor: Actor | None, account: str | None, permission: Permission) -> None:
        """As `check`; but the picture may lag, so a no is only said on the log as it is now."""
        try:
            self.check(actor, account, permission)
        except Refused:
            await self._following.catch_up()
            self.check(actor, account, permission)

    async def knows_account(self, account: str) -> bool:
        """Whether there is such an account: for what somebody without any standing may ask for.

        Raises:
            Unavailable: `access_unknown`, the picture is too old.
        """
        self._check_age()
        if not self._picture.knows(account):  # the picture may lag
            await self._following.catch_up()
        return self._picture.knows(account)

    async def watch(
        self,
        actor: Actor | None,
        account: str | None,
        permission: Permission,
        items: AsyncIterator[ItemT],
    ) -> AsyncGenerator[ItemT, None]:
        """The items, for as long as the actor may. Once it may not: not one more, and the refusal at once.

        Close the generator (`contextlib.aclosing`) to give up the items early. Raises as `check`.
        """
        await self.require(actor, account, permission)
        ids = {each for each in (account, None if actor is None else actor.id) if each is not None}
        upcoming: asyncio.Task[ItemT] | None = None
        try:
            with self._woken_by(ids) as woken:
                while True:
                    upcoming = upcoming or asyncio.create_task(_next(items))
                    may_be_too_old_in_s = max(0.0, self._max_age_s - self._following.age_s)
                    await _either(upcoming, woken, within_s=may_be_too_old_in_s)
                    woken.clear()
                    self.check(actor, account, permission)
                    if upcoming.done():
                        taken, upcoming = upcoming, None
                        try:
                            item = taken.result()
                        except StopAsyncIteration:
                            return
                        yield item
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)
            if isinstance(items, AsyncGenerator):
                await items.aclose()

    def _check_age(self) -> None:
        if self._following.age_s > self._max_age_s:
            raise Unavailable("access_unknown")

    def _wake(self, ids: Collection[str]) -> None:
        for key in self._watching.keys() & ids:
            for woken in self._watching[key]:
                woken.set()

    @contextlib.contextmanager
    def _woken_by(self, ids: Collection[str]) -> Iterator[asyncio.Event]:
        woken = asyncio.Event()
        for key in ids:
            self._watching.setdefault(key, set()).add(woken)
        try:
            yield woken
        finally:
            for key in ids:
                self._watching[key].discard(woken)
                if not self._watching[key]:
                    del self._watching[key]


class _Both:
    """Two pictures of one log."""

    def __init__(self, first: following.Picture, second: following.Picture) -> None:
        self._pictures = (first, second)

    def apply(self, event: Mapping[str, Any]) -> None:
        for picture in self._pictures:
            picture.apply(event)


async def start_guard(
    context: Context[SettingsT], *, domain: str | None = None, beside: following.Picture | None = None
) -> Guard:
    """A guard that has caught up with the access log, and follows it until the context's tasks end.

    `domain` and `beside` are those of `Guard`.
    """
    guard = Guard(
        context.nc,
        user=context.user,
        max_age_s=context.settings.access_max_age_s,
        domain=domain,
        beside=beside,
    )
    context.health.add_check("access", guard.not_ready)
    guard.show(context.registry)
    context.spawn(guard.run(), name="guard")
    await guard.caught_up()
    return guard


async def _next(items: AsyncIterator[ItemT]) -> ItemT:
    return await anext(items)


async def _either(upcoming: asyncio.Task[ItemT], woken: asyncio.Event, *, within_s: float) -> None:
    """Returns when one of them is there, at the latest after `within_s` seconds."""
    waking = asyncio.create_task(woken.wait())
    try:
        await asyncio.wait({upcoming, waking}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waking.cancel()
