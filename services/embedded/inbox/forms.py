"""Forms as browsers send them, with files (RFC 7578), read within a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from starlette.requests import ClientDisconnect, Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from services.embedded.inbox.parts import Attachment

MAX_BYTES: Final = 30 << 20
"""More than a mail server usually takes, so that a refusal for its size can be seen."""

MAX_TEXT: Final = 2 << 20
MAX_FIELDS: Final = 40


class FormTooLarge(Exception):
    """It has more than MAX_BYTES, MAX_TEXT in a field, or MAX_FIELDS fields and files."""


class FormMalformed(Exception):
    """It is no form, or did not arrive whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The first value of each field, and the files that were chosen."""

    fields: Mapping[str, str]
    files: tuple[Attachment, ...]


async def read_form(request: Request) -> Form:
    """The form of a POST. Raises FormTooLarge, FormMalformed."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:
                raise FormTooLarge
    except ClientDisconnect:
        raise FormMalformed from None
    return await asyncio.to_thread(_parsed, bytes(body), request.headers.get("content-type", ""))


def _in_memory(
    total_content_length: int | None,
    content_type: str | None,
    filename: str | None,
    content_length: int | None = None,
) -> BytesIO:
    """Where a file goes while it is read: the form is in memory already."""
    return BytesIO()


def _parsed(body: bytes, content_type: str) -> Form:
    kind, options = parse_options_header(content_type)
    if kind not in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        raise FormMalformed
    parser = FormDataParser(
        stream_factory=_in_memory,
        silent=False,
        max_form_memory_size=MAX_TEXT,
        max_form_parts=MAX_FIELDS,
    )
    try:
        _, fields, files = parser.parse(BytesIO(body), kind, len(body), options)
    except RequestEntityTooLarge:
        raise FormTooLarge from None
    except ValueError:
        raise FormMalformed from None
    chosen = [file for _, file in files.items(multi=True) if file.filename]
    return Form(
        fields=fields.to_dict(),
        files=tuple(
            Attachment(name=each.filename or "", media_type=each.mimetype, content=each.read())
            for each in chosen
        ),
    )
