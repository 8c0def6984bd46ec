"""Requests over NATS (ADR-32): JSON in, JSON out, checked by pydantic on the way.

A request that says who asks (`actor`) can be sent on two subjects, and which one tells who may say so:

    requests.<service>.<name>         may be published by those who speak for people, and for people only
    systems.<user>.<service>.<name>   by that NATS user alone, who speaks for `system:<user>` only

Each request runs as a task of its own, at most so many at once; past that a caller is told `busy` rather
than left in a queue that nobody sees. Every error goes through the one table of `errors.to_reply`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import nats.errors
import nats.micro
import structlog
from nats.aio.client import Client
from nats.micro.request import ERROR_CODE_HEADER, ERROR_HEADER, Request
from nats.micro.service import ServiceConfig
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic import BaseModel, ValidationError

from contracts import subjects
from contracts.envelope import ActorKind
from contracts.errors import ErrorKind
from services.runtime import telemetry
from services.runtime.errors import Forbidden, RequestInvalid, Unavailable, broken_fields, to_reply

RequestT = TypeVar("RequestT", bound=BaseModel)
AnswerT = TypeVar("AnswerT", bound=BaseModel)

MAX_ANSWER_BYTES: Final = 960 * 1024
"""What fits into a NATS message of 1 MiB, the server's default limit, beside its headers."""

_SLOW_S: Final = 1.0

log = structlog.get_logger()


class AnswerTooLarge(Exception):
    """An answer does not fit into a message: its endpoint has no limit where it needs one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Generic[RequestT, AnswerT]):
    """A request that a service answers. `subject` is the contract's, its last token is the name."""

    subject: str
    request: type[RequestT]
    handler: Callable[[RequestT], Awaitable[AnswerT]]

    @property
    def name(self) -> str:
        return self.subject.rpartition(".")[2]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Where it is asked: by systems only if it says who asks."""
        if "actor" not in self.request.model_fields:
            return (self.subject,)
        return self.subject, self._of_system("*")

    def is_answered_on(self, subject: str) -> bool:
        """Whether a message of this subject was sent to this endpoint."""
        system = subjects.sending_system(subject)
        return subject == (self.subject if system is None else self._of_system(system))

    def _of_system(self, user: str) -> str:
        _, service, name = self.subject.split(".")
        return subjects.system_request(user, service, name)


class Metrics:
    """What is counted of requests. Labels are few and fixed: the request's name, never a ticket's number."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "casetrail_request_seconds",
            "Time from the arrival of a request to its answer",
            ("request",),
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.answers = Counter(
            "casetrail_request_answers_total",
            "Answers by what they said: ok, or the code of the error",
            ("request", "outcome"),
            registry=registry,
        )
        self.running = Gauge(
            "casetrail_requests_running", "Requests being handled right now", registry=registry
        )


