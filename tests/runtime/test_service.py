"""The life of a service process: how it starts, what ends it, and with which exit code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from services.runtime.service import EXIT_FAILED, EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from services.runtime.streams import ensure_streams
from tests.access_log import AccessLog, member, on_server
from tests.runtime.conftest import DEADLINE_S, NatsServer

TICKETS = "from services.tickets.app import main; raise SystemExit(main())"
IMPATIENT = "from services.runtime import service; service._BROKER_WAIT_S = 0.3; " + TICKETS
FAILING = """
import asyncio, contextlib
from services.runtime.service import serve
from services.runtime.settings import RuntimeSettings

async def work():
    await asyncio.sleep(0.05)
    raise RuntimeError("the work broke")

@contextlib.asynccontextmanager
async def compose(context):
    context.spawn(work(), name="work")
    yield

raise SystemExit(serve("failing", RuntimeSettings, compose))
"""

FINISHING = """
import asyncio, contextlib, os
from services.runtime.service import serve
from services.runtime.settings import RuntimeSettings

@contextlib.asynccontextmanager
async def compose(context):
    yield
    async with asyncio.timeout(30):
        while not os.path.exists(os.environ["DONE"]):
            await asyncio.sleep(0.01)

raise SystemExit(serve("finishing", RuntimeSettings, compose))
"""


class Process:
    """A service process and the lines that it logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[dict[str, Any]] = []
        self.said = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for raw in self._process.stderr:
            self.said += raw.decode()
            if raw.startswith(b"{"):
                self.lines.append(json.loads(raw))

    async def logged(self, event: str) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for line in self.lines:
                    if line["event"] == event:
                        return line
                assert not self._reading.done(), self.said
                await asyncio.sleep(0.01)

    def send(self, sign: signal.Signals) -> None:
        self._process.send_signal(sign)

    async def exit_code(self) -> int:
        async with asyncio.timeout(DEADLINE_S):
            await self._reading
            return await self._process.wait()

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._reading


Start = Callable[..., Any]


@pytest.fixture
async def start(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Start]:
    processes: list[Process] = []

    async def start(program: str = TICKETS, **variables: str) -> Process:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")},
            "CASETRAIL_NATS_URL": nats_server.url,
            "CASETRAIL_DATA_DIR": str(tmp_path / "data"),
            **variables,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env=environment, stderr=asyncio.subprocess.PIPE
        )
        processes.append(Process(process))
        return processes[-1]

    yield start
    for process in processes:
        await process.end()


@asynccontextmanager
async def ready(start: Start) -> AsyncIterator[tuple[Process, int]]:
    """A service that is ready, and the port of its health."""
    process = await start()
    line = await process.logged("service.ready")
    yield process, line["health_port"]


async def readiness(port: int) -> tuple[int, dict[str, Any]]:
    def get() -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    status, body = await asyncio.to_thread(get)
    checks = {check["name"]: check["reason"] for check in json.loads(body)["checks"]}
    return status, checks


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_it_is_told_to_stop(nc: Client, start: Start, sign: signal.Signals) -> None:
    await ensure_streams(nc, replicas=1)
    async with ready(start) as (process, port):
        checks = {"broker": None, "requests": None, "replica": None, "access": None}
        assert await readiness(port) == (200, checks)
        await nc.request("$SRV.PING.tickets", b"", timeout=5)
        began = time.monotonic()
        process.send(sign)
        assert await process.exit_code() == EXIT_OK
        assert time.monotonic() - began < 3
        assert process.lines[-1]["event"] in ("service.stopped", "nats.closed")
        assert not [line for line in process.lines if line["level"] in ("warning", "error", "critical")]


async def test_requests_under_way_are_answered_before_it_ends(nc: Client, start: Start) -> None:
    await ensure_streams(nc, replicas=1)
    await AccessLog(on_server(nc)).account("acme", members=["jan@acme.example"])
    jan = member("jan@acme.example")["id"]
    async with ready(start) as (process, _):

        def command(n: int) -> bytes:
            return json.dumps(
                {"command_id": f"c{n}", "account": "acme", "actor": {"kind": "member", "id": jan},
                 "title": "x", "message": "x"}
            ).encode()  # fmt: skip

        asking = [
            asyncio.create_task(nc.request("requests.tickets.open", command(n), timeout=5))
            for n in range(100)
        ]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        process.send(signal.SIGTERM)
        answers = [json.loads((await task).data) for task in asking]
        assert sorted(answer["position"] for answer in answers) == list(range(1, 101))
        assert await process.exit_code() == EXIT_OK


