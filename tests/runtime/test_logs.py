from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from services.runtime import logs
from services.runtime.telemetry import span

SEED = "SU" + "A2B3C4D5" * 7
JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJBQkMifQ.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        yield
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def fail_with(message: str, **_private: str) -> None:
    raise ValueError(message)


def test_a_line_says_when_how_bad_who_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info", "tickets")
    structlog.get_logger().info("request", name="open", took_ms=3)
    [line] = lines(capsys)
    assert list(line)[:4] == ["timestamp", "level", "service", "event"]
    assert (line["level"], line["service"], line["event"]) == ("info", "tickets", "request")
    assert (line["name"], line["took_ms"]) == ("open", 3)
    assert line["timestamp"].endswith("Z")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(line["timestamp"])).total_seconds()) < 5


def test_libraries_that_use_the_standard_library_log_in_the_same_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("json", "info", "tickets")
    structlog.contextvars.bind_contextvars(request="r-1")
    logging.getLogger("nats.aio.client").warning("slow %s", "consumer")
    logging.getLogger("nats.aio.client").debug("not shown")
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["service"]) == ("slow consumer", "warning", "tickets")
    assert (line["logger"], line["request"]) == ("nats.aio.client", "r-1")


def test_what_is_below_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "error", "tickets")
    structlog.get_logger().warning("no")
    logging.getLogger("x").warning("no")
    assert lines(capsys) == []


def test_warnings_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info", "tickets")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", UserWarning, stacklevel=1)
    [line] = lines(capsys)
    assert "old" in line["event"]


@pytest.mark.parametrize("source", ["structlog", "stdlib"])
def test_an_exception_is_structured_and_without_local_variables(
    capsys: pytest.CaptureFixture[str], source: str
) -> None:
    logs.configure("json", "info", "tickets")
    logger = structlog.get_logger() if source == "structlog" else logging.getLogger("x")
    try:
        fail_with("failed", private="".join(["Jan ", "Kowalski"]))
    except ValueError:
        logger.exception("failed")
    captured = capsys.readouterr().err
    assert "Kowalski" not in captured
    [exception] = json.loads(captured)["exception"]
    assert exception["exc_type"] == "ValueError"
    assert exception["frames"][0]["filename"].endswith("test_logs.py")


def test_lines_of_one_request_share_the_trace_id(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info", "tickets")
    with span("request", traceparent=f"00-{'a' * 32}-{'b' * 16}-00"):
        structlog.get_logger().info("inside")
    structlog.get_logger().info("outside")
    inside, outside = lines(capsys)
    assert inside["trace_id"] == "a" * 32
    assert "trace_id" not in outside


class Holder:
    def __repr__(self) -> str:
        return f"<Holder {SEED}>"


@pytest.mark.parametrize("fmt", ["json", "console"])
@pytest.mark.parametrize(
    "fields",
    [
        {"nkey_seed": "plain"},
        {"options": {"user": {"Password": "plain"}}},
        {"servers": [{"auth_token": "plain"}]},
        {"Authorization": "Bearer plain"},
        {"text": f"the key is {SEED}."},
        {"holder": Holder()},
        {"headers": {"x": f"Bearer {JWT}"}},
        {"url": "nats://admin:plain@broker:4222"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_no_secret_reaches_a_line(
    capsys: pytest.CaptureFixture[str], fmt: logs.Format, fields: dict[str, Any]
) -> None:
    logs.configure(fmt, "info", "tickets")
    structlog.get_logger().info("start", **fields)
    written = capsys.readouterr().err
    assert logs.HIDDEN in written
    for secret in ("plain", SEED, JWT):
        assert secret not in written


def test_no_secret_reaches_a_line_from_an_exception_or_a_library(capsys: pytest.CaptureFixture[str]) -> None:
    for fmt in ("json", "console"):
        logs.configure(fmt, "info", "tickets")
        try:
            fail_with(f"bad seed {SEED}")
        except ValueError:
            structlog.get_logger().exception("failed")
        logging.getLogger("nats").error("cannot use %s", JWT)
    written = capsys.readouterr().err
    assert written.count(logs.HIDDEN) >= 4
    assert SEED not in written
    assert JWT not in written


def test_what_only_resembles_a_secret_is_kept() -> None:
    ordinary = "SUPPORT needs S2 and https://example.org/a@b, eyJ is a start"
    assert logs.without_secrets(ordinary) == ordinary
