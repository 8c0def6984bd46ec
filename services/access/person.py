"""The rules of a person: its facts, its state, and what may happen to it.

    decide(command, person) -> facts        what a command does, or a Refusal; () if it was done before
    evolve(person, fact) -> person          what a fact changes

A person is registered once, by the first command that needs it. It is linked to identities with which it
signs in, and has roles for the platform. Which accounts it belongs to, the accounts know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from services.access.domain import Command, CommandId, CommandIdReused, Done, Fact, PersonId, Refusal

MAX_REVISION: Final = 2000
"""A person of this many events can only be dismissed: what reads a whole person stays bounded."""


class Role(StrEnum):
    """What somebody is for the platform."""

    AGENT = "agent"
    AUDITOR = "auditor"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Identity:
    """By what a provider knows somebody: `iss` and `sub` of OpenID Connect."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person says of itself."""

    display_name: str | None = None
    language: str | None = None


class Wanted(StrEnum):
    """Of which tickets somebody wants e-mails."""

    ALL = "all"
    MINE = "mine"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Mail:
    """Which e-mails a person wants; `own`: also of what it does itself."""

    tickets: Wanted
    own: bool = False


# Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered(Fact):
    """The person is known from now on. `person` follows from `email`."""

    person: PersonId
    email: str
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Fact):
    """The person is called or addressed otherwise, or wants other e-mails; without `mail` those as before."""

    profile: Profile
    mail: Mail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked(Fact):
    """The person signs in with this identity."""

    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointed(Fact):
    """The person has a role for the platform."""

    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissed(Fact):
    """The person has the role no more."""

    role: Role


PersonFact = Registered | Changed | Linked | Appointed | Dismissed


# Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Register(Command):
    """Make the person known; whatever the command that needs it does, has the same id."""

    person: PersonId
    email: str
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Command):
    """Change how the person is called or addressed, and which e-mails it wants if `mail` says so."""

    profile: Profile
    mail: Mail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Command):
    """Let the person sign in with this identity."""

    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Appoint(Command):
    """Give the person a role."""

    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismiss(Command):
    """Take a role away."""

    role: Role


ChangeCommand = Change | Link | Appoint | Dismiss
PersonCommand = Register | ChangeCommand


# Refusals


class PersonNotFound(Refusal):
    """Nobody is known by this id."""

    code = "person_not_found"


class LinkVoid(Refusal):
    """A link is not signed by us."""

    code = "link_void"


class PersonIsFull(Refusal):
    """The person has as many events as a person may have."""

    code = "person_is_full"


class NothingToChange(Refusal):
    """It is so already."""

    code = "nothing_to_change"


class HasRoleAlready(Refusal):
    """The person has this role."""

    code = "has_role_already"


class HasNotTheRole(Refusal):
    """What somebody is not, nobody can take away."""

    code = "has_not_the_role"


class IsKnown(Refusal):
    """The person was registered before, which is all that was wanted. Never leaves the service."""

    code = "is_known"


class IsLinked(Refusal):
    """The identity was linked before, which is all that was wanted. Never leaves the service."""

    code = "is_linked"

    def __init__(self, revision: int) -> None:
        super().__init__()
        self.revision = revision


