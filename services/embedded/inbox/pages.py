"""The pages of the development mailbox: plain HTML, escaped by its templates, that runs nothing.

What an e-mail has for HTML is never part of a page: it is shown in a frame of its own (`MAIL_HEADERS`), which
runs no script, loads nothing, and knows nothing of this mailbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from typing import Final, Literal
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from contracts.wording import LANGUAGES, Language
from services.embedded.inbox import words
from services.embedded.inbox.answer import Said, Server
from services.embedded.inbox.mails import LISTED, Conversation, Mail, Person
from services.embedded.inbox.parts import Contents

Shown = Literal["html", "text", "source"]

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Not no-referrer: browsers would then send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

MAIL_HEADERS: Final = HEADERS | {
    # Links may open a window of their own, which is not in the sandbox; nothing else of a page is allowed.
    "content-security-policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
        "img-src data:; form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
}

FILE_HEADERS: Final = HEADERS | {
    "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
}

SOURCE_SHOWN: Final = 200_000
TEXT_SHOWN: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What stands in the form, and what is wrong with it by field."""

    action: str
    sender: str
    recipient: str
    subject: str
    text: str = ""
    message_id: str
    quote: bool | None = None
    wrong: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The pages in one language. `chosen`: it was asked for in the address, and stays in every link."""

    language: Language
    chosen: bool
    answers: Server | None

    def people(self, people: Sequence[Person], number: int) -> HTMLResponse:
        """Everybody who was written to."""
        return self._page("people", people=people, is_cut=number >= LISTED, limit=LISTED)

    def inbox(self, address: str, conversations: Sequence[Conversation]) -> HTMLResponse:
        """What one person got."""
        return self._page("inbox", address=address, conversations=conversations)

    def mail(
        self, mail: Mail, contents: Contents, source: bytes, shown: Shown, others: Conversation, draft: Draft
    ) -> HTMLResponse:
        """One e-mail, and the form to answer it."""
        return self._page(
            "mail",
            mail=mail,
            contents=contents,
            text=(contents.text or "")[:TEXT_SHOWN],
            source=source[:SOURCE_SHOWN].decode("utf-8", "replace").replace("\0", "\ufffd"),
            is_cut=len(source) > SOURCE_SHOWN,
            shown=shown,
            others=others,
            draft=draft,
        )

    def write(self, draft: Draft, *, status: int = 200) -> HTMLResponse:
        """The form for a new e-mail, or for one whose form was not in order."""
        return self._page("write", status=status, draft=draft)

    def said(self, said: Said, draft: Draft, back: str) -> HTMLResponse:
        """What the server answered; if it did not take the e-mail, with the text to be sent again."""
        if said.is_accepted:
            heading, status = "sent", 200
        elif said.code is None:
            heading, status = "nobody_there", 503
        elif 400 <= said.code < 500:
            heading, status = "not_sent_now", 503
        else:
            heading, status = "not_sent", 422
        told = words.said(heading, self.language)
        return self._page("said", status=status, said=said, heading=told, draft=draft, back=back)

    def problem(self, name: str, status: int, **data: object) -> HTMLResponse:
        """Why there is nothing to see, or nothing was done."""
        return self._page("problem", status=status, told=words.said(name, self.language, **data))

    def path(self, *segments: str, **query: str) -> str:
        """The address of a page here."""
        if self.chosen:
            query["lang"] = self.language
        path = "/" + "/".join(quote(segment, safe="@+-._") for segment in segments)
        return f"{path}?{urlencode(query)}" if query else path

    def _page(self, template: str, *, status: int = 200, **data: object) -> HTMLResponse:
        html = _TEMPLATES.get_template(f"{template}.html.j2").render(
            say=words.spoken(self.language),
            language=self.language,
            languages=LANGUAGES,
            path=self.path,
            moment=partial(words.moment, language=self.language),
            size=partial(words.size, language=self.language),
            count=partial(words.mails, language=self.language),
            answers=self.answers,
            **data,
        )
        headers = HEADERS | {"content-language": self.language}
        return HTMLResponse(html, status_code=status, headers=headers)


def mail_body(html: str) -> HTMLResponse:
    """The HTML of an e-mail as it is; the headers keep it from doing anything."""
    return HTMLResponse(html, headers=MAIL_HEADERS)


def download(name: str, content: bytes) -> Response:
    """A file to be kept, never shown: whatever it claims to be, the browser is told that it is only bytes."""
    plain = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "_" for each in name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    headers = FILE_HEADERS | {"content-disposition": disposition}
    return Response(content, media_type="application/octet-stream", headers=headers)


def style_sheet() -> Response:
    """How the pages look."""
    return Response(_STYLE, media_type="text/css", headers=HEADERS)


_TEMPLATES: Final = Environment(
    loader=PackageLoader("services.embedded.inbox"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_STYLE: Final = (resources.files(__package__ or "") / "templates" / "style.css").read_text(encoding="utf-8")
