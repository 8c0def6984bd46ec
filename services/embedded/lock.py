"""One `casetrail up` per data directory, told apart from one that was killed."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

LEFTOVERS_END_WITHIN_S: Final = 3.0


class DataInUse(Exception):
    """Another process works on the data directory."""

    def __init__(self, directory: Path, pid: int | None) -> None:
        who = (
            f"pid {pid}" if pid is not None and is_alive(pid) else "processes that an earlier one left behind"
        )
        super().__init__(
            f"{directory} is in use by another `casetrail up` ({who}); choose another with --data"
        )
        self.pid = pid


def is_alive(pid: int) -> bool:
    """Whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_held(directory: Path) -> bool:
    """Whether somebody holds the lock of the directory now. Does not keep others from taking it."""
    try:
        handle = os.open(_path(directory), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.asynccontextmanager
async def data_lock(directory: Path) -> AsyncIterator[int]:
    """Hold the data directory; yields the file descriptor that children inherit, so as to hold it too.

    Waits a moment for children of an `up` that was killed: they end by themselves. Raises DataInUse.
    """
    handle = os.open(_path(directory), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = asyncio.get_running_loop().time() + LEFTOVERS_END_WITHIN_S
        while not _try(handle):
            pid = _holder(handle)
            if (pid is not None and is_alive(pid)) or asyncio.get_running_loop().time() > deadline:
                raise DataInUse(directory, pid)
            await asyncio.sleep(0.05)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield handle
    finally:
        os.close(handle)


def _path(directory: Path) -> Path:
    return directory / "up.lock"


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> int | None:
    digits = os.pread(handle, 32, 0)
    return int(digits) if digits.isdigit() else None
