"""Every subject, stream and bucket name of Casetrail, in one table.

Nothing else in the code base spells a subject out. Tokens that vary are checked by the models that
carry them (`AccountId`, `TicketNumber`), so that none can hold a dot, a space or a wildcard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A JetStream stream and the subjects that it keeps."""

    name: str
    subjects: tuple[str, ...]
    description: str


TICKETS: Final = Stream(
    name="TICKETS",
    subjects=("events.tickets.*.*",),
    description="The log of tickets: one subject per ticket, events.tickets.<account>.<number>",
)
DEAD_LETTERS: Final = Stream(
    name="DEAD_LETTERS",
    subjects=("dead.*.*",),
    description="Events that a subscriber gave up on: dead.<service>.<stream>",
)
STREAMS: Final = (TICKETS, DEAD_LETTERS)


OUTSIDE_DOMAIN: Final = "log"
"""JetStream domain by which users of a NATS account that does not hold the log reach it (`$JS.log.API`).

Not `$JS.API`: in an account without JetStream the server itself answers there, that it is not enabled.
"""

CONSUMERS_PER_USER: Final = 8


def consumer_names(user: str) -> tuple[str, ...]:
    """The names that the consumers of a NATS user may have.

    A permission cannot say "names that start with", and whoever may create a consumer of some name may also
    change the one that has it. So each user has a few exact names, and nobody else may use them.
    """
    return tuple(f"{user}-{slot}" for slot in range(CONSUMERS_PER_USER))


def ticket_events(account: str, number: str) -> str:
    """The subject that holds the events of one ticket. Either token may be `*` in a filter."""
    return f"events.tickets.{account}.{number}"


def request(service: str, name: str) -> str:
    """The subject of a request (command or query) to a service (NATS ADR-32)."""
    return f"requests.{service}.{name}"


def dead_letter(service: str, stream: str) -> str:
    """Where a service puts an event that it could not handle in its last delivery."""
    return f"dead.{service}.{stream}"


def inbox_prefix(user: str) -> str:
    """The prefix of every reply subject of one NATS user; permissions are scoped by it."""
    return f"_INBOX.{user}"
