"""The headers of an e-mail as it came in: whatever its sender wrote, read without ever failing. Pure."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import Final

from services.notify.received.addresses import Mailbox, addresses

MAX_BYTES: Final = 256 * 1024
"""Where the reading ends, whatever follows: servers allow less."""

MAX_VALUE_CHARACTERS: Final = 20_000
"""What is longer is cut: a header has no use for it, and reading it could take long."""

_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,996}>")


class Headers:
    """The headers in their order. Names are compared without regard to case."""

    def __init__(self, raw: bytes) -> None:
        """`raw` is a whole e-mail, or its headers."""
        parsed = BytesHeaderParser(policy=compat32).parsebytes(raw[:MAX_BYTES])
        self._values = tuple(
            (name.lower(), _unfolded(_text(value)[:MAX_VALUE_CHARACTERS]))
            for name, value in parsed.raw_items()
        )

    def items(self) -> tuple[tuple[str, str], ...]:
        """Every header from the top: its name in lower case, and its value as `all` has it."""
        return self._values

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
        boxes = (box for value in self.all(name) for box in addresses(value).mailboxes)
        return tuple(Mailbox(_decoded(box.name), box.address) for box in boxes)

    def author(self) -> str | None:
        """The one address in From; None: there is none, there are more, or it can be read in two ways.

        What is said to be authentic is this address: whoever relies on that takes From from here.
        """
        values = self.all("From")
        if len(values) != 1:
            return None
        read = addresses(values[0])
        return read.mailboxes[0].address if read.clear and len(read.mailboxes) == 1 else None

    def message_ids(self, name: str) -> tuple[str, ...]:
        """The message ids of `Message-ID`, `In-Reply-To` or `References`, with their angle brackets."""
        return tuple(_MESSAGE_ID.findall(" ".join(self.all(name))))


def _text(value: object) -> str:
    """What the parser kept, with UTF-8 (RFC 6532) as what it means."""
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unfolded(value: str) -> str:
    return " ".join(value.replace("\x00", "").split())


def _decoded(value: str) -> str:
    if "=?" not in value:
        return value
    try:
        decoded = str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        decoded = value
    return _unfolded(decoded.encode("utf-8", "replace").decode("utf-8", "replace"))
