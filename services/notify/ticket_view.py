"""The local picture of tickets, as far as e-mails need it: whose each is, its title, who has a part in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eventsourcing.sqlite import SQLiteCursor

from contracts.envelope import ActorKind
from services.notify.addressing import Part
from services.runtime.recorder import Document

MAX_POSITION: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KnownTicket:
    """A ticket."""

    number: str
    account: str
    title: str
    is_open: bool
    part: Part


class TicketsView:
    """What is written into the replica beside each event."""

    version = "notify-1"
    tables: Sequence[str] = (
        """CREATE TABLE IF NOT EXISTS tickets (
            number TEXT PRIMARY KEY, account TEXT NOT NULL, title TEXT NOT NULL, status TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE IF NOT EXISTS parts (
            number TEXT NOT NULL, person TEXT NOT NULL, kind TEXT NOT NULL, since INTEGER NOT NULL,
            PRIMARY KEY (number, person)
        ) WITHOUT ROWID""",
    )

    def apply(self, cursor: SQLiteCursor, documents: Sequence[Document]) -> None:
        """Take in events, in the order of the log."""
        for document in documents:
            content = document.content
            kind, _, person = str(content["actor"]).partition(":")
            match document.type:
                case "casetrail.ticket.opened.v1":
                    opened_by = content["data"]["opened_by"]
                    kind, person = opened_by["kind"], opened_by["id"]
                    title = content["data"]["content"]["title"]
                    cursor.execute(
                        "INSERT INTO tickets VALUES (?, ?, ?, 'open')",
                        (document.subject, content["account"], title),
                    )
                case "casetrail.ticket.closed.v1":
                    self._set_status(cursor, document.subject, "closed")
                case "casetrail.ticket.reopened.v1":
                    self._set_status(cursor, document.subject, "open")
            cursor.execute(
                "INSERT OR IGNORE INTO parts VALUES (?, ?, ?, ?)",
                (document.subject, person, kind, document.position),
            )

    def _set_status(self, cursor: SQLiteCursor, number: str, status: str) -> None:
        cursor.execute("UPDATE tickets SET status = ? WHERE number = ?", (status, number))


def known_ticket(cursor: SQLiteCursor, number: str, *, at: int | None = None) -> KnownTicket | None:
    """The ticket as the replica has it; with those who had a part in it at a position, or have one now."""
    cursor.execute("SELECT account, title, status FROM tickets WHERE number = ?", (number,))
    row = cursor.fetchone()
    if row is None:
        return None
    until = MAX_POSITION if at is None else at
    cursor.execute("SELECT person, kind FROM parts WHERE number = ? AND since <= ?", (number, until))
    people = {part["person"]: ActorKind(part["kind"]) for part in cursor.fetchall()}
    return KnownTicket(
        number, row["account"], row["title"], row["status"] == "open", Part(row["account"], people)
    )


def event_at(cursor: SQLiteCursor, position: int) -> bytes | None:
    """The event that stands at a position of the log."""
    cursor.execute("SELECT state FROM stored_events WHERE rowid = ?", (position,))
    row = cursor.fetchone()
    return None if row is None else bytes(row["state"])


def event_of_command(cursor: SQLiteCursor, number: str, command_id: str) -> bytes | None:
    """The event that a command on a ticket put on record."""
    cursor.execute(
        "SELECT state FROM stored_events WHERE originator_id = ? "
        "AND json_extract(state, '$.commandid') = ? LIMIT 1",
        (number, command_id),
    )
    row = cursor.fetchone()
    return None if row is None else bytes(row["state"])
