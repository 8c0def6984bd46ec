"""A directory of backups, each named by its time, of which the newest are kept."""

from __future__ import annotations

import contextlib
import fcntl
import re
from datetime import datetime
from pathlib import Path
from typing import Final

from services.backup.archive import reading
from services.backup.check import checked
from services.backup.errors import BackupRefused

_NAME: Final = re.compile(r"casetrail-\d{8}T\d{6}Z\.tar(?P<partial>\.partial)?")


def name_of(at: datetime) -> str:
    """The name of the backup that was begun then (UTC). By name is by time."""
    return f"casetrail-{at:%Y%m%dT%H%M%SZ}.tar"


def keep_if_whole(path: Path, fingerprint: str) -> None:
    """Reads a new backup through, from the disk. One that is not whole takes no other's place: it is removed.

    Raises BackupRefused, OSError.
    """
    try:
        with reading(path) as archive:
            checked(archive, fingerprint=fingerprint)
    except BackupRefused:
        path.unlink()
        raise


def keep_newest(directory: Path, count: int) -> list[Path]:
    """Removes all backups but the newest so many; returns what is gone. Raises OSError."""
    whole = _named(directory, partial=False)
    gone = whole[: max(0, len(whole) - count)]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def remove_interrupted(directory: Path) -> list[Path]:
    """Removes what interrupted backups have left, not what somebody writes now. Raises OSError."""
    gone = [path for path in _named(directory, partial=True) if not _is_written(path)]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def _named(directory: Path, *, partial: bool) -> list[Path]:
    """Those that are named as `name_of` does, the oldest first."""
    named = [(found, path) for path in sorted(directory.iterdir()) if (found := _NAME.fullmatch(path.name))]
    return [path for found, path in named if bool(found["partial"]) is partial]


def _is_written(partial: Path) -> bool:
    """Whether somebody holds the lock of `archive.writing`."""
    with contextlib.suppress(FileNotFoundError), partial.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
