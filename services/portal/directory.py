"""Who people are, in memory: names, languages, accounts and roles, as pages show them. Pure.

Made from the access log beside the guard's own picture. It decides nothing; the services do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.access.roles import MemberRole, Permission, Permissions, PlatformRole, of_platform


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, with the role in each of its accounts and those for the platform, by the words of events."""

    id: str
    email: str
    name: str | None = None
    language: str | None = None
    memberships: Mapping[str, str] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()

    @property
    def is_agent(self) -> bool:
        return PlatformRole.AGENT.value in self.roles

    @property
    def is_auditor(self) -> bool:
        return PlatformRole.AUDITOR.value in self.roles

    @property
    def for_the_platform(self) -> Permissions:
        """What it may in every account."""
        return of_platform(role for role in PlatformRole if role.value in self.roles)

    def may(self, permission: Permission) -> bool:
        """Whether it may something in every account."""
        return permission in self.for_the_platform

    def manages(self, account: str) -> bool:
        """Whether it is an administrator of the account."""
        return self.memberships.get(account) == MemberRole.ADMIN.value


class Directory:
    """People and accounts, by their ids."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}
        self._accounts: dict[str, str] = {}

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take in the next event of the access log. Raises KeyError, TypeError for what is none."""
        data, account, subject = event["data"], event["account"], event["subject"]
        match event["type"]:
            case "casetrail.person.registered.v1":
                said = data["content"]
                self._people[subject] = replace(
                    self._known(subject),
                    email=said["email"],
                    name=said.get("display_name"),
                    language=said.get("language"),
                )
            case "casetrail.person.changed.v1":
                said = data["content"]
                self._people[subject] = replace(
                    self._known(subject), name=said.get("display_name"), language=said.get("language")
                )
            case "casetrail.account.registered.v1" | "casetrail.account.changed.v1":
                self._accounts[account] = data["content"]["name"]
            case "casetrail.member.joined.v1" | "casetrail.member.changed.v1":
                person = self._known(data["person"])
                memberships = {**person.memberships, account: str(data["role"])}
                self._people[person.id] = replace(person, memberships=memberships)
            case "casetrail.member.removed.v1":
                person = self._known(data["person"])
                memberships = {each: role for each, role in person.memberships.items() if each != account}
                self._people[person.id] = replace(person, memberships=memberships)
            case "casetrail.person.appointed.v1":
                person = self._known(subject)
                self._people[subject] = replace(person, roles=person.roles | {data["role"]})
            case "casetrail.person.dismissed.v1":
                person = self._known(subject)
                self._people[subject] = replace(person, roles=person.roles - {data["role"]})
            case _:
                pass  # says nothing about how somebody is called, or where it belongs

    def person(self, person: str) -> Person | None:
        """Who it is; None: nobody whom the log knows."""
        return self._people.get(person)

    def account_name(self, account: str) -> str:
        """What people call the account; its id, if it has no name."""
        return self._accounts.get(account, account)

    @property
    def accounts(self) -> Mapping[str, str]:
        """What people call each account, by its id."""
        return self._accounts

    def account_called(self, typed: str) -> str | None:
        """The account with this id or name, in any case; or the only one whose name has it as a part."""
        wanted = typed.strip().casefold()
        if wanted in self._accounts:
            return wanted
        named = {account: name.casefold() for account, name in self._accounts.items()}
        for fits in (
            [account for account, name in named.items() if name == wanted],
            [account for account, name in named.items() if wanted in name],
        ):
            if len(fits) == 1:
                return fits[0]
        return None

    def people_of(self, account: str) -> list[Person]:
        """The members of an account, by name."""
        members = [person for person in self._people.values() if account in person.memberships]
        return sorted(members, key=lambda person: (person.name or person.email).casefold())

    def _known(self, person: str) -> Person:
        return self._people.get(person) or Person(person, "")
