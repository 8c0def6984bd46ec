"""UUIDv7 (RFC 9562, section 5.7): ids that sort by the time at which they were made."""

from __future__ import annotations

import os
import time
import uuid


def uuid7() -> str:
    """A new id: 48 bits of Unix time in milliseconds, then 74 random bits."""
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return str(uuid.UUID(int=value))
