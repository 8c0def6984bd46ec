"""What people may know of e-mails that came in."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal

from contracts.access.roles import Permission
from contracts.envelope import format_time
from contracts.notify import requests
from services.files.sniff import safe_name
from services.guard.guard import Guard
from services.guard.picture import AccountUnknown
from services.notify import incoming, view
from services.notify.kept import KeptMail, KeptMails, read_kept
from services.notify.queries import recorded_events
from services.notify.received.html_shown import sanitised
from services.runtime.errors import NotFound
from services.runtime.replica import Replica

MAX_SHOWN_BYTES: Final = 150_000
"""Of each part of an e-mail in one answer, which must fit into a message."""
MAX_SHOWN_FILES: Final = 100

Extent = Literal["everything", "words only"]
EVERYTHING: Final = "everything"
"""For those who see to e-mails."""
WORDS_ONLY: Final = "words only"
"""For readers of a ticket: its page says who wrote, and an agent's address is nobody's business."""

_SIGNED: Final = re.compile(r"(?:reply|bounce)\+[A-Za-z2-70-9]{40,60}(?:@[A-Za-z0-9.-]+)?")


class ReceivedQueries:
    """Answers from the replica and the object store."""

    def __init__(
        self,
        replica: Replica,
        kept: KeptMails,
        guard: Guard,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._replica = replica
        self._kept = kept
        self._guard = guard
        self._now = now
        self._latest: tuple[str, bytes] | None = None

    async def mails(self, query: requests.ListReceived) -> requests.ReceivedPage:
        """A page of e-mails that came in. Raises Refused, Unavailable."""
        await self._guard.require(query.actor, None, Permission.MAIL_READ)
        await self._replica.wait_for(query.at_least)
        stuck = format_time(self._now() - view.STUCK_AFTER)
        filters: dict[str, object] = {
            "account = ?": query.account,
            "ticket = ?": query.ticket,
            "person = ?": query.person,
            "outcome = ?": None if query.outcome is None else query.outcome.value,
            "position < ?": query.before,
            view.WAITS: stuck if query.waiting else None,
        }
        given = {condition: value for condition, value in filters.items() if value is not None}
        where = " AND ".join(given) or "1"
        with self._replica.reading() as cursor:
            cursor.execute(
                f"SELECT * FROM received WHERE {where} ORDER BY position DESC LIMIT ?",  # noqa: S608  # of ours
                (*given.values(), query.limit + 1),
            )
            rows = cursor.fetchall()
            waiting = view.waiting_for_people(cursor, stuck)
        found = tuple(_summary(row, stuck) for row in rows[: query.limit])
        return requests.ReceivedPage(
            mails=found,
            waiting=waiting,
            next_before=found[-1].position if len(rows) > query.limit else None,
        )

    async def mail(self, query: requests.GetReceived) -> requests.ReceivedRecord:
        """Everything on record of one e-mail, and what it says. Raises Refused, Unavailable."""
        await self._guard.require(query.actor, None, Permission.MAIL_READ)
        await self._replica.wait_for(query.at_least)
        with self._replica.reading() as cursor:
            row = view.received_mail(cursor, query.received)
            if row is None:
                raise NotFound("mail_not_found")
            events = recorded_events(cursor, query.received)
        stuck = format_time(self._now() - view.STUCK_AFTER)
        return requests.ReceivedRecord(
            mail=_summary(row, stuck), events=events, original=await self._shown(query.received, EVERYTHING)
        )

    async def original(self, query: requests.GetOriginal) -> requests.Original:
        """The e-mail that a reply came by, for whoever may read the ticket. Raises Refused, Unavailable."""
        try:
            await self._guard.require(query.actor, query.account, Permission.TICKET_READ)
        except AccountUnknown:
            raise NotFound("mail_not_found") from None
        await self._replica.wait_for(query.at_least)
        with self._replica.reading() as cursor:
            row = view.received_as(cursor, query.event)
        if row is None or row["account"] != query.account:
            raise NotFound("mail_not_found")
        original = await self._shown(row["received"], WORDS_ONLY)
        if original is None:
            raise NotFound("mail_not_found")
        return original

    async def raw(self, query: requests.GetRaw) -> requests.RawChunk:
        """Some bytes of an e-mail. Raises Refused, Unavailable."""
        await self._guard.require(query.actor, None, Permission.MAIL_READ)
        await self._replica.wait_for(query.at_least)
        if self._latest is None or self._latest[0] != query.received:
            raw = await self._kept.raw(query.received)
            if raw is None:
                raise NotFound("mail_not_found")
            self._latest = query.received, raw  # who asks for the first bytes asks for the next
        raw = self._latest[1]
        end = query.offset + requests.MAX_RAW_BYTES
        return requests.RawChunk(
            size=len(raw),
            data=base64.b64encode(raw[query.offset : end]),
            next_offset=end if end < len(raw) else None,
        )

    async def _shown(self, received: str, extent: Extent) -> requests.Original | None:
        raw = await self._kept.raw(received)
        return None if raw is None else await asyncio.to_thread(_read_and_shown, raw, extent)


def _read_and_shown(raw: bytes, extent: Extent) -> requests.Original:
    return shown(read_kept(raw), extent)


def shown(kept: KeptMail, extent: Extent) -> requests.Original:
    """An e-mail for people to read; what is too long for an answer is cut, and said to be.

    Addresses that we made for one reader are taken out wherever they stand: who has one could write in its
    reader's name where senders cannot be checked.
    """
    html = None if kept.mail.html is None else _without_addresses(sanitised(kept.mail.html))
    is_cut = html is not None and len(html.encode()) > MAX_SHOWN_BYTES
    parts = {"text": kept.reply.text, "folded": kept.reply.folded, "subject": kept.headers.text("Subject")}
    if extent is EVERYTHING:
        parts["recipients"] = ", ".join(filter(None, (kept.headers.text("To"), kept.headers.text("Cc"))))
        parts["sender"] = kept.headers.text("From")
    parts["date"] = kept.headers.text("Date")
    fitting = {name: _fitting(_without_addresses(part)) for name, part in parts.items()}
    files = kept.mail.attachments
    return requests.Original(
        **{"sender": "", **{name: part for name, (part, _) in fitting.items()}},
        html=None if is_cut else html,  # half a page could be anything
        files=tuple(
            requests.ReceivedFile(
                name=safe_name(each.name), media_type=each.media_type[:128], size=len(each.content)
            )
            for each in files[:MAX_SHOWN_FILES]
        ),
        is_cut=is_cut or len(files) > MAX_SHOWN_FILES or any(cut for _, cut in fitting.values()),
    )


def _fitting(text: str) -> tuple[str, bool]:
    """As much of it as an answer can hold, and whether that is not all."""
    whole = text.encode("utf-8", "replace")
    return whole[:MAX_SHOWN_BYTES].decode("utf-8", "ignore"), len(whole) > MAX_SHOWN_BYTES


def _without_addresses(text: str) -> str:
    return _SIGNED.sub("…", text)


def _summary(row: Any, stuck: str) -> requests.ReceivedSummary:
    waits = row["at"] < stuck if row["outcome"] is None else row["outcome"] in incoming.FOR_PEOPLE
    waits = waits and row["settled"] is None
    return requests.ReceivedSummary.model_validate({**row, "received_at": row["at"], "waits": waits})
