"""Where one can go from every page: the places of the side that one is on, and the other side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts.access.roles import Permission
from services.portal.directory import Person
from services.portal.sides import DESK, is_desk


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation; `count` is how much waits there."""

    label: str
    path: str
    is_current: bool = False
    count: int = 0


def is_at_the_desk(person: Person | None, path: str) -> bool:
    """Whether the desk's places go with a page: its own, and for people without an account every one."""
    return is_desk(path) or (person is not None and bool(person.for_the_platform) and not person.memberships)


def places(
    person: Person | None, path: str, _: Callable[[str], str], *, waiting_mails: int = 0
) -> list[Place]:
    """The entries for somebody, on the page of a path. A stranger has none."""
    if person is None:
        return []
    at_the_desk = is_at_the_desk(person, path)
    entries = _at_the_desk(person, _, waiting_mails) if at_the_desk else _of_a_partner(person, _)
    return [
        Place(each.label, each.path, path == each.path or path.startswith(f"{each.path}/"), each.count)
        for each in entries
    ]


def other_side(person: Person | None, path: str, _: Callable[[str], str]) -> Place | None:
    """The way to the other side, for those who belong to both."""
    if person is None or not person.for_the_platform or not person.memberships:
        return None
    return Place(_("Partner portal"), "/tickets") if is_desk(path) else Place(_("Support desk"), DESK.base)


def _of_a_partner(person: Person, _: Callable[[str], str]) -> list[Place]:
    if not person.memberships:
        return []
    return [Place(_("Tickets"), "/tickets"), Place(_("Help"), "/help"), Place(_("People"), "/people")]


def _at_the_desk(person: Person, _: Callable[[str], str], waiting_mails: int) -> list[Place]:
    entries = (
        (Permission.TICKET_READ, Place(_("Tickets"), "/desk/tickets")),
        (Permission.TICKET_READ, Place(_("New partners"), "/desk/partners")),
        (Permission.MAIL_READ, Place(_("E-mails"), "/desk/mails", count=waiting_mails)),
    )
    return [place for permission, place in entries if person.may(permission)]
