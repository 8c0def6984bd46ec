"""The directory of the keys: made whole, kept, private, never repaired by guessing; no revocation is lost."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from services.credentials import jwt
from services.credentials.creds import Creds, CredsInvalid, creds_file
from services.credentials.nkeys import KeyKind, KeyPair
from services.credentials.operator import Operator, TrustInvalid
from services.credentials.permissions import USERS, Permissions, Zone

NARROW = Permissions(zone=Zone.OUTSIDE, publish=("a.b",), subscribe=("c.>",))
WIDE = Permissions(zone=Zone.OUTSIDE, publish=("a.>",), subscribe=("c.>",))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "operator"


@pytest.fixture
def operator(keys: Path) -> Operator:
    return Operator.kept(keys)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def account(keys: Path, zone: Zone) -> dict[str, Any]:
    """An account's content as it is kept, its signature verified."""
    pair = KeyPair.read(keys / "operator.nk", KeyKind.OPERATOR)
    content: dict[str, Any] = jwt.decode((keys / f"{zone}.jwt").read_text(), pair)
    return content


def test_keys_are_made_once_and_kept(keys: Path, operator: Operator) -> None:
    again = Operator.kept(keys)
    assert again.trust.accounts == operator.trust.accounts
    assert [again.account_key(zone) for zone in Zone] == [operator.account_key(zone) for zone in Zone]
    assert Operator.kept(keys.with_name("other")).trust.system_account != operator.trust.system_account


def test_only_the_owner_reads_what_is_secret(keys: Path, operator: Operator, tmp_path: Path) -> None:
    operator.keep_creds(tmp_path / "creds", USERS)
    assert mode(keys) == mode(tmp_path / "creds") == 0o700
    files = [*keys.iterdir(), *(tmp_path / "creds").iterdir()]
    assert len(files) == 8 + len(USERS)
    assert {mode(path) for path in files} == {0o600}
    assert list(tmp_path.glob("operator.*")) == []  # nothing is left of the making


def test_the_server_is_told_no_seed(keys: Path, operator: Operator) -> None:
    seeds = [path.read_text().strip() for path in keys.glob("*.nk")]
    assert len(seeds) == 4
    assert not any(seed in repr(operator.trust) for seed in seeds)
    creds = operator.issue("acme_sync", NARROW)
    assert creds.key.seed not in repr(creds)
    assert creds.jwt not in repr(creds)


@pytest.mark.parametrize("name", ["operator.nk", "OUTSIDE.nk", "OUTSIDE.jwt"])
@pytest.mark.parametrize("damage", [None, "", "SUNOSEED", "a.b.c"])
def test_damaged_keys_are_named_and_not_made_anew(
    keys: Path, operator: Operator, name: str, damage: str | None
) -> None:
    path = keys / name
    path.unlink() if damage is None else path.write_text(damage)
    with pytest.raises(TrustInvalid, match=name):
        Operator.kept(keys)
    assert (path.read_text() if path.exists() else None) == damage


def test_keys_of_another_operator_are_refused(keys: Path, operator: Operator) -> None:
    other = Operator.kept(keys.with_name("other"))
    assert other.account_key(Zone.SERVICES) != operator.account_key(Zone.SERVICES)
    shutil.copy(keys.with_name("other") / "SERVICES.jwt", keys / "SERVICES.jwt")
    with pytest.raises(TrustInvalid, match=r"SERVICES\.jwt: not signed by O"):
        Operator(keys)


def test_reading_makes_no_keys(keys: Path) -> None:
    with pytest.raises(TrustInvalid, match="is missing"):
        Operator(keys)
    assert not keys.exists()


def test_a_revocation_is_kept_and_makes_the_account_newer(keys: Path, operator: Operator) -> None:
    before = account(keys, Zone.OUTSIDE)
    creds = operator.issue("acme_sync", NARROW)
    token = operator.revoke(creds.public_key)
    after = account(keys, Zone.OUTSIDE)
    assert after["iat"] > before["iat"]
    issued = jwt.decode(creds.jwt, KeyPair.read(keys / "OUTSIDE.nk", KeyKind.ACCOUNT))["iat"]
    assert after["nats"]["revocations"][creds.public_key] >= issued
    assert operator.revoke(creds.public_key) == token  # nothing to add
    assert Operator.kept(keys).trust.accounts[operator.account_key(Zone.OUTSIDE)] == token


