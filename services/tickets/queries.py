"""Answering queries from the replica, after waiting for the position that the caller asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from sqlite3 import Row
from typing import Final, TypeVar

from eventsourcing.sqlite import SQLiteCursor
from pydantic_core import from_json

from contracts.access.roles import Permission
from contracts.number import is_number, looks_like_number, spelled
from contracts.reference import is_reference, parse_reference
from contracts.tickets import requests
from services.guard.guard import Guard
from services.guard.picture import AccountUnknown
from services.runtime.errors import Malformed, NotFound, Refused, Unavailable
from services.runtime.replica import Replica
from services.tickets import search, translate
from services.tickets.view import UNANSWERED

MAX_PAGE_BYTES: Final = 512 * 1024
"""Of events in one answer: what is left of a NATS message has room for one event more and the rest."""

_NO_ACCOUNT: Final = "-"
"""Of a ticket that does not exist: no account has this id. Asking for it is decided like for any other."""

AnswerT = TypeVar("AnswerT")


class Queries:
    """The read side of the service."""

    def __init__(self, replica: Replica, guard: Guard) -> None:
        self._replica = replica
        self._guard = guard

    async def get(self, query: requests.GetTicket) -> requests.Ticket:
        """A ticket as it stands or stood.

        Raises:
            NotFound: there is no such ticket, or not of this account, or it is none of the actor's business,
                or it did not exist at the point asked for.
            Refused: the actor may not.
        """

        def read(cursor: SQLiteCursor) -> requests.Ticket:
            _check_exists(cursor, query.number, query.account)
            recorded = [translate.recorded(row["rowid"], row["state"]) for row in _events(cursor, query)]
            if query.as_of_time is not None:
                at: datetime = query.as_of_time
                recorded = [item for item in recorded if item.event.time <= at]
            asked_too_late = query.as_of_revision is not None and len(recorded) < query.as_of_revision
            if not recorded or asked_too_late:
                raise NotFound("ticket_did_not_exist", {"number": query.number})
            return translate.ticket(recorded)

        if query.as_of_time is not None:  # else an event of that time might be still to come
            await self._replica.catch_up()
        return await self._read_ticket(query, max(query.at_least, query.as_of_position or 0), read)

    async def history(self, query: requests.TicketHistory) -> requests.HistoryPage:
        """A page of a ticket's events.

        Raises:
            NotFound: there is no such ticket, or not of this account, or it is none of the actor's business.
            Refused: the actor may not.
        """

        def read(cursor: SQLiteCursor) -> requests.HistoryPage:
            account = _check_exists(cursor, query.number, query.account)
            cursor.execute(
                "SELECT rowid, state FROM stored_events WHERE originator_id = ? AND originator_version > ? "
                "ORDER BY originator_version LIMIT ?",
                (query.number, query.after_revision, query.limit + 1),
            )
            rows = cursor.fetchall()
            fitting = _fitting(rows, query.limit)
            events = tuple(
                requests.RecordedDocument(position=row["rowid"], event=from_json(row["state"]))
                for row in rows[:fitting]
            )
            return requests.HistoryPage(
                number=query.number,
                account=account,
                events=events,
                next_after_revision=events[-1].event["revision"] if fitting < len(rows) else None,
            )

        return await self._read_ticket(query, query.at_least, read)

    async def list(self, query: requests.ListTickets) -> requests.TicketPage:
        """A page of tickets.

        Raises:
            Refused: the actor may not, or there is no such account for it.
            Malformed: `words` holds none, or too many.
        """
        words = () if query.words is None else search.split_words(query.words)
        if query.words is not None and not words:
            raise Malformed("words", "no_words")
        if len(words) > search.MAX_WORDS:
            raise Malformed("words", "too_many_words", {"count": len(words), "limit": search.MAX_WORDS})
        wanted = search.Filter(
            account=query.account,
            status=None if query.status is None else query.status.value,
            topic=query.topic,
            unanswered=query.unanswered,
            number=query.number,
            identifier=None if query.identifier is None else query.identifier.value,
            identifier_kind=None if query.identifier is None else query.identifier.kind,
            words=words,
        )

        def read(cursor: SQLiteCursor) -> requests.TicketPage:
            next_before = next_after = None
            if query.order is requests.TicketOrder.OLDEST_UNANSWERED:
                rows, next_after = search.longest_unanswered(
                    cursor, account=query.account, topic=query.topic, after=query.after, limit=query.limit
                )
            else:
                found = search.page(cursor, wanted, before=query.before, limit=query.limit)
                rows, next_before = found.rows, found.next_before
            counted = search.counts(cursor, query.account)
            return requests.TicketPage(
                tickets=tuple(_summary(row) for row in rows),
                next_before=next_before,
                next_after=next_after,
                counts=requests.StatusCounts(open=counted.get("open", 0), closed=counted.get("closed", 0)),
                unanswered=counted.get(UNANSWERED, 0),
                position=self._replica.position_of(cursor),
            )

        return await self._read_tickets(query, read)

    async def topics(self, query: requests.ListTopics) -> requests.TopicList:
        """The topics of tickets, with how many there are of each.

        Raises:
            Refused: the actor may not, or there is no such account for it.
        """

        def read(cursor: SQLiteCursor) -> requests.TopicList:
            return requests.TopicList(
                topics=tuple(
                    requests.TopicCounts(
                        topic=row["topic"],
                        open=row["open"],
                        closed=row["closed"],
                        unanswered=row["unanswered"],
                    )
                    for row in search.topics(cursor, query.account, query.limit)
                ),
                position=self._replica.position_of(cursor),
            )

        return await self._read_tickets(query, read)

    async def lookup(self, query: requests.LookUp) -> requests.LookUpResult:
        """What a number, a reference ID or another identifier stands for.

        Raises:
            Refused: the actor may not, or there is no such account for it.
        """
        number = spelled(query.value)
        mistyped = looks_like_number(query.value) and not is_number(query.value)
        values = {query.value: None}  # that it can be read as a reference ID does not make it one
        if is_reference(query.value):
            values[parse_reference(query.value)] = None

        def read(cursor: SQLiteCursor) -> requests.LookUpResult:
            matches: list[requests.Match] = []
            if is_number(query.value):
                by_number = search.Filter(account=query.account, number=number)
                matches += [
                    requests.Match(found_as=requests.FoundAs.NUMBER, ticket=_summary(row))
                    for row in search.page(cursor, by_number, before=None, limit=1).rows
                ]
            matches += [
                requests.Match(found_as=requests.FoundAs.IDENTIFIER, kind=row["kind"], ticket=_summary(row))
                for row in search.by_identifier(cursor, tuple(values), query.account, query.limit)
            ]
            return requests.LookUpResult(matches=tuple(matches), number_mistyped=mistyped)

        return await self._read_tickets(query, read)

    async def submission(self, query: requests.GetSubmission) -> requests.SubmissionTicket:
        """The ticket of a submission, waited for if it is still to be opened.

        Raises:
            Refused: the actor may not, or `ticket_not_opened_yet`.
        """
        await self._replica.wait_for(query.at_least)
        await self._guard.require(query.actor, query.account, Permission.TICKET_READ)
        deadline = asyncio.get_running_loop().time() + query.wait_s
        while True:
            position = self._replica.position
            found = await self._read(partial(_of_submission, query=query))
            self._guard.check(query.actor, query.account, Permission.TICKET_READ)  # it may have been a while
            if found is not None:
                return found
            left_s = deadline - asyncio.get_running_loop().time()
            try:
                await self._replica.wait_for(position + 1, timeout_s=max(0.0, left_s))
            except Unavailable:
                raise Refused("ticket_not_opened_yet") from None

    async def _read_tickets(
        self,
        query: requests.ListTickets | requests.ListTopics | requests.LookUp,
        read: Callable[[SQLiteCursor], AnswerT],
    ) -> AnswerT:
        """Read an account's tickets, or those of all accounts, for whom may see them."""
        await self._replica.wait_for(query.at_least)
        await self._guard.require(query.actor, query.account, Permission.TICKET_READ)
        return await self._read(read)

    async def _read_ticket(
        self,
        query: requests.GetTicket | requests.TicketHistory,
        at_least: int,
        read: Callable[[SQLiteCursor], AnswerT],
    ) -> AnswerT:
        """Read a ticket for whom may see it; nobody else is told that there is one."""
        await self._replica.wait_for(at_least)
        account = query.account or await self._read(partial(_account_of, number=query.number))
        try:
            await self._guard.require(query.actor, account or _NO_ACCOUNT, Permission.TICKET_READ)
        except AccountUnknown:
            raise NotFound("ticket_not_found", {"number": query.number}) from None
        return await self._read(read)

    async def _read(self, read: Callable[[SQLiteCursor], AnswerT]) -> AnswerT:
        """Run the query on a thread, so that a long one does not hold up the others."""

        def reading() -> AnswerT:
            with self._replica.reading() as cursor:
                return read(cursor)

        return await self._replica.on_thread(reading)


