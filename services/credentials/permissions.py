"""Who may do what on NATS: the least that each user needs, and nothing that could be turned against the log.

A NATS permission is about the subject that a client publishes to. It says nothing about the *reply subject*
that the client asks for, and whoever answers publishes there: the tickets service, a consumer, the JetStream
API itself. Inside one NATS account, anyone who may send any request can therefore have its answer stored as
an event (reply `events.tickets.…`), and an empty answer, such as an error, delete a stream (reply
`$JS.API.STREAM.DELETE.…`); tests/credentials/test_reply_subjects.py shows the first, and that neither works
here. Two rules keep that shut:

- Those who only ask live in a NATS account of their own, OUTSIDE. The server gives a request that crosses
  accounts a reply subject of its own (`_R_.…`) and delivers the answer in the asker's account, where there
  is no log and no JetStream. See accounts.py for what crosses.
- No user has `allow_responses`, which lets a service publish to any reply subject whatever its other
  permissions say, a `deny` included. A service may publish to `_R_.>`, so it answers those outside only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.subjects import (
    OUTSIDE_DOMAIN,
    STREAMS,
    TICKETS,
    consumer_names,
    dead_letter,
    inbox_prefix,
    request,
    ticket_events,
)


class Zone(StrEnum):
    """The NATS account that a user lives in (not an account of a partner)."""

    SERVICES = "SERVICES"
    OUTSIDE = "OUTSIDE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """The subjects that a user may publish and subscribe to; whatever is not listed is denied."""

    zone: Zone
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def subscriber(user: str, account: str) -> Permissions:
    """Another system, which may follow the events of one account and do nothing else.

    Raises ValueError when a name could be more than one token of a subject.
    """
    for token in (user, account):
        if not re.fullmatch(r"[A-Za-z0-9_-]+", token):
            raise ValueError(f"{token!r} cannot be part of a subject")
    return Permissions(
        zone=Zone.OUTSIDE,
        publish=_follow(user, ticket_events(account, ">")),
        subscribe=(f"{inbox_prefix(user)}.>",),
    )


def _setup() -> Permissions:
    """Makes streams that are missing. It cannot change, empty or remove one."""
    verbs = ("CREATE", "INFO")
    return Permissions(
        zone=Zone.SERVICES,
        publish=tuple(f"$JS.API.STREAM.{verb}.{stream.name}" for stream in STREAMS for verb in verbs),
        subscribe=(f"{inbox_prefix('setup')}.>",),
    )


def _tickets() -> Permissions:
    """The only user that may append to the log of tickets."""
    return Permissions(
        zone=Zone.SERVICES,
        publish=(
            *TICKETS.subjects,
            dead_letter("tickets", "*"),
            f"$JS.API.STREAM.INFO.{TICKETS.name}",
            f"$JS.API.CONSUMER.CREATE.{TICKETS.name}.*.>",
            f"$JS.API.CONSUMER.DELETE.{TICKETS.name}.*",
            f"$JS.FC.{TICKETS.name}.>",
            "_R_.>",
        ),
        subscribe=(request("tickets", ">"), "$SRV.>", f"{inbox_prefix('tickets')}.>"),
    )


def _cli() -> Permissions:
    """The operator's terminal: may ask everything and follow everything."""
    return Permissions(
        zone=Zone.OUTSIDE,
        publish=(
            request("*", "*"),
            "$SRV.>",
            f"$JS.{OUTSIDE_DOMAIN}.API.STREAM.INFO.{TICKETS.name}",
            *_follow("cli", ">"),
        ),
        subscribe=(f"{inbox_prefix('cli')}.>",),
    )


def _follow(user: str, filter_: str) -> tuple[str, ...]:
    """What an ordered consumer (NATS ADR-17) takes, under the user's own names: create, flow control, delete.

    The filter is part of the subject, and the server refuses a request whose content names another one.
    """
    api = f"$JS.{OUTSIDE_DOMAIN}.API.CONSUMER"
    return tuple(
        subject
        for name in consumer_names(user)
        for subject in (
            f"{api}.CREATE.{TICKETS.name}.{name}.{filter_}",
            f"{api}.DELETE.{TICKETS.name}.{name}",
            f"$JS.FC.{TICKETS.name}.{name}.>",
        )
    )


USERS: Final = {"setup": _setup(), "tickets": _tickets(), "cli": _cli()}
"""Every user of the system itself. Other systems are added with `subscriber`."""
