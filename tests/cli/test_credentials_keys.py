"""`casetrail credentials init`, `rotate`, `retire` and `push`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from services.credentials.creds import Creds
from services.credentials.permissions import USERS
from tests.cli.conftest import Casetrail, System


def everything(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_files_are_made_once_for_nobody_else_to_read(nowhere: Casetrail, tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    done = nowhere("credentials", "init", "--dir", str(directory), "--json").object
    assert done["files"] == dict.fromkeys(
        ["operator", *(f"creds/{user}.creds" for user in USERS), "keys/link.key", "keys/session.key"], "made"
    )
    before = everything(directory)
    assert {os.path.relpath(path, directory) for path in before} >= {"auth.conf", "operator/operator.nk"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in directory.rglob("*"))
    again = nowhere("credentials", "init", "--dir", str(directory))
    assert again.code == 0
    assert not any(line.startswith("made") for line in again.out.splitlines())
    after = everything(directory)
    auth = str(
        directory / "auth.conf"
    )  # what a server is told is written anew: the operator's JWT has a time
    assert {k: v for k, v in after.items() if k != auth} == {k: v for k, v in before.items() if k != auth}


def test_secrets_go_to_standard_output_and_words_do_not(nowhere: Casetrail, tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    arguments = ("credentials", "init", "--dir", str(directory), "--kubernetes", "--namespace", "support")
    done = nowhere(*arguments)
    found = {each["metadata"]["name"]: each for each in yaml.safe_load_all(done.out)}
    wanted = {
        *(f"casetrail-nats-{user}" for user in USERS),
        "casetrail-link-key",
        "casetrail-session-key",
        "casetrail-nats-auth",
    }
    assert found.keys() == wanted
    for each in found.values():
        assert (each["apiVersion"], each["kind"]) == ("v1", "Secret")
        assert each["metadata"]["namespace"] == "support"
    for user in USERS:
        content = found[f"casetrail-nats-{user}"]["stringData"]["user.creds"]
        assert content == (directory / "creds" / f"{user}.creds").read_text()
    keys = {name: found[f"casetrail-{name}-key"]["stringData"][f"{name}.key"] for name in ("link", "session")}
    assert all(len(key.strip()) >= 32 for key in keys.values())
    assert keys["link"] != keys["session"]
    assert "operator: " in found["casetrail-nats-auth"]["stringData"]["auth.conf"]
    seeds = [path.read_text().strip() for path in (directory / "operator").glob("*.nk")]
    assert not any(seed in done.out for seed in seeds)
    assert "made" in done.err
    assert list(yaml.safe_load_all(nowhere(*arguments).out)) != []


def test_after_an_upgrade_it_tells_whose_permissions_changed(
    nowhere: Casetrail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "keys"
    nowhere("credentials", "init", "--dir", str(directory))
    monkeypatch.setitem(USERS, "notify", USERS["tickets"])
    done = nowhere("credentials", "init", "--dir", str(directory))
    assert "casetrail credentials rotate notify" in done.out
    assert nowhere("credentials", "rotate", "notify", "--dir", str(directory)).code == 0
    assert "rotate" not in nowhere("credentials", "init", "--dir", str(directory)).out


def test_a_running_service_is_given_new_credentials(system: System) -> None:
    """The system's own directory is found by itself."""
    path = system.data / "creds" / "notify.creds"
    before = Creds.read(path, "notify").public_key
    rotated = system.casetrail("credentials", "rotate", "notify", "--json").object
    assert rotated["rotated"] == ["notify"]
    assert Creds.read(path, "notify").public_key != before
    assert system.casetrail("credentials", "retire", "notify", "--json").object == {"retired": {"notify": 1}}
    assert system.casetrail("credentials", "retire", "notify", "--json").object == {"retired": {"notify": 0}}
    assert system.casetrail("credentials", "push").code == 0
    assert system.casetrail("mail", "list").code == 0  # notify answers


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rotate", "tickets"), "--dir"),
        (("rotate", "--dir", "{dir}"), "name at least one"),
        (("rotate", "nobody", "--dir", "{dir}"), "no user nobody"),
        (("rotate", "--signing-key", "SYS", "--dir", "{dir}"), "SERVICES or OUTSIDE"),
        (("rotate", "tickets", "--signing-key", "SERVICES", "--dir", "{dir}"), "name none"),
        (("retire", "tickets", "--dir", "{dir}/missing"), "is missing"),
    ],
)
def test_wrong_usage_is_told(
    nowhere: Casetrail, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    nowhere("credentials", "init", "--dir", str(tmp_path / "keys"))
    done = nowhere("credentials", *(each.format(dir=tmp_path / "keys") for each in arguments))
    assert done.code == 2
    assert said in done.err
