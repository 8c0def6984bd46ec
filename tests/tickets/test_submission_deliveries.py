"""Submissions as they are delivered: none is lost, none opens two tickets, on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import RawStreamMsg
from prometheus_client import CollectorRegistry

from contracts.access.roles import PlatformRole
from contracts.dead_letters import POSITION_HEADER, REASON_HEADER
from contracts.intake.events import SubmittedV1
from contracts.subjects import DEAD_LETTERS, INTAKE, dead_letter, submission_events
from contracts.tickets import requests
from services.embedded.nats_server import NatsServer
from services.runtime.errors import Unavailable
from services.runtime.events import Subscribers
from services.runtime.streams import ensure_streams
from services.tickets import subscribers as subscribers_module
from services.tickets.commands import Commands
from services.tickets.subscribers import RETRY, SUBMISSIONS, subscribe
from tests.access_log import AccessLog, agent, on_server
from tests.conftest import SecuredNats
from tests.tickets.conftest import JAN, OLA, Caller, Node, running, upload
from tests.tickets.submissions import openings, put_on_record, submitted, until


class Failing:
    """Commands whose `open_submitted` fails some times, before or after it has done its work."""

    def __init__(self, commands: Commands, times: int, *, after: bool, error: Exception) -> None:
        self.calls = 0
        self._commands = commands
        self._times = times
        self._after = after
        self._error = error

    async def open_submitted(self, event: SubmittedV1) -> requests.CommandDone:
        self.calls += 1
        failing = self.calls <= self._times
        if failing and not self._after:
            raise self._error
        done = await self._commands.open_submitted(event)
        if failing:
            raise self._error
        return done


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[tuple[Client, Node]]:
    """A replica on a server of its own, where nobody else takes submissions."""
    server = await NatsServer.start(tmp_path / "nats")
    nc = await nats.connect(server.url)
    await ensure_streams(nc, replicas=1)
    node = Node(nc, tmp_path / "replica")
    await node.guard.caught_up()
    yield nc, node
    await node.stop()
    await nc.close()
    await server.stop()


@asynccontextmanager
async def subscribed(nc: Client, commands: Any) -> AsyncIterator[None]:
    subscribers = Subscribers("tickets", CollectorRegistry())
    subscribe(subscribers, commands)
    await subscribers.start(nc)
    try:
        yield
    finally:
        await subscribers.stop()


async def all_acknowledged(nc: Client, position: int) -> bool:
    about = await nc.jetstream().consumer_info(INTAKE.name, SUBMISSIONS)
    assert about.ack_floor is not None
    return bool(about.num_ack_pending == 0 and about.ack_floor.stream_seq >= position)


async def dead_letters(nc: Client) -> list[RawStreamMsg]:
    js = nc.jetstream()
    last = (await js.stream_info(DEAD_LETTERS.name)).state.last_seq
    return [await js.get_msg(DEAD_LETTERS.name, position) for position in range(1, last + 1)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many deliveries, sooner."""
    quick = type(RETRY)(deliveries=RETRY.deliveries, first_s=0.01, longest_s=0.05)
    monkeypatch.setattr(subscribers_module, "RETRY", quick)


@pytest.mark.parametrize("after", [False, True], ids=["before the append", "after the append"])
@pytest.mark.parametrize("error", [Unavailable(), RuntimeError("a fault")], ids=repr)
async def test_a_submission_whose_handling_fails_is_delivered_again_and_has_one_ticket(
    alone: tuple[Client, Node], impatient: None, error: Exception, after: bool
) -> None:
    nc, node = alone
    failing = Failing(node.commands, 2, after=after, error=error)
    event = submitted("acme")
    async with subscribed(nc, failing):
        position = await put_on_record(nc, event)
        await until(lambda: all_acknowledged(nc, position))
    assert failing.calls == 3
    (opened,) = await openings(nc, "acme")
    assert opened.data.submission == event.subject
    assert await dead_letters(nc) == []


async def test_what_was_submitted_while_nobody_opened_tickets_is_opened_by_replicas_that_share_the_work(
    alone: tuple[Client, Node], tmp_path: Path
) -> None:
    nc, node = alone
    events = [submitted("acme") for _ in range(40)]
    for event in events:
        position = await put_on_record(nc, event)
    other = Node(nc, tmp_path / "other")
    await other.guard.caught_up()
    first = Failing(node.commands, 0, after=False, error=RuntimeError())
    second = Failing(other.commands, 0, after=False, error=RuntimeError())
    async with subscribed(nc, first), subscribed(nc, second):
        await until(lambda: all_acknowledged(nc, position))
    await other.stop()
    opened = await openings(nc, "acme")
    assert sorted(each.data.submission or "" for each in opened) == sorted(each.subject for each in events)
    assert first.calls + second.calls == 40


async def test_what_is_no_submission_is_a_dead_letter_and_holds_up_nobody(alone: tuple[Client, Node]) -> None:
    nc, node = alone
    event = submitted("acme")
    secret = b'{"type": "casetrail.submission.submitted.v1", "data": {"content": "PESEL 44051401359"}}'
    async with subscribed(nc, node.commands):
        bad = (await nc.jetstream().publish(submission_events("acme", "bad"), secret)).seq
        position = await put_on_record(nc, event)
        await until(lambda: all_acknowledged(nc, position))
    (letter,) = await dead_letters(nc)
    assert (letter.subject, letter.data) == (dead_letter("tickets", INTAKE.name), secret)
    assert letter.headers is not None
    assert letter.headers[POSITION_HEADER] == str(bad)
    assert "44051401359" not in letter.headers[REASON_HEADER]
    assert [each.data.submission for each in await openings(nc, "acme")] == [event.subject]


def test_a_submission_is_tried_for_more_than_a_day_at_least_once_a_minute() -> None:
    delays = [RETRY.delay_s(delivery) for delivery in range(1, RETRY.deliveries)]
    assert sum(delays) > 24 * 3600
    assert max(delays) <= 60
    assert delays[0] < 1


# With the permissions that the service has


async def test_the_service_needs_no_more_than_its_user_may(secured_nats: SecuredNats, tmp_path: Path) -> None:
    root = await secured_nats.connect("root")
    cli = await secured_nats.connect("cli")
    access = AccessLog(on_server(root))
    await access.account("acme", members=[JAN])
    await access.appointed(OLA, PlatformRole.AGENT)
    file = await upload(root, "acme")
    event = submitted("acme", content={"attachments": [file.model_dump()]})
    async with running(await secured_nats.connect("tickets"), tmp_path):
        caller = Caller(cli, "acme", access)
        await put_on_record(root, event)
        await root.jetstream().publish(submission_events("acme", "bad"), b"no event")
        status, found = await caller.ask(
            "submission", {"account": "acme", "submission": event.subject, "wait_s": 8, "actor": agent(OLA)}
        )
        assert status is None, found
        status, replied = await caller.ask(
            "reply", caller.command(number=found["number"], text="x", attachments=[file.id])
        )
        assert status is None, replied
        await until(lambda: all_acknowledged(root, 2))
    assert len(await dead_letters(root)) == 1
    assert secured_nats.violations == []
