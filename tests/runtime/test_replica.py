"""The replica on a real stream: nothing lost, nothing twice, and made again from the log when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest
from eventsourcing.sqlite import SQLiteCursor
from nats.aio.client import Client
from structlog.testing import capture_logs

from contracts.subjects import TICKETS, ticket_events
from services.runtime import replica as replica_module
from services.runtime.digest import digest
from services.runtime.errors import Unavailable
from services.runtime.recorder import Document
from services.runtime.replica import Replica, ReplicaInUse, ReplicaSpoiled
from services.runtime.streams import ensure_streams
from tests.runtime.conftest import DEADLINE_S, Eventually, NatsServer


class Notes:
    """A small view: each note's text, and an index of the words."""

    version = "1"
    tables: Sequence[str] = (
        """CREATE TABLE IF NOT EXISTS notes (
            subject TEXT, revision INTEGER, text TEXT, PRIMARY KEY (subject, revision)
        ) WITHOUT ROWID""",
        "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (text, content='', columnsize=0)",
    )

    def apply(self, cursor: SQLiteCursor, documents: Sequence[Document]) -> None:
        cursor.executemany(
            "INSERT INTO notes VALUES (?, ?, ?)",
            [(d.subject, d.revision, d.content["data"]["text"]) for d in documents],
        )
        cursor.executemany(
            "INSERT INTO words (rowid, text) VALUES (?, ?)",
            [(d.position, d.content["data"]["text"]) for d in documents],
        )


