"""Lines of many processes on one terminal."""

from __future__ import annotations

import io

import pytest

from services.embedded.output import Output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def say(stream: io.StringIO) -> str:
    output = Output(["nats", "tickets"], stream=stream, on_closed=lambda: None)
    output.line("nats", "a warning")
    return stream.getvalue()


def test_names_are_padded_and_a_file_has_no_colours() -> None:
    assert say(io.StringIO()) == "nats    │ a warning\n"


def test_a_terminal_has_colours_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert say(Terminal()) == "\x1b[36mnats    │\x1b[0m a warning\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert say(Terminal()) == "nats    │ a warning\n"
