"""A guard that has lost the access log, on real servers: it refuses rather than guesses, and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest

from contracts import wording
from contracts.access.roles import Permission
from contracts.envelope import Actor
from contracts.errors import ErrorReply
from contracts.subjects import ACCESS, TICKETS
from services.guard.following import AccessLogReplaced
from services.guard.guard import Guard
from services.guard.picture import EventUnknown
from services.runtime.errors import Refused, Unavailable
from services.runtime.streams import ensure_streams, stream_info
from tests.guard.conftest import (
    ACME,
    DEADLINE_S,
    PEOPLE,
    World,
    a_world,
    eventually,
    new_id,
    the_ticket_service,
)

MAX_AGE_S: Final = 2.0
JAN: Final = Actor.model_validate(PEOPLE["member of acme"])
READ: Final = Permission.TICKET_READ


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A system that a test may break."""
    async with a_world(tmp_path / "world") as world:
        yield world


@contextlib.asynccontextmanager
async def guarding(world: World) -> AsyncIterator[tuple[Guard, asyncio.Task[None]]]:
    """A guard, and the task that keeps it up to date."""
    guard = Guard(await world.connect("tickets"), user="tickets", max_age_s=MAX_AGE_S)
    running = asyncio.create_task(guard.run())
    await guard.caught_up()
    try:
        yield guard, running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@contextlib.contextmanager
def frozen(world: World) -> Iterator[None]:
    """The broker stands still, as behind a broken network: no connection ends, nothing comes."""
    (ports,) = world.server.directory.glob("*.ports")
    process = int(ports.stem.rpartition("_")[2])
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def decides(guard: Guard) -> bool:
    """Whether it lets Jan read; False: it decides nothing."""
    try:
        guard.check(JAN, ACME, READ)
    except Unavailable:
        return False
    return True


def allows(guard: Guard) -> bool:
    """Whether it lets Jan read, as far as it knows."""
    try:
        guard.check(JAN, ACME, READ)
    except Refused:
        return False
    return True


async def test_a_guard_that_hears_nothing_decides_nothing_until_it_hears_again(world: World) -> None:
    async with guarding(world) as (guard, _):
        assert decides(guard)
        with frozen(world):
            began = time.monotonic()
            await eventually(lambda: not decides(guard), "it decides nothing")
            assert time.monotonic() - began < MAX_AGE_S + 0.2
            assert "cut off" in str(await guard.not_ready())
        await eventually(lambda: decides(guard), "it decides again")
        assert await guard.not_ready() is None


async def test_a_silent_log_is_no_lost_log(world: World) -> None:
    """The broker says every second that nothing happened."""
    async with guarding(world) as (guard, _):
        began = time.monotonic()
        await eventually(
            lambda: not decides(guard) or time.monotonic() > began + 3 * MAX_AGE_S, "the time is over"
        )
        assert decides(guard)


async def test_a_stream_that_is_open_ends_when_the_log_is_lost(world: World) -> None:
    closed = asyncio.Event()

    async def silence() -> AsyncGenerator[None, None]:
        try:
            await asyncio.get_running_loop().create_future()
            yield
        finally:
            closed.set()

    async with guarding(world) as (guard, _):
        watching = asyncio.create_task(anext(guard.watch(JAN, ACME, READ, silence())))
        await asyncio.sleep(0)
        began = time.monotonic()
        with frozen(world), pytest.raises(Unavailable, match="access_unknown"):
            await watching
        assert time.monotonic() - began < MAX_AGE_S + 0.2
        assert closed.is_set()


async def test_the_ticket_service_refuses_everybody_and_writes_nothing(world: World, tmp_path: Path) -> None:
    jan = PEOPLE["member of acme"]
    async with the_ticket_service(world, tmp_path / "tickets", access_max_age_s=MAX_AGE_S):
        number = await world.ticket(ACME)
        await world.root.request(f"$JS.API.STREAM.DELETE.{ACCESS.name}")
        async with asyncio.timeout(DEADLINE_S):
            while (await world.ask(jan, "get", number=number))[0] != "503":
                pass
        before = (await stream_info(world.root, TICKETS))["state"]["last_seq"]
        for who in ("member of acme", "agent", "auditor", "terminal", "stranger"):
            for name, more in (
                ("get", {"number": number}),
                ("list", {}),
                ("reply", {"number": number, "text": "x", "command_id": new_id()}),
            ):
                status, answer = await world.ask(PEOPLE[who], name, account=ACME, **more)
                refused = ErrorReply.model_validate(answer)
                assert (status, refused.kind, refused.code) == ("503", "unavailable", "access_unknown")
                assert refused.message.startswith("Who may do what cannot be told right now.")
                polish = wording.refusal(refused.code, refused.data, "pl")
                assert polish.startswith("Nie można teraz ustalić uprawnień.")
        assert (await stream_info(world.root, TICKETS))["state"]["last_seq"] == before


async def test_another_log_in_the_place_of_the_log_is_not_believed(world: World) -> None:
    async with guarding(world) as (guard, running):
        await world.root.request(f"$JS.API.STREAM.DELETE.{ACCESS.name}")
        await ensure_streams(await world.connect("setup"), replicas=1)
        with pytest.raises(AccessLogReplaced):
            await asyncio.wait_for(running, DEADLINE_S)
        await eventually(lambda: not decides(guard), "it decides nothing")


async def test_an_event_of_a_later_version_ends_the_following(world: World) -> None:
    async with guarding(world) as (_, running):
        unknown = b'{"type":"casetrail.member.suspended.v1","account":"acme","subject":"acme","data":{}}'
        await world.root.jetstream().publish("events.access.account.acme", unknown)
        with pytest.raises(EventUnknown):
            await asyncio.wait_for(running, DEADLINE_S)


async def test_what_is_no_event_is_passed_over(world: World) -> None:
    async with guarding(world) as (guard, running):
        await world.root.jetstream().publish("events.access.account.acme", b"not an event")
        await world.access.removed(ACME, "jan@acme.example")
        await eventually(lambda: not allows(guard), "the removal, which came after it, has arrived")
        assert not running.done()


async def test_somebody_who_has_just_joined_is_not_refused(world: World) -> None:
    async with guarding(world) as (guard, _):
        for _ in range(50):
            await world.access.removed(ACME, "jan@acme.example")
            await world.access.joined(ACME, "jan@acme.example")
            await guard.require(JAN, ACME, READ)


async def test_a_watch_hands_over_all_items_and_ends_with_them(world: World) -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        for number in range(100):
            yield number

    async with guarding(world) as (guard, _):
        watched = guard.watch(JAN, ACME, READ, numbers())
        assert [number async for number in watched] == list(range(100))


async def test_a_watch_hands_on_the_failure_of_what_is_watched(world: World) -> None:
    async def broken() -> AsyncGenerator[int, None]:
        yield 1
        raise ConnectionError

    async with guarding(world) as (guard, _):
        watched = guard.watch(JAN, ACME, READ, broken())
        assert await anext(watched) == 1
        with pytest.raises(ConnectionError):
            await anext(watched)
