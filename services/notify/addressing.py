"""Who is told of what happens to a ticket, and why. Pure.

    member    of the account: of all its tickets, unless the person wants only those with a part in, or none
    involved  the same, of somebody who opened the ticket or acted on it
    agent     a support agent who acted on the ticket; or who wants to hear of all tickets
    asked     whoever did it, and wants to be told of that too

One person is told once. Who acted on the ticket as an agent is told as an agent, even as a member.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.access.events import MailWanted
from contracts.envelope import ActorKind
from services.notify.directory import Directory, Person
from services.notify.updates import Why

MAX_TOLD: Final = 2_000


@dataclass(frozen=True, slots=True)
class Part:
    """Who has a part in a ticket, by person: in which capacity they acted on it first."""

    account: str
    people: Mapping[str, ActorKind]


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who is to be told."""

    person: Person
    capacity: ActorKind
    why: Why


def told(part: Part, actor: str, directory: Directory) -> tuple[Told, ...]:
    """Whom to tell of what `actor` (a person's id, or a program's) did, in a stable order."""
    found: dict[str, Told] = {}
    for person in directory.agents():
        involved = part.people.get(person.id) is ActorKind.AGENT
        if involved or person.wish.tickets is MailWanted.ALL:
            _add(found, person, ActorKind.AGENT, Why.AGENT, actor, involved=involved)
    for person in directory.members(part.account):
        involved = person.id in part.people
        why = Why.INVOLVED if involved else Why.MEMBER
        if person.id not in found:
            _add(found, person, ActorKind.MEMBER, why, actor, involved=involved)
    return tuple(found.values())[:MAX_TOLD]


def capacity(part: Part, person: str, directory: Directory) -> ActorKind | None:
    """In which somebody may act on the ticket now; None: in none."""
    is_agent, is_member = directory.is_agent(person), directory.is_member(person, part.account)
    if is_agent and (part.people.get(person) is ActorKind.AGENT or not is_member):
        return ActorKind.AGENT
    return ActorKind.MEMBER if is_member else None


def _add(
    found: dict[str, Told], person: Person, as_: ActorKind, why: Why, actor: str, *, involved: bool
) -> None:
    wanted = person.wish.tickets or MailWanted.ALL
    if wanted is MailWanted.NONE or (wanted is MailWanted.MINE and not involved and person.id != actor):
        return
    if person.id == actor:
        if not person.wish.own:
            return
        why = Why.ASKED
    found[person.id] = Told(person, as_, why)
