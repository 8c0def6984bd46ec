"""Opening, answering, closing and reopening tickets: what is a ticket's own about carrying out a command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from contracts import subjects
from contracts.access.roles import Permission
from contracts.attachments.files import Attachment
from contracts.envelope import Via
from contracts.intake.events import SubmittedV1
from contracts.number import derive_number
from contracts.tickets import requests
from services.files.store import UploadRecord
from services.guard.guard import Guard
from services.guard.picture import AccountUnknown
from services.runtime import aggregate_commands, telemetry
from services.runtime.aggregate_commands import AggregateCommands, Recording
from services.runtime.errors import Malformed, NotFound, Refused, Unavailable
from services.runtime.ids import uuid7
from services.runtime.log import Log
from services.runtime.replica import Replica
from services.tickets import domain, translate

MAX_DERIVATIONS: Final = 20
CACHED_TICKETS: Final = 10_000

ChangeRequest = requests.ReplyToTicket | requests.CloseTicket | requests.ReopenTicket
TicketRequest = requests.OpenTicket | ChangeRequest
Builder = Callable[[datetime], domain.TicketCommand]
FindUpload = Callable[[str], Awaitable[UploadRecord | None]]

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
        find_upload: FindUpload,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._guard = guard
        self._find_upload = find_upload
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
        for number in _numbers(request.account, request.command_id):
            attachments = await self._attachments(request, number)

            def build(
                at: datetime, number: str = number, attachments: Sequence[Attachment] = attachments
            ) -> domain.TicketCommand:
                return translate.open_command(request, number=number, at=at, attachments=attachments)

            try:
                return await self._carry_out(request, number, build)
            except domain.NumberIsTaken:
                log.info("tickets.number_taken")
        raise Unavailable

    async def open_submitted(self, event: SubmittedV1) -> requests.CommandDone:
        """Open the ticket of a submission; of one that has its ticket, nothing more is done.

        Nobody is asked whether the person may: that was decided when the submission was put on record.

        Raises:
            Unavailable: the log does not answer.
        """
        follows = event.data.follows
        if follows is not None and not await self._has(event.account, follows):
            log.warning("tickets.followed_unknown", submission=event.subject)
            follows = None
        command_id = translate.submission_command_id(event.subject)
        for number in _numbers(event.account, command_id):

            def decide(ticket: domain.Ticket | None, number: str = number) -> Sequence[domain.TicketFact]:
                at = self._now()
                command = translate.open_submitted_command(event, number=number, at=at, follows=follows)
                return domain.decide(command, ticket)

            try:
                effect = await self._tickets.carry_out(
                    number,
                    command_id,
                    decide=decide,
                    record=lambda fact, ticket, number=number: _recording(  # type: ignore[misc]
                        fact, ticket, number, via=event.via, correlation_id=event.correlationid
                    ),
                    probably_new=True,
                )
            except domain.NumberIsTaken:
                log.info("tickets.number_taken")
                continue
            return translate.done(effect.position, effect.event)
        raise Unavailable

    async def change(self, request: ChangeRequest) -> requests.CommandDone:
        """Reply, close or reopen.

        Raises:
            NotFound: there is no such ticket, or it is none of the actor's business.
            Refused: the actor may not do that.
            domain.Refusal: a rule of tickets forbids it.
        """
        reply_id = uuid7()
        attachments: Sequence[Attachment] = ()

        def build(at: datetime) -> domain.TicketCommand:
            return translate.change_command(request, at=at, reply_id=reply_id, attachments=attachments)

        try:
            await self._guard.require(request.actor, request.account, NEEDS[type(request)])
            if isinstance(request, requests.ReplyToTicket):
                attachments = await self._attachments(request, request.number)
            return await self._carry_out(request, request.number, build)
        except AccountUnknown:
            raise NotFound("ticket_not_found", {"number": request.number}) from None

    async def _check_followed(self, number: str, account: str) -> None:
        """Raises Refused unless the account has the ticket."""
        if not await self._has(account, number):
            raise Refused("followed_ticket_not_found", {"number": number})

    async def _has(self, account: str, number: str) -> bool:
        """Whether the account has the ticket."""
        for fresh in (False, True):
            if fresh:
                await self._tickets.catch_up()
            ticket = (await self._tickets.loaded(number)).state
            if ticket is not None and ticket.account == account:
                return True
        return False

    async def _attachments(
        self, request: requests.OpenTicket | requests.ReplyToTicket, number: str
    ) -> Sequence[Attachment]:
        """The files that the request names, which its actor must have uploaded for its account.

        What was done before needs no uploads, whose time may be over: there the ids alone say what was meant.

        Raises:
            Malformed: `attachment_not_uploaded`, with the first that is not there.
        """
        if not request.attachments:
            return ()
        if await self._was_done(request, number):
            return _named_only(request.attachments)
        found: list[Attachment] = []
        for at, attachment in enumerate(request.attachments):
            upload = await self._find_upload(attachment)
            if upload is None or not upload.is_by(request.actor, request.account):
                await self._tickets.catch_up()  # another replica may have done it
                if await self._was_done(request, number):
                    return _named_only(request.attachments)
                raise Malformed(f"attachments.{at}", "attachment_not_uploaded", {"attachment": attachment})
            found.append(upload.attachment)
        return found

    async def _was_done(self, request: TicketRequest, number: str) -> bool:
        """Whether the ticket, as far as the replica knows, has seen the command before."""
        ticket = (await self._tickets.loaded(number)).state
        return ticket is not None and request.command_id in ticket.done

    async def _carry_out(self, request: TicketRequest, number: str, build: Builder) -> requests.CommandDone:
        def decide(ticket: domain.Ticket | None) -> Sequence[domain.TicketFact]:
            # Right before each append: getting here may have taken a while, and cost the actor its access.
            self._guard.check(request.actor, request.account, NEEDS[type(request)])
            return domain.decide(build(self._now()), ticket)

        def record(fact: domain.TicketFact, ticket: domain.Ticket) -> Recording:
            correlation_id = request.correlation_id or request.command_id
            return _recording(fact, ticket, number, via=request.via, correlation_id=correlation_id)

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


def _recording(
    fact: domain.TicketFact, ticket: domain.Ticket, number: str, *, via: Via, correlation_id: str
) -> Recording:
    event = translate.event(
        fact,
        number=number,
        account=ticket.account,
        revision=ticket.revision,
        circumstances=translate.Circumstances(
            event_id=uuid7(),
            via=via,
            correlation_id=correlation_id,
            traceparent=telemetry.current_traceparent(),
        ),
    )
    # Any account's: a number is unique over all of them.
    guard = subjects.ticket_events("*", number) if ticket.revision == 1 else None
    return Recording(subjects.ticket_events(ticket.account, number), event, guard)


def _named_only(attachments: Sequence[str]) -> Sequence[Attachment]:
    """Enough to compare a repeated command with what it did. Never recorded: its fact is there already."""
    return [
        Attachment.model_construct(id=each, name="", media_type="", size=0, sha256="") for each in attachments
    ]


def _numbers(account: str, command_id: str) -> Iterator[str]:
    """The numbers under which the command may open its ticket, the first one that nobody has is taken."""
    return (derive_number(account, command_id, attempt) for attempt in range(MAX_DERIVATIONS))
