"""How often strangers may do what needs no sign-in: counters in the bucket `LIMITS`, for fixed hours.

    <what>.<HMAC of whom it is counted for>.<hours since 1970>  ->  how often

All replicas of the service share the counters; each is only written over what was read. Nobody's address
stands in the bucket, and without the key nobody can find out whether a certain one was counted. Where the
bucket cannot be asked, nothing is let through.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import nats.errors
import structlog
from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from contracts.subjects import LIMITS, bucket_stream
from services.runtime.errors import Unavailable
from services.runtime.locks import KeyedLocks

WINDOW: Final = timedelta(hours=1)

_KEY: Final = b"casetrail.intake.limits"
_DIGEST_CHARACTERS: Final = 32
_MAX_TRIES: Final = 50
_IPV6_PREFIX: Final = 64

log = structlog.get_logger()


class AddressInvalid(ValueError):
    """It is not an address of IPv4 or IPv6."""


def network(address: str) -> str:
    """Whom an address is counted for: itself, or with IPv6 the /64 that one household or machine has whole.

    Raises:
        AddressInvalid: it is none.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise AddressInvalid from None
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), _IPV6_PREFIX), strict=False))


class Limits:
    """Counts, and says when it is enough."""

    def __init__(
        self,
        js: JetStreamContext,
        key: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        stream = bucket_stream(LIMITS)
        self._kv = KeyValue(name=LIMITS, stream=stream, pre=f"$KV.{LIMITS}.", js=js, direct=False)
        self._key = hmac.digest(key.encode(), _KEY, hashlib.sha256)
        self._now = now
        self._locks = KeyedLocks()  # so that races are lost to other replicas only

    async def take(self, what: str, whom: str, *, at_most: int) -> bool:
        """Count once more for this hour; False, and nothing is counted, if `at_most` are counted already.

        Args:
            what: a word of a subject, such as `interest-address`.

        Raises:
            Unavailable: the bucket does not answer, is full, or too many count at once.
        """
        entry = f"{what}.{self._hashed(whom)}.{int(self._now().timestamp() // WINDOW.total_seconds())}"
        try:
            async with self._locks.holding(entry):
                return await self._count(entry, at_most)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            log.warning("limits.unavailable", what=what, reason=type(error).__name__)
            raise Unavailable from error

    async def _count(self, entry: str, at_most: int) -> bool:
        for _ in range(_MAX_TRIES):
            counted, revision = await self._read(entry)
            if counted >= at_most:
                return False
            try:
                await self._kv.update(entry, str(counted + 1).encode(), last=revision)
            except KeyWrongLastSequenceError:  # another replica counted at the same moment
                continue
            return True
        raise Unavailable("busy")

    async def _read(self, entry: str) -> tuple[int, int]:
        """How often, and the revision that says so; 0 and 0 where nothing was counted.

        Raises ValueError for what no replica wrote.
        """
        try:
            found = await self._kv.get(entry)
        except KeyNotFoundError as gone:
            revision = gone.entry.revision if gone.entry is not None else None
            return 0, revision or 0
        if found.value is None or found.revision is None:  # it has just reached the end of its time
            return 0, 0
        return int(found.value), found.revision

    def _hashed(self, whom: str) -> str:
        return hmac.new(self._key, whom.encode(), hashlib.sha256).hexdigest()[:_DIGEST_CHARACTERS]
