"""What a person wrote, as HTML: the same characters, the same lines, web addresses to click on. Pure."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup, escape

_LINE_ENDS: Final = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Without quotes, angle brackets, and what makes an address read otherwise than it is written.
_WEB_ADDRESS: Final = re.compile(
    r"https?://[^\s<>\"'`\\\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]{1,2000}", re.IGNORECASE
)
_AFTER_IT: Final = ".,;:!?*_…”’»"
_BRACKETS: Final = {")": "(", "]": "[", "}": "{"}


def plain(text: str) -> str:
    """The text with `\\n` at the end of its lines, and without what no e-mail can hold."""
    return _NOT_TEXT.sub("\ufffd", _LINE_ENDS.sub("\n", text)).strip("\n")


def marked_up(text: str) -> Markup:
    """The text as HTML. Only http and https become links, and a link shows where it leads."""
    lines = (_line(line.expandtabs(4)) for line in plain(text).split("\n"))
    return Markup("<br />").join(lines)


def _line(line: str) -> Markup:
    parts: list[Markup] = []
    done = 0
    for found in _WEB_ADDRESS.finditer(line):
        address = _without_what_follows(found.group())
        parts.append(_spaced(line[done : found.start()]))
        if address.partition("://")[2]:
            parts.append(Markup('<a href="{0}" rel="nofollow noopener" class="link">{0}</a>').format(address))
            done = found.start() + len(address)
        else:
            done = found.start()
    parts.append(_spaced(line[done:]))
    return Markup("").join(parts)


def _without_what_follows(address: str) -> str:
    """The address without the punctuation of the sentence that it stands in."""
    while address:
        last = address[-1]
        opened = _BRACKETS.get(last)
        closes_nothing = opened is not None and address.count(last) > address.count(opened)
        if last not in _AFTER_IT and not closes_nothing:
            break
        address = address[:-1]
    return address


def _spaced(text: str) -> Markup:
    """Several spaces stay several, as in lists and tables that are drawn with them."""
    spaced = re.sub(r"(?:^ | (?= ))", "\u00a0", text)
    return escape(spaced)
