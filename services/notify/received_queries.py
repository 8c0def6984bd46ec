"""What people may know of e-mails that came in, and what they do about those that wait."""

from __future__ import annotations

import base64
from typing import Any, Final

from contracts.access.roles import Permission
from contracts.client import NotFound as NotFoundThere
from contracts.client import Refused as RefusedThere
from contracts.client import RequestFailed
from contracts.envelope import Via
from contracts.notify import requests
from contracts.notify.events import HowSettled
from services.guard.guard import Guard
from services.guard.picture import AccountUnknown
from services.notify import incoming, view, words
from services.notify.handling import files_of
from services.notify.incoming_commands import IncomingCommands
from services.notify.kept import KeptMail, KeptMails
from services.notify.queries import recorded_events
from services.notify.received.html_shown import sanitised
from services.notify.replies import Message, Replies
from services.runtime.aggregate_commands import Effect
from services.runtime.errors import NotFound, Refused, Unavailable
from services.runtime.ids import derived_id
from services.runtime.replica import Replica

MAX_SHOWN_CHARACTERS: Final = 100_000
"""Of each part of an e-mail in one answer, which must fit into a message."""
MAX_SHOWN_FILES: Final = 200


class ReceivedQueries:
    """Answers from the replica and the object store."""

    def __init__(self, replica: Replica, kept: KeptMails, guard: Guard) -> None:
        self._replica = replica
        self._kept = kept
        self._guard = guard

    async def mails(self, query: requests.ListReceived) -> requests.ReceivedPage:
        """A page of e-mails that came in. Raises Refused, Unavailable."""
        await self._guard.require(query.actor, None, Permission.MAIL_READ)
        await self._replica.wait_for(query.at_least)
        filters: dict[str, object] = {
            "account = ?": query.account,
            "ticket = ?": query.ticket,
            "person = ?": query.person,
            "outcome = ?": None if query.outcome is None else query.outcome.value,
            "position < ?": query.before,
        }
        given = {condition: value for condition, value in filters.items() if value is not None}
        conditions = [*given, *([_WAITS] if query.waiting else [])]
        where = " AND ".join(conditions) or "1"
        with self._replica.reading() as cursor:
            cursor.execute(
                f"SELECT * FROM received WHERE {where} ORDER BY position DESC LIMIT ?",  # noqa: S608  # of ours
                (*given.values(), query.limit + 1),
            )
            rows = cursor.fetchall()
            waiting = view.waiting_for_people(cursor)
        found = tuple(_summary(row) for row in rows[: query.limit])
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
        kept = await self._kept.read(query.received)
        original = None if kept is None else shown(kept)
        return requests.ReceivedRecord(mail=_summary(row), events=events, original=original)

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
        kept = await self._kept.read(row["received"])
        if kept is None:
            raise NotFound("mail_not_found")
        return shown(kept)

    async def raw(self, query: requests.GetRaw) -> requests.RawChunk:
        """Some bytes of an e-mail. Raises Refused, Unavailable."""
        await self._guard.require(query.actor, None, Permission.MAIL_READ)
        await self._replica.wait_for(query.at_least)
        raw = await self._kept.raw(query.received)
        if raw is None:
            raise NotFound("mail_not_found")
        end = query.offset + requests.MAX_RAW_BYTES
        return requests.RawChunk(
            size=len(raw),
            data=base64.b64encode(raw[query.offset : end]),
            next_offset=end if end < len(raw) else None,
        )


