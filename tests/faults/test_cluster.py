"""A cluster of three NATS servers, of which one at a time dies or freezes under load."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from nats.aio.client import Client

from services.runtime.connection import connect, keep_alive
from services.runtime.digest import digest
from services.runtime.settings import RuntimeSettings, load
from services.runtime.streams import ensure_streams
from tests.access_log import AccessLog, on_server
from tests.cluster import Cluster, cluster_in
from tests.faults.conftest import JAN, Service, Watcher, Writers, check_log, command

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

WRITERS, FROZEN_S, GOES_ON_WITHIN_S = 30, 15.0, 30.0


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Three servers that sync every write, with the streams on all of them."""
    async with cluster_in(tmp_path / "cluster") as cluster:
        setup, root = await cluster.connect("setup"), await cluster.connect()
        assert await ensure_streams(setup, replicas=3) == []
        await AccessLog(on_server(root)).account("acme", members=[JAN])
        await setup.close()
        await root.close()
        yield cluster


@contextlib.asynccontextmanager
async def kept_connection(cluster: Cluster, user: str) -> AsyncIterator[Client]:
    """A connection that comes back after every outage, as a service's does."""
    client = await connect(
        load(RuntimeSettings, nats_url=cluster.urls, nats_creds=cluster.creds_file(user)), user=user
    )
    keeping = asyncio.create_task(keep_alive(client))
    yield client
    while not keeping.done():
        keeping.cancel()
        await asyncio.wait([keeping], timeout=1)
    await client.close()


@pytest.fixture
async def nc(cluster: Cluster) -> AsyncIterator[Client]:
    """Sees what the servers hold."""
    async with kept_connection(cluster, "root") as client:
        yield client


@pytest.fixture
async def writers(cluster: Cluster) -> AsyncIterator[Writers]:
    """Those who send commands."""
    async with kept_connection(cluster, "cli") as client:
        yield Writers(client)


@pytest.fixture
async def services(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Callable[[str], Service]]:
    """Makes a service on the directory of this name; killed with the test."""
    made: list[Service] = []

    def make(name: str) -> Service:
        made.append(Service(cluster.urls, tmp_path / name, cluster.settings("tickets")))
        return made[-1]

    yield make
    for service in made:
        await service.kill()


async def under_load(
    nc: Client,
    writers: Writers,
    services: Callable[[str], Service],
    disturb: Callable[[], Awaitable[None]],
) -> None:
    """Two replicas and writers that never give up, while `disturb` does its worst. The log, the answers and
    the replicas agree afterwards."""
    both = [services("one"), services("two")]
    await asyncio.gather(*(service.start() for service in both))
    watcher = Watcher(nc)
    numbers = await writers.open(10)
    over = asyncio.Event()

    async def write(writer: int) -> None:
        n = 0
        while not over.is_set():
            n += 1
            if n % 10 == 0:
                await writers.send("open", command(f"more-{writer}-{n}", title="x", message="x"))
            else:
                reply = command(f"reply-{writer}-{n}", number=random.choice(numbers), text="x")
                await writers.send("reply", reply)

    writing = [asyncio.create_task(write(writer)) for writer in range(WRITERS)]
    await disturb()
    over.set()
    await asyncio.gather(*writing)
    events = check_log(await watcher.saw_everything(), writers)
    assert events == len(writers.acknowledged)
    await watcher.stop()
    for service in both:
        await service.stop()
        assert service.faults() == []
    fresh = services("fresh")
    await fresh.start()
    await fresh.stop()
    assert {digest(service.replica) for service in both} == {digest(fresh.replica)}


async def goes_on(writers: Writers) -> float:
    """Returns when commands are answered again; after how many seconds that was."""
    began = time.monotonic()
    await writers.more_acknowledged(50)
    took = time.monotonic() - began
    assert took < GOES_ON_WITHIN_S
    return round(took, 1)


async def test_of_three_servers_each_killed_in_turn_writes_go_on(
    cluster: Cluster,
    nc: Client,
    writers: Writers,
    services: Callable[[str], Service],
    report: Callable[..., None],
) -> None:
    pauses = []

    async def disturb() -> None:
        for node in [await cluster.leader(nc, "TICKETS"), *cluster.nodes]:
            await writers.more_acknowledged(200)
            await node.kill()
            pauses.append(await goes_on(writers))
            await cluster.start(node)
            await cluster.leader(nc, "TICKETS")

    await under_load(nc, writers, services, disturb)
    report(acknowledged=len(writers.acknowledged), retries=writers.retries, s_until_it_went_on=pauses)


async def test_of_three_servers_each_frozen_in_turn_writes_go_on(
    cluster: Cluster,
    nc: Client,
    writers: Writers,
    services: Callable[[str], Service],
    report: Callable[..., None],
) -> None:
    pauses = []

    async def disturb() -> None:
        for node in [await cluster.leader(nc, "TICKETS"), *cluster.nodes]:
            await writers.more_acknowledged(200)
            node.freeze()
            try:
                began = time.monotonic()
                pauses.append(await goes_on(writers))
                await asyncio.sleep(max(0, FROZEN_S - (time.monotonic() - began)))  # the time is the test
            finally:
                node.resume()
            await writers.more_acknowledged(50)
            await cluster.leader(nc, "TICKETS")

    await under_load(nc, writers, services, disturb)
    report(acknowledged=len(writers.acknowledged), retries=writers.retries, s_until_it_went_on=pauses)


async def test_a_leader_that_is_deposed_again_and_again_loses_nothing(
    cluster: Cluster,
    nc: Client,
    writers: Writers,
    services: Callable[[str], Service],
    report: Callable[..., None],
) -> None:
    async def disturb() -> None:
        for _ in range(20):
            await writers.more_acknowledged(random.randint(10, 100))
            await cluster.depose(nc, "TICKETS")
            await cluster.leader(nc, "TICKETS")

    await under_load(nc, writers, services, disturb)
    report(acknowledged=len(writers.acknowledged), retries=writers.retries)


async def test_a_rolling_restart_of_the_servers_loses_nothing(
    cluster: Cluster,
    nc: Client,
    writers: Writers,
    services: Callable[[str], Service],
    report: Callable[..., None],
) -> None:
    pauses = []

    async def disturb() -> None:
        for node in cluster.nodes:
            await writers.more_acknowledged(200)
            await node.stop()
            pauses.append(await goes_on(writers))
            await cluster.start(node)
            await cluster.leader(nc, "TICKETS")

    await under_load(nc, writers, services, disturb)
    report(acknowledged=len(writers.acknowledged), retries=writers.retries, s_until_it_went_on=pauses)
