"""A service's local copy of a stream: a SQLite file that follows the log and can be made again from it.

Events, the view and the position are written in one transaction. Readers that need to see a change wait
for its position. One process owns a replica file; the file belongs to one stream, and when the stream is
another than the one it was made from, or the file is damaged, it is made again.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import fcntl
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import structlog
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    PersistenceError,
    ProgrammingError,
)
from eventsourcing.sqlite import SQLiteCursor, SQLiteDatastore
from nats.aio.client import Client
from nats.nuid import NUID
from pydantic_core import from_json

from contracts.follow import Follower, FollowError, Message
from contracts.subjects import Stream
from services.runtime.errors import Unavailable
from services.runtime.recorder import Document, PositionRecorder, View
from services.runtime.streams import StreamsUnavailable, replicated, stream_info

MAX_APPLIED_AT_ONCE: Final = 8000
"""Events in one transaction: what a reader may have to wait for during a rebuild stays short."""

_MAX_REVISION: Final = 2**31 - 1
_READERS: Final = 6
_RETRY_S: Final = 0.5
_CUT_OFF_AFTER_S: Final = 5.0
_LAG_S: Final = 3.0
"""How long a server of a cluster is given to hear who leads the stream now, or to catch up with it."""
_LAG_WHILE_RUNNING_S: Final = 30.0
"""As much for a replica that has answered already: it is not ready meanwhile, and to end costs more."""

ReadT = TypeVar("ReadT")

log = structlog.get_logger()


class ReplicaInUse(Exception):
    """Another process owns the replica file; `str()` names the file."""


class ReplicaSpoiled(Exception):
    """The replica cannot go on as it is; one that is opened afresh is made again from the log."""


class Replica:
    """Follows a stream into a SQLite file. Start `run()` as a task; it ends only when it must begin anew."""

    def __init__(
        self,
        nc: Client,
        stream: Stream,
        view: View,
        directory: Path,
        *,
        user: str,
        on_documents: Callable[[Sequence[Document]], None] = lambda _documents: None,
    ) -> None:
        """Args:
        user: the NATS user, which scopes the name of the consumer.
        on_documents: called on the event loop with what was just written.
        """
        self._nc = nc
        self._stream = stream
        self._view = view
        self._on_documents = on_documents
        self._user = user
        self.path = directory / f"{stream.name.lower()}-{view.version}.sqlite"
        self.position = 0
        """The position up to which the replica holds everything."""
        self.pending: int | None = None
        """Events that the stream held beyond it when last heard of; None before the first word."""
        self._heard_at = 0.0
        self._end = 0  # of the log, as its leader said when following began
        self._caught_up = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._lost = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"replica-{stream.name.lower()}")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix=f"read-{stream.name.lower()}")
        self._own()
        self._open()

    # The file

    def _own(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ReplicaInUse(f"{self.path} belongs to another running process") from None

    def _open(self) -> None:
        try:
            self._connect()
        except (sqlite3.DatabaseError, PersistenceError) as error:
            log.warning("replica.damaged", path=str(self.path), reason=str(error))
            self._make_again()

    def _connect(self) -> None:
        self._datastore = SQLiteDatastore(str(self.path), originator_id_type="text", pool_size=4)
        self.recorder = PositionRecorder(self._datastore, self._view, self._stream.name)
        self.recorder.create_table()
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS made_from (created TEXT)")
        self.position = self.recorder.position()

    def _make_again(self) -> None:
        with contextlib.suppress(AttributeError):
            self._datastore.close()
        self._delete()
        self.pending = None
        self._connect()

    def _delete(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    async def _check_origin(self) -> None:
        """Begin anew if the stream is not the one that the file was made from.

        Raises:
            ReplicaSpoiled: it is not, and answers were given from the file already.
        """
        about = await self._about_the_stream()
        created = str(about["created"])
        self._end = int(about["state"]["last_seq"])
        with self._datastore.transaction(commit=False) as cursor:
            cursor.execute("SELECT created FROM made_from")
            row = cursor.fetchone()
        if (row is not None and row["created"] != created) or self.position > self._end:
            if self._caught_up.is_set():
                raise ReplicaSpoiled(f"{self._stream.name} is another stream than before")
            log.warning("replica.of_another_stream", path=str(self.path), position=self.position)
            self._make_again()
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(
                "INSERT INTO made_from SELECT ? WHERE NOT EXISTS (SELECT 1 FROM made_from)", (created,)
            )

    async def _about_the_stream(self) -> dict[str, Any]:
        """As `stream_info`, but not from a server of a cluster that does not know the log's end any more."""
        deadline = time.monotonic() + (_LAG_WHILE_RUNNING_S if self._caught_up.is_set() else _LAG_S)
        while True:
            about = await stream_info(self._nc, self._stream)
            lags = self.position > int(about["state"]["last_seq"]) and replicated(about)
            if not lags or time.monotonic() > deadline:
                return about
            await asyncio.sleep(_LAG_S / 10)

    def _check_continuation(self, message: Message) -> None:
        """Raises ReplicaSpoiled if the log has another event at the replica's position than the replica.

        So it is where a backup was restored, and then written to: the stream's name and date say nothing.
        """
        with self._datastore.transaction(commit=False) as cursor:
            cursor.execute("SELECT state FROM stored_events WHERE rowid = ?", (self.position,))
            row = cursor.fetchone()
        if message.position != self.position or (row is not None and bytes(row["state"]) != message.payload):
            self._delete()
            raise ReplicaSpoiled(f"{self._stream.name} has another event at position {self.position}")

    # Following

    async def run(self) -> None:
        """Follow the stream until cancelled.

        Raises:
            ReplicaSpoiled: the file is damaged, or the log was replaced by another. Whatever was read before
                may be wrong, so the process should end; the next one makes the replica again.
        """
        while True:
            try:
                await self._check_origin()
                await self._follow()
            except (FollowError, StreamsUnavailable) as error:
                log.warning("replica.cannot_follow", stream=self._stream.name, reason=str(error))
                await asyncio.sleep(_RETRY_S)

    async def _follow(self) -> None:
        began_at, began_position = time.monotonic(), self.position
        task = cast("asyncio.Task[None]", asyncio.current_task())
        follower = Follower(
            self._nc,
            self._stream.name,
            self._stream.filter,
            # A new name each time: the server that would have to give the old one back may be gone.
            names=[f"{self._user}-{NUID().next().decode()}"],
            after=max(0, self.position - 1),  # the last event that is here comes again, to be compared
            on_lost=self._note_loss,
        )
        compared = self.position == 0
        async with contextlib.aclosing(_batches(follower)) as batches:
            async for messages, pending in batches:
                if task.cancelling():  # and `asyncio.wait_for` of Python 3.11, within nats-py, swallowed it
                    raise asyncio.CancelledError
                if self._lost:  # the broker may have come back with another log: look again
                    self._lost = False
                    return
                if not compared and messages:
                    self._check_continuation(messages[0])
                    messages = messages[1:]
                    compared = True
                for start in range(0, len(messages), MAX_APPLIED_AT_ONCE):
                    await self._apply(messages[start : start + MAX_APPLIED_AT_ONCE])
                self._heard_at = time.monotonic()
                if pending == 0 and self.position < self._end:
                    pending = self._end - self.position  # the server that sends them lags behind the leader
                if self.pending != 0 and pending == 0:
                    log.info(
                        "replica.caught_up",
                        stream=self._stream.name,
                        position=self.position,
                        events=self.position - began_position,
                        seconds=round(time.monotonic() - began_at, 3),
                    )
                self.pending = pending
                if pending == 0:
                    self._caught_up.set()

    def _note_loss(self, reason: str) -> None:
        self._lost = True
        log.info("replica.consumer_lost", stream=self._stream.name, reason=reason)

    async def _apply(self, messages: Sequence[Message]) -> None:
        # On a thread: a command's answer would else wait for the writing of its own event.
        loop = asyncio.get_running_loop()
        documents = await loop.run_in_executor(self._writer, self._record, messages)
        self.position = messages[-1].position
        if documents:
            self._on_documents(documents)
        if self._waiting:
            self._wake()

    def _record(self, messages: Sequence[Message]) -> list[Document]:
        documents = [document for message in messages if (document := _parse(message)) is not None]
        try:
            return self._record_what_fits(documents, messages[-1].position)
        except PersistenceError as error:
            if not _is_damage(error.__cause__):
                raise
            log.warning("replica.damaged", path=str(self.path), reason=str(error))
            self._delete()
            raise ReplicaSpoiled(f"{self.path} is damaged") from error

    def _record_what_fits(self, documents: list[Document], position: int) -> list[Document]:
        """Records all of them but those that cannot be: see `_parse`. One of those must not stop the rest."""
        try:
            self.recorder.record(documents, position=position)
        except (IntegrityError, InterfaceError, ProgrammingError, KeyError, TypeError, ValueError) as error:
            if not documents:
                raise
            if len(documents) > 1:
                half = len(documents) // 2
                first, second = documents[:half], documents[half:]
                return [
                    *self._record_what_fits(first, first[-1].position),
                    *self._record_what_fits(second, position),
                ]
            log.error("replica.not_an_event", position=documents[0].position, reason=repr(error))
            return self._record_what_fits([], position)
        return documents

    # Reading

    def _wake(self) -> None:
        still: list[tuple[int, asyncio.Future[None]]] = []
        for position, waiter in self._waiting:
            if waiter.done():
                continue
            if position <= self.position:
                waiter.set_result(None)
            else:
                still.append((position, waiter))
        self._waiting = still

    async def caught_up(self) -> None:
        """Return once the replica has held, for the first time, everything that the log held."""
        await self._caught_up.wait()

    async def catch_up(self) -> None:
        """Return once the replica holds everything that the log holds now, as its leader says.

        Raises:
            Unavailable: nobody says so, or the replica does not get there in time.
        """
        try:
            about = await stream_info(self._nc, self._stream)
        except StreamsUnavailable as error:
            raise Unavailable from error
        await self.wait_for(int(about["state"]["last_seq"]))

    async def wait_for(self, position: int, *, timeout_s: float = 5.0) -> None:
        """Return once the replica holds everything up to the position.

        Raises:
            Unavailable: `replica_behind`, it does not within `timeout_s` seconds.
        """
        if position <= self.position:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((position, waiter))
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            self._waiting = [waiting for waiting in self._waiting if not waiting[1].done()]
            raise Unavailable("replica_behind", {"position": self.position, "wanted": position}) from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[SQLiteCursor]:
        """A cursor on one consistent state of the replica."""
        with self._datastore.transaction(commit=False) as cursor:
            yield cursor

    def position_of(self, cursor: SQLiteCursor) -> int:
        """The position of the state that the cursor reads."""
        cursor.execute(
            "SELECT notification_id FROM tracking WHERE application_name = ?", (self._stream.name,)
        )
        row = cursor.fetchone()
        return 0 if row is None else int(row["notification_id"])

    async def not_ready(self) -> str | None:
        """Why the replica should not be asked; None if it may. A check for `/readyz`."""
        if self.pending is None:
            return "has not heard of the log yet"
        silent_s = time.monotonic() - self._heard_at
        if silent_s > _CUT_OFF_AFTER_S:
            return f"cut off from the log for {silent_s:.0f} s"
        if self.pending > MAX_APPLIED_AT_ONCE:
            return f"catching up, {self.pending} events to go"
        return None

    async def on_thread(self, read: Callable[[], ReadT]) -> ReadT:
        """What `read` returns, which reads from the replica on a thread: a long one holds nobody up.

        A caller that is cancelled leaves the thread at work; `close` waits for it, since SQLite crashes the
        process when a connection is closed under a query.
        """
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._readers, context.run, read)

    def close(self) -> None:
        """Give the file back, once nobody reads or writes it any more. Cancel `run()` first."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._datastore.close()
        os.close(self._lock)


def _parse(message: Message) -> Document | None:
    """None for a message that is no event: somebody with the right to publish put it there by hand."""
    try:
        return _document(message)
    except (ValueError, KeyError, TypeError) as error:
        log.error(
            "replica.not_an_event", position=message.position, subject=message.subject, reason=str(error)
        )
        return None


def _document(message: Message) -> Document:
    content = from_json(message.payload)
    subject, revision, tag = content["subject"], content["revision"], content["type"]
    if type(subject) is not str or type(revision) is not int or type(tag) is not str:
        raise TypeError("subject, revision or type is of the wrong type")
    if not 0 < revision <= _MAX_REVISION:
        raise ValueError(f"revision {revision} cannot be")
    return Document(message.position, subject, revision, tag, message.payload, content)


def _is_damage(error: BaseException | None) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)  # of what SQLite itself says, not the module around it
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


async def _batches(follower: Follower) -> AsyncGenerator[tuple[Sequence[Message], int], None]:
    async for batch in follower.batches():
        yield batch.messages, batch.pending
