from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ExportedSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from services.runtime import telemetry
from services.runtime.telemetry import SpanKind, current_traceparent, span

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
NOT_SAMPLED = f"00-{TRACE}-{PARENT}-00"


class Collector:
    """An OTLP/HTTP collector that keeps what it is sent."""

    def __init__(self, *, answers: bool = True) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self._released = threading.Event()
        if answers:
            self._released.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector._released.wait(20)
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Keeps the output of the tests quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def spans(self) -> dict[str, ExportedSpan]:
        found = [
            one
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for one in scope.spans
        ]
        return {one.name: one for one in found}

    @property
    def resource(self) -> dict[str, str]:
        attributes = self.requests[0].resource_spans[0].resource.attributes
        return {attribute.key: attribute.value.string_value for attribute in attributes}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)
    yield
    telemetry.shutdown(5)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    collector = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    yield collector
    telemetry.shutdown(5)
    collector.stop()


def parts(traceparent: str | None) -> tuple[str, str, str]:
    assert traceparent is not None
    version, trace_id, span_id, flags = traceparent.split("-")
    assert version == "00"
    assert len(trace_id) == 32
    assert len(span_id) == 16
    return trace_id, span_id, flags


def test_without_a_collector_nothing_is_exported_and_a_trace_id_is_made() -> None:
    assert not telemetry.configure("tickets", "1")
    with span("request") as one:
        trace_id, span_id, flags = parts(one.traceparent)
        assert current_traceparent() == one.traceparent
    assert int(trace_id, 16)
    assert int(span_id, 16)
    assert flags == "00"
    assert current_traceparent() is None


@pytest.mark.parametrize("exported", [False, True], ids=["not exported", "exported"])
@pytest.mark.parametrize("incoming", [SAMPLED, f"cc-{TRACE}-{PARENT}-03-of-a-later-version"])
def test_an_incoming_trace_is_continued(collector: Collector, exported: bool, incoming: str) -> None:
    if exported:
        telemetry.configure("tickets", "1")
    with span("request", traceparent=incoming) as one:
        trace_id, span_id, flags = parts(one.traceparent)
    assert (trace_id, flags) == (TRACE, "01")
    assert span_id != PARENT


@pytest.mark.parametrize("exported", [False, True], ids=["not exported", "exported"])
@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{PARENT}",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"{SAMPLED}\n",
        "\u0661" * 55,
    ],
)
def test_a_malformed_traceparent_starts_a_new_trace(
    collector: Collector, exported: bool, malformed: str
) -> None:
    if exported:
        telemetry.configure("tickets", "1")
    with span("request", traceparent=malformed) as one:
        assert parts(one.traceparent)[0] != TRACE


@pytest.mark.parametrize("exported", [False, True], ids=["not exported", "exported"])
async def test_spans_nest_and_tasks_do_not_see_each_other(collector: Collector, exported: bool) -> None:
    if exported:
        telemetry.configure("tickets", "1")

    async def request() -> tuple[str, str]:
        with span("request") as outer:
            await asyncio.sleep(0)
            with span("append") as inner:
                await asyncio.sleep(0)
                assert current_traceparent() == inner.traceparent
            assert current_traceparent() == outer.traceparent
        return parts(outer.traceparent)[0], parts(inner.traceparent)[0]

    one, two = await asyncio.gather(request(), request())
    assert one[0] == one[1]
    assert two[0] == two[1]
    assert one[0] != two[0]


def test_finished_spans_reach_the_collector_with_parent_kind_attributes_and_resource(
    collector: Collector,
) -> None:
    assert telemetry.configure("tickets", "tickets-7")
    with (
        span("request", traceparent=SAMPLED, kind=SpanKind.SERVER, attributes={"outcome": "ok"}),
        span("append") as inner,
    ):
        inner.set_attribute("batch", 3)
    telemetry.shutdown(5)
    request, append = collector.spans["request"], collector.spans["append"]
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert append.parent_span_id == request.span_id
    assert request.kind == ExportedSpan.SPAN_KIND_SERVER
    assert request.attributes[0].key == "outcome"
    assert append.attributes[0].value.int_value == 3
    assert collector.resource["service.name"] == "tickets"
    assert collector.resource["service.instance.id"] == "tickets-7"


def test_the_standard_variables_win(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "renamed")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    telemetry.configure("tickets", "1")
    with span("request"):
        pass
    telemetry.shutdown(5)
    assert collector.resource["service.name"] == "renamed"
    assert collector.resource["deployment.environment.name"] == "staging"


@pytest.mark.parametrize(("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_the_standard_switches_turn_it_off(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert not telemetry.configure("tickets", "1")


def test_a_caller_that_exports_nothing_does_not_stop_the_service_from_recording(collector: Collector) -> None:
    telemetry.configure("tickets", "1")
    with span("request", traceparent=NOT_SAMPLED) as one:
        assert parts(one.traceparent)[2] == "01"


def test_a_sampler_that_is_named_decides(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    telemetry.configure("tickets", "1")
    with span("dropped", traceparent=NOT_SAMPLED) as dropped:
        pass
    with span("kept", traceparent=SAMPLED):
        pass
    telemetry.shutdown(5)
    assert parts(dropped.traceparent)[0] == TRACE
    assert set(collector.spans) == {"kept"}


def test_errors_are_recorded_whether_they_leave_the_span_or_not(collector: Collector) -> None:
    telemetry.configure("tickets", "1")
    with pytest.raises(ValueError, match="leaves"), span("leaves"):
        raise ValueError("leaves")
    with span("caught") as caught:
        caught.record_error(KeyError("caught"))
    with pytest.raises(asyncio.CancelledError), span("cancelled"):
        raise asyncio.CancelledError
    telemetry.shutdown(5)
    for name, kind in (("leaves", "ValueError"), ("caught", "KeyError")):
        assert collector.spans[name].status.code == Status.STATUS_CODE_ERROR
        [event] = collector.spans[name].events
        assert {a.key: a.value.string_value for a in event.attributes}["exception.type"] == kind
    assert collector.spans["cancelled"].status.code == Status.STATUS_CODE_UNSET


def test_a_collector_that_does_not_answer_cannot_hold_up_the_shutdown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = Collector(answers=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", silent.endpoint)
    telemetry.configure("tickets", "1")
    with span("request"):
        pass
    began = time.monotonic()
    telemetry.shutdown(0.3)
    assert time.monotonic() - began < 1.5
    silent.stop()


def test_a_span_that_is_not_exported_costs_microseconds() -> None:
    began = time.perf_counter()
    for _ in range(2000):
        with span("request", traceparent=SAMPLED):
            pass
    # Generous for a busy machine; the SDK's own spans cost ten times as much.
    assert (time.perf_counter() - began) / 2000 < 20e-6
