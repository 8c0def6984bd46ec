"""Putting what came by e-mail on a ticket, in the name of whoever wrote it.

The tickets service decides whether it may, as for everybody. The command's id follows from the e-mail, so
that a second attempt, or a copy of the e-mail, has the first one's effect and no other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from nats.aio.client import Client

from contracts.attachments.files import MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS
from contracts.client import Attachments, Malformed, Refused, Tickets
from contracts.envelope import Via
from contracts.requests import SentActor
from contracts.text import MAX_BODY_BYTES
from contracts.tickets.events import RepliedV1
from contracts.tickets.requests import CommandDone, ReplyToTicket
from contracts.wording import Language
from services.files.sniff import safe_name
from services.notify import words
from services.notify.threading import cut
from services.runtime.errors import Unavailable

TIMEOUT_S: Final = 15.0

LONGEST_TEXT_BYTES: Final = MAX_BODY_BYTES - 8 * 1024
"""What is longer goes into a file; the rest is for what we say about it."""

TEXT_FILE: Final = "e-mail.txt"

_TOO_MUCH_FOR_NOW: Final = "upload_too_much"
"""A refusal of this hour: the next one will take the file."""

_NOT_IN_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MAX_NAMED: Final = 20
_MAX_NAME_CHARACTERS: Final = 60

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class File:
    """A file that came with an e-mail."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is to be put on a ticket. `key` is the same for copies of one e-mail; `via` how it got there."""

    key: str
    account: str
    number: str
    actor: SentActor
    text: str
    files: Sequence[File]
    language: Language
    via: Via = Via.EMAIL


class Replies:
    """Writes replies by requests to the services that take them."""

    def __init__(self, nc: Client) -> None:
        """`nc` is a connection whose user may speak for people (`notify-requests`)."""
        self._tickets = Tickets(nc, timeout_s=TIMEOUT_S)
        self._attachments = Attachments(nc, timeout_s=TIMEOUT_S)

    async def put(self, message: Message) -> CommandDone:
        """The reply, on record now or before.

        Files that are not taken are named in its text; the e-mail itself is kept in any case.

        Raises:
            contracts.client.Refused: the ticket takes no reply, or none of theirs.
            contracts.client.RequestFailed, Unavailable: it cannot be done now.
        """
        text, files = _fitting(cleaned(message.text), message)
        ids: list[str] = []
        left: list[str] = []
        for at, file in enumerate(files):
            if len(ids) == MAX_ATTACHMENTS or not 0 < len(file.content) <= MAX_ATTACHMENT_BYTES:
                left.append(safe_name(file.name))
                continue
            try:
                ids.append(await self._upload(file, at, message))
            except (Refused, Malformed) as refused:
                if refused.reply.code == _TOO_MUCH_FOR_NOW:
                    raise Unavailable(refused.reply.code) from refused
                log.info("mail.file_left", reason=refused.reply.code)
                left.append(safe_name(file.name))
        if not text:
            text = words.said(words.NO_TEXT, message.language)
        if left:
            text += "\n\n" + words.said(words.FILES_LEFT, message.language, files=_named(left))
        return await self._tickets.reply(
            ReplyToTicket(
                command_id=command_id(message),
                account=message.account,
                actor=message.actor,
                via=message.via,
                number=message.number,
                text=text,
                attachments=tuple(ids),
            )
        )

    async def _upload(self, file: File, at: int, message: Message) -> str:
        attachment = await self._attachments.upload(
            safe_name(file.name),
            file.content,
            upload=f"mail.{message.key}.{at}",
            account=message.account,
            actor=message.actor,
        )
        return attachment.id


def command_id(message: Message) -> str:
    """Of the reply: the same for every attempt, and for copies of the e-mail."""
    return f"mail.{message.key}"


def digest(message: Message) -> str:
    """Of what a message says and brings along, as it came."""
    found = hashlib.sha256(cleaned(message.text).encode())
    for file in message.files:
        found.update(hashlib.sha256(file.content).digest())
    return found.hexdigest()


def says(message: Message, event: RepliedV1) -> bool:
    """Whether an event is what was made of the message, with whichever of its files were taken."""
    text, files = _fitting(cleaned(message.text), message)
    shown = text or words.said(words.NO_TEXT, message.language)
    content = event.data.content
    brought = {hashlib.sha256(file.content).hexdigest() for file in files}
    is_text = content.text == shown or content.text.startswith(f"{shown}\n\n[")
    return is_text and {each.sha256 for each in content.attachments} <= brought


def cleaned(text: str) -> str:
    """The text as a reply may hold it: without control characters, and blank lines around it."""
    return _NOT_IN_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip("\n ").rstrip()


def _fitting(text: str, message: Message) -> tuple[str, list[File]]:
    """The text, or as much of it as a reply can hold, and then all of it as the first file."""
    whole = text.encode()
    if len(whole) <= LONGEST_TEXT_BYTES:
        return text, list(message.files)
    beginning = whole[:LONGEST_TEXT_BYTES].decode("utf-8", "ignore")
    said = words.said(words.WHOLE_TEXT, message.language, file=TEXT_FILE)
    return f"{beginning}…\n\n{said}", [File(TEXT_FILE, whole), *message.files]


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(cut(name, _MAX_NAME_CHARACTERS) for name in names[:_MAX_NAMED])
    return shown if len(names) <= _MAX_NAMED else f"{shown} (+{len(names) - _MAX_NAMED})"
