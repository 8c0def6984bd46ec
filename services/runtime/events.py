"""Subscribers: services that react to events, as durable JetStream pull consumers.

FastStream makes the subscriptions, the shutdown and the AsyncAPI document. What becomes of a message is
decided here, once, for every subscriber:

    handled                            acknowledged
    failed, deliveries left            delivered again after a growing delay
    failed in the last delivery        to the dead-letter subject, then acknowledged
    not parsable                       to the dead-letter subject at once, then acknowledged
    the process died                   delivered again after the time that a handler may take
    the dead letter was not taken      delivered again, and only the dead letter is tried again

So a handler sees an event at least once and must be idempotent: the event's id and position tell a repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from faststream.specification import AsyncAPI
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy as ServerAckPolicy
from nats.js.api import ConsumerConfig
from prometheus_client import CollectorRegistry, Counter, Histogram

from contracts.subjects import Stream, dead_letter
from services.runtime.telemetry import SpanKind, span

SUBJECT_HEADER: Final = "Casetrail-Subject"
POSITION_HEADER: Final = "Casetrail-Position"
REASON_HEADER: Final = "Casetrail-Reason"
DELIVERIES_HEADER: Final = "Casetrail-Deliveries"

_POLL_S: Final = 2.0
_QUICK_S: Final = 0.2
_PAUSE_S: Final = 0.5
_REASON_CHARS: Final = 500
_DEAD_LETTER_S: Final = 5.0
_MARGIN_S: Final = 5.0  # for the event to come and its acknowledgement to go
_NOT_PARSED: Final = "unparsable"

log = structlog.get_logger()


class Event(Protocol):
    """What the runtime reads of a parsed event."""

    @property
    def type(self) -> str:
        """The type tag. It becomes a metric label, so `parse` must refuse types that it does not know."""

    @property
    def traceparent(self) -> str | None:
        """The trace that the event was decided in."""


EventT = TypeVar("EventT", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how soon a failed event is delivered again."""

    deliveries: int = 5
    first_s: float = 1.0
    longest_s: float = 60.0

    def delay_s(self, delivery: int) -> float:
        """The wait after the given delivery (1, 2, 3...) failed."""
        return float(min(self.longest_s, self.first_s * 2 ** min(delivery - 1, 30)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subscription(Generic[EventT]):
    name: str
    stream: str
    parse: Callable[[bytes], EventT]
    handler: Callable[[EventT, int], Awaitable[None]]
    retry: Retry
    timeout_s: float


class Subscribers:
    """The subscribers of one service. Declare them, `start` on a connection, `stop` before it is closed."""

    def __init__(self, service: str, registry: CollectorRegistry, *, stop_timeout_s: float = 2.0) -> None:
        self._service = service
        self._broker = _Broker(
            apply_types=False,  # events are parsed here, where a failure is seen
            graceful_timeout=stop_timeout_s,
            logger=logging.getLogger(__name__),  # that of FastStream has a handler of its own
            log_level=logging.DEBUG,  # two lines per event, with its subject
        )
        self._outcomes = Counter(
            "casetrail_events_handled",
            "Deliveries of events to subscribers, by what became of them.",
            ["service", "stream", "type", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "casetrail_event_handling_seconds",
            "Time that handlers took.",
            ["service", "stream", "type"],
            registry=registry,
        )

    def subscribe(
        self,
        stream: Stream,
        subject: str,
        *,
        name: str,
        parse: Callable[[bytes], EventT],
        handler: Callable[[EventT, int], Awaitable[None]],
        schema: Any,
        in_order: bool = False,
        concurrency: int = 16,
        retry: Retry = Retry(),
        timeout_s: float = 20.0,
    ) -> None:
        """Has `handler` called with every event of `subject` and its position, from the first event on.

        `name` is the durable consumer's, unique in the stream: replicas that share it share the work.
        `parse` raises ValueError for what is no event. With `in_order` one event is under way at a time over
        all replicas, and a failing one holds up the rest until it is a dead letter; else up to `concurrency`
        per replica. A handler that takes longer than `timeout_s` has failed. `schema` is the type that the
        AsyncAPI document shows.
        """
        subscription = _Subscription(
            name=name, stream=stream.name, parse=parse, handler=handler, retry=retry, timeout_s=timeout_s
        )

        async def deliver(message: Any) -> None:
            await self._deliver(subscription, cast("NatsMessage", message).raw_message)

        deliver.__annotations__["message"] = schema
        self._broker.subscriber(
            subject,
            stream=JStream(
                stream.name, declare=False
            ),  # else FastStream creates, or even updates, the stream
            durable=name,
            config=ConsumerConfig(
                name=name,
                durable_name=name,
                filter_subject=subject,
                ack_policy=ServerAckPolicy.EXPLICIT,
                ack_wait=timeout_s + _DEAD_LETTER_S + _MARGIN_S,
                # Without limit on the server, which would drop an event silently when a process dies in
                # the last delivery. `_deliver` counts instead, and calls no handler after the last one.
                max_deliver=-1,
                max_ack_pending=1 if in_order else 16 * concurrency,
            ),
            pull_sub=PullSub(batch_size=1 if in_order else concurrency, timeout=_POLL_S),
            decoder=_keep,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            title=name,
            description=handler.__doc__,
        )(deliver)

    async def start(self, nc: Client) -> None:
        """Creates or updates the consumers and begins to deliver. `nc` stays the caller's.

        Raises:
            nats.js.errors.NotFoundError: there is no such stream.
        """
        self._broker.use(nc)
        await self._broker.start()

    async def stop(self) -> None:
        """Takes no more events, and waits `stop_timeout_s` for handlers; what is not done comes again."""
        await self._broker.stop()

    def asyncapi(self, version: str) -> str:
        """The AsyncAPI 3 document (JSON) of what the service subscribes to. Needs no connection."""
        document = AsyncAPI(self._broker, title=self._service, version=version, schema_version="3.0.0")
        return document.to_specification().to_json()

    async def _deliver(self, to: _Subscription[EventT], message: Msg) -> None:
        try:
            event = to.parse(message.data)
        except ValueError as error:
            with span(f"process {to.stream}", kind=SpanKind.CONSUMER) as failed:
                failed.record_error(error)
                outcome = await self._bury(to, message, f"not parsable: {error}")
            self._count(to, _NOT_PARSED, outcome)
            return
        began = time.perf_counter()
        with span(
            f"process {to.stream}",
            traceparent=event.traceparent,
            kind=SpanKind.CONSUMER,
            attributes={"messaging.system": "nats", "messaging.consumer.group.name": to.name},
        ) as handling:
            failure = await self._handle(to, event, message)
            if failure is None:
                outcome = "handled"
                await message.ack()
            else:
                handling.record_error(failure)
                outcome = await self._give_back(to, message, failure)
            handling.set_attribute("casetrail.outcome", outcome)
        self._seconds.labels(self._service, to.stream, event.type).observe(time.perf_counter() - began)
        self._count(to, event.type, outcome)

    async def _handle(self, to: _Subscription[EventT], event: EventT, message: Msg) -> Exception | None:
        if message.metadata.num_delivered > to.retry.deliveries:
            return RuntimeError("the process ended in the last delivery")
        try:
            async with asyncio.timeout(to.timeout_s):
                await to.handler(event, message.metadata.sequence.stream)
        except (
            Exception
        ) as error:  # the edge: whatever a handler raises is retried, then kept as a dead letter
            log.exception(
                "event.failed",
                subscriber=to.name,
                position=message.metadata.sequence.stream,
                delivery=message.metadata.num_delivered,
            )
            return error
        return None

    async def _give_back(self, to: _Subscription[EventT], message: Msg, error: Exception) -> str:
        delivery = message.metadata.num_delivered
        if delivery >= to.retry.deliveries:
            return await self._bury(to, message, f"{type(error).__name__}: {error}")
        await message.nak(delay=to.retry.delay_s(delivery))
        return "retried"

    async def _bury(self, to: _Subscription[EventT], message: Msg, reason: str) -> str:
        """Acknowledges the message once its dead letter is stored; that may happen twice, but counts once."""
        position = message.metadata.sequence.stream
        headers = {
            **(message.headers or {}),
            "Nats-Msg-Id": f"{self._service}.{to.name}.{to.stream}.{position}",
            SUBJECT_HEADER: message.subject,
            POSITION_HEADER: str(position),
            DELIVERIES_HEADER: str(message.metadata.num_delivered),
            REASON_HEADER: " ".join(reason.split())[:_REASON_CHARS],
        }
        try:
            await self._broker.jetstream.publish(
                dead_letter(self._service, to.stream), message.data, timeout=_DEAD_LETTER_S, headers=headers
            )
        except (errors.Error, TimeoutError) as unstored:
            log.error(
                "event.dead_letter_refused", subscriber=to.name, position=position, reason=str(unstored)
            )
            await message.nak(delay=to.retry.longest_s)
            return "retried"
        log.error("event.dead", subscriber=to.name, position=position, reason=headers[REASON_HEADER])
        await message.ack()
        return "dead"

    def _count(self, to: _Subscription[EventT], event_type: str, outcome: str) -> None:
        self._outcomes.labels(self._service, to.stream, event_type, outcome).inc()


class _Broker(NatsBroker):
    """FastStream on a connection that somebody else made and closes."""

    _borrowed: Client | None = None

    def use(self, nc: Client) -> None:
        self._borrowed = nc

    @property
    def jetstream(self) -> JetStreamContext:
        return self.config.broker_config.connection_state.stream

    async def _connect(self) -> Client:
        nc = self._borrowed
        if nc is None:
            raise RuntimeError("use() comes before start()")
        self.config.broker_config.connect(nc)
        self.config.broker_config.connection_state.connect(nc, _JetStream(nc))
        return nc

    async def stop(self, *_exception: Any) -> None:
        self._connection = None  # FastStream would drain, and so close, a connection that is not its own
        await super().stop()


class _JetStream(JetStreamContext):
    """Pull subscriptions as a service that runs for months needs them."""

    async def pull_subscribe(  # type: ignore[override]  # FastStream's call, and nothing else, comes here
        self, subject: str, *, durable: str, stream: str, config: ConsumerConfig, **_options: Any
    ) -> _PatientPull:
        async def create() -> None:
            # nats-py looks first whether there is one, and then keeps its old configuration.
            await self._jsm.add_consumer(stream, config)

        await create()
        # Without FastStream's inbox prefix: the user has permission for that of the connection alone.
        pull = await self.pull_subscribe_bind(durable=durable, stream=stream)
        return _PatientPull(pull, create)


class _PatientPull:
    """Fetches for ever. FastStream's own loop knows three errors and no pause between attempts:

    a closed connection makes it spin without ever yielding to the event loop, a full send buffer or a deleted
    consumer makes its supervisor restart it in a hot loop (stream_pull_subscriber.py, `_consume_pull`).
    """

    def __init__(
        self, pull: JetStreamContext.PullSubscription, create: Callable[[], Awaitable[None]]
    ) -> None:
        self._pull = pull
        self._create = create

    async def fetch(self, batch: int, timeout: float) -> list[Msg]:
        """The next messages, or none after `timeout` seconds or any trouble."""
        began = time.monotonic()
        try:
            return await self._pull.fetch(batch, timeout)
        except (errors.Error, TimeoutError) as error:
            if time.monotonic() - began < _QUICK_S:  # no answer would have come later
                await self._recover(error)
            return []

    async def unsubscribe(self) -> None:
        with contextlib.suppress(errors.Error):  # of a connection that is closed: nothing is left to undo
            await self._pull.unsubscribe()

    async def _recover(self, error: Exception) -> None:
        log.warning("events.fetch_failed", reason=str(error) or type(error).__name__)
        await asyncio.sleep(_PAUSE_S)
        try:
            await self._create()  # the consumer may have been deleted, or lost with its only server
        except (errors.Error, TimeoutError) as failed:
            log.warning("events.consumer_unavailable", reason=str(failed) or type(failed).__name__)


async def _keep(message: NatsMessage) -> NatsMessage:
    return message
