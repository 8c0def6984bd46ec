"""The local picture of e-mails: which are to be sent and when, what became of each, which came in.

A lane is what must stay in order: the e-mails of one ticket to one address. Of a lane only the first that is
still to be sent may be claimed; one that was given up holds up nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from eventsourcing.sqlite import SQLiteCursor

from contracts import subjects
from contracts.envelope import format_time
from services.notify.outgoing import CLAIM_LASTS
from services.runtime.recorder import Document

STREAM: Final = subjects.NOTIFY.name.lower()

STUCK_AFTER: Final = timedelta(minutes=15)
"""An e-mail that was not handled for so long is for people to know of."""

WAITS: Final = (
    "settled IS NULL AND "
    "(outcome IN ('quarantined', 'unassigned', 'bounced') OR (outcome IS NULL AND at < ?))"
)
"""A condition on `received`: somebody should look at it."""

_FIRST_OF_ITS_LANE: Final = (
    "NOT EXISTS (SELECT 1 FROM mails AS earlier WHERE earlier.lane = mails.lane "
    "AND earlier.position < mails.position AND earlier.state IN ('waiting', 'sending'))"
)


class NotifyView:
    """What is written into the replica beside each event."""

    version = "3"
    tables: Sequence[str] = (
        """CREATE TABLE IF NOT EXISTS mails (
            mail TEXT PRIMARY KEY,
            lane TEXT NOT NULL,
            state TEXT NOT NULL,
            due TEXT NOT NULL,
            kind TEXT NOT NULL,
            account TEXT NOT NULL,
            ticket TEXT,
            person TEXT,
            email TEXT NOT NULL,
            why TEXT NOT NULL,
            reference TEXT NOT NULL,
            message_id TEXT NOT NULL,
            queued_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            code INTEGER,
            answer TEXT,
            bounced INTEGER NOT NULL,
            position INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX IF NOT EXISTS mails_to_send ON mails (due) WHERE state IN ('waiting', 'sending')",
        """CREATE INDEX IF NOT EXISTS mails_of_lane_to_send ON mails (lane, position)
            WHERE state IN ('waiting', 'sending')""",
        "CREATE INDEX IF NOT EXISTS mails_of_lane ON mails (lane, position)",
        "CREATE INDEX IF NOT EXISTS mails_in_order ON mails (position)",
        "CREATE INDEX IF NOT EXISTS mails_of_ticket ON mails (ticket, position)",
        "CREATE INDEX IF NOT EXISTS mails_by_state ON mails (state, position)",
        "CREATE INDEX IF NOT EXISTS mails_by_reference ON mails (reference)",
        "CREATE INDEX IF NOT EXISTS mails_by_message_id ON mails (message_id)",
        """CREATE INDEX IF NOT EXISTS mails_that_answer ON mails (lower(email), queued_at)
            WHERE kind IN ('reply_refused', 'unassigned')""",
        """CREATE TABLE IF NOT EXISTS failing (
            email TEXT PRIMARY KEY, status TEXT, since TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE IF NOT EXISTS received (
            received TEXT PRIMARY KEY,
            at TEXT NOT NULL,
            size INTEGER NOT NULL,
            recipient TEXT NOT NULL,
            sender TEXT,
            subject TEXT,
            outcome TEXT,
            reason TEXT,
            key TEXT,
            text_sha256 TEXT,
            account TEXT,
            ticket TEXT,
            person TEXT,
            event TEXT,
            handled_at TEXT,
            settled TEXT,
            position INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX IF NOT EXISTS received_in_order ON received (position)",
        "CREATE INDEX IF NOT EXISTS received_of_ticket ON received (ticket, position)",
        "CREATE INDEX IF NOT EXISTS received_by_key ON received (key)",
        "CREATE INDEX IF NOT EXISTS received_by_event ON received (event)",
        "CREATE INDEX IF NOT EXISTS received_by_outcome ON received (outcome, at) WHERE settled IS NULL",
    )

    def apply(self, cursor: SQLiteCursor, documents: Sequence[Document]) -> None:
        """Take in events, in the order of the log."""
        for document in documents:
            _apply(cursor, document, document.content["data"], str(document.content["time"]))


def _apply(cursor: SQLiteCursor, document: Document, data: dict[str, Any], time: str) -> None:
    mail = document.subject
    match document.type:
        case "casetrail.mail.queued.v1":
            _insert_mail(cursor, document, data, time)
        case "casetrail.mail.sending.v1":
            claimed_until = format_time(datetime.fromisoformat(time) + CLAIM_LASTS)
            _set(cursor, mail, time, state="sending", due=claimed_until, attempts=data["attempt"])
        case "casetrail.mail.sent.v1":
            _set(cursor, mail, time, state="sent", **_answer(data))
        case "casetrail.mail.deferred.v1":
            _set(cursor, mail, time, state="waiting", due=data["until"], **_answer(data))
        case "casetrail.mail.dead.v1":
            _set(cursor, mail, time, state="dead", **_answer(data))
        case "casetrail.mail.revived.v1":
            _set(cursor, mail, time, state="waiting", due=time, bounced=0)
            cursor.execute(
                "DELETE FROM failing WHERE email = (SELECT lower(email) FROM mails WHERE mail = ?)", (mail,)
            )
        case "casetrail.mail.bounced.v1":
            _set(cursor, mail, time, bounced=1)
            if data["hard"]:
                cursor.execute(
                    "INSERT OR REPLACE INTO failing SELECT lower(email), ?, ? FROM mails WHERE mail = ?",
                    (data.get("status"), time, mail),
                )
        case "casetrail.mail.received.v1":
            cursor.execute(
                "INSERT INTO received (received, at, size, recipient, position) VALUES (?, ?, ?, ?, ?)",
                (mail, time, data["size"], data["content"]["recipient"], document.position),
            )
        case "casetrail.mail.handled.v1":
            _set_handled(cursor, mail, data, time)
        case "casetrail.mail.settled.v1":
            cursor.execute(
                "UPDATE received SET settled = ?, account = COALESCE(?, account), "
                "ticket = COALESCE(?, ticket), event = COALESCE(?, event) WHERE received = ?",
                (data["how"], *(data.get(name) for name in ("account", "ticket", "event")), mail),
            )
        case _:
            pass  # not about one e-mail, or of a later version of this service


def _insert_mail(cursor: SQLiteCursor, document: Document, data: dict[str, Any], time: str) -> None:
    email, ticket = data["content"]["email"], data.get("ticket")
    lane = document.subject if ticket is None else f"{ticket}|{email.lower()}"
    cursor.execute(
        "INSERT INTO mails VALUES (?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, NULL, 0, ?)",
        (
            document.subject,
            lane,
            time,
            data["kind"],
            document.content["account"],
            ticket,
            data.get("person"),
            email,
            data["why"],
            data["reference"],
            data["message_id"],
            time,
            time,
            document.position,
        ),
    )


def _set(cursor: SQLiteCursor, mail: str, time: str, **values: object) -> None:
    columns = ", ".join(f"{name} = ?" for name in values)
    cursor.execute(
        f"UPDATE mails SET updated_at = ?, {columns} WHERE mail = ?",  # noqa: S608  # names of ours
        (time, *values.values(), mail),
    )


def _answer(data: dict[str, Any]) -> dict[str, object]:
    return {"attempts": data["attempt"], "code": data.get("code"), "answer": data["content"]["answer"]}


def _set_handled(cursor: SQLiteCursor, received: str, data: dict[str, Any], time: str) -> None:
    said = data.get("content", {})
    cursor.execute(
        "UPDATE received SET sender = ?, subject = ?, outcome = ?, reason = ?, key = ?, text_sha256 = ?, "
        "account = ?, ticket = ?, person = ?, event = ?, handled_at = ? WHERE received = ?",
        (
            said.get("sender"),
            said.get("subject"),
            *(data.get(name) for name in ("outcome", "reason", "key", "text_sha256")),
            *(data.get(name) for name in ("account", "ticket", "person", "event")),
            time,
            received,
        ),
    )


# Reading: what is to be sent


def due_mails(cursor: SQLiteCursor, at: datetime, *, limit: int) -> list[str]:
    """The mails that may be claimed, those queued first before the others; of each lane one."""
    cursor.execute(
        "SELECT mail FROM mails WHERE state IN ('waiting', 'sending') AND due <= ? "  # noqa: S608
        f"AND {_FIRST_OF_ITS_LANE} ORDER BY position LIMIT ?",
        (format_time(at), limit),
    )
    return [str(row["mail"]) for row in cursor.fetchall()]


def next_due(cursor: SQLiteCursor) -> datetime | None:
    """When the next mail may be claimed."""
    cursor.execute(
        "SELECT MIN(due) AS due FROM mails WHERE state IN ('waiting', 'sending') "  # noqa: S608
        f"AND {_FIRST_OF_ITS_LANE}"
    )
    row = cursor.fetchone()
    return None if row is None or row["due"] is None else datetime.fromisoformat(row["due"]).astimezone(UTC)


def failing_since(cursor: SQLiteCursor, email: str) -> tuple[str, str | None] | None:
    """Since when mail to an address comes back, and with which status (RFC 3463); None: it does not."""
    cursor.execute("SELECT since, status FROM failing WHERE email = ?", (email.lower(),))
    row = cursor.fetchone()
    return None if row is None else (str(row["since"]), row["status"])


def conversation(cursor: SQLiteCursor, mail: str, *, limit: int) -> tuple[str, ...]:
    """The Message-IDs of the lane before this mail, oldest first; at most `limit`, the latest ones."""
    cursor.execute(
        "SELECT earlier.message_id FROM mails AS mine JOIN mails AS earlier ON earlier.lane = mine.lane "
        "AND earlier.position < mine.position WHERE mine.mail = ? AND mine.ticket IS NOT NULL "
        "ORDER BY earlier.position DESC LIMIT ?",
        (mail, limit),
    )
    return tuple(str(row["message_id"]) for row in reversed(cursor.fetchall()))


# Reading: what came in


def ticket_of_message(cursor: SQLiteCursor, message_id: str) -> str | None:
    """The ticket that an e-mail of ours is about, by its Message-ID."""
    cursor.execute("SELECT ticket FROM mails WHERE message_id = ?", (message_id,))
    row = cursor.fetchone()
    return None if row is None else row["ticket"]


def sent_mail(cursor: SQLiteCursor, mail: str) -> Any | None:
    """The row of an e-mail of ours."""
    cursor.execute("SELECT * FROM mails WHERE mail = ?", (mail,))
    return cursor.fetchone()


def taken_since(cursor: SQLiteCursor, ticket: str, since: datetime) -> int:
    """How many e-mails became replies on a ticket, or were refused there, since a moment."""
    cursor.execute(
        "SELECT COUNT(*) AS n FROM received WHERE ticket = ? AND handled_at >= ? "
        "AND outcome IN ('replied', 'refused')",
        (ticket, format_time(since)),
    )
    return int(cursor.fetchone()["n"])


def answered_since(cursor: SQLiteCursor, email: str, since: datetime) -> int:
    """How many answers to e-mails that came in went to an address since a moment."""
    cursor.execute(
        "SELECT COUNT(*) AS n FROM mails WHERE kind IN ('reply_refused', 'unassigned') "
        "AND lower(email) = ? AND queued_at >= ?",
        (email.lower(), format_time(since)),
    )
    return int(cursor.fetchone()["n"])


def text_of_key(cursor: SQLiteCursor, key: str) -> str | None:
    """The digest of what the first e-mail with this key said, which is a reply now."""
    cursor.execute(
        "SELECT text_sha256 FROM received WHERE key = ? AND outcome = 'replied' ORDER BY position LIMIT 1",
        (key,),
    )
    row = cursor.fetchone()
    return None if row is None else row["text_sha256"]


def is_repeated(cursor: SQLiteCursor, received: str, event: str) -> bool:
    """Whether another e-mail was found before to be this reply."""
    cursor.execute(
        "SELECT 1 FROM received WHERE event = ? AND received <> ? AND outcome = 'replied'", (event, received)
    )
    return cursor.fetchone() is not None


def received_mail(cursor: SQLiteCursor, received: str) -> Any | None:
    """The row of an e-mail that came in."""
    cursor.execute("SELECT * FROM received WHERE received = ?", (received,))
    return cursor.fetchone()


def received_as(cursor: SQLiteCursor, event: str) -> Any | None:
    """The row of the e-mail that a reply came by: the first one, where there are copies."""
    cursor.execute("SELECT * FROM received WHERE event = ? ORDER BY position LIMIT 1", (event,))
    return cursor.fetchone()


def waiting_for_people(cursor: SQLiteCursor, stuck: str) -> int:
    """How many e-mails somebody should look at; `stuck` is `STUCK_AFTER` ago."""
    cursor.execute(f"SELECT COUNT(*) AS n FROM received WHERE {WAITS}", (stuck,))  # noqa: S608  # of ours
    return int(cursor.fetchone()["n"])
