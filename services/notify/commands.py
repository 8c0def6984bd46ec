"""Queueing, claiming and answering for e-mails: what is an e-mail's own about carrying out a command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from contracts import subjects
from services.notify import outgoing, translate
from services.runtime import aggregate_commands, telemetry
from services.runtime.aggregate_commands import AggregateCommands, Effect, Recording
from services.runtime.ids import uuid7
from services.runtime.log import Log
from services.runtime.replica import Replica

CACHED_MAILS: Final = 5_000


class Cache(aggregate_commands.Cache[outgoing.Mail, outgoing.MailFact]):
    """Mails worked on lately."""

    def __init__(self) -> None:
        super().__init__(size=CACHED_MAILS, read=translate.read_fact, evolve=outgoing.evolve)


class Commands:
    """The write side of the service."""

    def __init__(
        self,
        log: Log,
        replica: Replica,
        cache: Cache,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._mails: AggregateCommands[outgoing.Mail, outgoing.MailFact] = AggregateCommands(
            log,
            replica,
            cache,
            refusal=outgoing.Refusal,
            certain=(),
        )

    async def queue(self, letter: outgoing.Letter) -> int:
        """The position at which the mail was queued, now or before. Raises Unavailable."""
        command_id = f"queue.{letter.id}"
        effect = await self._carry_out(
            letter.id, lambda: outgoing.Queue(id=command_id, at=self._now(), letter=letter), command_id
        )
        return effect.position

    async def mail(self, mail: str) -> outgoing.Mail | None:
        """The mail as the replica has it."""
        return (await self._mails.loaded(mail)).state

    async def claim(self, mail: str) -> tuple[outgoing.Mail, int] | None:
        """The mail and the number of the attempt, if it is for this process to send it now.

        Raises:
            Unavailable: the log does not answer.
        """
        command_id = f"claim.{uuid7()}"
        try:
            effect = await self._carry_out(
                mail, lambda: outgoing.Claim(id=command_id, at=self._now()), command_id
            )
        except (outgoing.NotDue, outgoing.MailNotFound):
            return None
        state = (await self._mails.loaded(mail)).state
        if state is None:  # for mypy: it was just claimed
            return None
        return state, int(effect.event["data"]["attempt"])

    async def answered(
        self, mail: str, attempt: int, answer: outgoing.Answer, *, is_final: bool = False
    ) -> int | None:
        """Put on record what came of an attempt; the position, or None: another attempt has begun since.

        Raises:
            Unavailable: the log does not answer.
        """
        command_id = f"answer.{mail}.{attempt}"
        answer = replace(answer, words=translate.one_line(answer.words))
        try:
            effect = await self._carry_out(
                mail,
                lambda: outgoing.RecordAnswer(
                    id=command_id, at=self._now(), attempt=attempt, answer=answer, is_final=is_final
                ),
                command_id,
            )
        except outgoing.AttemptIsOver:
            return None
        return effect.position

    async def revive(self, mail: str, command_id: str) -> int:
        """Have it sent once more; the position at which that was asked for.

        Raises:
            outgoing.Refusal: there is no such mail, or it was not given up.
            Unavailable: the log does not answer.
        """
        effect = await self._carry_out(
            mail, lambda: outgoing.Revive(id=command_id, at=self._now()), command_id
        )
        return effect.position

    async def bounced(self, mail: str, *, received: str, hard: bool, status: str | None) -> None:
        """Put on record that it came back. Raises `outgoing.MailNotFound`, Unavailable."""
        command_id = f"bounce.{received}"
        await self._carry_out(
            mail,
            lambda: outgoing.RecordBounce(
                id=command_id, at=self._now(), hard=hard, status=status, received=received
            ),
            command_id,
        )

    async def _carry_out(
        self, mail: str, build: Callable[[], outgoing.MailCommand], command_id: str
    ) -> Effect:
        def record(fact: outgoing.MailFact, state: outgoing.Mail) -> Recording:
            event = translate.event(
                fact, state, event_id=uuid7(), traceparent=telemetry.current_traceparent()
            )
            return Recording(subjects.mail_events(mail), event)

        return await self._mails.carry_out(
            mail,
            command_id,
            decide=lambda state: outgoing.decide(build(), state),
            record=record,
        )
