"""What the author of an e-mail wrote anew, told from what is quoted, signed or added by a program. Pure.

Nothing is lost: every line is in `text` or in `folded`. What is not surely old stays in `text`: a quote too
many is a blemish, a sentence too few a defect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.text import MAX_BODY_BYTES
from services.notify.received import signs
from services.notify.received.footers import is_postscript, signature_at, without_footers
from services.notify.received.html_lines import lines_of_html
from services.notify.received.lines import MAX_LOOKED_AT_LINES, Line, lines_of
from services.notify.received.mime import ReadMail
from services.notify.received.segments import How, Segment, segments_of
from services.notify.received.verified import verified

MAX_CONTEXT_LINES: Final = 8
_COMPARED_CHARACTERS: Final = 20_000


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


def reply_text(mail: ReadMail, *, sent: str | None = None) -> Reply:
    """The new text of the e-mail. Never raises; time grows with the size.

    `sent` is the text of our e-mail that it answers. With it, answers are found that stand in a quote
    without any mark (Outlook), and quotes are kept that are none of ours.
    """
    text = mail.text or ""
    plain = _found(lines_of(text), mail.subject, sent) if text.strip() else None
    if mail.html is None or (plain is not None and plain.how is not How.WHOLE):
        return plain or Reply(text="", folded=text, how=How.EMPTY)
    marked = _found(lines_of_html(mail.html), mail.subject, sent)
    if plain is None or _is_stub(plain.text, marked):
        return marked
    if marked.how in (How.WHOLE, How.FORWARDED) or not _begins_with(plain.text, marked.text):
        return plain
    return Reply(text=marked.text, folded=marked.folded, how=How.MARKUP)


def _is_stub(plain: str, marked: Reply) -> bool:
    """Whether the plain text only says that there is HTML."""
    own, whole = _letters(plain), _letters(marked.text) + _letters(marked.folded)
    return len(own) < 400 and len(whole) > 3 * len(own) and own[:60] not in whole


def _begins_with(plain: str, new: str) -> bool:
    letters = _letters(new)
    return bool(letters) and _letters(plain).startswith(letters)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text[:_COMPARED_CHARACTERS].casefold()))


def _found(lines: list[Line], subject: str, sent: str | None) -> Reply:
    looked_at, rest = lines[:MAX_LOOKED_AT_LINES], lines[MAX_LOOKED_AT_LINES:]
    segments = segments_of(looked_at, subject)
    if sent is not None:
        segments = verified(segments, sent)
    if rest and segments[-1].is_open:
        segments[-1].lines += rest
        rest = []
    return _Folding(_with_citations(segments), rest).reply()


def _with_citations(segments: Sequence[Segment]) -> list[Segment]:
    """The pieces; a quote of something else than what is answered is new text like that around it.

    Nobody says whose it is, and it stands amid new text, or is introduced (`The page says:`), or is not ours.
    """
    found: list[Segment] = []
    is_cited = False
    for at, segment in enumerate(segments):
        above = found[-1] if found and found[-1].is_new else None
        if segment.is_new and above is not None and is_cited:
            above.lines += segment.lines
            continue
        is_cited = (
            above is not None
            and not segment.is_new
            and segment.how is How.QUOTES
            and all(each.is_new for each in found)
            and (
                segment.is_foreign
                or _shown(above.lines).endswith(":")
                or any(_shown(_own(each.lines)[0]) for each in segments[at + 1 : at + 2] if each.is_new)
            )
        )
        if is_cited and above is not None:
            above.lines += segment.lines
        else:
            found.append(segment)
    return found


def _own(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    """New lines without signature and footers; and these."""
    end = without_footers(lines)
    begin = signature_at(lines[:end])
    if begin is None:
        return lines[:end], lines[end:]
    signature = lines[begin:end]
    own = next((i for i, line in enumerate(signature) if is_postscript(line)), len(signature))
    above = without_footers(lines[:begin])
    return lines[:above] + signature[own:], lines[above:begin] + signature[:own] + lines[end:]


class _Folding:
    """Puts together what is new, and what is folded away."""

    def __init__(self, segments: list[Segment], rest: list[Line]) -> None:
        self._segments = segments
        self._rest = _shown(rest)
        self._folded: list[list[Line]] = [[] for _ in segments]
        self._texts = [self._new(at) if each.is_new else "" for at, each in enumerate(segments)]
        self._with_text = [at for at, text in enumerate(self._texts) if text]
        self._quotes = [at for at, each in enumerate(segments) if not each.is_new]

    def reply(self) -> Reply:
        how = self._how()
        for at in self._quotes:
            if how is How.INLINE and at < self._with_text[-1]:
                self._texts[at] = self._context(at)
            else:
                self._fold(at, self._segments[at].head + self._segments[at].lines)
        text = "\n\n".join(text for text in self._texts if text)
        return Reply(
            text=f"{text}\n{self._rest}" if text and self._rest else text or self._rest,
            folded="\n".join(line.raw for lines in self._folded for line in lines).strip("\n"),
            how=how,
        )

    def _how(self) -> How:
        if not self._with_text and not self._rest:
            return How.EMPTY
        if any(self._segments[at].how is How.FORWARDED for at in self._with_text):
            return How.FORWARDED
        if not self._quotes:
            return How.WHOLE
        if any(self._quotes[0] < at < self._quotes[-1] for at in self._with_text):
            return How.INLINE
        order = (How.DELIMITER, How.HEADERS, How.MARKUP, How.ATTRIBUTION, How.QUOTES)
        return min((self._segments[at].how for at in self._quotes), key=order.index)

    def _context(self, at: int) -> str:
        """The end of what is quoted before an answer: whole paragraphs, as many as have few lines."""
        lines = self._segments[at].lines
        first = next((i for i, line in enumerate(lines) if not line.is_blank), 0)
        begin = max(
            (i + count for i in range(len(lines)) if (count := signs.delimiter_at(lines, i))),
            default=first + signs.attribution_at(lines, first)[0],
        )
        end = len(lines)
        while end > begin and lines[end - 1].is_blank:
            end -= 1
        kept = max(begin, end - MAX_CONTEXT_LINES)
        starts = (i for i in range(kept, end) if i == begin or lines[i - 1].is_blank)
        kept = next(starts, kept)
        kept = next((i for i in range(kept, end) if not lines[i].is_blank), end)
        self._fold(at, self._segments[at].head + lines[:kept] + lines[end:])
        return _shown(lines[kept:end])

    def _new(self, at: int) -> str:
        if self._segments[at].how is How.FORWARDED:
            return _shown(self._segments[at].lines)
        own, added = _own(self._segments[at].lines)
        self._fold(at, added)
        return _shown(own)

    def _fold(self, at: int, lines: Sequence[Line]) -> None:
        self._folded[at] += lines


def _shown(lines: Sequence[Line]) -> str:
    return "\n".join(line.raw.rstrip() for line in lines).strip("\n")
