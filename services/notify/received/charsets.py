"""Bytes of an e-mail as text, whatever character set they say they are in. Pure.

In Polish mail the declaration is often wrong: Windows-1250 is called ISO-8859-2 or ISO-8859-1, UTF-8 is
called by the name of the set that was in use before, or there is no name at all.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

_REPLACED: Final = "\ufffd"
_LOOKED_AT: Final = 64 * 1024
"""Bytes that are judged: what a text is like shows early."""

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAY_NOTHING: Final = frozenset(
    {"", "ascii", "us-ascii", "ansi_x3.4-1968", "unknown-8bit", "x-unknown", "8bit"}
)
_NEVER: Final = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem", "utf-7"}
)
"""Encodings of Python that no e-mail means, or whose reading takes long."""

_POLISH: Final = frozenset("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ")
_TYPOGRAPHY: Final = frozenset("„”“’‘–—…«»•§°€\xa0")
_IN_A_WORD: Final = re.compile(r"[A-Za-z][¹³¿¶±¼¦œŸæñê][A-Za-z]|[A-Za-z][¹³¿±¶]|[¿œ¶][a-z]")
"""Polish letters of Windows-1250 or ISO-8859-2 as ISO-8859-1 shows them."""

_LINE_ENDS: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_NOT_TEXT: Final = re.compile("[\x01-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def text_of(content: bytes, declared: str | None) -> str:
    """The text with `\\n` at the end of its lines and no character that `contracts.text.Body` refuses.

    Tried in this order: a byte order mark, the declared set unless the bytes speak against it, UTF-8, then
    Windows-1250 or ISO-8859-2, whichever reads more like Polish. Never raises.
    """
    text = _decoded(content, (declared or "").strip().strip("\"'").lower().replace("_", "-"))
    text = _LINE_ENDS.sub("\n", text.removeprefix("\ufeff").replace("\x00", ""))
    return _NOT_TEXT.sub(_REPLACED, text)


def _decoded(content: bytes, declared: str) -> str:
    for mark, name in _BOMS:
        if content.startswith(mark):
            return content.decode(name, "replace")
    name = _codec(declared) or "utf-8"
    if name.startswith(("utf-16", "utf-32")) and b"\x00" not in content:
        name = "utf-8"
    if name in ("utf-8", "utf-16", "utf-16-le", "utf-16-be") and (wide := _utf_16(content)) is not None:
        name = wide
    if name == "utf-8":
        return _utf_8(content)
    if not content.isascii() and "utf" not in name and (text := _strict(content, "utf-8")) is not None:
        return text  # letters that happen to be valid UTF-8 in another set are too rare to be believed
    if name == "iso8859-2" and _has_c1(content):
        name = "cp1250"
    if name in ("iso8859-1", "cp1252"):
        sample = content[:_LOOKED_AT].decode("cp1252", "replace")
        name = _polish(content) if _IN_A_WORD.search(sample) else "cp1252"
    return content.decode(name, "replace")


def _codec(declared: str) -> str | None:
    """Python's name of the set; None: it says nothing that can be used."""
    if declared in _SAY_NOTHING or "\x00" in declared:
        return None
    try:
        found = codecs.lookup(declared)
        b"a".decode(found.name, "replace")  # fails for what is no encoding of text (`hex`, `zip`)
    except (LookupError, UnicodeError, ValueError):
        return None
    return None if found.name.replace("_", "-") in _NEVER | _SAY_NOTHING else found.name


def _utf_8(content: bytes) -> str:
    text = _strict(content, "utf-8")
    if text is not None:
        return text
    sample = content[:_LOOKED_AT].decode("utf-8", "replace")
    broken = sample.count(_REPLACED)
    whole = sum(character > "\x7f" for character in sample) - broken
    return content.decode("utf-8" if whole > broken else _polish(content), "replace")


def _strict(content: bytes, name: str) -> str | None:
    try:
        return content.decode(name)
    except UnicodeError:
        return None


def _utf_16(content: bytes) -> str | None:
    """Which half of the characters' bytes is empty: Latin text in UTF-16 that does not say so."""
    sample = content[: _LOOKED_AT // 16]
    high, low = sample[0::2].count(0), sample[1::2].count(0)
    if len(sample) < 4 or max(high, low) < len(sample) // 4:
        return None
    return "utf-16-be" if high > low else "utf-16-le"


def _has_c1(content: bytes) -> bool:
    return re.search(rb"[\x80-\x9f]", content) is not None


def _polish(content: bytes) -> str:
    sample = content[:_LOOKED_AT]
    return max(("cp1250", "iso8859-2"), key=lambda name: _likeness(sample.decode(name, "replace")))


def _likeness(text: str) -> int:
    """How much it reads like Polish."""
    points = 0
    for character in text:
        if character > "\x7f":
            points += 2 if character in _POLISH else 1 if character in _TYPOGRAPHY else -1
    return points
