"""One e-mail taken apart, whatever its sender wrote into it. Pure.

The parts are found here and not by the standard library's parser, whose time grows with the size times the
number of open boundaries, and which takes forwarded e-mails apart too: these stay as they came, byte by byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from typing import Final
from urllib.parse import unquote

from services.notify.received.html_lines import words_of
from services.notify.received.part import Part

MAX_DEPTH: Final = 12
MAX_PARTS: Final = 250
"""Parts in all; what follows the last is kept as one attachment."""

_SHOWN: Final = re.compile(r"[\"'(=]cid:([^\s\"'()<>]{1,200})", re.IGNORECASE)
_SIGNATURES: Final = frozenset(
    {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
)
_ENCRYPTED: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_EXTENSIONS: Final = {
    "application/ms-tnef": "dat",
    "application/pdf": "pdf",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "message/rfc822": "eml",
    "text/calendar": "ics",
    "text/html": "html",
    "text/plain": "txt",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part that is kept as a file.

    `name` is the sender's word for it, without a path, never empty; `media_type` is declared, not checked, in
    small letters. `inline`: the HTML shows it, by its `content_id` (no angle brackets). What only says
    that it is inline is not: Apple says so of every file.
    """

    name: str
    media_type: str
    content: bytes
    inline: bool = False
    content_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMail:
    """What an e-mail says and brings along. `text` and `html` are None where the e-mail has no such part.

    Lines end in `\\n`; `text` has its soft line breaks (RFC 3676) taken out. `encrypted`: what it says
    stands in an attachment that we cannot read.
    """

    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    encrypted: bool = False


def read(raw: bytes) -> ReadMail:
    """The e-mail taken apart. Never raises; time and memory grow with its size and no faster.

    A signed e-mail is read as what was signed, without its signature, which is not checked. E-mails passed on
    as a file, invitations (`text/calendar`) and `winmail.dat` are attachments.
    """
    reading = _Reading(raw)
    root = Part(raw, 0, len(raw))
    sections = reading.sections(root, 0)
    html = _joined_html(sections)
    shown = {unquote(each) for each in _SHOWN.findall(html or "")}
    return ReadMail(
        subject=root.header("subject"),
        text=_joined_text(sections),
        html=html,
        attachments=tuple(
            replace(each, inline=True) if each.content_id in shown else each for each in reading.attachments
        ),
        encrypted=reading.encrypted,
    )


@dataclass(slots=True)
class _Section:
    """A piece of the text in the forms in which it came."""

    text: str | None = None
    html: str | None = None


def _joined_text(sections: list[_Section]) -> str | None:
    if all(section.text is None for section in sections):
        return None
    texts = (words_of(each.html or "") if each.text is None else each.text for each in sections)
    return "\n\n".join(text.strip("\n") if len(sections) > 1 else text for text in texts)


def _joined_html(sections: list[_Section]) -> str | None:
    if all(section.html is None for section in sections):
        return None
    return "\n".join(_as_html(each.text or "") if each.html is None else each.html for each in sections)


def _as_html(text: str) -> str:
    return "<div>" + escape(text, quote=False).replace("\n", "<br>\n") + "</div>"


class _Reading:
    """Goes through the parts, and keeps what becomes a file."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.attachments: list[Attachment] = []
        self.encrypted = False
        self._parts = 0

    def sections(self, part: Part, depth: int, *, alternative: bool = False) -> list[_Section]:
        """What the part and its parts say."""
        self._parts += 1
        kind = part.media_type
        if kind.startswith("multipart/"):
            spans = list(self._spans(part))
            if spans and depth < MAX_DEPTH:
                return self._of_parts(part, spans, depth)
            if spans:
                self._attach(part, raw=True)
                return []
            # No boundary, or none that occurs: what stands there is text.
            return [_Section(text=part.text())]
        if kind in _SIGNATURES or kind == "application/pgp-encrypted":
            return []
        if kind in _ENCRYPTED:
            self.encrypted = True
        if kind not in ("text/plain", "text/html") or self._is_file(part, depth, alternative=alternative):
            self._attach(part)
            return []
        return [_Section(html=part.text()) if kind == "text/html" else _Section(text=part.text())]

    def _spans(self, part: Part) -> Iterator[tuple[int, int]]:
        """Its parts, as many as there may still be; the last is then the whole rest."""
        room = MAX_PARTS - self._parts
        for number, (begin, end) in enumerate(part.parts()):
            if number >= room:
                return
            yield begin, part.end if number == room - 1 else end

    def _of_parts(self, part: Part, spans: list[tuple[int, int]], depth: int) -> list[_Section]:
        kind = part.media_type
        if kind == "multipart/encrypted":
            self.encrypted = True
        if kind == "multipart/signed":
            spans = spans[:1]
        is_alternative = kind == "multipart/alternative"
        found: list[_Section] = []
        for begin, end in spans:
            if self._parts >= MAX_PARTS:
                break
            found += self.sections(part.between(begin, end), depth + 1, alternative=is_alternative)
        if not is_alternative:
            return found
        texts = [each.text for each in found if each.text is not None]
        htmls = [each.html for each in found if each.html is not None]
        if not found:
            return []
        return [
            _Section(
                text="\n\n".join(texts) if texts else None,
                html="\n".join(htmls) if htmls else None,
            )
        ]

    def _is_file(self, part: Part, depth: int, *, alternative: bool) -> bool:
        if part.disposition == "attachment":
            return True
        return bool(part.file_name) and not alternative and depth > 0

    def _attach(self, part: Part, *, raw: bool = False) -> None:
        kind = part.media_type
        extension = _EXTENSIONS.get(kind, "eml" if kind.startswith(("message/", "multipart/")) else "bin")
        self.attachments.append(
            Attachment(
                name=part.file_name or f"{len(self.attachments) + 1}.{extension}",
                media_type=kind,
                content=self.raw[part.begin : part.end] if raw else part.content(),
                content_id=part.content_id,
            )
        )
