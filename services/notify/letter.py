"""E-mails as they go out: text and HTML in the reader's language. Pure.

Every e-mail says what it is about in its text part, word for word as in its HTML; nothing is loaded from
anywhere. Headers are made by the standard library, which refuses line breaks in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from types import MappingProxyType
from typing import Final

from contracts.wording import LANGUAGES, Language

_MAX_SUBJECT_CHARACTERS: Final = 200

_HTML: Final = """\
<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{subject}</title></head>
<body style="margin:0;padding:24px 16px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;\
font-size:16px;line-height:1.5">
<div style="max-width:560px;margin:0 auto">
{body}
<p style="margin:32px 0 0;font-size:14px;opacity:.75">{footer}</p>
</div></body></html>
"""
_PARAGRAPH: Final = '<p style="margin:0 0 16px">{text}</p>'
_BUTTON: Final = (
    '<p style="margin:24px 0"><a href="{link}" style="display:inline-block;padding:12px 20px;'
    'background:#0b5c66;color:#ffffff;text-decoration:none;border-radius:6px;font-weight:600">{text}</a></p>'
    '<p style="margin:0 0 16px;font-size:14px;word-break:break-all">{shown}</p>'
)


@dataclass(frozen=True, slots=True)
class _Words:
    subject: str
    greeting: str
    asked: str
    button: str
    until: str
    ignore: str
    reference: str


_CONFIRMATION: Final[Mapping[Language, _Words]] = MappingProxyType(
    {
        "en": _Words(
            subject="Please confirm your request ({reference})",
            greeting="Hello,",
            asked="Somebody has filled in our form for new partners with this e-mail address. "
            "If it was you, please open the link and confirm it there. Only then does it reach our team.",
            button="Confirm the request",
            until="The link is good until {until} UTC.",
            ignore="If it was not you, do nothing: without a confirmation the form is deleted.",
            reference="Reference ID of this e-mail: {reference}",
        ),
        "pl": _Words(
            subject="Potwierdź swoje zgłoszenie ({reference})",
            greeting="Dzień dobry,",
            asked="ktoś wypełnił nasz formularz dla nowych partnerów, podając ten adres e-mail. "
            "Jeśli to Ty, otwórz odnośnik i potwierdź zgłoszenie. "
            "Dopiero wtedy trafi ono do naszego zespołu.",
            button="Potwierdź zgłoszenie",
            until="Odnośnik jest ważny do {until} UTC.",
            ignore="Jeśli to nie Ty, nie rób nic: bez potwierdzenia formularz zostanie usunięty.",
            reference="Identyfikator referencyjny tej wiadomości: {reference}",
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What every e-mail has, whatever it says."""

    sender: Address
    email: str
    message_id: str
    reference: str
    language: str
    at: datetime


def interest_confirmation(envelope: Envelope, *, link: str, until: datetime) -> EmailMessage:
    """Asks whoever filled in the interest form to confirm it."""
    language = spoken(envelope.language)
    words = _CONFIRMATION[language]
    reference = words.reference.format(reference=envelope.reference)
    when = words.until.format(until=f"{until:%Y-%m-%d %H:%M}")
    before, after = (words.greeting, words.asked), (when, words.ignore)
    message = _message(envelope, words.subject.format(reference=envelope.reference))
    message.set_content("\n\n".join([*before, f"{words.button}: {link}", *after, f"-- \n{reference}"]) + "\n")
    body = [_paragraphs(before), _button(link, words.button), _paragraphs(after)]
    message.add_alternative(
        _HTML.format(
            language=language,
            subject=escape(str(message["Subject"])),
            body="\n".join(body),
            footer=escape(reference),
        ),
        subtype="html",
    )
    return message


def spoken(language: str) -> Language:
    """The language that we have words in: the wanted one, or English."""
    return next((each for each in LANGUAGES if each == language), "en")


def _message(envelope: Envelope, subject: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = envelope.sender
    message["To"] = Address(addr_spec=envelope.email)
    message["Subject"] = " ".join(subject.split())[:_MAX_SUBJECT_CHARACTERS]
    message["Date"] = envelope.at
    message["Message-ID"] = envelope.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice should answer
    message["X-Auto-Response-Suppress"] = "All"
    message["Content-Language"] = spoken(envelope.language)
    return message


def _paragraphs(texts: Sequence[str]) -> str:
    return "\n".join(_PARAGRAPH.format(text=escape(text)) for text in texts)


def _button(link: str, text: str) -> str:
    return _BUTTON.format(link=escape(link, quote=True), text=escape(text), shown=escape(link))
