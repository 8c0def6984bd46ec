"""What so many tickets take: memory and disk of NATS and of a service, and the time until a service answers.

For one node, then for three; the log grows in steps, and everything is measured at each. Memory is resident
(VmRSS), disk is what the directory holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from contracts.notify import requests as notify
from contracts.subjects import NOTIFY, TICKETS
from contracts.tickets import requests as tickets
from services.embedded.child import Child
from services.embedded.key_files import key_file
from services.embedded.nats_server import configuration, find_binary
from services.embedded.ports import HOST, ReservedPort
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings
from services.runtime.streams import StreamsUnavailable, ensure_streams, stream_info
from tests.access_log import AccessLog, on_server
from tests.bench.replica import EVENTS_PER_TICKET, fill

STEPS: Final = (20, 4, 1)
"""Fractions of the events at which is measured: a twentieth, a quarter, all."""
THREE_NODES_HAVE: Final = 4
"""Three nodes on one machine get a quarter of the events."""
_READY_WITHIN_S: Final = 1800.0
_CALM_S: Final = 3.0


class Node:
    """A nats-server, alone or of a cluster, that can be started again on what it kept."""

    def __init__(self, name: str, directory: Path, port: int, route: int, routes: Sequence[str]) -> None:
        self.directory = directory
        self.url = f"nats://{HOST}:{port}"
        directory.mkdir(parents=True)
        settings = configuration(directory, port=port, name=name, trust=None)
        settings["jetstream"]["max_file_store"] = 100 << 30
        if len(routes) > 1:
            listen = f"{HOST}:{route}"
            settings["cluster"] = {"name": "bench", "listen": listen, "routes": list(routes)}
        (directory / "nats.conf").write_text(json.dumps(settings))
        self._child: Child | None = None

    async def start(self) -> None:
        self._child = await Child.start(
            [find_binary(), "-c", self.directory / "nats.conf"], on_line=lambda _line: None
        )

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop(grace_s=60)

    @property
    def memory(self) -> int:
        assert self._child is not None
        return resident(self._child.pid)

    @property
    def processor_s(self) -> float:
        assert self._child is not None
        return processor_s(self._child.pid)

    @property
    def disk(self) -> int:
        return size_of(self.directory / "jetstream")


@contextlib.asynccontextmanager
async def nodes(directory: Path, count: int) -> AsyncIterator[tuple[list[Node], Client]]:
    """So many nats-servers with our streams, each of them on all of the servers."""
    ports, routes = [ReservedPort() for _ in range(count)], [ReservedPort() for _ in range(count)]
    addresses = [f"nats://{HOST}:{route.number}" for route in routes]
    running = [
        Node(f"n{i}", directory / f"n{i}", ports[i].number, routes[i].number, addresses) for i in range(count)
    ]
    for reserved in (*ports, *routes):
        reserved.release()
    for node in running:
        await node.start()
    nc = await connect(RuntimeSettings(nats_url=",".join(node.url for node in running)), user="bench")
    try:
        await _until_made(nc, count)
        yield running, nc
    finally:
        await nc.close()
        for node in running:
            await node.stop()


async def run(directory: Path, events: int) -> None:
    """Print the tables."""
    print("one node")
    async with nodes(directory / "one", 1) as (running, nc):
        await _grow(running, nc, directory / "one", events)
    print("\nthree nodes, three copies")
    async with nodes(directory / "three", 3) as (running, nc):
        await _grow(running, nc, directory / "three", events // THREE_NODES_HAVE)


async def _grow(running: list[Node], nc: Client, directory: Path, events: int) -> None:
    empty = max(node.memory for node in running)
    print(f"a nats-server that holds nothing: {_mb(empty)}")
    await AccessLog(on_server(nc)).account("acme", members=["jan@acme.example"])
    there, numbers = 0, set[str]()
    for step in STEPS:
        more = events // step - there
        began = time.perf_counter()
        await fill(nc, more, numbers)
        seconds = time.perf_counter() - began
        there += more
        count = there // EVENTS_PER_TICKET
        print(f"\n{count:,} tickets, {there:,} events (appended in batches: {more / seconds:,.0f} events/s)")
        await asyncio.sleep(_CALM_S)
        for node in running:
            memory, disk = node.memory, node.disk
            print(
                f"  nats-server       memory {_mb(memory)}, {(memory - empty) / count:,.0f} B a ticket;"
                f" disk {_mb(disk)}, {disk / there:,.0f} B an event"
            )
        for service, probe in (("tickets", tickets.LOOKUP), ("notify", notify.MAILS)):
            await _measure_service(running, nc, directory, service, probe, count=count, events=there)
    await _restart(running, nc, empty, there)


async def _measure_service(
    running: list[Node], nc: Client, directory: Path, name: str, probe: str, *, count: int, events: int
) -> None:
    """Started without a replica, and again with it."""
    kept = directory / "services" / name
    shutil.rmtree(kept, ignore_errors=True)
    for how in ("first start", "start again"):
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", f"from services.{name}.app import main; raise SystemExit(main())",
            env=_environment(running, directory, kept),
        )  # fmt: skip
        await _answers(nc, probe)
        seconds, busy = time.perf_counter() - began, processor_s(process.pid)
        await asyncio.sleep(_CALM_S)
        memory = resident(process.pid)
        process.terminate()
        await process.wait()
        disk = size_of(kept)
        print(
            f"  {name:8s} {how:11s} {seconds:7.1f} s ({busy:.1f} s of a processor);"
            f" memory {_mb(memory)}, {memory / count:,.0f} B a ticket;"
            f" disk {_mb(disk)}, {disk / events:,.0f} B an event"
        )


async def _restart(running: list[Node], nc: Client, empty: int, events: int) -> None:
    """All servers stop in order, and start on what they kept."""
    for node in running:
        await node.stop()
    began = time.perf_counter()
    for node in running:
        await node.start()
    await _until_there(nc, events)
    seconds, busy = time.perf_counter() - began, max(node.processor_s for node in running)
    await asyncio.sleep(_CALM_S)
    memory = max(node.memory for node in running)
    count = events // EVENTS_PER_TICKET
    print(
        f"\n  nats-server, started again: answers after {seconds:.1f} s ({busy:.1f} s of a processor); "
        f"memory {_mb(memory)}, {(memory - empty) / count:,.0f} B a ticket"
    )


async def _until_made(nc: Client, replicas: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await ensure_streams(nc, replicas=replicas)
            except StreamsUnavailable:  # the cluster has not found together yet
                await asyncio.sleep(0.2)
            else:
                return


async def _until_there(nc: Client, events: int) -> None:
    async with asyncio.timeout(_READY_WITHIN_S):
        while True:
            with contextlib.suppress(StreamsUnavailable):
                if (await stream_info(nc, TICKETS))["state"]["last_seq"] >= events:
                    await stream_info(nc, NOTIFY)
                    return
            await asyncio.sleep(0.02)


async def _answers(nc: Client, probe: str) -> None:
    async with asyncio.timeout(_READY_WITHIN_S):
        while True:
            inbox = nc.new_inbox()
            subscription = await nc.subscribe(inbox)
            await nc.publish(probe, b"{}", reply=inbox)
            message = await subscription.next_msg(10)
            await subscription.unsubscribe()
            if (message.headers or {}).get("Status") != "503":  # nobody there
                return
            await asyncio.sleep(0.05)


def _environment(running: list[Node], directory: Path, kept: Path) -> dict[str, str]:
    return {
        **os.environ,
        "CASETRAIL_NATS_URL": ",".join(node.url for node in running),
        "CASETRAIL_DATA_DIR": str(kept),
        "CASETRAIL_LOG_LEVEL": "error",
        "CASETRAIL_LINK_KEY_FILE": str(key_file(directory / "keys", "link")),
        "CASETRAIL_SMTP_HOST": HOST,
        "CASETRAIL_SMTP_PORT": "1",
        "CASETRAIL_SMTP_TLS": "none",
        "CASETRAIL_MAIL_FROM": "support@casetrail.example",
        "CASETRAIL_PUBLIC_URL": "https://support.example",
    }


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process has had: it says the same on a busy machine."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def size_of(directory: Path) -> int:
    """Bytes that the files of a directory take on disk."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
