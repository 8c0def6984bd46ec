"""What programs and signatures add below somebody's words. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from services.notify.received.lines import Line

MAX_FOOTER_CHARACTERS: Final = 400
MAX_SIGNATURE_LINES: Final = 15
"""What stands below `-- ` is no signature if it is longer."""

_BRANDS: Final = "|".join(
    (
        "i(?:phone|pad|pod|os|cloud)|apple|android|blackberry|windows|samsung|galaxy|huawei|honor|xiaomi|redmi",
        "nokia|sony|motorola|pixel|oneplus|oppo|realme|vivo|lg",
        "outlook|gmail|google|yahoo|aol|proton|tuta|spark|k-9|thunderbird|nine|bluemail|fairemail|typeapp|edison",
        "(?:poczty )?(?:wp|o2|onet|interii?)",
    )
)
_POLISH_PROGRAMS: Final = "|".join(
    (
        "mojego|mojej|swojego|swojej|mego|programu|aplikacji|mobilnej|nowej|bezpiecznej|darmowej|bezpłatnej",
        "poczty|usługi|telefonu|smartfona|smartfonu|tabletu|urządzenia|mobilnego|systemu|klienta|serwisu|e-mail",
    )
)
_FEW_WORDS: Final = r"(?:[\w'’.,/+&-]{1,30} ?){0,7}"
_SENT: Final = r"sent (?:from|via|with|using) (?:my |the |a )?(?:new |mobile |\w+ )?"
_SENT_PL: Final = (
    "(?:wys[lł]an[oey]|przes[lł]an[oey]) "
    "(?:z|ze|za pomocą|za pośrednictwem|przy użyciu|przez|poprzez) (?:mojego |mojej )?"
)
_FOOTERS: Final = (
    # Sent from my iPhone; Sent from my Samsung Galaxy smartphone; Sent with Proton Mail secure email
    rf"{_SENT}(?:{_BRANDS})(?!\w) ?{_FEW_WORDS}",
    rf"sent from mail for (?:{_BRANDS}) ?\d*",
    "sent from my (?:mobile(?: phone| device)?|smartphone|phone|tablet|cell ?phone)",
    # Wysłane z iPhone'a; Wysłano z telefonu Samsung; Wysłano z aplikacji Poczta dla systemu Windows
    rf"{_SENT_PL}(?:(?:{_POLISH_PROGRAMS}) )*(?:poczta )?(?:dla (?:systemu )?)?(?:{_BRANDS}) ?{_FEW_WORDS}",
    rf"{_SENT_PL}(?:telefonu|smartfon[au]|komórki|tabletu|urządzenia mobilnego)(?: komórkowego)?",
    r"(?:get|download) outlook for [\w ]{1,30}",
    r"pobierz (?:aplikację |program )?outlook(?: (?:dla|na) [\w ]{1,40})?",
    r"(?:virus-free|nie zawiera wirusów|wolne od wirusów)\.? ?(?:www\.)?(?:avast|avg)\.[\w.]{2,10}",
    "yahoo mail: [^.?]{1,60}",
    "von meinem i(?:phone|pad) gesendet",
)
_FOOTER: Final = re.compile("|".join(_FOOTERS), re.IGNORECASE)
_LINK_TEXT: Final = re.compile(r"\[([^\[\]]{1,60})\]\([^()\s]{1,200}\)")
_LINK: Final = re.compile(r"<[a-z]{2,6}:[^<>\s]{1,200}>|\(?https?://[^\s<>()]{1,200}\)?", re.IGNORECASE)
_RULE: Final = re.compile(r"[-_=‐‑–—*]{8,}")
_POSTSCRIPT: Final = re.compile(r"p\.?\s?s\.?(?:[:,. –-]|$)", re.IGNORECASE)


def without_footers(lines: Sequence[Line]) -> int:
    """How many lines are left without what programs added at the end, and without empty ones there."""
    end = at = len(lines)
    while at:
        if is_footer(lines[at - 1]) or is_rule(lines[at - 1]):
            end = at - 1
        elif not lines[at - 1].is_blank:
            break
        at -= 1
    return end


def signature_at(lines: Sequence[Line]) -> int | None:
    """Where the signature begins, with its `-- ` (RFC 3676, section 4.3).

    Mail servers take the space away: then what follows must look like one, for two dashes also divide a text.
    """
    below: list[str] = []
    for at in range(len(lines) - 1, -1, -1):
        text = lines[at].text
        if text == "-- " or (text == "--" and _looks_like_a_signature(below)):
            return at
        if text.strip():
            below.append(text.strip())
        if len(below) > MAX_SIGNATURE_LINES:
            return None
    return None


def _looks_like_a_signature(lines: Sequence[str]) -> bool:
    return len(lines) <= 6 and all(len(line) <= 60 and line[-1] not in "?!,;:" for line in lines)


def is_rule(line: Line) -> bool:
    """A line across the page."""
    return _RULE.fullmatch(line.text.strip()[:MAX_FOOTER_CHARACTERS]) is not None


def is_footer(line: Line) -> bool:
    """`Sent from my iPhone`, and the like, in a line of its own."""
    text = line.text.strip()
    if len(text) > MAX_FOOTER_CHARACTERS:
        return False
    text = _LINK.sub("", _LINK_TEXT.sub(r"\1", text))
    return _FOOTER.fullmatch(" ".join(text.split()).strip('*_"„”[]|. ')) is not None


def is_postscript(line: Line) -> bool:
    """`PS: ...`, which people write below their signature."""
    return _POSTSCRIPT.match(line.text.strip()) is not None
