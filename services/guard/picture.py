"""Who may do what, in memory: the picture that the access log makes, and decisions on it. Pure.

A decision is two or three look-ups in dictionaries. Kept is only what decisions need: no address, no name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, assert_never

from contracts.access import roles
from contracts.access.roles import MemberRole, Permission, Permissions, PlatformRole, SystemMay
from contracts.access.systems import system_user
from contracts.envelope import Actor, ActorKind
from services.runtime.errors import Forbidden, NotFound

# By the words that stand in events: a word that this version does not know gives nothing.
_MEMBERS: Final[Mapping[str, Permissions]] = {role.value: roles.of_member(role) for role in MemberRole}
_PLATFORM: Final[Mapping[str, Permissions]] = {
    role.value: roles.of_platform((role,)) for role in PlatformRole
}
_SYSTEMS: Final[Mapping[str, Permissions]] = {may.value: roles.of_system((may,)) for may in SystemMay}


class EventUnknown(Exception):
    """An event of a kind that this version does not know: what it takes or gives cannot be told."""


class ActorMissing(Forbidden):
    """Nobody says who asks."""

    def __init__(self) -> None:
        super().__init__("actor_missing")


class NotPermitted(Forbidden):
    """The actor may not do this here, and may know that there is such an account."""

    def __init__(self, permission: Permission) -> None:
        super().__init__("not_permitted", {"permission": permission.value})


class AccountMissing(Forbidden):
    """Asked for all accounts by somebody who has to name one."""

    def __init__(self) -> None:
        super().__init__("account_missing")


class AccountUnknown(NotFound):
    """There is no such account, or the actor has nothing to do with it: the same to whoever asks."""

    def __init__(self, account: str) -> None:
        super().__init__("account_not_found", {"account": account})


class _Credential(NamedTuple):
    account: str
    public_key: str
    permissions: Permissions


class Picture:
    """Members of accounts, people with roles for the platform, credentials of systems."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, Permissions]] = {}  # every account there is, though it be empty
        self._platform: dict[str, frozenset[str]] = {}
        self._systems: dict[str, _Credential] = {}

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take in the next event of the log, a CloudEvents document.

        Raises:
            EventUnknown: its type is none of this version's. The picture must not be used any further.
            KeyError, TypeError: it is not an event of access.
        """
        tag, data, account = event["type"], event["data"], event["account"]
        match tag:
            case "casetrail.member.joined.v1" | "casetrail.member.changed.v1":
                self._members[account][data["person"]] = _MEMBERS.get(data["role"], roles.NOTHING)
            case "casetrail.member.removed.v1":
                self._members[account].pop(data["person"], None)
            case "casetrail.account.registered.v1":
                self._members.setdefault(account, {})
            case "casetrail.credential.created.v1":
                permissions = roles.NOTHING.union(*(_SYSTEMS.get(may, roles.NOTHING) for may in data["may"]))
                credential = _Credential(account, data["public_key"], permissions)
                self._systems[system_user(account, data["name"])] = credential
            case "casetrail.credential.revoked.v1":
                user = system_user(account, data["name"])
                if user in self._systems and self._systems[user].public_key == data["public_key"]:
                    del self._systems[user]
            case "casetrail.person.appointed.v1":
                person = event["subject"]
                self._platform[person] = self._platform.get(person, frozenset()) | {data["role"]}
            case "casetrail.person.dismissed.v1":
                person = event["subject"]
                self._platform[person] = self._platform.get(person, frozenset()) - {data["role"]}
            case (
                "casetrail.account.changed.v1"
                | "casetrail.member.invited.v1"
                | "casetrail.invitation.withdrawn.v1"
                | "casetrail.person.registered.v1"
                | "casetrail.person.changed.v1"
                | "casetrail.person.linked.v1"
            ):
                pass  # gives nobody anything
            case _:
                raise EventUnknown(str(tag))

    def check(self, actor: Actor | None, account: str | None, permission: Permission) -> None:
        """Returns if the actor may; `account` None: in all accounts.

        What is refused to somebody without any standing in an account does not depend on whether it exists.

        Raises:
            ActorMissing, NotPermitted, AccountMissing, AccountUnknown: see there.
        """
        if actor is None:
            raise ActorMissing
        match actor.kind:
            case ActorKind.AGENT:
                granted = self._of_platform(actor.id)
            case ActorKind.MEMBER:
                granted = self._of_account(account, self._member(account, actor.id))
            case ActorKind.SYSTEM if actor.id in roles.OWN_SYSTEMS:
                granted = roles.OWN_SYSTEMS[actor.id]
            case ActorKind.SYSTEM:
                granted = self._of_account(account, self._system(account, actor.id))
            case _:
                assert_never(actor.kind)
        if permission not in granted:
            raise NotPermitted(permission)
        if account is not None and account not in self._members:
            raise AccountUnknown(account)

    def knows(self, account: str) -> bool:
        """Whether the account was ever registered."""
        return account in self._members

    def _of_platform(self, person: str) -> Permissions:
        return roles.NOTHING.union(
            *(_PLATFORM.get(role, roles.NOTHING) for role in self._platform.get(person, ()))
        )

    def _member(self, account: str | None, person: str) -> Permissions | None:
        members = None if account is None else self._members.get(account)
        return None if members is None else members.get(person)

    def _system(self, account: str | None, user: str) -> Permissions | None:
        credential = self._systems.get(user)
        return None if credential is None or credential.account != account else credential.permissions

    def _of_account(self, account: str | None, granted: Permissions | None) -> Permissions:
        if account is None:
            raise AccountMissing
        if granted is None:
            raise AccountUnknown(account)
        return granted
