"""What a person writes back from the mailbox: composed as a mail client composes it, sent by real SMTP.

It is written with the older part of the standard library and not with what notify writes its e-mails with:
what comes in should not be only what our own writing would make.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from datetime import datetime
from email import encoders, policy
from email.charset import QP, Charset
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime
from html import escape
from typing import Final

import aiosmtplib
import nh3
from aiosmtplib.errors import SMTPException, SMTPResponseException

from contracts.wording import Language
from services.embedded.inbox.mails import is_answer
from services.embedded.inbox.parts import Attachment, Contents, Head, words_of

VOUCHES_AS: Final = "mailbox.casetrail.example"
"""The name (`authserv-id`) under which the development mailbox says that senders are who they say."""

STEP_S: Final = 30.0
WHOLE_S: Final = 60.0

_ADDRESS: Final = re.compile(r"[!#-'*+\-/-9=?A-Z^-~.]{1,64}@[A-Za-z0-9.-]{1,190}")
_MEDIA_TYPE: Final = re.compile(
    r"(application|audio|font|image|model|text|video)/[a-z0-9][a-z0-9!#$&^_.+-]{0,99}"
)
_POLICY: Final = policy.compat32.clone(linesep="\r\n")
_UTF_8: Final = Charset("utf-8")
_UTF_8.body_encoding = QP


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The SMTP listener that takes what people write."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the server said; without a code it was not to be reached, or broke off."""

    code: int | None
    words: str

    @property
    def is_accepted(self) -> bool:
        return self.code is not None and 200 <= self.code < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An e-mail as it was written into the form. `message_id` stays the same when it is sent again."""

    sender: str
    recipient: str
    subject: str
    text: str
    message_id: str
    files: tuple[Attachment, ...] = ()


def is_address(text: str) -> bool:
    """Whether an e-mail can be sent from or to it: ASCII, without a name around it."""
    return _ADDRESS.fullmatch(text) is not None


def answered_at(head: Head) -> str:
    """The address that an answer goes to: Reply-To, else From (RFC 5322, section 3.6.2); may be empty."""
    return next((each.address for each in (*head.reply_to, *head.senders) if each.address), "")


def answer_subject(head: Head) -> str:
    """The subject of an answer: `Re:` before it, but only once."""
    return head.subject if is_answer(head.subject) else f"Re: {head.subject}".strip()


def compose(
    written: Written,
    *,
    at: datetime,
    language: Language,
    answered: Head | None = None,
    quoted: Contents | None = None,
) -> bytes:
    """The e-mail, with CRLF. `answered` is what it answers, `quoted` what stands below its text."""
    text, html = written.text, _paragraphs(written.text)
    if quoted is not None:
        attribution = _attribution(quoted.head, language)
        text += f"\n\n{attribution}\n{_quoted_text(quoted)}\n"
        html += f'<div class="cite-prefix">{escape(attribution)}</div>{_quoted_html(quoted)}'
    body: Message = MIMEMultipart("alternative")
    body.attach(MIMEText(text, "plain", _UTF_8))  # type: ignore[arg-type]  # a Charset, as its docs say
    body.attach(MIMEText(f"<html><body>{html}</body></html>", "html", _UTF_8))  # type: ignore[arg-type]
    if written.files:
        alternative, body = body, MIMEMultipart("mixed")
        for part in (alternative, *map(_attached, written.files)):
            body.attach(part)
    body["From"] = written.sender
    body["To"] = written.recipient
    body["Subject"] = " ".join(written.subject.split())
    body["Date"] = format_datetime(at)
    body["Message-ID"] = written.message_id
    if answered is not None and answered.message_id is not None:
        body["In-Reply-To"] = answered.message_id
        body["References"] = " ".join(_references(answered, answered.message_id))
    return body.as_bytes(policy=_POLICY)


def vouched_for(message: bytes, sender: str) -> bytes:
    """The e-mail with what a mail server writes on top of one whose sender it has checked (RFC 8601).

    Here everybody is who they say, as at the development sign-in.
    """
    domain = sender.rpartition("@")[2]
    found = f"Authentication-Results: {VOUCHES_AS}; dmarc=pass header.from={domain}\r\n"
    return found.encode("ascii", "replace") + message


async def hand_over(message: bytes, *, sender: str, recipient: str, server: Server) -> Said:
    """Send it; the envelope's sender is the person. What went wrong is in the answer: nothing is raised."""
    client = aiosmtplib.SMTP(
        hostname=server.host, port=server.port, timeout=STEP_S, start_tls=False, local_hostname="localhost"
    )
    try:
        async with asyncio.timeout(WHOLE_S):
            await client.connect()
            await client.ehlo()
            sized = [f"size={len(message)}"] if client.supports_extension("size") else []
            await client.mail(sender, options=sized)
            await client.rcpt(recipient)
            answer = await client.data(message)
            said = Said(code=answer.code, words=answer.message)
            with contextlib.suppress(SMTPException, OSError):  # it has the e-mail, and has said so
                await client.quit(timeout=1)
            return said
    except SMTPResponseException as refused:
        return Said(code=refused.code, words=refused.message)
    except (SMTPException, OSError, TimeoutError) as error:
        return Said(code=None, words=f"{type(error).__name__}: {error}")
    finally:
        client.close()


def _references(answered: Head, message_id: str) -> tuple[str, ...]:
    """Those of what is answered, then itself (RFC 5322, section 3.6.4)."""
    earlier = answered.references
    if not earlier and len(answered.in_reply_to) == 1:
        earlier = answered.in_reply_to
    return (*(each for each in earlier if each != message_id), message_id)


def _attribution(head: Head, language: Language) -> str:
    """The line above the quotation, as Thunderbird has it in the two languages."""
    sender = head.senders[0] if head.senders else None
    who = (sender.name or sender.address) if sender else "?"
    date = head.date.astimezone() if head.date else None
    if language == "pl":
        return f"W dniu {date:%d.%m.%Y} o {date:%H:%M}, {who} pisze:" if date else f"{who} pisze:"
    return f"On {date:%d/%m/%Y} {date:%H:%M}, {who} wrote:" if date else f"{who} wrote:"


def _quoted_text(contents: Contents) -> str:
    lines = (_text_of(contents)).rstrip().split("\n")
    return "\n".join(f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in lines)


def _quoted_html(contents: Contents) -> str:
    quoted = nh3.clean(contents.html) if contents.html is not None else _paragraphs(contents.text or "")
    return f'<blockquote type="cite">{quoted}</blockquote>'


def _text_of(contents: Contents) -> str:
    if contents.text is not None or contents.html is None:
        return contents.text or ""
    return words_of(contents.html)


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(each).replace(chr(10), '<br>')}</p>" for each in text.split("\n\n"))


def _attached(file: Attachment) -> MIMEBase:
    kind = file.media_type if _MEDIA_TYPE.fullmatch(file.media_type) else "application/octet-stream"
    part = MIMEBase(*kind.split("/", 1))
    part.set_payload(file.content)
    encoders.encode_base64(part)
    name = " ".join(file.name.split())
    written = name if name.isascii() else ("utf-8", "", name)  # RFC 2231
    part.add_header("Content-Disposition", "attachment", filename=written)
    return part
