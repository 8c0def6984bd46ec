"""Appending to the log: one event at a time, each on the condition that it is the next of its subject.

Who waits at the same moment shares a write: while one round of appends is on its way, the next gathers. A
small round goes out as single messages, a large one as an atomic batch (NATS ADR-50) with a single fsync.
A batch has a fixed cost of some milliseconds, so it pays from about eight messages.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import nats.errors
import structlog
from nats.aio.client import Client

from contracts.subjects import Stream

BATCH_FROM: Final = 8
MAX_BATCH: Final = 1000
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024

_WRONG_LAST_SEQUENCE: Final = 10071
_IN_PROCESS: Final = 10164
_LAST_SEQUENCE: Final = re.compile(r"wrong last sequence: ([1-9][0-9]*)")
_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_GUARD: Final = "Nats-Expected-Last-Subject-Sequence-Subject"
_MESSAGE_ID: Final = "Nats-Msg-Id"

log = structlog.get_logger()


class Conflict(Exception):
    """The subject has moved on: catch up to `position`, decide again. Nothing was appended.

    `position` is that of the subject's last event, or None where the server does not tell.
    """

    def __init__(self, position: int | None) -> None:
        super().__init__(f"the last event is at {position}")
        self.position = position


class LogUnavailable(Exception):
    """No answer: whether the event was appended is not known. Catch up, and look for it, before a retry."""


@dataclass(frozen=True, slots=True)
class Append:
    """An event to append, if the last message on its subject (or on `guard`) is still `expected`.

    `guard` is a subject filter; all appends that guard the same thing must spell it the same.
    """

    subject: str
    payload: bytes
    message_id: str
    expected: int
    guard: str | None = None

    def headers(self) -> dict[str, str]:
        """What makes the server check it."""
        headers = {_MESSAGE_ID: self.message_id, _EXPECTED: str(self.expected)}
        if self.guard is not None:
            headers[_GUARD] = self.guard
        return headers


@dataclass(slots=True)
class _Waiting:
    entry: Append
    done: asyncio.Future[int]


class Log:
    """The write side of one stream, shared by all handlers of a service.

    Callers must not have two appends of one subject or guard under way at once: an atomic batch is not
    checked against itself.
    """

    def __init__(self, nc: Client, stream: Stream, *, timeout_s: float = 5.0) -> None:
        self._nc = nc
        self._stream = stream
        self._timeout_s = timeout_s
        self._waiting: deque[_Waiting] = deque()
        self._rounds: asyncio.Task[None] | None = None

    async def append(self, entry: Append) -> int:
        """The position of the event, which is on disk.

        Raises:
            Conflict: somebody else was first; nothing was appended.
            LogUnavailable: no answer; it may or may not have been appended.
        """
        waiting = _Waiting(entry, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._commit_rounds(), name=f"append-{self._stream.name}")
        return await waiting.done

    async def _commit_rounds(self) -> None:
        while self._waiting:
            entries = self._next_round()
            try:
                if len(entries) == 1:
                    await self._commit_one(entries[0])
                elif len(entries) < BATCH_FROM or not await self._commit_batch(entries):
                    await asyncio.gather(*(self._commit_one(waiting) for waiting in entries))
            finally:  # whatever happened: nobody waits for an answer that cannot come any more
                _fail(entries, LogUnavailable(f"{self._stream.name}: the append was given up"))

    def _next_round(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        size = 0
        while self._waiting and len(taken) < MAX_BATCH and size < MAX_BATCH_BYTES:
            waiting = self._waiting.popleft()
            if not waiting.done.cancelled():
                taken.append(waiting)
                size += len(waiting.entry.payload)
        return taken

    async def _commit_one(self, waiting: _Waiting) -> None:
        entry = waiting.entry
        try:
            answer = await self._request(entry.subject, entry.payload, entry.headers())
        except LogUnavailable as error:
            _fail((waiting,), error)
            return
        refused = answer.get("error")
        if refused is None:
            if not waiting.done.done():
                waiting.done.set_result(int(answer["seq"]))
        elif refused.get("err_code") in (_WRONG_LAST_SEQUENCE, _IN_PROCESS):
            told = _LAST_SEQUENCE.search(str(refused.get("description", "")))
            _fail((waiting,), Conflict(int(told.group(1)) if told else None))
        else:
            _fail((waiting,), LogUnavailable(f"{self._stream.name}: {refused.get('description', refused)}"))

    async def _commit_batch(self, entries: Sequence[_Waiting]) -> bool:
        """False: the server refused the batch as a whole, so that each must be tried by itself."""
        batch_id = uuid.uuid4().hex
        try:
            for number, waiting in enumerate(islice(entries, len(entries) - 1), start=1):
                headers = waiting.entry.headers()
                headers["Nats-Batch-Id"] = batch_id
                headers["Nats-Batch-Sequence"] = str(number)
                await self._nc.publish(waiting.entry.subject, waiting.entry.payload, headers=headers)
            last = entries[-1].entry
            headers = last.headers()
            headers["Nats-Batch-Id"] = batch_id
            headers["Nats-Batch-Sequence"] = str(len(entries))
            headers["Nats-Batch-Commit"] = "1"
            answer = await self._request(last.subject, last.payload, headers)
        except (LogUnavailable, nats.errors.Error) as error:
            _fail(entries, LogUnavailable(str(error)))
            return True
        if "error" in answer:
            log.debug("log.batch_refused", size=len(entries), reason=answer["error"].get("description"))
            return False
        first = int(answer["seq"]) - len(entries) + 1
        for position, waiting in enumerate(entries, start=first):
            if not waiting.done.done():
                waiting.done.set_result(position)
        return True

    async def _request(self, subject: str, payload: bytes, headers: dict[str, str]) -> dict[str, Any]:
        try:
            reply = await self._nc.request(subject, payload, timeout=self._timeout_s, headers=headers)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise LogUnavailable(f"{self._stream.name}: {type(error).__name__}") from error
        try:
            answer = json.loads(reply.data)
        except ValueError as error:
            raise LogUnavailable(f"{self._stream.name}: an answer that is no JSON") from error
        if not isinstance(answer, dict) or ("error" not in answer and not answer.get("seq")):
            raise LogUnavailable(f"{self._stream.name}: an answer that says nothing")
        return answer


def _fail(entries: Sequence[_Waiting], error: Exception) -> None:
    for waiting in entries:
        if not waiting.done.done():
            waiting.done.set_exception(error)
