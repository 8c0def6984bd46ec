"""One e-mail taken apart as a mail client does it, however malformed it is. Pure.

The standard library's older reading of headers (compat32) is used: it hands out each header as it
stands, and fails on few of those that it does not understand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from html import unescape
from typing import Any, Final, NamedTuple

import nh3

MAX_PARTS: Final = 500
MAX_HEADER_CHARACTERS: Final = 20_000

_NOT_TEXT: Final = re.compile("[\x00\ud800-\udfff]")
_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,990}>")
_BLOCKS: Final = {"blockquote", "br", "div", "h1", "h2", "h3", "li", "p", "td"}
_UNSEEN: Final = {"script", "style", "title"}
_FOLD: Final = re.compile(r"\r?\n[ \t]*")


class Correspondent(NamedTuple):
    """Somebody in From, To, Cc or Reply-To; either part may be empty."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the headers say; empty where they say nothing. `references` has the oldest first."""

    senders: tuple[Correspondent, ...] = ()
    reply_to: tuple[Correspondent, ...] = ()
    to: tuple[Correspondent, ...] = ()
    cc: tuple[Correspondent, ...] = ()
    subject: str = ""
    date: datetime | None = None
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part that is kept as a file. The name is the sender's word for it, and no path."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """An e-mail taken apart: what its two bodies say, and its files."""

    head: Head
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()


def taken_apart(source: bytes) -> Contents:
    """The parts of an e-mail. What cannot be read at all has none, and is there in its source."""
    try:
        message = message_from_bytes(source)
        head = _head(message)
    except (LookupError, RecursionError, TypeError, ValueError):  # nested too deeply; no boundary that is one
        return Contents(head=Head())
    texts: list[str] = []
    html: str | None = None
    attachments: list[Attachment] = []
    for part in _leaves(message):
        kind = part.get_content_type()
        if _is_file(part, kind) or (kind == "text/html" and html is not None):
            attachments.append(_attachment(part, kind, len(attachments) + 1))
        elif kind == "text/html":
            html = _text(part)
        else:
            texts.append(_text(part))
    text = "\n\n".join(texts) if texts else None
    return Contents(head=head, text=text, html=html, attachments=tuple(attachments))


def words_of(html: str) -> str:
    """What HTML says, as text: without its markup, a line for each block."""
    kept = nh3.clean(html, tags=_BLOCKS, clean_content_tags=_UNSEEN, attributes={}, link_rel=None)
    lines = (" ".join(line.split()) for line in unescape(re.sub("<[^>]*>", "\n", kept)).split("\n"))
    return "\n".join(line for line in lines if line)


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that have no parts, in their order; a forwarded e-mail is one of them."""
    waiting: list[Message] = [message]
    for _ in range(MAX_PARTS):
        if not waiting:
            return
        part = waiting.pop()
        if part.get_content_maintype() != "message" and part.is_multipart():
            waiting += reversed(_children(part))
        else:
            yield part


def _children(part: Message) -> list[Message]:
    children: Any = part.get_payload() if part.is_multipart() else []
    return list(children)


def _is_file(part: Message, kind: str) -> bool:
    if kind not in {"text/plain", "text/html"} or part.get_content_disposition() == "attachment":
        return True
    return _file_name(part) is not None


def _file_name(part: Message) -> str | None:
    try:
        return part.get_filename()
    except (LookupError, TypeError, ValueError):  # continuations (RFC 2231) that continue nothing
        return None


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except (LookupError, TypeError, ValueError):
        return None


def _attachment(part: Message, kind: str, number: int) -> Attachment:
    name = _decoded(_file_name(part) or "").replace("\\", "/").rpartition("/")[2].strip()[:200]
    default = f"{number}.eml" if kind == "message/rfc822" else f"{number}.bin"
    return Attachment(name=name or default, media_type=kind, content=_content(part))


def _content(part: Message) -> bytes:
    payload: Any = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload
    try:
        return b"\n".join(child.as_bytes() for child in _children(part))
    except (LookupError, RecursionError, TypeError, ValueError):  # cannot be written as it was read
        return b""


def _text(part: Message) -> str:
    return _in_charset(_content(part), _charset(part)).replace("\r\n", "\n")


def _in_charset(content: bytes, charset: str | None) -> str:
    try:
        text = content.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):  # no such character set, or none that a name can have
        text = content.decode("utf-8", "replace")
    return _NOT_TEXT.sub("\ufffd", text)


# Headers


def _head(message: Message) -> Head:
    return Head(
        senders=_correspondents(message, "from"),
        reply_to=_correspondents(message, "reply-to"),
        to=_correspondents(message, "to"),
        cc=_correspondents(message, "cc"),
        subject=" ".join(_decoded(_raw(message, "subject")).split()),
        date=_date(_raw(message, "date")),
        message_id=next(iter(_MESSAGE_ID.findall(_raw(message, "message-id"))), None),
        in_reply_to=tuple(_MESSAGE_ID.findall(_raw(message, "in-reply-to"))),
        references=tuple(dict.fromkeys(_MESSAGE_ID.findall(_raw(message, "references")))),
    )


def _raw(message: Message, name: str) -> str:
    """The first header of this name, unfolded; bytes above ASCII are UTF-8 (RFC 6532)."""
    found = next((value for key, value in message.raw_items() if key.lower() == name), "")
    unfolded = _FOLD.sub(" ", str(found)[:MAX_HEADER_CHARACTERS])
    return unfolded.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _decoded(raw: str) -> str:
    """The header with its encoded words read (RFC 2047)."""
    try:
        pieces = decode_header(raw)
    except (HeaderParseError, ValueError):  # a word that says base64 and is none
        return _NOT_TEXT.sub("\ufffd", raw)
    return "".join(
        _NOT_TEXT.sub("\ufffd", piece)
        if isinstance(piece, str)
        else _in_charset(piece, charset or "raw-unicode-escape")  # how decode_header writes what is between
        for piece, charset in pieces
    )


def _correspondents(message: Message, name: str) -> tuple[Correspondent, ...]:
    found = getaddresses([_raw(message, name)])
    return tuple(
        Correspondent(" ".join(_decoded(who).split()), _NOT_TEXT.sub("\ufffd", address))
        for who, address in found
        if who or address
    )


def _date(raw: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(raw)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (OverflowError, TypeError, ValueError):
        return None
