"""Whether somebody may ask for a change: by the table of the contract, on the state that is to change.

So somebody who is removed at the same moment as it asks either was still a member, or is refused: the log
decides which. Who holds nothing in an account is told that there is none.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, assert_never

from contracts.access import roles
from contracts.access.requests import TERMINAL
from contracts.access.roles import Permission, Permissions
from services.access.account import Account, AccountNotFound
from services.access.account import Role as MemberRole
from services.access.domain import Actor, Capacity, NotPermitted, PersonId
from services.access.person import Role as PlatformRole

OPERATORS_TERMINAL: Final = Actor(Capacity.SYSTEM, TERMINAL)
"""Only the terminal's own NATS user can speak for it (`runtime.requests` checks), and who has that user's
credentials runs the system."""


def of_platform(platform: Collection[PlatformRole]) -> Permissions:
    """What platform roles give."""
    return roles.of_platform(roles.PlatformRole(role.value) for role in platform)


def of_member(role: MemberRole | None) -> Permissions:
    """What a role in an account gives there; None: no member."""
    return roles.of_member(None if role is None else roles.MemberRole(role.value))


def held(actor: Actor, account: Account | None, platform: Collection[PlatformRole]) -> Permissions:
    """What the actor, who has these platform roles, may in the account; None: in none."""
    if actor == OPERATORS_TERMINAL:
        return roles.OWN_SYSTEMS[TERMINAL]
    match actor.capacity:
        case Capacity.MEMBER:
            return of_member(None if account is None else account.members.get(PersonId(actor.id)))
        case Capacity.AGENT:
            return of_platform(platform)
        case Capacity.SYSTEM:  # nothing that a credential gives is needed for any command here
            return roles.NOTHING
        case _:
            assert_never(actor.capacity)


def check(
    permission: Permission, actor: Actor, account: Account | None, platform: Collection[PlatformRole]
) -> None:
    """Raises NotPermitted, or AccountNotFound to who holds nothing there."""
    permissions = held(actor, account, platform)
    if permission in permissions:
        return
    raise NotPermitted if permissions else AccountNotFound


def check_platform(permission: Permission, actor: Actor, platform: Collection[PlatformRole]) -> None:
    """For what is no account's. Raises NotPermitted."""
    if permission not in held(actor, None, platform):
        raise NotPermitted
