"""The e-mails that the development mail server keeps: read, listed, put together. Nothing is written."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from services.embedded.inbox.parts import Contents, Correspondent, Head, taken_apart, words_of

LISTED: Final = 5000
"""The newest ones; older ones are still found by their id."""

DELIVERED_TO: Final = b"Delivered-To: "
"""The first line of a kept file says whom it was for, as the envelope had it."""

_ID: Final = re.compile(r"(\d{8}T\d{6}\.\d{6})-[A-Za-z0-9@._+-]{1,100}", re.ASCII)
_NOT_IN_NAME: Final = re.compile(r"[^A-Za-z0-9@._+-]")
_READ_FOR_LIST: Final = 256 << 10
_PREVIEW: Final = 160
_PREFIXES: Final = re.compile(r"(?:\s*(?:re|aw|sv|odp|fwd?|pd|wg)\s*(?:\[\d+\])?\s*:)+\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """An e-mail as a list shows it. `person` is whom it was delivered to, `kept_at` when."""

    id: str
    person: str
    kept_at: datetime
    head: Head
    preview: str
    attachments: int

    @property
    def sender(self) -> Correspondent:
        return self.head.senders[0] if self.head.senders else Correspondent("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """E-mails that belong together, the newest first."""

    mails: tuple[Mail, ...]

    @property
    def newest(self) -> Mail:
        return self.mails[0]

    @property
    def subject(self) -> str:
        return without_prefixes(self.mails[-1].head.subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody to whom e-mails were sent."""

    address: str
    mails: int
    newest: Mail


def name_part(recipient: str) -> str:
    """The recipient as part of a file name: it cannot lead out of a directory."""
    return _NOT_IN_NAME.sub("_", recipient)[:100]


class Shelf:
    """The directory of kept e-mails. A file is written once, so what was read of it is remembered."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[str, Mail] = {}

    def mails(self) -> tuple[Mail, ...]:
        """The newest LISTED of them, the newest first. Raises OSError: the directory cannot be read."""
        names = sorted(self._names(), reverse=True)[:LISTED]
        known = self._read
        listed = {name: known.get(name) or self._summary(name) for name in names}
        self._read = {name: mail for name, mail in listed.items() if mail is not None}
        return tuple(self._read.values())

    def mail(self, identifier: str) -> Mail | None:
        """One of them; None: there is none."""
        return self._summary(identifier)

    def source(self, identifier: str) -> bytes | None:
        """All bytes that were kept; None: there is no such mail, or the id is none."""
        return self._bytes(identifier, -1)

    def _names(self) -> Iterable[str]:
        if not self._directory.is_dir():
            return ()  # nothing was sent yet
        return (
            file.stem
            for file in self._directory.iterdir()
            if file.suffix == ".eml" and _ID.fullmatch(file.stem)
        )

    def _summary(self, identifier: str) -> Mail | None:
        source = self._bytes(identifier, _READ_FOR_LIST)
        if source is None:
            return None
        contents = taken_apart(source)
        return Mail(
            id=identifier,
            person=_person(identifier, source),
            kept_at=_moment(identifier),
            head=contents.head,
            preview=_preview(contents),
            attachments=len(contents.attachments),
        )

    def _bytes(self, identifier: str, most: int) -> bytes | None:
        if not _ID.fullmatch(identifier):
            return None
        path = self._directory / f"{identifier}.eml"
        try:
            if path.is_symlink() or not path.is_file():
                return None
            with path.open("rb") as file:
                return file.read(most)
        except OSError:  # removed or locked away since it was listed
            return None


def people(mails: Iterable[Mail]) -> tuple[Person, ...]:
    """Everybody who was written to, in the order of their addresses."""
    by_address: dict[str, list[Mail]] = {}
    for mail in mails:
        by_address.setdefault(mail.person, []).append(mail)
    return tuple(
        Person(address=address, mails=len(theirs), newest=max(theirs, key=lambda mail: mail.id))
        for address, theirs in sorted(by_address.items())
    )


def conversations(mails: Iterable[Mail]) -> tuple[Conversation, ...]:
    """The e-mails of one person put together, the conversation with the newest e-mail first.

    Two belong together when one refers to the other, or both to a third (References, In-Reply-To); and an
    answer that refers to nothing belongs to the latest before it with the same subject.
    """
    ordered = sorted(mails, key=lambda mail: mail.id)
    groups = _Groups()
    latest: dict[str, str] = {}
    for mail in ordered:
        head = mail.head
        refers_to = {*head.references, *head.in_reply_to}
        for message in refers_to | ({head.message_id} if head.message_id else set()):
            groups.join(mail.id, ("message", message))
        subject = without_prefixes(head.subject).casefold()
        if subject and not refers_to and is_answer(head.subject) and subject in latest:
            groups.join(mail.id, latest[subject])
        latest[subject] = mail.id
    together: dict[Hashable, list[Mail]] = {}
    for mail in reversed(ordered):
        together.setdefault(groups.root(mail.id), []).append(mail)
    return tuple(Conversation(mails=tuple(group)) for group in together.values())


class _Groups:
    """Disjoint sets of whatever is joined."""

    def __init__(self) -> None:
        self._parents: dict[Hashable, Hashable] = {}

    def root(self, node: Hashable) -> Hashable:
        path = []
        while (parent := self._parents.get(node, node)) != node:
            path.append(node)
            node = parent
        self._parents.update(dict.fromkeys(path, node))
        return node

    def join(self, one: Hashable, other: Hashable) -> None:
        self._parents[self.root(one)] = self.root(other)


def is_answer(subject: str) -> bool:
    """Whether it begins with `Re:` or what other languages and forwards have for it."""
    return _PREFIXES.match(subject) is not None


def without_prefixes(subject: str) -> str:
    """The subject without `Re:`, `Odp:`, `Fwd:` and the like."""
    return _PREFIXES.sub("", subject, count=1) if is_answer(subject) else subject.strip()


def _person(identifier: str, source: bytes) -> str:
    """From the line that the mail server put first, if it agrees with the file's name; else from the name."""
    named = identifier.partition("-")[2]
    if source.startswith(DELIVERED_TO):
        told = source[len(DELIVERED_TO) :].partition(b"\r\n")[0].decode("utf-8", "replace")
        if name_part(told) == named:
            return told.lower()
    return named.lower()


def _moment(identifier: str) -> datetime:
    stamp = identifier.partition("-")[0]
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError:  # digits, but no moment
        return datetime.min.replace(tzinfo=UTC)


def _preview(contents: Contents) -> str:
    """How it begins. Mail programs take it from the HTML, whose first line may be meant for this alone."""
    text = words_of(contents.html[:_READ_FOR_LIST]) if contents.html is not None else contents.text or ""
    return " ".join(text[:4000].split())[:_PREVIEW]
