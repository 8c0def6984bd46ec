"""The local picture of intake: which versions of questionnaires there are, and in which order they came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eventsourcing.sqlite import SQLiteCursor
from pydantic_core import from_json, to_json

from services.runtime.recorder import Document


class Row(NamedTuple):
    """A version of a questionnaire as the log has it."""

    canonical: str
    document: object
    is_retired: bool


class IntakeView:
    """What is written into the replica beside each event. Submissions are found by their events alone."""

    version = "1"
    tables: Sequence[str] = (
        """CREATE TABLE IF NOT EXISTS questionnaires (
            id TEXT PRIMARY KEY,
            canonical TEXT NOT NULL,
            document BLOB NOT NULL,
            retired INTEGER NOT NULL,
            position INTEGER NOT NULL
        ) WITHOUT ROWID""",
    )

    def apply(self, cursor: SQLiteCursor, documents: Sequence[Document]) -> None:
        """Take in events, in the order of the log."""
        for document in documents:
            match document.type:
                case "casetrail.questionnaire.published.v1":
                    data = document.content["data"]
                    cursor.execute(
                        "INSERT INTO questionnaires VALUES (?, ?, ?, 0, ?) "
                        "ON CONFLICT DO UPDATE SET retired = 0, position = excluded.position",
                        (
                            document.subject,
                            data["questionnaire"],
                            to_json(data["document"]),
                            document.position,
                        ),
                    )
                case "casetrail.questionnaire.retired.v1":
                    cursor.execute("UPDATE questionnaires SET retired = 1 WHERE id = ?", (document.subject,))
                case _:
                    pass  # a submission, or of a later version of this service


def rows(cursor: SQLiteCursor) -> list[Row]:
    """Every version, in the order in which they were offered last."""
    cursor.execute("SELECT canonical, document, retired FROM questionnaires ORDER BY position")
    return [
        Row(row["canonical"], from_json(row["document"]), bool(row["retired"])) for row in cursor.fetchall()
    ]
