"""One part of an e-mail: its headers, its content, where its own parts lie. Pure."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import collapse_rfc2231_value
from typing import Final

from services.notify.received.charsets import text_of
from services.notify.received.flowed import unflowed

MAX_HEAD_BYTES: Final = 256 * 1024
MAX_HEADER_CHARACTERS: Final = 4_000
MAX_NAME_CHARACTERS: Final = 200

_FOLD: Final = re.compile(r"\s*[\r\n]+\s*")
_HEAD_LINE: Final = re.compile(rb"[\x21-\x39\x3b-\x7e]{1,200}[ \t]*:|[ \t]|From |>From ")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_META_CHARSET: Final = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE
)
_NOT_BASE64: Final = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
_NOT_IN_NAME: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Part:
    """A part as it lies in the e-mail: `raw[begin:end]`. Its content begins at `body`."""

    def __init__(self, raw: bytes, begin: int, end: int) -> None:
        self._raw = raw
        self.begin, self.end = begin, end
        self.body = _end_of_head(raw, begin, end)
        head = raw[begin : self.body].lstrip(b"\r\n") + b"\n\n"
        self._headers = tuple(BytesHeaderParser(policy=compat32).parsebytes(head).raw_items())
        self._type = self._parameters("content-type")
        self._disposition = self._parameters("content-disposition")
        declared = self._type[0].lower() if self._type is not None else ""
        self.media_type = declared if re.fullmatch(r"[\w.+-]{1,80}/[\w.+-]{1,80}", declared) else "text/plain"
        if self._type is not None and self.media_type != declared:  # names a type that is none
            self.media_type = "text/plain" if declared in ("", "text") else "application/octet-stream"

    def header(self, name: str) -> str:
        """The first value for people, its encoded words (RFC 2047) read; empty if there is none."""
        return _in_one_line(_words(self._value(name)))

    def _value(self, name: str) -> str:
        value = next((str(value) for key, value in self._headers if key.lower() == name), "")
        unfolded = _FOLD.sub(" ", value[:MAX_HEADER_CHARACTERS]).strip()
        if unfolded.isascii():
            return unfolded
        return text_of(unfolded.encode("utf-8", "surrogateescape"), None)

    def _parameters(self, name: str) -> tuple[str, dict[str, str]] | None:
        value = self._value(name)
        if not value:
            return None
        message = Message(policy=compat32)
        message["Content-Type"] = value.replace("\n", " ")
        try:
            found = message.get_params(failobj=[], unquote=True)
            pairs = {
                key.lower(): str(collapse_rfc2231_value(each, errors="replace")) for key, each in found[1:]
            }
        except (LookupError, TypeError, ValueError):  # continuations (RFC 2231) that continue nothing
            found, pairs = [], {}
        kind = str(found[0][0]) if found else value.partition(";")[0]
        return kind.strip().lower(), pairs

    def parameter(self, name: str) -> str | None:
        return None if self._type is None else self._type[1].get(name)

    @property
    def disposition(self) -> str | None:
        return None if self._disposition is None else self._disposition[0]

    @property
    def file_name(self) -> str:
        given = None if self._disposition is None else self._disposition[1].get("filename")
        name = _in_one_line(_words(given or self.parameter("name") or ""))
        name = _NOT_IN_NAME.sub("", name.replace("\\", "/").rpartition("/")[2]).strip(" .")
        if len(name) > MAX_NAME_CHARACTERS:
            stem, dot, extension = name.rpartition(".")
            short = len(extension) <= 16 and bool(stem)
            name = stem[: MAX_NAME_CHARACTERS - 17] + dot + extension if short else name[:MAX_NAME_CHARACTERS]
        return name

    @property
    def content_id(self) -> str | None:
        return self._value("content-id").strip().strip("<>").strip()[:MAX_NAME_CHARACTERS] or None

    def content(self) -> bytes:
        """Its bytes, decoded as far as they can be."""
        raw = self._raw[self.body : self.end]
        match re.split(r"[\s;(]", self._value("content-transfer-encoding").lower(), maxsplit=1)[0]:
            case "base64":
                return _from_base64(raw)
            case "quoted-printable":
                return binascii.a2b_qp(raw)
            case _:
                return raw

    def text(self) -> str:
        content = self.content()
        charset = self.parameter("charset")
        if not charset and self.media_type == "text/html" and (meta := _META_CHARSET.search(content[:4096])):
            charset = meta.group(1).decode("ascii")
        text = text_of(content, charset)
        if self.media_type == "text/plain" and (self.parameter("format") or "").strip().lower() == "flowed":
            return unflowed(text, delete_space=(self.parameter("delsp") or "").strip().lower() == "yes")
        return text

    def parts(self) -> Iterator[tuple[int, int]]:
        """Where its parts begin and end; none if it has no boundary, or never uses it."""
        boundary = (self.parameter("boundary") or "").rstrip()
        if not boundary:
            return
        line = re.compile(
            rb"--"
            + re.escape(boundary[:200].encode("utf-8", "surrogateescape"))
            + rb"(--)?[ \t]*(?:\r\n|\n|\r|\Z)"
        )
        begin: int | None = None
        for found in line.finditer(self._raw, self.body, self.end):
            if found.start() > self.body and self._raw[found.start() - 1] not in b"\r\n":
                continue
            if begin is not None:
                yield begin, self._before_line_end(begin, found.start())
            begin = found.end()
            if found.group(1):
                return
        if begin is not None and begin < self.end:  # the last boundary is missing: the e-mail was cut
            yield begin, self.end

    def _before_line_end(self, begin: int, end: int) -> int:
        """The line end before a boundary belongs to the boundary (RFC 2046, section 5.1.1)."""
        for line_end in (b"\r\n", b"\n", b"\r"):
            if self._raw.endswith(line_end, begin, end):
                return end - len(line_end)
        return end

    def between(self, begin: int, end: int) -> Part:
        return Part(self._raw, begin, end)


def _end_of_head(raw: bytes, begin: int, end: int) -> int:
    """Where the content begins: after the empty line, or at the first line that is no header."""
    at = begin
    limit = min(end, begin + MAX_HEAD_BYTES)
    started = False
    while at < limit:
        found = _LINE_END.search(raw, at, limit)
        line_end, following = (found.start(), found.end()) if found else (limit, limit)
        if line_end == at:
            if started or begin > 0:
                return following
        elif not _HEAD_LINE.match(raw, at, line_end):
            return at
        else:
            started = True
        at = following
    return at


def _from_base64(raw: bytes) -> bytes:
    """What can be read of it: other characters are left out, a cut end is dropped."""
    pieces = raw.translate(None, _NOT_BASE64).split(b"=", 1000)
    return b"".join(_quartets(piece.replace(b"=", b"")) for piece in pieces if piece)


def _quartets(piece: bytes) -> bytes:
    piece = piece[:-1] if len(piece) % 4 == 1 else piece
    return binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))


def _words(value: str) -> str:
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError):  # a word that says base64 and is none
        return value
    return "".join(_word(piece, charset) for piece, charset in pieces)


def _word(piece: str | bytes, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    if charset is None:  # what stands between encoded words, in the way of decode_header
        return piece.decode("raw-unicode-escape", "replace")
    return text_of(piece, charset)


def _in_one_line(value: str) -> str:
    return " ".join(value.encode("utf-8", "replace").decode("utf-8", "replace").split())
