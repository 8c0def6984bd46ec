"""What mail clients write between somebody's new words and older ones, in the languages of our readers. Pure.

Patterns look at one line, or a few joined lines, of at most `MAX_LINE` characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from services.notify.received.delimiters import DELIMITERS
from services.notify.received.lines import Line, Mark

MAX_LINE: Final = 500
MAX_ATTRIBUTION_LINES: Final = 4
MAX_HEADER_LINES: Final = 40

_I: Final = re.IGNORECASE

# Attributions

_WROTE: Final = (
    r"(?:wrote|writes|napisa[lł](?:\s?\(a\)|/a|a)?|pisze|napisano|schrieb|écrit|escribió|scritto|schreef|"
    r"escreveu|skrev|kirjoitti|napsal(?:\(a\)|a)?|napísal(?:\(a\)|a)?|írta|"
    r"написал\(?а?\)?|пише)"
)
_STARTS: Final = re.compile(
    r"(?:on|in a message dated|w dniu|dnia|dn\.|am|le|el|il|op|em|den|dne|dňa|в|от)\s", _I
)
_ENDS_IN_WROTE: Final = re.compile(rf"\b{_WROTE}[ \xa0]?:?$", _I)
_HAS_WROTE: Final = re.compile(rf"\b{_WROTE}(?![\w(])", _I)
_WEEKDAY_FIRST: Final = re.compile(r"(?:pon|wt|śr|sr|czw|pt|pią|sob|niedz|nd|nie)\w{0,12}\.?,? ", _I)
_DATE_FIRST: Final = re.compile(r"(?:\w{2,4}\.?,? )?(?:\d{1,2}[. /-]|\d{4}-\d\d-\d\d)", _I)
_NAMED_FIRST: Final = re.compile(r"wiadomość (?:napisana|wysłana) przez .{1,300} w dniu .{4,80}:$", _I)
_WROTE_ON: Final = re.compile(rf".{{1,200}} {_WROTE}[ \xa0](?:w dniu|dnia|on|am) .{{4,120}}:$", _I)
_WROTE_DAY: Final = re.compile(rf".{{1,200}}[>@].{{0,80}} {_WROTE} (?:\w{{2,5}}\.?,? )?\d.{{4,60}}:$", _I)
_QUOTING: Final = re.compile(r"(?:cytowanie|quoting|zitat von) ", _I)
_ENDS_SENTENCE: Final = re.compile(r"[!?]$|\w{5,}\.$")
_ADDRESS: Final = re.compile(r"[^\s<>@]{1,100}@[^\s<>@]{1,200}")
_YEAR: Final = re.compile(r"(?<!\d)20\d\d(?!\d)|(?<!\d)\d{1,2}[./-]\d{1,2}[./-]\d\d(?!\d)")
_TIME: Final = re.compile(r"(?<!\d)\d{1,2}[:.]\d\d(?!\d)")

# Blocks of headers

_LABELS: Final = {
    "from": "from|od|nadawca|von|de|da|van|från|fra",
    "date": (
        "sent|date|sent on|wysłano|wysłane|data|data wysłania|gesendet|datum|envoyé|enviado|inviato|"
        "verzonden|skickat|sendt"
    ),
    "to": "to|sent to|do|adresat|an|à|para|aan|till|til",
    "subject": "subject|temat|betreff|objet|asunto|oggetto|onderwerp|ämne|emne",
    "other": (
        "cc|bcc|dw|udw|kopia|kopia do|do wiadomości|reply-to|reply to|odpowiedz do|importance|ważność|"
        "priority|priorytet|attachments|załączniki|załącznik|organization|sender|resent-from|message-id"
    ),
}
_KIND: Final = {label: kind for kind, labels in _LABELS.items() for label in labels.split("|")}
_LABEL: Final = re.compile(r"[\s*_|]{0,6}([A-Za-zÀ-ž][A-Za-zÀ-ž -]{0,24}?)[\s*_]{0,4}:")

# Lines that stand alone

_RULE: Final = r"[-_=‐‑–—*]"
_ORIGINAL_WORDS: Final = "|".join(
    (
        r"original (?:message|e-?mail|mail)",
        "wiadomość oryginalna|oryginalna wiadomość|wiadomość pierwotna|treść oryginalnej wiadomości",
        "wiadomosc oryginalna|oryginalna wiadomosc",
        r"original-?nachricht|ursprüngliche (?:nachricht|mail)",
        "message d'origine|mensaje original|messaggio originale|oorspronkelijk bericht|původní zpráva",
    )
)
_ORIGINAL: Final = re.compile(
    rf"{_RULE}{{2,}}\s*(?:{_ORIGINAL_WORDS})\s*{_RULE}{{2,}}|-{{3,}} ?.{{1,200}} {_WROTE}: ?-{{3,}}", _I
)
_FORWARDED_WORDS: Final = "|".join(
    (
        r"forwarded (?:message|e-?mail|mail|by .{1,200}?)",
        "przekazana wiadomość|wiadomość przekazana|przekazywana wiadomość",
        "treść przekazanej wiadomości|przesłana wiadomość|przekazany e-mail",
        "weitergeleitete nachricht|message transféré",
    )
)
_FORWARDED: Final = re.compile(
    rf"{_RULE}{{2,}}\s*(?:{_FORWARDED_WORDS})(?: od .{{1,200}}?)?\s*{_RULE}{{2,}}"
    "|(?:begin forwarded message|początek przekaz(?:yw)?anej wiadomości|"
    "początek wiadomości przekazanej dalej|anfang der weitergeleiteten nachricht) ?:?",
    _I,
)
_FORWARD_SUBJECT: Final = re.compile(r"\s*\[?(?:fwd?|pd|przek|wg|tr|rv)\s?:", _I)
_DELIMITERS: Final = tuple(
    re.compile(r"\s*".join(re.escape(word) for word in text.split()), _I) for text in DELIMITERS.values()
)


def delimiter_at(lines: Sequence[Line], at: int) -> int:
    """How many lines our own line takes here; 0: it is not here.

    Clients wrap it, and one writes it behind the attribution.
    """
    if "##" not in lines[at].text[:MAX_LINE]:
        return 0
    for count in (1, 2, 3):
        text = joined(lines[at : at + count])
        before, _, _ = text.partition("##")
        if before and not _is_attribution(before.strip()):
            return 0
        if any(each.fullmatch(text, len(before)) for each in _DELIMITERS):
            return count
    return 0


def attribution_at(lines: Sequence[Line], at: int) -> tuple[int, bool]:
    """How many lines say here whose words follow, and whether nothing else can be meant; 0: none does."""
    first = lines[at]
    if first.is_blank:
        return 0, False
    if first.mark is Mark.ATTRIBUTION:
        count = 1
        while at + count < len(lines) and lines[at + count].mark is Mark.ATTRIBUTION:
            count += 1
        return count, True
    for count in range(1, MAX_ATTRIBUTION_LINES + 1):
        group = lines[at : at + count]
        if len(group) < count or group[-1].is_blank or group[-1].depth != first.depth:
            break
        text = joined(group).strip("- ")
        if len(text) > MAX_LINE:
            break
        if _is_attribution(text) or (count == 1 and _is_named(text)):
            if any(_begins_attribution(joined(group[begin:])) for begin in range(1, count)):
                break  # what stands above it is somebody's sentence
            is_certain = bool(_ADDRESS.search(text) and _YEAR.search(text) and _TIME.search(text))
            return count, is_certain and text.endswith(":")
        if _ENDS_SENTENCE.search(text):
            break
    return 0, False


def _is_attribution(text: str) -> bool:
    """Whether it is one that has a date: when, who, wrote, in any order."""
    ends_in_wrote = _ENDS_IN_WROTE.search(text[-20:]) is not None
    if not (text.endswith(":") or ends_in_wrote):
        return False
    if not (_YEAR.search(text) or _TIME.search(text) or _ADDRESS.search(text)):
        return False
    if _STARTS.match(text):
        return _HAS_WROTE.search(text) is not None
    if _WEEKDAY_FIRST.match(text) or _DATE_FIRST.match(text):
        if ends_in_wrote:
            return True
        return bool(_YEAR.search(text) and _ADDRESS.search(text) and text.endswith(">:"))
    return any(each.fullmatch(text) for each in (_NAMED_FIRST, _WROTE_ON, _WROTE_DAY))


def _is_named(text: str) -> bool:
    """`Jan Nowak <jan@partner.example> wrote:`"""
    if not text.endswith(":") or not _ADDRESS.search(text) or text.count("<") != text.count(">"):
        return False
    return _ENDS_IN_WROTE.search(text[-20:]) is not None or _QUOTING.match(text) is not None


def _begins_attribution(text: str) -> bool:
    begins = _STARTS.match(text) or _WEEKDAY_FIRST.match(text) or _DATE_FIRST.match(text)
    return bool(begins) and _is_attribution(text)


def introduces(line: Line) -> bool:
    """Whether it may say whose words follow, in a language not known here: believed only before a quote."""
    text = line.text.strip()
    return (
        text.endswith(":")
        and len(text) <= MAX_LINE
        and _ADDRESS.search(text) is not None
        and (_YEAR.search(text) is not None or _TIME.search(text) is not None)
    )


def headers_at(lines: Sequence[Line], at: int, *, announced: bool = False) -> int:
    """How many lines a block of headers takes here (From, Sent, To, Subject); 0: none is here.

    `announced`: a line above says that it comes, so it may be in any order.
    """
    kinds: list[str] = []
    has_address = False
    end = at
    blanks = 0
    for index in range(at, min(at + MAX_HEADER_LINES, len(lines))):
        line = lines[index]
        if line.depth != lines[at].depth:
            break
        if line.is_blank:
            blanks += 1
            if blanks > 1 or not kinds:
                break
            continue
        kind = _kind(line.text)
        if kind is None and (blanks or not kinds or not _continues(lines, index)):
            break
        if kind is not None:
            if kind in kinds and kind != "other":
                break
            kinds.append(kind)
        blanks = 0
        has_address = has_address or "@" in line.text[:MAX_LINE]
        end = index + 1
    known = set(kinds) - {"other"}
    if not announced and end < len(lines) and not lines[end].is_blank:
        return 0  # somebody's sentence goes on
    begins_well = bool(kinds) and (announced or kinds[0] in ("from", "subject", "date"))
    return end - at if begins_well and "from" in known and len(known) >= (3 if has_address else 4) else 0


def _kind(text: str) -> str | None:
    if (found := _LABEL.match(text[:80])) is None:
        return None
    return _KIND.get(" ".join(found.group(1).lower().split()))


def _continues(lines: Sequence[Line], at: int) -> bool:
    """Whether a header goes on here: it is indented, or has addresses and others follow in a few lines."""
    text = lines[at].text
    if text[:1].isspace() and text.strip():
        return True
    for ahead, line in enumerate(lines[at + 1 : at + 6]):
        if line.is_blank or line.depth != lines[at].depth:
            return False
        if _kind(line.text) is not None:
            return "@" in text or ";" in text or ahead == 0
    return False


def is_original(line: Line) -> bool:
    """`-----Original Message-----`"""
    return _ORIGINAL.fullmatch(line.text.strip()[:MAX_LINE]) is not None


def is_forwarded(line: Line) -> bool:
    """`---------- Forwarded message ---------`"""
    if line.mark is Mark.FORWARDED:
        return True
    text = line.text.strip()
    return len(text) <= MAX_LINE and _FORWARDED.fullmatch(text) is not None


def forwards(subject: str) -> bool:
    """Whether the subject says that an e-mail is passed on."""
    return _FORWARD_SUBJECT.match(subject) is not None


def joined(lines: Sequence[Line]) -> str:
    """The lines in one, cut where no pattern looks."""
    text = " ".join(line.text[: MAX_LINE + 1].replace("\ufeff", "") for line in lines)
    return " ".join(text.split()).strip("*_").strip()
