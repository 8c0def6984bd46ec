"""Upkeep while people work: upgrades, more and fewer processes, new credentials. No command fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from nats.aio.client import Client

from contracts.client import Tickets
from contracts.subjects import ACCESS, NOTIFY, TICKETS
from contracts.tickets import requests
from tests.faults.deployment import (
    SERVICES,
    Deployment,
    People,
    Replica,
    command_ids,
    deployed,
    eventually,
)
from tests.faults.portals import Visitors, portals
from tests.portal.system import KATARZYNA, acting

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


async def check_pages(nc: Client, visitors: Visitors) -> None:
    """What people wrote on pages is there once, in their order; their streams told of all of it, once."""
    for visitor in visitors.visitors:
        assert visitor.heard == list(range(2, visitor.written + 1))
        assert visitor.streams > 1, "all portals were replaced, and the stream went on"
        for number, sent in visitor.sent.items():
            query = requests.TicketHistory(actor=acting(KATARZYNA), number=number, limit=500)
            events = (await Tickets(nc).history(query)).events
            opened, *replies = [each.event["data"]["content"] for each in events]
            assert opened["message"] == sent[0]
            assert [content["text"] for content in replies] == sent[1:]


async def test_a_rolling_upgrade_and_scaling_fail_no_command_and_no_page_and_double_none(
    tmp_path: Path, report: Callable[..., None]
) -> None:
    async with (
        deployed(tmp_path, replicas=2) as deployment,
        deployment.connected("cli") as nc,
        portals(deployment, 2) as portal,
    ):
        people, visitors = People(nc), Visitors(portal.origin)
        await asyncio.gather(people.more(50), visitors.settled())
        for service in SERVICES:  # one after the other, as a Deployment does
            for replica in list(deployment.replicas[service]):
                await replica.stop()
                await people.more(20)
                await replica.start()
        await portal.replace_each()
        await asyncio.gather(people.more(20), visitors.more(20))
        for service in SERVICES:
            await deployment.scale_out(service)
            await people.more(10)
            await deployment.replicas[service].pop(0).stop()
            await people.more(10)
        await asyncio.gather(portal.replace_one(), restart(deployment.replicas["tickets"][0]))
        await asyncio.gather(people.more(20), visitors.more(20))
        await asyncio.gather(people.go_home(), visitors.go_home())
        await check(deployment, people)
        await check_pages(nc, visitors)
        report(
            commands=len(people.done),
            restarts=2 * len(SERVICES),
            mails=len(deployment.mail.taken),
            pages=visitors.pages,
            requests_sent_again=visitors.repeated,
            streams=sum(visitor.streams for visitor in visitors.visitors),
            seconds_until_a_portal_stopped=round(portal.longest_stop_s, 1),
        )


async def restart(replica: Replica) -> None:
    await replica.stop()
    await replica.start()


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
