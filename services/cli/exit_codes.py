"""What the exit code of `casetrail` means."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The same for every command. 130: ended by Ctrl-C."""

    DONE = 0
    FAULT = 1
    """A fault of ours, or something to look at (`setup` found differences)."""
    USAGE = 2
    """Wrong usage: an option, a setting, a taken port, a data directory in use."""
    REFUSED = 3
    """A rule said no."""
    NOT_FOUND = 4
    UNAVAILABLE = 5
    """Nobody answers, or not in time. Try again, with the same command id."""
