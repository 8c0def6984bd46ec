"""The composition of deploy/compose.yaml, in containers, from outside."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import docker  # type: ignore[import-untyped]
import docker.errors  # type: ignore[import-untyped]

from services.embedded.ports import ReservedPort

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final = ROOT / ".venv-tools/bin/docker-compose"
PROJECT: Final = "casetrail-test"
SERVICES: Final = ("access", "attachments", "intake", "notify", "tickets")
OTHERS: Final = ("identity", "mailbox", "portal", "portal-2")
NODES: Final = ("nats-0", "nats-1", "nats-2")
READY_WITHIN_S: Final = 180
CLI_WITHIN_S: Final = 60


class Composition:
    """It runs; its NATS servers and its mailbox are reached on ports of this machine."""

    def __init__(self, directory: Path) -> None:
        self._docker = docker.from_env()
        self._creds = directory / "cli.creds"
        self._ports = {name: ReservedPort() for name in (*NODES, "mailbox", "identity", "portal", "portal-2")}

    @property
    def nats_url(self) -> str:
        return ",".join(f"nats://127.0.0.1:{self._ports[node].number}" for node in NODES)

    @property
    def mailbox_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['mailbox'].number}"

    @property
    def portal_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['portal'].number}"

    @property
    def second_portal_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['portal-2'].number}"

    def settings(self) -> dict[str, str]:
        """What the operator's terminal is told, in its environment."""
        return {
            "CASETRAIL_NATS_URL": self.nats_url,
            "CASETRAIL_NATS_CREDS": str(self._creds),
            "CASETRAIL_NATS_INBOX_USER": "cli",
        }

    def up(self) -> None:
        """Returns when everything is ready, and the people of the demonstration are known."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", str(READY_WITHIN_S))
        self.compose("run", "--rm", "people")
        (access, _) = self.containers("access")
        chunks, _ = access.get_archive("/run/casetrail/creds/cli.creds")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            content = archive.extractfile("cli.creds")
            assert content is not None
            self._creds.write_bytes(content.read())

    def down(self) -> None:
        """Removes it, with everything that it knew."""
        for container in self._docker.containers.list(filters={"status": "paused", **self._ours()}):
            container.unpause()
        self.compose("down", "--volumes", "--timeout", "2")
        for port in self._ports.values():
            port.release()

    def compose(self, *arguments: str) -> None:
        """Raises AssertionError with what it said."""
        ports = {
            "CASETRAIL_NATS_PORT": self._ports["nats-0"].number,
            "CASETRAIL_NATS_1_PORT": self._ports["nats-1"].number,
            "CASETRAIL_NATS_2_PORT": self._ports["nats-2"].number,
            "CASETRAIL_MAILBOX_PORT": self._ports["mailbox"].number,
            "CASETRAIL_IDENTITY_PORT": self._ports["identity"].number,
            "CASETRAIL_PORTAL_PORT": self._ports["portal"].number,
            "CASETRAIL_PORTAL_2_PORT": self._ports["portal-2"].number,
        }
        done = subprocess.run(
            [COMPOSE, "--project-name", PROJECT, "--file", ROOT / "deploy/compose.yaml", *arguments],
            env={**os.environ, **{name: str(port) for name, port in ports.items()}},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]

    def containers(self, service: str | None = None) -> list[Any]:
        """Those that run, of one service or of all."""
        of_service = [] if service is None else [f"com.docker.compose.service={service}"]
        labels = [f"com.docker.compose.project={PROJECT}", *of_service]
        found = self._docker.containers.list(filters={"label": labels})
        return sorted(found, key=lambda container: str(container.name))

    def cli(self, *arguments: str, code: int = 0) -> str:
        """What the command line of this checkout says to the composition."""
        casetrail = shutil.which("casetrail", path=str(ROOT / ".venv/bin"))
        assert casetrail is not None
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
        done = subprocess.run(
            [casetrail, *arguments],
            env={**clean, **self.settings(), "CASETRAIL_LANG": "en"},
            capture_output=True,
            text=True,
            timeout=CLI_WITHIN_S,
            check=False,
        )
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def paused(self, container: Any) -> Iterator[None]:
        """It stands still, and its connections stay open."""
        until(lambda: _pause(container), f"{container.name} stands still")
        try:
            yield
        finally:
            container.unpause()

    def healthy(self, container: Any) -> bool:
        """Whether what it says of itself is that it is ready."""
        container.reload()
        state: Mapping[str, Any] = container.attrs["State"]
        return bool(state["Health"]["Status"] == "healthy")

    @staticmethod
    def _ours() -> dict[str, str]:
        return {"label": f"com.docker.compose.project={PROJECT}"}


def _pause(container: Any) -> bool:
    """False: it was just starting processes, and the kernel could not freeze them all at once."""
    try:
        container.pause()
    except docker.errors.APIError as error:
        if "unable to freeze" not in str(error):
            raise
        return False
    return True


def engine_is_there() -> bool:
    """Whether a Docker engine answers."""
    client = shutil.which("docker")
    return (
        client is not None
        and subprocess.run([client, "info"], capture_output=True, check=False).returncode == 0
    )


def until(condition: Callable[[], object], what: str, *, within_s: float = 60) -> None:
    """Returns when it holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not in {within_s:g} s: {what}"
        time.sleep(0.1)
