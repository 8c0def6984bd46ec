"""A broker that dies or freezes under load."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable

import pytest
from nats.aio.client import Client

from services.embedded.nats_server import NatsServer
from services.runtime.digest import digest
from tests.faults.conftest import Service, Watcher, Writers, check_log, command

pytestmark = pytest.mark.faults

WRITERS, RESTARTS, FROZEN_S = 30, 4, 5.0


async def under_load(
    nc: Client, services: Callable[[str], Service], disturb: Callable[[Writers], Awaitable[None]]
) -> tuple[Writers, int]:
    """Two replicas and writers that never give up, while `disturb` does its worst; how often a watcher lost
    its consumer. The log, the answers and the replicas agree afterwards."""
    both = [services("one"), services("two")]
    await asyncio.gather(*(service.start() for service in both))
    writers, watcher = Writers(nc), Watcher(nc)
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
    await disturb(writers)
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
    return writers, watcher.lost


async def test_a_broker_killed_under_load_loses_nothing_and_doubles_nothing(
    nc: Client, broker: NatsServer, services: Callable[[str], Service], report: Callable[..., None]
) -> None:
    async def disturb(writers: Writers) -> None:
        for _ in range(RESTARTS):
            await writers.more_acknowledged(random.randint(100, 300))
            await broker.kill()
            await broker.start_again()
        await writers.more_acknowledged(200)

    writers, lost = await under_load(nc, services, disturb)
    assert lost >= RESTARTS
    report(acknowledged=len(writers.acknowledged), retries=writers.retries, restarts=RESTARTS)


async def test_a_broker_frozen_under_load_loses_nothing_and_doubles_nothing(
    nc: Client, broker: NatsServer, services: Callable[[str], Service], report: Callable[..., None]
) -> None:
    async def disturb(writers: Writers) -> None:
        await writers.more_acknowledged(200)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(FROZEN_S)  # the time is the test
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await writers.more_acknowledged(200)

    writers, _ = await under_load(nc, services, disturb)
    report(acknowledged=len(writers.acknowledged), retries=writers.retries, frozen_for_s=FROZEN_S)
