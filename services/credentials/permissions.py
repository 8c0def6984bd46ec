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
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.access.roles import SystemMay
from contracts.access.systems import system_user
from contracts.subjects import (
    ACCESS,
    ATTACHMENTS,
    BUCKETS,
    DEAD_LETTERS,
    DRAFTS,
    INTAKE,
    INTERESTS,
    LIMITS,
    MAIL,
    NOTIFY,
    OBJECT_STORES,
    OUTSIDE_DOMAIN,
    READ_MARKS,
    RESTORING,
    SESSIONS,
    SESSIONS_STREAM,
    STREAMS,
    TICKETS,
    UPLOADS,
    Stream,
    account_events,
    bucket_stream,
    consumer_names,
    dead_letter,
    inbox_prefix,
    object_stream,
    received_events,
    request,
    submission_events,
    system_request,
    ticket_events,
)
from services.backup.contents import CONTENTS


class Zone(StrEnum):
    """The NATS account that a user lives in (not an account of a partner)."""

    SERVICES = "SERVICES"
    OUTSIDE = "OUTSIDE"
    SYSTEM = "SYS"
    """The server's own account, in which it takes changed accounts. No user of it is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """The subjects that a user may publish and subscribe to; whatever is not listed is denied."""

    zone: Zone
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


_READING: Final = ("get", "history", "list", "lookup", "topics")
_WRITING: Final = ("open", "reply", "close", "reopen")
_REQUESTS: Final = {
    SystemMay.SUBSCRIBE: (),
    SystemMay.READ: _READING,
    SystemMay.WRITE: (*_READING, *_WRITING),
}


def system(account: str, name: str, may: Collection[SystemMay]) -> Permissions:
    """Another system, in one account: it may follow the events, or send requests under its own name.

    Raises ValueError when a name could be more than one token of a subject.
    """
    user = system_user(account, name)
    named = sorted({request for each in may for request in _REQUESTS[each]})
    requests = tuple(system_request(user, "tickets", request) for request in named)
    followed = _follow(user, ticket_events(account, ">")) if SystemMay.SUBSCRIBE in may else ()
    return _outside(user, account, (*followed, *requests))


def subscriber(user: str, account: str) -> Permissions:
    """Who may follow the events of one account, under any name, and do nothing else.

    Raises ValueError when a name could be more than one token of a subject.
    """
    return _outside(user, account, _follow(user, ticket_events(account, ">")))


def _outside(user: str, account: str, publish: tuple[str, ...]) -> Permissions:
    for token in (user, account):
        if not re.fullmatch(r"[A-Za-z0-9_-]+", token):
            raise ValueError(f"{token!r} cannot be part of a subject")
    return Permissions(zone=Zone.OUTSIDE, publish=publish, subscribe=(f"{inbox_prefix(user)}.>",))


_EVERY_STREAM: Final = (
    *(stream.name for stream in STREAMS),
    *(bucket_stream(bucket) for bucket in BUCKETS),
    *(object_stream(store) for store in OBJECT_STORES),
)


def _setup() -> Permissions:
    """Makes streams that are missing. It cannot change, empty or remove one."""
    verbs = ("CREATE", "INFO")
    return Permissions(
        zone=Zone.SERVICES,
        publish=(
            *(f"$JS.API.STREAM.{verb}.{name}" for name in _EVERY_STREAM for verb in verbs),
            f"$JS.API.STREAM.INFO.{RESTORING.name}",
        ),
        subscribe=(f"{inbox_prefix('setup')}.>",),
    )


def _backup() -> Permissions:
    """Reads everything that a backup holds, and changes nothing: no consumer, either."""
    return Permissions(
        zone=Zone.SERVICES,
        publish=(
            *(
                f"$JS.API.{verb}.{kept.stream}"
                for kept in CONTENTS
                for verb in ("STREAM.INFO", "STREAM.SNAPSHOT", "STREAM.MSG.GET", "DIRECT.GET")
            ),
            "$JS.SNAPSHOT.ACK.>",
        ),
        subscribe=(f"{inbox_prefix('backup')}.>",),
    )


def _tickets() -> Permissions:
    """The only user that may append to the log of tickets."""
    return Permissions(
        zone=Zone.SERVICES,
        publish=(
            *TICKETS.subjects,
            *_keep_a_copy_of(TICKETS),
            *_keep_a_copy_of(ACCESS),
            *_react_to(INTAKE, submission_events("*", "*"), service="tickets", durable="tickets-submissions"),
            *_look_up_uploads(),
            "_R_.>",
        ),
        subscribe=(
            request("tickets", ">"),
            system_request("*", "tickets", ">"),
            "$SRV.>",
            f"{inbox_prefix('tickets')}.>",
        ),
    )


def _access() -> Permissions:
    """The only user that may append to the log of access."""
    return Permissions(
        zone=Zone.SERVICES,
        publish=(*ACCESS.subjects, *_keep_a_copy_of(ACCESS), "_R_.>"),
        subscribe=(
            request("access", ">"),
            system_request("*", "access", ">"),
            "$SRV.>",
            f"{inbox_prefix('access')}.>",
        ),
    )


def _intake() -> Permissions:
    """The only user that may append to the log of intake; it keeps drafts and interest forms."""
    return Permissions(
        zone=Zone.SERVICES,
        publish=(
            *INTAKE.subjects,
            *_keep_a_copy_of(INTAKE),
            *_keep_a_copy_of(ACCESS),
            *(subject for bucket in (DRAFTS, INTERESTS, LIMITS) for subject in _keep_values_in(bucket)),
            *_look_up_uploads(),
            "_R_.>",
        ),
        subscribe=(
            request("intake", ">"),
            system_request("*", "intake", ">"),
            "$SRV.>",
            f"{inbox_prefix('intake')}.>",
        ),
    )


def _attachments() -> Permissions:
    """The only user that may write files; it reads which of them a ticket has."""
    return Permissions(
        zone=Zone.SERVICES,
        publish=(
            *(
                subject
                for store in (UPLOADS, ATTACHMENTS)
                for subject in (
                    f"$O.{store}.C.*",
                    f"$O.{store}.M.*",
                    f"$JS.API.STREAM.MSG.GET.{object_stream(store)}",
                )
            ),
            *_keep_values_in(LIMITS),
            *_keep_a_copy_of(ACCESS),
            *_react_to(TICKETS, ticket_events("*", "*"), service="attachments", durable="attachments-keeper"),
            "_R_.>",
        ),
        subscribe=(
            request("attachments", ">"),
            system_request("*", "attachments", ">"),
            "$SRV.>",
            f"{inbox_prefix('attachments')}.>",
        ),
    )


def _notify() -> Permissions:
    """The only user that may append to the log of e-mails, and keep those that come in; it reads which
    interest forms wait. What it asks of other services it asks as `notify-requests`."""
    interests = Stream(name=bucket_stream(INTERESTS), subjects=(f"$KV.{INTERESTS}.>",), description="")
    return Permissions(
        zone=Zone.SERVICES,
        publish=(
            *NOTIFY.subjects,
            *_keep_a_copy_of(NOTIFY),
            *_keep_a_copy_of(ACCESS),
            *_keep_a_copy_of(TICKETS),
            *_react_to(TICKETS, ticket_events("*", "*"), service="notify", durable="notify-updates"),
            *_react_to(interests, interests.subjects[0], service="notify", durable="notify-interests"),
            *_react_to(ACCESS, account_events("*"), service="notify", durable="notify-invitations"),
            *_react_to(NOTIFY, received_events("*"), service="notify", durable="notify-received"),
            f"$O.{MAIL}.C.*",
            f"$O.{MAIL}.M.*",
            f"$JS.API.STREAM.MSG.GET.{object_stream(MAIL)}",
            "_R_.>",
        ),
        subscribe=(
            request("notify", ">"),
            system_request("*", "notify", ">"),
            "$SRV.>",
            f"{inbox_prefix('notify')}.>",
        ),
    )


def _notify_requests() -> Permissions:
    """Writes what came in by e-mail on its ticket, in the name of its sender."""
    return Permissions(
        zone=Zone.OUTSIDE,
        publish=(request("tickets", "reply"), request("attachments", "upload")),
        subscribe=(f"{inbox_prefix('notify-requests')}.>",),
    )


def _react_to(stream: Stream, filter_: str, *, service: str, durable: str) -> tuple[str, ...]:
    """What a service takes to handle the events of a subject, its replicas sharing one durable consumer."""
    return (
        f"$JS.API.CONSUMER.CREATE.{stream.name}.{durable}.{filter_}",
        f"$JS.API.CONSUMER.INFO.{stream.name}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream.name}.{durable}",
        f"$JS.ACK.{stream.name}.{durable}.>",
        f"$JS.API.STREAM.MSG.GET.{stream.name}",  # of an event that is handled again
        dead_letter(service, stream.name),
    )


def _keep_values_in(bucket: str) -> tuple[str, ...]:
    """What a service takes to read and write a key-value bucket. Old values go by their age only."""
    return (
        f"$KV.{bucket}.>",
        f"$JS.API.STREAM.INFO.{bucket_stream(bucket)}",
        f"$JS.API.STREAM.MSG.GET.{bucket_stream(bucket)}",
    )


def _look_up_uploads() -> tuple[str, ...]:
    """What a service takes to learn whose an upload is; its content it does not get."""
    return (f"$JS.API.STREAM.MSG.GET.{object_stream(UPLOADS)}",)


def _keep_a_copy_of(stream: Stream) -> tuple[str, ...]:
    """What a service takes to follow a stream, each of its replicas under a name that it draws itself."""
    return (
        f"$JS.API.STREAM.INFO.{stream.name}",
        f"$JS.API.CONSUMER.CREATE.{stream.name}.*.>",
        f"$JS.API.CONSUMER.DELETE.{stream.name}.*",
        f"$JS.FC.{stream.name}.>",
    )


def _cli() -> Permissions:
    """The operator's terminal: may ask everything, for people and for itself, and follow everything."""
    return Permissions(
        zone=Zone.OUTSIDE,
        publish=(
            request("*", "*"),
            system_request("cli", "*", "*"),
            "$SRV.>",
            f"$JS.{OUTSIDE_DOMAIN}.API.INFO",  # these are for `casetrail doctor`
            f"$JS.{OUTSIDE_DOMAIN}.API.STREAM.INFO.*",
            f"$JS.{OUTSIDE_DOMAIN}.API.CONSUMER.LIST.*",
            f"$JS.{OUTSIDE_DOMAIN}.API.STREAM.MSG.GET.{DEAD_LETTERS.name}",
            *_follow("cli", ">"),
        ),
        subscribe=(f"{inbox_prefix('cli')}.>",),
    )


