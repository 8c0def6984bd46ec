"""What keeps the e-mails of a ticket in one conversation, and leads an answer back to its ticket. Pure.

Mail clients put e-mails together by `References` and `In-Reply-To` (RFC 5322, section 3.6.4), and Gmail and
Outlook only if the subject is the same as well, but for a `Re:`. So every e-mail of a ticket refers to one
root, which follows from the ticket's number and was never sent, whoever joins the conversation when.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable
from email.header import Header
from email.headerregistry import BaseHeader, HeaderRegistry, UniqueAddressHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from typing import Any, Final, Literal, NamedTuple

from stdnum import damm

from contracts.number import is_number, shown
from services.runtime.ids import derived_id

MAX_SUBJECT_CHARACTERS: Final = 180
MAX_REFERENCES: Final = 12
"""The root and the latest ones: what a client needs, and no header without end."""

AutoSubmitted = Literal["auto-generated", "auto-replied"]
"""RFC 3834, section 5: news of something that happened, or an answer to one e-mail."""

_MESSAGE_ID: Final = re.compile(r"<[!#-'*+\-/-9=?A-Z^-~.]{1,128}@[!#-'*+\-/-9=?A-Z\[\]^-~.:]{1,190}>")
_ROOT: Final = re.compile(r"<ticket\.([0-9]{10})@([^<>@\s]+)>")
# Unicode's Bidi_Control: they make a line read otherwise than it is written.
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class _Tokens:
    """A header of words that must stay whole: one on a line.

    The standard library would write a long message id or link as encoded words, which no client reads.
    """

    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds["decoded"] = value
        kwds["parse_tree"] = value

    def fold(self: Any, *, policy: Policy) -> str:
        return f"{self.name}: " + f"{policy.linesep} ".join(self.split()) + policy.linesep


class _Words:
    """A header of text. The standard library's newer folding loses a space between two encoded words."""

    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds["decoded"] = value
        kwds["parse_tree"] = value

    def fold(self: Any, *, policy: Policy) -> str:
        is_plain = self.isascii() and "=?" not in self  # what looks like an encoded word would be read as one
        if is_plain and len(self.name) + 2 + len(self) <= (policy.max_line_length or 0):
            return f"{self.name}: {self}{policy.linesep}"
        header = Header(
            str(self),
            "us-ascii" if is_plain else "utf-8",
            maxlinelen=policy.max_line_length,
            header_name=self.name,
        )
        return f"{self.name}: {header.encode(linesep=policy.linesep)}{policy.linesep}"


class _Sender(UniqueAddressHeader):
    """Who an e-mail comes from. The standard library can write a name one character past the limit."""

    def fold(self: Any, *, policy: Policy) -> str:
        narrower = policy.clone(max_line_length=(policy.max_line_length or 78) - 2)
        return str(super().fold(policy=narrower))  # type: ignore[misc]  # mixed with BaseHeader


class _Registry(HeaderRegistry):
    """Makes the class of each header once; the standard library makes one for every value."""

    @functools.cache  # noqa: B019  # there is one registry, for as long as the process runs
    def __getitem__(self, name: str) -> type[BaseHeader]:
        return super().__getitem__(name)


def _registry() -> HeaderRegistry:
    registry = _Registry()
    registry.map_to_type("from", _Sender)  # type: ignore[arg-type]  # a mixin
    text = (  # and what we alone write, which need not be parsed
        "subject",
        "auto-submitted",
        "content-language",
        "list-unsubscribe-post",
        "x-auto-response-suppress",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
    )
    for name in text:
        registry.map_to_type(name, _Words)  # type: ignore[arg-type]  # a mixin, as its docs say
    for name in ("message-id", "in-reply-to", "references", "list-unsubscribe"):
        registry.map_to_type(name, _Tokens)  # type: ignore[arg-type]
    return registry


POLICY: Final = SMTP.clone(cte_type="7bit", max_line_length=76, header_factory=_registry())
"""How our e-mails are written: CRLF, ASCII whatever the text, lines as short as RFC 2047 has them."""


# Identity


def message_id(event: str, recipient: str, domain: str) -> str:
    """The Message-ID of what tells this recipient of this event: always the same. Names neither."""
    return f"<{derived_id('mail', event, recipient)}@{domain}>"


def root_id(number: str, domain: str) -> str:
    """The Message-ID that all e-mails of a ticket refer to."""
    return f"<ticket.{number}@{domain}>"


def ticket_of(reference: str, domain: str) -> str | None:
    """The number of the ticket whose root this is. Unsigned: it proves nothing about the sender."""
    found = _ROOT.fullmatch(reference.strip())
    if found is None or found[2].lower() != domain.lower() or not is_number(found[1]):
        return None
    return found[1]


