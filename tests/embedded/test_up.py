"""`casetrail up` with real processes: what it starts, what it starts again, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from contracts.subjects import TICKETS, inbox_prefix, ticket_events
from services.credentials.creds import creds_file
from services.embedded.nats_server import NatsServer
from services.embedded.running import DATA_VARIABLE, Running, find_running, publish
from tests.embedded.tiny import PID_FILE, STUBBORN

ROOT = Path(__file__).parents[2]
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux only")


class Up:
    """A `casetrail up`, with what it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.printed: list[str] = []

    @classmethod
    async def start(cls, *command: str, cwd: Path) -> Up:
        env = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *command,
            cwd=cwd,
            env=env | {"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return cls(process)

    async def until(self, text: str, *, within_s: float = 20) -> str:
        """Wait for a line with this text."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(within_s):
                while line := (await self.process.stdout.readline()).decode():
                    self.printed.append(line.rstrip())
                    if text in line:
                        return line.rstrip()
        except TimeoutError:
            pass
        raise AssertionError("\n".join([f"never said {text!r}:", *self.printed]))

    async def ended(self, *, within_s: float) -> int:
        """Wait for the end; returns the exit code."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within_s):
            self.printed += (await self.process.stdout.read()).decode().splitlines()
            return await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


StartUp = Callable[..., Awaitable[Up]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def start_up(data: Path, tmp_path: Path) -> AsyncIterator[StartUp]:
    """Starts an `up` of tiny services; it is ready when this returns, and ends with the test."""
    async with AsyncExitStack() as ups:

        async def start(*names: str) -> Up:
            up = await Up.start("tests.embedded.tiny", "up", str(data), *names, cwd=tmp_path)
            ups.push_async_callback(end, up)
            await up.until("Casetrail is ready")
            return up

        async def end(up: Up) -> None:
            if up.process.returncode is None:
                up.signal(signal.SIGTERM)
            await up.ended(within_s=10)

        yield start


async def eventually(condition: Callable[[], object], *, within_s: float = 10) -> None:
    async with asyncio.timeout(within_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def running(data: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setenv(DATA_VARIABLE, str(data))
    found = find_running()
    assert found is not None
    return found


def pid_of(data: Path, service: str) -> int:
    return int((data / "services" / service / PID_FILE).read_text() or 0)


def processes_of(data: Path) -> list[int]:
    """Every process that was told of this data directory, by its arguments or its environment."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            told = (directory / "cmdline").read_bytes() + (directory / "environ").read_bytes()
        except OSError:  # it has just ended
            continue
        if os.fsencode(data) in told:
            found.append(int(directory.name))
    return found


def nats_pid(data: Path) -> int:
    (ports,) = (data / "nats").glob("*.ports")
    return int(ports.stem.rpartition("_")[2])


async def connect(found: Running, data: Path, user: str) -> Client:
    return await nats.connect(
        found.nats_url,
        user_credentials=str(creds_file(data / "creds", user)),
        inbox_prefix=inbox_prefix(user),
    )


async def test_up_starts_everything_and_can_be_found(
    start_up: StartUp, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = await start_up("alpha", "beta")
    found = running(data, monkeypatch)
    assert found.pid == up.process.pid
    assert set(found.services) == {"alpha", "beta"}
    assert "alpha │ alpha serves" in up.printed
    assert "beta  │ beta serves" in up.printed

    nc = await nats.connect(
        found.nats_url, user_credentials=found.cli_creds_file, inbox_prefix=inbox_prefix("cli")
    )
    await nc.flush()
    await nc.close()


async def test_the_commands_of_the_summary_find_the_system_as_they_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    default = await Up.start("tests.embedded.tiny", "up", ".casetrail", "alpha", cwd=tmp_path)
    elsewhere = await Up.start("tests.embedded.tiny", "up", "other place", "beta", cwd=tmp_path)
    try:
        for up in (default, elsewhere):
            await up.until("Ctrl-C stops it")
        assert [line for line in default.printed if "export" in line] == []
        (export,) = (line.strip() for line in elsewhere.printed if "export" in line)
        assert "ticket open" in elsewhere.printed[elsewhere.printed.index(f"  {export}") + 1]
        name, _, value = export.removeprefix("export ").partition("=")
        found = find_running(tmp_path)
        assert found is not None
        assert found.pid == default.process.pid
        monkeypatch.setenv(name, *shlex.split(value))
        found = find_running()
        assert found is not None
        assert found.pid == elsewhere.process.pid
    finally:
        for up in (default, elsewhere):
            up.signal(signal.SIGTERM)
            await up.ended(within_s=10)


async def test_ctrl_c_stops_everything_in_order(start_up: StartUp, data: Path) -> None:
    up = await start_up("alpha", "beta")
    up.signal(signal.SIGINT)
    assert await up.ended(within_s=3) == 0
    assert up.printed[-1] == "up    │ stopped"
    assert processes_of(data) == []
    assert not (data / "up.json").exists()


async def test_a_second_ctrl_c_kills_at_once(start_up: StartUp, data: Path) -> None:
    up = await start_up(STUBBORN)
    up.signal(signal.SIGINT)
    await up.until("stopping")
    up.signal(signal.SIGINT)
    assert await up.ended(within_s=3) == 0
    assert processes_of(data) == []


async def test_a_killed_service_is_started_again_at_the_same_address(
    start_up: StartUp, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = await start_up("alpha")
    address, killed = running(data, monkeypatch).services["alpha"], pid_of(data, "alpha")
    os.kill(killed, signal.SIGKILL)
    assert "ended (SIGKILL); starting it again in 0.2 s" in await up.until("alpha │ ended")
    await up.until("alpha │ alpha serves")
    assert pid_of(data, "alpha") != killed
    _, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    writer.close()


async def test_a_service_that_keeps_dying_is_started_less_and_less_often(
    start_up: StartUp, data: Path
) -> None:
    up = await start_up("alpha")
    for pause in ("0.2 s", "0.4 s", "0.8 s"):
        os.kill(pid_of(data, "alpha"), signal.SIGKILL)
        assert (await up.until("alpha │ ended")).endswith(pause)
        await up.until("alpha │ alpha serves")


async def test_a_killed_nats_server_is_started_again_and_has_kept_the_events(
    start_up: StartUp, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = await start_up("alpha")
    found = running(data, monkeypatch)
    nc = await connect(found, data, "tickets")
    await nc.jetstream().publish(ticket_events("acme", "4830291746"), b"an event")
    await nc.close()
    killed = nats_pid(data)
    os.kill(killed, signal.SIGKILL)
    await up.until("nats  │ ended (SIGKILL)")
    await eventually(lambda: list((data / "nats").glob("*.ports")) and nats_pid(data) != killed)
    nc = await connect(found, data, "tickets")
    assert (await nc.jetstream().stream_info(TICKETS.name)).state.messages == 1
    await nc.close()


async def test_the_log_of_a_version_without_credentials_is_taken_over(
    start_up: StartUp, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = await start_up("alpha")
    nc = await connect(running(data, monkeypatch), data, "tickets")
    await nc.jetstream().publish(ticket_events("acme", "4830291746"), b"an event")
    await nc.close()
    up.signal(signal.SIGTERM)
    await up.ended(within_s=10)
    (stored,) = (data / "nats" / "jetstream").iterdir()
    stored.rename(stored.with_name("SERVICES"))
    for directory in (data / "operator", data / "creds", data / "nats" / "accounts"):
        shutil.rmtree(directory)

    await start_up("alpha")
    nc = await connect(running(data, monkeypatch), data, "tickets")
    assert (await nc.jetstream().stream_info(TICKETS.name)).state.messages == 1
    await nc.close()


async def test_a_second_up_on_the_same_data_is_refused(start_up: StartUp, data: Path, tmp_path: Path) -> None:
    first = await start_up("alpha")
    second = await Up.start("services.cli.main", "up", "--data", str(data), "--nats-port", "0", cwd=tmp_path)
    assert await second.ended(within_s=5) == 2
    assert f"in use by another `casetrail up` (pid {first.process.pid})" in "\n".join(second.printed)
    assert "--data" in second.printed[-1]
    assert first.process.returncode is None


async def test_a_taken_port_is_told_with_the_option_that_changes_it(
    nats_server: NatsServer, data: Path, tmp_path: Path
) -> None:
    up = await Up.start(
        "services.cli.main", "up", "--data", str(data), "--nats-port", str(nats_server.port), cwd=tmp_path
    )
    assert await up.ended(within_s=5) == 2
    (told,) = up.printed
    assert f"port {nats_server.port} for nats-server is taken" in told
    assert "--nats-port" in told
    assert processes_of(data) == []


@LINUX_ONLY
async def test_a_killed_up_leaves_no_process_and_the_next_one_works(
    start_up: StartUp, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = await start_up("alpha", "beta")
    up.signal(signal.SIGKILL)
    await up.process.wait()
    await eventually(lambda: processes_of(data) == [], within_s=3)
    assert (data / "up.json").exists()
    monkeypatch.setenv(DATA_VARIABLE, str(data))
    assert find_running() is None

    again = await start_up("alpha", "beta")
    assert running(data, monkeypatch).pid == again.process.pid


@LINUX_ONLY
async def test_an_up_that_is_not_read_any_more_stops(start_up: StartUp, data: Path) -> None:
    up = await start_up("alpha")
    transport = up.process._transport  # type: ignore[attr-defined]  # the only way to our end of the pipe
    transport.get_pipe_transport(1).close()
    os.kill(pid_of(data, "alpha"), signal.SIGKILL)  # so that it has something to say
    async with asyncio.timeout(5):
        await up.process.wait()
    assert processes_of(data) == []


def test_a_system_that_is_not_there_is_not_believed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.mkdir()
    monkeypatch.setenv(DATA_VARIABLE, str(data))
    assert find_running() is None
    alive_but_not_up = Running(
        pid=os.getpid(), nats_url="nats://x:1", cli_creds_file="x", operator="x", services={}
    )
    publish(data, alive_but_not_up)
    assert find_running() is None
    (data / "up.lock").touch()
    assert find_running() is None


async def test_a_system_is_found_from_a_directory_below(
    start_up: StartUp, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".casetrail").symlink_to(data)
    up = await start_up("alpha")
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    below = tmp_path / "deep" / "down"
    below.mkdir(parents=True)
    found = find_running(below)
    assert found is not None
    assert found.pid == up.process.pid
