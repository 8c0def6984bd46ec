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
Once more is also when the operator asks for it (`casetrail dead retry`), after what failed was mended: the
consumer is not touched, the event is read from its stream and handled within the request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsMessage, PullSub
from faststream.specification import AsyncAPI
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy as ServerAckPolicy
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError
from prometheus_client import CollectorRegistry, Counter, Histogram

from contracts.access.requests import TERMINAL
from contracts.dead_letters import (
    DELIVERIES_HEADER,
    LETTER_HEADER,
    POSITION_HEADER,
    REASON_HEADER,
    RETRIED_HEADER,
    SUBJECT_HEADER,
    EventRetried,
    RetryEvent,
    letter_id,
    retry_request,
)
from contracts.envelope import ActorKind
from contracts.subjects import Stream, dead_letter
from services.runtime.broker import Broker, keep
from services.runtime.cancel import cancel
from services.runtime.errors import Forbidden
from services.runtime.requests import Endpoint
from services.runtime.telemetry import SpanKind, span

_POLL_S: Final = 2.0
_REASON_CHARS: Final = 500
_DEAD_LETTER_S: Final = 5.0
_MARGIN_S: Final = 5.0  # for the event to come and its acknowledgement to go
_NOT_PARSED: Final = "unparsable"
_SERVERS_OWN: Final = "Nats-"
"""How headers begin that tell the server what to do with a message, when it is published."""

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
        self._subscriptions: dict[str, _Subscription[Any]] = {}
        self._stop_timeout_s = stop_timeout_s
        self._under_way: set[asyncio.Task[None]] = set()
        self._broker = Broker(
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
        after: int = 0,
        concurrency: int = 16,
        retry: Retry = Retry(),
        timeout_s: float = 20.0,
    ) -> None:
        """Has `handler` called with every event of `subject` and its position, beginning behind `after`.

        `name` is the durable consumer's, unique in the stream: replicas that share it share the work.
        `parse` raises ValueError for what is no event. With `in_order` one event is under way at a time over
        all replicas, and a failing one holds up the rest until it is a dead letter; else up to `concurrency`
        per replica. A handler that takes longer than `timeout_s` has failed. `schema` is the type that the
        AsyncAPI document shows.
        """
        subscription = _Subscription(
            name=name, stream=stream.name, parse=parse, handler=handler, retry=retry, timeout_s=timeout_s
        )
        self._subscriptions[name] = subscription
        room = asyncio.Semaphore(concurrency)

        async def deliver(message: Any) -> None:
            raw = cast("NatsMessage", message).raw_message
            if in_order:
                await self._deliver(subscription, raw)
                return
            # FastStream waits for a whole batch before it fetches the next: one slow event would hold up all.
            await room.acquire()
            task = asyncio.create_task(self._deliver(subscription, raw), name=subscription.name)
            self._under_way.add(task)
            task.add_done_callback(lambda done: self._is_over(done, room))

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
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE if after else DeliverPolicy.ALL,
                opt_start_seq=after + 1 if after else None,
                ack_wait=timeout_s + _DEAD_LETTER_S + _MARGIN_S,
                # Without limit on the server, which would drop an event silently when a process dies in
                # the last delivery. `_deliver` counts instead, and calls no handler after the last one.
                max_deliver=-1,
                max_ack_pending=1 if in_order else 16 * concurrency,
            ),
            pull_sub=PullSub(batch_size=1 if in_order else concurrency, timeout=_POLL_S),
            decoder=keep,
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
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._stop_timeout_s)
        await cancel(list(self._under_way))

    def endpoint(self) -> Endpoint[RetryEvent, EventRetried]:
        """Where the operator has events handled again."""
        return Endpoint(subject=retry_request(self._service), request=RetryEvent, handler=self.retry)

    async def retry(self, asked: RetryEvent) -> EventRetried:
        """Has the event handled, here and now, and notes beside its dead letter that it is settled.

        Raises:
            Forbidden: somebody else than the operator's terminal asks.
            nats.errors.Error: it cannot be read or noted now.
        """
        if (asked.actor.kind, asked.actor.id) != (ActorKind.SYSTEM, TERMINAL):
            raise Forbidden("not_permitted")
        to = self._subscriptions.get(asked.subscriber)
        if to is None or to.stream != asked.stream:
            return EventRetried(outcome="nobody")
        js = self._broker.jetstream
        try:
            payload = (await js.get_msg(to.stream, asked.position)).data or b""
        except NotFoundError:  # of a bucket that keeps the newest only, or for a while
            retried = EventRetried(outcome="gone")
        else:
            failure = await self._handle_again(to, payload, asked.position)
            if failure is not None:
                return EventRetried(outcome="failed", reason=failure)
            retried = EventRetried(outcome="handled")
        settled = letter_id(self._service, to.name, to.stream, asked.position)
        await js.publish(
            dead_letter(self._service, to.stream), timeout=_DEAD_LETTER_S, headers={RETRIED_HEADER: settled}
        )
        log.info("event.retried", subscriber=to.name, position=asked.position, outcome=retried.outcome)
        return retried

    async def _handle_again(self, to: _Subscription[EventT], payload: bytes, position: int) -> str | None:
        try:
            event = to.parse(payload)
        except ValueError as error:
            return _unparsable(error)
        failure = await self._attempt(to, event, position=position, delivery=0)
        return None if failure is None else _named(failure)

    def asyncapi(self, version: str) -> str:
        """The AsyncAPI 3 document (JSON) of what the service subscribes to. Needs no connection."""
        document = AsyncAPI(self._broker, title=self._service, version=version, schema_version="3.0.0")
        return document.to_specification().to_json()

    def _is_over(self, task: asyncio.Task[None], room: asyncio.Semaphore) -> None:
        room.release()
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The acknowledgement could not be sent: the event comes again.
            log.warning("event.not_acknowledged", subscriber=task.get_name(), reason=repr(error))

    async def _deliver(self, to: _Subscription[EventT], message: Msg) -> None:
        try:
            event = to.parse(message.data)
        except ValueError as error:
            with span(f"process {to.stream}", kind=SpanKind.CONSUMER) as failed:
                failed.record_error(error)
                outcome = await self._bury(to, message, _unparsable(error))
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
        return await self._attempt(
            to, event, position=message.metadata.sequence.stream, delivery=message.metadata.num_delivered
        )

    async def _attempt(
        self, to: _Subscription[EventT], event: EventT, *, position: int, delivery: int
    ) -> Exception | None:
        try:
            async with asyncio.timeout(to.timeout_s):
                await to.handler(event, position)
        except (
            Exception
        ) as error:  # the edge: whatever a handler raises is retried, then kept as a dead letter
            log.exception("event.failed", subscriber=to.name, position=position, delivery=delivery)
            return error
        return None

    async def _give_back(self, to: _Subscription[EventT], message: Msg, error: Exception) -> str:
        delivery = message.metadata.num_delivered
        if delivery >= to.retry.deliveries:
            return await self._bury(to, message, _named(error))
        await message.nak(delay=to.retry.delay_s(delivery))
        return "retried"

    async def _bury(self, to: _Subscription[EventT], message: Msg, reason: str) -> str:
        """Acknowledges the message once its dead letter is stored; that may happen twice, but counts once."""
        position = message.metadata.sequence.stream
        headers = {
            # Those of the append (a sequence that it expects, its place in a batch) would be obeyed again.
            **{k: v for k, v in (message.headers or {}).items() if not k.startswith(_SERVERS_OWN)},
            LETTER_HEADER: letter_id(self._service, to.name, to.stream, position),
            SUBJECT_HEADER: message.subject,
            POSITION_HEADER: str(position),
            DELIVERIES_HEADER: str(message.metadata.num_delivered),
            REASON_HEADER: reason,
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


def _named(error: Exception) -> str:
    return _on_one_line(f"{type(error).__name__}: {error}")


def _unparsable(error: ValueError) -> str:
    return _on_one_line(f"not parsable: {error}")


def _on_one_line(reason: str) -> str:
    return " ".join(reason.split())[:_REASON_CHARS]
