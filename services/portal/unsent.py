"""What somebody sent that came to nothing: held on the page of the failure, to be copied and sent again.

Only the sender's own body is shown, and only when a page of ours sent it. What files hold is dropped as it
comes: they are chosen once more.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from services.portal import forms
from services.portal.security import SMALL_BODY, BodyTooLarge, BodyTooSlow

MAX_FIELDS: Final = 200
_TYPED: Final = frozenset({"text", "note", "name", "email", "number", "account"})
"""Fields that people type into, beside the answers to questions; the others they choose, or never see."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """A form, without what its files hold. Files are named by the field that they were chosen in."""

    fields: list[tuple[str, str]]
    files: dict[str, list[str]]

    @property
    def typed(self) -> list[str]:
        """What a person typed, in the order of the form."""
        return [
            value
            for name, value in self.fields
            if (name.startswith("a-") or name in _TYPED) and value.strip() and value not in {"true", "false"}
        ]


def held(form: FormData) -> Unsent:
    """What can be held of a form."""
    files: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) and value.filename:
            files.setdefault(name, []).append(value.filename)
    return Unsent([(name, value) for name, value in form.multi_items() if isinstance(value, str)], files)


async def read(request: Request) -> Unsent | None:
    """What was sent with a request, whether or not its page has come to read it; None: it cannot be held.

    Of what was not read yet, no more than `SMALL_BODY` bytes are kept.
    """
    form = getattr(request.state, "form", None)
    if form is None:
        try:
            form = await _texts(getattr(request.state, "request", request))
        except (MultiPartException, HTTPException, BodyTooLarge, BodyTooSlow, ClientDisconnect):
            return None
    unsent = held(form)
    await form.close()
    return unsent if unsent.fields or unsent.files else None


async def _texts(request: Request) -> FormData:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _Texts(
            request.headers, request.stream(), max_files=forms.MAX_FILES, max_fields=MAX_FIELDS
        ).parse()
    if kind == "application/x-www-form-urlencoded":
        return await FormParser(request.headers, _small(request.stream()), max_fields=MAX_FIELDS).parse()
    return FormData()


async def _small(stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    left = SMALL_BODY
    async for chunk in stream:
        left -= len(chunk)
        if left < 0:
            raise BodyTooLarge
        yield chunk


class _Texts(MultiPartParser):
    """Takes in the texts of a form, and of its files the names."""

    _left = SMALL_BODY

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is not None:
            return
        self._left -= end - start
        if self._left < 0:
            raise BodyTooLarge
        super().on_part_data(data, start, end)