class SlowNotes(Notes):
    """Takes in nothing before it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def apply(self, cursor: SQLiteCursor, documents: Sequence[Document]) -> None:
        assert self.let_go.wait(10)
        super().apply(cursor, documents)


class Following:
    """A replica that follows, and the positions that it reported, in the order in which it did."""

    def __init__(self, nc: Client, directory: Path, view: Notes | None = None) -> None:
        self.seen: list[int] = []
        self.replica = Replica(
            nc, TICKETS, view or Notes(), directory, user="tester", on_documents=self._note
        )
        self._running: asyncio.Task[None] | None = None

    def _note(self, documents: Sequence[Document]) -> None:
        self.seen += [document.position for document in documents]

    def start(self) -> None:
        self._running = asyncio.create_task(self.replica.run())

    async def ended(self) -> None:
        assert self._running is not None
        running, self._running = self._running, None
        await asyncio.wait_for(running, 15)

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        self.replica.close()


@contextlib.asynccontextmanager
async def following(nc: Client, directory: Path, view: Notes | None = None) -> AsyncIterator[Following]:
    follows = Following(nc, directory, view)
    follows.start()
    try:
        yield follows
    finally:
        await follows.stop()


class Writer:
    """Puts notes into the stream, each as the next revision of its subject."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._revisions: dict[str, int] = {}
        self.last = 0

    async def write(self, count: int = 1, subject: str = "7") -> int:
        """The position of the last one."""
        for _ in range(count):
            revision = self._revisions[subject] = self._revisions.get(subject, 0) + 1
            event = {
                "subject": subject,
                "revision": revision,
                "type": "note",
                "data": {"text": f"note {revision} of {subject}"},
            }
            await self.raw(json.dumps(event).encode(), subject)
        return self.last

    async def raw(self, payload: bytes, subject: str = "7") -> int:
        """Sent again while the server is away."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                ack = await self._nc.jetstream().publish(ticket_events("acme", subject), payload, timeout=1)
            except (nats.errors.Error, TimeoutError):
                assert time.monotonic() < deadline, "the server does not come back"
                await asyncio.sleep(0.05)
            else:
                self.last = ack.seq
                return ack.seq


@pytest.fixture
async def writer(nc: Client) -> Writer:
    await ensure_streams(nc, replicas=1)
    return Writer(nc)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "replicas"


def rows(follows: Following) -> list[tuple[Any, ...]]:
    with follows.replica.reading() as cursor:
        cursor.execute("SELECT rowid, originator_id, originator_version FROM stored_events ORDER BY rowid")
        return [tuple(row) for row in cursor.fetchall()]


async def consumers(nc: Client) -> list[str]:
    answer = await nc.request(f"$JS.API.CONSUMER.NAMES.{TICKETS.name}", b"{}", timeout=5)
    return list(json.loads(answer.data)["consumers"] or [])


# Following


async def test_it_holds_what_was_there_before_and_what_comes_after(
    nc: Client, writer: Writer, directory: Path
) -> None:
    await writer.write(50)
    async with following(nc, directory) as follows:
        await follows.replica.caught_up()
        assert follows.replica.position == 50
        await writer.write(3, "8")
        await follows.replica.wait_for(53)
        assert follows.seen == list(range(1, 54))
        assert rows(follows)[-1] == (53, "8", 3)
        assert await follows.replica.not_ready() is None


async def test_an_empty_log_is_caught_up_with_at_once(nc: Client, writer: Writer, directory: Path) -> None:
    async with following(nc, directory) as follows:
        await asyncio.wait_for(follows.replica.caught_up(), 5)
        assert follows.replica.position == 0


async def test_it_goes_on_from_its_file_and_reads_nothing_twice(
    nc: Client, writer: Writer, directory: Path
) -> None:
    await writer.write(40)
    async with following(nc, directory) as before:
        await before.replica.wait_for(40)
    await writer.write(5)
    async with following(nc, directory) as after:
        assert after.replica.position == 40
        await after.replica.wait_for(45)
        assert after.seen == [41, 42, 43, 44, 45]
        assert [position for position, *_ in rows(after)] == list(range(1, 46))


async def test_what_was_written_at_once_becomes_several_short_transactions(
    nc: Client, writer: Writer, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_module, "MAX_APPLIED_AT_ONCE", 40)
    await writer.write(150)
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(150)
        assert follows.seen == list(range(1, 151))


async def test_who_waits_for_a_position_goes_on_when_it_is_there(
    nc: Client, writer: Writer, directory: Path
) -> None:
    async with following(nc, directory) as follows:
        waiting = [asyncio.create_task(follows.replica.wait_for(position)) for position in (3, 1, 2)]
        await writer.write(2)
        await asyncio.gather(*waiting[1:])
        assert not waiting[0].done()
        await writer.write()
        await waiting[0]
        assert follows.replica.position >= 3


async def test_who_waits_for_too_long_is_told_how_far_the_replica_is(
    nc: Client, writer: Writer, directory: Path
) -> None:
    await writer.write(2)
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(2)
        for _ in range(3):
            with pytest.raises(Unavailable) as behind:
                await follows.replica.wait_for(1000, timeout_s=0.05)
        assert behind.value.code == "replica_behind"
        assert behind.value.data == {"position": 2, "wanted": 1000}
        assert follows.replica._waiting == []  # nobody is remembered for whom nothing can be done


# The file


async def test_a_replica_built_anew_is_equal(nc: Client, writer: Writer, directory: Path) -> None:
    await writer.write(30)
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(30)
        await writer.write(60, "8")  # some one by one, some many at once
        await follows.replica.wait_for(90)
        path = follows.replica.path
        while_in_use = digest(path)
    before = digest(path)
    assert before == while_in_use
    path.unlink()
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(90)
    assert digest(path) == before
    async with following(nc, directory.parent / "other") as follows:
        await follows.replica.wait_for(90)
        assert digest(follows.replica.path) == before
        await follows.replica.wait_for(await writer.write())
        assert digest(follows.replica.path) != before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE notes SET text = 'other' WHERE revision = 2",
        "DELETE FROM notes WHERE revision = 3",
        "UPDATE stored_events SET state = x'7b7d' WHERE rowid = 1",
        "UPDATE stored_events SET rowid = 100 WHERE rowid = 3",
        "UPDATE tracking SET notification_id = 2",
        "INSERT INTO words (rowid, text) VALUES (9, 'more')",
    ],
)
async def test_a_digest_sees_every_change(nc: Client, writer: Writer, directory: Path, change: str) -> None:
    await writer.write(3)
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(3)
        path = follows.replica.path
    before = digest(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    assert digest(path) != before


async def test_a_second_owner_of_the_file_is_refused_until_the_first_is_gone(
    nc: Client, writer: Writer, directory: Path
) -> None:
    first = Following(nc, directory)
    with pytest.raises(ReplicaInUse, match=str(first.replica.path)):
        Following(nc, directory)
    await first.stop()
    await Following(nc, directory).stop()


def overwrite_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"not a database" * 20)


def cut_off(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [overwrite_header, cut_off])
async def test_a_damaged_file_is_made_again(nc: Client, writer: Writer, directory: Path, damage: Any) -> None:
    await writer.write(80)
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(80)
        path = follows.replica.path
    before = digest(path)
    damage(path)
    async with following(nc, directory) as follows:
        await writer.write(1)
        await follows.replica.wait_for(81)
        assert [position for position, *_ in rows(follows)] == list(range(1, 82))
    assert digest(path) != before


async def test_a_file_that_shows_its_damage_only_later_is_given_up_and_made_again(
    nc: Client, writer: Writer, directory: Path
) -> None:
    await writer.write(80)
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(80)
        path = follows.replica.path
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'notes'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    await writer.write(1)
    damaged = Following(nc, directory)
    assert damaged.replica.position == 80
    with pytest.raises(ReplicaSpoiled, match="damaged"):
        await asyncio.wait_for(damaged.replica.run(), 10)
    await damaged.stop()
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(81)
        assert [position for position, *_ in rows(follows)] == list(range(1, 82))


async def test_a_file_of_another_stream_is_made_again(
    nc: Client, writer: Writer, directory: Path, start_nats: Any
) -> None:
    await writer.write(5)
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(5)
    # A second server, with a stream of its own under the same name
    other_nc = await nats.connect(start_nats().url)
    await ensure_streams(other_nc, replicas=1)
    other = Writer(other_nc)
    await other.write(7, "9")  # more than before: the position alone does not tell
    async with following(other_nc, directory) as follows:
        await follows.replica.caught_up()
        assert [(position, subject) for position, subject, _ in rows(follows)] == [
            (position, "9") for position in range(1, 8)
        ]
    await other_nc.close()


async def test_a_log_that_was_replaced_under_a_running_replica_is_noticed(
    nc: Client, writer: Writer, directory: Path, nats_server: NatsServer, tmp_path: Path
) -> None:
    await writer.write(5)
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(5)
        nats_server.stop()
        shutil.rmtree(tmp_path / "nats-0" / "jetstream")
        nats_server.start()
        setup = await nats.connect(nats_server.url)
        await ensure_streams(setup, replicas=1)
        fresh = Writer(setup)
        await fresh.write(7, "9")
        with pytest.raises(ReplicaSpoiled, match="another stream"):
            await follows.ended()
        await setup.close()
    async with following(nc, directory) as follows:
        await follows.replica.caught_up()
        assert [(position, subject) for position, subject, _ in rows(follows)] == [
            (position, "9") for position in range(1, 8)
        ]


# Messages that are no events


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"hello",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"subject": "7", "revision": 1}',
        b'{"subject": "7", "revision": "one", "type": "note", "data": {"text": "x"}}',
        b'{"subject": null, "revision": 1, "type": "note", "data": {"text": "x"}}',
        b'{"subject": "7", "revision": 0, "type": "note", "data": {"text": "x"}}',
        b'{"subject": "7", "revision": 1e30, "type": "note", "data": {"text": "x"}}',
        b'{"subject": "7", "revision": 99999999999999999999, "type": "note", "data": {"text": "x"}}',
        b'{"subject": "7", "revision": 1, "type": ["note"], "data": {"text": "x"}}',
    ],
)
async def test_a_message_that_is_no_event_is_skipped_and_logged(
    nc: Client, writer: Writer, directory: Path, payload: bytes
) -> None:
    with capture_logs() as logs:
        async with following(nc, directory) as follows:
            await writer.raw(payload)
            await writer.write(1, "8")
            await follows.replica.wait_for(2)
            assert rows(follows) == [(2, "8", 1)]
    assert [line["position"] for line in logs if line["event"] == "replica.not_an_event"] == [1]


@pytest.mark.parametrize("among", [1, 60])
async def test_a_revision_that_is_there_already_is_skipped_and_logged(
    nc: Client, writer: Writer, directory: Path, among: int
) -> None:
    """Nothing can be deleted from the log: it must not keep every replica from ever starting again."""
    again = {"subject": "7", "revision": 1, "type": "note", "data": {"text": "again"}}
    await writer.write(among)
    await writer.raw(json.dumps(again).encode())
    await writer.raw(json.dumps(again).encode())
    await writer.write(among, "8")
    await writer.raw(json.dumps(again).encode())
    last = writer.last
    with capture_logs() as logs:
        async with following(nc, directory) as follows:
            await follows.replica.wait_for(last)
            held = [position for position, *_ in rows(follows)]
            assert follows.seen == held
    refused = [among + 1, among + 2, last]
    assert held == [position for position in range(1, last + 1) if position not in refused]
    assert [line["position"] for line in logs if line["event"] == "replica.not_an_event"] == refused


# A consumer that is lost


async def test_a_deleted_consumer_is_made_again_without_loss_or_repeat(
    nc: Client, writer: Writer, directory: Path
) -> None:
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(await writer.write(5))
        (name,) = await consumers(nc)
        await nc.request(f"$JS.API.CONSUMER.DELETE.{TICKETS.name}.{name}", b"", timeout=5)
        await writer.write(5)
        await follows.replica.wait_for(10, timeout_s=15)
        assert follows.seen == list(range(1, 11))
    assert await consumers(nc) == []


async def test_a_killed_server_costs_neither_loss_nor_repeat(
    nc: Client, writer: Writer, directory: Path, nats_server: NatsServer
) -> None:
    async with following(nc, directory) as follows:
        for _ in range(2):
            await follows.replica.wait_for(await writer.write(10), timeout_s=15)
            nats_server.stop()
            nats_server.start()
        await follows.replica.wait_for(await writer.write(10), timeout_s=15)
        assert follows.seen == list(range(1, 31))


async def test_a_frozen_server_costs_neither_loss_nor_repeat(
    nc: Client, writer: Writer, directory: Path, nats_server: NatsServer, eventually: Eventually
) -> None:
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(await writer.write(10))
        with capture_logs() as logs:
            nats_server.stop(signal.SIGSTOP)
            await eventually(
                lambda: any(line["event"] == "replica.consumer_lost" for line in logs), "the loss is noticed"
            )
            nats_server.stop(signal.SIGCONT)
        last = await writer.write(10)
        await follows.replica.wait_for(last, timeout_s=15)
        assert follows.seen == list(range(1, last + 1))


# Readiness


async def test_it_is_not_ready_before_it_has_heard_of_the_log(
    nc: Client, directory: Path, eventually: Eventually
) -> None:
    follows = Following(nc, directory)
    assert await follows.replica.not_ready() == "has not heard of the log yet"
    with capture_logs() as logs:
        follows.start()
        await eventually(
            lambda: any(line["event"] == "replica.cannot_follow" for line in logs), "it finds no stream"
        )
    assert await follows.replica.not_ready() == "has not heard of the log yet"
    await ensure_streams(nc, replicas=1)
    await asyncio.wait_for(follows.replica.caught_up(), 5)
    assert await follows.replica.not_ready() is None
    await follows.stop()


async def test_it_is_not_ready_while_it_has_much_to_catch_up_with(
    nc: Client, writer: Writer, directory: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(replica_module, "MAX_APPLIED_AT_ONCE", 50)
    await writer.write(60)
    view = SlowNotes()
    async with following(nc, directory, view) as follows:
        await eventually(lambda: follows.replica.pending == 60, "it hears how much there is")
        assert await follows.replica.not_ready() == "catching up, 60 events to go"
        view.let_go.set()
        await follows.replica.caught_up()
        assert await follows.replica.not_ready() is None


async def test_it_is_not_ready_when_it_is_cut_off_and_ready_again_afterwards(
    nc: Client,
    writer: Writer,
    directory: Path,
    nats_server: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replica_module, "_CUT_OFF_AFTER_S", 1.0)
    async with following(nc, directory) as follows:
        await follows.replica.caught_up()
        nats_server.stop()
        assert (await changed(follows.replica, None) or "").startswith("cut off from the log for ")
        nats_server.start()
        reason = await follows.replica.not_ready()
        while reason is not None:
            reason = await changed(follows.replica, reason)


async def changed(replica: Replica, reason: str | None) -> str | None:
    """What `not_ready` says once it says something else."""
    deadline = time.monotonic() + DEADLINE_S
    while (now := await replica.not_ready()) == reason:
        assert time.monotonic() < deadline, f"it still says {reason}"
        await asyncio.sleep(0.02)
    return now


async def test_it_ends_at_whatever_moment_it_is_told_to(nc: Client, writer: Writer, directory: Path) -> None:
    """What it waits for may arrive in the moment of its cancellation, and must not outweigh it."""
    await writer.write(3)
    for moment in range(40):
        follows = Following(nc, directory)
        follows.start()
        for _ in range(moment):
            await asyncio.sleep(0)
        await asyncio.wait_for(follows.stop(), 5)


async def test_a_log_that_was_restored_and_went_on_differently_is_noticed(
    nats_server: NatsServer, nc: Client, writer: Writer, directory: Path, tmp_path: Path
) -> None:
    """The restored stream has the name and date of the old one, and is longer than what the file holds."""
    storage, backup = tmp_path / "nats-0" / "jetstream", tmp_path / "backup"
    await writer.write(5)
    nats_server.stop(signal.SIGTERM)
    shutil.copytree(storage, backup)
    nats_server.start()
    await writer.write(3)
    async with following(nc, directory) as follows:
        await follows.replica.wait_for(8)
    nats_server.stop(signal.SIGTERM)
    shutil.rmtree(storage)
    shutil.copytree(backup, storage)
    nats_server.start()
    await writer.write(6, "other")
    async with following(nc, directory) as follows:
        with pytest.raises(ReplicaSpoiled):
            await follows.ended()
    async with following(nc, directory) as follows, following(nc, tmp_path / "fresh") as fresh:
        await follows.replica.wait_for(11)
        await fresh.replica.wait_for(11)
        assert digest(follows.replica.path) == digest(fresh.replica.path)


@pytest.mark.parametrize("data", ['"data": {}', '"data": {"text": {"a": 1}}', '"nothing": 1'])
async def test_an_event_that_the_view_cannot_take_in_stops_nothing(
    nc: Client, writer: Writer, directory: Path, data: str
) -> None:
    await writer.raw(f'{{"subject": "7", "revision": 1, "type": "note", {data}}}'.encode())
    await writer.write(1, "8")
    with capture_logs() as logs:
        async with following(nc, directory) as follows:
            await follows.replica.wait_for(2)
            assert rows(follows) == [(2, "8", 1)]
    assert [line["position"] for line in logs if line["event"] == "replica.not_an_event"] == [1]


async def test_closing_waits_for_who_still_reads_though_nobody_waits_for_the_answer(
    nc: Client, directory: Path
) -> None:
    """SQLite would crash the process: it does not survive a connection that is closed under a query."""
    replica = Replica(nc, TICKETS, Notes(), directory, user="tester")
    reading, go_on = threading.Event(), threading.Event()
    counted: list[int] = []

    def read() -> None:
        with replica.reading() as cursor:
            reading.set()
            assert go_on.wait(DEADLINE_S)
            cursor.execute("SELECT COUNT(*) AS events FROM stored_events")
            counted.append(cursor.fetchone()["events"])

    asking = asyncio.create_task(replica.on_thread(read))
    assert await asyncio.to_thread(reading.wait, DEADLINE_S)
    asking.cancel()
    threading.Timer(0.1, go_on.set).start()
    replica.close()
    assert counted == [0]