# Headers


def one_line(text: str) -> str:
    """The text as it may stand in a header: no line break, control character or change of direction."""
    kept = (_kept(character) for character in text)
    return " ".join("".join(kept).split())


def _kept(character: str) -> str:
    if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
        return " "
    return "" if character in _BIDI else character


def cut(text: str, characters: int) -> str:
    """The text, or its beginning and an ellipsis, in at most so many characters."""
    if len(text) <= characters:
        return text
    end = characters - 1
    while end > 0 and unicodedata.combining(text[end]):
        end -= 1  # an accent stays with its letter
    return text[:end].rstrip() + "…"


def ticket_subject(number: str, title: str, *, is_first: bool) -> str:
    """`[483-029-1746] Title`, with `Re: ` before it in all but the first e-mail to a reader.

    `Re: ` in every language: it is the only prefix that all clients leave out of the comparison.
    """
    subject = cut(f"[{shown(number)}] {one_line(title)}".rstrip(), MAX_SUBJECT_CHARACTERS)
    return subject if is_first else f"Re: {subject}"


def set_conversation(message: EmailMessage, *, root: str | None, earlier: Iterable[str]) -> None:
    """Make it an answer to the last of the earlier ones (oldest first); without any, to the root.

    What is no message id is left out: the id of an e-mail that came in is whatever its sender wrote.
    """
    known = [each for each in dict.fromkeys(earlier) if _MESSAGE_ID.fullmatch(each) and each != root]
    chain = [root, *known[1 - MAX_REFERENCES :]] if root is not None else known[-MAX_REFERENCES:]
    if chain:
        message["In-Reply-To"] = chain[-1]
        message["References"] = " ".join(chain)


def set_automatic(message: EmailMessage, how: AutoSubmitted) -> None:
    """Say that a program sent it, so that no program answers (RFC 3834; Exchange has a header of its own)."""
    message["Auto-Submitted"] = how
    message["X-Auto-Response-Suppress"] = "All"


def set_unsubscribe(message: EmailMessage, link: str) -> None:
    """The way out, with one click where the link is https (RFC 2369, RFC 8058).

    Raises:
        ValueError: not a web address in ASCII.
    """
    if not re.fullmatch(r"https?://[!#-;=?-Z_a-z~%]+", link):
        raise ValueError("a link to unsubscribe is a web address in ASCII")
    message["List-Unsubscribe"] = f"<{link}>"
    if link.startswith("https://"):
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


# Addresses for answers


class ReplyTo(NamedTuple):
    """Who was written to about which ticket."""

    number: str
    person: str


class ReplyAddresses:
    """Makes and reads the addresses that answers go to: `reply+<47 characters>@domain`.

    The characters are the number (6), the person's id (15) and a signature (26, 128 bits of HMAC-SHA256), in
    base 32, so that nothing is lost where a server changes the case; 53 octets before the @, where RFC 5321
    allows 64. An address says whom we wrote to, not who writes: who has it may have been sent it.
    """

    def __init__(self, key: str, domain: str) -> None:
        self._key = hmac.digest(key.encode(), b"casetrail.notify.reply-address", "sha256")
        self._domain = domain.lower()

    def address(self, number: str, person: str) -> str:
        """Raises ValueError: no ticket number, or no id that follows from an address (`person_id`)."""
        if re.fullmatch("[0-9]{10}", number) is None or not is_number(number):
            raise ValueError("number: must be the ten digits of a ticket number")
        if re.fullmatch("p[a-z2-7]{15}", person) is None:
            raise ValueError("person: must be the id that follows from an e-mail address")
        body = _base32((int(number[:9]) << 2).to_bytes(4, "big"))[:6] + person[1:]
        return f"reply+{body}{self._signature(body)}@{self._domain}"

    def read(self, address: str) -> ReplyTo | None:
        """What an address of ours says; None: not one, or not signed by us. Takes the same time for both."""
        local, _, domain = address.strip().lower().rpartition("@")
        found = re.fullmatch("reply[+]([a-z2-7]{6})([a-z2-7]{15})([a-z2-7]{26})", local)
        if found is None or domain != self._domain:
            return None
        expected = self._signature(found[1] + found[2])
        if not hmac.compare_digest(found[3].encode(), expected.encode()):
            return None
        stem = f"{int.from_bytes(base64.b32decode(found[1].upper() + 'A='), 'big') >> 2:09d}"
        return ReplyTo(stem + damm.calc_check_digit(stem), f"p{found[2]}")

    def _signature(self, body: str) -> str:
        return _base32(hmac.digest(self._key, body.encode(), hashlib.sha256)[:16])


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()