def _portal() -> Permissions:
    """Speaks for the people who signed in; follows who may do what, and which tickets have news."""
    api = f"$JS.{OUTSIDE_DOMAIN}.API"
    return Permissions(
        zone=Zone.OUTSIDE,
        publish=(
            *(request(service, "*") for service in ("access", "attachments", "intake", "notify", "tickets")),
            *(f"{api}.STREAM.INFO.{name}" for name in (ACCESS.name, TICKETS.name, SESSIONS_STREAM)),
            *_follow("portal", ">"),
            *_follow("portal", ">", stream=ACCESS),
            *(f"$KV.{bucket}.>" for bucket in (SESSIONS, READ_MARKS)),
            *(f"{api}.STREAM.MSG.GET.{bucket_stream(bucket)}" for bucket in (SESSIONS, READ_MARKS)),
        ),
        subscribe=(f"{inbox_prefix('portal')}.>",),
    )


def _follow(user: str, filter_: str, stream: Stream = TICKETS) -> tuple[str, ...]:
    """What an ordered consumer (NATS ADR-17) takes, under the user's own names: create, flow control, delete.

    The filter is part of the subject, and the server refuses a request whose content names another one.
    """
    api = f"$JS.{OUTSIDE_DOMAIN}.API.CONSUMER"
    return tuple(
        subject
        for name in consumer_names(user)
        for subject in (
            f"{api}.CREATE.{stream.name}.{name}.{filter_}",
            f"{api}.DELETE.{stream.name}.{name}",
            f"$JS.FC.{stream.name}.{name}.>",
        )
    )


