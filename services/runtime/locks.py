"""Locks by key: one at a time for each, and nothing kept for keys that nobody uses."""

from __future__ import annotations

import asyncio
from types import TracebackType


class KeyedLocks:
    """Fair locks, one per key, in one event loop."""

    def __init__(self) -> None:
        self._locks: dict[str, _Lock] = {}

    def holding(self, key: str) -> _Hold:
        """A context manager that holds the key's lock; those who wait get it in their order."""
        return _Hold(self._locks, key)


class _Lock(asyncio.Lock):
    """A lock and how many hold it or wait for it."""

    users = 0


class _Hold:
    # A class, not a generator: commands pass here thousands of times a second.
    __slots__ = ("_key", "_lock", "_locks")

    def __init__(self, locks: dict[str, _Lock], key: str) -> None:
        self._locks = locks
        self._key = key

    async def __aenter__(self) -> None:
        lock = self._locks.get(self._key)
        if lock is None:
            lock = self._locks[self._key] = _Lock()
        self._lock = lock
        lock.users += 1
        try:
            await lock.acquire()
        except BaseException:  # cancelled while waiting
            self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()
        self._leave()

    def _leave(self) -> None:
        self._lock.users -= 1
        if self._lock.users == 0:
            del self._locks[self._key]
