"""Soft line breaks (RFC 3676, `format=flowed`) taken out. Pure."""

from __future__ import annotations

import re
from typing import Final

MAX_FLOWED_LINES: Final = 100_000
"""What follows is left as it is."""

_QUOTE: Final = re.compile(r">*")
_SIGNATURE: Final = "-- "


def unflowed(text: str, *, delete_space: bool) -> str:
    """Each paragraph in one line; quoted ones begin with `>` for each level and a space.

    `delete_space` is the parameter `delsp` (section 4.2): the space before a soft break is no text.
    """
    lines: list[str] = []
    paragraph: list[str] = []
    level = 0
    flowing, rest = text.split("\n", MAX_FLOWED_LINES), []
    if len(flowing) > MAX_FLOWED_LINES:
        rest = [flowing.pop()]
    for line in flowing:
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
    return "\n".join(lines + rest)


def _prefixed(paragraph: list[str], level: int) -> str:
    text = "".join(paragraph)
    return f"{'>' * level} {text}" if level else text
