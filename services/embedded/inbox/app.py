"""The web application of the development mailbox: who got which e-mails, and answers to them.

It is for the person at this machine. A page elsewhere can neither read it under a name of its own (the Host
must be this machine's) nor send anything with its forms (same-origin only).
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.wording import LANGUAGES, Language
from services.embedded.inbox import pages, words
from services.embedded.inbox.answer import (
    Server,
    Written,
    answer_subject,
    answered_at,
    compose,
    hand_over,
    is_address,
    vouched_for,
)
from services.embedded.inbox.forms import MAX_BYTES, Form, FormMalformed, FormTooLarge, read_form
from services.embedded.inbox.mails import Conversation, Mail, Shelf, conversations, people
from services.embedded.inbox.pages import Draft, Pages, Shown
from services.embedded.inbox.parts import Contents, taken_apart
from services.signin.origins import is_from_own_page
from services.signin.words import preferred_language

HOSTS: Final = ("127.0.0.1", "localhost")

_MESSAGE_ID: Final = re.compile(r"<[0-9a-f]{32}@[A-Za-z0-9.-]{1,190}>")
_OF_STATUS: Final[Mapping[int, str]] = {403: "not_from_here", 404: "not_there", 400: "malformed"}

log = structlog.get_logger()


def application(directory: Path, answers: Server | None) -> Starlette:
    """The pages over the e-mails of a directory; `answers` takes what people write, None: nothing does."""
    inbox = _Inbox(directory, answers)
    return Starlette(
        routes=[
            Route("/", inbox.people),
            Route("/style.css", lambda _request: pages.style_sheet()),
            Route("/people/{address:path}", inbox.person),
            Route("/mails/{mail}", inbox.mail),
            Route("/mails/{mail}/body", inbox.body),
            Route("/mails/{mail}/source", inbox.source),
            Route("/mails/{mail}/attachments/{number:int}", inbox.attachment),
            Route("/mails/{mail}/answer", inbox.answer, methods=["POST"]),
            Route("/write", inbox.write, methods=["GET"]),
            Route("/write", inbox.send, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)],
        exception_handlers={
            HTTPException: inbox.refused,
            FormTooLarge: inbox.too_large,
            FormMalformed: inbox.malformed,
            OSError: inbox.unreadable,
        },
    )


class _Inbox:
    """The handlers. Those that only read are plain functions, which Starlette runs beside the loop."""

    def __init__(self, directory: Path, answers: Server | None) -> None:
        self._shelf = Shelf(directory)
        self._answers = answers

    # Reading

    def people(self, request: Request) -> Response:
        mails = self._shelf.mails()
        return self._pages(request).people(people(mails), len(mails))

    def person(self, request: Request) -> Response:
        address = str(request.path_params["address"]).lower()
        theirs = self._of(address)
        if not theirs:
            raise HTTPException(404)
        return self._pages(request).inbox(address, conversations(theirs))

    def mail(self, request: Request) -> Response:
        mail, source = self._found(request)
        contents = taken_apart(source)
        here = self._pages(request)
        return here.mail(
            mail,
            contents,
            source,
            _shown(request, contents),
            self._conversation(mail),
            _answer_draft(mail, here),
        )

    def body(self, request: Request) -> Response:
        _, source = self._found(request)
        html = taken_apart(source).html
        if html is None:
            raise HTTPException(404)
        return pages.mail_body(html)

    def source(self, request: Request) -> Response:
        mail, source = self._found(request)
        return pages.download(f"{mail.id}.eml", source)

    def attachment(self, request: Request) -> Response:
        _, source = self._found(request)
        attachments = taken_apart(source).attachments
        number = int(request.path_params["number"])
        if not 1 <= number <= len(attachments):
            raise HTTPException(404)
        return pages.download(attachments[number - 1].name, attachments[number - 1].content)

    # Writing

    def write(self, request: Request) -> Response:
        here = self._pages(request)
        sender = request.query_params.get("from", "")
        theirs = self._of(sender.lower()) if sender else ()
        draft = Draft(
            action=here.path("write"),
            sender=sender,
            recipient=theirs[0].sender.address if theirs else "",
            subject="",
            message_id=_new_message_id(sender),
        )
        return here.write(draft)

    async def send(self, request: Request) -> Response:
        here = self._pages(request)
        form = await self._form(request)
        draft = _draft(form, here.path("write"), sender=form.fields.get("from", "").strip())
        written = _written(draft, form, here.language)
        if not isinstance(written, Written):
            return here.write(written, status=422)
        message = await asyncio.to_thread(compose, written, at=datetime.now(UTC), language=here.language)
        has_inbox = await asyncio.to_thread(self._of, written.sender.lower())
        back = here.path("people", written.sender) if has_inbox else here.path()
        return await self._hand_over(here, message, draft, back)

    async def answer(self, request: Request) -> Response:
        here = self._pages(request)
        form = await self._form(request)
        mail, source = await asyncio.to_thread(self._found, request)
        draft = _draft(form, here.path("mails", mail.id, "answer"), sender=mail.person, is_answer=True)
        written = _written(draft, form, here.language)
        if not isinstance(written, Written):
            return here.write(written, status=422)
        contents = await asyncio.to_thread(taken_apart, source)
        message = await asyncio.to_thread(
            compose,
            written,
            at=datetime.now(UTC),
            language=here.language,
            answered=contents.head,
            quoted=contents if draft.quote else None,
        )
        return await self._hand_over(here, message, draft, here.path("mails", mail.id))

    # Between the two

    async def _form(self, request: Request) -> Form:
        """The form, once it is known to come from a page of ours. Raises HTTPException."""
        if not is_from_own_page(request.headers, f"http://{request.headers['host']}"):
            raise HTTPException(403)
        return await read_form(request)

    async def _hand_over(self, here: Pages, message: bytes, draft: Draft, back: str) -> Response:
        if self._answers is None:
            return here.problem("nothing_takes_answers", 503)
        message = vouched_for(message, draft.sender)
        said = await hand_over(message, sender=draft.sender, recipient=draft.recipient, server=self._answers)
        log.info("mailbox.answered", code=said.code, size=len(message))
        return here.said(said, draft, back)

    # What did not work

    def refused(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._pages(request).problem(_OF_STATUS.get(status, "not_so"), status)

    def too_large(self, request: Request, _error: Exception) -> Response:
        response = self._pages(request).problem("too_large", 413, limit=MAX_BYTES >> 20)
        response.headers["connection"] = "close"  # the rest of the form is not read
        return response

    def malformed(self, request: Request, _error: Exception) -> Response:
        return self._pages(request).problem("malformed", 400)

    def unreadable(self, request: Request, error: Exception) -> Response:
        log.error("mailbox.unreadable", reason=str(error))
        return self._pages(request).problem("unreadable", 503)

    # What a request is about

    def _pages(self, request: Request) -> Pages:
        asked = request.query_params.get("lang")
        chosen = asked in LANGUAGES
        language = (
            cast("Language", asked) if chosen else preferred_language(request.headers.get("accept-language"))
        )
        return Pages(language=language, chosen=chosen, answers=self._answers)

    def _found(self, request: Request) -> tuple[Mail, bytes]:
        identifier = str(request.path_params["mail"])
        mail, source = self._shelf.mail(identifier), self._shelf.source(identifier)
        if mail is None or source is None:
            raise HTTPException(404)
        return mail, source

    def _of(self, address: str) -> tuple[Mail, ...]:
        return tuple(mail for mail in self._shelf.mails() if mail.person == address)

    def _conversation(self, mail: Mail) -> Conversation:
        for conversation in conversations(self._of(mail.person)):
            if any(each.id == mail.id for each in conversation.mails):
                return conversation
        return Conversation(mails=(mail,))  # older than what is listed


def _shown(request: Request, contents: Contents) -> Shown:
    asked = request.query_params.get("show")
    if asked == "source" or (asked == "text" and contents.text is not None):
        return cast("Shown", asked)
    return "html" if contents.html is not None else "text"


def _answer_draft(mail: Mail, here: Pages) -> Draft:
    return Draft(
        action=here.path("mails", mail.id, "answer"),
        sender=mail.person,
        recipient=answered_at(mail.head),
        subject=answer_subject(mail.head),
        message_id=_new_message_id(mail.person),
        quote=True,
    )


def _new_message_id(sender: str) -> str:
    """In the sender's domain, as mail programs make them."""
    domain = sender.rpartition("@")[2] if is_address(sender) else "localhost"
    return f"<{uuid.uuid4().hex}@{domain}>"


def _draft(form: Form, action: str, *, sender: str, is_answer: bool = False) -> Draft:
    """What was written. The id is the one that the form was given, so that sending it again repeats it."""
    asked = form.fields.get("message_id", "")
    return Draft(
        action=action,
        sender=sender,
        recipient=form.fields.get("to", "").strip(),
        subject=form.fields.get("subject", "").strip(),
        text=form.fields.get("text", "").replace("\r\n", "\n"),
        message_id=asked if _MESSAGE_ID.fullmatch(asked) else _new_message_id(sender),
        quote=form.fields.get("quote") == "yes" if is_answer else None,
    )


def _written(draft: Draft, form: Form, language: Language) -> Written | Draft:
    """The e-mail; or the draft again with what is wrong in it."""
    wrong = {
        name: words.said("wrong_address" if value else "needed", language)
        for name, value in (("from", draft.sender), ("to", draft.recipient))
        if not is_address(value)
    }
    if not draft.text.strip() and not form.files:
        wrong["text"] = words.said("needed", language)
    if wrong:
        return replace(draft, wrong=wrong)
    return Written(
        sender=draft.sender,
        recipient=draft.recipient,
        subject=draft.subject,
        text=draft.text,
        message_id=draft.message_id,
        files=form.files,
    )
