"""Admitting an account: one command of an agent, two events, each under a command id that follows from it.

A process that dies between the two leaves an account without anybody; the same command again finds the first
of them done, does the second, and has the answer that it would have had.
"""

from __future__ import annotations

import hashlib
from typing import Final

from contracts.access.requests import AdmitAccount, InviteMember, RegisterAccount
from contracts.access.roles import MemberRole

_DIGEST_CHARACTERS: Final = 40


def parts(request: AdmitAccount) -> tuple[RegisterAccount, InviteMember]:
    """What is done first, and what is done then. Whoever follows the log sees by the correlation id that the
    two belong together."""
    correlation_id = request.correlation_id or request.command_id
    register = RegisterAccount(
        command_id=_derived("register", request.command_id),
        account=request.account,
        actor=request.actor,
        via=request.via,
        correlation_id=correlation_id,
        name=request.name,
        languages=request.languages,
    )
    invite = InviteMember(
        command_id=_derived("invite", request.command_id),
        account=request.account,
        actor=request.actor,
        via=request.via,
        correlation_id=correlation_id,
        email=request.email,
        role=MemberRole.ADMIN,
    )
    return register, invite


def _derived(part: str, command_id: str) -> str:
    """Always the same; a hash, because the caller's id may be as long as an id can be."""
    digest = hashlib.sha256(f"admit\0{part}\0{command_id}".encode()).hexdigest()
    return f"admit.{part}.{digest[:_DIGEST_CHARACTERS]}"
