"""Where one can go from every page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.portal.directory import Person


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation."""

    label: str
    path: str
    is_current: bool


def places(person: Person | None, path: str, _: Callable[[str], str]) -> list[Place]:
    """The entries for somebody, on the page of a path. A stranger has none."""
    entries: list[tuple[str, str]] = []
    if person is not None and person.memberships:
        entries += [(_("Tickets"), "/tickets"), (_("Help"), "/help"), (_("People"), "/people")]
    return [
        Place(label, entry, is_current=path == entry or path.startswith(f"{entry}/"))
        for label, entry in entries
    ]
