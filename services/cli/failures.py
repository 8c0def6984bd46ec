"""How a command ends that did not do what it was asked: what is said, and the exit code.

    Failure     found by the command line itself, with its sentence from `words`
    contracts.client.RequestFailed, contracts.follow.FollowError, BrokerUnavailable...   see `_explain`

With `--json`, one object on standard error: `{"error": {kind, status, code, message, data, fields}}`, where
`fields` name options as they are typed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from contracts import wording
from contracts.client import NotFound, RequestFailed
from contracts.errors import ErrorKind, ErrorReply, FieldError
from contracts.follow import BeyondTheEnd, FollowError
from contracts.number import shown
from contracts.subscribe import HistoryGap
from services.backup.errors import BackupError, BackupFailed
from services.cli import words
from services.cli.exit_codes import ExitCode
from services.runtime.connection import BrokerUnavailable
from services.runtime.errors import broken_fields
from services.runtime.settings import SettingsInvalid

ModelT = TypeVar("ModelT", bound=BaseModel)
Data = dict[str, str | int | float | bool]

_CREDENTIALS_REFUSED: Final = re.compile(
    r"nats: '?(authorization|(account |user )?authentication)", re.IGNORECASE
)
"""What the server says to keys, tokens and passwords that it does not (or no longer) take."""

INTERRUPTED: Final = 130
"""As shells report a process that Ctrl-C ended."""

_OPTIONS: Final = {
    "actor": "--as",
    "as_of_position": "--position",
    "as_of_revision": "--revision",
    "identifiers": "--identifier",
    "languages": "--language",
    "message": "--text",
    "letters": "LETTER",
    "number": "NUMBER",
    "value": "VALUE",
}
_EXIT_CODES: Final = {
    ErrorKind.REFUSED: ExitCode.REFUSED,
    ErrorKind.MALFORMED: ExitCode.USAGE,
    ErrorKind.UNAVAILABLE: ExitCode.UNAVAILABLE,
    ErrorKind.INTERNAL: ExitCode.FAULT,
}


class Failure(Exception):
    """A command cannot be carried out; `reply` says why as a service would, in the person's language."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.message)
        self.reply = reply


def malformed(option: str, rule: str, **data: str | int) -> Failure:
    """An option breaks a rule that has its sentence in `words`."""
    broken = FieldError(field=option, rule=rule, message=words.say(rule, **data), data=dict(data))
    return Failure(_malformed(broken))


def not_utf8(option: str, error: UnicodeDecodeError) -> Failure:
    """An option whose bytes are not UTF-8."""
    return malformed(option, "not_utf8", at=error.start + 1, byte=f"{error.object[error.start]:02X}")


def failed(kind: ErrorKind, status: int, code: str, **data: str | int) -> Failure:
    """Anything else; the code has its sentence in `words`."""
    spoken = {**data, "number": shown(str(data["number"]))} if "number" in data else data
    message = words.say(code, **spoken)
    return Failure(ErrorReply(kind=kind, status=status, code=code, message=message, data=dict(data)))


def checked(model: type[ModelT], **values: object) -> ModelT:
    """The model, of values as they were typed (None: not given). Raises Failure with every broken rule."""
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        _check_utf8(_option(name), value)
    try:
        return model.model_validate(given, strict=False)
    except ValidationError as error:
        raise Failure(_malformed(*map(_as_typed, broken_fields(error)))) from None


def run(work: Coroutine[Any, Any, None], *, as_json: bool, command_id: str | None = None) -> None:
    """Carry out a command. Raises typer.Exit with its code unless it is done."""
    try:
        try:
            asyncio.run(work)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # nobody reads any more (`| head`): what was wanted was had
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit must not fail
    except (
        RequestFailed,
        Failure,
        FollowError,
        HistoryGap,
        BrokerUnavailable,
        SettingsInvalid,
        BackupError,
    ) as error:
        reply = _explain(error)
        _tell(reply, as_json=as_json, command_id=command_id)
        raise typer.Exit(_exit_code(error, reply)) from None


