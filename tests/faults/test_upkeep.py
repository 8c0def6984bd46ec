"""Upkeep while people work: upgrades, more and fewer processes, new credentials. No command fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.subjects import ACCESS, NOTIFY, TICKETS
from tests.faults.deployment import (
    SERVICES,
    Deployment,
    People,
    command_ids,
    deployed,
    eventually,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


async def check(deployment: Deployment, people: People) -> None:
    """Every command was answered, and has one effect; every e-mail was sent once."""
    async with deployment.as_root() as nc:
        counted = Counter(await command_ids(nc, TICKETS)) + Counter(await command_ids(nc, ACCESS))
        doubled = {each for each, times in counted.items() if times > 1 and each in people.done}
        assert doubled == set(), "a command had two effects"
        wanted = {each for each in people.done if each.startswith(("open", "reply", "register"))}
        assert wanted <= set(counted), "an acknowledged command is lost"
        last = (await nc.jetstream().stream_info(NOTIFY.name)).state.last_seq
        assert last > 0
    ids = Counter((recipient, message["Message-ID"]) for recipient, message in deployment.mail.taken)
    assert max(ids.values(), default=1) == 1, "an e-mail went twice"
    for replica in deployment.every_replica:
        assert replica.count("request.failed") == replica.count("service.failed") == 0, replica.said()


async def test_a_rolling_upgrade_and_scaling_fail_no_command_and_double_none(
    tmp_path: Path, report: Callable[..., None]
) -> None:
    async with deployed(tmp_path, replicas=2) as deployment, deployment.connected("cli") as nc:
        people = People(nc)
        await people.more(50)
        for service in SERVICES:  # one after the other, as a Deployment does
            for replica in list(deployment.replicas[service]):
                await replica.stop()
                await people.more(20)
                await replica.start()
        await people.more(20)
        for service in SERVICES:
            await deployment.scale_out(service)
            await people.more(10)
            await deployment.replicas[service].pop(0).stop()
            await people.more(10)
        await people.go_home()
        await check(deployment, people)
        report(commands=len(people.done), restarts=2 * len(SERVICES), mails=len(deployment.mail.taken))


async def test_credentials_are_replaced_under_load_and_no_command_fails(
    tmp_path: Path, report: Callable[..., None]
) -> None:
    """As deploy/README.md tells it, without restarting anything: the files are replaced where they lie."""
    async with deployed(tmp_path, replicas=2) as deployment, deployment.connected("cli") as nc:
        directory = ("--dir", str(deployment.directory))
        people = People(nc)
        await people.more(50)
        for user in (*SERVICES, "cli"):
            before = {replica: replica.count("nats.reconnected") for replica in deployment.every_replica}
            await deployment.casetrail("credentials", "rotate", user, *directory)
            await people.more(10)
            await deployment.casetrail("credentials", "retire", user, *directory)
            await people.more(10)
            for replica in deployment.replicas.get(user, []):
                await eventually(
                    lambda r=replica: r.count("nats.reconnected") > before[r],  # noqa: B023
                    f"{user} comes back with its new credentials",
                )
            assert all(replica.is_running for replica in deployment.every_replica)
        for zone in ("SERVICES", "OUTSIDE"):
            await deployment.casetrail("credentials", "rotate", "--signing-key", zone, *directory)
            await people.more(10)
            await deployment.casetrail("credentials", "retire", "--signing-key", zone, *directory)
            await people.more(50)
        await asyncio.gather(*(replica.stop() for replica in deployment.every_replica[:1]))
        await deployment.every_replica[0].start()  # and they let in at the door, too
        await people.more(20)
        await people.go_home()
        await check(deployment, people)
        report(commands=len(people.done), rotations=len(SERVICES) + 3, mails=len(deployment.mail.taken))
