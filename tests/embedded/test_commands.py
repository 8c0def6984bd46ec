"""The commands around the embedded system, as a shell sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from services.credentials.permissions import USERS
from services.embedded.catalogue import CATALOGUE
from services.embedded.nats_server import NatsServer

ROOT = Path(__file__).parents[2]


def casetrail(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
    return subprocess.run(
        [sys.executable, "-m", "services.cli.main", *arguments],
        cwd=ROOT, env=ours | env, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_serve_of_an_unknown_service_names_the_known_ones() -> None:
    done = casetrail("serve", "nothing")
    assert done.returncode == 2
    assert "there is no service 'nothing'" in done.stderr
    assert all(entry.name in done.stderr for entry in CATALOGUE)
    assert "Traceback" not in done.stderr


def test_help_is_there_without_importing_what_is_slow() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from services.cli.main import app;"
        "print(CliRunner().invoke(app, ['--help']).output);"
        "slow = {'nats', 'pydantic', 'faststream', 'eventsourcing', 'opentelemetry'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    *printed, slow = done.stdout.splitlines()
    assert any("Exit codes" in line for line in printed)
    assert slow == "[]"


def test_setup_makes_the_streams_and_finds_nothing_to_say_the_second_time(nats_server: NatsServer) -> None:
    for _ in range(2):
        done = casetrail("setup", CASETRAIL_NATS_URL=nats_server.url, CASETRAIL_LOG_LEVEL="error")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


async def test_setup_tells_what_differs_and_leaves_it(nats_server: NatsServer) -> None:
    import nats

    nc = await nats.connect(nats_server.url)
    await nc.jetstream().add_stream(name="TICKETS", subjects=["events.tickets.*.*"])
    done = casetrail("setup", CASETRAIL_NATS_URL=nats_server.url, CASETRAIL_LOG_LEVEL="error")
    assert done.returncode == 1
    assert "TICKETS: deny_delete is" in done.stdout
    assert (await nc.jetstream().stream_info("TICKETS")).config.deny_delete is not True
    await nc.close()


def test_setup_without_a_server_is_unavailable() -> None:
    done = casetrail("setup", CASETRAIL_NATS_URL="nats://127.0.0.1:1", CASETRAIL_LOG_LEVEL="error")
    assert done.returncode == 5
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_service_has_a_user_with_permissions() -> None:
    assert {entry.nats_user for entry in CATALOGUE} <= set(USERS)
