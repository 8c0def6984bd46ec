"""The two sides from which a ticket is seen: a partner's, and the desk's, which sees all accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.envelope import ActorKind, Via
from contracts.tickets.events import CloseReason


@dataclass(frozen=True, slots=True)
class Side:
    """In which capacity its visitors act, and where its pages are."""

    kind: ActorKind
    via: Via
    base: str
    close_reasons: tuple[CloseReason, ...]

    def ticket(self, number: str) -> str:
        """The address of a ticket's page."""
        return f"{self.base}/tickets/{number}"


def is_desk(path: str) -> bool:
    """Whether the page of a path is the desk's."""
    return path == DESK.base or path.startswith(f"{DESK.base}/")


PARTNER: Final = Side(ActorKind.MEMBER, Via.PORTAL, "", (CloseReason.SOLVED, CloseReason.DUPLICATE))
DESK: Final = Side(ActorKind.AGENT, Via.DESK, "/desk", tuple(CloseReason))
