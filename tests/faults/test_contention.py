"""Many writers on few tickets, through two replicas of the service."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from nats.aio.client import Client

from services.runtime.digest import digest
from tests.faults.conftest import Service, Watcher, Writers, check_log, command

pytestmark = pytest.mark.faults

TICKETS, WRITERS, REPLIES = 5, 50, 40


async def test_fifty_writers_on_five_tickets_make_one_order_and_lose_no_reply(
    nc: Client, services: Callable[[str], Service], report: Callable[..., None]
) -> None:
    both = [services("one"), services("two")]
    await asyncio.gather(*(service.start() for service in both))
    writers, watcher = Writers(nc), Watcher(nc)
    numbers = await writers.open(TICKETS)
    repeated = 0

    async def write(writer: int) -> None:
        nonlocal repeated
        mine = []
        for n in range(REPLIES):
            reply = command(f"reply-{writer}-{n}", number=random.choice(numbers), text=f"{writer} {n}")
            mine.append(reply)
            await writers.send("reply", reply)
            if random.random() < 0.1:  # and one of the earlier ones again, whoever answers it
                await writers.send("reply", random.choice(mine))
                repeated += 1

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    events = check_log(await watcher.saw_everything(), writers)
    assert events == len(writers.acknowledged) == TICKETS + WRITERS * REPLIES
    await watcher.stop()
    for service in both:
        await service.stop()
    assert digest(both[0].replica) == digest(both[1].replica)
    assert [service.faults() for service in both] == [[], []]
    report(acknowledged=len(writers.acknowledged), retries=writers.retries - repeated, sent_again=repeated)
