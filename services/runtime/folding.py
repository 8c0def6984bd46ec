"""Folding text for search: what is stored and what is asked for go through the same function.

FTS5 folds case and diacritics, but for letters that Unicode does not decompose, `ł` before all: these are
folded here, before a text goes into the index and before a word is looked for in it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_COMBINING: Final = re.compile(r"[\u0300-\u036f]+")
_NOT_DECOMPOSED: Final = (
    ("ł", "l"), ("Ł", "l"), ("đ", "d"), ("Đ", "d"), ("ø", "o"), ("Ø", "o"), ("æ", "ae"), ("Æ", "ae"),
    ("œ", "oe"), ("Œ", "oe"), ("ß", "ss"), ("ẞ", "ss"), ("ħ", "h"), ("Ħ", "h"), ("ı", "i"),
)  # fmt: skip


def fold_for_index(text: str) -> str:
    """The text without the letters that FTS5 cannot fold by itself."""
    if not text.isascii():
        for letter, plain in _NOT_DECOMPOSED:
            text = text.replace(letter, plain)
    return text


def fold(text: str) -> str:
    """The text in lower case without diacritics: `Łódź` and `lodz` are the same."""
    if text.isascii():
        return text.lower()
    # Decomposing comes first: it makes letters of `ǣ` and capitals of `ℂ`, which are yet to be folded.
    letters = _COMBINING.sub("", unicodedata.normalize("NFKD", text))
    return fold_for_index(letters.casefold())


def fold_identifier(value: str) -> str:
    """An identifier as it is compared: folded, without white space."""
    return "".join(fold(value).split())
