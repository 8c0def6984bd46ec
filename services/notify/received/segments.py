"""The lines of an e-mail in pieces: what its author wrote anew, and what is quoted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from services.notify.received import signs
from services.notify.received.footers import is_rule
from services.notify.received.lines import Line, Mark

MAX_BEFORE_DELIMITER: Final = 15
"""Lines between what introduces the original and our line in it: headers, a preview."""


MAX_RULES: Final = 4
"""Lines across the page, and empty ones, above the headers of the original."""


class How(StrEnum):
    """How the new text was found. The codes stay as they are."""

    WHOLE = "whole"
    """Nothing says that any of it is old."""
    DELIMITER = "delimiter"
    """Our own line stands in what is quoted."""
    ATTRIBUTION = "attribution"
    """A line says whose words follow (`On ... wrote:`)."""
    HEADERS = "headers"
    """A block of headers, or a line such as `-----Original Message-----`, begins the original."""
    QUOTES = "quotes"
    """Lines are marked with `>`, and nothing says whose they are."""
    MARKUP = "markup"
    """Only the HTML tells where the original begins."""
    INLINE = "inline"
    """Answers stand between quotes, which are kept with them."""
    FORWARDED = "forwarded"
    """An e-mail is passed on, and kept."""
    EMPTY = "empty"
    """There is no new text."""


@dataclass(slots=True)
class Segment:
    """Lines that belong together: new, or quoted with the line that says whose they are."""

    is_new: bool
    lines: list[Line] = field(default_factory=list)
    head: list[Line] = field(default_factory=list)
    how: How = How.QUOTES
    is_open: bool = False
    """It has no marks of its own, and goes down to the end."""

    is_foreign: bool = False
    """Nothing in it is ours."""


def segments_of(lines: list[Line], subject: str) -> list[Segment]:
    """The pieces in their order. The subject tells an e-mail passed on from one that is answered."""
    return _Segments(lines, subject).all()


class _Segments:
    """Goes through the lines from the top."""

    def __init__(self, lines: list[Line], subject: str) -> None:
        self._lines = lines
        self._forwards = signs.forwards(subject)
        self._found: list[Segment] = []
        self._at = 0

    def all(self) -> list[Segment]:
        while self._at < len(self._lines):
            self._step()
        return self._found

    def _step(self) -> None:
        line = self._lines[self._at]
        if count := signs.delimiter_at(self._lines, self._at):
            self._delimiter(count)
        elif signs.is_forwarded(line) and not self._has_quote():
            if line.depth == 0 and self._ours_follows():
                self._headed(1, How.DELIMITER, is_open=True)
            elif self._ours_follows():
                self._quote([])
            else:
                self._forwarded()
        elif line.depth:
            self._quote([])
        elif head := self._head():
            count, how, is_open = head
            self._headed(count, how, is_open=is_open)
        else:
            self._take_new(1)

    # Kinds of beginnings

    def _head(self) -> tuple[int, How, bool] | None:
        """Lines after which everything is old, or after which a quote stands."""
        lines, at = self._lines, self._at
        line = lines[at]
        if line.is_blank:
            return None
        start = at
        how = How.HEADERS
        while start < min(at + MAX_RULES, len(lines)) and (
            lines[start].is_blank or is_rule(lines[start]) or signs.is_original(lines[start])
        ):
            start += 1
        has_rule = any(signs.is_original(each) for each in lines[at:start])
        count = (
            signs.headers_at(lines, start, announced=has_rule or lines[start].mark is Mark.ORIGINAL)
            if start < len(lines)
            else 0
        )
        if count or has_rule:
            end = start + count
            if not count and start < len(lines) and lines[start].depth == 0:
                end += signs.attribution_at(lines, start)[0]
            return end - at, how, not self._quote_follows(end)
        if line.mark is Mark.ORIGINAL:
            return 1, How.MARKUP, not self._quote_follows(at + 1)
        count, is_certain = signs.attribution_at(lines, at)
        if count and self._quote_follows(at + count):
            return count, How.ATTRIBUTION, False
        if count and is_certain:
            return count, How.ATTRIBUTION, True
        if not count and signs.introduces(line) and self._quote_follows(at + 1):
            return 1, How.ATTRIBUTION, False
        return None

    def _quote_follows(self, at: int) -> bool:
        following = next((line for line in self._lines[at : at + 4] if not line.is_blank), None)
        return following is not None and following.depth > 0

    def _headed(self, count: int, how: How, *, is_open: bool) -> None:
        head = self._lines[self._at : self._at + count]
        passed_on = self._forwards and how in (How.HEADERS, How.MARKUP) and not self._ours_follows()
        if passed_on and not self._has_quote():
            self._forwarded()
            return
        self._at += count
        if is_open:
            rest = self._lines[self._at :]
            how = How.DELIMITER if _has_delimiter(rest[:MAX_BEFORE_DELIMITER]) else how
            self._found.append(Segment(is_new=False, head=head, lines=rest, how=how, is_open=True))
            self._at = len(self._lines)
        else:
            self._quote(head, how)

    def _quote(self, head: list[Line], how: How = How.QUOTES) -> None:
        """Lines marked as quoted, with the empty ones between them."""
        begin = self._at
        end = begin
        at = begin
        while at < len(self._lines):
            line = self._lines[at]
            if line.depth:
                end = at + 1
            elif not line.is_blank:
                break
            at += 1
        quoted = self._lines[begin:end]
        if how is How.QUOTES and _says_whose(quoted):
            how = How.ATTRIBUTION
        if _has_delimiter(quoted):
            how = How.DELIMITER
        self._found.append(Segment(is_new=False, head=head, lines=quoted, how=how))
        self._at = end

    def _delimiter(self, count: int) -> None:
        if self._lines[self._at].depth:
            self._quote([])
            return
        head = self._before_delimiter()
        rest = self._lines[self._at :]
        self._found.append(Segment(is_new=False, head=head, lines=rest, how=How.DELIMITER, is_open=True))
        self._at += max(count, len(rest))

    def _before_delimiter(self) -> list[Line]:
        """Takes back, from what was taken as new, the lines that introduce the original."""
        new = self._found[-1] if self._found and self._found[-1].is_new else None
        if new is None:
            return []
        lines = new.lines
        nearest = len(lines)
        while nearest and lines[nearest - 1].is_blank:
            nearest -= 1
        for at in range(nearest - 1, max(nearest - 1 - MAX_BEFORE_DELIMITER, -1), -1):
            count, _ = signs.attribution_at(lines, at)
            if (count and at + count >= nearest) or (signs.introduces(lines[at]) and at == nearest - 1):
                head = lines[at:]
                del lines[at:]
                return head
        return []

    def _ours_follows(self) -> bool:
        """Whether what begins here is our own e-mail: who answers by passing it on need not send it to us."""
        return _has_delimiter(self._lines[self._at : self._at + 2 * MAX_BEFORE_DELIMITER])

    def _forwarded(self) -> None:
        """All the rest is kept."""
        begin = self._at
        lines = self._lines[begin:]
        self._found.append(Segment(is_new=True, lines=lines, how=How.FORWARDED))
        self._at = len(self._lines)

    def _take_new(self, count: int) -> None:
        if not self._found or not self._found[-1].is_new:
            self._found.append(Segment(is_new=True, how=How.WHOLE))
        self._found[-1].lines += self._lines[self._at : self._at + count]
        self._at += count

    def _has_quote(self) -> bool:
        return any(not segment.is_new for segment in self._found)


def _has_delimiter(lines: Sequence[Line]) -> bool:
    return any(signs.delimiter_at(lines, at) for at in range(len(lines)))


def _says_whose(quoted: Sequence[Line]) -> bool:
    """Whether the line that says whose words they are stands in the quote (Apple)."""
    first = next((index for index, line in enumerate(quoted) if not line.is_blank), None)
    return first is not None and bool(
        signs.attribution_at(quoted, first)[0]
        or signs.headers_at(quoted, first, announced=True)
        or signs.introduces(quoted[first])
    )
