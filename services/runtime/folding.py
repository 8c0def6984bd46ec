"""Folding text for search: what is stored and what is asked for go through the same function.

FTS5 folds diacritics, but not all letters' case, nor letters that Unicode does not decompose, `ł` before all:
these are folded here, before a text goes into the index and before a word is looked for in it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_COMBINING: Final = re.compile(r"[\u0300-\u036f]+")
_NOT_DECOMPOSED: Final = (
    ("ł", "l"), ("đ", "d"), ("ø", "o"), ("æ", "ae"), ("œ", "oe"), ("ħ", "h"), ("ı", "i"), ("ǡ", "a"),
)  # fmt: skip


def fold_for_index(text: str) -> str:
    """The text in lower case, in compatibility form, without the letters that FTS5 cannot fold by itself.

    Case is folded here because FTS5 knows fewer letters than Python does: it leaves Adlam and Georgian ones.
    """
    if text.isascii():
        return text.lower()
    return _plain(unicodedata.normalize("NFKC", text).casefold())


def fold(text: str) -> str:
    """The text in lower case without diacritics: `Łódź` and `lodz` are the same."""
    if text.isascii():
        return text.lower()
    # Decomposing comes first: it makes letters of `ǣ` and capitals of `ℂ`, which are yet to be folded.
    letters = _COMBINING.sub("", unicodedata.normalize("NFKD", text))
    return _plain(letters.casefold())


def fold_identifier(value: str) -> str:
    """An identifier as it is compared: folded, without white space."""
    return "".join(fold(value).split())


def _plain(lower_case: str) -> str:
    for letter, plain in _NOT_DECOMPOSED:
        lower_case = lower_case.replace(letter, plain)
    return lower_case
