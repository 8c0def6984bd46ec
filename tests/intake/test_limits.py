"""Counters against strangers, on a real server: exact, shared by replicas, and closed when in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client

from contracts.subjects import LIMITS, bucket_stream
from services.embedded.nats_server import NatsServer
from services.intake.limits import AddressInvalid, Limits, network
from services.runtime.errors import Unavailable
from services.runtime.streams import ensure_streams

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "the key of these tests, long enough to be one"


class Clock:
    """The time, which stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 9, 59, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsServer]:
    server = await NatsServer.start(tmp_path_factory.mktemp("nats"))
    nc = await nats.connect(server.url)
    await ensure_streams(nc, replicas=1)
    await nc.close()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nc(server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(server.url)
    yield client
    await client.close()


async def test_so_many_an_hour_and_then_no_more_until_the_next_hour(nc: Client) -> None:
    clock = Clock()
    limits = Limits(nc.jetstream(), KEY, clock)
    assert [await limits.take("hour", "a", at_most=3) for _ in range(5)] == [True] * 3 + [False] * 2
    clock.at += timedelta(seconds=1)
    assert [await limits.take("hour", "a", at_most=3) for _ in range(4)] == [True] * 3 + [False]


async def test_each_is_counted_for_itself(nc: Client) -> None:
    limits = Limits(nc.jetstream(), KEY, Clock())
    assert await limits.take("each", "a", at_most=1)
    assert await limits.take("each", "b", at_most=1)
    assert await limits.take("other", "a", at_most=1)
    assert not await limits.take("each", "a", at_most=1)


async def test_what_is_refused_is_not_counted(nc: Client) -> None:
    limits = Limits(nc.jetstream(), KEY, Clock())
    assert await limits.take("refused", "a", at_most=1)
    assert not await limits.take("refused", "a", at_most=1)
    assert await limits.take("refused", "a", at_most=2)


async def test_nothing_at_all_may_be_a_limit(nc: Client) -> None:
    assert not await Limits(nc.jetstream(), KEY, Clock()).take("none", "a", at_most=0)


async def test_replicas_count_together_and_exactly_however_many_come_at_once(server: NatsServer) -> None:
    replicas = [await nats.connect(server.url) for _ in range(3)]
    clock = Clock()
    counters = [Limits(nc.jetstream(), KEY, clock) for nc in replicas]
    taken = await asyncio.gather(
        *(counters[number % 3].take("together", "a", at_most=20) for number in range(60))
    )
    assert taken.count(True) == 20
    for nc in replicas:
        await nc.close()


async def test_no_address_stands_in_the_bucket_nor_what_anybody_could_work_out(nc: Client) -> None:
    whom = "198.51.100.7"
    await Limits(nc.jetstream(), KEY, Clock()).take("hidden", whom, at_most=5)
    await Limits(nc.jetstream(), KEY + "!", Clock()).take("hidden", whom, at_most=5)
    stream = bucket_stream(LIMITS)
    info = await nc.jetstream().stream_info(stream, subjects_filter=f"$KV.{LIMITS}.hidden.>")
    subjects = list(info.state.subjects or {})
    assert len(subjects) == 2, "another key makes another hash"
    assert not [subject for subject in subjects if "198" in subject.split(".") or whom in subject]


async def test_where_nothing_can_be_counted_nothing_is_let_through(tmp_path: Path) -> None:
    server = await NatsServer.start(tmp_path / "nats")
    nc = await nats.connect(server.url)
    limits = Limits(nc.jetstream(timeout=1), KEY, Clock())
    with pytest.raises(Unavailable):  # there is no bucket
        await limits.take("closed", "a", at_most=5)
    await nc.close()
    with pytest.raises(Unavailable):  # nor a connection
        await limits.take("closed", "a", at_most=5)
    await server.stop()


async def test_a_full_bucket_lets_nobody_through(tmp_path: Path) -> None:
    server = await NatsServer.start(tmp_path / "nats")
    nc = await nats.connect(server.url)
    js = nc.jetstream()
    await js.add_stream(
        name=bucket_stream(LIMITS), subjects=[f"$KV.{LIMITS}.>"], max_bytes=300, discard="new",
        max_msgs_per_subject=1,
    )  # fmt: skip
    limits = Limits(js, KEY, Clock())
    let_through = 0
    for number in range(10):
        try:
            let_through += await limits.take("full", str(number), at_most=1)
        except Unavailable:
            break
    assert 0 < let_through < 10
    await nc.close()
    await server.stop()


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
async def test_an_address_is_counted_for_the_one_who_has_it(address: str, counted_as: str) -> None:
    assert network(address) == counted_as


@pytest.mark.parametrize(
    "address", ["", "unix", "198.51.100.7:4711", "[2001:db8::1]", "198.51.100.007", "x" * 64]
)
async def test_what_is_no_address_is_not_counted_as_one(address: str) -> None:
    with pytest.raises(AddressInvalid):
        network(address)
