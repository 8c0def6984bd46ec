"""The text of an e-mail in lines that know how deep in quotes they stand. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

_PREFIX: Final = re.compile(r"(?:[ \t]{0,3}>(?![=<_])){1,50}(?!From ) ?")


MAX_LOOKED_AT_LINES: Final = 20_000
"""What follows is not looked at: it stays with what it follows."""


class Mark(Enum):
    """What a mail client says of a line by its markup."""

    ATTRIBUTION = auto()
    """Says whose words follow."""
    ORIGINAL = auto()
    """The first of the e-mail that is answered: it and everything after it."""
    FORWARDED = auto()
    """The first of an e-mail that is passed on."""


@dataclass(frozen=True, slots=True)
class Line:
    """`text` is without the marks of quotes; `depth` counts them. `raw` is how it stood there."""

    text: str
    depth: int = 0
    raw: str = ""
    mark: Mark | None = None

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()


def lines_of(text: str) -> list[Line]:
    """The lines of plain text: `>` marks a quote. One more than `MAX_LOOKED_AT_LINES` is the whole rest."""
    first, rest = text.split("\n", MAX_LOOKED_AT_LINES), []
    if len(first) > MAX_LOOKED_AT_LINES:
        rest = [Line(first[-1], raw=first.pop())]
    return [line_of(each) for each in first] + rest


def line_of(raw: str, depth: int = 0, mark: Mark | None = None) -> Line:
    """One line; `depth` is that of the quotes around it that are not written with `>`."""
    is_signature = raw.endswith("-- ")
    raw = raw.rstrip() + " " * is_signature
    if (found := _PREFIX.match(raw)) is None:
        return Line(
            raw.removeprefix(">") if raw.startswith(">From ") else raw, depth, "> " * depth + raw, mark
        )
    prefix = found.group()
    text = raw[len(prefix) :]
    return Line(text, depth + prefix.count(">"), "> " * depth + raw, mark)
