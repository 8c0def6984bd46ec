"""What the benchmarks run against: a real nats-server with fsync on, and a ticket service process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from nats.aio.client import Client
from nats.errors import Error as NatsError

from contracts.subjects import Stream
from contracts.tickets import requests
from services.embedded.nats_server import NatsServer
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings
from services.runtime.streams import configuration, ensure_streams
from tests.access_log import AccessLog, on_server

RAW = Stream(name="RAW", subjects=("raw.>",), description="The raw limit: same settings, no service")


@contextlib.asynccontextmanager
async def broker(directory: Path) -> AsyncIterator[tuple[NatsServer, Client]]:
    """A server with our streams, and one of the same settings for the raw limit."""
    server = await NatsServer.start(directory / "nats")
    nc = await connect(RuntimeSettings(nats_url=server.url), user="bench")
    try:
        await ensure_streams(nc, replicas=1)
        await make_raw(nc, replicas=1)
        yield server, nc
    finally:
        await nc.close()
        await server.stop()


async def make_raw(nc: Client, *, replicas: int) -> None:
    """Make the stream of the raw limit."""
    create = json.dumps(configuration(RAW, replicas=replicas)).encode()
    answer = await nc.request(f"$JS.API.STREAM.CREATE.{RAW.name}", create, timeout=10)
    if b'"error"' in answer.data:
        raise RuntimeError(answer.data.decode())


@contextlib.asynccontextmanager
async def ticket_service(url: str, nc: Client, directory: Path) -> AsyncIterator[None]:
    """A ticket service that is ready, and knows jan@acme.example for a member of `acme`."""
    await AccessLog(on_server(nc)).account("acme", members=["jan@acme.example"])
    async with service(url, nc, directory, "tickets", probe=requests.LOOKUP):
        yield


@contextlib.asynccontextmanager
async def service(
    url: str, nc: Client, directory: Path, name: str, *, probe: str, **settings: str
) -> AsyncIterator[None]:
    """A service as a process of its own, which answers a request on `probe` when it is ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"from services.{name}.app import main; raise SystemExit(main())",
        env={
            **os.environ,
            "CASETRAIL_NATS_URL": url,
            "CASETRAIL_DATA_DIR": str(directory / name),
            "CASETRAIL_LOG_LEVEL": "warning",
            **settings,
        },
    )
    try:
        async with asyncio.timeout(60):
            while not await _answers(nc, probe):
                pass
        yield
    finally:
        process.terminate()
        await process.wait()


async def append_batch(nc: Client, batch: Sequence[tuple[str, bytes]]) -> None:
    """Appends up to 1000 events, each with its subject, at once."""
    batch_id = uuid.uuid4().hex
    for sequence, (subject, payload) in enumerate(batch, start=1):
        headers = {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(sequence)}
        if sequence < len(batch):
            await nc.publish(subject, payload, headers=headers)
        else:
            answer = await nc.request(
                subject, payload, timeout=30, headers={**headers, "Nats-Batch-Commit": "1"}
            )
            if b'"error"' in answer.data:
                raise RuntimeError(answer.data.decode())


async def _answers(nc: Client, probe: str) -> bool:
    try:
        await nc.request(probe, b'{"value":"x"}', timeout=1)
    except (NatsError, TimeoutError):
        await asyncio.sleep(0.05)
        return False
    return True