def _explain(error: Exception) -> ErrorReply:
    match error:
        case Failure():
            return error.reply
        case RequestFailed():
            return _in_words(error.reply)
        case HistoryGap():
            about: Data = {
                "number": error.ticket,
                "expected": error.expected,
                "found": error.found,
                "position": error.position,
            }
            message = words.say("history_gap", **{**about, "number": shown(error.ticket)})
            return ErrorReply(
                kind=ErrorKind.INTERNAL, status=500, code="history_gap", message=message, data=about
            )
        case BackupFailed():
            return failed(ErrorKind.UNAVAILABLE, 503, error.code, **error.data).reply
        case BackupError():
            return failed(ErrorKind.REFUSED, 409, error.code, **error.data).reply
        case SettingsInvalid():
            return failed(ErrorKind.MALFORMED, 400, "settings_invalid", reason=str(error)).reply
        case BeyondTheEnd():
            return malformed("--position", "beyond_the_end", last=error.last).reply
        case FollowError():
            return failed(ErrorKind.UNAVAILABLE, 503, "cannot_follow", reason=str(error)).reply
        case BrokerUnavailable() if _CREDENTIALS_REFUSED.search(str(error)):
            return failed(ErrorKind.UNAVAILABLE, 503, "credentials_refused", reason=str(error)).reply
        case _:
            return failed(ErrorKind.UNAVAILABLE, 503, "no_connection", reason=str(error)).reply


def _exit_code(error: Exception, reply: ErrorReply) -> ExitCode:
    if isinstance(error, NotFound) or reply.status == 404:
        return ExitCode.NOT_FOUND
    return _EXIT_CODES[reply.kind]


def _in_words(reply: ErrorReply) -> ErrorReply:
    """A service's answer in the person's language, its fields by the names of options."""
    message = wording.refusal(reply.code, reply.data, words.language())
    if reply.code == "unavailable":  # any other reason was named by a service that runs
        message = f"{message} {words.say('check_service')}"
    return reply.model_copy(update={"message": message, "fields": tuple(map(_as_typed, reply.fields))})


def _as_typed(broken: FieldError) -> FieldError:
    message = wording.rule(broken.rule, broken.data, words.language())
    return broken.model_copy(update={"field": _option(broken.field.split(".")[0]), "message": message})


def _option(name: str) -> str:
    return _OPTIONS.get(name) or (f"--{name.replace('_', '-')}" if name else "")


def _check_utf8(option: str, value: object) -> None:
    """Raises Failure for bytes of the command line that are no UTF-8: Python has them as lone surrogates."""
    match value:
        case str():
            content = value.encode(errors="surrogateescape")
            try:
                content.decode()
            except UnicodeDecodeError as error:
                raise not_utf8(option, error) from None
        case dict():
            for part in value.values():
                _check_utf8(option, part)
        case list() | tuple():
            for part in value:
                _check_utf8(option, part)


def _malformed(*fields: FieldError) -> ErrorReply:
    return ErrorReply(
        kind=ErrorKind.MALFORMED,
        status=400,
        code="malformed",
        message=wording.refusal("malformed", {}, words.language()),
        fields=fields,
    )


def _tell(reply: ErrorReply, *, as_json: bool, command_id: str | None) -> None:
    repeatable = command_id if reply.kind is ErrorKind.UNAVAILABLE else None
    if as_json:
        error = reply.model_dump(mode="json") | ({"command_id": repeatable} if repeatable else {})
        typer.echo(json.dumps({"error": error}, ensure_ascii=False), err=True)
        return
    lines = [f"{broken.field}: {broken.message}".removeprefix(": ") for broken in reply.fields]
    for line in lines or [reply.message]:
        typer.echo(f"casetrail: {line}", err=True)
    if repeatable:
        typer.echo(words.say("repeat", command_id=repeatable), err=True)
