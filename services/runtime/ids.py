"""UUIDv7 (RFC 9562, section 5.7): ids that sort by the time at which they were made."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from typing import Final

_RAND_B: Final = (1 << 62) - 1


def uuid7() -> str:
    """A new id: 48 bits of Unix time in milliseconds, then 74 random bits."""
    random = int.from_bytes(os.urandom(10), "big")
    value = time.time_ns() // 1_000_000 << 80 | 7 << 76 | random >> 68 << 64 | 2 << 62 | random & _RAND_B
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def derived_id(*parts: str) -> str:
    """The id of whatever the parts name, 26 small letters and digits: always the same, safe in a subject."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.b32encode(digest).decode()[:26].lower()
