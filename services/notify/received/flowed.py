"""Soft line breaks (RFC 3676, `format=flowed`) taken out. Pure."""

from __future__ import annotations

import re
from typing import Final

_QUOTE: Final = re.compile(r">*")
_SIGNATURE: Final = "-- "


def unflowed(text: str, *, delete_space: bool) -> str:
    """Each paragraph in one line; quoted ones begin with `>` for each level and a space.

    `delete_space` is the parameter `delsp` (section 4.2): the space before a soft break is no text.
    """
    lines: list[str] = []
    paragraph: list[str] = []
    level = 0
    for line in text.split("\n"):
        depth = len(_QUOTE.match(line).group())  # type: ignore[union-attr]  # matches anything
        content = line[depth:].removeprefix(" ")
        if paragraph and (depth != level or content == _SIGNATURE):  # a paragraph ends with its level
            lines.append(_prefixed(paragraph, level))
            paragraph = []
        level = depth
        is_soft = content.endswith(" ") and content != _SIGNATURE
        paragraph.append(content[:-1] if is_soft and delete_space else content)
        if not is_soft:
            lines.append(_prefixed(paragraph, level))
            paragraph = []
    if paragraph:
        lines.append(_prefixed(paragraph, level))
    return "\n".join(lines)


def _prefixed(paragraph: list[str], level: int) -> str:
    text = "".join(paragraph)
    return f"{'>' * level} {text}" if level else text
