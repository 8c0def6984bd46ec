"""The local picture of mails: which are to be sent, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from eventsourcing.sqlite import SQLiteCursor

from contracts.envelope import format_time
from services.notify.outgoing import CLAIM_LASTS, State
from services.runtime.recorder import Document


class NotifyView:
    """What is written into the replica beside each event."""

    version = "1"
    tables: Sequence[str] = (
        """CREATE TABLE IF NOT EXISTS mails (
            mail TEXT PRIMARY KEY,
            state TEXT NOT NULL,
            due TEXT NOT NULL,
            position INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX IF NOT EXISTS mails_to_send ON mails (due) WHERE state IN ('waiting', 'sending')",
    )

    def apply(self, cursor: SQLiteCursor, documents: Sequence[Document]) -> None:
        """Take in events, in the order of the log."""
        for document in documents:
            change = _change(document.type, document.content)
            if change is None:
                continue  # of a later version of this service
            state, due = change
            cursor.execute(
                "INSERT INTO mails VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET state = excluded.state, due = excluded.due",
                (document.subject, state.value, due, document.position),
            )


def _change(tag: str, content: dict[str, Any]) -> tuple[State, str] | None:
    time = str(content["time"])
    match tag:
        case "casetrail.mail.queued.v1" | "casetrail.mail.revived.v1":
            return State.WAITING, time
        case "casetrail.mail.sending.v1":
            return State.SENDING, format_time(datetime.fromisoformat(time) + CLAIM_LASTS)
        case "casetrail.mail.deferred.v1":
            return State.WAITING, str(content["data"]["until"])
        case "casetrail.mail.sent.v1":
            return State.SENT, time
        case "casetrail.mail.dead.v1":
            return State.DEAD, time
        case _:
            return None


def due_mails(cursor: SQLiteCursor, at: datetime, *, limit: int) -> list[str]:
    """The mails that may be claimed, those queued first before the others."""
    cursor.execute(
        "SELECT mail FROM mails WHERE state IN ('waiting', 'sending') AND due <= ? ORDER BY position LIMIT ?",
        (format_time(at), limit),
    )
    return [str(row["mail"]) for row in cursor.fetchall()]


def next_due(cursor: SQLiteCursor) -> datetime | None:
    """When the next mail may be claimed."""
    cursor.execute("SELECT MIN(due) AS due FROM mails WHERE state IN ('waiting', 'sending')")
    row = cursor.fetchone()
    return None if row is None or row["due"] is None else datetime.fromisoformat(row["due"]).astimezone(UTC)
