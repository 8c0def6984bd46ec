"""Subscribing as another system does, restricted to one account, on a server that is secured as ours are."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import re
import sys
import textwrap
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client

import contracts.subscribe
from contracts.follow import BeyondTheEnd, FollowError
from contracts.subjects import CONSUMERS_PER_USER, TICKETS
from contracts.subjects import ticket_events as subject_of
from contracts.subscribe import (
    EventKind,
    HistoryGap,
    TicketDocument,
    UnreadableEvent,
    ticket_documents,
    ticket_events,
)
from contracts.tickets.events import RecordedEvent
from services.embedded.nats_server import NatsServer
from services.runtime.streams import ensure_streams
from tests.conftest import ACME, GLOBEX, SecuredNats

T1, T2 = "4830291741", "2746627870"
WITHIN_S = 60
GOLDEN = Path(contracts.subscribe.__file__).parent / "golden"


def document(kind: str, ticket: str, revision: int, *, account: str = ACME, version: int = 1) -> bytes:
    """An event as the log has it."""
    tag = f"casetrail.ticket.{kind}.v1"
    event: dict[str, Any] = json.loads((GOLDEN / tag / "minimal.json").read_bytes())
    event |= {"account": account, "subject": ticket, "revision": revision}
    return json.dumps(event | {"type": f"casetrail.ticket.{kind}.v{version}"}).encode()


class Log:
    """The log as the tickets service would write it."""

    def __init__(self, nats: SecuredNats, nc: Client) -> None:
        self.nats = nats
        self._nc = nc

    async def put(self, *payloads: bytes) -> None:
        for payload in payloads:
            event = json.loads(payload)
            await self._nc.jetstream().publish(subject_of(event["account"], event["subject"]), payload)

    async def put_at_once(self, payloads: Sequence[bytes]) -> None:
        nc = await self.nats.connect("tickets")
        for number, payload in enumerate(payloads):
            event = json.loads(payload)
            await nc.publish(subject_of(event["account"], event["subject"]), payload)
            if number % 500 == 0:
                await nc.flush()
        await nc.flush()

    async def followed(self) -> None:
        """Wait until somebody follows the log."""
        root = await self.nats.connect("root")
        async with asyncio.timeout(WITHIN_S):
            while not await root.jetstream().consumers_info(TICKETS.name):
                pass

    async def subscriber(self, account: str = ACME) -> Client:
        return await self.nats.connect(f"{account}-systems")


@pytest.fixture
async def log(secured_nats: SecuredNats) -> Log:
    return Log(secured_nats, await secured_nats.connect("tickets"))


async def taken(events: AsyncGenerator[RecordedEvent, None], count: int) -> list[RecordedEvent]:
    """The next events; the iteration is then closed."""
    async with contextlib.aclosing(events), asyncio.timeout(WITHIN_S):
        return [await anext(events) for _ in range(count)]


async def drained(events: AsyncGenerator[RecordedEvent, None]) -> list[tuple[int, str, int]]:
    """All events of an iteration that ends: position, ticket, revision."""
    async with asyncio.timeout(WITHIN_S):
        return [(r.position, r.event.subject, r.event.revision) async for r in events]


async def test_events_are_typed_in_order_and_of_the_own_account_only(log: Log) -> None:
    await log.put(
        document("opened", T1, 1),
        document("opened", T2, 1, account=GLOBEX),
        document("replied", T1, 2),
        document("closed", T1, 3),
        document("reopened", T1, 4),
    )
    nc = await log.subscriber()
    events = [recorded async for recorded in ticket_events(nc, account=ACME, follow=False)]
    assert [(e.position, type(e.event).__name__) for e in events] == [
        (1, "OpenedV1"),
        (3, "RepliedV1"),
        (4, "ClosedV1"),
        (5, "ReopenedV1"),
    ]
    assert log.nats.violations == []


async def test_another_account_cannot_be_followed(log: Log) -> None:
    await log.put(document("opened", T2, 1, account=GLOBEX))
    nc = await log.subscriber()
    with pytest.raises(FollowError, match="no permission"):
        await drained(ticket_events(nc, account=GLOBEX, follow=False))


async def test_it_resumes_after_a_position_begins_at_a_time_or_now(log: Log) -> None:
    await log.put(document("opened", T1, 1), document("replied", T1, 2))
    nc = await log.subscriber()
    between = datetime.now(UTC)
    live = ticket_events(nc, account=ACME, after=None)
    first = asyncio.create_task(anext(live))
    await log.followed()
    await log.put(document("replied", T1, 3))
    assert (await asyncio.wait_for(first, WITHIN_S)).position == 3
    await live.aclose()
    after_one = await drained(ticket_events(nc, account=ACME, after=1, follow=False))
    assert after_one == [(2, T1, 2), (3, T1, 3)]
    assert await drained(ticket_events(nc, account=ACME, since=between, follow=False)) == [(3, T1, 3)]
    with pytest.raises(ValueError, match="not both"):
        await drained(ticket_events(nc, after=1, since=between))


async def test_a_subscriber_is_told_that_its_position_is_of_another_log(log: Log) -> None:
    await log.put(document("opened", T1, 1))
    nc = await log.subscriber()
    with pytest.raises(BeyondTheEnd) as told:
        await drained(ticket_events(nc, account=ACME, after=2))
    assert told.value.last == 1
    assert await drained(ticket_events(nc, account=ACME, after=1, follow=False)) == []
    assert log.nats.violations == []


async def test_a_ticket_is_named_in_any_spelling(log: Log) -> None:
    await log.put(document("opened", T1, 1), document("opened", T2, 1))
    nc = await log.subscriber()
    spelled = f"{T1[:3]}-{T1[3:6]} {T1[6:]}"
    assert await drained(ticket_events(nc, account=ACME, ticket=spelled, follow=False)) == [(1, T1, 1)]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ticket": "4830291742"}, "ticket '4830291742' is not a ticket number: a digit of 483-029-1742"),
        ({"ticket": "12"}, "ticket '12' must be a ticket number"),
        ({"ticket": ""}, "ticket '' must be a ticket number"),
        ({"account": ">"}, "account '>' must be an account id"),
        ({"account": ""}, "account '' must be an account id"),
    ],
    ids=str,
)
async def test_what_cannot_be_a_ticket_or_an_account_is_refused(
    nats_client: Client, wrong: dict[str, str], told: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        await drained(ticket_events(nats_client, **wrong))  # type: ignore[arg-type]


async def test_tickets_and_kinds_are_filtered(log: Log) -> None:
    await log.put(
        document("opened", T1, 1),
        document("opened", T2, 1),
        document("replied", T1, 2),
        document("closed", T1, 3),
    )
    nc = await log.subscriber()
    of_one = await drained(ticket_events(nc, account=ACME, ticket=T2, follow=False))
    assert of_one == [(2, T2, 1)]
    kinds = {EventKind.OPENED, EventKind.CLOSED}
    of_kinds = await drained(ticket_events(nc, account=ACME, kinds=kinds, follow=False))
    assert of_kinds == [(1, T1, 1), (2, T2, 1), (4, T1, 3)]


async def test_20000_events_come_in_order_to_several_subscribers_over_a_restart(log: Log) -> None:
    numbers = [f"{number:010d}" for number in range(100)]
    payloads = [
        document("opened" if revision == 1 else "replied", number, revision, account=account)
        for revision in range(1, 101)
        for number, account in zip(numbers, [ACME, GLOBEX] * 50, strict=True)
    ] + [document("replied", number, revision) for number in numbers[::2] for revision in range(101, 301)]
    assert len(payloads) == 20_000
    nc = await log.subscriber()
    acme = [ticket_events(nc, account=ACME) for _ in range(3)]
    globex = ticket_events(await log.subscriber(GLOBEX), account=GLOBEX)
    reading = [asyncio.create_task(taken(events, 15_000)) for events in acme]
    reading.append(asyncio.create_task(taken(globex, 5000)))
    await log.put_at_once(payloads[:10_000])
    await log.nats.server.kill()
    await log.nats.server.start_again()
    kept = (await (await log.nats.connect("root")).jetstream().stream_info(TICKETS.name)).state.last_seq
    await log.put_at_once(payloads[kept:])
    *seen_by_acme, seen_by_globex = await asyncio.gather(*reading)

    def in_log(account: str) -> list[tuple[int, str, int]]:
        events = [json.loads(payload) for payload in payloads]
        return [
            (position, event["subject"], event["revision"])
            for position, event in enumerate(events, start=1)
            if event["account"] == account
        ]

    for seen in seen_by_acme:
        assert [(r.position, r.event.subject, r.event.revision) for r in seen] == in_log(ACME)
    assert [(r.position, r.event.subject, r.event.revision) for r in seen_by_globex] == in_log(GLOBEX)


async def test_a_user_has_eight_subscriptions_and_gets_a_closed_one_back(log: Log) -> None:
    await log.put(document("opened", T1, 1))
    nc = await log.subscriber()
    open_ones = [ticket_events(nc, account=ACME) for _ in range(CONSUMERS_PER_USER)]
    for events in open_ones:
        assert (await anext(events)).position == 1
    with pytest.raises(FollowError, match="in use"):
        await drained(ticket_events(nc, account=ACME, follow=False))
    await open_ones.pop().aclose()
    assert await drained(ticket_events(nc, account=ACME, follow=False)) == [(1, T1, 1)]
    for events in open_ones:
        await events.aclose()


async def test_a_gap_is_told_after_what_came_before_it(log: Log) -> None:
    await log.put(document("opened", T1, 1), document("opened", T2, 1), document("replied", T1, 3))
    nc = await log.subscriber()
    events = ticket_events(nc, account=ACME)
    assert [r.position for r in [await anext(events), await anext(events)]] == [1, 2]
    with pytest.raises(HistoryGap) as told:
        await anext(events)
    gap = told.value
    assert (gap.ticket, gap.expected, gap.found, gap.position) == (T1, 2, 3, 3)


async def test_a_history_that_does_not_begin_with_1_is_a_gap_only_from_the_start(log: Log) -> None:
    await log.put(document("opened", T2, 1), document("replied", T1, 7), document("replied", T1, 8))
    nc = await log.subscriber()
    assert await drained(ticket_events(nc, account=ACME, after=1, follow=False)) == [(2, T1, 7), (3, T1, 8)]
    with pytest.raises(HistoryGap):
        await drained(ticket_events(nc, account=ACME, follow=False))


async def test_a_gap_is_seen_although_its_kind_is_filtered_out(log: Log) -> None:
    await log.put(document("opened", T1, 1), document("replied", T1, 3))
    nc = await log.subscriber()
    with pytest.raises(HistoryGap):
        await drained(ticket_events(nc, account=ACME, kinds={EventKind.OPENED}, follow=False))


async def test_tickets_forgotten_for_want_of_room_begin_anew(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contracts.subscribe, "MAX_TICKETS_CHECKED", 1)
    await log.put(document("opened", T1, 1), document("opened", T2, 1), document("replied", T1, 2))
    nc = await log.subscriber()
    assert len(await drained(ticket_events(nc, account=ACME, follow=False))) == 3


async def test_an_event_newer_than_the_client_stops_it_or_is_told_and_skipped(log: Log) -> None:
    newer = document("replied", T1, 2, version=2)
    await log.put(document("opened", T1, 1), newer, document("replied", T1, 3))
    nc = await log.subscriber()
    events = ticket_events(nc, account=ACME)
    assert (await anext(events)).position == 1
    with pytest.raises(UnreadableEvent, match=r"replied\.v2") as told:
        await anext(events)
    assert (told.value.position, told.value.payload) == (2, newer)

    skipped: list[UnreadableEvent] = []
    rest = ticket_events(nc, account=ACME, follow=False, on_unreadable=skipped.append)
    assert await drained(rest) == [(1, T1, 1), (3, T1, 3)]
    assert [unreadable.position for unreadable in skipped] == [2]

    documents = [d async for d in ticket_documents(nc, account=ACME, follow=False)]
    assert documents[1] == TicketDocument(2, newer, "casetrail.ticket.replied.v2", ACME, T1, 2)


@pytest.mark.parametrize(
    "payload",
    [b"", b"no JSON", b"[]", b"{}", b'{"type":"x","revision":1,"subject":"%s"}' % T1.encode()],
    ids=["empty", "text", "list", "object", "type"],
)
async def test_what_is_no_event_is_told(log: Log, payload: bytes) -> None:
    root = await log.nats.connect("root")
    await root.jetstream().publish(subject_of(ACME, T1), payload)
    nc = await log.subscriber()
    with pytest.raises(UnreadableEvent, match="is not an event"):
        await drained(ticket_events(nc, account=ACME, follow=False))
    skipped: list[UnreadableEvent] = []
    assert await drained(ticket_events(nc, account=ACME, follow=False, on_unreadable=skipped.append)) == []
    assert len(skipped) == 1


async def test_it_also_works_where_there_are_no_users(nats_server: NatsServer, nats_client: Client) -> None:
    await ensure_streams(nats_client, replicas=1)
    await nats_client.jetstream().publish(subject_of(ACME, T1), document("opened", T1, 1))
    nc = await nats.connect(nats_server.url)
    assert await drained(ticket_events(nc, follow=False)) == [(1, T1, 1)]
    await nc.close()


async def test_the_example_of_the_documentation_runs(log: Log, tmp_path: Path) -> None:
    words = inspect.getdoc(contracts.subscribe) or ""
    program = textwrap.dedent("\n".join(line for line in words.splitlines() if line.startswith("    ")))
    user = f"{ACME}-systems"
    for shown, real in (
        ("nats://127.0.0.1:4222", log.nats.server.url),
        ("acme_systems.creds", str(log.nats.creds_file(user))),
        ("_INBOX.acme_systems", f"_INBOX.{user}"),
    ):
        assert shown in program
        program = program.replace(shown, real)
    await log.put(document("opened", T1, 1))
    root = Path(contracts.subscribe.__file__).parents[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WITHIN_S):
            assert await process.stdout.readline() == f"1 {T1} casetrail.ticket.opened.v1\n".encode()
            await log.put(document("closed", T1, 2))
            assert await process.stdout.readline() == f"2 {T1} casetrail.ticket.closed.v1\n".encode()
    finally:
        process.kill()
        await process.wait()
