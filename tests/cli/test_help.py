"""Help and completion answer at once: what is slow to import waits until a command runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import Casetrail

SLOW = {"nats", "opentelemetry", "pydantic", "rich", "structlog"}


def test_the_command_is_there_before_anything_slow_is_imported(nowhere: Casetrail) -> None:
    program = "import sys; import services.cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=nowhere.env, capture_output=True, text=True, check=True
    )
    assert SLOW & set(done.stdout.split()) == set()


def test_the_help_of_the_lookup_says_what_becomes_of_ten_digits(nowhere: Casetrail) -> None:
    words = " ".join(nowhere("ticket", "lookup", "--help").out.split())
    assert "Ten digits" in words
    assert "exit code is then 2" in words


@pytest.mark.parametrize("command", ["ticket", "ticket open", "ticket show", "ticket list", "events"])
def test_every_option_is_explained(nowhere: Casetrail, command: str) -> None:
    done = nowhere(*command.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert "--help" in done.out
