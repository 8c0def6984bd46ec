"""Quotes compared with what we sent, word by word. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from services.notify.received.lines import Line
from services.notify.received.segments import How, Segment

MAX_SENT_CHARACTERS: Final = 100_000
_MANY_WORDS: Final = 4
"""A line with so many words is believed to be ours wherever they stand in our e-mail."""

_WORD: Final = re.compile(r"\w+")
_ADDRESSES: Final = re.compile(r"<[^<>\n]{1,2000}>|https?://\S{1,2000}", re.IGNORECASE)


def verified(segments: Sequence[Segment], sent: str) -> list[Segment]:
    """The pieces, with those set right that the text of our e-mail (`sent`) tells more about.

    - In a quote without marks, lines that are not ours and stand after one of ours are new.
    - The end of one of our lines that a program broke is no answer.
    - A quote that has nothing of ours is foreign.
    """
    ours = _Ours(sent[:MAX_SENT_CHARACTERS])
    found: list[Segment] = []
    for segment in segments:
        if segment.is_open and segment.how is not How.FORWARDED:
            found += _opened(segment, ours)
        elif segment.is_new:
            found += _without_broken_ends(segment, ours) if found and not found[-1].is_new else [segment]
        else:
            known = [ours.has(line) for line in segment.lines if _words(line)]
            found.append(replace(segment, is_foreign=bool(known) and not any(known)))
    return found


def _opened(segment: Segment, ours: _Ours) -> list[Segment]:
    """Our lines, and between them what was written into them."""
    known = [ours.has(line) if _words(line) else None for line in segment.lines]
    if sum(1 for line, is_ours in zip(segment.lines, known, strict=True) if is_ours and _is_long(line)) < 2:
        return [segment]
    first = known.index(True)
    pieces = [replace(segment, lines=segment.lines[:first], is_open=False)]
    for line, is_ours in zip(segment.lines[first:], known[first:], strict=True):
        is_new = pieces[-1].is_new if is_ours is None else not is_ours
        if is_new != pieces[-1].is_new:
            pieces.append(Segment(is_new=is_new, how=How.WHOLE if is_new else segment.how))
        pieces[-1].lines.append(line)
    return [
        replace(each, lines=[_quoted(line) for line in each.lines]) if not each.is_new else each
        for each in pieces
    ]


def _quoted(line: Line) -> Line:
    return line if line.depth else replace(line, depth=1, raw=f"> {line.raw}".rstrip())


def _without_broken_ends(segment: Segment, ours: _Ours) -> Iterator[Segment]:
    """The lines at the beginning that go on with our last one are quoted, too."""
    count = 0
    while count < len(segment.lines) and _words(segment.lines[count]) and ours.goes_on(segment.lines[count]):
        count += 1
    if count:
        yield Segment(is_new=False, lines=[_quoted(line) for line in segment.lines[:count]])
    if count < len(segment.lines):
        yield replace(segment, lines=segment.lines[count:])


class _Ours:
    """Our words, and the place after those that were seen last."""

    def __init__(self, sent: str) -> None:
        self._words = " " + "".join(f"{word} " for word in _words_of(sent))
        self._lines = {" ".join(_words_of(line)) for line in sent.split("\n")} - {""}
        self._at = 0

    def has(self, line: Line) -> bool:
        """Whether the line is ours. Few words must go on where the last line ended, or be a whole line."""
        if self.goes_on(line):
            return True
        words = _words(line)
        text = " ".join(words)
        if len(words) < _MANY_WORDS:
            return text in self._lines
        at = self._words.find(f" {text} ")
        if at >= 0:
            self._at = at + len(text) + 1
        return at >= 0

    def goes_on(self, line: Line) -> bool:
        """Whether the line begins with the very next of our words, and has no others."""
        text = " ".join(_words(line))
        if self._at == 0 or not self._words.startswith(f" {text} ", self._at):
            return False
        self._at += len(text) + 1
        return True


def _is_long(line: Line) -> bool:
    return len(_words(line)) >= _MANY_WORDS


def _words(line: Line) -> list[str]:
    return _words_of(line.text[:2000])


def _words_of(text: str) -> list[str]:
    return _WORD.findall(_ADDRESSES.sub(" ", text).casefold())
