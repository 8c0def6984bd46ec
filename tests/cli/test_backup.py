"""`casetrail backup` and `casetrail restore`, beside a running system and for a new one."""

from __future__ import annotations

import fcntl
import json
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import JAN, PROGRAM, WITHIN_S, Casetrail, System, clean_environment, eventually


@pytest.fixture
def backup(system: System, tmp_path: Path) -> Path:
    system.open(title="Before the backup")
    done = system.casetrail("backup", str(tmp_path / "backup.tar"))
    assert done.code == 0, done.err
    return tmp_path / "backup.tar"


def test_a_backup_goes_into_a_directory_under_its_time_and_says_what_is_in_it(
    casetrail: Casetrail, tmp_path: Path
) -> None:
    done = casetrail("backup", str(tmp_path), "--json").object
    (file,) = tmp_path.iterdir()
    assert done["file"] == str(file)
    assert done["size"] == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    assert {each["name"] for each in done["streams"]} >= {"TICKETS", "ACCESS", "OBJ_ATTACHMENTS", "KV_DRAFTS"}
    assert "KV_SESSIONS" not in {each["name"] for each in done["streams"]}
    checked = casetrail(
        "restore", str(file), "--check", "--fingerprint", done["fingerprint"], "--json"
    ).object
    assert checked["restored"] == "nowhere"
    assert checked["streams"] == done["streams"]


def test_of_the_backups_in_a_directory_the_newest_are_kept_and_nothing_else_is_touched(
    casetrail: Casetrail, tmp_path: Path
) -> None:
    old = ["casetrail-20200101T000000Z.tar", "casetrail-20200102T000000Z.tar"]
    others = ["casetrail-before-the-upgrade.tar", "notes.txt", "casetrail-20200103T000000Z.tar.partial"]
    interrupted = "casetrail-20200104T000000Z.tar.partial"
    for name in (*old, *others, interrupted):
        (tmp_path / name).write_bytes(b"")
    with (tmp_path / others[-1]).open("rb") as written:
        fcntl.flock(written, fcntl.LOCK_EX)  # as another process that writes it
        done = casetrail("backup", str(tmp_path), "--check", "--keep", "2", "--json").object
    assert done["checked"] is True
    assert done["removed"] == [str(tmp_path / old[0]), str(tmp_path / interrupted)]
    assert {path.name for path in tmp_path.iterdir()} == {old[1], *others, Path(done["file"]).name}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / old[0]).write_bytes(b"")
    assert f"Removed: {elsewhere / old[0]}" in casetrail("backup", str(elsewhere), "--keep", "1").out


def test_a_new_system_is_made_of_it_in_which_people_find_their_tickets(
    system: System, backup: Path, tmp_path: Path
) -> None:
    listing = ("ticket", "list", "--account", "acme", "--as", JAN, "--json")
    tickets = system.casetrail(*listing).object["tickets"]
    data = tmp_path / "new"
    done = Casetrail(clean_environment(), tmp_path)("restore", str(backup), "--data", str(data))
    assert done.code == 0, done.err
    assert "restored and compared" in done.out
    again = Casetrail(clean_environment(), tmp_path)("restore", str(backup), "--data", str(data))
    assert again.code == 3
    assert "not empty" in again.err

    with (tmp_path / "up.log").open("wb") as log:
        command = [*PROGRAM, "up", "--data", str(data), "--nats-port", "0", "--identity-port", "0"]
        up = subprocess.Popen(
            command, env=clean_environment(), cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
    try:
        eventually(lambda: (data / "up.json").exists() or up.poll() is not None, "`casetrail up` is ready")
        there = Casetrail(clean_environment(CASETRAIL_DATA=str(data)), tmp_path)
        assert there(*listing).object["tickets"] == tickets
        busy = there("restore", str(backup), "--data", str(data))
        assert busy.code == 3
        assert "nothing runs" in busy.err
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(WITHIN_S)


def test_a_rehearsal_touches_nothing(system: System, backup: Path) -> None:
    done = system.casetrail("restore", str(backup), "--rehearse")
    assert done.code == 0, done.err
    assert "compared, and removed" in done.out


def test_a_damaged_backup_is_refused_in_the_persons_language(nowhere: Casetrail, backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[content.index(b"TICKETS.snapshot") + 512] ^= 1
    backup.write_bytes(content)
    done = nowhere.having(CASETRAIL_LANG="pl")("restore", str(backup), "--check", "--json")
    assert done.code == 3
    assert done.error["code"] == "backup_altered"
    assert done.error["data"] == {"member": "TICKETS.snapshot"}
    assert "zmieniono" in done.error["message"]
    backup.write_bytes(content[:3000])
    done = nowhere("restore", str(backup), "--check")
    assert (done.code, "cut off" in done.err) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("restore", "missing.tar"), "missing.tar cannot be read"),
        (("restore", "{backup}"), "Say where to"),
        (("restore", "{backup}", "--check", "--rehearse"), "exclude one another"),
        (("restore", "{backup}", "--check", "--fingerprint", "00"), "another backup"),
        (("backup", "{backup}"), "FILE"),
        (("backup", "{backup}", "--keep", "3"), "is no directory"),
        (("backup", "{backup}", "--keep", "0"), "--keep"),
        (("backup", "{backup}/x.tar"), "could not be written"),
    ],
)
def test_wrong_usage_is_told(system: System, backup: Path, arguments: tuple[str, ...], said: str) -> None:
    env = {"CASETRAIL_DATA": str(system.data)}
    done = system.casetrail.having(**env)(*(each.format(backup=backup) for each in arguments))
    assert done.code in {1, 2, 3}
    assert said in done.err


def test_a_full_disk_leaves_no_backup_and_is_told(system: System, tmp_path: Path) -> None:
    """No larger file than 8 KiB can be written: to a process that is a disk which is full."""

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 10, 8 << 10))

    done = subprocess.run(
        [*PROGRAM, "backup", str(tmp_path / "backup.tar"), "--json"],
        env={**system.casetrail.env, "CASETRAIL_DATA": str(system.data)},
        capture_output=True,
        timeout=WITHIN_S,
        check=False,
        preexec_fn=small_disk,  # no threads here
    )
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stderr)["error"]["code"] == "backup_not_written"
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_is_killed_is_none_and_the_next_one_is(system: System, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar"
    partial = tmp_path / "backup.tar.partial"
    killed = 0
    for _ in range(20):
        process = system.casetrail.start("backup", str(target))
        eventually(lambda: partial.exists() or process.poll() is not None, "it writes")  # noqa: B023
        process.kill()
        process.communicate(timeout=WITHIN_S)
        checked = None if target.exists() else system.casetrail("restore", str(partial), "--check").code
        if checked == 3:
            killed += 1
            break
        assert checked in {None, 0}  # it had its name already, or only that was missing
        target.unlink(missing_ok=True)
    assert killed, "it was always quicker"
    assert system.casetrail("backup", str(target)).code == 0
    assert system.casetrail("restore", str(target), "--check").code == 0
    assert not partial.exists()
    assert list(tmp_path.iterdir()) == [target]


def test_a_backup_needs_a_system_that_runs(nowhere: Casetrail, tmp_path: Path) -> None:
    assert nowhere("backup", str(tmp_path / "backup.tar")).code == 5
    assert list(tmp_path.iterdir()) == []
