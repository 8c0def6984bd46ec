"""The local picture of all tickets: one row each, with what lists, searches and look-ups need.

A ticket's key here is the position of its opening, which is the order of every list. A text is indexed
under `key << 12 | revision`, so that the texts of a ticket stand together and a reply never rewrites what
was indexed before; `search.py` puts the words of a question together again. Every filter of a list has an
index in the order of the keys, and those that agents work with one in the order of who waits longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eventsourcing.sqlite import SQLiteCursor

from services.runtime.folding import fold_for_index, fold_identifier
from services.runtime.recorder import Document, insert_rows

REVISION_BITS: Final = 12
"""A ticket has at most 2001 revisions (`domain.MAX_REVISION` and a last closing)."""

ALL_ACCOUNTS: Final = "*"
ALL_TOPICS: Final = "*"
UNANSWERED: Final = "unanswered"
"""Counted like a status, beside the two."""
COUNTED: Final = ("open", "closed", UNANSWERED)

_AGENT: Final = "agent:"


class TicketsView:
    """What is written into the replica beside each event."""

    version = "5"
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
            replies INTEGER NOT NULL,
            unanswered_since TEXT,
            unanswered_position INTEGER
        )""",
        "CREATE INDEX IF NOT EXISTS tickets_of_account ON tickets (account, opened_position)",
        "CREATE INDEX IF NOT EXISTS tickets_by_status ON tickets (status, opened_position)",
        """CREATE INDEX IF NOT EXISTS tickets_of_account_by_status
            ON tickets (account, status, opened_position)""",
        "CREATE INDEX IF NOT EXISTS tickets_by_topic ON tickets (topic, opened_position)",
        """CREATE INDEX IF NOT EXISTS tickets_of_account_by_topic
            ON tickets (account, topic, opened_position)""",
        *(
            f"""CREATE INDEX IF NOT EXISTS tickets_unanswered_{name}
                ON tickets ({columns}) WHERE unanswered_position IS NOT NULL"""
            for name, columns in (
                ("newest", "opened_position"),
                ("longest", "unanswered_position"),
                ("longest_of_account", "account, unanswered_position"),
                ("longest_by_topic", "topic, unanswered_position"),
            )
        ),
        """CREATE TABLE IF NOT EXISTS counts (
            account TEXT NOT NULL, topic TEXT NOT NULL, status TEXT NOT NULL, tickets INTEGER NOT NULL,
            PRIMARY KEY (account, topic, status)
        ) WITHOUT ROWID""",
        """CREATE TABLE IF NOT EXISTS identifiers (
            value TEXT NOT NULL, kind TEXT NOT NULL, opened_position INTEGER NOT NULL,
            PRIMARY KEY (value, opened_position, kind)
        ) WITHOUT ROWID""",
        """CREATE TABLE IF NOT EXISTS submissions (
            submission TEXT PRIMARY KEY, opened_position INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (
            words, content='', columnsize=0, prefix='2', tokenize="unicode61 remove_diacritics 2"
        )""",
    )

    def apply(self, cursor: SQLiteCursor, documents: Sequence[Document]) -> None:
        """Take in events, in the order of the log."""
        batch = _Batch(cursor)
        for document in documents:
            batch.add(document)
        batch.write()


