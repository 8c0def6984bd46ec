"""What people and programs send to the listener: e-mails, handed over by real SMTP."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Final

import aiosmtplib
from aiosmtplib.errors import SMTPResponseException

from contracts.notify.events import AnyNotifyEvent, MailHandledV1
from services.embedded.ports import ReservedPort
from tests.notify.system import System, until

TRUSTED: Final = "mx.casetrail.example"
"""The mail server whose word the listener takes."""


class Post:
    """Hands e-mails over to the listener on a port, and finds out what became of them."""

    def __init__(self, system: System) -> None:
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        self._system = system

    @property
    def settings(self) -> dict[str, Any]:
        """For the service that listens."""
        return {"mail_in_port": self.port, "mail_in_trusted": TRUSTED}

    async def hand_over(self, content: bytes, *, sender: str, recipient: str) -> tuple[int, str]:
        """What the listener answered."""
        try:
            async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False) as client:
                _, answer = await client.sendmail(sender, recipient, content)
        except SMTPResponseException as refused:
            return refused.code, refused.message
        except aiosmtplib.SMTPRecipientsRefused as refused:
            first = refused.recipients[0]
            return first.code, first.message
        return 250, answer

    async def send(self, message: EmailMessage | bytes, *, to: str, sender: str | None = None) -> str:
        """The id under which it was kept."""
        content = message if isinstance(message, bytes) else bytes(message)
        code, words = await self.hand_over(content, sender=_author(message, sender), recipient=to)
        assert code == 250, words
        return words.rpartition(" ")[2]

    async def became(self, received: str) -> MailHandledV1:
        """What is on record of it, once it was handled."""

        async def handled() -> AnyNotifyEvent | None:
            events = await self._system.events(f"events.notify.received.{received}")
            return next((event for event in events if isinstance(event, MailHandledV1)), None)

        found = await until(handled)
        assert isinstance(found, MailHandledV1)
        return found

    def close(self) -> None:
        self._reserved.release()


def _author(message: EmailMessage | bytes, sender: str | None) -> str:
    if sender is not None or isinstance(message, bytes):
        return sender or ""
    return str(message["From"]).rpartition("<")[2].strip(">")


@dataclass(frozen=True)
class Verdict:
    """What the trusted mail server wrote about the sender."""

    dmarc: str = "pass"

    def header(self, sender: str) -> str:
        domain = sender.rpartition("@")[2]
        return f"{TRUSTED}; dmarc={self.dmarc} header.from={domain}"


def answer(
    text: str,
    *,
    sender: str,
    to: str,
    to_mail: EmailMessage | None = None,
    verdict: Verdict | None = Verdict(),
    message_id: str | None = None,
    subject: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> EmailMessage:
    """A person's e-mail, as it comes from the mail server in front of us; an answer to one of ours."""
    message = EmailMessage()
    if verdict is not None:
        message["Authentication-Results"] = verdict.header(sender)
    message["Received"] = f"from out.example by {TRUSTED}; {format_datetime(datetime.now(UTC))}"
    message["From"] = sender
    message["To"] = to
    given = str(to_mail["Subject"]) if to_mail is not None else "Question"
    message["Subject"] = subject or (given if given.startswith("Re:") else f"Re: {given}")
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = message_id or f"<{uuid.uuid4()}@mail.example>"
    if to_mail is not None:
        message["In-Reply-To"] = str(to_mail["Message-ID"])
        message["References"] = f"{to_mail['References'] or ''} {to_mail['Message-ID']}".strip()
    for name, value in (headers or {}).items():
        message[name] = value
    message.set_content(text)
    return message


async def history_of(system: System, number: str) -> dict[str, Any]:
    """The events of a ticket, all that the log holds now."""
    position = await system.caller.last_position()
    return await system.caller.done("history", number=number, at_least=position)


async def texts_of(system: System, number: str) -> list[str]:
    """What stands on a ticket: its message and replies, in order."""
    history = await history_of(system, number)
    contents = [each["event"]["data"].get("content", {}) for each in history["events"]]
    return [content.get("text") or content.get("message") for content in contents if content]
