"""Issuing, listing and revoking the credentials of other systems from the command line.

A way in is put on record before its secret leaves this process, and its end before it is cut off, so that
nothing lives on NATS that the access log does not know.
"""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from contracts.access import requests
from contracts.access.roles import SystemMay
from contracts.access.systems import SystemName, system_user
from contracts.client import Refused, call
from contracts.errors import ErrorKind
from contracts.requests import Sent, SentActor
from contracts.subjects import inbox_prefix
from contracts.text import AccountId, CommandId
from services.cli import arguments
from services.cli.connect import CONNECT_WITHIN_S, connected, settings
from services.cli.credentials_output import show_credentials, show_done
from services.cli.failures import checked, failed, malformed, run
from services.cli.output import print_json
from services.cli.words import say
from services.credentials.creds import Creds
from services.credentials.operator import Operator, TrustInvalid
from services.credentials.permissions import system
from services.credentials.push import NotTaken, push_account
from services.embedded.running import find_running

TIMEOUT_S: Final = 6.0
_STANDARD_OUTPUT: Final = "-"
_PAGE: Final = 200


class _OfAccount(Sent):
    """The options that are checked; their names are those of the options."""

    account: AccountId
    actor: SentActor


class _OfSystem(_OfAccount):
    name: SystemName


class _Create(_OfSystem):
    may: tuple[SystemMay, ...]


class _Revoke(_OfSystem):
    command_id: CommandId


def create(
    *,
    account: str,
    name: str,
    may: list[str],
    actor: str | None,
    out: str | None,
    keys: Path | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        wanted = checked(
            _Create, account=account, name=name, may=tuple(dict.fromkeys(may)), actor=arguments.asker(actor)
        )
        operator = _operator(keys)
        user = system_user(wanted.account, wanted.name)
        creds = operator.issue(user, system(wanted.account, wanted.name, wanted.may))
        command = requests.CreateCredential(
            command_id=str(uuid.uuid4()),
            account=wanted.account,
            actor=wanted.actor,
            name=wanted.name,
            public_key=creds.public_key,
            may=wanted.may,
        )
        async with connected() as nc:
            with _reserved(out if out is not None else f"{user}.creds") as file:
                recorded = await call(
                    nc, requests.CREATE_CREDENTIAL, command, requests.CredentialRecorded, timeout_s=TIMEOUT_S
                )
                if file is not None:
                    creds.write(file)
            _tell_created(recorded, creds, file, as_json=as_json)

    run(work(), as_json=as_json)


def revoke(
    *, account: str, name: str, actor: str | None, keys: Path | None, command_id: str | None, as_json: bool
) -> None:
    """Raises typer.Exit."""
    command_id = command_id or str(uuid.uuid4())

    async def work() -> None:
        wanted = checked(
            _Revoke, account=account, name=name, actor=arguments.asker(actor), command_id=command_id
        )
        operator = _operator(keys)
        command = requests.RevokeCredential(
            command_id=wanted.command_id, account=wanted.account, actor=wanted.actor, name=wanted.name
        )
        async with connected() as nc:
            try:
                recorded = await call(
                    nc, requests.REVOKE_CREDENTIAL, command, requests.CredentialRecorded, timeout_s=TIMEOUT_S
                )
            except Refused:
                # It may have been put on record by a command that was interrupted right after.
                await _cut_off(operator, await _revoked(nc, wanted))
                raise
            await _cut_off(operator, [recorded.public_key])
        if as_json:
            print_json(recorded, {"name": wanted.name, "command_id": command_id})
        else:
            made = say("made", revision=recorded.revision, position=recorded.position, command_id=command_id)
            show_done(say("credentials_revoked", user=recorded.user), made)

    run(work(), as_json=as_json, command_id=command_id)


def list_credentials(*, account: str, actor: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        wanted = checked(_OfAccount, account=account, actor=arguments.asker(actor))
        async with connected() as nc:
            credentials = await _credentials(nc, wanted)
        if as_json:
            listed = [each.model_dump(mode="json", exclude_none=True) for each in credentials]
            print_json({"account": wanted.account, "credentials": listed})
        else:
            show_credentials(credentials)

    run(work(), as_json=as_json)


async def _credentials(nc: Client, wanted: _OfAccount) -> list[requests.Credential]:
    """All of the account's. Raises RequestFailed."""
    found: list[requests.Credential] = []
    after: int | None = None
    while True:
        query = requests.ListCredentials(account=wanted.account, actor=wanted.actor, limit=_PAGE, after=after)
        page = await call(nc, requests.LIST_CREDENTIALS, query, requests.CredentialPage, timeout_s=TIMEOUT_S)
        found += page.credentials
        if page.next_after is None:
            return found
        after = page.next_after


async def _revoked(nc: Client, wanted: _OfSystem) -> list[str]:
    """The keys of that name that are revoked on record; none when the actor may not know."""
    with contextlib.suppress(Refused):
        credentials = await _credentials(nc, wanted)
        return [
            each.public_key
            for each in credentials
            if each.name == wanted.name and each.revoked_at is not None
        ]
    return []


async def _cut_off(operator: Operator, public_keys: list[str]) -> None:
    """Raises Failure: it is kept for the next start of NATS, but the one that runs did not take it."""
    account = ""
    for key in public_keys:
        account = operator.revoke(key)
    if not account:
        return
    try:
        await push_account(operator, account, settings(), wait_s=CONNECT_WITHIN_S)
    except NotTaken as error:
        raise failed(ErrorKind.UNAVAILABLE, 503, "credentials_not_cut_off", reason=str(error)) from None


def _operator(keys: Path | None) -> Operator:
    """Raises Failure."""
    if keys is None:
        running = find_running()
        if running is None:
            raise failed(ErrorKind.UNAVAILABLE, 503, "no_operator_keys")
        keys = Path(running.operator)
    try:
        return Operator(keys)
    except (TrustInvalid, OSError) as error:
        raise failed(ErrorKind.MALFORMED, 400, "operator_keys_invalid", reason=str(error)) from None


@contextlib.contextmanager
def _reserved(out: str) -> Iterator[Path | None]:
    """The file that is to hold the secret: there, empty and writable, or gone again; None: standard output.

    Raises Failure.
    """
    if out == _STANDARD_OUTPUT:
        yield None
        return
    path = Path(out)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise malformed("--out", "file_exists", file=out) from None
    except OSError as error:
        raise malformed("--out", "file_not_writable", file=out, reason=error.strerror or "") from None
    try:
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _tell_created(
    recorded: requests.CredentialRecorded, creds: Creds, file: Path | None, *, as_json: bool
) -> None:
    if as_json:
        where = {"creds": creds.text()} if file is None else {"file": str(file)}
        print_json(recorded, {"inbox_prefix": inbox_prefix(recorded.user), **where})
    elif file is None:
        sys.stdout.write(creds.text())
    else:
        hint = say("credentials_hint", inbox=inbox_prefix(recorded.user))
        show_done(say("credentials_created", user=recorded.user, file=file), hint)
