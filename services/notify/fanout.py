"""Who is told of what: every update of a ticket, one after the other, is addressed once and for all.

    addressed   who is told, and why; on record before anything is queued
    queued      an e-mail for each of them

A repeated delivery finds the first and completes the second. What was in the log before the service first
started is never told of, nor is anything told twice because a consumer or a replica was made anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from nats.aio.client import Client
from pydantic_core import to_json

from contracts import subjects
from contracts.envelope import ActorKind, Via, format_time
from contracts.notify import events as wire
from contracts.reference import derive_reference
from contracts.tickets.events import TicketEvent as TicketEventSchema
from contracts.tickets.events import parse_ticket_event
from services.guard.following import Following
from services.notify import outgoing, ticket_view
from services.notify.addressing import told
from services.notify.commands import Commands
from services.notify.directory import Directory
from services.notify.news import TicketEvent, acted
from services.notify.threading import message_id
from services.notify.translate import SERVICE, SOURCE
from services.runtime import telemetry
from services.runtime.errors import Unavailable
from services.runtime.events import Retry, Subscribers
from services.runtime.ids import derived_id, uuid7
from services.runtime.log import Append, Conflict, Log, LogUnavailable
from services.runtime.replica import Replica
from services.runtime.streams import StreamsUnavailable, stream_info

KIND: Final = "ticket"
UPDATES: Final = "notify-updates"
"""The durable consumer; all replicas of the service share it."""

RETRY: Final = Retry(deliveries=100, first_s=0.5, longest_s=30.0)
"""Updates are addressed in order, so one that cannot be holds up the others: three quarters of an hour, then
it is a dead letter."""

_TICKETS: Final = subjects.TICKETS.name.lower()


class FanOut:
    """Addresses updates of tickets."""

    def __init__(
        self,
        nc: Client,
        log: Log,
        mails: Replica,
        tickets: Replica,
        commands: Commands,
        directory: Directory,
        following: Following,
        *,
        domain: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`mails` is the replica of NOTIFY, `domain` that of our addresses."""
        self._nc = nc
        self._log = log
        self._mails = mails
        self._tickets = tickets
        self._commands = commands
        self._directory = directory
        self._following = following
        self._domain = domain
        self._now = now

    async def begun_at(self, stream: subjects.Stream = subjects.TICKETS) -> int:
        """The position of a log after which is told of what happens; set by the first start.

        Raises:
            Unavailable: a log does not answer.
        """
        begun = f"begun-{stream.name.lower()}"
        while True:
            recorded = self._recorded(begun)
            if recorded is not None:
                return wire.UpdatesBegunV1.model_validate_json(recorded).data.position
            try:
                about = await stream_info(self._nc, stream)
            except StreamsUnavailable as error:
                raise Unavailable from error
            data = {"stream": stream.name.lower(), "position": int(about["state"]["last_seq"])}
            await self._append(begun, "casetrail.updates.begun.v1", data, account="platform", cause=begun)

    def subscribe(self, subscribers: Subscribers, *, after: int) -> None:
        """Have every update after the position addressed."""

        async def address(event: TicketEvent, position: int) -> None:
            """Queues an e-mail for everybody who wants to be told of it."""
            await self.address(event, position)

        subscribers.subscribe(
            subjects.TICKETS,
            subjects.ticket_events("*", "*"),
            name=UPDATES,
            parse=parse_ticket_event,
            handler=address,
            schema=TicketEventSchema,
            retry=RETRY,
            in_order=True,
            after=after,
        )

    async def address(self, event: TicketEvent, position: int) -> None:
        """Decide who is told, unless that is on record, and queue what is not queued. Raises Unavailable."""
        recorded = self._recorded(event.id)
        while recorded is None:
            data = await self._decided(event, position)
            await self._append(
                event.id,
                "casetrail.update.addressed.v1",
                data,
                account=event.account,
                cause=event.correlationid,
            )
            recorded = self._recorded(event.id)
        addressed = wire.UpdateAddressedV1.model_validate_json(recorded).data
        letters = (self._letter(event, addressed, recipient) for recipient in addressed.recipients)
        await asyncio.gather(*(self._commands.queue(letter) for letter in letters if letter is not None))

    async def _decided(self, event: TicketEvent, position: int) -> dict[str, Any]:
        await self._tickets.wait_for(position)
        await self._following.catch_up()
        with self._tickets.reading() as cursor:
            ticket = ticket_view.known_ticket(cursor, event.subject, at=position)
        people = () if ticket is None else told(ticket.part, acted(event), self._directory)
        return {
            "cause": {"stream": _TICKETS, "position": position, "event": event.id, "type": event.type},
            "ticket": event.subject,
            "recipients": [
                {
                    "mail": derived_id("mail", event.id, each.person.id),
                    "person": each.person.id,
                    "capacity": each.capacity.value,
                    "why": each.why.value,
                }
                for each in people
            ],
        }

    def _letter(
        self, event: TicketEvent, addressed: wire.Addressed, recipient: wire.Recipient
    ) -> outgoing.Letter | None:
        person = self._directory.person(recipient.person)
        if person is None:  # the log of access is another one than it was
            return None
        cause = addressed.cause
        return outgoing.Letter(
            id=recipient.mail,
            account=event.account,
            kind=KIND,
            cause=outgoing.Cause(
                event=cause.event, type=cause.type, stream=cause.stream, position=cause.position
            ),
            why=recipient.why,
            email=person.email,
            language=self._directory.language(person, event.account),
            reference=derive_reference("mail", recipient.mail),
            message_id=message_id(event.id, person.id, self._domain),
            person=person.id,
            ticket=addressed.ticket,
            capacity=recipient.capacity.value,
        )

    def _recorded(self, subject: str) -> bytes | None:
        with self._mails.reading() as cursor:
            cursor.execute("SELECT state FROM stored_events WHERE originator_id = ?", (subject,))
            row = cursor.fetchone()
        return None if row is None else bytes(row["state"])

    async def _append(
        self, subject: str, tag: str, data: dict[str, Any], *, account: str, cause: str
    ) -> None:
        """On record once it returns, by this process or by another one. Raises Unavailable."""
        event_id = uuid7()
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": SOURCE,
            "subject": subject,
            "time": format_time(self._now()),
            "datacontenttype": "application/json",
            "account": account,
            "revision": 1,
            "actor": f"{ActorKind.SYSTEM.value}:{SERVICE}",
            "via": Via.EMAIL.value,
            "commandid": subject,
            "correlationid": cause,
            "type": tag,
            "data": data,
        }
        if (trace := telemetry.current_traceparent()) is not None:
            event["traceparent"] = trace
        entry = Append(
            subject=subjects.update_events(subject), payload=to_json(event), message_id=event_id, expected=0
        )
        try:
            await self._mails.wait_for(await self._log.append(entry))
        except Conflict:
            await self._mails.catch_up()
        except LogUnavailable as error:
            raise Unavailable from error
