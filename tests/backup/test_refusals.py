"""A backup that is not whole is refused before anything is restored, and the refusal says what is wrong."""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.backup.archive import reading, writing
from services.backup.check import checked
from services.backup.errors import BackupRefused
from services.backup.keeping import keep_if_whole
from services.backup.restore import restore_backup
from services.backup.take import take_backup
from services.embedded.nats_server import NatsServer
from services.runtime.streams import ensure_streams
from tests.backup.conftest import anybody, fill, quiet

Files = dict[str, bytes]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backups(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two backups of one system, of which the second has one more event."""
    directory = tmp_path_factory.mktemp("backups")
    server = await NatsServer.start(directory / "nats")
    nc = await anybody(server)
    await ensure_streams(nc, replicas=1)
    await fill(nc)
    await take_backup(nc, directory / "first.tar", progress=quiet)
    await nc.jetstream().publish("events.tickets.acme.1", b'{"text": "later"}')
    await take_backup(nc, directory / "second.tar", progress=quiet)
    await nc.close()
    await server.stop()
    return directory / "first.tar", directory / "second.tar"


@pytest.fixture
def good(backups: tuple[Path, Path]) -> bytes:
    return backups[0].read_bytes()


def refused(path: Path, content: bytes, **expected: Any) -> BackupRefused:
    """Why a file of this content is refused."""
    path.write_bytes(content)
    with reading(path) as archive:
        checked(archive, **expected)
    raise AssertionError("it was taken for a backup")


def why(path: Path, content: bytes, **expected: Any) -> tuple[str, Any]:
    """The code, and what the sentence names first."""
    with pytest.raises(BackupRefused) as error:
        refused(path, content, **expected)
    return error.value.code, error.value.data.get("member")


def unpacked(content: bytes) -> Files:
    """The files of a backup; what `tar` reads, too."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def packed(files: Files, *, consistent: bool = True) -> bytes:
    """A backup of these files; consistent: the manifest is made to fit, as somebody would who means it."""
    if consistent:
        manifest = json.loads(files["manifest.json"])
        for record in manifest["streams"]:
            for kind in ("snapshot", "index"):
                content = files.get(f"{record['name']}.{kind}", b"")
                record[kind] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        files = {**files, "manifest.json": json.dumps(manifest).encode()}
        fingerprint = hashlib.sha256(files["manifest.json"]).hexdigest()
        files["manifest.sha256"] = f"{fingerprint}  manifest.json\n".encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    whole = out.getvalue()
    end = len(whole.rstrip(b"\0"))  # `tarfile` fills up to 10 KiB
    return whole[: end + -end % 512] + bytes(1024)


async def test_a_backup_is_taken_as_it_is_and_by_its_fingerprint(backups: tuple[Path, Path]) -> None:
    for path in backups:
        with reading(path) as archive:
            _, fingerprint = checked(archive)
            assert checked(archive, fingerprint=fingerprint.upper())[1] == fingerprint
    assert unpacked(backups[0].read_bytes())["manifest.sha256"].split()[1] == b"manifest.json"


@pytest.mark.parametrize("kept", [0, 100, 512, 700, 5_000, 100_000, -9_000, -1_025, -1_024, -512, -1])
async def test_one_that_is_cut_off_is_refused_wherever_it_is(good: bytes, tmp_path: Path, kept: int) -> None:
    code, member = why(tmp_path / "cut.tar", good[:kept])
    assert code in {"backup_is_none", "backup_truncated", "backup_goes_on"}
    assert (code == "backup_is_none") == (0 <= kept < 512)
    assert code != "backup_truncated" or member in unpacked(good)


async def test_one_bit_anywhere_is_found(good: bytes, tmp_path: Path) -> None:
    found = set()
    for at in range(0, len(good), len(good) // 97):
        altered = bytearray(good)
        altered[at] ^= 1
        found.add(why(tmp_path / "bit.tar", bytes(altered))[0])
    assert "backup_altered" in found


@pytest.mark.parametrize(
    ("what", "code", "member"),
    [
        (lambda files, _: files.pop("TICKETS.snapshot"), "backup_member_missing", "TICKETS.snapshot"),
        (lambda files, _: files.pop("manifest.json"), "backup_member_missing", "manifest.json"),
        (lambda files, _: files.update({"more": b""}), "backup_member_unknown", "more"),
        (lambda files, _: files.update({"ACCESS.snapshot": b"x"}), "backup_size", "ACCESS.snapshot"),
        (
            lambda files, _: files.update(
                {"ACCESS.snapshot": files["ACCESS.snapshot"][:-1] + b"\x07"}
            ),
            "backup_altered",
            "ACCESS.snapshot",
        ),
        (
            lambda files, other: files.update({"TICKETS.snapshot": other["TICKETS.snapshot"]}),
            "backup_size",
            "TICKETS.snapshot",
        ),
        (
            lambda files, other: files.update({"manifest.json": other["manifest.json"]}),
            "backup_altered",
            "manifest.json",
        ),
        (
            lambda files, other: files.update({name: other[name] for name in other if "manifest" in name}),
            "backup_altered",
            "DEAD_LETTERS.snapshot",
        ),
        (
            lambda files, _: files.update({"INTAKE.index": files.pop("INTAKE.index")}),
            "backup_order",
            "ACCESS.snapshot",
        ),
    ],
)  # fmt: skip
async def test_what_is_missing_added_or_mixed_up_is_named(
    backups: tuple[Path, Path],
    tmp_path: Path,
    what: Callable[[Files, Files], object],
    code: str,
    member: str,
) -> None:
    files, other = (unpacked(path.read_bytes()) for path in backups)
    what(files, other)
    assert why(tmp_path / "mixed.tar", packed(files, consistent=False)) == (code, member)


async def test_a_new_backup_that_is_not_whole_is_removed(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "new.tar"
    path.write_bytes(good)
    fingerprint = hashlib.sha256(unpacked(good)["manifest.json"]).hexdigest()
    keep_if_whole(path, fingerprint)
    assert path.exists()
    path.write_bytes(good[:-4096])
    with pytest.raises(BackupRefused):
        keep_if_whole(path, fingerprint)
    assert not path.exists()


async def test_another_backup_than_was_meant_is_refused_by_its_fingerprint(
    good: bytes, tmp_path: Path
) -> None:
    assert why(tmp_path / "first.tar", good, fingerprint="0" * 64)[0] == "backup_fingerprint"


@pytest.mark.parametrize(
    ("what", "code", "position"),
    [
        (lambda lines: [*lines[:40], *lines[41:]], "backup_index_gap", 41),
        (lambda lines: [*lines[:40], lines[41], lines[40], *lines[42:]], "backup_index_gap", 41),
        (lambda lines: [*lines[:40], lines[39], *lines[40:]], "backup_index_order", 40),
        (lambda lines: lines[:-1], "backup_index_count", None),
        (lambda lines: [*lines[:7], b"[8]", *lines[8:]], "backup_index_line", None),
        (lambda lines: [*lines[:7], b"no json", *lines[8:]], "backup_index_line", None),
    ],
)
async def test_an_index_that_is_no_index_of_the_stream_names_the_position(
    good: bytes, tmp_path: Path, what: Callable[[list[bytes]], list[bytes]], code: str, position: int | None
) -> None:
    files = unpacked(good)
    lines = what(gzip.decompress(files["TICKETS.index"]).splitlines())
    files["TICKETS.index"] = gzip.compress(b"".join(line + b"\n" for line in lines))
    with pytest.raises(BackupRefused) as error:
        refused(tmp_path / "index.tar", packed(files))
    assert error.value.code == code
    assert error.value.data["member"] == "TICKETS.index"
    assert error.value.data.get("position") == position


@pytest.mark.parametrize(
    ("field", "code"),
    [(1, "restore_differs_time"), (2, "restore_differs_subject"), (3, "restore_differs_content")],
)
async def test_a_message_that_is_another_than_on_record_is_named_by_its_position(
    good: bytes, tmp_path: Path, field: int, code: str
) -> None:
    """The files fit the manifest, as when somebody means it, or the server is at fault."""
    files = unpacked(good)
    lines = [json.loads(line) for line in gzip.decompress(files["TICKETS.index"]).splitlines()]
    lines[776][field] = lines[775][field]
    raw = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    files["TICKETS.index"] = gzip.compress(raw)
    assert await restoring(tmp_path, packed(files)) == (code, "TICKETS", 777)


async def test_the_snapshot_of_another_backup_does_not_pass_for_this_one(
    backups: tuple[Path, Path], tmp_path: Path
) -> None:
    files, other = (unpacked(path.read_bytes()) for path in backups)
    files["TICKETS.snapshot"] = other["TICKETS.snapshot"]
    assert await restoring(tmp_path, packed(files)) == ("restore_ends", "TICKETS", 1201)


async def restoring(directory: Path, content: bytes) -> tuple[str, Any, Any]:
    """Why it is refused while it is restored, after which the server is as empty as before."""
    (directory / "backup.tar").write_bytes(content)
    server = await NatsServer.start(directory / "empty")
    nc = await anybody(server)
    try:
        with reading(directory / "backup.tar") as archive:
            manifest, _ = checked(archive)
            with pytest.raises(BackupRefused) as error:
                await restore_backup(nc, archive, manifest, replicas=1, progress=quiet)
        assert await nc.jetstream().streams_info() == []
    finally:
        await nc.close()
        await server.stop()
    return error.value.code, error.value.data["stream"], error.value.data["position"]


async def test_a_newer_servers_backup_is_not_given_to_an_older_one(good: bytes, tmp_path: Path) -> None:
    files = unpacked(good)
    manifest = json.loads(files["manifest.json"]) | {"nats_server": "99.0.1"}
    files["manifest.json"] = json.dumps(manifest).encode()
    (tmp_path / "newer.tar").write_bytes(packed(files))
    server = await NatsServer.start(tmp_path / "older")
    nc = await anybody(server)
    with reading(tmp_path / "newer.tar") as archive, pytest.raises(BackupRefused) as error:
        await restore_backup(nc, archive, checked(archive)[0], replicas=1, progress=quiet)
    assert error.value.code == "restore_older_server"
    await nc.close()
    await server.stop()


async def test_a_backup_that_another_has_just_finished_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, partial = tmp_path / "same.tar", tmp_path / "same.tar.partial"
    lock = fcntl.flock

    def finish_first(file: Any, operation: int) -> None:
        if not path.exists():  # between our opening and our lock
            partial.write_bytes(b"whole")
            partial.rename(path)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", finish_first)
    with pytest.raises(FileExistsError), writing(path, made_at=0):
        pass
    assert path.read_bytes() == b"whole"
    assert not partial.exists()


async def test_two_backups_never_write_one_file(backups: tuple[Path, Path], tmp_path: Path) -> None:
    server = await NatsServer.start(tmp_path / "nats")
    nc = await anybody(server)
    await ensure_streams(nc, replicas=1)
    both = [take_backup(nc, tmp_path / "same.tar", progress=quiet) for _ in range(2)]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["BackupRefused", "tuple"]
    with reading(tmp_path / "same.tar") as archive:
        checked(archive)
    assert await asyncio.to_thread(lambda: list(tmp_path.glob("*.partial"))) == []
    before = (tmp_path / "same.tar").read_bytes()
    with pytest.raises(FileExistsError):
        await take_backup(nc, tmp_path / "same.tar", progress=quiet)
    assert (tmp_path / "same.tar").read_bytes() == before
    await nc.close()
    await server.stop()
