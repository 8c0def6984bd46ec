"""Opening, answering, closing and reopening tickets: what is a ticket's own about carrying out a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from contracts import subjects
from contracts.access.roles import Permission
from contracts.number import derive_number
from contracts.tickets import requests
from services.guard.guard import Guard
from services.guard.picture import AccountUnknown
from services.runtime import aggregate_commands, telemetry
from services.runtime.aggregate_commands import AggregateCommands, Recording
from services.runtime.errors import NotFound, Refused, Unavailable
from services.runtime.ids import uuid7
from services.runtime.log import Log
from services.runtime.replica import Replica
from services.tickets import domain, translate

MAX_DERIVATIONS: Final = 20
CACHED_TICKETS: Final = 10_000

ChangeRequest = requests.ReplyToTicket | requests.CloseTicket | requests.ReopenTicket
TicketRequest = requests.OpenTicket | ChangeRequest
Builder = Callable[[datetime], domain.TicketCommand]

NEEDS: Final[Mapping[type[TicketRequest], Permission]] = {
    requests.OpenTicket: Permission.TICKET_OPEN,
    requests.ReplyToTicket: Permission.TICKET_REPLY,
    requests.CloseTicket: Permission.TICKET_CLOSE,
    requests.ReopenTicket: Permission.TICKET_REOPEN,
}

log = structlog.get_logger()


class Cache(aggregate_commands.Cache[domain.Ticket, domain.TicketFact]):
    """States of tickets worked on lately."""

    def __init__(self) -> None:
        super().__init__(size=CACHED_TICKETS, read=translate.read_fact, evolve=domain.evolve)


class Commands:
    """The write side of the service. Within a process, commands on one ticket run one after the other."""

    def __init__(
        self,
        log: Log,
        replica: Replica,
        cache: Cache,
        guard: Guard,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._guard = guard
        self._now = now
        self._tickets: AggregateCommands[domain.Ticket, domain.TicketFact] = AggregateCommands(
            log,
            replica,
            cache,
            refusal=domain.Refusal,
            certain=(domain.NumberIsTaken, domain.CommandIdReused),
        )

    async def open(self, request: requests.OpenTicket) -> requests.CommandDone:
        """Open a ticket under the first derived number that no other command has.

        Raises:
            Refused: the actor may not, or the account does not have the ticket to follow up.
        """
        await self._guard.require(request.actor, request.account, Permission.TICKET_OPEN)
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
        """Reply, close or reopen.

        Raises:
            NotFound: there is no such ticket, or it is none of the actor's business.
            Refused: the actor may not do that.
            domain.Refusal: a rule of tickets forbids it.
        """
        reply_id = uuid7()

        def build(at: datetime) -> domain.TicketCommand:
            return translate.change_command(request, at=at, reply_id=reply_id)

        try:
            await self._guard.require(request.actor, request.account, NEEDS[type(request)])
            return await self._carry_out(request, request.number, build)
        except AccountUnknown:
            raise NotFound("ticket_not_found", {"number": request.number}) from None

    async def _check_followed(self, number: str, account: str) -> None:
        """Raises Refused unless the account has the ticket."""
        for fresh in (False, True):
            if fresh:
                await self._tickets.catch_up()
            ticket = (await self._tickets.loaded(number)).state
            if ticket is not None and ticket.account == account:
                return
        raise Refused("followed_ticket_not_found", {"number": number})

    async def _carry_out(self, request: TicketRequest, number: str, build: Builder) -> requests.CommandDone:
        def decide(ticket: domain.Ticket | None) -> Sequence[domain.TicketFact]:
            # Right before each append: getting here may have taken a while, and cost the actor its access.
            self._guard.check(request.actor, request.account, NEEDS[type(request)])
            return domain.decide(build(self._now()), ticket)

        def record(fact: domain.TicketFact, ticket: domain.Ticket) -> Recording:
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
            # Any account's: a number is unique over all of them.
            guard = subjects.ticket_events("*", number) if ticket.revision == 1 else None
            return Recording(subjects.ticket_events(ticket.account, number), event, guard)

        try:
            effect = await self._tickets.carry_out(
                number,
                request.command_id,
                decide=decide,
                record=record,
                # Nearly every number to open is new.
                probably_new=isinstance(request, requests.OpenTicket),
            )
        except domain.Refusal as refusal:
            refusal.data.setdefault("number", number)
            raise
        return translate.done(effect.position, effect.event)
