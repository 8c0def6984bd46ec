from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from nats.aio.client import Client
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from contracts.dead_letters import DELIVERIES_HEADER, POSITION_HEADER, REASON_HEADER, SUBJECT_HEADER
from contracts.subjects import DEAD_LETTERS, TICKETS, dead_letter
from services.runtime import events
from services.runtime.connection import connect
from services.runtime.events import Retry, Subscribers
from services.runtime.settings import RuntimeSettings
from services.runtime.streams import ensure_streams
from services.runtime.telemetry import current_traceparent

if TYPE_CHECKING:
    from tests.runtime.conftest import Eventually, NatsServer

SUBJECT = "events.tickets.acme.4830291746"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
QUICK = Retry(deliveries=3, first_s=0.05, longest_s=0.2)


class Noted(BaseModel):
    type: str = "note.v1"
    text: str
    traceparent: str | None = None


def parse(payload: bytes) -> Noted:
    return Noted.model_validate_json(payload)


@dataclass
class Recorder:
    """A handler that remembers, and fails as often as it is told to."""

    failures: int = 0
    seen: list[tuple[str, int]] = field(default_factory=list)
    traces: list[str | None] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    async def handle(self, event: Noted, position: int) -> None:
        """Keeps what it is given."""
        self.seen.append((event.text, position))
        self.traces.append(current_traceparent())
        self.at.append(asyncio.get_running_loop().time())
        if self.failures > 0:
            self.failures -= 1
            raise RuntimeError("not today")

    @property
    def texts(self) -> list[str]:
        return [text for text, _ in self.seen]


@pytest.fixture
async def streams(nc: Client) -> Client:
    js = nc.jetstream()
    for stream in (TICKETS, DEAD_LETTERS):
        await js.add_stream(name=stream.name, subjects=list(stream.subjects))
    return nc


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@asynccontextmanager
async def running(
    nc: Client,
    handler: Callable[[Noted, int], Awaitable[None]],
    *,
    registry: CollectorRegistry | None = None,
    stop_timeout_s: float = 2.0,
    **options: Any,
) -> AsyncIterator[Subscribers]:
    subscribers = Subscribers("notify", registry or CollectorRegistry(), stop_timeout_s=stop_timeout_s)
    subscribers.subscribe(
        TICKETS,
        "events.tickets.*.*",
        **{"name": "notify", "parse": parse, "schema": Noted, "handler": handler, "retry": QUICK, **options},
    )
    await subscribers.start(nc)
    try:
        yield subscribers
    finally:
        await subscribers.stop()


async def note(nc: Client, *texts: str, traceparent: str | None = None) -> None:
    for text in texts:
        payload = Noted(text=text, traceparent=traceparent).model_dump_json().encode()
        await nc.jetstream().publish(SUBJECT, payload)


async def settled(nc: Client, acknowledged: int) -> None:
    """Waits until the consumer has acknowledged everything up to a position."""

    async def poll() -> None:
        while True:
            consumer = await nc.jetstream().consumer_info(TICKETS.name, "notify")
            assert consumer.ack_floor is not None
            if consumer.ack_floor.stream_seq >= acknowledged and consumer.num_ack_pending == 0:
                return
            await asyncio.sleep(0.01)

    await asyncio.wait_for(poll(), 15)


async def dead_letters(nc: Client) -> list[RawStreamMsg]:
    js = nc.jetstream()
    state = (await js.stream_info(DEAD_LETTERS.name)).state
    return [await js.get_msg(DEAD_LETTERS.name, number) for number in range(1, state.last_seq + 1)]


def outcomes(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.labels["type"], sample.labels["outcome"]): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "casetrail_events_handled_total"
    }


async def test_a_handled_event_is_acknowledged_and_comes_once(streams: Client) -> None:
    recorder = Recorder()
    async with running(streams, recorder.handle):
        await note(streams, "a", "b")
        await settled(streams, 2)
    assert sorted(recorder.seen) == [("a", 1), ("b", 2)]
    consumer = await streams.jetstream().consumer_info(TICKETS.name, "notify")
    assert consumer.delivered is not None
    assert consumer.delivered.consumer_seq == 2
    assert streams.is_connected, "the connection is the caller's"


