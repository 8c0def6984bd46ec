"""HTML of an e-mail to show to people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

import nh3

from services.notify.received.html_events import SKIPPED, VOID, Target, is_hidden, parse

MAX_SHOWN_DEPTH: Final = 100
MAX_SHOWN_CHARACTERS: Final = 500_000
MAX_ATTRIBUTE_CHARACTERS: Final = 2_000

_SHOWN_TAGS: Final = frozenset(
    {
        "a", "b", "blockquote", "br", "code", "dd", "del", "div", "dl",
        "dt", "em", "h1", "h2", "h3", "h4", "h5",
        "h6", "hr", "i", "img", "ins", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "sup", "table",
        "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
    }
)  # fmt: skip
_SHOWN_ATTRIBUTES: Final = {
    "a": {"href"},
    "img": {"alt"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}


def sanitised(html: str) -> str:
    """The HTML to show an e-mail to people: words, structure, links.

    Without scripts, styles, forms, event handlers, and images: of these the alternative text is left, so
    that nothing is loaded from anywhere. Ends in `…` after `MAX_SHOWN_CHARACTERS`.
    """
    writer = _Shown()
    parse(html, writer)
    return nh3.clean(
        writer.finished(),
        tags=set(_SHOWN_TAGS),
        attributes={tag: set(names) for tag, names in _SHOWN_ATTRIBUTES.items()},
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer nofollow",
    )


class _Shown(Target):
    """Writes HTML that has few tags, hardly any attributes, and is not deep."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._open: list[str | None] = []
        self._skipping = 0
        self._depth = 0
        self._length = 0

    def finished(self) -> str:
        return "".join(self._out)

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._skipping or tag in SKIPPED or is_hidden(attributes):
            self._skipping += 1
            self._open.append("")
            return
        if tag not in _SHOWN_TAGS or (self._depth >= MAX_SHOWN_DEPTH and tag not in VOID):
            self._open.append(None)
            return
        kept = (
            f' {name}="{escape(attributes[name][:MAX_ATTRIBUTE_CHARACTERS])}"'
            for name in sorted(_SHOWN_ATTRIBUTES.get(tag, ()))
            if name in attributes
        )
        self._out.append(f"<{tag}{''.join(kept)}>")
        self._open.append(None if tag in VOID else tag)
        self._depth += tag not in VOID

    def end(self, _tag: str) -> None:
        if not self._open:
            return
        opened = self._open.pop()
        if opened == "":
            self._skipping -= 1
        elif opened is not None:
            self._out.append(f"</{opened}>")
            self._depth -= 1

    def data(self, text: str) -> None:
        if not self._skipping and self._length < MAX_SHOWN_CHARACTERS:
            self._out.append(escape(text[: MAX_SHOWN_CHARACTERS - self._length], quote=False))
            self._length += len(text)
            if self._length >= MAX_SHOWN_CHARACTERS:
                self._out.append("…")
