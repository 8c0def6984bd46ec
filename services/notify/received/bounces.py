"""Reports of e-mails that could not be delivered (RFC 3464, and what servers write instead of it). Pure.

flufl.bounce knows the shapes. It gets a copy, made of short plain lines: it fails on headers that are not
ASCII or full of brackets, and some of its patterns take time that grows with the square of a line.

A report that an e-mail is late is none: its server goes on trying.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from typing import Final

from flufl.bounce import all_failures

from services.notify.received.headers import Headers

LOOKED_AT_BYTES: Final = 256 * 1024
"""The report stands at the beginning; what follows is the e-mail that comes back, with its attachments."""

MAX_PARTS: Final = 60
MAX_DEPTH: Final = 8
MAX_TEXT: Final = 32_000
MAX_LINE: Final = 400
MAX_RECIPIENTS: Final = 100
MAX_BRACKETS: Final = 20

_FAILED: Final = ("fail", "error")
"""How the action begins: some servers write a comment after it, opensmtpd a word of its own."""

_STATUS: Final = re.compile(r"(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPORTER: Final = re.compile(
    r"(?:mailer-daemon|postmaster|mailerdaemon|mail-daemon|microsoftexchange[0-9a-f]{32})(?:[+._-].{0,200})?",
    re.IGNORECASE,
)
# A question mark stands for what was not ASCII.
_ADDRESS: Final = re.compile(r"[!-;=A-~]{1,128}@[!-;=A-~]{1,253}")
_LATE: Final = re.compile(
    r"warning message only|not need to resend|not yet been delivered|attempts will continue|will be retried"
    r"|will (?:keep|continue) (?:on )?trying|(?:will )?continue to try",
    re.IGNORECASE,
)
_MESSAGE_ID: Final = re.compile(
    r"^\s{0,8}message-id:\s{0,80}(<[^<>\s]{1,996}>)", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Bounce:
    """Whom an e-mail did not reach: for good (`hard`), or not this time (`soft`: 4.x.x, or a full mailbox).

    `returned_message_id` is the e-mail that comes back, as the report has it; `status` the code of RFC 3463
    of the first failure. Anybody can write a report: believe it only about an e-mail of ours to that address.
    """

    hard: tuple[str, ...]
    soft: tuple[str, ...]
    returned_message_id: str | None
    status: str | None


def bounce(raw: bytes) -> Bounce | None:
    """What the report says; None: the e-mail is none, or it reports something else than a failure.

    Looks at the first `LOOKED_AT_BYTES`. Never raises.
    """
    raw = raw[:LOOKED_AT_BYTES]
    headers = Headers(raw)
    lowered = raw.lower()
    if not _may_be_a_report(headers) or lowered.count(b"multipart/") + lowered.count(b"message/") > MAX_PARTS:
        return None
    report = _Report(message_from_bytes(raw, policy=compat32))
    is_late = _LATE.search(" ".join(report.text.split())) is not None
    if not any(action.startswith(_FAILED) for action in report.actions) and (report.actions or is_late):
        return None
    _late, failed = all_failures(report.copy)
    addresses = _addresses(failed)
    if not addresses:
        return None
    status = next(iter(report.statuses.values()), None) or _first_status(report.text)
    soft = {each for each in addresses if _may_pass(report.statuses.get(each.lower()) or status)}
    return Bounce(
        hard=tuple(sorted(addresses - soft)),
        soft=tuple(sorted(soft)),
        returned_message_id=report.returned or next(iter(headers.message_ids("In-Reply-To")), None),
        status=status,
    )


def _may_pass(status: str | None) -> bool:
    """Whether a later e-mail may arrive (RFC 3463): a full mailbox is 4.2.2 to some, and 5.2.2 to others."""
    return status is not None and (status.startswith("4.") or status.endswith(".2.2"))


def _may_be_a_report(headers: Headers) -> bool:
    """Whether something besides its words says so: people quote reports, and forward them."""
    sent_by = [box.address.rpartition("@")[0] for box in headers.mailboxes("From")]
    submitted = (headers.first("Auto-Submitted") or "no").lower()
    return (
        (headers.first("Content-Type") or "").lower().startswith("multipart/report")
        or bool(headers.all("X-Failed-Recipients"))
        or (headers.first("Return-Path") or "").replace(" ", "") == "<>"
        or submitted.startswith(("auto-replied", "auto-generated"))
        or any(_REPORTER.fullmatch(name) for name in sent_by)
    )


class _Report:
    """What is read of a report. `copy` is what flufl.bounce gets of it."""

    def __init__(self, message: Message) -> None:
        self.actions: list[str] = []
        self.statuses: dict[str, str] = {}
        self.text = ""
        self.returned: str | None = None
        self._original: str | None = None
        self._parts = 0
        self.copy = self._copied(message, 0)
        for name in ("From", "Subject", "X-Failed-Recipients", "X-Mailer"):
            if (value := _plain(", ".join(map(str, message.get_all(name, []))))) and name not in self.copy:
                self.copy[name] = value
        if self.returned is None:
            self.returned = self._named() or _id(message.get("Original-Message-ID"))

    def _named(self) -> str | None:
        """The e-mail that comes back, where the report names it and does not have it."""
        return self._original or next(iter(_MESSAGE_ID.findall(self.text)), None)

    def _copied(self, part: Message, depth: int) -> Message:
        self._parts += 1
        kind = part.get_content_type()
        copy = Message()
        copy["Content-Type"] = kind
        if description := _plain(part.get("Content-Description")):
            copy["Content-Description"] = description
        inner = [each for each in _inner(part) if isinstance(each, Message)]
        if kind == "message/rfc822":
            self._take_returned(inner[0].get("Message-ID") if inner else None)
            copy.set_payload([Message()])
        elif kind == "message/delivery-status":
            copy.set_payload([self._block(block) for block in inner[:MAX_RECIPIENTS]])
        elif kind == "message/disposition-notification":
            copy.set_payload("")
        elif inner and depth < MAX_DEPTH:
            copy.set_payload([self._copied(each, depth + 1) for each in inner if self._parts < MAX_PARTS])
        elif kind in ("text/rfc822-headers", "message/rfc822-headers"):
            self._take_returned(next(iter(_MESSAGE_ID.findall(_text(part))), None))
            copy.set_payload("")
        else:
            text = _text(part) if kind in ("text/plain", "text/html") else ""
            room = max(0, MAX_TEXT - len(self.text))
            lines = [line[:MAX_LINE] for line in text[:room].splitlines()]
            copy.set_payload("\n".join(lines))
            self.text += str(copy.get_payload()) + "\n"
        return copy

    def _block(self, block: Message) -> Message:
        """The fields about one recipient (RFC 3464, section 2.3), or about the e-mail (section 2.2)."""
        copy = Message()
        for name in ("Action", "Status", "Original-Recipient", "Final-Recipient"):
            if value := _plain(block.get(name)):
                copy[name] = value
        self._original = self._original or _id(block.get("Original-Message-ID"))
        action = str(copy.get("Action", "")).lower()
        if action:
            self.actions.append(action)
        status = _first_status(str(copy.get("Status", "")))
        if status is not None and action.startswith(_FAILED):
            for name in ("Original-Recipient", "Final-Recipient"):
                if name in copy:
                    address = str(copy[name]).rpartition(";")[2].strip().strip("<>").lower()
                    self.statuses.setdefault(address, status)
        return copy

    def _take_returned(self, message_id: object) -> None:
        if self.returned is None:
            self.returned = _id(message_id)


def _inner(part: Message) -> Iterator[object]:
    payload = part.get_payload()
    return iter(payload if isinstance(payload, list) else ())


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    return payload[:LOOKED_AT_BYTES].decode("ascii", "replace").replace("\ufffd", "?").replace("\x00", "")


def _plain(value: object) -> str:
    """A header in one ASCII line, with few brackets; empty if there is none."""
    text = "" if value is None else str(value)[:1000]
    plain = " ".join(text.encode("ascii", "replace").decode("ascii").replace("\x00", "").split())
    return plain if plain.count("(") <= MAX_BRACKETS else plain.replace("(", "").replace(")", "")


def _id(value: object) -> str | None:
    found = re.search(r"<[^<>\s]{1,996}>", "" if value is None else str(value)[:2000])
    return found.group() if found else None


def _first_status(text: str) -> str | None:
    found = _STATUS.search(text)
    return found.group(1) if found else None


def _addresses(found: frozenset[bytes]) -> set[str]:
    texts = (address.decode("ascii", "replace") for address in found)
    return {text for text in texts if _ADDRESS.fullmatch(text)}
