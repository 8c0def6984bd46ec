"""The services of Casetrail: one table, from which they are started, given keys and told of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEntry:
    """A service. `run` is `module:function`: it takes its settings from the environment, and returns the
    exit code once SIGTERM or SIGINT has ended it. `nats_user` is a name in `credentials.permissions`.
    `keys` are settings that each name a file with a random key. What `does_mail` is given a mail server, and
    a port that e-mails come in at. `requests_user` is the NATS user as which it asks other services. What
    `has_pages` is given a port that browsers reach, and the development provider to sign in with."""

    name: str
    run: str
    nats_user: str
    description: str
    keys: tuple[str, ...] = ()
    does_mail: bool = False
    requests_user: str | None = None
    has_pages: bool = False


CATALOGUE: Final = (
    ServiceEntry(
        name="access",
        run="services.access.app:main",
        nats_user="access",
        description="Accounts, people, roles, invitations, credentials",
        keys=("CASETRAIL_LINK_KEY_FILE",),
    ),
    ServiceEntry(
        name="intake",
        run="services.intake.app:main",
        nats_user="intake",
        description="Questionnaires, drafts, submissions; the interest form",
        keys=("CASETRAIL_LINK_KEY_FILE",),
    ),
    ServiceEntry(
        name="attachments",
        run="services.attachments.app:main",
        nats_user="attachments",
        description="Files of messages: taken in, looked at, given out",
    ),
    ServiceEntry(
        name="tickets",
        run="services.tickets.app:main",
        nats_user="tickets",
        description="The rules of a ticket; lists, search, history",
    ),
    ServiceEntry(
        name="notify",
        run="services.notify.app:main",
        nats_user="notify",
        description="E-mails: what is to be sent, what came in, and what became of it",
        keys=("CASETRAIL_LINK_KEY_FILE",),
        does_mail=True,
        requests_user="notify-requests",
    ),
    ServiceEntry(
        name="portal",
        run="services.portal.app:main",
        nats_user="portal",
        description="The web pages, on which partners ask and read and agents answer",
        keys=("CASETRAIL_SESSION_KEY_FILE",),
        has_pages=True,
    ),
)