class Settling:
    """Carries out what people decide about e-mails that wait."""

    def __init__(
        self, commands: IncomingCommands, kept: KeptMails, replies: Replies | None, guard: Guard
    ) -> None:
        """`replies` None: no e-mails come in here, so that none can be put on a ticket."""
        self._commands = commands
        self._kept = kept
        self._replies = replies
        self._guard = guard

    async def settle(self, order: requests.SettleMail) -> requests.MailSettled:
        """Put an e-mail on a ticket as the agent's own reply, or dismiss it.

        The text is put there by the agent, who has looked at it, and says whose it is: who sent it was not
        sure, or it would not wait. Raises Refused, `incoming.Refusal`, Unavailable.
        """
        await self._guard.require(order.actor, None, Permission.MAIL_MANAGE)
        before = await self._done_before(order)
        if before is not None:
            return before
        mail = await self._commands.may_settle(order.received)
        event = None if order.ticket is None else await self._put(order, mail)
        settlement = incoming.Settlement(
            how=(HowSettled.DISMISSED if order.ticket is None else HowSettled.APPENDED).value,
            by_kind=order.actor.kind.value,
            by=order.actor.id,
            account=order.account,
            ticket=order.ticket,
            event=event,
        )
        effect = await self._commands.settled(order.received, order.command_id, settlement)
        return _settled(order.received, effect)

    async def _done_before(self, order: requests.SettleMail) -> requests.MailSettled | None:
        mail = await self._commands.mail(order.received)
        if mail is None or order.command_id not in mail.done:
            return None
        if mail.settlement is None:  # for mypy: only a settlement has an id of a caller's
            return None
        return _settled(
            order.received, await self._commands.settled(order.received, order.command_id, mail.settlement)
        )

    async def _put(self, order: requests.SettleMail, mail: incoming.Incoming) -> str:
        kept = await self._kept.read(order.received)
        if kept is None or self._replies is None or order.ticket is None or order.account is None:
            raise NotFound("mail_not_found")
        sender = kept.headers.text("From") or mail.delivery.sender or "?"
        said = words.said(words.BY_EMAIL_FROM, "en", sender=sender, at=words.moment(mail.received_at, "en"))
        message = Message(
            key=derived_id("settle", order.received),
            account=order.account,
            number=order.ticket,
            actor=order.actor,
            text=f"{said}\n\n{kept.reply.text or kept.mail.text}".rstrip(),
            files=files_of(kept),
            language="en",
            via=Via.EMAIL,
        )
        try:
            return (await self._replies.put(message)).event_id
        except NotFoundThere as there:
            raise NotFound(there.reply.code, _data(there)) from None
        except RefusedThere as there:
            raise Refused(there.reply.code, _data(there)) from None
        except RequestFailed:
            raise Unavailable from None


_WAITS: Final = "settled IS NULL AND outcome IN ('quarantined', 'unassigned', 'bounced')"


def shown(kept: KeptMail) -> requests.Original:
    """An e-mail for people to read; what is too long for an answer is cut, and said to be."""
    html = None if kept.mail.html is None else sanitised(kept.mail.html)
    parts = {
        "text": kept.reply.text,
        "folded": kept.reply.folded,
        "sender": kept.headers.text("From"),
        "recipients": ", ".join(filter(None, (kept.headers.text("To"), kept.headers.text("Cc")))),
        "subject": kept.headers.text("Subject"),
        "date": kept.headers.text("Date"),
    }
    files = kept.mail.attachments
    is_cut = len(files) > MAX_SHOWN_FILES or any(
        len(part) > MAX_SHOWN_CHARACTERS for part in (*parts.values(), html or "")
    )
    if html is not None and len(html) > MAX_SHOWN_CHARACTERS:
        html = None  # half a page could be anything
    return requests.Original(
        **{name: part[:MAX_SHOWN_CHARACTERS] for name, part in parts.items()},
        html=html,
        files=tuple(
            requests.ReceivedFile(name=each.name, media_type=each.media_type, size=len(each.content))
            for each in files[:MAX_SHOWN_FILES]
        ),
        is_cut=is_cut,
    )


def _summary(row: Any) -> requests.ReceivedSummary:
    waits = row["settled"] is None and row["outcome"] in incoming.FOR_PEOPLE
    return requests.ReceivedSummary.model_validate({**row, "received_at": row["at"], "waits": waits})


def _settled(received: str, effect: Effect) -> requests.MailSettled:
    data = effect.event["data"]
    return requests.MailSettled(
        received=received, how=HowSettled(data["how"]), event=data.get("event"), position=effect.position
    )


def _data(failed: RequestFailed) -> dict[str, str | int]:
    return {key: value for key, value in failed.reply.data.items() if isinstance(value, str | int)}
