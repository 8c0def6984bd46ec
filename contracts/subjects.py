"""Every subject, stream and bucket name of Casetrail, in one table.

Nothing else in the code base spells a subject out. Tokens that vary are checked by the models that
carry them (`AccountId`, `TicketNumber`), so that none can hold a dot, a space or a wildcard.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A JetStream stream and the subjects that it keeps."""

    name: str
    subjects: tuple[str, ...]
    description: str

    @property
    def filter(self) -> str:
        """One subject for everything that it keeps, to follow it with a consumer."""
        if len(self.subjects) == 1:
            return self.subjects[0]
        first, *others = (subject.split(".") for subject in self.subjects)
        same = takewhile(lambda tokens: len(set(tokens)) == 1, zip(first, *others, strict=False))
        return ".".join([*(tokens[0] for tokens in same), ">"])


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
INTAKE: Final = Stream(
    name="INTAKE",
    subjects=("events.intake.questionnaires.*", "events.intake.submissions.*.*"),
    description="The log of intake: events.intake.questionnaires.<questionnaire> and "
    "events.intake.submissions.<account>.<submission>",
)
NOTIFY: Final = Stream(
    name="NOTIFY",
    subjects=("events.notify.*.*",),
    description="The log of notify: e-mail to be sent, sent and received, events.notify.<kind>.<id>",
)
DEAD_LETTERS: Final = Stream(
    name="DEAD_LETTERS",
    subjects=("dead.*.*",),
    description="Events that a subscriber gave up on: dead.<service>.<stream>",
)
STREAMS: Final = (TICKETS, ACCESS, INTAKE, NOTIFY, DEAD_LETTERS)

SESSIONS: Final = "SESSIONS"
"""The key-value bucket of sign-ins: `<person>.<hash of the session's secret>`, and `attempt.<hash>` for each
attempt to sign in that was used. Lost, people sign in again."""

READ_MARKS: Final = "READ_MARKS"
"""The key-value bucket of what people have read: `<person>.<account>`. Lost, everything counts as read."""

DRAFTS: Final = "DRAFTS"
"""The key-value bucket of questionnaires being answered: `<person>.<account>.<draft>`, for 30 days."""
INTERESTS: Final = "INTERESTS"
"""The key-value bucket of interest forms that wait for their confirmation: `<reference>`, for 7 days."""
LIMITS: Final = "LIMITS"
"""The key-value bucket of counters for what needs no sign-in: `<what>.<hash>.<window>`, for an hour."""
UPLOADS: Final = "UPLOADS"
"""The object store of attachments that no ticket has yet; longer than a draft lives."""
ATTACHMENTS: Final = "ATTACHMENTS"
"""The object store of the attachments of tickets, kept for ever."""
MAIL: Final = "MAIL"
"""The object store of e-mails as they came in, byte by byte."""


def bucket_stream(bucket: str) -> str:
    """The stream that NATS keeps a key-value bucket in (NATS ADR-8)."""
    return f"KV_{bucket}"


def object_stream(store: str) -> str:
    """The stream that NATS keeps an object store in (NATS ADR-20)."""
    return f"OBJ_{store}"


SESSIONS_STREAM: Final = bucket_stream(SESSIONS)
BUCKETS: Final = (SESSIONS, READ_MARKS, DRAFTS, INTERESTS, LIMITS)
OBJECT_STORES: Final = (UPLOADS, ATTACHMENTS, MAIL)

RESTORING: Final = Stream(
    name="RESTORING",
    subjects=("restoring",),
    description="Stands while a backup is being restored; what is there beside it is no system yet",
)
"""Not one of `STREAMS`: it is there from the beginning of a restore until its end, and holds nothing."""

OUTSIDE_DOMAIN: Final = "log"
"""JetStream domain by which users of a NATS account that does not hold the log reach it (`$JS.log.API`).

Not `$JS.API`: in an account without JetStream the server itself answers there, that it is not enabled.
"""

CONSUMERS_PER_USER: Final = 8
_CONSUMERS: Final = {"portal": 6}
"""Of each stream. The portal follows two, and all names must fit into the line with which it signs in."""


def consumer_names(user: str) -> tuple[str, ...]:
    """The names that the consumers of a NATS user may have.

    A permission cannot say "names that start with", and whoever may create a consumer of some name may also
    change the one that has it. So each user has a few exact names, and nobody else may use them.
    """
    return tuple(f"{user}-{slot}" for slot in range(_CONSUMERS.get(user, CONSUMERS_PER_USER)))


def ticket_events(account: str, number: str) -> str:
    """The subject that holds the events of one ticket. Either token may be `*` in a filter."""
    return f"events.tickets.{account}.{number}"


def account_events(account: str) -> str:
    """The subject that holds the events of one account: of itself, its members, invitations, credentials."""
    return f"events.access.account.{account}"


def person_events(person: str) -> str:
    """The subject that holds the events of one person."""
    return f"events.access.person.{person}"


def questionnaire_events(questionnaire: str) -> str:
    """The subject that holds the events of one version of a questionnaire."""
    return f"events.intake.questionnaires.{questionnaire}"


def submission_events(account: str, submission: str) -> str:
    """The subject that holds a submission. Either token may be `*` in a filter."""
    return f"events.intake.submissions.{account}.{submission}"


def mail_events(mail: str) -> str:
    """The subject that holds the events of one e-mail that is to be sent."""
    return f"events.notify.mails.{mail}"


def update_events(event: str) -> str:
    """The subject that says who is told of an event, or from where on anybody is."""
    return f"events.notify.updates.{event}"


def received_events(received: str) -> str:
    """The subject that holds the events of one e-mail that came in. May be `*` in a filter."""
    return f"events.notify.received.{received}"


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
