"""The names of other systems: a credential's name within its account, and its NATS user over all of them."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import StringConstraints

_SEPARATOR: Final = "_"  # stands in no account's id

SystemName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
"""What a credential is called within its account."""

SystemUser = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,31}_[a-z0-9][a-z0-9-]{0,30}$")]
"""The NATS user of a credential, and the id with which the system acts (`system:acme_sync`)."""

PublicKey = Annotated[str, StringConstraints(pattern=r"^U[A-Z2-7]{55}$")]
"""The public half of a NATS user's nkey."""


def system_user(account: str, name: str) -> str:
    """The NATS user of an account's system. No two systems of any accounts have the same."""
    return f"{account}{_SEPARATOR}{name}"


def account_of(user: str) -> str | None:
    """The account whose system this is; None for a user of Casetrail itself."""
    account, separator, _ = user.partition(_SEPARATOR)
    return account if separator else None
