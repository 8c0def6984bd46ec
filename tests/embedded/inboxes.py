"""E-mails on the shelf of a development mailbox, as its mail server would have kept them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from services.embedded.inbox.mails import DELIVERED_TO, name_part

ANNA: Final = "anna@acme.example"
BEGAN: Final = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def put(directory: Path, source: bytes, *, minute: int = 0, person: str = ANNA) -> str:
    """Keep an e-mail as delivered so many minutes after BEGAN; returns its id."""
    directory.mkdir(parents=True, exist_ok=True)
    identifier = f"{BEGAN + timedelta(minutes=minute):%Y%m%dT%H%M%S.%f}-{name_part(person)}"
    traced = DELIVERED_TO + person.encode() + b"\r\n" + source
    (directory / f"{identifier}.eml").write_bytes(traced)
    return identifier


def plain(text: str = "Hello", **headers: str) -> bytes:
    """An e-mail of text; `in_reply_to="<a@b>"` becomes its header."""
    named = {re.sub("_", "-", name).title(): value for name, value in headers.items()}
    head = {"From": "Casetrail <support@mail.example>", "To": ANNA, "Subject": "A ticket"} | named
    lines = [f"{name}: {value}" for name, value in head.items()]
    return "\r\n".join([*lines, "Content-Type: text/plain; charset=utf-8", "", text, ""]).encode()


def rich(html: str, text: str = "In text", **headers: str) -> EmailMessage:
    """An e-mail with text and HTML."""
    message = EmailMessage()
    named = {re.sub("_", "-", name).title(): value for name, value in headers.items()}
    head = {"From": "Casetrail <support@mail.example>", "To": ANNA, "Subject": "A ticket"} | named
    for name, value in head.items():
        message[name] = value
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message
