"""What people may know of e-mails that were to be sent."""

from __future__ import annotations

from typing import Any

import nats.errors
from eventsourcing.sqlite import SQLiteCursor
from pydantic_core import from_json

from contracts.access.roles import Permission
from contracts.envelope import Actor
from contracts.notify import requests
from contracts.reference import is_reference, parse_reference
from contracts.tickets.requests import RecordedDocument
from services.guard.guard import Guard
from services.notify.commands import Commands
from services.notify.writing import NotToBeSent, Writer
from services.runtime.errors import NotFound, Unavailable
from services.runtime.replica import Replica


class Queries:
    """Answers from the replica."""

    def __init__(self, replica: Replica, guard: Guard, commands: Commands, writer: Writer) -> None:
        self._replica = replica
        self._guard = guard
        self._commands = commands
        self._writer = writer

    async def mails(self, query: requests.ListMails) -> requests.MailPage:
        """A page of e-mails. Raises Refused, Unavailable."""
        await self._require(query.actor, query.at_least)
        filters: dict[str, object] = {
            "account = ?": query.account,
            "ticket = ?": query.ticket,
            "person = ?": query.person,
            "state = ?": None if query.state is None else query.state.value,
            "position < ?": query.before,
        }
        given = {condition: value for condition, value in filters.items() if value is not None}
        where = " AND ".join(given) or "1"
        with self._replica.reading() as cursor:
            cursor.execute(
                f"SELECT * FROM mails WHERE {where} ORDER BY position DESC LIMIT ?",  # noqa: S608  # of ours
                (*given.values(), query.limit + 1),
            )
            rows = cursor.fetchall()
        found = tuple(_summary(row) for row in rows[: query.limit])
        return requests.MailPage(
            mails=found, next_before=found[-1].position if len(rows) > query.limit else None
        )

    async def mail(self, query: requests.GetMail) -> requests.MailRecord:
        """Everything on record of an e-mail. Raises Refused, Unavailable."""
        await self._require(query.actor, query.at_least)
        with self._replica.reading() as cursor:
            reference = parse_reference(query.mail) if is_reference(query.mail) else None
            cursor.execute("SELECT * FROM mails WHERE mail = ? OR reference = ?", (query.mail, reference))
            row = cursor.fetchone()
            if row is None:
                raise NotFound("mail_not_found")
            events = recorded_events(cursor, row["mail"])
        return requests.MailRecord(mail=_summary(row), events=events, text=await self._text(row["mail"]))

    async def find(self, query: requests.FindReference) -> requests.FoundReference:
        """The ticket that an e-mail was about. Raises Refused, Unavailable."""
        await self._guard.require(query.actor, query.account, Permission.TICKET_READ)
        await self._replica.wait_for(query.at_least)
        with self._replica.reading() as cursor:
            cursor.execute(
                "SELECT mail, account, ticket FROM mails WHERE reference = ? AND ticket IS NOT NULL",
                (query.reference,),
            )
            row = cursor.fetchone()
        if row is None or query.account not in {None, row["account"]}:
            raise NotFound("reference_not_found", {"reference": query.reference})
        return requests.FoundReference(
            reference=query.reference, account=row["account"], ticket=row["ticket"], mail=row["mail"]
        )

    async def _require(self, actor: Actor | None, at_least: int) -> None:
        await self._guard.require(actor, None, Permission.MAIL_READ)
        await self._replica.wait_for(at_least)

    async def _text(self, mail: str) -> str | None:
        """What it says, in the reader's language, as plain lines."""
        state = await self._commands.mail(mail)
        if state is None:
            return None
        try:
            update = await self._writer.says(state.letter, at=state.queued_at)
        except (Unavailable, nats.errors.Error):
            return None
        return None if isinstance(update, NotToBeSent) else self._writer.text(update, state)


def _summary(row: Any) -> requests.MailSummary:
    return requests.MailSummary.model_validate({**row, "bounced": bool(row["bounced"])})


def recorded_events(cursor: SQLiteCursor, subject: str) -> tuple[RecordedDocument, ...]:
    """Every event of an e-mail, in order."""
    cursor.execute(
        "SELECT rowid, state FROM stored_events WHERE originator_id = ? ORDER BY originator_version",
        (subject,),
    )
    return tuple(
        RecordedDocument(position=row["rowid"], event=from_json(row["state"])) for row in cursor.fetchall()
    )
