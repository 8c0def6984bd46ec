"""A service that is killed in the middle of writing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from nats.aio.client import Client

from services.runtime.digest import digest
from tests.faults.conftest import Service, Watcher, Writers, check_log, command

pytestmark = pytest.mark.faults

KILLS, WRITERS = 6, 20


async def test_a_service_killed_again_and_again_loses_nothing_and_doubles_nothing(
    nc: Client, services: Callable[[str], Service], report: Callable[..., None]
) -> None:
    service = services("one")
    await service.start()
    writers, watcher = Writers(nc), Watcher(nc)
    numbers = await writers.open(5)
    over = asyncio.Event()

    async def write(writer: int) -> None:
        persist = writer % 2 == 0  # the others give a command up after the first silence
        n = 0
        while not over.is_set():
            n += 1
            if n % 5 == 0:
                wanted = "open", command(f"more-{writer}-{n}", title="x", message="x")
            else:
                wanted = "reply", command(f"reply-{writer}-{n}", number=random.choice(numbers), text="x")
            if await writers.send(*wanted, persist=persist) is None:
                await asyncio.sleep(0.05)  # nobody there: a refusal at once, thousands of them in a second

    writing = [asyncio.create_task(write(writer)) for writer in range(WRITERS)]
    for _ in range(KILLS):
        await writers.more_acknowledged(random.randint(100, 300))
        await service.kill()
        await service.start()
    over.set()
    await asyncio.gather(*writing)
    events = check_log(await watcher.saw_everything(), writers)
    assert writers.unanswered
    await watcher.stop()
    await service.stop()
    assert service.faults() == []
    fresh = services("fresh")
    await fresh.start()
    await fresh.stop()
    assert digest(service.replica) == digest(fresh.replica)
    effective = events - len(writers.acknowledged)
    report(
        acknowledged=len(writers.acknowledged),
        retries=writers.retries,
        given_up=len(writers.unanswered),
        of_which_done=effective,
        kills=KILLS,
    )


async def test_a_replica_file_that_is_deleted_is_made_again_equal(
    nc: Client, services: Callable[[str], Service], report: Callable[..., None]
) -> None:
    service = services("one")
    await service.start()
    writers, watcher = Writers(nc), Watcher(nc)
    numbers = await writers.open(50)
    await asyncio.gather(
        *(
            writers.send("reply", command(f"reply-{n}", number=numbers[n % 50], text=f"słowo{n}"))
            for n in range(200)
        )
    )
    await asyncio.gather(
        *(writers.send("close", command(f"close-{n}", number=numbers[n], reason="solved")) for n in range(20))
    )
    events = check_log(await watcher.saw_everything(), writers)
    await watcher.stop()
    await service.stop()
    before = digest(service.replica)
    service.replica.unlink()
    await service.start()
    for command_id, answer in list(writers.acknowledged.items())[:50]:  # the openings, of the rebuilt replica
        assert await writers.send("open", command(command_id, title="x", message="x")) == answer
    await service.stop()
    assert digest(service.replica) == before
    assert service.faults() == []
    report(acknowledged=len(writers.acknowledged), events=events, digest=before[:12])
