"""What `casetrail doctor` finds: a sentence about what is, and for a problem one about what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from services.cli.words import say


class State(StrEnum):
    """`unseen` is no problem: it could not be looked at, and the sentence says how it can."""

    FINE = "fine"
    PROBLEM = "problem"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` has its sentence in `words` as `doctor_<code>`, and that of a problem its fix as `..._fix`."""

    state: State
    code: str
    data: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        return say(f"doctor_{self.code}", **self.data)

    @property
    def fix(self) -> str | None:
        return say(f"doctor_{self.code}_fix", **self.data) if self.state is State.PROBLEM else None


def fine(code: str, **data: str | int | float) -> Finding:
    return Finding(State.FINE, code, data)


def problem(code: str, **data: str | int | float) -> Finding:
    return Finding(State.PROBLEM, code, data)


def unseen(code: str, **data: str | int | float) -> Finding:
    return Finding(State.UNSEEN, code, data)
