"""Forms that come in: their fields, and what is wrong with them in the visitor's language."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from contracts import wording
from contracts.client import RequestFailed
from contracts.wording import Language

REUSED: Final = "command_id_reused"
"""The refusal of a form that was changed after it had arrived: it needs a new id."""
MAX_FILES: Final = 1000
"""More than anybody chooses: what is too much for a message is told at its field, with the text kept."""
MAX_FIELDS: Final = 1000
MAX_TEXT: Final = 8 * 1024 * 1024
"""Bytes of one field: what is too long is told at the field too, and what is longer than this is no text."""

_COMMAND_ID: Final = re.compile(r"[0-9a-f]{32}")


async def sent(request: Request) -> FormData:
    """What was sent, read once for each request; `Site` closes its files.

    Raises:
        HTTPException: 400, it is no form.
        BodyTooLarge: it is larger than its page takes.
    """
    form = await request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_TEXT)
    request.state.form = form  # for the page of a failure
    return form


def new_command_id() -> str:
    """An id for the command that a form will send: sent twice, it has one effect."""
    return secrets.token_hex(16)


def command_id_of(first: str, *said: str) -> str:
    """The id of a form's command with what it says: said otherwise, it is another command."""
    return hashlib.sha256("\0".join((first, *said)).encode(errors="replace")).hexdigest()[:32]


def second_command_id(first: str) -> str:
    """The id of the second command of a form that does two; it follows from the first's."""
    return hashlib.sha256(f"second\0{first}".encode()).hexdigest()[:32]


@dataclass(slots=True)
class Problems:
    """What is wrong, by the field that it is about; `""` is the form as a whole."""

    language: Language
    by_field: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_field)

    def add(self, name: str, message: str) -> None:
        """The first problem of a field is told."""
        self.by_field.setdefault(name, message)

    def add_invalid(self, invalid: ValidationError, labels: Mapping[str, str]) -> None:
        """Fields that break rules of a request; `labels` are their names for people, by their first part."""
        for error in invalid.errors(include_url=False, include_input=False):
            name = str(error["loc"][0]) if error["loc"] else ""
            rule = wording.rule(error["type"], error.get("ctx", {}), self.language)
            self.add(name, f"{labels.get(name, name)}: {rule}.")

    def add_failed(self, name: str, failed: RequestFailed) -> None:
        """What a service said."""
        reply = failed.reply
        for broken in reply.fields:
            self.add(name, f"{wording.rule(broken.rule, broken.data, self.language)}.")
        if not reply.fields:
            self.add(name, wording.refusal(reply.code, reply.data, self.language))


def text(form: FormData, name: str) -> str:
    """A field's text, with the line ends of Unix; empty if there is none, or a file in its place."""
    value = form.get(name)
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def texts(form: FormData, name: str) -> list[str]:
    """All texts of a field that may stand there several times."""
    return [value for value in form.getlist(name) if isinstance(value, str)]


def command_id(form: FormData) -> str:
    """The id that the form was made with; a new one if somebody has changed it to something else."""
    sent = text(form, "command_id")
    return sent if _COMMAND_ID.fullmatch(sent) else new_command_id()


def files(form: FormData, name: str) -> list[UploadFile]:
    """The files that were chosen. Browsers send one without a name where none was."""
    return [value for value in form.getlist(name) if isinstance(value, UploadFile) and value.filename]
