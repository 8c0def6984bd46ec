"""Making and replacing the credentials of Casetrail's own services from the command line.

Only `retire`, `push` and the rotation of a signing key need a NATS server that runs. Every step may be
repeated after an interruption.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from contracts.errors import ErrorKind
from services.cli.connect import CONNECT_WITHIN_S, settings, silence
from services.cli.failures import Failure, failed, malformed, run
from services.cli.output import print_json
from services.cli.words import say
from services.credentials import kubernetes as secrets
from services.credentials.creds import CredsInvalid, creds_file
from services.credentials.keyring import Found, Keyring
from services.credentials.operator import TrustInvalid
from services.credentials.permissions import USERS, Zone
from services.credentials.push import NotTaken, push_account
from services.embedded.key_files import key_file
from services.embedded.running import find_running

_RANDOM_KEYS: Final = ("link", "session")
_ZONES: Final = (Zone.SERVICES, Zone.OUTSIDE)


def init(
    directory: Path, *, kubernetes: bool, namespace: str | None, accounts_directory: str, as_json: bool
) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        try:
            keyring, found = Keyring.init(directory, USERS)
            for key in _RANDOM_KEYS:
                path = directory / "keys" / f"{key}.key"
                found[f"keys/{path.name}"] = Found.KEPT if path.exists() else Found.MADE
                key_file(path.parent, key)
            configuration = keyring.write_server_configuration(accounts_directory=accounts_directory)
        except (TrustInvalid, OSError) as error:
            raise _invalid(error) from None
        outdated = [Path(name).stem for name, state in found.items() if state is Found.OUTDATED]
        if kubernetes:
            made = [
                *(_user_secret(keyring, user, namespace) for user in USERS),
                *(_key_secret(directory, key, namespace) for key in _RANDOM_KEYS),
                secrets.server_secret(configuration.read_text(encoding="ascii"), namespace=namespace),
            ]
            sys.stdout.write(secrets.as_yaml(made))
        if as_json and not kubernetes:
            files = {name: state.value for name, state in found.items()}
            print_json({"directory": str(directory), "files": files, "outdated": outdated})
            return
        out = sys.stderr if kubernetes else sys.stdout  # the Secrets go to `kubectl`
        for name, state in found.items():
            out.write(f"{say(f'keys_{state.value}'):<10}{directory / name}\n")
        out.write(f"{say('keys_written'):<10}{configuration}\n")
        if outdated:
            out.write(say("keys_to_rotate", users=" ".join(outdated)) + "\n")
        out.write(say("keys_hint", operator=directory / "operator") + "\n")

    run(work(), as_json=as_json)


def rotate(
    users: Sequence[str],
    *,
    signing_key: str | None,
    directory: Path | None,
    kubernetes: bool,
    namespace: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        keyring, zone = _keyring(directory), _zone(signing_key)
        wanted = _users(users, zone)
        try:
            if zone is not None:
                pair, token = keyring.operator.announce_signing_key(zone)
                await _push(keyring, token)  # a key that no server knows would sign what none takes
                keyring.operator.sign_with(zone, pair)
            for user in wanted:
                keyring.rotate(user, USERS[user])
        except (TrustInvalid, CredsInvalid, OSError) as error:
            raise _invalid(error) from None
        if kubernetes:
            sys.stdout.write(secrets.as_yaml(_user_secret(keyring, user, namespace) for user in wanted))
        elif as_json:
            print_json({"rotated": list(wanted), "directory": str(keyring.creds)})
        else:
            for user in wanted:
                sys.stdout.write(say("keys_rotated", user=user, file=creds_file(keyring.creds, user)) + "\n")
        if not as_json:
            what = f"--signing-key {zone}" if zone is not None else " ".join(wanted)
            (sys.stderr if kubernetes else sys.stdout).write(say("keys_then_retire", what=what) + "\n")

    run(work(), as_json=as_json)


def retire(users: Sequence[str], *, signing_key: str | None, directory: Path | None, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        keyring, zone = _keyring(directory), _zone(signing_key)
        retired: dict[str, int] = {}
        try:
            for user in _users(users, zone):
                count = len(keyring.to_retire(user))
                if (token := keyring.retire(user, USERS[user].zone)) is not None:
                    await _push(keyring, token)
                    keyring.forget(user)
                retired[user] = count
            if zone is not None:
                await _push(keyring, keyring.operator.retire_signing_keys(zone))
        except (TrustInvalid, CredsInvalid, OSError) as error:
            raise _invalid(error) from None
        if as_json:
            print_json({"retired": retired})
            return
        for user, count in retired.items():
            sys.stdout.write(
                say("keys_retired" if count else "keys_none_to_retire", user=user, n=count) + "\n"
            )
        if zone is not None:
            sys.stdout.write(say("keys_signing_retired", zone=zone) + "\n")

    run(work(), as_json=as_json)


def push(*, directory: Path | None, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        keyring = _keyring(directory)
        accounts = keyring.operator.trust.accounts
        for zone in _ZONES:
            await _push(keyring, accounts[keyring.operator.account_key(zone)])
        if as_json:
            print_json({"pushed": [zone.value for zone in _ZONES]})
        else:
            sys.stdout.write(say("keys_pushed") + "\n")

    run(work(), as_json=as_json)


async def _push(keyring: Keyring, token: str) -> None:
    """Raises Failure, BrokerUnavailable."""
    silence()
    try:
        await push_account(keyring.operator, token, settings(), wait_s=CONNECT_WITHIN_S)
    except NotTaken as error:
        raise failed(ErrorKind.UNAVAILABLE, 503, "keys_not_taken", reason=str(error)) from None


def _keyring(directory: Path | None) -> Keyring:
    """Raises Failure."""
    if directory is None:
        running = find_running()
        if running is None:
            raise failed(ErrorKind.MALFORMED, 400, "keys_where")
        directory = Path(running.operator).parent
    try:
        return Keyring.read(directory)
    except (TrustInvalid, OSError) as error:
        raise _invalid(error) from None


def _zone(typed: str | None) -> Zone | None:
    """Raises Failure."""
    if typed is None:
        return None
    for zone in _ZONES:
        if typed.upper() == zone.value:
            return zone
    raise malformed("--signing-key", "keys_zone")


def _users(typed: Sequence[str], zone: Zone | None) -> Sequence[str]:
    """Raises Failure."""
    if zone is not None:
        if typed:
            raise malformed("--signing-key", "keys_or_users")
        return [user for user, permissions in USERS.items() if permissions.zone is zone]
    if not typed:
        raise malformed("USER", "keys_no_user", users=", ".join(USERS))
    for user in typed:
        if user not in USERS:
            raise malformed("USER", "keys_unknown_user", user=user, users=", ".join(USERS))
    return list(dict.fromkeys(typed))


def _user_secret(keyring: Keyring, user: str, namespace: str | None) -> dict[str, Any]:
    content = creds_file(keyring.creds, user).read_text(encoding="ascii")
    return secrets.user_secret(user, content, namespace=namespace)


def _key_secret(directory: Path, key: str, namespace: str | None) -> dict[str, Any]:
    content = (directory / "keys" / f"{key}.key").read_text(encoding="ascii")
    return secrets.key_secret(key, content, namespace=namespace)


def _invalid(error: Exception) -> Failure:
    return failed(ErrorKind.MALFORMED, 400, "operator_keys_invalid", reason=str(error))
