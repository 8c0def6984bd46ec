"""Sending what is due, over a few connections at once, oldest first, each lane in its order.

    claim      on record; of several replicas one has the mail
    hand over  to the mail server
    answer     on record

A process that dies between the two leaves a claim without a result. When it has run out the mail is sent
again, with the same Message-ID, and the log says that it may be a repeat. While the mail server cannot be
reached at all nothing is claimed: the mails wait as they are.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import nats.errors
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.notify import view
from services.notify.commands import Commands
from services.notify.outgoing import Answer, Mail
from services.notify.smtp import MailServer, ServerAway
from services.notify.writing import NotToBeSent, Writer, Written
from services.runtime.errors import Unavailable
from services.runtime.replica import Replica

AT_ONCE: Final = 100
FEW: Final = 40
"""With so many in hand there is no need to look for more."""
LOOK_EVERY_S: Final = 5.0
PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0

log = structlog.get_logger()


class Sender:
    """Start `run()` as a task."""

    def __init__(
        self,
        replica: Replica,
        commands: Commands,
        servers: list[MailServer],
        writer: Writer,
        registry: CollectorRegistry,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._replica = replica
        self._commands = commands
        self._servers = servers
        self._writer = writer
        self._now = now
        self._woken = asyncio.Event()
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._in_hand: set[str] = set()
        self._mails = Counter(
            "casetrail_mails",
            "Attempts to send e-mails, by what came of them",
            ["outcome"],
            registry=registry,
        )
        self._away = Gauge(
            "casetrail_mail_server_away", "1 while the mail server cannot be reached", registry=registry
        )

    def wake(self) -> None:
        """Look now: something was queued, or came in."""
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled."""
        workers = [asyncio.create_task(self._work(server), name="send") for server in self._servers]
        looking = asyncio.create_task(self._look(), name="look")
        try:
            await asyncio.wait([*workers, looking], return_when=asyncio.FIRST_COMPLETED)
            for task in (*workers, looking):
                if task.done():
                    task.result()
        finally:
            for task in (*workers, looking):
                task.cancel()
            await asyncio.wait([*workers, looking])
            await asyncio.gather(*(server.close() for server in self._servers))

    async def _look(self) -> None:
        """Hands out what is due, again whenever something changes."""
        while True:
            self._woken.clear()
            if len(self._in_hand) < FEW:  # else the workers have enough to do, and a look costs
                self._take()
            await self._until_woken(LOOK_EVERY_S if self._in_hand else self._idle_s())

    def _take(self) -> None:
        with self._replica.reading() as cursor:
            due = view.due_mails(cursor, self._now(), limit=AT_ONCE + len(self._in_hand))
        new = [mail for mail in due if mail not in self._in_hand]
        random.shuffle(new)  # replicas that look at the same moment do not all try the same one first
        self._in_hand.update(new)
        for mail in new:
            self._queue.put_nowait(mail)

    def _idle_s(self) -> float:
        """Until the next one is due."""
        with self._replica.reading() as cursor:
            due = view.next_due(cursor)
        until = LOOK_EVERY_S if due is None else (due - self._now()).total_seconds()
        return min(LOOK_EVERY_S, max(0.0, until))

    async def _until_woken(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _work(self, server: MailServer) -> None:
        pause_s = PAUSE_S
        while True:
            mail = await self._queue.get()
            try:
                await server.ready()
                self._away.set(0)
                pause_s = PAUSE_S
                await self._send(mail, server)
            except ServerAway as away:
                log.warning("mail.server_away", reason=str(away), pause_s=pause_s)
                self._away.set(1)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except (Unavailable, nats.errors.Error, TimeoutError) as error:
                log.warning("mail.waiting", reason=type(error).__name__)
                await asyncio.sleep(PAUSE_S)
            finally:
                self._in_hand.discard(mail)
                self.wake()

    async def _send(self, mail: str, server: MailServer) -> None:
        claimed = await self._commands.claim(mail)
        if claimed is None:
            await self._replica.catch_up()  # somebody else was faster: hear of it before looking again
            return
        state, attempt = claimed
        answer, is_final = await self._attempt(state, server)
        log.info("mail.attempt", mail=mail, kind=state.letter.kind, attempt=attempt, code=answer.code)
        self._mails.labels(_outcome(answer)).inc()
        position = await self._record(mail, attempt, answer, is_final=is_final)
        if position is not None:
            await self._replica.wait_for(position)

    async def _attempt(self, mail: Mail, server: MailServer) -> tuple[Answer, bool]:
        try:
            written = await self._writer.write(mail, at=self._now())
        except (Unavailable, nats.errors.Error, TimeoutError) as error:
            # What it says cannot be told now: it is claimed, so the log has to hear of it.
            return Answer(None, f"not written: {type(error).__name__}", handed_over=False), False
        match written:
            case NotToBeSent(reason):
                return Answer(None, reason), True
            case Written(content, sender, recipient):
                return await server.send(content, sender=sender, recipient=recipient), False

    async def _record(self, mail: str, attempt: int, answer: Answer, *, is_final: bool) -> int | None:
        """Insists: what is not on record will be sent again."""
        while True:
            try:
                return await self._commands.answered(mail, attempt, answer, is_final=is_final)
            except Unavailable:
                log.warning("mail.answer_not_recorded", mail=mail, attempt=attempt)
                await asyncio.sleep(PAUSE_S)


def _outcome(answer: Answer) -> str:
    return "no_answer" if answer.code is None else f"{answer.code // 100}xx"
