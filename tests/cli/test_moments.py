"""Times as people type them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.cli.failures import Failure
from services.cli.moments import parse_moment

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_warsaw(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Warsaw")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2026-11-20T10:02:32Z", "2026-11-20T10:02:32+00:00"),
        ("2026-11-20t10:02:32.5z", "2026-11-20T10:02:32.500000+00:00"),
        ("2026-11-20 10:02+01:00", "2026-11-20T09:02:00+00:00"),
        (" 45s ", "2026-11-20T11:59:15+00:00"),
        ("30m", "2026-11-20T11:30:00+00:00"),
        ("2h", "2026-11-20T10:00:00+00:00"),
        ("3D ago", "2026-11-17T12:00:00+00:00"),
        ("1w", "2026-11-13T12:00:00+00:00"),
    ],
)
def test_a_moment_that_names_its_zone_or_needs_none(typed: str, meant: str) -> None:
    moment = parse_moment("--since", typed, NOW)
    assert (moment.at.isoformat(), moment.assumed) == (meant, False)
    assert moment.at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2026-11-20", "2026-11-19T23:00:00+00:00"),
        ("2026-07-01", "2026-06-30T22:00:00+00:00"),
        ("2026-11-20 10:02", "2026-11-20T09:02:00+00:00"),
        ("2026-11-20T10:02:32", "2026-11-20T09:02:32+00:00"),
    ],
)
def test_a_moment_without_a_zone_is_local(typed: str, meant: str) -> None:
    moment = parse_moment("--since", typed, NOW)
    assert (moment.at.isoformat(), moment.assumed) == (meant, True)


@pytest.mark.parametrize(
    "typed",
    [
        "", "now", "20261120", "2026-W47", "2026-13-01", "2026-02-30", "2026-11-20T25:00", "10:02", "2 hours",
        "-2h", "2y", "1.5h", "999999w", "0001-01-01", "2026-11-20T10:02:32Q", "20.11.2026",
    ],
)  # fmt: skip
def test_what_is_no_time_is_told_with_what_is(typed: str) -> None:
    with pytest.raises(Failure) as told:
        parse_moment("--since", typed, NOW)
    (broken,) = told.value.reply.fields
    assert (broken.field, broken.rule) == ("--since", "time_shape")
    assert repr(typed) in broken.message
