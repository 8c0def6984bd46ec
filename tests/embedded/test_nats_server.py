"""The broker as a child process: starts, ends, keeps what it acknowledged."""

from __future__ import annotations

import os
from pathlib import Path

import nats
import pytest

from services.embedded.nats_server import NatsServer, ServerDidNotStart
from services.embedded.ports import PortTaken


async def test_what_was_acknowledged_survives_a_kill(nats_server: NatsServer) -> None:
    nc = await nats.connect(nats_server.url)
    await nc.jetstream().add_stream(name="S", subjects=["s"])
    await nc.jetstream().publish("s", b"kept")
    await nc.close()
    port, pid = nats_server.port, nats_server.pid

    await nats_server.kill()
    await nats_server.start_again()

    assert nats_server.port == port
    assert nats_server.pid != pid
    nc = await nats.connect(nats_server.url)
    kept = await nc.jetstream().get_last_msg("S", "s")
    assert kept.data == b"kept"
    await nc.close()


async def test_a_stopped_server_is_gone(nats_server: NatsServer) -> None:
    await nats_server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(nats_server.pid, 0)


async def test_a_taken_port_is_told_with_the_option_that_changes_it(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    with pytest.raises(PortTaken, match=rf"port {nats_server.port} for nats-server.*--nats-port"):
        await NatsServer.start(tmp_path / "other", port=nats_server.port)


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    directory = tmp_path / "nats"
    directory.mkdir()
    (directory / "jetstream").write_text("a file where a directory must be")
    with pytest.raises(ServerDidNotStart, match="not a directory"):
        await NatsServer.start(directory)


async def test_the_log_is_handed_on_line_by_line(tmp_path: Path) -> None:
    lines: list[str] = []
    server = await NatsServer.start(tmp_path / "nats", on_line=lines.append)
    await server.stop()
    assert any(line.endswith("Server is ready") for line in lines)
    assert all("\n" not in line for line in lines)
