"""The elements of HTML as events, whatever stands in it. Pure.

libxml2 reads it: it needs no stack of ours however deep elements are nested, and takes time that grows with
the size. Parsers of HTML5 (nh3 has one) are not like that: 100,000 nested elements, or as many attributes,
keep them busy for half a minute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lxml import etree  # type: ignore[import-untyped]

MAX_HTML_CHARACTERS: Final = 1_000_000

SKIPPED: Final = frozenset(
    {
        "head",
        "script",
        "style",
        "title",
        "template",
        "object",
        "iframe",
        "svg",
        "math",
        "select",
        "textarea",
        "xml",
    }
)
"""Elements whose content is not for readers."""

VOID: Final = frozenset({"br", "hr", "img", "meta", "link", "input", "col", "area", "base", "wbr", "source"})

_EMBEDDED: Final = re.compile(r"(?<=[\"'])data:[^\"'<>]{200,}")
_TAG: Final = re.compile(r"<[^<>]*>")
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)


class Target:
    """What lxml calls. Elements are closed in the order in which they were opened."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        raise NotImplementedError

    def end(self, tag: str) -> None:
        raise NotImplementedError

    def data(self, text: str) -> None:
        raise NotImplementedError

    def comment(self, _text: str) -> None:
        """Says nothing to a reader."""

    def close(self) -> None:
        """Nothing is left to do: the writer has it all."""


def parse(html: str, target: Target) -> None:
    """Tells the target what the HTML has: of what stands after `MAX_HTML_CHARACTERS`, only the words."""
    html = _EMBEDDED.sub("", html.replace("\x00", ""))
    rest = ""
    if len(html) > MAX_HTML_CHARACTERS:
        end = html.rfind(">", 0, MAX_HTML_CHARACTERS) + 1 or MAX_HTML_CHARACTERS
        html, rest = html[:end], html[end:]
    parser = etree.HTMLParser(target=target, huge_tree=True, encoding="utf-8")
    try:
        parser.feed(html.encode("utf-8", "replace"))
        parser.close()
    except etree.XMLSyntaxError:  # there was nothing that is HTML
        pass
    if rest:
        target.data(_TAG.sub(" ", rest))


def is_hidden(attributes: Mapping[str, str]) -> bool:
    return "hidden" in attributes or _HIDDEN.search(attributes.get("style", "")[:2000]) is not None