class _Batch:
    """Works out the rows of some events, so that each table, and each ticket, is written once."""

    def __init__(self, cursor: SQLiteCursor) -> None:
        self._cursor = cursor
        self._opened: dict[str, dict[str, Any]] = {}
        self._changed: dict[str, dict[str, Any]] = {}
        self._waiting_changed: dict[str, dict[str, Any]] = {}
        self._identifiers: list[tuple[str, str, int]] = []
        self._submissions: list[tuple[str, int]] = []
        self._texts: list[tuple[int, str]] = []
        self._counts: dict[tuple[str, str, str], int] = {}

    def add(self, document: Document) -> None:
        content = document.content
        data = content["data"]
        match document.type:
            case "casetrail.ticket.opened.v1":
                row = self._open(document, data)
                words = _words_of_opening(data["content"])
            case "casetrail.ticket.replied.v1":
                row = self._change(document, "open")
                row["replies"] += 1
                words = "\n".join((data["content"]["text"], *_names_of_files(data["content"])))
            case "casetrail.ticket.closed.v1":
                row = self._change(document, "closed")
                self._count(row, open=-1, closed=1)
                words = data["content"].get("note", "")
            case "casetrail.ticket.reopened.v1":
                row = self._change(document, "open")
                self._count(row, open=1, closed=-1)
                words = data["content"]["reason"]
            case _:
                return  # of a later version of this service; its replica will be another file
        text_key = row["opened_position"] << REVISION_BITS | document.revision
        self._texts.append((text_key, fold_for_index(words)))

    def _open(self, document: Document, data: dict[str, Any]) -> dict[str, Any]:
        content = document.content
        row = {
            "opened_position": document.position,
            "number": document.subject,
            "account": content["account"],
            "status": "open",
            "title": data["content"]["title"],
            "topic": data["topic"],
            "opened_by": content["actor"],
            "opened_at": content["time"],
            "updated_by": content["actor"],
            "updated_at": content["time"],
            "revision": document.revision,
            "position": document.position,
            "replies": 0,
            "unanswered_since": None,
            "unanswered_position": None,
        }
        self._note_who_waits(row, document)
        self._opened[document.subject] = row
        self._identifiers += {
            (fold_identifier(identifier["value"]), identifier["kind"], document.position): None
            for identifier in data["content"].get("identifiers", ())
        }
        if "submission" in data:
            self._submissions.append((data["submission"], document.position))
        self._count(row, open=1)
        return row

    def _change(self, document: Document, status: str) -> dict[str, Any]:
        row = self._row(document.subject)
        content = document.content
        row["status"] = status
        row["updated_by"] = content["actor"]
        row["updated_at"] = content["time"]
        row["revision"] = document.revision
        row["position"] = document.position
        self._note_who_waits(row, document)
        return row

    def _note_who_waits(self, row: dict[str, Any], document: Document) -> None:
        """The partner's side waits from what it did first after an agent's act; a closing ends the wait."""
        waited = row["unanswered_position"] is not None
        waits = row["status"] == "open" and not row["updated_by"].startswith(_AGENT)
        if waits == waited:
            return
        if row["number"] in self._changed:
            self._waiting_changed[row["number"]] = row
        row["unanswered_since"] = document.content["time"] if waits else None
        row["unanswered_position"] = document.position if waits else None
        self._count(row, **{UNANSWERED: 1 if waits else -1})

    def _row(self, number: str) -> dict[str, Any]:
        row = self._opened.get(number) or self._changed.get(number)
        if row is None:
            self._cursor.execute("SELECT * FROM tickets WHERE number = ?", (number,))
            row = self._changed[number] = dict(self._cursor.fetchone())
        return row

    def _count(self, row: dict[str, Any], **changes: int) -> None:
        for status, change in changes.items():
            for account in (row["account"], ALL_ACCOUNTS):
                for topic in (row["topic"], ALL_TOPICS):
                    key = (account, topic, status)
                    self._counts[key] = self._counts.get(key, 0) + change

    def write(self) -> None:
        insert_rows(self._cursor, "tickets", [tuple(row.values()) for row in self._opened.values()])
        self._cursor.executemany(
            "UPDATE tickets SET status = :status, updated_by = :updated_by, updated_at = :updated_at, "
            "revision = :revision, position = :position, replies = :replies "
            "WHERE opened_position = :opened_position",
            list(self._changed.values()),
        )
        # Apart, because SQLite rewrites every index of a column that is set, whether or not it changed.
        self._cursor.executemany(
            "UPDATE tickets SET unanswered_since = :unanswered_since, "
            "unanswered_position = :unanswered_position WHERE opened_position = :opened_position",
            list(self._waiting_changed.values()),
        )
        insert_rows(self._cursor, "identifiers", self._identifiers)
        # One has one ticket. Were there ever another, it must be shown like any other: the first stays here.
        self._cursor.executemany("INSERT OR IGNORE INTO submissions VALUES (?, ?)", self._submissions)
        insert_rows(self._cursor, "texts (rowid, words)", self._texts)
        self._cursor.executemany(
            "INSERT INTO counts VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET tickets = tickets + excluded.tickets",
            [(*key, change) for key, change in self._counts.items()],
        )


def _words_of_opening(content: dict[str, Any]) -> str:
    words = [content["title"], content["message"]]
    words += (value for answer in content.get("answers", ()) for value in answer["values"])
    words += (identifier["value"] for identifier in content.get("identifiers", ()))
    words += _names_of_files(content)
    return "\n".join(words)


def _names_of_files(content: dict[str, Any]) -> list[str]:
    return [attachment["name"] for attachment in content.get("attachments", ())]
