"""Asking a virus scanner (clamd's INSTREAM command, https://docs.clamav.net/manual/Usage/Scanning.html).

Where a scanner is configured, nothing is taken that it has not seen: one that does not answer, answers
something else or is not to be reached is as good as a find, only that the sender may try again.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import Final

import structlog

from services.runtime.errors import Unavailable

TIMEOUT_S: Final = 30.0

_CHUNK_BYTES: Final = 128 * 1024
_MAX_ANSWER_BYTES: Final = 4096
_UNIX: Final = "unix:"

log = structlog.get_logger()


class AddressInvalid(ValueError):
    """It is neither `host:port` nor `unix:/path`."""


def check_address(address: str) -> str:
    """The address, if it is one. Raises AddressInvalid."""
    host, _, port = address.rpartition(":")
    if address.startswith(_UNIX) and address.removeprefix(_UNIX).startswith("/"):
        return address
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise AddressInvalid("is host:port, or unix:/path of a socket")
    return address


class Scanner:
    """A clamd at an address. One connection for each file."""

    def __init__(self, address: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._address = check_address(address)
        self._timeout_s = timeout_s

    async def finds(self, content: bytes) -> bool:
        """Whether there is something in the file.

        Raises:
            Unavailable: `scanner_unavailable`; nobody knows.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._ask(content)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.error("scanner.unavailable", reason=type(error).__name__)
            raise Unavailable("scanner_unavailable") from error
        if answer.endswith(b" OK"):
            return False
        if answer.endswith(b" FOUND"):
            log.warning("scanner.found", what=answer[:200].decode("ascii", "replace"))
            return True
        log.error("scanner.answer", answer=answer[:200].decode("ascii", "replace"))
        raise Unavailable("scanner_unavailable")

    async def _ask(self, content: bytes) -> bytes:
        reader, writer = await self._connect()
        try:
            writer.write(b"zINSTREAM\0")
            for start in range(0, len(content), _CHUNK_BYTES):
                chunk = content[start : start + _CHUNK_BYTES]
                writer.write(struct.pack("!L", len(chunk)) + chunk)
                await writer.drain()
            writer.write(struct.pack("!L", 0))
            await writer.drain()
            return (await reader.readuntil(b"\0")).rstrip(b"\0")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._address.startswith(_UNIX):
            path = self._address.removeprefix(_UNIX)
            return await asyncio.open_unix_connection(path, limit=_MAX_ANSWER_BYTES)
        host, _, port = self._address.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port), limit=_MAX_ANSWER_BYTES)