def _of_submission(cursor: SQLiteCursor, query: requests.GetSubmission) -> requests.SubmissionTicket | None:
    cursor.execute(
        "SELECT number, account, opened_position FROM submissions JOIN tickets USING (opened_position) "
        "WHERE submission = ? AND account = ?",
        (query.submission, query.account),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    return requests.SubmissionTicket(
        number=row["number"],
        account=row["account"],
        submission=query.submission,
        position=row["opened_position"],
    )


def _account_of(cursor: SQLiteCursor, number: str) -> str | None:
    cursor.execute("SELECT account FROM tickets WHERE number = ?", (number,))
    row = cursor.fetchone()
    return None if row is None else str(row["account"])


def _check_exists(cursor: SQLiteCursor, number: str, account: str | None) -> str:
    """The ticket's account. Nobody is told whether it is missing or another account's."""
    found = _account_of(cursor, number)
    if found is None or account not in (None, found):
        raise NotFound("ticket_not_found", {"number": number})
    return found


def _events(cursor: SQLiteCursor, query: requests.GetTicket) -> list[Row]:
    condition, value = "originator_version <= ?", query.as_of_revision
    if query.as_of_position is not None:
        condition, value = "rowid <= ?", query.as_of_position
    elif query.as_of_revision is None:
        condition, value = "originator_version > ?", 0
    cursor.execute(
        f"SELECT rowid, state FROM stored_events WHERE originator_id = ? AND {condition} "  # noqa: S608
        "ORDER BY originator_version",
        (query.number, value),
    )
    return list(cursor.fetchall())


def _fitting(rows: list[Row], limit: int) -> int:
    """How many of the rows fit into one answer; at least one, which always does."""
    size = 0
    for count, row in enumerate(rows[:limit]):
        size += len(row["state"])
        if count and size > MAX_PAGE_BYTES:
            return count
    return min(len(rows), limit)


def _summary(row: Row) -> requests.TicketSummary:
    return requests.TicketSummary(
        number=row["number"],
        account=row["account"],
        status=requests.TicketStatus(row["status"]),
        title=row["title"],
        topic=row["topic"],
        opened_by=translate.actor(row["opened_by"]),
        opened_at=row["opened_at"],
        opened_position=row["opened_position"],
        updated_at=row["updated_at"],
        updated_by=translate.actor(row["updated_by"]),
        revision=row["revision"],
        position=row["position"],
        replies=row["replies"],
        unanswered_since=row["unanswered_since"],
    )