async def test_it_goes_on_where_it_stopped_and_starts_with_the_first_event(streams: Client) -> None:
    await note(streams, "before")
    first, second = Recorder(), Recorder()
    async with running(streams, first.handle):
        await settled(streams, 1)
    await note(streams, "while stopped")
    async with running(streams, second.handle):
        await settled(streams, 2)
    assert first.seen == [("before", 1)]
    assert second.seen == [("while stopped", 2)]


async def test_an_event_whose_handler_died_with_the_process_comes_again(
    runtime_settings: RuntimeSettings, streams: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_DEAD_LETTER_S", 0.2)
    monkeypatch.setattr(events, "_MARGIN_S", 0.2)
    entered = asyncio.Event()

    async def dies(_event: Noted, _position: int) -> None:
        entered.set()
        await asyncio.Event().wait()

    dying = await connect(runtime_settings, user="dying")
    async with running(dying, dies, stop_timeout_s=0.1):
        await note(streams, "a")
        await entered.wait()
        await dying.close()  # as after kill -9: nothing more is said to the broker
    recorder = Recorder()
    async with running(streams, recorder.handle, timeout_s=0.5):
        await settled(streams, 1)
    assert recorder.seen == [("a", 1)]


async def test_a_failing_handler_is_tried_again_after_growing_delays(streams: Client) -> None:
    recorder = Recorder(failures=2)
    async with running(streams, recorder.handle):
        await note(streams, "a")
        await settled(streams, 1)
    assert recorder.texts == ["a", "a", "a"]
    first, second, third = recorder.at
    assert second - first >= 0.045
    assert third - second >= 0.095
    assert await dead_letters(streams) == []


def test_delays_grow_up_to_a_bound() -> None:
    retry = Retry(first_s=1, longest_s=10)
    assert [retry.delay_s(delivery) for delivery in (1, 2, 3, 4, 5, 5000)] == [1, 2, 4, 8, 10, 10]


async def test_what_fails_to_the_last_is_kept_as_a_dead_letter_with_its_exact_bytes(streams: Client) -> None:
    recorder = Recorder(failures=99)
    payload = b'{"text":  "za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87", "unknown": 1}\n'
    async with running(streams, recorder.handle):
        await streams.jetstream().publish(SUBJECT, payload, headers={"Nats-Msg-Id": "event-1"})
        await settled(streams, 1)
    assert len(recorder.seen) == QUICK.deliveries
    [letter] = await dead_letters(streams)
    assert letter.subject == dead_letter("notify", TICKETS.name)
    assert letter.data == payload
    assert letter.headers is not None
    assert letter.headers[SUBJECT_HEADER] == SUBJECT
    assert letter.headers[POSITION_HEADER] == "1"
    assert letter.headers[REASON_HEADER] == "RuntimeError: not today"
    assert letter.headers["Nats-Msg-Id"] != "event-1"


async def test_an_event_is_a_dead_letter_however_it_was_appended(nc: Client) -> None:
    await ensure_streams(nc, replicas=1)
    batch = {"Nats-Batch-Id": "b"}
    for text, headers in (
        ("first", {"Nats-Expected-Last-Subject-Sequence": "0"}),
        ("second", {"Nats-Expected-Last-Subject-Sequence": "1", "Own": "kept"}),
        ("begun", {**batch, "Nats-Batch-Sequence": "1", "Nats-Expected-Last-Sequence": "2"}),
        ("committed", {**batch, "Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1"}),
    ):
        await nc.request(SUBJECT, Noted(text=text).model_dump_json().encode(), headers=headers)
    async with running(nc, Recorder(failures=99).handle, retry=Retry(deliveries=1)):
        await settled(nc, 4)
    letters = sorted(await dead_letters(nc), key=lambda each: (each.headers or {})[POSITION_HEADER])
    texts = [parse(letter.data or b"").text for letter in letters]
    assert texts == ["first", "second", "begun", "committed"]
    assert [(letter.headers or {}).get("Own") for letter in letters] == [None, "kept", None, None]


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\xfe", b'{"text": 1}'])
async def test_what_cannot_be_parsed_is_a_dead_letter_at_once(streams: Client, payload: bytes) -> None:
    recorder = Recorder()
    async with running(streams, recorder.handle):
        await streams.jetstream().publish(SUBJECT, payload)
        await note(streams, "next")
        await settled(streams, 2)
    assert recorder.texts == ["next"]
    [letter] = await dead_letters(streams)
    assert (letter.data or b"") == payload
    assert letter.headers is not None
    assert letter.headers[REASON_HEADER].startswith("not parsable")
    assert letter.headers[DELIVERIES_HEADER] == "1"


async def test_an_event_is_not_given_up_before_its_dead_letter_is_stored(
    streams: Client, eventually: Eventually
) -> None:
    js = streams.jetstream()
    await js.delete_stream(DEAD_LETTERS.name)
    recorder = Recorder(failures=99)
    registry = CollectorRegistry()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "_DEAD_LETTER_S", 0.2)
        async with running(streams, recorder.handle, registry=registry):
            await note(streams, "a")

            await eventually(
                lambda: outcomes(registry).get(("note.v1", "retried"), 0) > QUICK.deliveries,
                "a dead letter is refused twice",
            )
            await js.add_stream(name=DEAD_LETTERS.name, subjects=list(DEAD_LETTERS.subjects))
            await settled(streams, 1)
    assert len(await dead_letters(streams)) == 1
    assert len(recorder.seen) == QUICK.deliveries, "no handler is called after the last delivery"


