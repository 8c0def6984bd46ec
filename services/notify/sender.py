"""Sending what is due, one mail after the other, oldest first.

    claim      on record; of several replicas one has the mail
    hand over  to the mail server
    answer     on record

A process that dies between the two leaves a claim without a result. When it has run out the mail is sent
again, with the same Message-ID, and the log says that it may be a repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import nats.errors
import structlog
from prometheus_client import CollectorRegistry, Counter

from services.notify import view
from services.notify.commands import Commands
from services.notify.interests import Confirmations
from services.notify.outgoing import Answer
from services.notify.smtp import MailServer
from services.runtime.errors import Unavailable
from services.runtime.replica import Replica

AT_ONCE: Final = 50
LOOK_EVERY_S: Final = 5.0
PAUSE_S: Final = 1.0

_NOTHING_TO_SAY: Final = Answer(None, "nothing to say any more")

log = structlog.get_logger()


class Sender:
    """Start `run()` as a task."""

    def __init__(
        self,
        replica: Replica,
        commands: Commands,
        server: MailServer,
        confirmations: Confirmations,
        registry: CollectorRegistry,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._replica = replica
        self._commands = commands
        self._server = server
        self._confirmations = confirmations
        self._now = now
        self._woken = asyncio.Event()
        self._mails = Counter(
            "casetrail_mails",
            "Attempts to send e-mails, by what came of them",
            ["outcome"],
            registry=registry,
        )

    def wake(self) -> None:
        """Look now: something was queued, or came in."""
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self._send_due()
                except (Unavailable, nats.errors.Error, TimeoutError) as error:
                    log.warning("mail.waiting", reason=type(error).__name__)
                    await asyncio.sleep(PAUSE_S)
                    continue
                await self._until_due()
        finally:
            await self._server.close()

    async def _send_due(self) -> None:
        while True:
            with self._replica.reading() as cursor:
                due = view.due_mails(cursor, self._now(), limit=AT_ONCE)
            if not due:
                return
            for mail in due:
                await self._send(mail)

    async def _send(self, mail: str) -> None:
        claimed = await self._commands.claim(mail)
        if claimed is None:
            await self._replica.catch_up()  # somebody else was faster: hear of it before looking again
            return
        letter, attempt = claimed
        message = await self._confirmations.write(letter, at=self._now())
        answer = _NOTHING_TO_SAY if message is None else await self._server.send(message)
        log.info("mail.attempt", mail=mail, kind=letter.kind, attempt=attempt, code=answer.code)
        self._mails.labels(_outcome(answer)).inc()
        position = await self._record(mail, attempt, answer, is_final=message is None)
        if position is not None:
            await self._replica.wait_for(position)

    async def _record(self, mail: str, attempt: int, answer: Answer, *, is_final: bool) -> int | None:
        """Insists: what is not on record will be sent again."""
        while True:
            try:
                return await self._commands.answered(mail, attempt, answer, is_final=is_final)
            except Unavailable:
                log.warning("mail.answer_not_recorded", mail=mail, attempt=attempt)
                await asyncio.sleep(PAUSE_S)

    async def _until_due(self) -> None:
        with self._replica.reading() as cursor:
            due = view.next_due(cursor)
        wait_s = LOOK_EVERY_S
        if due is not None:
            wait_s = min(wait_s, max(0.0, (due - self._now()).total_seconds()))
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            return


def _outcome(answer: Answer) -> str:
    return "no_answer" if answer.code is None else f"{answer.code // 100}xx"