# State


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person as its facts make it. `done` holds every command that ever had an effect on it, but for the
    registration, which is part of another command's.

    Good within one process: it is never stored, and cannot be copied or pickled.
    """

    id: PersonId
    revision: int
    updated_at: datetime
    profile: Profile
    mail: Mail | None
    """None: it never said which e-mails it wants."""
    roles: frozenset[Role]
    links: Mapping[Identity, int]
    """The revision at which each identity was linked."""
    done: Mapping[CommandId, Done]


def evolve(person: Person | None, fact: PersonFact) -> Person:
    """The person after one more fact. Facts of a person arrive in order, the first is `Registered`."""
    if isinstance(fact, Registered):
        if person is not None:
            raise ValueError(f"person {fact.person} is registered twice in the log")
        return Person(
            id=fact.person,
            revision=1,
            updated_at=fact.at,
            profile=fact.profile,
            mail=None,
            roles=frozenset(),
            links=MappingProxyType({}),
            done=MappingProxyType({}),
        )
    if person is None:
        raise ValueError("the log of a person does not begin with its registration")
    revision = person.revision + 1
    match fact:
        case Changed():
            person = replace(person, profile=fact.profile, mail=fact.mail or person.mail)
        case Linked():
            person = replace(person, links=MappingProxyType({**person.links, fact.identity: revision}))
        case Appointed():
            person = replace(person, roles=person.roles | {fact.role})
        case Dismissed():
            person = replace(person, roles=person.roles - {fact.role})
        case _:
            assert_never(fact)
    return replace(
        person,
        revision=revision,
        updated_at=fact.at,
        done=MappingProxyType({**person.done, fact.command_id: Done(revision, _said(fact))}),
    )


# Decisions


def decide(command: PersonCommand, person: Person | None) -> tuple[PersonFact, ...]:
    """The facts that the command adds: none if it was done before (`person.done` tells at which revision).

    Raises:
        Refusal: a rule forbids it; the log stays as it is.
    """
    if isinstance(command, Register):
        return _register(command, person)
    if person is None:
        raise PersonNotFound
    fact = _change(command, at=max(command.at, person.updated_at))
    if _was_done_before(person, fact):
        return ()
    match command:
        case Change():
            if command.profile == person.profile and command.mail in {None, person.mail}:
                raise NothingToChange
            _check_room(person)
        case Link():
            if command.identity in person.links:
                raise IsLinked(person.links[command.identity])
            _check_room(person)
        case Appoint():
            if command.role in person.roles:
                raise HasRoleAlready(role=command.role.value)
            _check_room(person)
        case Dismiss():
            if command.role not in person.roles:
                raise HasNotTheRole(role=command.role.value)
        case _:
            assert_never(command)
    return (fact,)


def _register(command: Register, person: Person | None) -> tuple[PersonFact, ...]:
    if person is not None:
        raise IsKnown
    return (
        Registered(
            command_id=command.id,
            by=command.by,
            at=command.at,
            person=command.person,
            email=command.email,
            profile=command.profile,
        ),
    )


ChangeFact = Changed | Linked | Appointed | Dismissed


def _change(command: ChangeCommand, *, at: datetime) -> ChangeFact:
    match command:
        case Change():
            return Changed(
                command_id=command.id, by=command.by, at=at, profile=command.profile, mail=command.mail
            )
        case Link():
            return Linked(command_id=command.id, by=command.by, at=at, identity=command.identity)
        case Appoint():
            return Appointed(command_id=command.id, by=command.by, at=at, role=command.role)
        case Dismiss():
            return Dismissed(command_id=command.id, by=command.by, at=at, role=command.role)
        case _:
            assert_never(command)


def _check_room(person: Person) -> None:
    if person.revision >= MAX_REVISION:
        raise PersonIsFull(limit=MAX_REVISION)


def _was_done_before(person: Person, fact: ChangeFact) -> bool:
    """Raises CommandIdReused if the id did something else."""
    done = person.done.get(fact.command_id)
    if done is None:
        return False
    if done.said != _said(fact):
        raise CommandIdReused(command_id=fact.command_id)
    return True


def _said(fact: ChangeFact) -> int:
    """Of what a command said, without what the edges add at each try (times)."""
    match fact:
        case Changed():
            return hash((Changed, fact.by, fact.profile, fact.mail))
        case Linked():
            return hash((Linked, fact.by, fact.identity))
        case Appointed():
            return hash((Appointed, fact.by, fact.role))
        case Dismissed():
            return hash((Dismissed, fact.by, fact.role))
        case _:
            assert_never(fact)
