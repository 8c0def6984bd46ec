"""The headers of an e-mail as it came in: whatever its sender wrote, read without ever failing. Pure."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses
from typing import Final, NamedTuple

MAX_VALUE_CHARACTERS: Final = 20_000
"""What is longer is cut: a header has no use for it, and reading it could take long."""

_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,996}>")


class Mailbox(NamedTuple):
    """A name, which may be empty, and an address as it was written."""

    name: str
    address: str


class Headers:
    """The headers in their order. Names are compared without regard to case."""

    def __init__(self, raw: bytes) -> None:
        """`raw` is a whole e-mail, or its headers."""
        parsed = BytesHeaderParser(policy=compat32).parsebytes(raw)
        self._values = tuple(
            (name.lower(), _unfolded(str(value))[:MAX_VALUE_CHARACTERS]) for name, value in parsed.items()
        )

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of the header, from the top, unfolded, encoded words left as they are."""
        return tuple(value for each, value in self._values if each == name.lower())

    def first(self, name: str) -> str | None:
        """The value nearest to the top, as `all` has it."""
        return next(iter(self.all(name)), None)

    def text(self, name: str) -> str:
        """The first value for people: encoded words (RFC 2047) decoded; empty if there is none."""
        return _decoded(self.first(name) or "")

    def mailboxes(self, name: str) -> tuple[Mailbox, ...]:
        """The addresses of every value of the header; what is none is left out."""
        pairs = getaddresses(list(self.all(name)))
        return tuple(Mailbox(_decoded(shown), address) for shown, address in pairs if "@" in address)

    def message_ids(self, name: str) -> tuple[str, ...]:
        """The message ids of `Message-ID`, `In-Reply-To` or `References`, with their angle brackets."""
        return tuple(_MESSAGE_ID.findall(" ".join(self.all(name))))


def _unfolded(value: str) -> str:
    return " ".join(value.replace("\x00", "").split())


def _decoded(value: str) -> str:
    try:
        decoded = str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        decoded = value
    return _unfolded(decoded.encode("utf-8", "replace").decode("utf-8", "replace"))
