"""What is typed, turned into what requests carry. Everything here raises Failure, with the option's name."""

from __future__ import annotations

import os
import re
import sys
from typing import BinaryIO, Final

from contracts.access.people import person_id
from contracts.access.requests import TERMINAL
from contracts.text import MAX_BODY_BYTES
from services.cli import words
from services.cli.failures import malformed, not_utf8

_USER: Final = "CASETRAIL_NATS_INBOX_USER"
_KINDS: Final = ("member", "agent", "system")
_KIND_OF_IDENTIFIER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def person(typed: str) -> dict[str, str]:
    """`jan@acme.example` (a member), `agent:ola@desk.example`; or the person's id in place of the address.

    The address itself goes nowhere: what is sent, and stands in every event, is the id that follows from it.
    """
    kind, colon, name = typed.rpartition(":")
    if not colon:
        kind = "member"
    if kind not in _KINDS:
        raise malformed("--as", "person_kind", kind=kind)
    if kind == "system" and name != own_user():
        raise malformed("--as", "another_system", user=own_user())
    if "@" in name:
        try:
            name = person_id(name)
        except ValueError:
            raise malformed("--as", "person_address") from None
    return {"kind": kind, "id": name}


def asker(typed: str | None) -> dict[str, str]:
    """Who asks: a person as above, or when nobody is named, this terminal itself."""
    return {"kind": "system", "id": own_user()} if typed is None else person(typed)


def own_user() -> str:
    """The NATS user of this terminal: the operator's, or that of the credentials in the environment."""
    return os.environ.get(_USER) or TERMINAL


def identifier(typed: str) -> dict[str, str]:
    """`KIND=VALUE`."""
    kind, equals, value = typed.partition("=")
    if not (kind and equals and value):
        raise malformed("--identifier", "identifier_shape")
    return {"kind": kind, "value": value}


def identifier_filter(typed: str) -> dict[str, str]:
    """`KIND=VALUE`, or a value of any kind; `=VALUE` for one that itself looks like `KIND=VALUE`."""
    kind, equals, value = typed.partition("=")
    if equals and _KIND_OF_IDENTIFIER.fullmatch(kind):
        return {"kind": kind, "value": value}
    return {"value": typed.removeprefix("=")}


def text(typed: str) -> str:
    """The text itself, or for `-` all of standard input, which is read to its limit and no further."""
    if typed != "-":
        return typed
    if sys.stdin.isatty():
        sys.stderr.write(words.say("type_the_text") + "\n")
    content = _read(sys.stdin.buffer)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise not_utf8("--text", error) from None


def _read(source: BinaryIO) -> bytes:
    content = b""
    while chunk := source.read(MAX_BODY_BYTES + 1 - len(content)):
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise malformed("--text", "input_too_long", limit=MAX_BODY_BYTES)
    return content
