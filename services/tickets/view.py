"""The local picture of all tickets: one row each, with what lists, searches and look-ups need.

A ticket's key here is the position of its opening, which is the order of every list. A text is indexed
under `key << 12 | revision`, so that the texts of a ticket stand together and a reply never rewrites what
was indexed before; `search.py` puts the words of a question together again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from eventsourcing.sqlite import SQLiteCursor

from services.runtime.folding import fold, fold_identifier
from services.runtime.recorder import Document

REVISION_BITS: Final = 12
"""A ticket has at most 2001 revisions (`domain.MAX_REVISION` and a last closing)."""

ALL_ACCOUNTS: Final = "*"


class TicketsView:
    """What is written into the replica beside each event."""

    version = "1"
    tables: Sequence[str] = (
        """CREATE TABLE IF NOT EXISTS tickets (
            opened_position INTEGER PRIMARY KEY,
            number TEXT NOT NULL UNIQUE,
            account TEXT NOT NULL,
            status TEXT NOT NULL,
            title TEXT NOT NULL,
            topic TEXT NOT NULL,
            opened_by TEXT NOT NULL,
            opened_at TEXT NOT NULL,
            updated_by TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            revision INTEGER NOT NULL,
            position INTEGER NOT NULL,
            replies INTEGER NOT NULL
        )""",
        "CREATE INDEX IF NOT EXISTS tickets_of_account ON tickets (account, opened_position)",
        "CREATE INDEX IF NOT EXISTS tickets_by_status ON tickets (status, opened_position)",
        """CREATE INDEX IF NOT EXISTS tickets_of_account_by_status
            ON tickets (account, status, opened_position)""",
        """CREATE TABLE IF NOT EXISTS counts (
            account TEXT NOT NULL, status TEXT NOT NULL, tickets INTEGER NOT NULL,
            PRIMARY KEY (account, status)
        ) WITHOUT ROWID""",
        """CREATE TABLE IF NOT EXISTS identifiers (
            value TEXT NOT NULL, kind TEXT NOT NULL, opened_position INTEGER NOT NULL,
            PRIMARY KEY (value, kind, opened_position)
        ) WITHOUT ROWID""",
        """CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (
            account, words, content='', columnsize=0, tokenize="unicode61 remove_diacritics 0"
        )""",
    )

    def apply(self, cursor: SQLiteCursor, documents: Sequence[Document]) -> None:
        """Take in events, in the order of the log."""
        batch = _Batch(cursor)
        for document in documents:
            batch.add(document)
        batch.write()


class _Batch:
    """Collects the rows of some events, so that each table is written once."""

    def __init__(self, cursor: SQLiteCursor) -> None:
        self._cursor = cursor
        self._opened: list[tuple[object, ...]] = []
        self._changed: list[tuple[object, ...]] = []
        self._identifiers: list[tuple[object, ...]] = []
        self._texts: list[tuple[object, ...]] = []
        self._counts: dict[tuple[str, str], int] = {}
        self._keys: dict[str, int] = {}

    def add(self, document: Document) -> None:
        content = document.content
        match document.type:
            case "casetrail.ticket.opened.v1":
                self._open(document, content["data"])
                words = _words_of_opening(content["data"])
            case "casetrail.ticket.replied.v1":
                self._change(document, "open", replies=1)
                words = [content["data"]["content"]["text"]]
            case "casetrail.ticket.closed.v1":
                self._change(document, "closed")
                self._count(content["account"], open=-1, closed=1)
                words = [content["data"]["content"].get("note", "")]
            case "casetrail.ticket.reopened.v1":
                self._change(document, "open")
                self._count(content["account"], open=1, closed=-1)
                words = [content["data"]["content"]["reason"]]
            case _:
                return  # of a later version of this service; its replica will be another file
        account = search_token(content["account"])
        text_key = self._key(document.subject) << REVISION_BITS | document.revision
        self._texts.append((text_key, account, fold("\n".join(words))))

    def _open(self, document: Document, data: dict[str, Any]) -> None:
        content = document.content
        self._keys[document.subject] = document.position
        self._opened.append(
            (
                document.position,
                document.subject,
                content["account"],
                data["content"]["title"],
                data["topic"],
                content["actor"],
                content["time"],
                content["actor"],
                content["time"],
                document.position,
            )
        )
        for identifier in data["content"].get("identifiers", ()):
            self._identifiers.append(
                (fold_identifier(identifier["value"]), identifier["kind"], document.position)
            )
        self._count(content["account"], open=1)

    def _change(self, document: Document, status: str, *, replies: int = 0) -> None:
        content = document.content
        self._changed.append(
            (
                status,
                content["actor"],
                content["time"],
                document.revision,
                document.position,
                replies,
                document.subject,
            )
        )

    def _count(self, account: str, **changes: int) -> None:
        for status, change in changes.items():
            for key in ((account, status), (ALL_ACCOUNTS, status)):
                self._counts[key] = self._counts.get(key, 0) + change

    def _key(self, number: str) -> int:
        key = self._keys.get(number)
        if key is None:
            self._cursor.execute("SELECT opened_position FROM tickets WHERE number = ?", (number,))
            key = int(self._cursor.fetchone()["opened_position"])
            self._keys[number] = key
        return key

    def write(self) -> None:
        """All openings come before all changes: a change never depends on a later opening."""
        write = self._cursor.executemany
        write("INSERT INTO tickets VALUES (?, ?, ?, 'open', ?, ?, ?, ?, ?, ?, 1, ?, 0)", self._opened)
        write(
            "UPDATE tickets SET status = ?, updated_by = ?, updated_at = ?, revision = ?, position = ?, "
            "replies = replies + ? WHERE number = ?",
            self._changed,
        )
        write("INSERT OR IGNORE INTO identifiers VALUES (?, ?, ?)", self._identifiers)
        write("INSERT INTO texts (rowid, account, words) VALUES (?, ?, ?)", self._texts)
        write(
            "INSERT INTO counts VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET tickets = tickets + excluded.tickets",
            [(account, status, change) for (account, status), change in self._counts.items()],
        )


def search_token(account: str) -> str:
    """An account as one word of the index: `acme-clinic` must not be found as `acme`.

    Two accounts may share a word (`a-b`, `ab`); the index only narrows, the row decides.
    """
    return account.replace("-", "")


def _words_of_opening(data: dict[str, Any]) -> list[str]:
    content = data["content"]
    return [content["title"], content["message"], *_words_of_answers(content), *_identifiers(content)]


def _words_of_answers(content: dict[str, Any]) -> Iterator[str]:
    for answer in content.get("answers", ()):
        yield from answer["values"]


def _identifiers(content: dict[str, Any]) -> Iterator[str]:
    for identifier in content.get("identifiers", ()):
        yield identifier["value"]
