"""How much an account may upload in an hour, counted over all replicas in the bucket `LIMITS`.

An object store that one account fills is full for all, and so is the disk that the log is on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import nats.errors
import structlog
from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from contracts.subjects import LIMITS, bucket_stream
from services.runtime.errors import Refused, Unavailable
from services.runtime.locks import KeyedLocks

_HOUR_S: Final = 3600
_MAX_TRIES: Final = 50

log = structlog.get_logger()


class Allowance:
    """Counts bytes for each account."""

    def __init__(self, js: JetStreamContext, *, bytes_per_hour: int) -> None:
        stream = bucket_stream(LIMITS)
        self._kv = KeyValue(name=LIMITS, stream=stream, pre=f"$KV.{LIMITS}.", js=js, direct=False)
        self._bytes_per_hour = bytes_per_hour
        self._locks = KeyedLocks()  # so that races are lost to other replicas only

    async def take(self, account: str, size: int, *, at: datetime) -> None:
        """Count the bytes for this hour.

        Raises:
            Refused: `upload_too_much`; nothing was counted.
            Unavailable: the bucket does not answer.
        """
        entry = f"uploads.{account}.{int(at.timestamp() // _HOUR_S)}"
        try:
            async with self._locks.holding(entry):
                await self._count(entry, size)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            log.warning("attachments.allowance_unavailable", reason=type(error).__name__)
            raise Unavailable from error

    async def _count(self, entry: str, size: int) -> None:
        for _ in range(_MAX_TRIES):
            counted, revision = await self._read(entry)
            if counted + size > self._bytes_per_hour:
                limit = self._bytes_per_hour // (1 << 20)
                raise Refused("upload_too_much", {"limit": limit})
            try:
                await self._kv.update(entry, str(counted + size).encode(), last=revision)
            except KeyWrongLastSequenceError:  # another replica counted at the same moment
                continue
            return
        raise Unavailable("busy")

    async def _read(self, entry: str) -> tuple[int, int]:
        try:
            found = await self._kv.get(entry)
        except KeyNotFoundError as gone:
            revision = gone.entry.revision if gone.entry is not None else None
            return 0, revision or 0
        if found.value is None or found.revision is None:  # it has just reached the end of its time
            return 0, 0
        return int(found.value), found.revision
