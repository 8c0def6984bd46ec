"""E-mails as they go out: text and HTML that say the same, in the reader's language. Pure.

The HTML is MJML (`templates/mail.mjml.j2`), filled in first and then laid out; it loads nothing from
anywhere. What a person wrote is escaped by the template, and headers are written by the standard library,
which refuses line breaks in them: no title or name can add a header, a tag or a template expression.
"""

from __future__ import annotations

from binascii import b2a_qp
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Final

import mrml
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from contracts.wording import Language
from services.notify import words
from services.notify.marked_up import marked_up
from services.notify.sheets import Sheet, sheet
from services.notify.threading import (
    MAX_SUBJECT_CHARACTERS,
    POLICY,
    cut,
    one_line,
    root_id,
    set_automatic,
    set_conversation,
    set_unsubscribe,
    ticket_subject,
)
from services.notify.updates import AddressFails, ReplyRefused, TicketNews, Unassigned, Update
from services.runtime.ids import derived_id


class AddressNotSupported(ValueError):
    """Its part before the @ is not ASCII, which needs SMTPUTF8 (RFC 6531) all the way to the reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What every e-mail has, whatever it says.

    `earlier` are the Message-IDs of the conversation that this reader has or wrote, oldest first; `reply_to`
    is for answers (`ReplyAddresses`); `preferences` leads to where the reader chooses which e-mails to get.
    """

    sender: Address
    email: str
    message_id: str
    reference: str
    language: str
    at: datetime
    earlier: tuple[str, ...] = ()
    reply_to: str | None = None
    preferences: str | None = None


def compose(update: Update, envelope: Envelope) -> EmailMessage:
    """The e-mail that tells of the update. Its `bytes()` are what goes to the server: ASCII, CRLF.

    Raises:
        AddressNotSupported: it cannot be sent to this address.
        ValueError: a link or address of ours is none.
    """
    language = words.spoken(envelope.language)
    page = sheet(update, language, answerable=envelope.reply_to is not None)
    message = EmailMessage(policy=POLICY)
    _set_head(message, update, envelope, page)
    message["Content-Language"] = language
    message["MIME-Version"] = "1.0"
    # Made of the id: the same e-mail has the same bytes. Quoted-printable cannot hold `=_`.
    boundary = "=_" + derived_id("boundary", envelope.message_id)
    message["Content-Type"] = f'multipart/alternative; boundary="{boundary}"'
    message.attach(_part("plain", _text(page, envelope, language)))
    message.attach(_part("html", _html(page, envelope, language, title=str(message["Subject"]))))
    return message


def _part(subtype: str, text: str) -> EmailMessage:
    """Text in quoted-printable (RFC 2045), not by the standard library's own, which goes letter by letter."""
    part = EmailMessage(policy=POLICY)
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    part["Content-Transfer-Encoding"] = "quoted-printable"
    lines = text.encode().splitlines()  # `b2a_qp` would leave a CR without LF as it is
    part.set_payload(b2a_qp(b"\n".join(lines) + b"\n").decode("ascii"))
    return part


def _set_head(message: EmailMessage, update: Update, envelope: Envelope, page: Sheet) -> None:
    if not envelope.email.isascii():
        raise AddressNotSupported("its part before the @ has letters that are not ASCII")
    message["From"] = envelope.sender
    message["To"] = Address(addr_spec=envelope.email)
    if envelope.reply_to is not None:
        message["Reply-To"] = Address(addr_spec=envelope.reply_to)
    message["Subject"] = _subject(update, envelope, page)
    message["Date"] = envelope.at
    message["Message-ID"] = envelope.message_id
    root = None
    if isinstance(update, _OF_A_TICKET):
        root = root_id(update.number, envelope.sender.domain)
    is_answer = isinstance(update, ReplyRefused | Unassigned)
    answered = update.answered if isinstance(update, ReplyRefused | Unassigned) else None
    earlier = envelope.earlier if answered is None else (*envelope.earlier, answered)
    set_conversation(message, root=root, earlier=earlier)
    set_automatic(message, "auto-replied" if is_answer else "auto-generated")
    if envelope.preferences is not None:
        set_unsubscribe(message, envelope.preferences)


_OF_A_TICKET: Final = (TicketNews, ReplyRefused, AddressFails)


def _subject(update: Update, envelope: Envelope, page: Sheet) -> str:
    if isinstance(update, _OF_A_TICKET):
        return ticket_subject(update.number, update.title, is_first=not envelope.earlier)
    return cut(one_line(page.heading), MAX_SUBJECT_CHARACTERS)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("services.notify"),
        autoescape=select_autoescape(enabled_extensions=("mjml.j2",), disabled_extensions=("txt.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["marked_up"] = marked_up
    return environment


_TEMPLATES: Final = _environment()
_HTML_TEMPLATE: Final = _TEMPLATES.get_template("mail.mjml.j2")
_TEXT_TEMPLATE: Final = _TEMPLATES.get_template("mail.txt.j2")
_FONTS: Final[dict[str, str]] = {}  # mrml would have the page load well-known fonts from the web


def _html(page: Sheet, envelope: Envelope, language: Language, *, title: str) -> str:
    filled_in = _HTML_TEMPLATE.render(page=page, title=title, language=language, **_foot(envelope, language))
    return mrml.to_html(filled_in, render_options=mrml.RenderOptions(fonts=_FONTS)).content


def _text(page: Sheet, envelope: Envelope, language: Language) -> str:
    return _TEXT_TEMPLATE.render(page=page, **_foot(envelope, language))


def _foot(envelope: Envelope, language: Language) -> dict[str, str | None]:
    return {
        "reference_label": words.said(words.REFERENCE, language),
        "reference": envelope.reference,
        "preferences_label": words.said(words.PREFERENCES, language),
        "preferences": envelope.preferences,
        "sender": envelope.sender.display_name,
    }
