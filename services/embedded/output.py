"""The output of many processes on one terminal: each line behind the name of who said it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, TextIO

_COLOURS: Final = (36, 33, 35, 32, 34, 96, 93, 95)  # SGR foregrounds; red is left to errors
_DIM: Final = 2


class Output:
    """Writes whole lines. Colours only for a terminal, and not when NO_COLOR is set (no-color.org)."""

    def __init__(self, names: Sequence[str], *, stream: TextIO, on_closed: Callable[[], None]) -> None:
        """`on_closed` is called once, when nobody reads any more (`casetrail up | head`)."""
        self._stream = stream
        self._on_closed = on_closed
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        self._width = max(map(len, names))
        self._colour = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
        self._closed = False

    def line(self, name: str, text: str) -> None:
        """One line that `name` said."""
        prefix = f"{name:<{self._width}} │"
        colour = self._colour.get(name, _DIM)
        self.plain(f"\x1b[{colour}m{prefix}\x1b[0m {text}" if self._coloured else f"{prefix} {text}")

    def plain(self, text: str) -> None:
        """Text of our own, without a name."""
        if self._closed:
            return
        try:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        except BrokenPipeError:
            self._closed = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit must not fail
            self._on_closed()
