"""The time, which a test can move on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class MovableClock:
    """The real time, plus what the test has added: tokens of a real provider stay fresh."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta) -> None:
        self._ahead += by
