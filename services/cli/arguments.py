"""What is typed, turned into what requests carry. Everything here raises Failure, with the option's name."""

from __future__ import annotations

import re
import sys
from typing import BinaryIO, Final

from contracts.text import MAX_BODY_BYTES
from services.cli import words
from services.cli.failures import malformed, not_utf8

_KINDS: Final = ("member", "agent", "system")
_KIND_OF_IDENTIFIER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def person(typed: str) -> dict[str, str]:
    """`jan` (a member), `agent:ola`, `system:sync`."""
    if "@" in typed:
        raise malformed("--as", "person_is_address")
    kind, colon, name = typed.rpartition(":")
    if not colon:
        kind = "member"
    if kind not in _KINDS:
        raise malformed("--as", "person_kind", kind=kind)
    return {"kind": kind, "id": name}


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
