"""Following a stream on a real server: nothing missing, nothing twice, whatever happens to the broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from contracts.follow import MAX_BUFFERED, Batch, BeyondTheEnd, Follower, FollowError, NoJetStream
from contracts.subjects import OUTSIDE_DOMAIN, TICKETS, ticket_events
from services.embedded.nats_server import NatsServer
from services.runtime.streams import ensure_streams

WITHIN_S = 30


@pytest.fixture
async def nc(nats_server: NatsServer) -> AsyncGenerator[Client, None]:
    """A connection that comes back quickly, to a server that has the streams."""

    async def expected(_error: Exception) -> None:
        """The broker goes away in these tests."""

    client = await nats.connect(
        nats_server.url,
        reconnect_time_wait=0.1,
        max_reconnect_attempts=-1,
        error_cb=expected,
    )
    await ensure_streams(client, replicas=1)
    yield client
    await client.close()


async def put(nc: Client, count: int, *, account: str = "acme") -> None:
    """Append messages, over however many outages; a message may get in twice."""
    for number in range(count):
        while True:
            try:
                await nc.jetstream().publish(ticket_events(account, str(number)), b"{}", timeout=1)
                break
            except NatsError:
                await asyncio.sleep(0.05)


async def last_position(nc: Client) -> int:
    return (await nc.jetstream().stream_info(TICKETS.name)).state.last_seq


def follower(nc: Client, *names: str, account: str = "*", after: int | None = 0) -> Follower:
    return Follower(nc, TICKETS.name, ticket_events(account, "*"), names=names or ["f-0"], after=after)


async def positions(batches: AsyncGenerator[Batch, None], *, up_to: int) -> list[int]:
    """The positions that are handed over until one is reached."""
    seen: list[int] = []
    async with asyncio.timeout(WITHIN_S):
        while not seen or seen[-1] < up_to:
            batch = await anext(batches)
            seen += [message.position for message in batch.messages]
    return seen


async def test_every_message_comes_once_in_order_over_many_restarts(
    nats_server: NatsServer, nc: Client
) -> None:
    lost: list[str] = []
    following = Follower(nc, TICKETS.name, TICKETS.subjects[0], names=["f-0", "f-1"], on_lost=lost.append)
    writing = asyncio.create_task(put(nc, 300))
    seen: list[int] = []
    async with contextlib.aclosing(following.batches(wait_s=0.1)) as batches:
        for restart in range(3):
            seen += await positions(batches, up_to=60 * (restart + 1))
            await nats_server.kill()
            await nats_server.start_again()
        await asyncio.wait_for(writing, WITHIN_S)
        seen += await positions(batches, up_to=await last_position(nc))
    assert seen == list(range(1, seen[-1] + 1))
    assert len(lost) >= 3


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_the_end_of_the_log_is_told_even_when_messages_overtake_the_answer(
    nc: Client, count: int
) -> None:
    await put(nc, count)
    for attempt in range(20):  # whether they do is a race
        async with contextlib.aclosing(follower(nc, f"f-{attempt}").batches()) as batches:
            seen = 0
            async with asyncio.timeout(WITHIN_S):
                async for batch in batches:
                    seen += len(batch.messages)
                    if batch.pending == 0:
                        break
        assert seen == count


async def test_from_now_on_leaves_out_what_there_is_and_nothing_after_it(
    nats_server: NatsServer, nc: Client
) -> None:
    await put(nc, 5)
    following = follower(nc, after=None)
    async with contextlib.aclosing(following.batches()) as batches:
        assert await anext(batches) == Batch((), 0)
        assert following.position == 5
        await nats_server.kill()
        await nats_server.start_again()
        await put(nc, 2)
        seen = await positions(batches, up_to=await last_position(nc))
    assert seen[0] == 6
    assert seen == sorted(set(seen))


@pytest.mark.parametrize(("year", "seen"), [(1, 2), (1600, 2), (1970, 2), (2261, 0), (2263, 0), (9999, 0)])
async def test_a_time_far_off_is_what_it_says(nc: Client, year: int, seen: int) -> None:
    await put(nc, 2)
    since = datetime(year, 1, 1, tzinfo=UTC)
    following = Follower(nc, TICKETS.name, TICKETS.subjects[0], names=["f-0"], since=since)
    async with contextlib.aclosing(following.batches()) as batches:
        assert (await anext(batches)).pending == seen
        assert following.position == 2 - seen


async def test_what_is_recorded_before_a_time_to_come_is_left_out(
    nats_server: NatsServer, nc: Client
) -> None:
    await put(nc, 1)
    since = datetime.now(UTC) + timedelta(seconds=2)
    following = Follower(nc, TICKETS.name, TICKETS.subjects[0], names=["f-0"], since=since)
    async with contextlib.aclosing(following.batches(wait_s=0.1)) as batches, asyncio.timeout(WITHIN_S):
        assert await anext(batches) == Batch((), 0)
        await put(nc, 1)
        await nats_server.kill()
        await nats_server.start_again()
        await put(nc, 1)
        too_early = await last_position(nc)
        seen: list[int] = []
        while not seen:
            await put(nc, 1)
            seen += [message.position for message in (await anext(batches)).messages]
    assert seen[0] > too_early
    stored = await nc.jetstream().get_msg(TICKETS.name, seen[0])
    assert stored.time is not None
    assert stored.time >= since
    before = await nc.jetstream().get_msg(TICKETS.name, seen[0] - 1)
    assert before.time is not None
    assert before.time < since


@pytest.mark.parametrize("account", ["*", "acme"])
async def test_beyond_the_end_of_the_log_there_is_nothing_to_resume(nc: Client, account: str) -> None:
    with pytest.raises(BeyondTheEnd, match="position 1 is beyond the end of the log, which is at 0"):
        await anext(follower(nc, account=account, after=1).batches())
    await put(nc, 2)
    await put(nc, 1, account="globex")
    with pytest.raises(BeyondTheEnd) as told:
        await anext(follower(nc, account=account, after=4).batches())
    assert (told.value.after, told.value.last) == (4, 3)
    async with contextlib.aclosing(follower(nc, account=account, after=3).batches()) as batches:
        assert await anext(batches) == Batch((), 0)
        await put(nc, 1)
        assert await positions(batches, up_to=4) == [4]


async def test_a_filter_leaves_gaps_in_positions_only(nc: Client) -> None:
    for account in ("acme", "globex", "acme"):
        await put(nc, 1, account=account)
    async with contextlib.aclosing(follower(nc, account="acme").batches()) as batches:
        assert await positions(batches, up_to=3) == [1, 3]


async def test_a_name_that_was_lost_to_another_is_left_to_it(nats_server: NatsServer, nc: Client) -> None:
    """After a restart all consumers are gone, and whoever comes first has the first name."""
    await put(nc, 1)
    lost: list[str] = []
    first = Follower(nc, TICKETS.name, TICKETS.subjects[0], names=["f-0", "f-1"], on_lost=lost.append)
    async with contextlib.aclosing(first.batches(wait_s=0.1)) as ours:
        await positions(ours, up_to=1)
        await nats_server.kill()
        await nats_server.start_again()
        newcomer = await nats.connect(nats_server.url)
        async with contextlib.aclosing(follower(newcomer, "f-0").batches(wait_s=0.1)) as theirs:
            await positions(theirs, up_to=1)
            await put(nc, 1)
            end = await last_position(nc)
            assert await positions(ours, up_to=end) == list(range(2, end + 1))
            assert await positions(theirs, up_to=end) == list(range(2, end + 1))
            assert len(lost) == 1
        await newcomer.close()


async def test_a_name_in_use_is_not_taken_and_a_closed_follower_gives_it_back(nc: Client) -> None:
    async with contextlib.aclosing(follower(nc).batches()) as batches:
        await anext(batches)
        with pytest.raises(FollowError, match="all 1 consumer names"):
            await anext(follower(nc).batches())
    async with contextlib.aclosing(follower(nc).batches()) as batches:
        assert await anext(batches) == Batch((), 0)


async def test_a_slow_reader_holds_the_server_back_and_misses_nothing(nc: Client) -> None:
    count = 5 * MAX_BUFFERED
    for number in range(count):
        await nc.publish(ticket_events("acme", str(number)), bytes(200))
        if number % 1000 == 0:
            await nc.flush()
    largest, seen = 0, 0
    async with contextlib.aclosing(follower(nc).batches()) as batches, asyncio.timeout(60):
        async for batch in batches:
            largest, seen = max(largest, len(batch.messages)), seen + len(batch.messages)
            if seen == count:
                break
            before = nc.stats["in_msgs"]
            while nc.is_connected:  # read nothing until the server sends nothing more
                await asyncio.sleep(0.2)
                if nc.stats["in_msgs"] - before < 5:
                    break
                before = nc.stats["in_msgs"]
    assert seen == count
    assert largest < 4 * MAX_BUFFERED  # what is on its way when the server is no longer answered


async def test_an_outage_leaves_no_subscription_behind(nats_server: NatsServer, nc: Client) -> None:
    async with contextlib.aclosing(follower(nc).batches(wait_s=0.1)) as batches:
        await anext(batches)
        await put(nc, 1)
        await positions(batches, up_to=1)
        before = subscriptions_of(nc)
        await nats_server.kill()
        following = asyncio.create_task(positions(batches, up_to=2))
        await nats_server.start_again()
        await put(nc, 1)
        await following
        assert subscriptions_of(nc) == before


def subscriptions_of(nc: Client) -> int:
    return len(nc._subs)  # the client has no other way to tell


async def test_a_closed_connection_ends_the_iteration(nats_server: NatsServer, nc: Client) -> None:
    other = await nats.connect(nats_server.url)
    batches = follower(other).batches(wait_s=0.1)
    await anext(batches)
    await other.close()
    with pytest.raises(FollowError, match="closed"):
        await anext(batches)


async def test_a_stream_that_is_not_there_is_told(nc: Client) -> None:
    with pytest.raises(FollowError, match="stream not found"):
        await anext(Follower(nc, "NONE", "events.>", names=["f-0"]).batches())
    elsewhere = Follower(nc, TICKETS.name, "events.>", names=["f-0"], domain=OUTSIDE_DOMAIN)
    with pytest.raises(NoJetStream):
        await anext(elsewhere.batches())
