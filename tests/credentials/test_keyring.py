"""The keys of a deployment: made once, kept, replaced without an interruption, and ended."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import pytest

from services.credentials.creds import Creds, creds_file
from services.credentials.keyring import Found, Keyring
from services.credentials.operator import TrustInvalid
from services.credentials.permissions import USERS, Permissions, Zone
from services.credentials.push import push_account
from services.embedded.nats_server import NatsServer
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings, load
from tests.credentials.let_in import is_let_in, until

INSIDE = Permissions(zone=Zone.SERVICES, publish=("a.b",), subscribe=("_INBOX.worker.>",))
OTHER = Permissions(zone=Zone.SERVICES, publish=("a.c",), subscribe=("_INBOX.worker.>",))


def everything(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_what_is_there_is_kept_and_what_is_missing_made(tmp_path: Path) -> None:
    _, found = Keyring.init(tmp_path / "d", USERS)
    assert set(found.values()) == {Found.MADE}
    assert {name for name in found if name != "operator"} == {f"creds/{user}.creds" for user in USERS}
    before = everything(tmp_path / "d")
    assert set(Keyring.init(tmp_path / "d", USERS)[1].values()) == {Found.KEPT}
    assert everything(tmp_path / "d") == before
    (tmp_path / "d" / "creds" / "tickets.creds").unlink()
    _, found = Keyring.init(tmp_path / "d", USERS)
    assert [name for name, state in found.items() if state is Found.MADE] == ["creds/tickets.creds"]
    for path in (tmp_path / "d").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_who_may_something_else_now_is_told_of_and_not_replaced(tmp_path: Path) -> None:
    keyring, _ = Keyring.init(tmp_path / "d", {"worker": INSIDE})
    before = creds_file(keyring.creds, "worker").read_text()
    assert Keyring.init(tmp_path / "d", {"worker": OTHER})[1]["creds/worker.creds"] is Found.OUTDATED
    assert creds_file(keyring.creds, "worker").read_text() == before
    keyring.rotate("worker", OTHER)
    assert Keyring.init(tmp_path / "d", {"worker": OTHER})[1]["creds/worker.creds"] is Found.KEPT


def test_every_key_that_was_replaced_is_on_the_list_until_it_is_forgotten(tmp_path: Path) -> None:
    keyring, _ = Keyring.init(tmp_path / "d", {"worker": INSIDE})
    first = Creds.read(creds_file(keyring.creds, "worker"), "worker").public_key
    second = keyring.rotate("worker", INSIDE).public_key
    third = keyring.rotate("worker", INSIDE).public_key
    again = Keyring.read(tmp_path / "d")
    assert again.to_retire("worker") == [first, second]
    token = again.retire("worker", Zone.SERVICES)
    assert token == again.retire("worker", Zone.SERVICES)
    assert third not in (token or "")
    again.forget("worker")
    assert again.to_retire("worker") == []
    assert again.retire("worker", Zone.SERVICES) is None


def test_credentials_in_use_are_not_retired_because_a_rotation_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring, _ = Keyring.init(tmp_path / "d", {"worker": INSIDE})
    first = Creds.read(creds_file(keyring.creds, "worker"), "worker").public_key

    def full(*_: object) -> Creds:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(keyring.operator, "issue", full)
        with pytest.raises(OSError, match="No space"):
            keyring.rotate("worker", INSIDE)
    assert keyring.to_retire("worker") == []
    assert keyring.retire("worker", Zone.SERVICES) is None
    keyring.rotate("worker", INSIDE)
    assert set(keyring.to_retire("worker")) == {first}


def test_a_directory_without_keys_is_no_keyring(tmp_path: Path) -> None:
    with pytest.raises(TrustInvalid, match="missing"):
        Keyring.read(tmp_path)


async def test_a_connection_that_is_cut_off_comes_back_with_the_new_credentials(tmp_path: Path) -> None:
    keyring, _ = Keyring.init(tmp_path / "d", {"worker": INSIDE})
    path = creds_file(keyring.creds, "worker")
    server = await NatsServer.start(tmp_path / "nats", trust=keyring.operator.trust)
    settings = load(RuntimeSettings, nats_url=server.url, nats_creds=path)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        nc = await connect(settings, user="worker")
        stack.push_async_callback(nc.close)
        old = tmp_path / "old.creds"
        old.write_text(path.read_text())
        keyring.rotate("worker", INSIDE)
        for creds in (old, path):  # both work
            assert await is_let_in(server.url, "worker", creds)
        assert nc.stats["reconnects"] == 0
        await push_account(
            keyring.operator, keyring.retire("worker", Zone.SERVICES) or "", settings, wait_s=5
        )
        await until(lambda: nc.stats["reconnects"] == 1 and nc.is_connected)
        assert not await is_let_in(server.url, "worker", old)
        assert await is_let_in(server.url, "worker", path)


async def test_a_signing_key_is_replaced_and_what_it_signed_ends_with_it(tmp_path: Path) -> None:
    keyring, _ = Keyring.init(tmp_path / "d", {"worker": INSIDE})
    operator, path = keyring.operator, creds_file(keyring.creds, "worker")
    server = await NatsServer.start(tmp_path / "nats", trust=operator.trust)
    settings = load(RuntimeSettings, nats_url=server.url, nats_creds=path)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        nc = await connect(settings, user="worker")
        stack.push_async_callback(nc.close)
        old = tmp_path / "old.creds"
        old.write_text(path.read_text())
        pair, token = operator.announce_signing_key(Zone.SERVICES)
        keyring.rotate("worker", INSIDE)  # before any server knows the new key: signed by the old one
        assert await is_let_in(server.url, "worker", path)
        await push_account(operator, token, settings, wait_s=5)
        operator.sign_with(Zone.SERVICES, pair)
        assert len(operator.signing_keys(Zone.SERVICES)) == 2
        keyring.rotate("worker", INSIDE)
        for creds in (old, path):
            assert await is_let_in(server.url, "worker", creds)
        assert Keyring.read(tmp_path / "d").operator.says(path, "worker", INSIDE)
        await push_account(operator, operator.retire_signing_keys(Zone.SERVICES), settings, wait_s=5)
        await until(lambda: nc.stats["reconnects"] >= 1 and nc.is_connected)
        assert not await is_let_in(server.url, "worker", old)
        assert await is_let_in(server.url, "worker", path)
        assert len(Keyring.read(tmp_path / "d").operator.signing_keys(Zone.SERVICES)) == 1


def test_a_signing_key_survives_a_start_of_the_next_version(tmp_path: Path) -> None:
    """`kept` brings accounts up to date; a rotation that is under way goes on."""
    keyring, _ = Keyring.init(tmp_path / "d", {"worker": INSIDE})
    pair, _ = keyring.operator.announce_signing_key(Zone.SERVICES)
    keyring.operator.sign_with(Zone.SERVICES, pair)
    both = keyring.operator.signing_keys(Zone.SERVICES)
    again, _ = Keyring.init(tmp_path / "d", {"worker": INSIDE})
    assert again.operator.signing_keys(Zone.SERVICES) == both
