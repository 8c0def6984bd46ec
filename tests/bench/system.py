"""What the benchmarks run against: a real nats-server with fsync on, and a ticket service process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from nats.aio.client import Client
from nats.errors import Error as NatsError

from contracts.subjects import Stream
from contracts.tickets import requests
from services.embedded.nats_server import NatsServer
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings
from services.runtime.streams import configuration, ensure_streams

RAW = Stream(name="RAW", subjects=("raw.>",), description="The raw limit: same settings, no service")


@contextlib.asynccontextmanager
async def broker(directory: Path) -> AsyncIterator[tuple[NatsServer, Client]]:
    """A server with our streams, and one of the same settings for the raw limit."""
    server = await NatsServer.start(directory / "nats")
    nc = await connect(RuntimeSettings(nats_url=server.url), user="bench")
    try:
        await ensure_streams(nc, replicas=1)
        create = json.dumps(configuration(RAW, replicas=1)).encode()
        await nc.request(f"$JS.API.STREAM.CREATE.{RAW.name}", create)
        yield server, nc
    finally:
        await nc.close()
        await server.stop()


@contextlib.asynccontextmanager
async def ticket_service(server: NatsServer, nc: Client, directory: Path) -> AsyncIterator[None]:
    """A ticket service that is ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from services.tickets.app import main; raise SystemExit(main())",
        env={
            **os.environ,
            "CASETRAIL_NATS_URL": server.url,
            "CASETRAIL_DATA_DIR": str(directory / "replica"),
            "CASETRAIL_LOG_LEVEL": "warning",
        },
    )
    try:
        async with asyncio.timeout(60):
            while not await _answers(nc):
                pass
        yield
    finally:
        process.terminate()
        await process.wait()


async def _answers(nc: Client) -> bool:
    try:
        await nc.request(requests.LOOKUP, b'{"value":"x"}', timeout=1)
    except (NatsError, TimeoutError):
        await asyncio.sleep(0.05)
        return False
    return True
