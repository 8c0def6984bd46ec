"""The local picture of accounts, people and systems, and of every grant that there ever was.

A grant is a role that somebody has from one event to another: a row that is opened under the position of the
event that granted it, and closed under that of the event that took it away. So who might do what at any
position, or time, is one look into one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eventsourcing.sqlite import SQLiteCursor
from pydantic_core import to_json

from contracts.access.systems import system_user
from services.runtime.folding import fold
from services.runtime.recorder import Document

MEMBER: Final = "member"
PLATFORM: Final = "platform"
SYSTEM: Final = "system"

EVERY_ACCOUNT: Final = "*"


class AccessView:
    """What is written into the replica beside each event."""

    version = "2"
    tables: Sequence[str] = (
        """CREATE TABLE IF NOT EXISTS accounts (
            account TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            words TEXT NOT NULL,
            languages TEXT NOT NULL,
            identifiers TEXT NOT NULL,
            registered_at TEXT NOT NULL,
            members INTEGER NOT NULL,
            position INTEGER NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE IF NOT EXISTS people (
            person TEXT PRIMARY KEY,
            email TEXT NOT NULL,
            display_name TEXT,
            language TEXT,
            mail TEXT
        ) WITHOUT ROWID""",
        """CREATE TABLE IF NOT EXISTS identities (
            issuer TEXT NOT NULL,
            provider_subject TEXT NOT NULL,
            person TEXT NOT NULL,
            revision INTEGER NOT NULL,
            PRIMARY KEY (issuer, provider_subject)
        ) WITHOUT ROWID""",
        """CREATE TABLE IF NOT EXISTS grants (
            position INTEGER PRIMARY KEY,
            granted_to TEXT NOT NULL,
            person TEXT NOT NULL,
            account TEXT NOT NULL,
            role TEXT NOT NULL,
            since TEXT NOT NULL,
            until_position INTEGER,
            until TEXT
        )""",
        "CREATE INDEX IF NOT EXISTS grants_of_person ON grants (person, account)",
        "CREATE INDEX IF NOT EXISTS grants_in_account ON grants (account, person)",
        """CREATE TABLE IF NOT EXISTS invitations (
            invitation TEXT PRIMARY KEY,
            account TEXT NOT NULL,
            person TEXT NOT NULL,
            email TEXT NOT NULL,
            role TEXT NOT NULL,
            status TEXT NOT NULL,
            invited_at TEXT NOT NULL,
            expires_at TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE UNIQUE INDEX IF NOT EXISTS open_invitations
            ON invitations (account, person) WHERE status = 'open'""",
        """CREATE TABLE IF NOT EXISTS credentials (
            position INTEGER PRIMARY KEY,
            account TEXT NOT NULL,
            name TEXT NOT NULL,
            public_key TEXT NOT NULL,
            may TEXT NOT NULL,
            created_at TEXT NOT NULL,
            revoked_at TEXT
        )""",
        "CREATE INDEX IF NOT EXISTS credentials_of_account ON credentials (account, position)",
    )

    def apply(self, cursor: SQLiteCursor, documents: Sequence[Document]) -> None:
        """Take in events, in the order of the log."""
        for document in documents:
            _Row(cursor, document).apply()


class _Row:
    """Writes what one event changes."""

    def __init__(self, cursor: SQLiteCursor, document: Document) -> None:
        self._cursor = cursor
        self._position = document.position
        self._tag = document.type
        self._subject = document.subject
        self._revision = document.revision
        self._time: str = document.content["time"]
        self._data: dict[str, Any] = document.content["data"]

    def apply(self) -> None:
        match self._tag.split(".")[1]:
            case "account" | "member" | "invitation" | "credential":
                self._apply_to_account()
            case "person":
                self._apply_to_person()

    def _apply_to_account(self) -> None:
        match self._tag:
            case "casetrail.account.registered.v1":
                self._register_account()
            case "casetrail.account.changed.v1":
                self._write(
                    "UPDATE accounts SET name = ?, words = ?, languages = ?, identifiers = ? "
                    "WHERE account = ?",
                    *self._account_values(),
                    self._subject,
                )
            case "casetrail.member.invited.v1":
                self._invite()
            case "casetrail.member.joined.v1":
                self._settle("accepted")
                self._grant(MEMBER, self._data["person"], self._subject, self._data["role"])
                self._count_members(1)
            case "casetrail.invitation.withdrawn.v1":
                self._settle("withdrawn")
            case "casetrail.member.changed.v1":
                self._end_grant(MEMBER, self._data["person"], self._subject)
                self._grant(MEMBER, self._data["person"], self._subject, self._data["role"])
            case "casetrail.member.removed.v1":
                self._end_grant(MEMBER, self._data["person"], self._subject)
                self._count_members(-1)
            case "casetrail.credential.created.v1":
                self._create_credential()
            case "casetrail.credential.revoked.v1":
                self._end_grant(SYSTEM, system_user(self._subject, self._data["name"]), self._subject)
                self._write(
                    "UPDATE credentials SET revoked_at = ? WHERE account = ? AND public_key = ?",
                    self._time,
                    self._subject,
                    self._data["public_key"],
                )
            case _:
                return  # of a later version of this service; its replica will be another file
        self._write("UPDATE accounts SET position = ? WHERE account = ?", self._position, self._subject)

    def _apply_to_person(self) -> None:
        match self._tag:
            case "casetrail.person.registered.v1":
                content = self._data["content"]
                self._write(
                    "INSERT INTO people VALUES (?, ?, ?, ?, NULL)",
                    self._subject,
                    content["email"],
                    content.get("display_name"),
                    content.get("language"),
                )
            case "casetrail.person.changed.v1":
                content = self._data["content"]
                self._write(
                    "UPDATE people SET display_name = ?, language = ?, mail = coalesce(?, mail) "
                    "WHERE person = ?",
                    content.get("display_name"),
                    content.get("language"),
                    to_json(content["mail"]).decode() if "mail" in content else None,
                    self._subject,
                )
            case "casetrail.person.linked.v1":
                # Two replicas of the service may link one identity at the same moment: the first one holds.
                self._write(
                    "INSERT OR IGNORE INTO identities VALUES (?, ?, ?, ?)",
                    self._data["issuer"],
                    self._data["content"]["provider_subject"],
                    self._subject,
                    self._revision,
                )
            case "casetrail.person.appointed.v1":
                self._grant(PLATFORM, self._subject, EVERY_ACCOUNT, self._data["role"])
            case "casetrail.person.dismissed.v1":
                self._end_grant(PLATFORM, self._subject, EVERY_ACCOUNT, self._data["role"])

    def _register_account(self) -> None:
        self._write(
            "INSERT INTO accounts (name, words, languages, identifiers, account, registered_at, members, "
            "position) VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
            *self._account_values(),
            self._subject,
            self._time,
            self._position,
        )

    def _account_values(self) -> tuple[str, str, str, str]:
        content = self._data["content"]
        name: str = content["name"]
        return (
            name,
            fold(f"{self._subject} {name}"),
            to_json(self._data.get("languages", [])).decode(),
            to_json(content.get("identifiers", [])).decode(),
        )

    def _invite(self) -> None:
        self._write(
            "UPDATE invitations SET status = 'replaced' WHERE account = ? AND person = ? AND status = 'open'",
            self._subject,
            self._data["person"],
        )
        self._write(
            "INSERT INTO invitations VALUES (?, ?, ?, ?, ?, 'open', ?, ?)",
            self._data["invitation"],
            self._subject,
            self._data["person"],
            self._data["content"]["email"],
            self._data["role"],
            self._time,
            self._data["expires_at"],
        )

    def _settle(self, status: str) -> None:
        self._write(
            "UPDATE invitations SET status = ? WHERE invitation = ?", status, self._data["invitation"]
        )

    def _create_credential(self) -> None:
        name, may = self._data["name"], self._data["may"]
        self._write(
            "INSERT INTO credentials VALUES (?, ?, ?, ?, ?, ?, NULL)",
            self._position,
            self._subject,
            name,
            self._data["public_key"],
            " ".join(may),
            self._time,
        )
        self._grant(SYSTEM, system_user(self._subject, name), self._subject, " ".join(may))

    def _grant(self, granted_to: str, person: str, account: str, role: str) -> None:
        self._write(
            "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)",
            self._position,
            granted_to,
            person,
            account,
            role,
            self._time,
        )

    def _end_grant(self, granted_to: str, person: str, account: str, role: str | None = None) -> None:
        """Without a role: whichever it is."""
        self._write(
            "UPDATE grants SET until_position = ?, until = ? WHERE person = ? AND account = ? "
            "AND granted_to = ? AND until_position IS NULL AND role = coalesce(?, role)",
            self._position,
            self._time,
            person,
            account,
            granted_to,
            role,
        )

    def _count_members(self, change: int) -> None:
        self._write("UPDATE accounts SET members = members + ? WHERE account = ?", change, self._subject)

    def _write(self, statement: str, *values: object) -> None:
        self._cursor.execute(statement, values)
