"""A backup of a running system comes back as it was, in an empty one, and nowhere else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from contracts.subjects import DRAFTS, TICKETS, bucket_stream
from services.backup.archive import reading
from services.backup.check import checked
from services.backup.errors import BackupFailed, BackupRefused
from services.backup.restore import restore_backup
from services.credentials.permissions import RESTORE_USER_NAME
from services.embedded import nats_server
from services.embedded.nats_server import NatsServer
from services.runtime.streams import StreamsUnavailable, ensure_streams
from tests.backup.conftest import (
    EVENTS,
    StartEmpty,
    anybody,
    backed_up,
    contents,
    fill,
    quiet,
    restored,
    user,
)
from tests.conftest import SecuredNats


async def test_what_is_restored_is_what_was_there_message_by_message(
    secured_nats: SecuredNats, start_empty: StartEmpty, tmp_path: Path
) -> None:
    root = await secured_nats.connect("root")
    await fill(root)
    fingerprint = await backed_up(secured_nats, tmp_path / "backup.tar")
    assert secured_nats.violations == []
    before = await contents(root)
    assert len(before[TICKETS.name]) == 1 + EVENTS
    assert [entry[0] for entry in before[bucket_stream(DRAFTS)]] == ["ends", 3, 4]
    async with start_empty() as empty:
        await restored(empty, tmp_path / "backup.tar", fingerprint=fingerprint)
        there = await empty.connect("root")
        assert await contents(there) == before
        assert empty.violations == []
        # ready for its services: what no backup holds is made by `setup`, which finds nothing wrong
        assert await ensure_streams(await empty.connect("setup"), replicas=1) == []
        acknowledged = await there.jetstream().publish("events.tickets.acme.0", b"{}")
        assert acknowledged.seq == EVENTS + 1


async def test_a_backup_taken_under_load_holds_what_was_acknowledged_before_it(
    secured_nats: SecuredNats, start_empty: StartEmpty, tmp_path: Path
) -> None:
    root = await secured_nats.connect("root")
    js = root.jetstream()
    acknowledged: list[int] = []
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            # the cause before the effect, as services do
            submission = await js.publish(f"events.intake.submissions.acme.s{len(acknowledged)}", b"{}")
            opened = json.dumps({"of": submission.seq}).encode()
            acknowledged.append((await js.publish(f"events.tickets.acme.{submission.seq}", opened)).seq)

    writing = asyncio.create_task(write())
    async with asyncio.timeout(10):
        while len(acknowledged) < 100:  # noqa: ASYNC110  # what another task does is waited for
            await asyncio.sleep(0.01)
    before = acknowledged[-1]
    await backed_up(secured_nats, tmp_path / "backup.tar")
    stop.set()
    await writing
    async with start_empty() as empty:
        await restored(empty, tmp_path / "backup.tar")
        found = await contents(await empty.connect("root"))
    submissions = {entry[0] for entry in found["INTAKE"][1:]}
    opened = [json.loads(entry[4])["of"] for entry in found["TICKETS"][1:]]  # type: ignore[arg-type]
    assert before <= len(opened) <= acknowledged[-1]
    assert set(opened) <= submissions, "an effect without its cause"


async def test_the_user_of_backups_changes_nothing(secured_nats: SecuredNats) -> None:
    root = await secured_nats.connect("root")
    await root.jetstream().publish("events.tickets.acme.1", b"{}")
    backup = await secured_nats.connect("backup")
    refused = (
        "events.tickets.acme.1",
        "$KV.DRAFTS.a",
        "$JS.API.STREAM.DELETE.TICKETS",
        "$JS.API.STREAM.PURGE.TICKETS",
        "$JS.API.STREAM.UPDATE.TICKETS",
        "$JS.API.STREAM.RESTORE.TICKETS",
        "$JS.API.CONSUMER.CREATE.TICKETS.x.>",
        "$JS.API.STREAM.SNAPSHOT.KV_SESSIONS",
        "requests.tickets.open",
    )
    for subject in refused:
        await backup.publish(subject, b"{}")
    # a snapshot that is aimed at a stream of ours puts nothing into it
    asked = {"deliver_subject": "events.tickets.acme.2", "no_consumers": True}
    answer = await backup.request("$JS.API.STREAM.SNAPSHOT.TICKETS", json.dumps(asked).encode(), timeout=5)
    assert b"error" not in answer.data
    await backup.flush()
    assert len(secured_nats.violations) == len(refused)
    state = (await root.jetstream().stream_info("TICKETS")).state
    assert (state.messages, state.last_seq) == (1, 1)


async def test_nothing_is_restored_into_a_system_that_holds_something(
    secured_nats: SecuredNats, start_empty: StartEmpty, tmp_path: Path
) -> None:
    root = await secured_nats.connect("root")
    await fill(root)
    await backed_up(secured_nats, tmp_path / "backup.tar")
    async with start_empty() as empty:
        await ensure_streams(await empty.connect("setup"), replicas=1)  # as `casetrail setup` does
        there = await empty.connect("root")
        await there.jetstream().publish("events.notify.updates.begun-tickets", b"{}")
        before = await contents(there)
        with pytest.raises(BackupRefused) as refused:
            await restored(empty, tmp_path / "backup.tar")
        assert refused.value.code == "restore_not_empty"
        assert refused.value.data == {"stream": "NOTIFY", "messages": 1, "position": 1}
        assert await contents(there) == before


async def test_streams_that_were_made_and_never_used_are_in_nobodys_way(
    secured_nats: SecuredNats, start_empty: StartEmpty, tmp_path: Path
) -> None:
    root = await secured_nats.connect("root")
    await fill(root)
    await backed_up(secured_nats, tmp_path / "backup.tar")
    async with start_empty() as empty:
        await ensure_streams(await empty.connect("setup"), replicas=1)
        await restored(empty, tmp_path / "backup.tar")
        assert await contents(await empty.connect("root")) == await contents(root)


async def test_a_restore_that_was_interrupted_is_no_system_and_is_begun_again(
    secured_nats: SecuredNats, start_empty: StartEmpty, tmp_path: Path
) -> None:
    root = await secured_nats.connect("root")
    await fill(root)
    await backed_up(secured_nats, tmp_path / "backup.tar")
    async with start_empty() as empty:
        there = await empty.connect("root")
        await _interrupted(empty, tmp_path / "backup.tar", after="TICKETS")
        with pytest.raises(StreamsUnavailable, match="restore"):
            await ensure_streams(await empty.connect("setup"), replicas=1)
        assert (await there.jetstream().stream_info("TICKETS")).state.messages == EVENTS
        await restored(empty, tmp_path / "backup.tar")
        assert await contents(there) == await contents(root)
        assert await ensure_streams(await empty.connect("setup"), replicas=1) == []


async def test_what_was_written_after_an_interrupted_restore_is_not_cleared_away(
    secured_nats: SecuredNats, start_empty: StartEmpty, tmp_path: Path
) -> None:
    await fill(await secured_nats.connect("root"))
    await backed_up(secured_nats, tmp_path / "backup.tar")
    async with start_empty() as empty:
        there = await empty.connect("root")
        await _interrupted(empty, tmp_path / "backup.tar", after="TICKETS")
        await there.jetstream().publish("events.tickets.acme.1", b"{}")
        with pytest.raises(BackupRefused) as refused:
            await restored(empty, tmp_path / "backup.tar")
        assert refused.value.code == "restore_written_since"
        assert refused.value.data["stream"] == "TICKETS"
        assert (await there.jetstream().stream_info("TICKETS")).state.messages == EVENTS + 1


async def _interrupted(secured: SecuredNats, path: Path, *, after: str) -> None:
    """What a restore leaves that lost its connection for good when it had restored a stream."""
    there = asyncio.Event()

    def until(stream: str, *, messages: int, of: int) -> None:
        if stream == after and messages == of > 0:
            there.set()

    with reading(path) as archive:
        manifest, _ = checked(archive)
        async with user(secured, RESTORE_USER_NAME) as nc:
            restoring = asyncio.create_task(restore_backup(nc, archive, manifest, replicas=1, progress=until))
            await there.wait()
            await nc.close()
            with pytest.raises(BackupFailed):
                await restoring


async def test_a_restore_that_fails_leaves_nothing(
    secured_nats: SecuredNats, start_empty: StartEmpty, tmp_path: Path
) -> None:
    await fill(await secured_nats.connect("root"))
    await backed_up(secured_nats, tmp_path / "backup.tar")
    async with start_empty() as empty:
        with reading(tmp_path / "backup.tar") as archive:
            manifest, _ = checked(archive)
            async with user(empty, RESTORE_USER_NAME) as nc:
                with pytest.raises(BackupFailed, match="replicas"):  # one server cannot keep three copies
                    await restore_backup(nc, archive, manifest, replicas=3, progress=quiet)
        assert await (await empty.connect("root")).jetstream().streams_info() == []


async def test_a_restore_that_finds_no_room_leaves_nothing(
    secured_nats: SecuredNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(await secured_nats.connect("root"))
    await backed_up(secured_nats, tmp_path / "backup.tar")
    original = nats_server.configuration

    def small(*given: Any, **named: Any) -> dict[str, Any]:
        settings = original(*given, **named)
        return {**settings, "jetstream": {**settings["jetstream"], "max_file_store": 100 << 10}}

    monkeypatch.setattr(nats_server, "configuration", small)
    server = await NatsServer.start(tmp_path / "small")
    nc = await anybody(server)
    with reading(tmp_path / "backup.tar") as archive, pytest.raises(BackupFailed) as failed:
        await restore_backup(nc, archive, checked(archive)[0], replicas=1, progress=quiet)
    assert failed.value.code == "restore_failed"
    assert await nc.jetstream().streams_info() == []
    await nc.close()
    await server.stop()
