"""The errors of a service, and the one table that turns them into an answer.

    ServiceError
    |- Refused       a rule said no: code, data, status 409 (403 may not, 404 no such thing)
    |- Malformed     a field breaks a rule that its type cannot tell: 400
    |- RequestInvalid it does not parse: 400
    '- Unavailable   cannot be done or known now; the caller sends the same command again: 503

A domain's own refusals are exceptions with a `code` and `data`; the composition root says their status.
Whatever is not in the table is a fault of ours: 500, logged with its trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, runtime_checkable

import nats.errors
from pydantic import ValidationError

from contracts import wording
from contracts.errors import ErrorKind, ErrorReply, FieldError

Data = Mapping[str, str | int]

MAX_FIELDS: Final = 50
MAX_FIELD_CHARACTERS: Final = 200
"""Callers choose the names of unknown fields, and how many: an answer must fit into a message."""


class ServiceError(Exception):
    """Something that a caller is told about."""

    kind: ErrorKind
    status: int

    def __init__(self, code: str, data: Data | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.data = dict(data or {})


class Refused(ServiceError):
    """A rule said no."""

    kind = ErrorKind.REFUSED
    status = 409


class Forbidden(Refused):
    """Not this actor, or not by this way."""

    status = 403


class NotFound(Refused):
    """There is no such thing, or not for this caller."""

    status = 404


class Malformed(ServiceError):
    """A field breaks a rule that its type alone cannot tell."""

    kind = ErrorKind.MALFORMED
    status = 400

    def __init__(self, field: str, rule: str, data: Data | None = None) -> None:
        super().__init__("malformed", data)
        self.field = field
        self.rule = rule


class RequestInvalid(ServiceError):
    """It is not as its model demands; `fields` says where."""

    kind = ErrorKind.MALFORMED
    status = 400

    def __init__(self, fields: tuple[FieldError, ...]) -> None:
        super().__init__("malformed")
        self.fields = fields


class Unavailable(ServiceError):
    """It cannot be done, or cannot be known whether it was done, right now."""

    kind = ErrorKind.UNAVAILABLE
    status = 503

    def __init__(self, code: str = "unavailable", data: Data | None = None) -> None:
        super().__init__(code, data)


@runtime_checkable
class DomainRefusal(Protocol):
    """A refusal of a domain, which knows nothing of this module."""

    code: str
    data: Mapping[str, str | int]


def to_reply(error: Exception, refusals: Mapping[type[Exception], int]) -> ErrorReply:
    """What the caller is told. `refusals` gives the status of the domain's refusals, by class."""
    match error:
        case Malformed():
            broken = _field(error.field, error.rule, error.data)
            return _reply(ErrorKind.MALFORMED, 400, "malformed", {}, (broken,))
        case RequestInvalid():
            return _reply(ErrorKind.MALFORMED, 400, "malformed", {}, error.fields)
        case ServiceError():
            return _reply(error.kind, error.status, error.code, error.data)
        case TimeoutError() | nats.errors.Error():
            return _reply(ErrorKind.UNAVAILABLE, 503, "unavailable", {})
    for kind in type(error).__mro__:
        if kind in refusals and isinstance(error, DomainRefusal):
            return _reply(ErrorKind.REFUSED, refusals[kind], error.code, error.data)
    return _reply(ErrorKind.INTERNAL, 500, "internal", {})


def broken_fields(error: ValidationError) -> tuple[FieldError, ...]:
    """The first fields and rules of a validation error, without the values that were sent."""
    return tuple(
        _field(".".join(map(str, found["loc"]))[:MAX_FIELD_CHARACTERS], found["type"], found.get("ctx", {}))
        for found in error.errors(include_url=False, include_input=False)[:MAX_FIELDS]
    )


def _field(field: str, rule: str, context: Mapping[str, object]) -> FieldError:
    data = {
        key: value if isinstance(value, str | int | float) else str(value) for key, value in context.items()
    }
    return FieldError(field=field, rule=rule, message=wording.rule(rule, data), data=data)


def _reply(
    kind: ErrorKind, status: int, code: str, data: Data, fields: tuple[FieldError, ...] = ()
) -> ErrorReply:
    return ErrorReply(
        kind=kind,
        status=status,
        code=code,
        message=wording.refusal(code, data),
        data=dict(data),
        fields=fields,
    )
