"""What the author of an e-mail wrote anew, told from what is quoted, signed or added by a program. Pure.

Nothing is lost: every line is in `text` or in `folded`. What is not surely old stays in `text`: a quote too
many is a blemish, a sentence too few a defect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from contracts.text import MAX_BODY_BYTES
from services.notify.received import signs
from services.notify.received.footers import is_postscript, is_rule, signature_at, without_footers
from services.notify.received.html_lines import lines_of_html
from services.notify.received.lines import Line, Mark, lines_of
from services.notify.received.mime import ReadMail

MAX_LOOKED_AT_LINES: Final = 20_000
"""What follows is not looked at: it stays with what it follows."""

MAX_CONTEXT_LINES: Final = 8
_MAX_BEFORE_DELIMITER: Final = 15


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`text` becomes the reply on the ticket, and is empty only if `how` is `EMPTY`; `folded` is the rest."""

    text: str
    folded: str
    how: How

    @property
    def is_too_long(self) -> bool:
        """Whether a ticket cannot take the text (`contracts.text.Body`): nothing was cut off here."""
        return len(self.text.encode()) > MAX_BODY_BYTES


def reply_text(mail: ReadMail) -> Reply:
    """The new text of the e-mail. Never raises; time grows with the size."""
    text, html = mail.text or "", mail.html
    plain = _found(lines_of(text), mail.subject) if text.strip() else None
    if html is None or (plain is not None and plain.how is not How.WHOLE):
        return plain or Reply(text="", folded=text, how=How.EMPTY)
    marked = _found(lines_of_html(html), mail.subject)
    if plain is None or _is_stub(plain.text, marked):
        return marked
    if marked.how in (How.WHOLE, How.FORWARDED) or not _begins_with(plain.text, marked.text):
        return plain
    return Reply(text=marked.text, folded=marked.folded, how=How.MARKUP)


def _is_stub(plain: str, marked: Reply) -> bool:
    """Whether the plain text only says that there is HTML."""
    whole = _letters(marked.text) + _letters(marked.folded)
    own = _letters(plain)
    return len(own) < 400 and len(whole) > 3 * len(own) and own[:60] not in whole


def _begins_with(plain: str, new: str) -> bool:
    letters = _letters(new)
    return bool(letters) and _letters(plain).startswith(letters)


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


@dataclass(slots=True)
class _Segment:
    """Lines that belong together: new, or quoted with the line that says whose they are."""

    is_new: bool
    lines: list[Line] = field(default_factory=list)
    head: list[Line] = field(default_factory=list)
    how: How = How.QUOTES
    is_open: bool = False

    @property
    def is_blank(self) -> bool:
        return all(line.is_blank for line in self.lines)


def _found(lines: list[Line], subject: str) -> Reply:
    looked_at, rest = lines[:MAX_LOOKED_AT_LINES], lines[MAX_LOOKED_AT_LINES:]
    segments = _Segments(looked_at, subject).all()
    if rest:
        if segments and (segments[-1].is_open or segments[-1].is_new):
            segments[-1].lines += rest
        else:
            segments.append(_Segment(is_new=True, lines=rest))
    return _Folding(segments).reply()


class _Segments:
    """Goes through the lines from the top."""

    def __init__(self, lines: list[Line], subject: str) -> None:
        self._lines = lines
        self._forwards = signs.forwards(subject)
        self._found: list[_Segment] = []
        self._at = 0

    def all(self) -> list[_Segment]:
        while self._at < len(self._lines):
            self._step()
        return self._found

    def _step(self) -> None:
        line = self._lines[self._at]
        if count := signs.delimiter_at(self._lines, self._at):
            self._delimiter(count)
        elif signs.is_forwarded(line) and not self._has_quote():
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
        while start < len(lines) and (
            lines[start].is_blank or is_rule(lines[start]) or signs.is_original(lines[start])
        ):
            start += 1
        has_rule = any(signs.is_original(each) for each in lines[at:start])
        count = signs.headers_at(lines, start) if start < len(lines) else 0
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
        if self._forwards and how in (How.HEADERS, How.MARKUP) and not self._has_quote():
            self._forwarded()
            return
        self._at += count
        if is_open:
            self._found.append(_Segment(is_new=False, head=head, how=how, is_open=True))
            self._found[-1].lines = self._lines[self._at :]
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
        if any(signs.delimiter_at(quoted, index) for index in range(len(quoted))):
            how = How.DELIMITER
        self._found.append(_Segment(is_new=False, head=head, lines=quoted, how=how))
        self._at = end

    def _delimiter(self, count: int) -> None:
        if self._lines[self._at].depth:
            self._quote([])
            return
        head = self._before_delimiter()
        rest = self._lines[self._at :]
        self._found.append(_Segment(is_new=False, head=head, lines=rest, how=How.DELIMITER, is_open=True))
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
        for at in range(nearest - 1, max(nearest - 1 - _MAX_BEFORE_DELIMITER, -1), -1):
            count, _ = signs.attribution_at(lines, at)
            if (count and at + count >= nearest) or (signs.introduces(lines[at]) and at == nearest - 1):
                head = lines[at:]
                del lines[at:]
                return head
        return []

    def _forwarded(self) -> None:
        """All the rest is kept, but for our own e-mail in it."""
        begin = self._at
        lines = self._lines[begin:]
        self._found.append(_Segment(is_new=True, lines=lines, how=How.FORWARDED))
        self._at = len(self._lines)

    def _take_new(self, count: int) -> None:
        if not self._found or not self._found[-1].is_new:
            self._found.append(_Segment(is_new=True, how=How.WHOLE))
        self._found[-1].lines += self._lines[self._at : self._at + count]
        self._at += count

    def _has_quote(self) -> bool:
        return any(not segment.is_new for segment in self._found)


