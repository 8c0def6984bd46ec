"""Writes the access log through its contract, for tests of services that decide by it.

It stands in for the access service: nothing is checked, each fact is on record as soon as it is said.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nats.aio.client import Client

from contracts import subjects
from contracts.access import events
from contracts.access.people import person_id
from contracts.access.roles import MemberRole, PlatformRole, SystemMay
from contracts.access.systems import system_user
from contracts.envelope import Envelope, Published, Via

Actor = dict[str, str]

_PUBLIC_KEY: Final = "U" + "A" * 55


def member(email: str) -> Actor:
    """The person as it acts in an account."""
    return {"kind": "member", "id": person_id(email)}


def agent(email: str) -> Actor:
    """The person as it acts for the platform."""
    return {"kind": "agent", "id": person_id(email)}


def system(account: str, name: str) -> Actor:
    """Another system, as it acts for itself."""
    return {"kind": "system", "id": system_user(account, name)}


Append = Callable[[str, bytes], Awaitable[int]]


def on_server(nc: Client) -> Append:
    """Into the stream, over a connection that may publish `events.access.>`."""

    async def append(subject: str, payload: bytes) -> int:
        return (await nc.jetstream().publish(subject, payload)).seq

    return append


class AccessLog:
    """Says what happened; each method returns the position of what it wrote last."""

    def __init__(self, append: Append) -> None:
        self._append_to_log = append
        self._revisions: Counter[str] = Counter()

    async def account(self, account: str, *, members: Iterable[str] = (), admins: Iterable[str] = ()) -> int:
        """Registers an account with these people, by address."""
        content = events.AccountContent(name=account)
        position = await self._append(
            account, events.AccountRegisteredV1, events.AccountProfile(content=content)
        )
        for email in members:
            position = await self.joined(account, email)
        for email in admins:
            position = await self.joined(account, email, MemberRole.ADMIN)
        return position

    async def invited(self, account: str, email: str, *, days: int = 7) -> str:
        """Invites somebody; returns the invitation's id."""
        invitation = str(uuid.uuid4())
        invited = events.Invited(
            invitation=invitation,
            person=person_id(email),
            role=MemberRole.MEMBER,
            expires_at=datetime.now(UTC) + timedelta(days=days),
            content=events.InvitedContent(email=email),
        )
        await self._append(account, events.MemberInvitedV1, invited)
        return invitation

    async def withdrawn(self, account: str, email: str, invitation: str) -> int:
        taken = events.Withdrawn(invitation=invitation, person=person_id(email))
        return await self._append(account, events.InvitationWithdrawnV1, taken)

    async def joined(self, account: str, email: str, role: MemberRole = MemberRole.MEMBER) -> int:
        """Makes somebody a member, who is registered, invited, and accepts."""
        await self._registered(email)
        person, invitation = person_id(email), str(uuid.uuid4())
        expires_at = datetime.now(UTC) + timedelta(days=7)
        content = events.InvitedContent(email=email)
        invited = events.Invited(
            invitation=invitation, person=person, role=role, expires_at=expires_at, content=content
        )
        await self._append(account, events.MemberInvitedV1, invited)
        joined = events.Joined(invitation=invitation, person=person, role=role)
        return await self._append(account, events.MemberJoinedV1, joined)

    async def changed(self, account: str, email: str, role: MemberRole) -> int:
        given = events.MemberRoleGiven(person=person_id(email), role=role)
        return await self._append(account, events.MemberChangedV1, given)

    async def removed(self, account: str, email: str) -> int:
        gone = events.MemberGone(person=person_id(email))
        return await self._append(account, events.MemberRemovedV1, gone)

    async def credential(
        self, account: str, name: str, *may: SystemMay, public_key: str = _PUBLIC_KEY
    ) -> int:
        created = events.CredentialCreated(name=name, public_key=public_key, may=may)
        return await self._append(account, events.CredentialCreatedV1, created)

    async def revoked(self, account: str, name: str, *, public_key: str = _PUBLIC_KEY) -> int:
        revoked = events.CredentialRevoked(name=name, public_key=public_key)
        return await self._append(account, events.CredentialRevokedV1, revoked)

    async def appointed(self, email: str, role: PlatformRole) -> int:
        await self._registered(email)
        given = events.PlatformRoleGiven(role=role)
        return await self._append(person_id(email), events.PersonAppointedV1, given)

    async def dismissed(self, email: str, role: PlatformRole) -> int:
        taken = events.PlatformRoleTaken(role=role)
        return await self._append(person_id(email), events.PersonDismissedV1, taken)

    async def says(self, email: str, **content: Any) -> int:
        """The person's name, language or wishes about mail."""
        said = events.PersonProfileContent.model_validate(content)
        return await self._append(
            person_id(email), events.PersonChangedV1, events.PersonProfile(content=said)
        )

    async def _registered(self, email: str) -> None:
        person = person_id(email)
        if not self._revisions[person]:
            content = events.PersonRegisteredContent(email=email)
            registered = events.PersonRegistered(content=content)
            await self._append(person, events.PersonRegisteredV1, registered)

    async def _append(self, subject: str, model: type[Envelope], data: Published) -> int:
        self._revisions[subject] += 1
        of_person = ".person." in str(model.model_fields["type"].default)
        event = model.model_validate(
            {
                "id": str(uuid.uuid4()),
                "source": "/casetrail/access",
                "subject": subject,
                "time": datetime.now(UTC),
                "account": events.PLATFORM if of_person else subject,
                "revision": self._revisions[subject],
                "actor": "system:cli",
                "via": Via.API,
                "commandid": f"test-{uuid.uuid4().hex}",
                "correlationid": "test",
                "data": data,
            }
        )
        where = subjects.person_events(subject) if of_person else subjects.account_events(subject)
        return await self._append_to_log(where, event.model_dump_json(exclude_none=True).encode())