def _revoke(keys: Path, count: int) -> None:
    operator = Operator(keys)
    for _ in range(count):
        operator.revoke(KeyPair.new(KeyKind.USER).public)


def test_revocations_of_several_processes_are_all_kept(keys: Path, operator: Operator) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_revoke, args=(keys, 10)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(account(keys, Zone.OUTSIDE)["nats"]["revocations"]) == 30


def test_an_account_of_an_earlier_version_is_brought_up_to_date(keys: Path, operator: Operator) -> None:
    revoked = KeyPair.new(KeyKind.USER).public
    operator.revoke(revoked)
    earlier = account(keys, Zone.OUTSIDE)
    earlier["nats"]["imports"] = []
    pair = KeyPair.read(keys / "operator.nk", KeyKind.OPERATOR)
    (keys / "OUTSIDE.jwt").write_text(jwt.encode(earlier, pair, issued_at=earlier["iat"]))
    Operator.kept(keys)
    now = account(keys, Zone.OUTSIDE)
    assert now["nats"]["imports"] != []
    assert now["sub"] == earlier["sub"]
    assert now["iat"] > earlier["iat"]
    assert set(now["nats"]["revocations"]) == {revoked}


def test_credentials_are_kept_until_their_user_may_something_else(
    keys: Path, operator: Operator, tmp_path: Path
) -> None:
    path = creds_file(tmp_path / "creds", "cli")
    operator.keep_creds(path.parent, {"cli": WIDE})
    made = path.read_text()
    operator.keep_creds(path.parent, {"cli": WIDE})
    assert path.read_text() == made
    assert account(keys, Zone.OUTSIDE)["nats"]["revocations"] == {}

    operator.keep_creds(path.parent, {"cli": NARROW})
    assert path.read_text() != made
    (tmp_path / "earlier").write_text(made)
    revoked = Creds.read(tmp_path / "earlier", "cli").public_key
    assert set(account(keys, Zone.OUTSIDE)["nats"]["revocations"]) == {revoked}


def test_who_is_no_user_any_more_or_lives_elsewhere_is_revoked(
    keys: Path, operator: Operator, tmp_path: Path
) -> None:
    creds = tmp_path / "creds"
    inside = Permissions(zone=Zone.SERVICES, publish=("a.b",), subscribe=())
    operator.keep_creds(creds, {"gone": NARROW, "moved": inside, "stays": NARROW})
    before = {path.stem: Creds.read(path, path.stem).public_key for path in creds.iterdir()}
    operator.keep_creds(creds, {"moved": NARROW, "stays": NARROW})
    after = {path.stem: Creds.read(path, path.stem).public_key for path in creds.iterdir()}
    assert after.keys() == {"moved", "stays"}
    assert after["stays"] == before["stays"]
    assert set(account(keys, Zone.OUTSIDE)["nats"]["revocations"]) == {before["gone"]}
    assert set(account(keys, Zone.SERVICES)["nats"]["revocations"]) == {before["moved"]}


def test_files_of_others_are_left_alone(operator: Operator, tmp_path: Path) -> None:
    other = Operator.kept(tmp_path / "other").issue("guest", NARROW)
    (tmp_path / "creds").mkdir()
    other.write(creds_file(tmp_path / "creds", "guest"))
    operator.keep_creds(tmp_path / "creds", {"cli": NARROW})
    assert Creds.read(creds_file(tmp_path / "creds", "guest"), "guest").public_key == other.public_key


@pytest.mark.parametrize("content", ["", "-----BEGIN NATS USER JWT-----\n"])
def test_damaged_credentials_of_our_own_are_made_anew(
    operator: Operator, tmp_path: Path, content: str
) -> None:
    path = creds_file(tmp_path / "creds", "cli")
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(CredsInvalid, match=r"cli\.creds is not a NATS credentials file"):
        Creds.read(path, "cli")
    operator.keep_creds(path.parent, {"cli": NARROW})
    assert Creds.read(path, "cli").public_key.startswith("U")


def test_a_making_that_was_interrupted_leaves_nothing_behind(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            Operator.kept(keys)
    assert list(keys.parent.iterdir()) == []
    assert Operator.kept(keys).trust.accounts
