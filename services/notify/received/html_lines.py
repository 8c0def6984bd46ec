"""What a reader of HTML sees, in lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.notify.received.html_events import SKIPPED, Target, is_hidden, parse
from services.notify.received.lines import Line, Mark, line_of

MAX_CELL_DEPTH: Final = 6
"""Tables in tables whose rows become lines."""

MAX_ADDRESS_CHARACTERS: Final = 2_000
_SPACE: Final = re.compile(r"[ \t\n\r\f]+")
_BLOCKS: Final = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset",
        "footer",
        "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "html", "li", "main", "nav", "ol", "p", "pre",
        "section", "table", "tbody", "tfoot", "thead", "tr", "ul",
    }
)  # fmt: skip
_SPACED: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "table"})
_NO_MARGIN: Final = re.compile(r"margin(?:-top|-bottom)?\s*:\s*0", re.IGNORECASE)
_LEFT_BORDER: Final = re.compile(r"border-left(?:-\w+)?\s*:\s*(?!none|0|medium none|initial)", re.IGNORECASE)
_NO_BORDER: Final = re.compile(r"border\s*:\s*(?:none|0|medium none)", re.IGNORECASE)
_OUTLOOK_BORDER: Final = re.compile(r"border-top\s*:\s*solid\s*#(?:e1e1e1|b5c4df)", re.IGNORECASE)
_ORIGINAL_IDS: Final = re.compile(
    r"(?:x_)*(?:divRplyFwdMsg|appendonsend|stopSpelling|OLK_SRC_BODY_SECTION|"
    r"mail-editor-reference-message-container|mailContainerReference)",
    re.IGNORECASE,
)
_ATTRIBUTION_CLASSES: Final = frozenset(
    {"gmail_attr", "moz-cite-prefix", "nh_attr", "protonmail_quote_attribution"}
)
_FORWARD_CLASSES: Final = frozenset({"moz-forward-container", "moz-email-headers-table"})
_QUOTE_CONTAINERS: Final = frozenset(
    {"yahoo_quoted", "ms-outlook-mobile-reference-quote", "zmail_extra_quote"}
)
_CITE_CLASSES: Final = frozenset(
    {"gmail_quote", "protonmail_quote", "tutanota_quote", "cite", "nh_quote", "moz-cite"}
)
_LINK: Final = re.compile(r"(?:https?|mailto|tel):", re.IGNORECASE)


def lines_of_html(html: str) -> list[Line]:
    """What a reader of the HTML sees; the lines have their depth in quotes and the marks of mail clients."""
    writer = _Lines()
    parse(html, writer)
    return writer.finished()


def words_of(html: str) -> str:
    """What a reader of the HTML sees, as plain text; quotes begin with `> `."""
    return "\n".join(line.raw for line in lines_of_html(html)).strip("\n")


@dataclass(slots=True)
class _Open:
    """An element that is open, and what ends with it."""

    tag: str
    is_skipped: bool = False
    quotes: bool = False
    mark: Mark | None = None
    href: str | None = None
    begins_at: int = 0
    wanted_blank: bool = False
    cell: list[Line] | None = None


@dataclass(slots=True)
class _List:
    ordered: bool
    number: int = 0


@dataclass(slots=True)
class _Row:
    cells: list[str] = field(default_factory=list)


class _Lines(Target):
    """Writes lines."""

    def __init__(self) -> None:
        self._out: list[Line] = []
        self._outer: list[list[Line]] = []
        self._rows: list[_Row] = []
        self._open: list[_Open] = []
        self._lists: list[_List] = []
        self._buffer: list[str] = []
        self._ends_in_space = True
        self._skipping = 0
        self._pre = 0
        self._depth = 0
        self._marks: list[Mark] = []
        self._next_mark: Mark | None = None
        self._wants_blank = False

    def finished(self) -> list[Line]:
        self._break()
        while self._outer:
            self._outer[-1] += self._out
            self._out = self._outer.pop()
        return self._out

    # Events

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        element = _Open(tag)
        if self._skipping or tag in SKIPPED or is_hidden(attributes):
            element.is_skipped = True
            self._skipping += 1
            self._open.append(element)
            return
        self._open.append(element)
        if tag == "br":
            self._end_line()
        elif tag == "img":
            self._image(attributes)
        elif tag == "hr":
            self._break()
        elif tag == "a":
            element.href, element.begins_at = attributes.get("href"), len(self._buffer)
        elif tag in ("td", "th"):
            self._begin_cell(element)
        elif tag in _BLOCKS:
            self._begin_block(element, attributes)
        self._take_marks(element, attributes)

    def end(self, tag: str) -> None:
        if not self._open:
            return
        element = self._open.pop()
        if element.is_skipped:
            self._skipping -= 1
            return
        if element.href is not None:
            self._end_link(element)
        if element.cell is not None:
            self._end_cell(element)
        elif tag in _BLOCKS:
            self._end_block(element)
        if element.mark is not None:
            self._break()
            self._marks.pop()
        if element.quotes:
            self._break()
            self._depth -= 1

    def data(self, text: str) -> None:
        if self._skipping:
            return
        if self._pre:
            first, *more = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self._write(first)
            for line in more:
                self._end_line()
                self._write(line)
            return
        text = _SPACE.sub(" ", text)
        if self._ends_in_space:
            text = text.removeprefix(" ")
        self._write(text.replace("\xa0", " "), ends_in_space=text.endswith(" "))

    # Lines

    def _write(self, text: str, *, ends_in_space: bool = False) -> None:
        if text:
            self._buffer.append(text)
            self._ends_in_space = ends_in_space

    def _end_line(self) -> None:
        """A line ends here, even if nothing stands in it."""
        text = "".join(self._buffer)
        self._buffer.clear()
        self._ends_in_space = True
        if not text.strip():
            self._wants_blank = False
            self._out.append(Line("", self._depth, "> " * self._depth))
            return
        if self._wants_blank and self._out and not self._out[-1].is_blank:
            self._out.append(Line("", self._depth, "> " * self._depth))
        self._wants_blank = False
        mark = self._next_mark or (self._marks[-1] if self._marks else None)
        self._next_mark = None
        self._out.append(line_of(text, self._depth, mark))

    def _break(self) -> None:
        """Ends the line if something stands in it."""
        if self._buffer and not "".join(self._buffer).isspace():
            self._end_line()
        else:
            was_blank = bool(self._buffer) and any("\xa0" in each or each == " " for each in self._buffer)
            self._buffer.clear()
            self._ends_in_space = True
            if was_blank:
                self._end_line()

    def _begin_block(self, element: _Open, attributes: Mapping[str, str]) -> None:
        tag = element.tag
        self._break()
        if _is_spaced(tag, attributes):
            self._wants_blank = True
            element.begins_at = 1
        if tag == "pre":
            self._pre += 1
        elif tag in ("ul", "ol"):
            self._lists.append(_List(tag == "ol"))
            self._wants_blank = len(self._lists) == 1
        elif tag == "li":
            self._begin_item()
        elif tag == "tr":
            self._rows.append(_Row())
        elif tag == "blockquote" and _quotes(attributes):
            element.quotes = True
            self._depth += 1

    def _begin_item(self) -> None:
        indent = "  " * max(min(len(self._lists), 8) - 1, 0)
        if self._lists and self._lists[-1].ordered:
            self._lists[-1].number += 1
            self._write(f"{indent}{self._lists[-1].number}. ", ends_in_space=True)
        else:
            self._write(f"{indent}- ", ends_in_space=True)

    def _end_block(self, element: _Open) -> None:
        self._break()
        if element.begins_at:
            self._wants_blank = True
        if element.tag == "pre":
            self._pre -= 1
        elif element.tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif element.tag == "tr" and self._rows:
            self._end_row(self._rows.pop())

    # Tables: a row of short cells is one line; cells with lines of their own are layout.

    def _begin_cell(self, element: _Open) -> None:
        self._break()
        if len(self._outer) < MAX_CELL_DEPTH and self._rows:
            element.cell, element.wanted_blank = self._out, self._wants_blank
            self._wants_blank = False
            self._outer.append(self._out)
            self._out = []

    def _end_cell(self, element: _Open) -> None:
        self._break()
        if not self._outer or self._outer[-1] is not element.cell or not self._rows:
            return
        lines, self._out = self._out, self._outer.pop()
        while lines and lines[0].is_blank:
            lines.pop(0)
        while lines and lines[-1].is_blank:
            lines.pop()
        row = self._rows[-1]
        self._wants_blank = element.wanted_blank
        if not lines:
            return
        if len(lines) == 1 and lines[0].mark is None and lines[0].depth == self._depth:
            row.cells.append(lines[0].text.strip())
            return
        self._end_row(row)
        if self._wants_blank and self._out and not self._out[-1].is_blank:
            self._out.append(Line("", self._depth, "> " * self._depth))
        self._wants_blank = False
        self._out += lines

    def _end_row(self, row: _Row) -> None:
        if row.cells:
            text = " | ".join(row.cells)
            row.cells.clear()
            self._write(text)
            self._end_line()

    # What stands in a line

    def _end_link(self, element: _Open) -> None:
        shown = "".join(self._buffer[element.begins_at :]).strip()
        address = (element.href or "").strip()[:MAX_ADDRESS_CHARACTERS]
        if not shown or not _LINK.match(address):
            return
        bare = (
            re.sub(r"^(?:mailto:|tel:|https?://(?:www\.)?)", "", address, flags=re.IGNORECASE)
            .rstrip("/")
            .lower()
        )
        plain = re.sub(r"^(?:https?://)?(?:www\.)?", "", shown, flags=re.IGNORECASE).rstrip("/").lower()
        if bare and bare != plain and bare.partition("?")[0] not in shown.lower():
            trailing = self._buffer[-1].endswith(" ")
            self._write(f"{'' if trailing else ' '}<{address.removeprefix('mailto:')}>")

    def _image(self, attributes: Mapping[str, str]) -> None:
        if attributes.get("width", "").strip() in ("0", "1") or attributes.get("height", "").strip() in (
            "0",
            "1",
        ):
            return  # counts who opens the e-mail
        alternative = " ".join(attributes.get("alt", "").split())[:200]
        if alternative and len(alternative) <= 4 and not alternative.isascii():
            self._write(alternative)  # an emoji
        elif alternative or attributes.get("src", "").lower().startswith("cid:"):
            self._write(f"[{alternative or 'image'}]")

    def _take_marks(self, element: _Open, attributes: Mapping[str, str]) -> None:
        classes = attributes.get("class", "").lower().split()
        name = attributes.get("id", "")
        if _ORIGINAL_IDS.fullmatch(name) or (
            element.tag == "div" and _OUTLOOK_BORDER.search(attributes.get("style", ""))
        ):
            self._break()
            self._next_mark = Mark.ORIGINAL
        if not _FORWARD_CLASSES.isdisjoint(classes):
            self._break()
            self._next_mark = Mark.FORWARDED
        if not _ATTRIBUTION_CLASSES.isdisjoint(classes):
            self._break()
            element.mark = Mark.ATTRIBUTION
            self._marks.append(Mark.ATTRIBUTION)
        if not element.quotes and (
            not _QUOTE_CONTAINERS.isdisjoint(classes)
            or "yahoo_quoted" in name
            or (element.tag == "div" and attributes.get("name") == "quote")  # GMX, web.de
        ):
            self._break()
            element.quotes = True
            self._depth += 1


def _is_spaced(tag: str, attributes: Mapping[str, str]) -> bool:
    """Whether an empty line stands around it. Outlook writes empty paragraphs between its own instead."""
    if tag == "p":
        if "mso" in attributes.get("class", "").lower():
            return False
        return not _NO_MARGIN.search(attributes.get("style", "")[:2000])
    return tag in _SPACED and tag not in ("ul", "ol")


def _quotes(attributes: Mapping[str, str]) -> bool:
    """Whether a `blockquote` quotes. Gmail and others indent with it too, and take its border away."""
    style = attributes.get("style", "")[:2000]
    if attributes.get("type", "").lower() == "cite" or "cite" in attributes:
        return True
    if not _CITE_CLASSES.isdisjoint(attributes.get("class", "").lower().split()) or _LEFT_BORDER.search(
        style
    ):
        return True
    return not _NO_BORDER.search(style)
