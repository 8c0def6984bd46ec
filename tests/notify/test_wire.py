"""E-mails on the wire, read by a program that is none of ours and not Python: mailparse, in Rust."""

from __future__ import annotations

from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest
from fast_mail_parser import parse_email

from contracts.wording import LANGUAGES, Language
from services.notify.compose import compose
from tests.notify.letters import EMAIL, NOW, REFERENCE, envelope, every_kind

EARLIER = ("<one@mail.example>", "<two@mail.example>")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(every_kind("en")))
def test_another_parser_reads_what_was_meant(kind: str, language: Language) -> None:
    wanted = replace(envelope(language), earlier=EARLIER)
    message = compose(every_kind(language)[kind], wanted)
    read = parse_email(bytes(message))
    assert read.subject == message["Subject"]
    (recipient,), (reply_to,) = read.to, read.reply_to
    assert read.from_ is not None
    assert read.from_.address == wanted.sender.addr_spec
    assert recipient.address == EMAIL
    assert reply_to.address == wanted.reply_to
    headers = {
        name.lower(): [" ".join(value.split()) for value in values] for name, values in read.headers.items()
    }
    assert headers["message-id"] == [wanted.message_id]
    assert headers["in-reply-to"] == [EARLIER[-1]]
    assert headers["references"][0].split()[-2:] == list(EARLIER)
    assert headers["list-unsubscribe"] == [f"<{wanted.preferences}>"]
    assert headers["list-unsubscribe-post"] == ["List-Unsubscribe=One-Click"]
    assert headers["auto-submitted"][0] in {"auto-generated", "auto-replied"}
    assert parsedate_to_datetime(headers["date"][0]) == NOW
    (text,), (html,) = read.text_plain, read.text_html
    parts = {part.get_content_type(): str(part.get_content()) for part in message.iter_parts()}
    assert text.replace("\r\n", "\n") == parts["text/plain"]
    assert html.replace("\r\n", "\n") == parts["text/html"]
    assert REFERENCE in text
    assert read.attachments == []
