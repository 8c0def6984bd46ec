"""A virus scanner that speaks clamd's protocol over a real socket, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Clamd:
    """`answer` None: it never answers; empty: it hangs up."""

    address: str = ""
    answer: bytes | None = b"stream: OK\0"
    seen: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            assert await reader.readexactly(10) == b"zINSTREAM\0"
            content = b""
            while size := struct.unpack("!L", await reader.readexactly(4))[0]:
                content += await reader.readexactly(size)
            self.seen.append(content)
            if self.answer is None:
                await reader.read()
            else:
                found = b"EICAR" in content
                writer.write(b"stream: Eicar-Test-Signature FOUND\0" if found else self.answer)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def clamd() -> AsyncIterator[Clamd]:
    """Runs one on a free port."""
    double = Clamd()
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
    double.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield double
    finally:
        server.close()
        await server.wait_closed()
