"""What becomes of an e-mail that came in: found out and done, once, then put on record.

    received ─► a report?            the e-mail that came back is marked, agents are told
             ─► a program's?         nothing
             ─► a reply on a ticket? put there in its author's name; if that is closed, its author is told
             ─► none?                kept for people to look at; its sender is told where that is safe

Every step has the same effect when it is done again, so that an e-mail whose handling was cut off anywhere is
simply handled again. What cannot be done now (a service is away, name servers are silent) is tried later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import structlog
from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError

from contracts import subjects
from contracts.client import Malformed, Refused
from contracts.envelope import ActorKind
from contracts.notify.events import AnyReceivedEvent, MailReceivedV1, NotifyEvent, parse_notify_event
from contracts.requests import SentActor
from contracts.tickets.events import RepliedV1, parse_ticket_event
from services.guard.following import Following
from services.notify import incoming_events, ticket_view, view, words
from services.notify.addressing import capacity
from services.notify.answering import Answering
from services.notify.clues import Origin, Recollection, origin
from services.notify.directory import Directory
from services.notify.incoming import Delivery, Outcome, Result
from services.notify.incoming_commands import IncomingCommands
from services.notify.kept import KeptMail, KeptMails
from services.notify.received.authentic import Verdict
from services.notify.received.bounces import bounce
from services.notify.received.loops import automatic, may_be_answered
from services.notify.replies import File, Message, Replies, cleaned, command_id, digest, says
from services.notify.returned import Returned
from services.notify.senders import SenderChecks
from services.notify.sorting import (
    Candidate,
    Checked,
    Clues,
    NoReply,
    is_addressed_by_its_sender,
    sorted_out,
    too_many,
)
from services.notify.ticket_view import KnownTicket
from services.runtime.errors import Unavailable
from services.runtime.events import Retry, Subscribers
from services.runtime.ids import derived_id
from services.runtime.locks import KeyedLocks
from services.runtime.replica import Replica

RECEIVED: Final = "notify-received"
"""The durable consumer; all replicas of the service share it."""

RETRY: Final = Retry(deliveries=2_000, first_s=0.5, longest_s=60.0)
"""More than a day; then it is a dead letter."""

CONCURRENCY: Final = 16
"""E-mails handled at once, each in memory."""

TIMEOUT_S: Final = 30.0
"""For one e-mail with all its files."""

SMALL_PICTURE_BYTES: Final = 10 * 1024
"""A picture within the text that is no larger is a logo or a tracking pixel."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrived:
    """An e-mail under way, and what was found out about it."""

    id: str
    position: int
    delivery: Delivery
    kept: KeptMail
    origin: Origin
    verdict: Verdict | None = None
    clues: Clues | None = None

    @property
    def is_authenticated(self) -> bool:
        """Whether we know who wrote it."""
        return self.is_checked or (self.clues is not None and is_addressed_by_its_sender(self.clues))

    @property
    def is_checked(self) -> bool:
        """Whether it is sure that it comes from the address in From."""
        return self.verdict is not None and self.verdict.result == "pass"

    def result(self, outcome: Outcome, reason: str) -> Result:
        return Result(
            outcome=outcome,
            reason=reason,
            sender=self.origin.address or None,
            subject=self.kept.headers.text("Subject"),
            note=None if self.verdict is None else self.verdict.details,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Author:
    """Who replies on which ticket, as what."""

    ticket: KnownTicket
    person: str
    capacity: ActorKind


class Handling:
    """Handles e-mails that came in."""

    def __init__(
        self,
        *,
        commands: IncomingCommands,
        kept: KeptMails,
        mails: Replica,
        tickets: Replica,
        directory: Directory,
        following: Following,
        max_age_s: float,
        recollection: Recollection,
        checks: SenderChecks,
        returned: Returned,
        replies: Replies,
        answering: Answering,
        is_own: Callable[[str], bool],
        registry: CollectorRegistry,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`mails`, `tickets`: the replicas of NOTIFY and TICKETS. `is_own`: whether an address is ours."""
        self._commands = commands
        self._kept = kept
        self._mails = mails
        self._tickets = tickets
        self._directory = directory
        self._following = following
        self._max_age_s = max_age_s
        self._recollection = recollection
        self._checks = checks
        self._returned = returned
        self._replies = replies
        self._answering = answering
        self._is_own = is_own
        self._now = now
        self._locks = KeyedLocks()
        self._handled = Counter(
            "casetrail_mails_handled",
            "E-mails that came in, by what became of them",
            ["outcome"],
            registry=registry,
        )

    def subscribe(self, subscribers: Subscribers) -> None:
        """Have every e-mail handled that came in."""

        async def handle(event: AnyReceivedEvent, position: int) -> None:
            """Makes an e-mail a reply on its ticket, or finds out why it is none."""
            if isinstance(event, MailReceivedV1):
                await self.handle(event, position)

        subscribers.subscribe(
            subjects.NOTIFY,
            subjects.received_events("*"),
            name=RECEIVED,
            parse=_parse,
            handler=handle,
            schema=NotifyEvent,
            retry=RETRY,
            concurrency=CONCURRENCY,
            timeout_s=TIMEOUT_S,
        )

    async def handle(self, event: MailReceivedV1, position: int) -> None:
        """Find out what it is, do it, put it on record.

        Raises Unavailable, `contracts.client.RequestFailed`: not now.
        """
        delivery = incoming_events.delivery(event)
        is_signed = self._recollection.is_signed(delivery.recipient)
        # What one person writes on one ticket stays in order, for as long as nothing has to be tried again.
        async with self._locks.holding(delivery.recipient.lower() if is_signed else delivery.id):
            await self._mails.wait_for(position)
            mail = await self._commands.mail(delivery.id)
            if mail is not None and mail.result is not None:
                return
            kept = await self._kept.read(delivery.id)
            if kept is None:
                result = Result(outcome=Outcome.UNASSIGNED, reason="not_kept")
            else:
                arrived = _Arrived(
                    id=delivery.id,
                    position=position,
                    delivery=delivery,
                    kept=kept,
                    origin=origin(kept.headers),
                )
                result = await self._done_with(arrived, age=self._now() - event.time)
            await self._mails.wait_for(await self._commands.handled(delivery.id, result))
        log.info("mail.handled", received=delivery.id, outcome=result.outcome.value, reason=result.reason)
        self._handled.labels(result.outcome.value).inc()

    async def _done_with(self, arrived: _Arrived, *, age: timedelta) -> Result:
        delivery, kept = arrived.delivery, arrived.kept
        returned = await self._returned.handle(delivery.id, delivery.recipient, bounce(kept.raw))
        if returned is not None:
            return returned
        reason = automatic(kept.headers, envelope_sender=delivery.sender, is_own=self._is_own)
        if reason is None:
            verdict = await self._checks.check(kept.raw, kept.headers, delivery, age=age)
            arrived = replace(arrived, verdict=verdict)
        clues = self._clues(arrived, reason)
        arrived = replace(arrived, clues=clues)
        found = sorted_out(clues)
        match found:
            case Candidate():
                return await self._reply(found, arrived)
            case NoReply():
                return await self._none(found, arrived)

    def _clues(self, arrived: _Arrived, automatic: str | None) -> Clues:
        headers = arrived.kept.headers
        return Clues(
            addressed=self._recollection.addressed(arrived.delivery.recipient, headers),
            referred=self._recollection.referred(headers),
            subject=headers.text("Subject"),
            sender=arrived.origin.person,
            automatic=automatic,
            checked="none" if arrived.verdict is None else cast("Checked", arrived.verdict.result),
        )

    async def _none(self, found: NoReply, arrived: _Arrived) -> Result:
        """It is no reply: its sender is told, if we know who that is and a program may write to it."""
        address = arrived.origin.address
        if found.answerable and address is not None and self._may_be_answered(arrived):
            await self._answering.cannot_assign(
                arrived.id, arrived.position, email=address, headers=arrived.kept.headers
            )
        return arrived.result(found.outcome, found.reason)

    async def _reply(self, candidate: Candidate, arrived: _Arrived) -> Result:
        ticket = await self._ticket(candidate.number)
        if ticket is None:
            return await self._none(_not_assigned("no_ticket", arrived), arrived)
        as_ = await self._capacity(ticket, candidate.person)
        author = _Author(ticket=ticket, person=candidate.person, capacity=as_ or ActorKind.MEMBER)
        message = self._message(author, arrived)
        result = replace(
            arrived.result(Outcome.REPLIED, candidate.found_by),
            key=message.key,
            text_sha256=digest(message),
            account=ticket.account,
            ticket=ticket.number,
            person=author.person,
            capacity=author.capacity.value,
        )
        # Before anything that may have changed since: an attempt before this one may have got so far.
        if (done := await self._done_before(message, result, arrived)) is not None:
            return done
        if as_ is None:
            return await self._none(_not_assigned("no_access", arrived), arrived)
        if (why_not := self._not_a_reply(result, message, arrived)) is not None:
            return why_not
        try:
            event = (await self._replies.put(message)).event_id
        except Refused as refused:
            return await self._refused(refused.reply.code, result, message, author, arrived)
        except (Malformed, ValidationError):
            log.exception("mail.not_a_reply", received=arrived.id)
            return replace(result, outcome=Outcome.UNASSIGNED, reason="not_a_reply")
        return self._replied(result, event, arrived)

    async def _done_before(self, message: Message, result: Result, arrived: _Arrived) -> Result | None:
        """What an earlier attempt, or a copy of the e-mail, has done already; None: nothing."""
        if await self._answering.has_refused(arrived.id):
            return replace(result, outcome=Outcome.REFUSED, reason="closed")
        await self._tickets.catch_up()
        with self._tickets.reading() as cursor:
            stored = ticket_view.event_of_command(cursor, message.number, command_id(message))
        if stored is None:
            return None
        event = parse_ticket_event(stored)
        with self._mails.reading() as cursor:
            said = view.text_of_key(cursor, message.key)
        if isinstance(event, RepliedV1) and (
            says(message, event) if said is None else said == result.text_sha256
        ):
            return self._replied(result, event.id, arrived)
        return replace(result, outcome=Outcome.QUARANTINED, reason="message_id_reused")

    def _not_a_reply(self, result: Result, message: Message, arrived: _Arrived) -> Result | None:
        """Why it is for people to look at first."""
        with self._mails.reading() as cursor:
            lately = view.taken_since(cursor, message.number, self._now() - timedelta(hours=1))
        if message.actor.kind is ActorKind.AGENT and not arrived.is_checked:
            # What an agent writes counts for the platform: the signed address alone is not enough.
            return replace(result, outcome=Outcome.QUARANTINED, reason="sender_not_checked")
        if too_many(lately):
            return replace(result, outcome=Outcome.QUARANTINED, reason="too_many")
        if not cleaned(message.text) and not message.files:
            return replace(result, outcome=Outcome.UNASSIGNED, reason="no_text")
        return None

    def _replied(self, result: Result, event: str, arrived: _Arrived) -> Result:
        with self._mails.reading() as cursor:
            is_repeated = view.is_repeated(cursor, arrived.id, event)
        outcome = Outcome.REPEATED if is_repeated else Outcome.REPLIED
        return replace(result, outcome=outcome, event=event)

    async def _refused(
        self, code: str, result: Result, message: Message, author: _Author, arrived: _Arrived
    ) -> Result:
        match code:
            case "ticket_is_closed":
                return await self._closed(result, author, arrived)
            case "command_id_reused":  # a copy of it was faster
                done = await self._done_before(message, result, arrived)
                if done is None:
                    raise Unavailable("replica_behind")
                return done
            case "ticket_is_full":
                return replace(result, outcome=Outcome.UNASSIGNED, reason=code)
            case _:
                return replace(result, outcome=Outcome.UNASSIGNED, reason="no_access")

    async def _closed(self, result: Result, author: _Author, arrived: _Arrived) -> Result:
        """The ticket takes no replies: its author gets the text back and two ways on, or people see to it."""
        person = self._directory.person(author.person)
        if person is not None and self._may_be_answered(arrived):
            is_told = await self._answering.refuse(
                arrived.id,
                arrived.position,
                ticket=author.ticket,
                person=person,
                capacity=author.capacity,
            )
            if is_told:
                return replace(result, outcome=Outcome.REFUSED, reason="closed")
        return replace(result, outcome=Outcome.UNASSIGNED, reason="closed")

    def _message(self, author: _Author, arrived: _Arrived) -> Message:
        kept = arrived.kept
        person = self._directory.person(author.person)
        language = None if person is None else self._directory.language(person, author.ticket.account)
        same = kept.message_id or arrived.delivery.sha256
        return Message(
            key=derived_id("mail-in", author.ticket.number, author.person, same),
            account=author.ticket.account,
            number=author.ticket.number,
            actor=SentActor(kind=author.capacity, id=author.person),
            text=kept.reply.text,
            files=files_of(kept),
            language=words.spoken(language or "en"),
        )

    def _may_be_answered(self, arrived: _Arrived) -> bool:
        return may_be_answered(
            arrived.kept.headers,
            envelope_sender=arrived.delivery.sender,
            is_own=self._is_own,
            authenticated=arrived.is_authenticated,
        )

    async def _ticket(self, number: str) -> KnownTicket | None:
        for is_fresh in (False, True):
            if is_fresh:
                await self._tickets.catch_up()
            with self._tickets.reading() as cursor:
                ticket = ticket_view.known_ticket(cursor, number)
            if ticket is not None:
                return ticket
        return None

    async def _capacity(self, ticket: KnownTicket, person: str) -> ActorKind | None:
        """In which capacity the person may reply now. Raises Unavailable: access is not known now."""
        found = capacity(ticket.part, person, self._directory)
        if found is None:
            await self._following.catch_up()
            found = capacity(ticket.part, person, self._directory)
        if self._following.age_s > self._max_age_s:
            raise Unavailable("access_unknown")
        return found


def _not_assigned(reason: str, arrived: _Arrived) -> NoReply:
    return NoReply(Outcome.UNASSIGNED, reason, answerable=arrived.is_checked)


def files_of(kept: KeptMail) -> tuple[File, ...]:
    """The files of an e-mail, but for small pictures within its text."""
    return tuple(
        File(each.name, each.content)
        for each in kept.mail.attachments
        if not (
            each.inline and each.media_type.startswith("image/") and len(each.content) <= SMALL_PICTURE_BYTES
        )
    )


def _parse(payload: bytes) -> AnyReceivedEvent:
    """Raises ValueError for what is no event of an e-mail that came in."""
    event = parse_notify_event(payload)
    if not isinstance(event, AnyReceivedEvent):
        raise ValueError("not about an e-mail that came in")  # noqa: TRY004  # what `parse` may raise
    return event
