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
ACCESS: Final = Stream(
    name="ACCESS",
    subjects=("events.access.*.*",),
    description="The log of access: events.access.account.<account> and events.access.person.<person>",
)
DEAD_LETTERS: Final = Stream(
    name="DEAD_LETTERS",
    subjects=("dead.*.*",),
    description="Events that a subscriber gave up on: dead.<service>.<stream>",
)
STREAMS: Final = (TICKETS, ACCESS, DEAD_LETTERS)

SESSIONS: Final = "SESSIONS"
"""The key-value bucket of sign-ins: `<person>.<hash of the session's secret>`, and `attempt.<hash>` for each
attempt to sign in that was used. Lost, people sign in again."""
SESSIONS_STREAM: Final = f"KV_{SESSIONS}"
"""The stream that NATS keeps the bucket in (NATS ADR-8)."""


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


def account_events(account: str) -> str:
    """The subject that holds the events of one account: of itself, its members, invitations, credentials."""
    return f"events.access.account.{account}"


def person_events(person: str) -> str:
    """The subject that holds the events of one person."""
    return f"events.access.person.{person}"


def request(service: str, name: str) -> str:
    """The subject of a request (command or query) to a service (NATS ADR-32)."""
    return f"requests.{service}.{name}"


def system_request(user: str, service: str, name: str) -> str:
    """The same request, sent by another system under its NATS user's name: nobody else may publish it."""
    return f"systems.{user}.{service}.{name}"


def sending_system(subject: str) -> str | None:
    """The NATS user under whose name a request came; None: it came from somebody who speaks for people."""
    prefix, _, rest = subject.partition(".")
    return rest.partition(".")[0] if prefix == "systems" else None


def dead_letter(service: str, stream: str) -> str:
    """Where a service puts an event that it could not handle in its last delivery."""
    return f"dead.{service}.{stream}"


def inbox_prefix(user: str) -> str:
    """The prefix of every reply subject of one NATS user; permissions are scoped by it."""
    return f"_INBOX.{user}"
