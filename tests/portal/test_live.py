"""News of tickets, as pages wait for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from contracts.follow import Follower
from contracts.subjects import OUTSIDE_DOMAIN, TICKETS, consumer_names
from services.portal.live import MAX_STREAMS_OF_ONE, News, Streams
from tests.portal.system import ACME, ANNA, JAMES, System

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_whoever_waits_for_news_is_let_go_when_the_process_ends(system: System) -> None:
    news = News(system.cli, user="cli")
    waiting = news.of(ACME)
    assert await anext(waiting) == 0
    news.close()
    assert [position async for position in waiting] == []
    assert [position async for position in news.of(ACME)] == [], "nor is anybody kept who comes later"


async def test_what_happened_before_the_log_could_be_followed_is_news(system: System) -> None:
    names = consumer_names("portal")
    async with contextlib.AsyncExitStack() as stack:
        async with contextlib.AsyncExitStack() as taken:
            for _ in names[1:]:  # the portal of the system has one
                follower = Follower(
                    await system.connect("portal"),
                    TICKETS.name,
                    TICKETS.filter,
                    names=names,
                    after=None,
                    domain=OUTSIDE_DOMAIN,
                )
                await anext(await taken.enter_async_context(contextlib.aclosing(follower.batches())))
            news = News(await system.connect("portal"), user="portal")
            stack.callback(asyncio.create_task(news.run()).cancel)
            waiting = [news.of(ACME), news.of(None)]
            assert [await anext(each) for each in waiting] == [0, 0]
            position = await system.reply(JAMES, await system.open(ANNA), "While nobody followed")
        async with asyncio.timeout(15):
            assert [await anext(each) >= position for each in waiting] == [True, True]
        assert await anext(news.of("nova-bookings")) >= position, "what was shown there may be old, too"


async def test_a_stream_ends_before_it_tells_who_has_signed_out_anything(system: System) -> None:
    number = await system.open(ANNA)
    james, elsewhere = await system.browser(JAMES), await system.browser(JAMES)
    async with james.stream("GET", f"/tickets/{number}/live?after=0") as told, asyncio.timeout(20):
        lines = told.aiter_lines()
        await _until(lines, "id: 1")
        await elsewhere.post("/sign-out-everywhere")
        await system.reply(ANNA, number, "Only for who is signed in")
        assert await _until(lines, "event:") == "event: gone"
        assert "Only for who" not in "".join([line async for line in lines])


async def test_a_session_has_only_so_many_streams(system: System) -> None:
    james, anna = await system.browser(JAMES), await system.browser(ANNA)
    async with contextlib.AsyncExitStack() as open_streams:
        for number in range(MAX_STREAMS_OF_ONE + 1):
            stream = await open_streams.enter_async_context(james.stream("GET", "/tickets/live"))
            assert stream.status_code == (429 if number == MAX_STREAMS_OF_ONE else 200)
        async with anna.stream("GET", "/tickets/live") as hers:
            assert hers.status_code == 200
    async with asyncio.timeout(10):
        while True:  # until the portal has seen that they are closed
            async with james.stream("GET", "/tickets/live") as again:
                if again.status_code == 200:
                    break


async def test_streams_leave_room_for_pages() -> None:
    streams = Streams(in_all=2, of_one=2)
    with streams.one("a"), streams.one("b"):
        assert streams.refuses("c") == 503
    assert streams.refuses("c") is None
    with streams.one("a"), streams.one("a"):
        assert streams.refuses("a") == 429


async def _until(lines: AsyncIterator[str], beginning: str) -> str:
    """The next line that begins so."""
    return await anext(line async for line in lines if line.startswith(beginning))
