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
    """Removes all backups but the newest so many, and what interrupted ones have left; returns what is gone.

    What another process writes at this moment stays, and what is named otherwise. Raises OSError.
    """
    named = [(found, path) for path in sorted(directory.iterdir()) if (found := _NAME.fullmatch(path.name))]
    whole = [path for found, path in named if not found["partial"]]
    left = [path for found, path in named if found["partial"] and not _is_written(path)]
    gone = [*whole[: max(0, len(whole) - count)], *left]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def _is_written(partial: Path) -> bool:
    """Whether somebody holds the lock of `archive.writing`."""
    with contextlib.suppress(FileNotFoundError), partial.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
