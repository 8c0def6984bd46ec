"""Appending to a real stream: order, conflicts, shared writes, silence of the server."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from contracts.subjects import TICKETS, ticket_events
from services.runtime.connection import connect
from services.runtime.ids import uuid7
from services.runtime.log import BATCH_FROM, MAX_BATCH_BYTES, Append, Conflict, Log, LogUnavailable
from services.runtime.settings import RuntimeSettings
from services.runtime.streams import ensure_streams
from tests.runtime.conftest import NatsServer

MANY = 4 * BATCH_FROM


@pytest.fixture
async def log(nc: Client) -> Log:
    await ensure_streams(nc, replicas=1)
    return Log(nc, TICKETS)


def entry(
    number: object, *, expected: int = 0, account: str = "acme", payload: bytes = b"{}", guarded: bool = False
) -> Append:
    return Append(
        subject=ticket_events(account, str(number)),
        payload=payload,
        message_id=uuid7(),
        expected=expected,
        guard=ticket_events("*", str(number)) if guarded else None,
    )


async def stored(nc: Client) -> list[Any]:
    """Every message of the stream, in order; its positions are known to be 1, 2, 3..."""
    js = nc.jetstream()
    last = (await js.stream_info(TICKETS.name)).state.last_seq
    return [await js.get_msg(TICKETS.name, seq=position, direct=True) for position in range(1, last + 1)]


async def appended(log: Log, *entries: Append) -> list[int | BaseException]:
    return await asyncio.gather(*(log.append(each) for each in entries), return_exceptions=True)


async def test_appends_one_after_the_other_stand_at_positions_without_gaps(nc: Client, log: Log) -> None:
    positions = [await log.append(entry("7", expected=0, payload=b"0"))]
    positions += [await log.append(entry("7", expected=before, payload=b"%d" % before)) for before in (1, 2)]
    assert positions == [1, 2, 3]
    assert [message.data for message in await stored(nc)] == [b"0", b"1", b"2"]


async def test_many_that_wait_at_once_share_a_batch_and_each_learns_its_own_position(
    nc: Client, log: Log
) -> None:
    positions = await appended(log, *(entry(n, payload=b"%d" % n) for n in range(MANY)))
    messages = await stored(nc)
    assert sorted(map(int, positions)) == list(range(1, MANY + 1))  # type: ignore[arg-type]
    assert [int(messages[int(position) - 1].data) for position in positions] == list(range(MANY))  # type: ignore[arg-type]
    assert {message.headers["Nats-Batch-Id"] for message in messages} == {
        messages[0].headers["Nats-Batch-Id"]
    }


async def test_few_that_wait_at_once_go_out_one_by_one(nc: Client, log: Log) -> None:
    positions = await appended(log, *(entry(n) for n in range(BATCH_FROM - 1)))
    assert sorted(map(int, positions)) == list(range(1, BATCH_FROM))  # type: ignore[arg-type]
    assert not any("Nats-Batch-Id" in message.headers for message in await stored(nc))


async def test_more_bytes_than_a_batch_may_hold_go_out_in_several(nc: Client, log: Log) -> None:
    size = 256 * 1024
    count = MAX_BATCH_BYTES // size + 2 * BATCH_FROM
    positions = await appended(log, *(entry(n, payload=bytes(size)) for n in range(count)))
    assert sorted(map(int, positions)) == list(range(1, count + 1))  # type: ignore[arg-type]


async def test_an_append_on_a_position_that_is_past_conflicts_and_is_told_where_the_subject_stands(
    nc: Client, log: Log
) -> None:
    await log.append(entry("other"))
    await log.append(entry("7"))
    with pytest.raises(Conflict) as conflict:
        await log.append(entry("7"))
    assert conflict.value.position == 2
    with pytest.raises(Conflict) as conflict:
        await log.append(entry("unused", expected=2))
    assert conflict.value.position is None
    assert len(await stored(nc)) == 2


@pytest.mark.parametrize("loser_at", [0, MANY // 2, MANY - 1])
async def test_a_loser_in_a_batch_fails_alone(nc: Client, log: Log, loser_at: int) -> None:
    await log.append(entry(loser_at, payload=b"winner"))
    outcomes = await appended(log, *(entry(n, payload=b"%d" % n) for n in range(MANY)))
    lost = outcomes.pop(loser_at)
    assert isinstance(lost, Conflict)
    assert lost.position == 1
    assert sorted(map(int, outcomes)) == list(range(2, MANY + 1))  # type: ignore[arg-type]
    data = [message.data for message in await stored(nc)]
    assert sorted(data) == sorted([b"winner", *(b"%d" % n for n in range(MANY) if n != loser_at)])


async def test_a_guard_makes_a_number_unique_over_accounts(nc: Client, log: Log) -> None:
    await log.append(entry("7", account="acme", guarded=True))
    with pytest.raises(Conflict) as conflict:
        await log.append(entry("7", account="globex", guarded=True))
    assert conflict.value.position == 1
    outcomes = await appended(log, *(entry(n, account="globex", guarded=True) for n in range(MANY)))
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, BaseException)] == [7]
    assert isinstance(outcomes[7], Conflict)
    assert len(await stored(nc)) == MANY


async def test_of_two_connections_that_append_at_once_exactly_one_wins_each_position(
    nc: Client, log: Log, runtime_settings: RuntimeSettings
) -> None:
    other_nc = await connect(runtime_settings, user="other")
    other = Log(other_nc, TICKETS)
    last = 0
    for _ in range(20):
        outcomes = [
            outcome
            for side in await asyncio.gather(
                appended(log, entry("7", expected=last)), appended(other, entry("7", expected=last))
            )
            for outcome in side
        ]
        won = [outcome for outcome in outcomes if isinstance(outcome, int)]
        lost = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
        assert len(won) == len(lost) == 1
        assert lost[0].position == won[0] == last + 1
        last = won[0]
    await other_nc.close()
    assert len(await stored(nc)) == 20


@pytest.mark.parametrize("at_once", [1, MANY])
async def test_a_frozen_server_makes_the_log_unavailable_and_what_was_sent_counts_once(
    nc: Client, log: Log, nats_server: NatsServer, at_once: int
) -> None:
    hasty = Log(nc, TICKETS, timeout_s=0.3)
    nats_server.stop(signal.SIGSTOP)
    try:
        outcomes = await appended(hasty, *(entry(n, payload=b"%d" % n) for n in range(at_once)))
        assert {type(outcome) for outcome in outcomes} == {LogUnavailable}
    finally:
        nats_server.stop(signal.SIGCONT)
    # Sent again on the same expectation, as the callers do: what did arrive before is a conflict now.
    again = await appended(log, *(entry(n, payload=b"%d" % n) for n in range(at_once)))
    assert all(isinstance(outcome, int | Conflict) for outcome in again)
    assert sorted(int(message.data) for message in await stored(nc)) == list(range(at_once))


async def test_a_dead_server_makes_the_log_unavailable_and_a_restarted_one_goes_on_counting(
    nc: Client, log: Log, nats_server: NatsServer
) -> None:
    assert await log.append(entry("7")) == 1
    hasty = Log(nc, TICKETS, timeout_s=0.2)
    nats_server.stop()
    for outcome in await appended(hasty, *(entry(f"lost-{n}") for n in range(3))):
        assert isinstance(outcome, LogUnavailable)
    nats_server.start()
    async with asyncio.timeout(15):
        last = 0
        while not last:
            try:
                last = await log.append(entry("7", expected=1))
            except LogUnavailable:
                await asyncio.sleep(0.05)
    # What was buffered meanwhile may have arrived, once, or not at all.
    assert 2 <= last <= 5
    assert await log.append(entry("7", expected=last)) > last
    assert [m.seq for m in await stored(nc)] == list(range(1, len(await stored(nc)) + 1))


async def test_a_closed_connection_fails_those_who_wait_instead_of_leaving_them(nc: Client, log: Log) -> None:
    await nc.close()
    for outcome in await appended(log, *(entry(n) for n in range(MANY))):
        assert isinstance(outcome, LogUnavailable)
    with pytest.raises(LogUnavailable):
        await log.append(entry("7"))


async def test_who_gives_up_waiting_holds_up_nobody(nc: Client, log: Log) -> None:
    tasks = [asyncio.create_task(log.append(entry(n))) for n in range(MANY)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, int) for outcome in outcomes[1::2])
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::2])
    assert await log.append(entry("afterwards")) == len(await stored(nc))


async def test_a_stream_that_is_not_there_makes_the_log_unavailable(nc: Client) -> None:
    log = Log(nc, TICKETS)
    with pytest.raises(LogUnavailable):
        await log.append(entry("7"))


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"seq": 0}', b'{"error": {"code": 503}, "seq": 0}'])
@pytest.mark.parametrize("waiting", [1, MANY])
async def test_an_answer_that_says_nothing_leaves_nobody_waiting(
    nc: Client, answer: bytes, waiting: int
) -> None:
    async def anything(message: Msg) -> None:
        if message.reply:
            await message.respond(answer)

    await nc.subscribe(TICKETS.subjects[0], cb=anything)
    log = Log(nc, TICKETS)
    async with asyncio.timeout(3):
        outcomes = await appended(log, *(entry(number) for number in range(waiting)))
    assert [type(outcome) for outcome in outcomes] == [LogUnavailable] * waiting