async def test_whoever_finishes_before_the_end_is_not_ready_any_more(start: Start, tmp_path: Path) -> None:
    done = tmp_path / "done"
    process = await start(FINISHING, DONE=str(done), CASETRAIL_SHUTDOWN_TIMEOUT_S="30")
    port = (await process.logged("service.ready"))["health_port"]
    assert await readiness(port) == (200, {"broker": None, "requests": None})
    process.send(signal.SIGTERM)
    async with asyncio.timeout(DEADLINE_S):
        while (await readiness(port))[0] == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await readiness(port) == (503, {"broker": None, "requests": "about to end"})
    done.touch()
    assert await process.exit_code() == EXIT_OK


async def test_it_is_not_ready_and_answers_nothing_before_there_is_a_log(nc: Client, start: Start) -> None:
    process = await start()
    port = (await process.logged("health.listening"))["port"]
    await process.logged("replica.cannot_follow")
    status, checks = await readiness(port)
    assert (status, checks["requests"]) == (503, "not answering requests yet")
    assert checks["replica"] == "has not heard of the log yet"
    await ensure_streams(nc, replicas=1)
    await process.logged("service.ready")
    assert (await readiness(port))[0] == 200


async def test_it_stops_also_while_it_waits_for_the_log(start: Start) -> None:
    process = await start()
    await process.logged("replica.cannot_follow")
    began = time.monotonic()
    process.send(signal.SIGTERM)
    assert await process.exit_code() == EXIT_OK
    assert time.monotonic() - began < 2


async def test_it_goes_on_after_the_broker_was_gone(
    nc: Client, start: Start, nats_server: NatsServer
) -> None:
    await ensure_streams(nc, replicas=1)
    async with ready(start) as (process, port):
        nats_server.stop()
        await process.logged("nats.disconnected")
        assert (await readiness(port))[0] == 503
        nats_server.start()
        await process.logged("nats.reconnected")
        deadline = time.monotonic() + DEADLINE_S
        while (answer := await readiness(port))[0] != 200:
            assert time.monotonic() < deadline, answer
            await asyncio.sleep(0.05)
        process.send(signal.SIGTERM)
        assert await process.exit_code() == EXIT_OK


async def test_a_bad_setting_is_named_and_nothing_is_started(start: Start) -> None:
    process = await start(CASETRAIL_HEALTH_PORT="many", CASETRAIL_REQUEST_TIMEOUT_S="0")
    assert await process.exit_code() == EXIT_USAGE
    assert "casetrail tickets cannot start:" in process.said
    assert "CASETRAIL_HEALTH_PORT" in process.said
    assert "CASETRAIL_REQUEST_TIMEOUT_S" in process.said
    assert "Traceback" not in process.said


async def test_a_broker_that_is_not_there_is_named(start: Start, nats_server: NatsServer) -> None:
    nats_server.stop()
    process = await start(IMPATIENT)
    assert await process.exit_code() == EXIT_UNAVAILABLE
    assert nats_server.url in (await process.logged("service.no_broker"))["reason"]
    assert "Traceback" not in process.said


async def test_a_second_process_on_the_same_replica_file_is_refused(nc: Client, start: Start) -> None:
    await ensure_streams(nc, replicas=1)
    async with ready(start):
        second = await start()
        assert await second.exit_code() == EXIT_USAGE
        assert "belongs to another running process" in (await second.logged("service.cannot_start"))["reason"]


async def test_work_that_fails_ends_the_process_to_be_started_afresh(start: Start) -> None:
    process = await start(FAILING)
    assert await process.exit_code() == EXIT_FAILED
    line = next(line for line in process.lines if line["event"] == "service.failed")
    assert "the work broke" in json.dumps(line)


async def test_a_misspelt_variable_is_told(nc: Client, start: Start) -> None:
    await ensure_streams(nc, replicas=1)
    process = await start(CASETRAIL_LOG_LEVLE="debug")
    assert (await process.logged("settings.unknown"))["variable"] == "CASETRAIL_LOG_LEVLE"


async def test_what_people_wrote_can_be_read_by_nobody_else(nc: Client, start: Start, tmp_path: Path) -> None:
    await ensure_streams(nc, replicas=1)
    async with ready(start):
        files = list((tmp_path / "data").iterdir())
        assert any(file.suffix == ".sqlite" for file in files)
        assert [file.name for file in files if file.stat().st_mode & 0o077] == []
