"""Carrying out a command: load the ticket, decide, append on the condition that nobody was faster."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from contracts import subjects
from contracts.number import derive_number
from contracts.tickets import requests
from services.runtime import telemetry
from services.runtime.errors import Refused, Unavailable
from services.runtime.ids import uuid7
from services.runtime.locks import KeyedLocks
from services.runtime.log import Append, Conflict, Log, LogUnavailable
from services.runtime.recorder import Aggregates, Document
from services.runtime.replica import Replica
from services.tickets import domain, translate

MAX_TRIES: Final = 50
"""Decisions on one command before the caller is told to come back: each lost race costs one."""

MAX_UNANSWERED: Final = 3
"""Appends without an answer, or refused for want of space, before the caller is told so."""

MAX_DERIVATIONS: Final = 20
CACHED_TICKETS: Final = 10_000

ChangeRequest = requests.ReplyToTicket | requests.CloseTicket | requests.ReopenTicket
Builder = Callable[[datetime], domain.TicketCommand]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A ticket's state and the position of its last event; position 0: there is no such ticket."""

    ticket: domain.Ticket | None
    position: int


_NO_TICKET: Final = Loaded(None, 0)


class Cache:
    """States of tickets worked on lately. Any of them may be stale: an append on it conflicts, no more."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()

    def get(self, number: str) -> Loaded | None:
        loaded = self._loaded.get(number)
        if loaded is not None:
            self._loaded.move_to_end(number)
        return loaded

    def put(self, number: str, loaded: Loaded) -> None:
        self._loaded[number] = loaded
        self._loaded.move_to_end(number)
        if len(self._loaded) > CACHED_TICKETS:
            self._loaded.popitem(last=False)

    def forget(self, number: str) -> None:
        self._loaded.pop(number, None)

    def take_in(self, documents: Sequence[Document]) -> None:
        """Evolve the states to which events were added, by whichever replica of the service."""
        for document in documents:
            loaded = self._loaded.get(document.subject)
            if loaded is None or loaded.ticket is None or document.position <= loaded.position:
                continue
            if document.revision == loaded.ticket.revision + 1:
                fact = translate.read_fact(document.type, document.payload)
                self._loaded[document.subject] = Loaded(domain.evolve(loaded.ticket, fact), document.position)
            else:
                del self._loaded[document.subject]


class Commands:
    """The write side of the service. Within a process, commands on one ticket run one after the other."""

    def __init__(
        self,
        log: Log,
        replica: Replica,
        cache: Cache,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._log = log
        self._replica = replica
        self._cache = cache
        self._now = now
        self._locks = KeyedLocks()
        self._aggregates: Aggregates[domain.Ticket, domain.TicketFact] = Aggregates(
            replica.recorder, translate.read_fact, domain.evolve
        )

    async def open(self, request: requests.OpenTicket) -> requests.CommandDone:
        """Open a ticket under the first derived number that no other command has."""
        if request.follows is not None:
            await self._check_followed(request.follows, request.account)
        for attempt in range(MAX_DERIVATIONS):
            number = derive_number(request.account, request.command_id, attempt)

            def build(at: datetime, number: str = number) -> domain.TicketCommand:
                return translate.open_command(request, number=number, at=at)

            try:
                return await self._carry_out(request, number, build)
            except domain.NumberIsTaken:
                log.info("tickets.number_taken", attempt=attempt)
        raise Unavailable

    async def change(self, request: ChangeRequest) -> requests.CommandDone:
        """Reply, close or reopen."""
        reply_id = uuid7()

        def build(at: datetime) -> domain.TicketCommand:
            return translate.change_command(request, at=at, reply_id=reply_id)

        return await self._carry_out(request, request.number, build)

    async def _check_followed(self, number: str, account: str) -> None:
        """Raises Refused unless the account has the ticket."""
        for fresh in (False, True):
            if fresh:
                await self._replica.catch_up()
            ticket = (await self._load(number)).ticket
            if ticket is not None and ticket.account == account:
                return
        raise Refused("followed_ticket_not_found", {"number": number})

    async def _carry_out(
        self, request: requests.OpenTicket | ChangeRequest, number: str, build: Builder
    ) -> requests.CommandDone:
        async with self._locks.holding(number):
            loaded: Loaded | None = None
            if isinstance(request, requests.OpenTicket):
                # Nearly every number to open is new; if it is not, the append says so, and it is loaded then.
                loaded = self._cache.get(number) or _NO_TICKET
            fresh = False
            unanswered = 0
            for _ in range(MAX_TRIES):
                loaded = loaded or await self._load(number)
                command = build(self._now())
                try:
                    facts = domain.decide(command, loaded.ticket)
                except domain.Refusal as refusal:
                    if fresh or isinstance(refusal, domain.NumberIsTaken | domain.CommandIdReused):
                        refusal.data.setdefault("number", number)
                        raise
                    # The replica may lag: a rule may only say no on the log as it is now.
                    await self._replica.catch_up()
                    fresh = True
                    self._cache.forget(number)
                    loaded = None
                    continue
                if not facts:
                    return await self._answer_again(loaded, command.id)
                try:
                    return await self._append(request, number, loaded, facts[0])
                except Conflict as conflict:
                    self._cache.forget(number)
                    await self._catch_up(conflict.position)
                except LogUnavailable as unavailable:
                    # It may be in the log or not: the next decision, on the log as it is, will tell.
                    log.warning("tickets.append_unanswered", reason=str(unavailable))
                    self._cache.forget(number)
                    await self._replica.catch_up()
                    fresh = False
                    unanswered += 1
                    if unanswered == MAX_UNANSWERED:
                        raise Unavailable from unavailable
                loaded = None
            raise Unavailable("busy")

    async def _load(self, number: str) -> Loaded:
        """On a thread: a long ticket takes a while, and the others should not wait for it."""
        loaded = self._cache.get(number)
        if loaded is None:
            loaded = await asyncio.to_thread(self._read, number)
            if loaded.ticket is not None:
                self._cache.put(number, loaded)
        return loaded

    def _read(self, number: str) -> Loaded:
        ticket = self._aggregates.load(number)
        return _NO_TICKET if ticket is None else Loaded(ticket, self._position_of(number, ticket.revision))

    def _position_of(self, number: str, revision: int) -> int:
        with self._replica.reading() as cursor:
            cursor.execute(
                "SELECT rowid FROM stored_events WHERE originator_id = ? AND originator_version = ?",
                (number, revision),
            )
            return int(cursor.fetchone()["rowid"])

    async def _append(
        self,
        request: requests.OpenTicket | ChangeRequest,
        number: str,
        loaded: Loaded,
        fact: domain.TicketFact,
    ) -> requests.CommandDone:
        ticket = domain.evolve(loaded.ticket, fact)
        event = translate.event(
            fact,
            number=number,
            account=ticket.account,
            revision=ticket.revision,
            circumstances=translate.Circumstances(
                event_id=uuid7(),
                via=request.via,
                correlation_id=request.correlation_id or request.command_id,
                traceparent=telemetry.current_traceparent(),
            ),
        )
        position = await self._log.append(
            Append(
                subject=subjects.ticket_events(ticket.account, number),
                payload=translate.payload(event),
                message_id=event["id"],
                expected=loaded.position,
                guard=subjects.ticket_events("*", number) if loaded.ticket is None else None,
            )
        )
        self._cache.put(number, Loaded(ticket, position))
        return translate.done(
            number=number,
            account=ticket.account,
            tag=event["type"],
            revision=ticket.revision,
            position=position,
            event_id=event["id"],
            at=fact.at,
        )

    async def _catch_up(self, position: int | None) -> None:
        """Until the replica holds the event that won a race; raises Unavailable."""
        if position is None:
            await self._replica.catch_up()
        else:
            await self._replica.wait_for(position)

    async def _answer_again(self, loaded: Loaded, command_id: domain.CommandId) -> requests.CommandDone:
        """What the command was answered when it was done."""
        ticket = loaded.ticket
        if ticket is None:
            raise RuntimeError("a command was done on a ticket that does not exist")
        await self._replica.wait_for(loaded.position)
        with self._replica.reading() as cursor:
            cursor.execute(
                "SELECT rowid, state FROM stored_events WHERE originator_id = ? AND originator_version = ?",
                (ticket.number, ticket.done[command_id].revision),
            )
            row = cursor.fetchone()
        event = translate.recorded(row["rowid"], row["state"]).event
        return translate.done(
            number=event.subject,
            account=event.account,
            tag=event.type,
            revision=event.revision,
            position=row["rowid"],
            event_id=event.id,
            at=event.time,
        )
