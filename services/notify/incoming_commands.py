"""Taking in, handling and settling e-mails that came in: what is their own about carrying out a command."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from contracts import subjects
from services.notify import incoming, incoming_events
from services.notify.outgoing import Refusal
from services.runtime import aggregate_commands, telemetry
from services.runtime.aggregate_commands import AggregateCommands, Effect, Recording
from services.runtime.ids import derived_id, uuid7
from services.runtime.log import Log
from services.runtime.replica import Replica

CACHED_MAILS: Final = 2_000


class IncomingCache(aggregate_commands.Cache[incoming.Incoming, incoming.IncomingFact]):
    """E-mails that came in lately."""

    def __init__(self) -> None:
        super().__init__(size=CACHED_MAILS, read=incoming_events.read_fact, evolve=incoming.evolve)


class IncomingCommands:
    """The write side of what came in."""

    def __init__(
        self,
        log: Log,
        replica: Replica,
        cache: IncomingCache,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._mails: AggregateCommands[incoming.Incoming, incoming.IncomingFact] = AggregateCommands(
            log, replica, cache, refusal=Refusal, certain=()
        )

    async def mail(self, received: str) -> incoming.Incoming | None:
        """The e-mail as the replica has it."""
        return (await self._mails.loaded(received)).state

    async def take(self, delivery: incoming.Delivery) -> int:
        """The position at which its receipt is on record. Raises Unavailable."""
        command_id = f"take.{delivery.id}"
        effect = await self._carry_out(
            delivery.id,
            lambda: incoming.Take(id=command_id, at=self._now(), delivery=delivery),
            command_id,
            is_new=True,
        )
        return effect.position

    async def handled(self, received: str, result: incoming.Result) -> int:
        """Put on record what became of it; the position. Whoever comes second changes nothing.

        Raises Unavailable.
        """
        command_id = f"handle.{received}"
        effect = await self._carry_out(
            received, lambda: incoming.Handle(id=command_id, at=self._now(), result=result), command_id
        )
        return effect.position

    async def begin_settling(
        self, received: str, command_id: str, intent: incoming.Intent
    ) -> incoming.Intent:
        """Put on record that it is being put on a ticket; the intent, with what it is known by.

        Raises:
            outgoing.Refusal: it does not wait, somebody else is at it, or there is no such e-mail.
            Unavailable: the log does not answer.
        """
        command_id = f"begin.{derived_id('settle', received, command_id)}"
        await self._carry_out(
            received,
            lambda: incoming.BeginSettling(id=command_id, at=self._now(), intent=intent),
            command_id,
        )
        return replace(intent, command_id=command_id)

    async def give_up_settling(self, received: str, intent: incoming.Intent, reason: str) -> None:
        """Put on record that the ticket did not take it, unless that is. Raises Unavailable."""
        command_id = f"{intent.command_id}.end"
        with contextlib.suppress(incoming.NeedsNobody):
            await self._carry_out(
                received,
                lambda: incoming.GiveUpSettling(id=command_id, at=self._now(), reason=reason),
                command_id,
            )

    async def settled(self, received: str, command_id: str, settlement: incoming.Settlement) -> Effect:
        """Put on record what somebody did about it; also if somebody else has recorded the very same.

        Raises:
            outgoing.Refusal: there is nothing to be done about it, or there is no such e-mail.
            Unavailable: the log does not answer.
        """
        try:
            return await self._carry_out(
                received,
                lambda: incoming.Settle(id=command_id, at=self._now(), settlement=settlement),
                command_id,
            )
        except incoming.IsSettled:
            mail = await self.mail(received)
            is_put = settlement.event is not None  # which somebody else may have brought to its end
            if mail is None or not is_put or mail.settlement != settlement:
                raise
            return self._mails.effect_at(received, mail.revision)  # nothing follows a settlement

    async def _carry_out(
        self,
        received: str,
        build: Callable[[], incoming.IncomingCommand],
        command_id: str,
        *,
        is_new: bool = False,
    ) -> Effect:
        def record(fact: incoming.IncomingFact, mail: incoming.Incoming) -> Recording:
            event = incoming_events.event(
                fact, mail, event_id=uuid7(), traceparent=telemetry.current_traceparent()
            )
            return Recording(subjects.received_events(received), event)

        return await self._mails.carry_out(
            received,
            command_id,
            decide=lambda state: incoming.decide(build(), state),
            record=record,
            probably_new=is_new,
        )
