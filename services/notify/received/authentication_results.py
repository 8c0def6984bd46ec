"""What a server found out about an e-mail, as it wrote it into `Authentication-Results` (RFC 8601). Pure.

The package `authres` gives up on a header that ends with a semicolon, as Yahoo's do, and on one without
results; its latest release is of 2019.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MAX_RESULTS: Final = 50
"""Results in a header that are read; servers write fewer than ten."""

_TOKEN: Final = re.compile(r"\s+|[^\s;=\"()\\]+|.", re.DOTALL)
_SPACE: Final = " "
_END: Final = ";"


@dataclass(frozen=True, slots=True)
class Result:
    """What one method says. `properties` is `{"header.d": "example.com"}`, without any given in two ways."""

    method: str
    result: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Results:
    """What one header says: `server` is the authserv-id in lower case."""

    server: str
    results: tuple[Result, ...]


def results(value: str) -> Results | None:
    """What the header says, less what is no result.

    None: it has no authserv-id (Exchange Online writes none), or brackets or quotes are left open.
    """
    parts: list[list[str]] = [[]]
    for token in _tokens(value):
        if token is None:
            return None
        if token == _END:
            parts.append([])
        else:
            parts[-1].append(token)
    head = [token for token in parts[0] if token != _SPACE]
    if not head or "=" in head:
        return None
    read = (_result(part) for part in parts[1 : MAX_RESULTS + 1])
    return Results(_value(head[0]).lower(), tuple(each for each in read if each is not None))


def without_comments(value: str) -> str:
    """The value with each comment replaced by a space; empty if a bracket or a quote is left open."""
    tokens = list(_tokens(value))
    return "" if None in tokens else "".join(_value(token) for token in tokens if token is not None)


def _result(tokens: list[str]) -> Result | None:
    pairs = list(_pairs(tokens))
    if not pairs:
        return None
    method = pairs[0][0].partition("/")[0].lower()
    properties: dict[str, str] = {}
    twice: set[str] = set()
    for name, value in pairs[1:]:
        if properties.setdefault(name.lower(), value).lower() != value.lower():
            twice.add(name.lower())
    kept = {name: value for name, value in properties.items() if name not in twice}
    return Result(method, pairs[0][1].lower(), MappingProxyType(kept))


def _pairs(tokens: list[str]) -> Iterator[tuple[str, str]]:
    """The `name=value` in a part, in order; spaces may stand around the sign."""
    at = 0
    while at < len(tokens):
        name = tokens[at]
        sign = at + 1 + (tokens[at + 1 : at + 2] == [_SPACE])
        if name in (_SPACE, "=") or tokens[sign : sign + 1] != ["="]:
            at += 1
            continue
        at = sign + 1
        if tokens[at : at + 1] == [_SPACE]:
            follows = at + 2 + (tokens[at + 2 : at + 3] == [_SPACE])
            at += 1
            if tokens[follows : follows + 1] == ["="]:
                yield name, ""  # what follows is the next name
                continue
        end = at
        while end < len(tokens) and tokens[end] != _SPACE:
            end += 1  # base 64 ends with the same sign, and an address may begin with quotes
        yield name, "".join(map(_value, tokens[at:end]))
        at = end


def _value(token: str) -> str:
    return token[1:-1] if token.startswith('"') else token


def _tokens(value: str) -> Iterator[str | None]:
    """Words, quoted strings in their quotes, `;`, `=`, one space for spaces and comments; None: left open."""
    depth = 0
    quoted: list[str] | None = None
    escaped = False
    last = ""
    for match in _TOKEN.finditer(value):
        piece = match.group()
        token = ""
        if escaped or (piece == "\\" and (depth or quoted is not None)):
            if escaped and quoted is not None:
                quoted.append(piece)
            escaped = not escaped
        elif quoted is not None and piece != '"':
            quoted.append(piece)
        elif quoted is not None:
            token, quoted = '"' + "".join(quoted) + '"', None
        elif piece == '"' and not depth:
            quoted = []
        elif piece in "()":
            depth += 1 if piece == "(" else -1
            token = _SPACE
            if depth < 0:
                yield None
                return
        elif not depth:
            token = _SPACE if piece.isspace() else piece
        if token and not (token == last == _SPACE):
            yield token
            last = token
    if depth or quoted is not None:
        yield None
