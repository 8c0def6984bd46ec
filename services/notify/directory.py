"""The people whom e-mails go to, in memory: addresses, languages, wishes, accounts, roles. Pure.

Made from the access log by `services.guard.following.Following`, as the guard's own picture is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from contracts.access.events import MailWanted
from contracts.access.roles import PlatformRole

_AGENT: Final = PlatformRole.AGENT.value


@dataclass(frozen=True, slots=True)
class Wish:
    """Which e-mails somebody wants; `tickets` None: it never said."""

    tickets: MailWanted | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be written to."""

    id: str
    email: str
    name: str | None
    language: str | None
    wish: Wish = Wish()


@dataclass(frozen=True, slots=True)
class Invited:
    """An open invitation, made by `event`; `expires_at` in UTC, `by` as in the log: `member:<person>`."""

    id: str
    event: str
    account: str
    role: str
    by: str
    expires_at: datetime


class Directory:
    """People, the members of accounts, who is invited, the agents."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}
        self._members: dict[str, set[str]] = {}
        self._names: dict[str, str] = {}
        self._languages: dict[str, str] = {}
        self._agents: set[str] = set()
        self._invited: dict[tuple[str, str], Invited] = {}

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take in the next event of the access log. Raises KeyError, TypeError for what is none."""
        data, account, subject = event["data"], event["account"], event["subject"]
        match event["type"]:
            case "casetrail.person.registered.v1":
                said = data["content"]
                self._people[subject] = Person(
                    subject, said["email"], said.get("display_name"), said.get("language")
                )
            case "casetrail.person.changed.v1":
                self._people[subject] = _changed(self._people[subject], data["content"])
            case "casetrail.account.registered.v1" | "casetrail.account.changed.v1":
                self._members.setdefault(account, set())
                self._names[account] = data["content"]["name"]
                self._languages[account] = next(iter(data.get("languages", ())), "en")
            case "casetrail.member.invited.v1":  # in place of an earlier invitation of the person
                expires_at = datetime.fromisoformat(data["expires_at"])
                self._invited[account, data["person"]] = Invited(
                    data["invitation"], event["id"], account, data["role"], event["actor"], expires_at
                )
            case "casetrail.invitation.withdrawn.v1":
                self._invited.pop((account, data["person"]), None)
            case "casetrail.member.joined.v1":
                self._invited.pop((account, data["person"]), None)
                self._members[account].add(data["person"])
            case "casetrail.member.removed.v1":
                self._members[account].discard(data["person"])
            case "casetrail.person.appointed.v1" if data["role"] == _AGENT:
                self._agents.add(subject)
            case "casetrail.person.dismissed.v1" if data["role"] == _AGENT:
                self._agents.discard(subject)
            case _:
                pass  # says nothing about whom to write to

    def person(self, person: str) -> Person | None:
        """Who it is; None: nobody whom the log knows."""
        return self._people.get(person)

    def members(self, account: str) -> Iterator[Person]:
        """The members of an account, by their ids."""
        return self._known(self._members.get(account, set()))

    def invited(self, person: str, account: str) -> Invited | None:
        """The open invitation of somebody to an account; it may have expired."""
        return self._invited.get((account, person))

    def agents(self) -> Iterator[Person]:
        """The support agents, by their ids."""
        return self._known(self._agents)

    def is_member(self, person: str, account: str) -> bool:
        return person in self._members.get(account, ())

    def is_agent(self, person: str) -> bool:
        return person in self._agents

    def knows(self, account: str) -> bool:
        """Whether the account was ever registered."""
        return account in self._members

    def account_name(self, account: str) -> str:
        """What people call the account; its id, if it has no name."""
        return self._names.get(account, account)

    def language(self, person: Person | None, account: str) -> str:
        """In which somebody is addressed: the person's own language, or the account's first."""
        own = None if person is None else person.language
        return own or self._languages.get(account, "en")

    def _known(self, people: set[str]) -> Iterator[Person]:
        return (self._people[each] for each in sorted(people) if each in self._people)


def _changed(person: Person, said: Mapping[str, Any]) -> Person:
    wish = person.wish
    if "mail" in said:
        wish = Wish(MailWanted(said["mail"]["tickets"]), bool(said["mail"].get("own", False)))
    return replace(person, name=said.get("display_name"), language=said.get("language"), wish=wish)