async def test_a_handler_that_takes_too_long_has_failed(streams: Client) -> None:
    calls: list[int] = []

    async def hangs_once(_event: Noted, position: int) -> None:
        calls.append(position)
        if len(calls) == 1:
            await asyncio.Event().wait()

    async with running(streams, hangs_once, timeout_s=0.1):
        await note(streams, "a")
        await settled(streams, 1)
    assert calls == [1, 1]


async def test_in_order_means_that_a_failing_event_holds_up_the_rest(streams: Client) -> None:
    recorder = Recorder(failures=2)
    await note(streams, "a", "b", "c")
    async with running(streams, recorder.handle, in_order=True):
        await settled(streams, 3)
    assert recorder.texts == ["a", "a", "a", "b", "c"]


async def test_no_more_events_than_allowed_are_under_way(streams: Client) -> None:
    under_way = most = 0

    async def counts(_event: Noted, _position: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1

    await note(streams, *(str(number) for number in range(20)))
    async with running(streams, counts, concurrency=4):
        await settled(streams, 20)
    assert most == 4


@pytest.mark.parametrize("traceparent", [f"00-{TRACE}-00f067aa0ba902b7-01", None])
async def test_the_trace_of_the_event_is_continued(streams: Client, traceparent: str | None) -> None:
    recorder = Recorder()
    async with running(streams, recorder.handle):
        await note(streams, "a", traceparent=traceparent)
        await settled(streams, 1)
    [seen] = recorder.traces
    assert seen is not None
    assert (seen[3:35] == TRACE) == (traceparent is not None)
    assert seen != traceparent


async def test_a_restart_of_the_broker_loses_nothing(
    nats_server: NatsServer, streams: Client, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A broker that is killed may forget acknowledgements: those events come again after this time.
    monkeypatch.setattr(events, "_DEAD_LETTER_S", 0.2)
    monkeypatch.setattr(events, "_MARGIN_S", 0.2)
    recorder = Recorder()
    async with running(streams, recorder.handle, timeout_s=0.6):
        await note(streams, *(f"before {number}" for number in range(5)))
        await settled(streams, 5)
        nats_server.stop()
        await eventually(lambda: not streams.is_connected, "the loss is seen")
        nats_server.start()
        await eventually(lambda: streams.is_connected, "the connection is back")
        await note(streams, *(f"after {number}" for number in range(5)))
        await settled(streams, 10)
    assert {position for _, position in recorder.seen} == set(range(1, 11))


async def test_a_consumer_that_somebody_deleted_is_made_again(
    streams: Client, eventually: Eventually
) -> None:
    recorder = Recorder()
    async with running(streams, recorder.handle):
        await note(streams, "a")
        await settled(streams, 1)
        await streams.jetstream().delete_consumer(TICKETS.name, "notify")
        await note(streams, "b")
        await eventually(lambda: "b" in recorder.texts, "the new consumer delivers")


async def test_a_closed_connection_does_not_stall_the_event_loop(
    runtime_settings: RuntimeSettings, streams: Client
) -> None:
    other = await connect(runtime_settings, user="other")
    async with running(other, Recorder().handle, stop_timeout_s=0.1):
        await other.close()
        for _ in range(50):
            await asyncio.wait_for(asyncio.sleep(0.01), 1)


async def test_starting_leaves_the_stream_as_it_is(nc: Client) -> None:
    js = nc.jetstream()
    await js.add_stream(
        name=TICKETS.name, subjects=list(TICKETS.subjects), description="the log", deny_purge=True
    )
    before = (await js.stream_info(TICKETS.name)).config
    async with running(nc, Recorder().handle):
        assert (await js.stream_info(TICKETS.name)).config == before


async def test_a_missing_stream_is_told_and_not_made(nc: Client) -> None:
    with pytest.raises(NotFoundError):
        async with running(nc, Recorder().handle):
            pass
    with pytest.raises(NotFoundError):
        await nc.jetstream().stream_info(TICKETS.name)


async def test_a_changed_declaration_changes_the_consumer(streams: Client) -> None:
    async with running(streams, Recorder().handle):
        pass
    async with running(streams, Recorder().handle, in_order=True):
        consumer = await streams.jetstream().consumer_info(TICKETS.name, "notify")
    assert consumer.config.max_ack_pending == 1


async def test_metrics_count_outcomes_without_subjects(streams: Client, registry: CollectorRegistry) -> None:
    recorder = Recorder(failures=1)
    async with running(streams, recorder.handle, registry=registry):
        await note(streams, "a")
        await streams.jetstream().publish(SUBJECT, b"{")
        await settled(streams, 2)
    assert outcomes(registry) == {
        ("note.v1", "retried"): 1,
        ("note.v1", "handled"): 1,
        ("unparsable", "dead"): 1,
    }
    labels = {
        value
        for metric in registry.collect()
        for sample in metric.samples
        for value in sample.labels.values()
    }
    assert not any("4830291746" in label for label in labels)


def test_what_is_subscribed_to_is_documented_as_asyncapi_3() -> None:
    subscribers = Subscribers("notify", CollectorRegistry())
    subscribers.subscribe(
        TICKETS, "events.tickets.*.*", name="notify", parse=parse, schema=Noted, handler=Recorder().handle
    )
    document = json.loads(subscribers.asyncapi("1.2.3"))
    assert document["asyncapi"].startswith("3.")
    assert document["info"]["version"] == "1.2.3"
    [channel] = document["channels"].values()
    assert channel["address"] == "events.tickets.*.*"
    [operation] = document["operations"].values()
    assert operation["action"] == "receive"
    assert "Noted" in document["components"]["schemas"]
    assert "text" in document["components"]["schemas"]["Noted"]["properties"]


async def test_a_slow_event_holds_up_no_others(streams: Client) -> None:
    waiting, released = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    async def handle(event: Noted, _position: int) -> None:
        if event.text == "slow":
            waiting.set()
            await released.wait()
        seen.append(event.text)

    async with running(streams, handle, concurrency=2):
        await note(streams, "slow", *(str(number) for number in range(10)))
        await asyncio.wait_for(waiting.wait(), 5)
        await note(streams, "later")
        async with asyncio.timeout(10):
            while "later" not in seen:  # noqa: ASYNC110  # the handler appends
                await asyncio.sleep(0.01)
        assert "slow" not in seen
        released.set()
        await settled(streams, 12)
    assert len(seen) == 12