USERS: Final = {
    "setup": _setup(),
    "backup": _backup(),
    "tickets": _tickets(),
    "access": _access(),
    "intake": _intake(),
    "attachments": _attachments(),
    "notify": _notify(),
    "notify-requests": _notify_requests(),
    "cli": _cli(),
    "portal": _portal(),
}
"""Every user of Casetrail itself. Other systems get theirs by `system`."""

ACCOUNTS_USER_NAME: Final = "credentials"
ACCOUNTS_USER: Final = Permissions(
    zone=Zone.SYSTEM,
    publish=("$SYS.REQ.CLAIMS.UPDATE",),
    subscribe=(f"{inbox_prefix(ACCOUNTS_USER_NAME)}.>",),
)
"""Hands a changed account to the servers; see push.py."""

RESTORE_USER_NAME: Final = "restore"
RESTORE_USER: Final = Permissions(
    zone=Zone.SERVICES,
    publish=(
        "$JS.API.STREAM.INFO.*",
        "$JS.API.STREAM.CREATE.*",
        "$JS.API.STREAM.DELETE.*",
        "$JS.API.STREAM.RESTORE.*",
        "$JS.API.STREAM.MSG.GET.*",
        "$JS.API.DIRECT.GET.*",
        "$JS.SNAPSHOT.RESTORE.>",
    ),
    subscribe=(f"{inbox_prefix(RESTORE_USER_NAME)}.>",),
)
"""Fills an empty system. It may delete streams, so its credentials are made for one restore, never kept."""
