"""`casetrail credentials` against a whole embedded system: issued, listed, taken back, no secret told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client

from contracts.access import requests
from contracts.access.systems import system_user
from contracts.client import call
from contracts.errors import ErrorReply
from contracts.requests import SentActor
from contracts.subjects import inbox_prefix
from contracts.subscribe import ticket_events
from services.credentials.creds import creds_file
from services.credentials.operator import Operator
from services.embedded.running import DATA_VARIABLE, Running, find_running
from tests.credentials.let_in import SECRET, is_let_in, until

ROOT = Path(__file__).parents[2]
ACCOUNT = "acme"
TERMINAL = SentActor.model_validate({"kind": "system", "id": "cli"}, strict=False)


class System:
    """A `casetrail up`, and the command line beside it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.printed = directory / "printed"

    def casetrail(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.cli.main", *arguments],
            cwd=self.directory,
            env=self._env() | env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def credentials(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self.casetrail("credentials", *arguments, **env)

    def up(self) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "services.cli.main",
            "up",
            "--nats-port",
            "0",
            "--identity-port",
            "0",
            "--port",
            "0",
        ]
        with self.printed.open("wb") as output:
            return subprocess.Popen(
                command, cwd=self.directory, env=self._env(), stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def running(self) -> Running:
        found = find_running(self.directory)
        assert found is not None, self.printed.read_text()
        return found

    async def connect(self, user: str, creds: Path, **callbacks: Any) -> Client:
        async def quiet(_: Exception) -> None:
            """What is refused is seen by what happens."""

        return await nats.connect(
            self.running.nats_url,
            user_credentials=str(creds),
            inbox_prefix=inbox_prefix(user),
            **{"error_cb": quiet, **callbacks},
        )

    def _env(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
        return ours | {DATA_VARIABLE: str(self.data), "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """An embedded system with one account; it lives as long as the module's tests."""
    system = System(tmp_path_factory.mktemp("embedded"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_VARIABLE, str(system.data))
        process = system.up()
        try:
            asyncio.run(_with_an_account(system))
            yield system
        finally:
            process.terminate()
            process.wait(timeout=20)


async def _with_an_account(system: System) -> None:
    await until(lambda: find_running(system.directory), within_s=60)
    nc = await system.connect("cli", Path(system.running.cli_creds_file))
    command = requests.RegisterAccount(
        command_id=str(uuid.uuid4()), account=ACCOUNT, actor=TERMINAL, name="Acme", languages=()
    )
    await call(nc, requests.REGISTER, command, requests.AccountDone)
    await nc.close()


@pytest.fixture
def name() -> str:
    """The name of a system that no other test has."""
    return f"s{uuid.uuid4().hex[:12]}"


@pytest.fixture
def create(embedded: System, name: str) -> Callable[..., Path]:
    """Creates a credential under that name."""

    def with_options(*options: str) -> Path:
        done = embedded.credentials(
            "create", "--account", ACCOUNT, "--name", name, *(options or ("--may", "subscribe"))
        )
        assert done.returncode == 0, done.stderr
        return creds_file(embedded.directory, system_user(ACCOUNT, name))

    return with_options


def listed(embedded: System, name: str) -> list[dict[str, Any]]:
    done = embedded.credentials("list", "--account", ACCOUNT, "--json")
    assert done.returncode == 0, done.stderr
    return [each for each in json.loads(done.stdout)["credentials"] if each["name"] == name]


def test_a_credential_is_a_file_that_only_its_owner_reads(
    embedded: System, name: str, create: Callable[..., Path]
) -> None:
    path = create()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (credential,) = listed(embedded, name)
    assert credential["may"] == ["subscribe"]
    assert credential["user"] == path.stem
    assert "revoked_at" not in credential


async def test_a_credential_follows_the_events_of_its_account(
    embedded: System, create: Callable[..., Path]
) -> None:
    path = create()
    nc = await embedded.connect(path.stem, path)
    async with asyncio.timeout(5):
        assert [event async for event in ticket_events(nc, account=ACCOUNT, follow=False)] == []
    await nc.close()


async def test_a_revoked_credential_is_disconnected_and_cannot_come_back(
    embedded: System, name: str, create: Callable[..., Path]
) -> None:
    path = create()
    closed = asyncio.Event()

    async def on_closed() -> None:
        closed.set()

    nc = await embedded.connect(path.stem, path, closed_cb=on_closed)
    await nc.subscribe(f"{inbox_prefix(path.stem)}.>")
    done = embedded.credentials("revoke", "--account", ACCOUNT, name)
    assert done.returncode == 0, done.stderr
    async with asyncio.timeout(1):
        await closed.wait()
    assert not await is_let_in(embedded.running.nats_url, path.stem, path)
    (credential,) = listed(embedded, name)
    assert "revoked_at" in credential


def test_a_revoked_name_is_free_again(embedded: System, name: str, create: Callable[..., Path]) -> None:
    create().unlink()
    again = ("create", "--account", ACCOUNT, "--name", name, "--may", "read")
    assert embedded.credentials(*again).returncode == 3
    assert embedded.credentials("revoke", "--account", ACCOUNT, name).returncode == 0
    assert embedded.credentials("revoke", "--account", ACCOUNT, name).returncode == 4
    assert embedded.credentials(*again).returncode == 0
    assert [each.get("revoked_at") is not None for each in listed(embedded, name)] == [True, False]


async def test_a_revocation_that_was_interrupted_is_carried_out_when_repeated(
    embedded: System, name: str, create: Callable[..., Path]
) -> None:
    path = create()
    system = await embedded.connect(path.stem, path)
    cli = await embedded.connect("cli", Path(embedded.running.cli_creds_file))
    command = requests.RevokeCredential(
        command_id=str(uuid.uuid4()), account=ACCOUNT, actor=TERMINAL, name=name
    )
    await call(cli, requests.REVOKE_CREDENTIAL, command, requests.CredentialRecorded)
    await system.flush()  # it is on record, and nobody has told NATS

    repeated = embedded.credentials("revoke", "--account", ACCOUNT, name)
    assert repeated.returncode == 4
    await until(lambda: system.is_closed)
    same = embedded.credentials("revoke", "--account", ACCOUNT, name, "--command-id", command.command_id)
    assert same.returncode == 0, same.stderr
    await cli.close()


def test_a_file_is_not_overwritten_and_nothing_is_put_on_record(
    embedded: System, name: str, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.creds"
    kept.write_text("mine")
    options = ("create", "--account", ACCOUNT, "--name", name, "--may", "subscribe", "--out")
    for out, told in ((kept, "is there already"), (tmp_path / "nowhere" / "x.creds", "cannot be written")):
        done = embedded.credentials(*options, str(out))
        assert done.returncode == 2
        assert told in done.stderr
    assert kept.read_text() == "mine"
    assert listed(embedded, name) == []


def test_what_is_refused_leaves_no_file(embedded: System, name: str, tmp_path: Path) -> None:
    out = tmp_path / "x.creds"
    for account, more, code in (("nobody", (), 4), (ACCOUNT, ("--as", "jan@acme.example"), 4)):
        done = embedded.credentials(
            "create", "--account", account, "--name", name, "--may", "subscribe", "--out", str(out), *more
        )
        assert done.returncode == code, done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--may", "everything"), "--may: must be"),
        (("--may", "read", "--name", "A.b"), "--name: does not match"),
        (("--may", "read", "--as", "agent:x@"), "--as: "),
    ],
    ids=str,
)
def test_wrong_usage_is_told_by_the_option(embedded: System, options: tuple[str, ...], told: str) -> None:
    done = embedded.credentials("create", "--account", ACCOUNT, *options, "--json")
    (broken, *_) = ErrorReply.model_validate(json.loads(done.stderr)["error"]).fields
    assert (done.returncode, f"{broken.field}: {broken.message}".startswith(told)) == (2, True), broken


def test_the_secret_goes_where_it_was_asked_to_and_nowhere_else(
    embedded: System, name: str, create: Callable[..., Path]
) -> None:
    done = embedded.credentials("create", "--account", ACCOUNT, "--name", name, "--may", "read", "--out", "-")
    assert len(SECRET.findall(done.stdout)) == 1
    assert done.stderr == ""
    create("--may", "write", "--name", f"{name}2")
    for command in ("create", "list", "revoke"):
        options = {"create": ("--may", "read", "--name", f"{name}3", "--json"), "revoke": (name,)}.get(
            command, ()
        )
        said = embedded.credentials(command, "--account", ACCOUNT, *options)
        assert said.returncode == 0, said.stderr
        assert not SECRET.search(said.stdout + said.stderr)

    own = {embedded.data / "operator", embedded.data / "creds"}
    elsewhere = [path for path in embedded.data.rglob("*") if path.is_file() and path.parent not in own]
    assert len(elsewhere) > 5
    for path in (*elsewhere, embedded.printed):
        with contextlib.suppress(FileNotFoundError):  # the server writes beside a file, and renames
            assert not SECRET.search(path.read_text("latin-1")), path


def test_people_are_told_in_their_language(embedded: System, name: str, create: Callable[..., Path]) -> None:
    create()
    done = embedded.credentials("revoke", "--account", ACCOUNT, name, CASETRAIL_LANG="pl")
    assert f"{system_user(ACCOUNT, name)} jest rozłączony i nie może wrócić." in done.stdout
    page = embedded.credentials("list", "--account", ACCOUNT, CASETRAIL_LANG="pl").stdout
    assert re.search(rf"{name} .*subscribe +unieważnione", page)


def test_without_a_system_or_its_keys_nothing_is_issued(embedded: System, tmp_path: Path, name: str) -> None:
    options = ("create", "--account", ACCOUNT, "--name", name, "--may", "read", "--out", "-")
    nowhere = embedded.credentials(*options, **{DATA_VARIABLE: str(tmp_path)})
    assert (nowhere.returncode, nowhere.stdout) == (5, "")
    no_keys = embedded.credentials(*options, "--operator-keys", str(tmp_path))
    assert (no_keys.returncode, no_keys.stdout) == (2, "")
    assert "operator.nk is missing" in no_keys.stderr
    assert list(tmp_path.iterdir()) == []
    assert listed(embedded, name) == []


def test_keys_of_another_operator_cut_nobody_off(
    embedded: System, tmp_path: Path, name: str, create: Callable[..., Path]
) -> None:
    create()
    Operator.kept(tmp_path / "other")
    done = embedded.credentials(
        "revoke", "--account", ACCOUNT, name, "--operator-keys", str(tmp_path / "other")
    )
    assert done.returncode == 5
    assert "Authorization Violation" in done.stderr
    assert embedded.credentials("revoke", "--account", ACCOUNT, name).returncode == 4  # and now it is cut off
