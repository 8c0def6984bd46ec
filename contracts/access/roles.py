"""Who may do what: roles, permissions, and the one table between them. Plain data and pure functions.

A person acts in one of two capacities, and each request says in which (`contracts.envelope.ActorKind`):

    member:<person>  with what the membership in the account at hand gives
    agent:<person>   for the platform, with what the person's platform roles give, in every account
    system:<user>    a program, with what its credential may, in the credential's own account

The capacities do not add up: an agent who is also a member of an account says as which of the two it acts.
A role that is not in the table gives nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class MemberRole(StrEnum):
    """What somebody is in an account."""

    MEMBER = "member"
    ADMIN = "admin"


class PlatformRole(StrEnum):
    """What somebody is for the platform, with regard to every account."""

    AGENT = "agent"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class SystemMay(StrEnum):
    """What a credential was created for."""

    SUBSCRIBE = "subscribe"  # follow the account's events, which takes no request
    READ = "read"
    WRITE = "write"


class Permission(StrEnum):
    """What a request needs."""

    TICKET_OPEN = "ticket_open"
    TICKET_READ = "ticket_read"
    TICKET_REPLY = "ticket_reply"
    TICKET_CLOSE = "ticket_close"
    TICKET_REOPEN = "ticket_reopen"
    PEOPLE_READ = "people_read"
    PEOPLE_MANAGE = "people_manage"
    ACCOUNT_ADMIT = "account_admit"  # make an account of a company that asked to become a partner
    ACCOUNT_MANAGE = "account_manage"  # register and change accounts, and their systems' credentials
    AUDIT_READ = "audit_read"  # everything that ever happened
    PLATFORM_MANAGE = "platform_manage"  # appoint and dismiss
    MAIL_READ = "mail_read"  # which e-mails were sent to whom, and which came in
    MAIL_MANAGE = "mail_manage"  # send again what was given up, settle what came in


ADDED_LATER: Final = frozenset({Permission.ACCOUNT_ADMIT, Permission.MAIL_READ, Permission.MAIL_MANAGE})
"""Readers of the first version take an answer that names another permission for broken, so these stand apart
(`contracts.access.requests.Grant.further`)."""

Permissions = frozenset[Permission]

NOTHING: Final[Permissions] = frozenset()

_TICKETS: Final = frozenset(
    {
        Permission.TICKET_OPEN,
        Permission.TICKET_READ,
        Permission.TICKET_REPLY,
        Permission.TICKET_CLOSE,
        Permission.TICKET_REOPEN,
    }
)

_MAIL: Final = frozenset({Permission.MAIL_READ, Permission.MAIL_MANAGE})

MEMBERS: Final[Mapping[MemberRole, Permissions]] = MappingProxyType(
    {
        MemberRole.MEMBER: _TICKETS | {Permission.PEOPLE_READ},
        MemberRole.ADMIN: _TICKETS | {Permission.PEOPLE_READ, Permission.PEOPLE_MANAGE},
    }
)

PLATFORM: Final[Mapping[PlatformRole, Permissions]] = MappingProxyType(
    {
        PlatformRole.AGENT: _TICKETS | _MAIL | {Permission.PEOPLE_READ, Permission.ACCOUNT_ADMIT},
        PlatformRole.AUDITOR: frozenset(
            {
                Permission.TICKET_READ,
                Permission.PEOPLE_READ,
                Permission.AUDIT_READ,
                Permission.MAIL_READ,
            }
        ),
        PlatformRole.OPERATOR: frozenset(
            {
                Permission.ACCOUNT_ADMIT,
                Permission.ACCOUNT_MANAGE,
                Permission.PLATFORM_MANAGE,
                Permission.PEOPLE_READ,
                Permission.PEOPLE_MANAGE,
            }
        )
        | _MAIL,
    }
)

SYSTEMS: Final[Mapping[SystemMay, Permissions]] = MappingProxyType(
    {
        SystemMay.SUBSCRIBE: NOTHING,
        SystemMay.READ: frozenset({Permission.TICKET_READ}),
        SystemMay.WRITE: _TICKETS,
    }
)

OWN_SYSTEMS: Final[Mapping[str, Permissions]] = MappingProxyType(
    {
        # The operator's terminal, whose credentials whoever runs the system holds: what an operator may, and
        # what an auditor may. What people write on tickets it writes only as one of them (`--as`).
        "cli": PLATFORM[PlatformRole.OPERATOR] | PLATFORM[PlatformRole.AUDITOR],
    }
)
"""What programs of Casetrail itself may do in every account, by their NATS user, without a credential."""


def of_member(role: MemberRole | None) -> Permissions:
    """What a role in an account gives there; None: no member."""
    return NOTHING if role is None else MEMBERS.get(role, NOTHING)


def of_platform(roles: Iterable[PlatformRole]) -> Permissions:
    """What platform roles together give, in every account."""
    return NOTHING.union(*(PLATFORM.get(role, NOTHING) for role in roles))


def of_system(may: Iterable[SystemMay]) -> Permissions:
    """What a credential gives, in its own account."""
    return NOTHING.union(*(SYSTEMS.get(each, NOTHING) for each in may))
