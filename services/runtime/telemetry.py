"""Traces: one `traceparent` (W3C Trace Context) through a request, into the event, on to whoever reacts.

Spans are exported only where the standard OTEL_EXPORTER_OTLP_ENDPOINT (or _TRACES_ENDPOINT) names a
collector. Elsewhere no span of the SDK is made; the trace id still travels, so that the log lines and
the events of one request can be found together.

A span's name and attributes keys are chosen from a small set: never a ticket number, an account or a text.
"""

from __future__ import annotations

import os
import random
import re
import threading
from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer
from opentelemetry.util.types import AttributeValue

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import Sampler

__all__ = ["Span", "SpanKind", "configure", "current_traceparent", "shutdown", "span"]

# 32 hex digits of trace id, 16 of span id, neither all zero, 2 of flags; version ff is forbidden, and
# a later version than 00 may have more after the flags (W3C Trace Context, 3.2 and 4.3).
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)
_LENGTH: Final = 55  # of version 00
_ODD: Final = frozenset("13579bdf")

# Ids must differ, not be unguessable; a generator of our own, for libraries seed the shared one.
_random_bits: Final = random.Random().getrandbits  # noqa: S311

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


class _Export:
    """Where finished spans go: one per process, as for logs; None is nowhere."""

    provider: TracerProvider | None = None
    tracer: Tracer | None = None


def configure(service: str, instance: str) -> bool:
    """Exports the spans of this process if the environment names a collector; tells whether it does.

    `OTEL_*` variables win over the arguments: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
    OTEL_TRACES_SAMPLER, OTEL_BSP_*, OTEL_EXPORTER_OTLP_*, OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER=none.
    """
    if not _wanted():
        return False
    # Half a second of imports that a service without a collector need not pay.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = Resource.create({"service.name": service, "service.instance.id": instance})
    provider = TracerProvider(
        resource=named.merge(OTELResourceDetector().detect()), sampler=_sampler(), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _Export.provider = provider
    _Export.tracer = provider.get_tracer("casetrail")
    return True


def shutdown(timeout_s: float) -> None:
    """Exports what is finished, for at most `timeout_s`; blocks, so call it after the event loop's work."""
    provider, _Export.provider, _Export.tracer = _Export.provider, None, None
    if provider is None:
        return
    # The SDK waits for 30 s and takes no argument; a daemon thread does not keep the process alive.
    flushing = threading.Thread(target=provider.shutdown, name="telemetry-shutdown", daemon=True)
    flushing.start()
    flushing.join(timeout_s)


def current_traceparent() -> str | None:
    """The `traceparent` of the span that this task is in: for outgoing requests, events and logs."""
    return _current.get()


def span(
    name: str,
    *,
    traceparent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Span:
    """A context manager whose body is the span.

    It continues `traceparent` when one is given, else the current span, else it starts a trace. A malformed
    one is treated as none: what a caller sends can never make a request fail.
    """
    tracer = _Export.tracer
    if tracer is None:
        return Span(traceparent)
    return _ExportedSpan(tracer, name, traceparent, kind, attributes)


class Span:
    """A span that is exported nowhere: it only hands the trace id on."""

    __slots__ = ("_parent", "_token", "traceparent")

    traceparent: str
    """What an event or an outgoing request made inside carries. Known once the span is entered."""

    def __init__(self, parent: str | None) -> None:
        self._parent = parent

    def __enter__(self) -> Span:
        parent = _valid(self._parent) or _current.get()
        if parent is None:
            self.traceparent = f"00-{_random_bits(128):032x}-{_random_bits(64):016x}-00"
        else:
            self.traceparent = f"00-{parent[3:35]}-{_random_bits(64):016x}-{_flags(parent)}"
        self._token: Token[str | None] = _current.set(self.traceparent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Adds what became known on the way, such as the outcome."""

    def record_error(self, error: BaseException) -> None:
        """Marks the span as failed, for an error that was caught inside it. One that leaves it is seen."""


class _ExportedSpan(Span):
    """A span of the SDK, current for other instrumentation too."""

    __slots__ = ("_attached", "_attributes", "_kind", "_name", "_sdk_span", "_tracer")

    def __init__(
        self,
        tracer: Tracer,
        name: str,
        parent: str | None,
        kind: SpanKind,
        attributes: Mapping[str, AttributeValue] | None,
    ) -> None:
        super().__init__(parent)
        self._tracer = tracer
        self._name = name
        self._kind = kind
        self._attributes = attributes

    def __enter__(self) -> Span:
        self._sdk_span = self._tracer.start_span(
            self._name, _remote_context(self._parent), kind=self._kind, attributes=self._attributes
        )
        self._attached = attach(trace.set_span_in_context(self._sdk_span))
        ids = self._sdk_span.get_span_context()
        self.traceparent = f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{ids.trace_flags:02x}"
        self._token = _current.set(self.traceparent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):  # a cancelled task has not failed
            self.record_error(error)
        _current.reset(self._token)
        detach(self._attached)
        self._sdk_span.end()

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        self._sdk_span.set_attribute(key, value)

    def record_error(self, error: BaseException) -> None:
        self._sdk_span.record_exception(error)
        self._sdk_span.set_status(StatusCode.ERROR, type(error).__name__)


def _valid(traceparent: str | None) -> str | None:
    if traceparent is None or _TRACEPARENT.fullmatch(traceparent) is None:
        return None
    if len(traceparent) > _LENGTH and traceparent.startswith("00"):
        return None
    return traceparent


def _flags(traceparent: str) -> str:
    """Only the sampled flag is ours to hand on; the other bits belong to later versions."""
    return "01" if traceparent[_LENGTH - 1] in _ODD else "00"


def _remote_context(given: str | None) -> Context | None:
    traceparent = _valid(given)
    if traceparent is None:
        return None
    remote = SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(_flags(traceparent), 16)),
    )
    return trace.set_span_in_context(NonRecordingSpan(remote))


def _wanted() -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "").lower() == "none":
        return False
    return any(
        os.environ.get(name) for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    )


def _sampler() -> Sampler | None:
    """None lets the SDK read OTEL_TRACES_SAMPLER.

    Without one, also traces whose caller did not sample are recorded: a command line that exports nothing
    hands on a trace id with the flag unset, which says nothing about what this service should keep.
    """
    if os.environ.get("OTEL_TRACES_SAMPLER"):
        return None
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

    return ParentBased(ALWAYS_ON, remote_parent_not_sampled=ALWAYS_ON)