class RequestService:
    """A NATS service with its endpoints, in a queue group that all replicas of the service share."""

    def __init__(
        self,
        nc: Client,
        *,
        name: str,
        version: str,
        description: str,
        refusals: Mapping[type[Exception], int],
        metrics: Metrics,
        max_concurrent: int,
        timeout_s: float,
    ) -> None:
        """Args:
        refusals: the status of each of the domain's refusals, by class.
        max_concurrent: requests handled at once; a further one is answered `busy`.
        timeout_s: how long a handler may take before the caller is told to try again.
        """
        self._nc = nc
        self._config = ServiceConfig(name=name, version=version, description=description, queue_group=name)
        self._refusals = refusals
        self._metrics = metrics
        self._max_concurrent = max_concurrent
        self._timeout_s = timeout_s
        self._running: set[asyncio.Task[None]] = set()
        self._log = log.bind()  # a bound logger knows its level: a line that is not wanted costs nothing

    async def start(self, endpoints: Sequence[Endpoint[Any, Any]]) -> None:
        """Begin to answer."""
        self._service = await nats.micro.add_service(self._nc, self._config)
        for endpoint in endpoints:
            accept = self._accept(endpoint)
            for subject in endpoint.subjects:
                await self._service.add_endpoint(
                    name=endpoint.name,
                    subject=subject,
                    handler=accept,
                    metadata={"request": endpoint.request.__name__},
                )
        for _ in range(2):  # nats-py lets the first PING overtake the subscriptions that wait to be sent
            await self._nc.flush()

    async def stop(self, *, timeout_s: float) -> None:
        """Take no more requests and finish those that are here, for at most `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                # nats-py would drop what waits in its own queues, and the callers would hear nothing.
                subscriptions = [endpoint._subscription for endpoint in self._service._endpoints]
                self._service._endpoints.clear()
                await asyncio.gather(*(each.drain() for each in subscriptions if each is not None))
                await self._service.stop()
                while self._running:
                    await asyncio.wait(self._running)
        except (TimeoutError, nats.errors.Error) as error:
            log.warning("requests.unfinished", count=len(self._running), reason=type(error).__name__)

    def _accept(self, endpoint: Endpoint[Any, Any]) -> Callable[[Request], Awaitable[None]]:
        span_name = endpoint.subject
        seconds = self._metrics.seconds.labels(endpoint.name)
        done = self._metrics.answers.labels(endpoint.name, "ok")

        async def answer(request: Request) -> None:
            began = time.perf_counter()
            headers = request.headers
            parent = headers.get("traceparent") if headers else None
            with telemetry.span(span_name, traceparent=parent, kind=SpanKind.SERVER) as span:
                try:
                    async with asyncio.timeout(self._timeout_s):
                        asked = _parse(endpoint.request, request.data)
                        _check_speaker(request.subject, asked)
                        payload = _payload(await endpoint.handler(asked))
                    await _respond(request, payload)
                    done.inc()
                except Exception as error:  # noqa: BLE001  # the edge: every error is answered, once
                    span.record_error(error)
                    await self._answer_error(endpoint.name, request, error)
                finally:
                    took = time.perf_counter() - began
                    seconds.observe(took)
                    if took > _SLOW_S:
                        self._log.warning("request.slow", request=endpoint.name, seconds=round(took, 3))
                    else:
                        self._log.debug("request.done", request=endpoint.name, seconds=round(took, 6))

        async def accept(request: Request) -> None:
            if not endpoint.is_answered_on(request.subject):
                # Only a consumer that somebody pointed here delivers so: it keeps the event's own subject.
                self._log.warning("request.misdirected", request=endpoint.name)
                return
            if len(self._running) >= self._max_concurrent:
                await self._answer_error(endpoint.name, request, Unavailable("busy"))
                return
            task = asyncio.create_task(answer(request))
            self._running.add(task)
            self._metrics.running.set(len(self._running))
            task.add_done_callback(self._forget)

        return accept

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._metrics.running.set(len(self._running))

    async def _answer_error(self, name: str, request: Request, error: Exception) -> None:
        reply = to_reply(error, self._refusals)
        self._metrics.answers.labels(name, reply.code).inc()
        if reply.kind is ErrorKind.INTERNAL:
            log.error("request.failed", request=name, exc_info=error)
        else:
            log.info(
                "request.refused",
                request=name,
                code=reply.code,
                reason=type(error).__name__,
                fields=[f.field for f in reply.fields],
            )
        headers = {ERROR_CODE_HEADER: str(reply.status), ERROR_HEADER: reply.code}
        await _respond(request, reply.model_dump_json().encode(), headers)


def _parse(model: type[RequestT], raw: bytes) -> RequestT:
    """Raises RequestInvalid: of validation errors, only those of the request are the caller's to mend."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise RequestInvalid(broken_fields(error)) from None


def _check_speaker(subject: str, asked: BaseModel) -> None:
    """Raises Forbidden: whoever may publish on this subject may not speak for this actor."""
    actor = getattr(asked, "actor", None)
    if actor is None:
        return
    if (actor.id if actor.kind is ActorKind.SYSTEM else None) != subjects.sending_system(subject):
        raise Forbidden("actor_not_yours", {"actor": f"{actor.kind.value}:{actor.id}"})


def _payload(answer: BaseModel) -> bytes:
    """Raises AnswerTooLarge."""
    payload = answer.model_dump_json(exclude_none=True).encode()
    if len(payload) > MAX_ANSWER_BYTES:
        raise AnswerTooLarge(f"{len(payload)} bytes")
    return payload


async def _respond(request: Request, payload: bytes, headers: dict[str, str] | None = None) -> None:
    """Answer, if there is anybody to answer: who only publishes, or whose connection is gone, is not told."""
    try:
        await request.respond(payload, headers)
    except (nats.errors.Error, ValueError, OSError) as gone:
        log.info("request.unanswered", subject=request.subject, reason=str(gone))
