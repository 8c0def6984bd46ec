"""The rules of an account: its facts, its state, and what may happen to it.

    decide(command, account) -> facts       what a command does, or a Refusal; () if it was done before
    evolve(account, fact) -> account        what a fact changes

An account is registered once. People are invited, join by their invitation, change roles and are removed;
an account that has an administrator never loses its last one. Ids and times come with the commands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, TypeVar, assert_never

from services.access.domain import (
    AccountId,
    Actor,
    Capacity,
    Command,
    CommandId,
    CommandIdReused,
    Done,
    Fact,
    PersonId,
    Refusal,
)

InvitationId = NewType("InvitationId", str)

_RESERVED: Final = re.compile(r"platform|p[a-z2-7]{15}")
"""What stands where an account's id would, in events of people; and what looks like the id of a person."""

MAX_REVISION: Final = 5_000
"""An account of this many events takes nobody new: what reads a whole account stays bounded."""

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class Role(StrEnum):
    """What somebody is in an account."""

    MEMBER = "member"
    ADMIN = "admin"


class May(StrEnum):
    """What a credential was created for."""

    SUBSCRIBE = "subscribe"
    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Identifier:
    """Something by which others know the account."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What there is to know of an account."""

    name: str
    languages: tuple[str, ...] = ()
    identifiers: tuple[Identifier, ...] = ()


# Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered(Fact):
    """The account was registered."""

    account: AccountId
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Fact):
    """What there is to know of it was changed."""

    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited(Fact):
    """Somebody was invited; an open invitation of the same person is void."""

    invitation: InvitationId
    person: PersonId
    email: str
    role: Role
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn(Fact):
    """An invitation was taken back."""

    invitation: InvitationId
    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Fact):
    """An invitation was accepted."""

    invitation: InvitationId
    person: PersonId
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChanged(Fact):
    """A member was given another role."""

    person: PersonId
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed(Fact):
    """A member was removed."""

    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialCreated(Fact):
    """A system was given a way in."""

    name: str
    public_key: str
    may: tuple[May, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRevoked(Fact):
    """A system's way in was closed."""

    name: str
    public_key: str


AccountFact = (
    Registered
    | Changed
    | Invited
    | Withdrawn
    | Joined
    | RoleChanged
    | Removed
    | CredentialCreated
    | CredentialRevoked
)


# Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Register(Command):
    """Register the account of this id."""

    account: AccountId
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Command):
    """Change what there is to know of it."""

    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite(Command):
    """Invite somebody. `person` follows from `email`."""

    invitation: InvitationId
    person: PersonId
    email: str
    role: Role
    valid_for: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(Command):
    """Take an invitation back."""

    invitation: InvitationId


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(Command):
    """Accept an invitation, as the person that acts."""

    invitation: InvitationId


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRole(Command):
    """Give a member another role."""

    person: PersonId
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove(Command):
    """Remove a member."""

    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCredential(Command):
    """Give a system a way in."""

    name: str
    public_key: str
    may: tuple[May, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeCredential(Command):
    """Close a system's way in."""

    name: str


ChangeCommand = Change | Invite | Withdraw | Join | ChangeRole | Remove | CreateCredential | RevokeCredential
AccountCommand = Register | ChangeCommand


# Refusals


class AccountNotFound(Refusal):
    """There is no such account, or not for this actor: nobody is told which."""

    code = "account_not_found"


class AccountIsTaken(Refusal):
    """The id is another account's, or reserved."""

    code = "account_is_taken"


class AccountIsFull(Refusal):
    """The account has as many events as an account may have."""

    code = "account_is_full"


class NothingToChange(Refusal):
    """It is so already."""

    code = "nothing_to_change"


class AlreadyMember(Refusal):
    """Who is a member need not be invited."""

    code = "already_member"


class NotAMember(Refusal):
    """Who is no member has no role and cannot be removed."""

    code = "not_a_member"


class HasRoleAlready(Refusal):
    """The member has this role."""

    code = "has_role_already"


class LastAdmin(Refusal):
    """Somebody must be left who manages the account's people."""

    code = "last_admin"


class InvitationNotFound(Refusal):
    """There never was such an invitation."""

    code = "invitation_not_found"


class InvitationNotOpen(Refusal):
    """It was accepted, withdrawn or replaced."""

    code = "invitation_not_open"


class InvitationExpired(Refusal):
    """Its time is over."""

    code = "invitation_expired"


class InvitationForAnother(Refusal):
    """Who accepts is not who was invited."""

    code = "invitation_for_another"


class CredentialExists(Refusal):
    """The name is that of a credential in use, or the key was used before."""

    code = "credential_exists"


class CredentialNotFound(Refusal):
    """No credential in use has this name."""

    code = "credential_not_found"


# State


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """An invitation that can be accepted until it expires."""

    id: InvitationId
    email: str
    role: Role
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as its facts make it. `done` holds every command that ever had an effect on it.

    Good within one process: it is never stored. Its mappings are plain dictionaries, because copying one that
    is wrapped takes thirty times as long; nobody changes them.
    """

    id: AccountId
    revision: int
    updated_at: datetime
    profile: Profile
    members: Mapping[PersonId, Role]
    invitations: Mapping[PersonId, OpenInvitation]
    settled: frozenset[InvitationId]
    """Invitations that are not open any more."""
    credentials: Mapping[str, str]
    """The public keys of the credentials in use, by their names."""
    keys: frozenset[str]
    """All public keys that there ever were."""
    done: Mapping[CommandId, Done]

    def is_last_admin(self, person: PersonId) -> bool:
        """Whether the account would be without an administrator if this one were none."""
        admins = [member for member, role in self.members.items() if role is Role.ADMIN]
        return admins == [person]


def evolve(account: Account | None, fact: AccountFact) -> Account:
    """The account after one more fact. Facts of an account arrive in order, the first is `Registered`."""
    revision = 1 if account is None else account.revision + 1
    done = Done(revision, _said(fact))
    if isinstance(fact, Registered):
        if account is not None:
            raise ValueError(f"account {fact.account} is registered twice in the log")
        return Account(
            id=fact.account,
            revision=revision,
            updated_at=fact.at,
            profile=fact.profile,
            members={},
            invitations={},
            settled=frozenset(),
            credentials={},
            keys=frozenset(),
            done={fact.command_id: done},
        )
    if account is None:
        raise ValueError("the log of an account does not begin with its registration")
    return replace(
        _changed(account, fact),
        revision=revision,
        updated_at=fact.at,
        done=_with(account.done, fact.command_id, done),
    )


ChangeFact = (
    Changed | Invited | Withdrawn | Joined | RoleChanged | Removed | CredentialCreated | CredentialRevoked
)


def _changed(account: Account, fact: ChangeFact) -> Account:
    match fact:
        case Changed():
            return replace(account, profile=fact.profile)
        case Invited():
            void = account.invitations.get(fact.person)
            return replace(
                account,
                invitations=_with(
                    account.invitations,
                    fact.person,
                    OpenInvitation(fact.invitation, fact.email, fact.role, fact.expires_at),
                ),
                settled=account.settled if void is None else account.settled | {void.id},
            )
        case Withdrawn():
            return _settle(account, fact.person, fact.invitation)
        case Joined():
            joined = _settle(account, fact.person, fact.invitation)
            return replace(joined, members=_with(account.members, fact.person, fact.role))
        case RoleChanged():
            return replace(account, members=_with(account.members, fact.person, fact.role))
        case Removed():
            return replace(account, members=_without(account.members, fact.person))
        case CredentialCreated():
            return replace(
                account,
                credentials=_with(account.credentials, fact.name, fact.public_key),
                keys=account.keys | {fact.public_key},
            )
        case CredentialRevoked():
            return replace(account, credentials=_without(account.credentials, fact.name))
        case _:
            assert_never(fact)


def _settle(account: Account, person: PersonId, invitation: InvitationId) -> Account:
    return replace(
        account,
        invitations=_without(account.invitations, person),
        settled=account.settled | {invitation},
    )


def _with(mapping: Mapping[KeyT, ValueT], key: KeyT, value: ValueT) -> Mapping[KeyT, ValueT]:
    changed = dict(mapping)
    changed[key] = value
    return changed


def _without(mapping: Mapping[KeyT, ValueT], key: KeyT) -> Mapping[KeyT, ValueT]:
    changed = dict(mapping)
    changed.pop(key, None)
    return changed


# Decisions


def decide(command: AccountCommand, account: Account | None) -> tuple[AccountFact, ...]:
    """The facts that the command adds: none if it was done before (`account.done` tells at which revision).

    Raises:
        Refusal: a rule forbids it; the log stays as it is.
    """
    if isinstance(command, Register):
        return _register(command, account)
    if account is None:
        raise AccountNotFound
    done = account.done.get(command.id)
    if done is not None:
        if done.said != _asked(command):
            raise CommandIdReused(command_id=command.id)
        return ()
    return (_change(command, account, max(command.at, account.updated_at)),)


def _register(command: Register, account: Account | None) -> tuple[AccountFact, ...]:
    if _RESERVED.fullmatch(command.account):
        raise AccountIsTaken
    if account is None:
        return (
            Registered(
                command_id=command.id,
                by=command.by,
                at=command.at,
                account=command.account,
                profile=command.profile,
            ),
        )
    done = account.done.get(command.id)
    if done is None or done.revision != 1:
        raise AccountIsTaken
    if done.said != _asked(command):
        raise CommandIdReused(command_id=command.id)
    return ()


def _change(command: ChangeCommand, account: Account, at: datetime) -> AccountFact:
    """Raises Refusal."""
    match command:
        case Change():
            if command.profile == account.profile:
                raise NothingToChange
            _check_room(account)
            return Changed(command_id=command.id, by=command.by, at=at, profile=command.profile)
        case Invite():
            return _invite(command, account, at)
        case Withdraw():
            person, _ = _open_invitation(account, command.invitation)
            return Withdrawn(
                command_id=command.id, by=command.by, at=at, invitation=command.invitation, person=person
            )
        case Join():
            return _join(command, account, at)
        case ChangeRole():
            _check_can_lose(account, command.person, keeps=command.role)
            return RoleChanged(
                command_id=command.id, by=command.by, at=at, person=command.person, role=command.role
            )
        case Remove():
            _check_can_lose(account, command.person, keeps=None)
            return Removed(command_id=command.id, by=command.by, at=at, person=command.person)
        case CreateCredential():
            return _create_credential(command, account, at)
        case RevokeCredential():
            key = account.credentials.get(command.name)
            if key is None:
                raise CredentialNotFound(name=command.name)
            return CredentialRevoked(
                command_id=command.id, by=command.by, at=at, name=command.name, public_key=key
            )
        case _:
            assert_never(command)


def _check_room(account: Account) -> None:
    if account.revision >= MAX_REVISION:
        raise AccountIsFull(limit=MAX_REVISION)


def _check_can_lose(account: Account, person: PersonId, *, keeps: Role | None) -> None:
    """Raises unless the member may have another role than now, or none at all."""
    role = account.members.get(person)
    if role is None:
        raise NotAMember
    if role is keeps:
        raise HasRoleAlready(role=role.value)
    if account.is_last_admin(person):
        raise LastAdmin


def _open_invitation(account: Account, invitation: InvitationId) -> tuple[PersonId, OpenInvitation]:
    """Who is invited by it. Raises InvitationNotOpen or InvitationNotFound."""
    for person, invited in account.invitations.items():
        if invited.id == invitation:
            return person, invited
    raise InvitationNotOpen if invitation in account.settled else InvitationNotFound


def _invite(command: Invite, account: Account, at: datetime) -> Invited:
    if command.person in account.members:
        raise AlreadyMember
    _check_room(account)
    return Invited(
        command_id=command.id,
        by=command.by,
        at=at,
        invitation=command.invitation,
        person=command.person,
        email=command.email,
        role=command.role,
        expires_at=at + command.valid_for,
    )


def _join(command: Join, account: Account, at: datetime) -> Joined:
    person, invitation = _open_invitation(account, command.invitation)
    if command.by != Actor(Capacity.MEMBER, person):
        raise InvitationForAnother
    if at >= invitation.expires_at:
        raise InvitationExpired
    return Joined(
        command_id=command.id,
        by=command.by,
        at=at,
        invitation=invitation.id,
        person=person,
        role=invitation.role,
    )


def _create_credential(command: CreateCredential, account: Account, at: datetime) -> CredentialCreated:
    if command.name in account.credentials or command.public_key in account.keys:
        raise CredentialExists(name=command.name)
    _check_room(account)
    return CredentialCreated(
        command_id=command.id,
        by=command.by,
        at=at,
        name=command.name,
        public_key=command.public_key,
        may=command.may,
    )


def _asked(command: AccountCommand) -> int:
    """As `_said` of the fact that the command makes."""
    match command:
        case Register():
            return hash((Registered, command.by, command.account, command.profile))
        case Change():
            return hash((Changed, command.by, command.profile))
        case Invite():
            return hash((Invited, command.by, command.email, command.role, command.valid_for))
        case Withdraw():
            return hash((Withdrawn, command.by, command.invitation))
        case Join():
            return hash((Joined, command.by, command.invitation))
        case ChangeRole():
            return hash((RoleChanged, command.by, command.person, command.role))
        case Remove():
            return hash((Removed, command.by, command.person))
        case CreateCredential():
            return hash((CredentialCreated, command.by, command.name, command.public_key, command.may))
        case RevokeCredential():
            return hash((CredentialRevoked, command.by, command.name))
        case _:
            assert_never(command)


def _said(fact: AccountFact) -> int:
    """Of what a command said, without what the edges and the state add (times, ids, whose it was)."""
    match fact:
        case Registered():
            return hash((Registered, fact.by, fact.account, fact.profile))
        case Changed():
            return hash((Changed, fact.by, fact.profile))
        case Invited():
            return hash((Invited, fact.by, fact.email, fact.role, fact.expires_at - fact.at))
        case Withdrawn():
            return hash((Withdrawn, fact.by, fact.invitation))
        case Joined():
            return hash((Joined, fact.by, fact.invitation))
        case RoleChanged():
            return hash((RoleChanged, fact.by, fact.person, fact.role))
        case Removed():
            return hash((Removed, fact.by, fact.person))
        case CredentialCreated():
            return hash((CredentialCreated, fact.by, fact.name, fact.public_key, fact.may))
        case CredentialRevoked():
            return hash((CredentialRevoked, fact.by, fact.name))
        case _:
            assert_never(fact)
