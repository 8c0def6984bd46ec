"""The addresses in a header (RFC 5322, section 3.4), read without ever failing, in one pass. Pure.

The standard library's reader recurses into comments until Python gives up, and what it makes of a header that
two programs read in two ways depends on the patch release.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

_Kind = Literal["text", "quoted", "comment", "special", "broken"]

_TOKEN: Final = re.compile(r"[^\"()<>,:;\[\]\\]+|.", re.DOTALL)
_ATOM: Final = re.compile(r"[^\s\"(),:;<>@\[\]\\.]+(?:\.[^\s\"(),:;<>@\[\]\\.]+)*")
_ADDRESS: Final = re.compile(
    r"(?P<local>[^\s\"(),:;<>@\[\]\\]+|\"(?:[^\"\\]|\\.)*\")@(?P<domain>[^\s\"(),:;<>@\[\]\\]+|\[[^\[\]\\\s]*\])",
    re.DOTALL,
)


class Mailbox(NamedTuple):
    """A name, which may be empty, and an address as it was written."""

    name: str
    address: str


class Addresses(NamedTuple):
    """What a header's value says. `clear`: it can be read in one way, and every piece of it is an address."""

    mailboxes: tuple[Mailbox, ...]
    clear: bool


class _Token(NamedTuple):
    kind: _Kind
    text: str


def addresses(value: str) -> Addresses:
    """The addresses in the value, of groups as well; what is none is left out."""
    found: list[Mailbox] = []
    clear = True
    entry = _Entry()
    for kind, text in _tokens(value):
        if kind == "broken":
            clear = False
        elif kind != "special":
            entry.add(_Token(kind, text))
        elif text == "<":
            entry.open()
        elif text == ">":
            entry.close()
        elif entry.is_open or text == ":":
            clear = False  # a route or a group: nobody's From has one
            entry.restart()
        else:
            box = entry.mailbox()
            clear = clear and text == "," and box is not None and entry.is_clear
            found += [box] if box else []
            entry = _Entry()
    box = entry.mailbox()
    clear = clear and box is not None and entry.is_clear
    return Addresses((*found, box) if box else tuple(found), clear)


class _Entry:
    """What stands between two commas."""

    def __init__(self) -> None:
        self._phrase: list[_Token] = []
        self._inside: list[_Token] | None = None
        self.is_open = False
        self.is_clear = True

    def add(self, token: _Token) -> None:
        if self.is_open and self._inside is not None:
            self._inside.append(token)
        else:
            closed = self._inside is not None
            self.is_clear = self.is_clear and not (closed and token.kind != "comment" and token.text.strip())
            self._phrase.append(token)

    def open(self) -> None:
        self.is_clear = self.is_clear and self._inside is None
        self._inside = []
        self.is_open = True

    def close(self) -> None:
        self.is_clear = self.is_clear and self.is_open
        self.is_open = False

    def restart(self) -> None:
        if self.is_open:
            self._inside = []
        else:
            self._phrase = []

    def mailbox(self) -> Mailbox | None:
        self.is_clear = self.is_clear and not self.is_open
        if self._inside is not None:
            words = [text for kind, text in self._phrase if kind != "comment"]
            address = _address(self._inside)
        else:
            words = [text for kind, text in self._phrase if kind == "comment"]
            address = _address(self._phrase)
        return None if address is None else Mailbox(" ".join(" ".join(words).split()), address)


def _address(tokens: list[_Token]) -> str | None:
    written = "".join(
        text if kind == "text" else _quoted(text) if kind == "quoted" else " " for kind, text in tokens
    )
    found = _ADDRESS.fullmatch(re.sub(r"\s*([@.])\s*", r"\1", written.strip()) if " " in written else written)
    return None if found is None else f"{found['local']}@{found['domain']}"


def _quoted(text: str) -> str:
    """A quoted local part, without its quotes where it needs none."""
    if _ATOM.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _tokens(value: str) -> Iterator[_Token]:
    kind: _Kind = "text"
    depth = 0
    escaped = False
    held: list[str] = []
    for match in _TOKEN.finditer(value):
        piece = match.group()
        if escaped:
            held.append(piece)
            escaped = False
        elif piece == "\\":
            escaped = True
        elif kind == "quoted":
            if piece == '"':
                yield _Token("quoted", "".join(held))
                kind, held = "text", []
            else:
                held.append(piece)
        elif kind == "comment":
            depth += {"(": 1, ")": -1}.get(piece, 0)
            if depth == 0:
                yield _Token("comment", "".join(held))
                kind, held = "text", []
            else:
                held.append(piece)
        elif piece in '"(':
            kind, depth = ("quoted", 0) if piece == '"' else ("comment", 1)
        elif piece in "<>,:;":
            yield _Token("special", piece)
        elif piece == ")":
            yield _Token("broken", piece)
        else:
            yield _Token("text", piece)
    if held or kind != "text" or escaped:
        yield _Token("broken", "")
        yield _Token(kind, "".join(held))
