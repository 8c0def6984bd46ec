"""Makes the people of the demonstration known to the access service, as the operator's terminal would."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from nats.aio.client import Client

from contracts.access import requests
from contracts.access.people import person_id
from contracts.access.roles import MemberRole, PlatformRole
from contracts.client import RequestFailed, call
from contracts.envelope import ActorKind
from contracts.requests import SentActor
from services.embedded.demo import ACCOUNTS, PEOPLE, DemoAccount, DemoPerson
from services.runtime import logs
from services.runtime.connection import BrokerUnavailable, connect
from services.runtime.settings import RuntimeSettings, SettingsInvalid, load

_TERMINAL: Final = SentActor(kind=ActorKind.SYSTEM, id=requests.TERMINAL)


async def introduce(nc: Client) -> None:
    """Register the accounts, their members, and who works for the platform.

    May be repeated: what was done before is not done again, not even to somebody who was removed since.
    `nc` is a connection of the user `cli`.

    Raises:
        RequestFailed: the access service refused, or does not answer.
    """
    for account in ACCOUNTS:
        await _register(nc, account)
    for person in PEOPLE:
        if person.account is not None and isinstance(person.role, MemberRole):
            await _join(nc, person, person.account, person.role)
        elif isinstance(person.role, PlatformRole):
            await _appoint(nc, person, person.role)


def main() -> int:
    """Introduce them to the system that the environment names; returns the exit code: 0, 2 or 5."""
    try:
        settings = load(RuntimeSettings)
        logs.configure(settings.log_format, "warning", requests.TERMINAL)
        asyncio.run(_introduce(settings))
    except SettingsInvalid as invalid:
        sys.stderr.write(f"{invalid}\n")
        return 2
    except (BrokerUnavailable, RequestFailed) as error:
        sys.stderr.write(f"the people of the demonstration are not all known: {error}\n")
        return 5
    return 0


async def _introduce(settings: RuntimeSettings) -> None:
    nc = await connect(settings, user=requests.TERMINAL)
    try:
        await introduce(nc)
    finally:
        await nc.close()


async def _register(nc: Client, account: DemoAccount) -> None:
    command = requests.RegisterAccount(
        command_id=f"demo.register.{account.id}",
        account=account.id,
        actor=_TERMINAL,
        name=account.name,
        languages=account.languages,
    )
    await call(nc, requests.REGISTER, command, requests.AccountDone)


async def _join(nc: Client, person: DemoPerson, account: str, role: MemberRole) -> None:
    who = person_id(person.email)
    invite = requests.InviteMember(
        command_id=f"demo.invite.{who}",
        account=account,
        actor=_TERMINAL,
        email=person.email,
        role=role,
    )
    invitation = await call(nc, requests.INVITE, invite, requests.InvitationSent)
    accept = requests.AcceptInvitation(
        command_id=f"demo.accept.{who}",
        actor=SentActor(kind=ActorKind.MEMBER, id=who),
        token=invitation.token,
        display_name=person.name,
        language=person.language,
    )
    await call(nc, requests.ACCEPT, accept, requests.MemberJoined)


async def _appoint(nc: Client, person: DemoPerson, role: PlatformRole) -> None:
    command = requests.AppointPerson(
        command_id=f"demo.appoint.{person_id(person.email)}",
        actor=_TERMINAL,
        email=person.email,
        role=role,
        display_name=person.name,
        language=person.language,
    )
    await call(nc, requests.APPOINT, command, requests.PersonDone)


if __name__ == "__main__":
    sys.exit(main())
