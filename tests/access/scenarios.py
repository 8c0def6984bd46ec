"""Scenarios of one account or person: `given(*facts).when(command).then(fact)` or `.refused(Reason)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, Final

import pytest

from services.access import account, person
from services.access.domain import AccountId, Actor, Capacity, CommandId, PersonId, Refusal

ACCOUNT: Final = AccountId("clinic")
OPERATOR: Final = Actor(Capacity.AGENT, "poperator")
ADMIN: Final = PersonId("padmin")
OLA: Final = PersonId("pola")
JAN: Final = PersonId("pjan")
KEY: Final = "UKEY"


def minute(count: float) -> datetime:
    """So many minutes after the scenario began."""
    return datetime(2026, 11, 2, 9, 0, tzinfo=UTC) + timedelta(minutes=count)


def by(who: str) -> Actor:
    return Actor(Capacity.MEMBER, who)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happened so far, and what is asked for now. The first fact says of which kind it is."""

    facts: tuple[Any, ...]
    command: Any = None

    def when(self, command: Any) -> Scenario:
        return Scenario(self.facts, command)

    def then(self, *facts: Any) -> None:
        """These facts come of it; the command, sent again on them, adds nothing."""
        assert self._decide(self.facts) == facts
        assert self._decide((*self.facts, *facts)) == ()

    def refused(self, reason: type[Refusal], **data: str | int) -> None:
        with pytest.raises(reason) as refused:
            self._decide(self.facts)
        assert type(refused.value) is reason
        assert refused.value.data == data

    def _decide(self, facts: Sequence[Any]) -> tuple[Any, ...]:
        domain: Any = person if isinstance(self.command, person.PersonCommand) else account
        return tuple(domain.decide(self.command, replay(facts)))


def given(*facts: Any) -> Scenario:
    return Scenario(facts)


def replay(facts: Sequence[Any]) -> Any:
    """The state that the facts make; None without one."""
    if not facts:
        return None
    domain: Any = person if isinstance(facts[0], person.PersonFact) else account
    return reduce(domain.evolve, facts, None)


_COUNT = iter(range(10**9))


def _every(who: Actor, at: float) -> dict[str, Any]:
    return {"command_id": CommandId(f"past-{next(_COUNT)}"), "by": who, "at": minute(at)}


def registered() -> account.Registered:
    return account.Registered(
        **_every(OPERATOR, 0), account=ACCOUNT, profile=account.Profile(name="Przychodnia")
    )


def invited(
    who: PersonId, role: account.Role = account.Role.MEMBER, *, at: float = 1, name: str | None = None
) -> account.Invited:
    """An invitation that is valid for an hour, called `i-<person>` if no name is given."""
    return account.Invited(
        **_every(OPERATOR, at),
        invitation=account.InvitationId(name or f"i-{who}"),
        person=who,
        email=f"{who}@example.com",
        role=role,
        expires_at=minute(at + 60),
    )


def joined(who: PersonId, role: account.Role = account.Role.MEMBER, *, at: float = 2) -> account.Joined:
    return account.Joined(
        **_every(by(who), at), invitation=account.InvitationId(f"i-{who}"), person=who, role=role
    )


def member(who: PersonId, role: account.Role = account.Role.MEMBER) -> tuple[Any, ...]:
    """The facts that make somebody a member."""
    return invited(who, role), joined(who, role)


def known() -> person.Registered:
    return person.Registered(
        **_every(by(OLA), 0), person=OLA, email="ola@example.com", profile=person.Profile("Ola", "pl")
    )


def appointed(role: person.Role) -> person.Appointed:
    return person.Appointed(**_every(OPERATOR, 1), role=role)
