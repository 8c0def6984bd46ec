"""Times as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from services.cli.failures import malformed

_AGO: Final = re.compile(r"(\d{1,6})\s*([smhdw])(?:\s+ago)?", re.IGNORECASE)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_ABSOLUTE: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?", re.IGNORECASE)
"""`fromisoformat` also takes 20261120 and 2026-W47, which nobody reads as a time."""


class Moment(NamedTuple):
    """A moment; `assumed`: its zone was not given, and was taken to be the local one."""

    at: datetime
    assumed: bool


def parse_moment(option: str, value: str, now: datetime) -> Moment:
    """The moment that an option's value means: RFC 3339, a local date or time, or `2h` for two hours ago.

    Raises Failure.
    """
    text = value.strip()
    try:
        if ago := _AGO.fullmatch(text):
            return Moment(now - timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])}), assumed=False)
        if _ABSOLUTE.fullmatch(text):
            at = datetime.fromisoformat(text.upper())  # RFC 3339 allows t and z
            return Moment(at.astimezone(UTC), assumed=at.tzinfo is None)
    except (ValueError, OverflowError):
        pass
    raise malformed(option, "time_shape", value=repr(value))


def spelled(at: datetime) -> str:
    """As a person reads it: to the second, local, with its zone."""
    local = at.astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()} ({local:%z})"