def _says_whose(quoted: Sequence[Line]) -> bool:
    """Whether the line that says whose words they are stands in the quote (Apple)."""
    first = next((index for index, line in enumerate(quoted) if not line.is_blank), None)
    return first is not None and bool(
        signs.attribution_at(quoted, first)[0] or signs.headers_at(quoted, first)
    )


class _Folding:
    """Puts together what is new, and what is folded away."""

    def __init__(self, segments: list[_Segment]) -> None:
        self._segments = segments
        self._folded: list[str] = []

    def reply(self) -> Reply:
        how = self._how()
        parts: list[str] = []
        last_new = max((i for i, each in enumerate(self._segments) if self._is_new(each)), default=-1)
        first_new = min((i for i, each in enumerate(self._segments) if self._is_new(each)), default=-1)
        is_inline = how is How.INLINE
        for index, segment in enumerate(self._segments):
            if segment.is_new:
                parts.append(self._new(segment))
            elif is_inline and index < last_new:
                parts.append(self._context(segment))
            elif self._is_cited(index, first_new):
                parts.append("\n".join(line.raw for line in segment.lines))
            else:
                self._fold(segment.head + segment.lines)
        text = "\n\n".join(part for part in parts if part)
        return Reply(
            text=text,
            folded="\n".join(self._folded).strip("\n"),
            how=how if text else How.EMPTY,
        )

    @staticmethod
    def _is_new(segment: _Segment) -> bool:
        return segment.is_new and not segment.is_blank

    def _how(self) -> How:
        new = [i for i, each in enumerate(self._segments) if self._is_new(each)]
        if any(self._segments[i].how is How.FORWARDED for i in new):
            return How.FORWARDED
        quotes = [i for i, each in enumerate(self._segments) if not each.is_new]
        if not quotes:
            return How.WHOLE
        before_last = [i for i in quotes if new and i < new[-1]]
        if len(quotes) > 1 and before_last and any(quotes[0] < i < quotes[-1] for i in new):
            return How.INLINE
        order = (How.DELIMITER, How.HEADERS, How.MARKUP, How.ATTRIBUTION, How.QUOTES)
        return min((self._segments[i].how for i in quotes), key=order.index)

    def _is_cited(self, index: int, first_new: int) -> bool:
        """Whether the author introduces the quote: `The page says:`, and then what it says."""
        segment = self._segments[index]
        if segment.how is not How.QUOTES or segment.head or not 0 <= first_new < index:
            return False
        before = next((line for line in reversed(self._segments[index - 1].lines) if not line.is_blank), None)
        return before is not None and before.text.rstrip().endswith(":")

    def _context(self, segment: _Segment) -> str:
        """The end of what is quoted before an answer: whole paragraphs, as many as have few lines."""
        lines = segment.lines
        cut = max((i + 1 for i in range(len(lines)) if signs.delimiter_at(lines, i)), default=0)
        kept: list[Line] = []
        paragraph: list[Line] = []
        for line in reversed([*lines[cut:]]):
            paragraph.insert(0, line)
            if line.is_blank:
                if kept and len(kept) + len(paragraph) > MAX_CONTEXT_LINES:
                    break
                kept, paragraph = paragraph + kept, []
        else:
            if not kept or len(kept) + len(paragraph) <= MAX_CONTEXT_LINES:
                kept = paragraph + kept
        kept = kept[-MAX_CONTEXT_LINES:]
        while kept and kept[0].is_blank:
            kept.pop(0)
        self._fold(segment.head + lines[: len(lines) - len(kept)])
        return "\n".join(line.raw for line in kept).strip()

    def _new(self, segment: _Segment) -> str:
        lines = list(segment.lines)
        if segment.how is not How.FORWARDED:
            lines = self._without_signature(lines)
        return _tidy(lines)

    def _without_signature(self, lines: list[Line]) -> list[Line]:
        end = without_footers(lines)
        begin = signature_at(lines[:end])
        if begin is not None:
            signature = lines[begin:end]
            postscript = next((i for i, line in enumerate(signature) if is_postscript(line)), len(signature))
            self._fold(signature[:postscript] + lines[end:])
            before = lines[:begin]
            return before[: without_footers(before)] + signature[postscript:]
        self._fold(lines[end:])
        return lines[:end]

    def _fold(self, lines: list[Line]) -> None:
        self._folded += [line.raw for line in lines]


def _tidy(lines: Sequence[Line]) -> str:
    return "\n".join(line.raw for line in lines).strip("\n")
