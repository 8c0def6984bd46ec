"""The `casetrail` command as people run it: a process of its own, beside a system that `up` runs."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from contracts.access.people import person_id
from services.cli.main import app

WITHIN_S = 60
JAN, OLA = "jan@acme.example", "agent:ola@desk.example"
"""A member of every account here, and an agent, as they are named on the command line."""
OLA_ACTS = f"agent:{person_id('ola@desk.example')}"
PROGRAM = (sys.executable, "-m", "services.cli.main")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> Any:
        """What was printed with --json: one object on one line."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        (line,) = self.err.splitlines()
        return json.loads(line)["error"]


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what would say where Casetrail runs, in English and in UTC."""
    ours = ("CASETRAIL_", "LC_", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"LANG": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": str(ROOT)} | more


@dataclass(frozen=True, slots=True)
class Casetrail:
    """Runs commands in an environment: called, within the tests, which saves a second for each."""

    env: Mapping[str, str]
    cwd: Path

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Done:
        unset = {name: None for name in os.environ if name not in self.env}
        with contextlib.chdir(self.cwd):
            done = CliRunner().invoke(app, arguments, input=stdin, env={**unset, **self.env})
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    def process(self, *arguments: str, stdin: bytes = b"") -> Done:
        """The real command."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            input=stdin,
            env=self.env,
            cwd=self.cwd,
            capture_output=True,
            timeout=WITHIN_S,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def having(self, **env: str) -> Casetrail:
        """The same, with more in the environment."""
        return Casetrail({**self.env, **env}, self.cwd)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command that goes on; its output is a pipe. The caller ends it."""
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            env=self.env,
            cwd=self.cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"not in {WITHIN_S} s: {what}"
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class System:
    """A running `casetrail up`."""

    data: Path
    casetrail: Casetrail

    def kill_broker(self) -> None:
        """SIGKILL to nats-server; returns when `up` has started another."""
        (ports,) = (self.data / "nats").glob("*.ports")
        os.kill(int(ports.stem.rpartition("_")[2]), signal.SIGKILL)
        eventually(lambda: list((self.data / "nats").glob("*.ports")) not in ([], [ports]), "a new broker")

    def register(self, account: str) -> None:
        """An account of which Jan is a member."""
        access = ("access", "register", "--account", account, "--name", account)
        assert self.casetrail(*access).code == 0
        invited = self.casetrail("access", "invite", "--account", account, "--email", JAN, "--json").object
        assert self.casetrail("access", "accept", "--token", invited["token"], "--as", JAN).code == 0

    def open(self, **more: str) -> Any:
        """A new ticket of `acme`, as `open --json` shows it, once every list has it."""
        given = {"account": "acme", "title": "Brak wypłat", "text": "Od poniedziałku", "as": JAN} | more
        options = [word for name, value in given.items() for word in (f"--{name}", value)]
        ticket = self.casetrail("ticket", "open", *options, "--json").object
        self.has_heard(ticket["number"], 1)
        return ticket

    def has_heard(self, number: str, revision: int) -> None:
        """Return once the ticket service shows the ticket as it stood then, or later."""

        def is_there() -> bool:
            shown = self.casetrail("ticket", "show", number, "--json")
            return shown.code == 0 and shown.object["revision"] >= revision

        eventually(is_there, f"revision {revision} of {number}")


@pytest.fixture(autouse=True)
def _as_loud_as_before() -> Iterator[None]:
    """A command silences its process, which here is that of all the tests."""
    yield
    structlog.reset_defaults()
    logging.getLogger("nats").setLevel(logging.NOTSET)


@pytest.fixture
def nowhere(tmp_path: Path) -> Casetrail:
    """Commands where nothing runs."""
    return Casetrail(clean_environment(CASETRAIL_DATA=str(tmp_path / "none")), tmp_path)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for all tests of the command; each works on tickets or accounts of its own."""
    directory = tmp_path_factory.mktemp("system")
    data = directory / ".casetrail"
    env = clean_environment()
    with (directory / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [*PROGRAM, "up", "--data", str(data), "--nats-port", "0", "--identity-port", "0", "--port", "0"],
            env=env,
            cwd=directory,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        eventually(lambda: (data / "up.json").exists() or up.poll() is not None, "`casetrail up` is ready")
        assert up.poll() is None, (directory / "up.log").read_text()
        system = System(data, Casetrail(env, directory))
        assert system.casetrail("access", "appoint", "--agent", OLA.removeprefix("agent:")).code == 0
        system.register("acme")
        yield system
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(WITHIN_S)


@pytest.fixture
def casetrail(system: System) -> Casetrail:
    """Commands in a directory below which the system was started: they find it by themselves."""
    return system.casetrail


@pytest.fixture
def account(system: System) -> str:
    """An account that no other test uses."""
    account = f"t-{secrets.token_hex(6)}"
    system.register(account)
    return account
