"""Folding text for search: what is stored and what is asked for go through the same function.

FTS5 folds case and many diacritics by itself, but not `ł`, which Unicode does not decompose; so folding is
done here for all, and the two sides can never differ.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_COMBINING: Final = re.compile(r"[\u0300-\u036f]+")
_NOT_DECOMPOSED: Final = {
    "ł": "l", "đ": "d", "ø": "o", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i", "þ": "th", "ð": "d",
}  # fmt: skip


def fold(text: str) -> str:
    """The text in lower case without diacritics: `Łódź` and `lodz` are the same."""
    if text.isascii():
        return text.lower()
    # Case goes last: taking letters apart makes capitals out of what has no case (`ᴬ`, `ℂ`).
    folded = _COMBINING.sub("", unicodedata.normalize("NFKD", text)).casefold()
    for letter, plain in _NOT_DECOMPOSED.items():
        folded = folded.replace(letter, plain)
    return folded


def fold_identifier(value: str) -> str:
    """An identifier as it is compared: folded, without white space."""
    return "".join(fold(value).split())
