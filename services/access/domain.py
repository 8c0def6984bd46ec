"""What the two aggregates of access have in common. Their rules are in account.py and person.py.

Whether somebody may ask for a change is decided before, by authority.py, on the same state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, NewType

AccountId = NewType("AccountId", str)
PersonId = NewType("PersonId", str)
CommandId = NewType("CommandId", str)


class Capacity(StrEnum):
    """In which capacity somebody acts."""

    MEMBER = "member"
    AGENT = "agent"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts, by pseudonym."""

    capacity: Capacity
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What every fact says besides itself: which command made it, who asked for it, and when (UTC)."""

    command_id: CommandId
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What every command says: its id, who asks, and the time now (UTC)."""

    id: CommandId
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: the revision that it made, and a hash of what it said, good in this process."""

    revision: int
    said: int


class Refusal(Exception):
    """A rule said no, and nothing happened. `code` is stable; `data` is what a person may be told."""

    code: ClassVar[str]

    def __init__(self, **data: str | int) -> None:
        super().__init__(self.code)
        self.data = data


class NotPermitted(Refusal):
    """Who asks may see what it is about, and may not do this."""

    code = "not_permitted"


class CommandIdReused(Refusal):
    """The command id did something else before."""

    code = "command_id_reused"
