"""The kinds of text that people and systems may send, each with its limit.

Limits of text count UTF-8 bytes where the bytes are what is stored (`body`), characters elsewhere.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, LiteralString

from pydantic import (
    AfterValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    JsonValue,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

MAX_BODY_BYTES: Final = 64 * 1024
MAX_TITLE_CHARACTERS: Final = 200

# C0 and C1 controls and DEL, but for tab, line feed and carriage return; and lone surrogates,
# which JSON can spell ("\ud800") and UTF-8 cannot.
_NOT_IN_BODY: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_IN_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _refuse(pattern: re.Pattern[str], value: str) -> None:
    if found := pattern.search(value):
        raise PydanticCustomError(
            "text_control_character",
            "contains the control character U+{code_point} at character {at}, which is not allowed here",
            {"code_point": f"{ord(found.group()):04X}", "at": found.start() + 1},
        )


def _not_blank(value: str) -> None:
    if not value or value.isspace():
        raise PydanticCustomError("text_blank", "must not be empty or only white space")


def check_body(value: str) -> str:
    """Text of several lines, as a person wrote it: any Unicode, 64 KiB of UTF-8 at most, not blank."""
    _not_blank(value)
    _refuse(_NOT_IN_BODY, value)
    size = len(value) if value.isascii() else len(value.encode())
    if size > MAX_BODY_BYTES:
        raise PydanticCustomError(
            "text_too_long",
            "is {size} bytes long in UTF-8, at most {limit} are allowed",
            {"size": size, "limit": MAX_BODY_BYTES},
        )
    return value


def check_line(value: str) -> str:
    """Text of one line, not blank."""
    _not_blank(value)
    _refuse(_NOT_IN_LINE, value)
    return value


# JSON Schema counts characters only: its bound is the widest that can fit, and the words say the rest.
_BODY_SCHEMA: Final[dict[str, JsonValue]] = {
    "minLength": 1,
    "maxLength": MAX_BODY_BYTES,
    "description": f"Not blank, without control characters, at most {MAX_BODY_BYTES} bytes in UTF-8",
}

Body = Annotated[str, AfterValidator(check_body), Field(json_schema_extra=_BODY_SCHEMA)]
"""What a person wrote, kept exactly."""

Title = Annotated[str, StringConstraints(max_length=MAX_TITLE_CHARACTERS), AfterValidator(check_line)]
ShortLine = Annotated[str, StringConstraints(max_length=128), AfterValidator(check_line)]
Line = Annotated[str, StringConstraints(max_length=1000), AfterValidator(check_line)]


class _Shape:
    """A pattern with a rule of its own, so that people are told in words. The schema has the pattern."""

    def __init__(self, rule: LiteralString, pattern: str, message: LiteralString) -> None:
        self._rule = rule
        self._pattern = pattern
        self._message = message
        self._matches = re.compile(pattern.removeprefix("^").removesuffix("$")).fullmatch

    def _check(self, value: str) -> str:
        if self._matches(value) is None:
            raise PydanticCustomError(self._rule, self._message)
        return value

    def __get_pydantic_core_schema__(
        self, source: type[str], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self._pattern}


Code = Annotated[
    str,
    _Shape(
        "code_shape",
        r"^[a-z0-9][a-z0-9_-]{0,63}$",
        "must be a word of at most 64 small letters a-z, digits, - and _, the first a letter or a digit",
    ),
]
"""A word of a vocabulary: a topic, the kind of an identifier."""

AccountId = Annotated[
    str,
    _Shape(
        "account_id_shape",
        r"^[a-z0-9][a-z0-9-]{1,31}$",
        "must be an account id: 2 to 32 small letters a-z, digits and -, the first a letter or a digit",
    ),
]
"""An account's short id. Safe as a token of a NATS subject: no dot, space or wildcard."""

PersonId = Annotated[
    str,
    _Shape(
        "person_id_shape",
        r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        "must be an id: at most 64 letters a-z and A-Z, digits, - and _, the first a letter or a digit",
    ),
]
"""A person's or a system's id. Never a name or an address: it stands in the clear in every event."""

CommandId = Annotated[
    str,
    _Shape(
        "command_id_shape",
        r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$",
        "must be an id: at most 64 letters a-z and A-Z, digits and . _ : -, the first a letter or a digit",
    ),
]
"""Chosen by the caller: the same command with the same id has one effect, however often it is sent."""
