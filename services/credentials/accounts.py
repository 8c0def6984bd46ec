"""The users as nats-server is told of them: two NATS accounts, and what may cross from one to the other.

SERVICES has JetStream and with it the log. OUTSIDE has neither: what is not imported here does not exist
there, whatever a user's permissions say. permissions.py tells why there are two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts.subjects import OUTSIDE_DOMAIN, TICKETS, inbox_prefix, request
from services.credentials.permissions import Permissions, Zone

_API: Final = "$JS.API"

_ONE_ANSWER: Final = (
    request("*", "*"),
    f"{_API}.STREAM.INFO.{TICKETS.name}",
    f"{_API}.CONSUMER.CREATE.{TICKETS.name}.*.>",
    f"{_API}.CONSUMER.DELETE.{TICKETS.name}.*",
    f"$JS.FC.{TICKETS.name}.>",
)
_MANY_ANSWERS: Final = ("$SRV.>",)  # discovery: every instance answers
_DELIVERIES: Final = inbox_prefix(">")  # of consumers; each user may subscribe below its own name only


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsUser:
    """A user as the server knows it: by the public half of its nkey."""

    public_key: str
    permissions: Permissions

    def as_configuration(self) -> dict[str, Any]:
        """The user's entry in a nats-server configuration file."""
        return {
            "nkey": self.public_key,
            "permissions": {
                "publish": {"allow": list(self.permissions.publish)},
                "subscribe": {"allow": list(self.permissions.subscribe)},
            },
        }


def accounts_configuration(users: Sequence[NatsUser]) -> dict[str, Any]:
    """The `accounts` block of a nats-server configuration file."""
    outside = [Zone.OUTSIDE.value]
    return {
        Zone.SERVICES.value: {
            "jetstream": "enabled",
            "users": _in_zone(users, Zone.SERVICES),
            "exports": [
                *({"service": subject, "accounts": outside} for subject in _ONE_ANSWER),
                *({"service": s, "response_type": "stream", "accounts": outside} for s in _MANY_ANSWERS),
                {"stream": _DELIVERIES, "accounts": outside},
            ],
        },
        Zone.OUTSIDE.value: {
            "users": _in_zone(users, Zone.OUTSIDE),
            "imports": [
                *(_import_of_service(subject) for subject in (*_ONE_ANSWER, *_MANY_ANSWERS)),
                {"stream": {"account": Zone.SERVICES.value, "subject": _DELIVERIES}},
            ],
        },
    }


def _in_zone(users: Sequence[NatsUser], zone: Zone) -> list[dict[str, Any]]:
    return [user.as_configuration() for user in users if user.permissions.zone is zone]


def _import_of_service(subject: str) -> dict[str, Any]:
    imported: dict[str, Any] = {"service": {"account": Zone.SERVICES.value, "subject": subject}}
    if subject.startswith(f"{_API}."):
        imported["to"] = subject.replace(_API, f"$JS.{OUTSIDE_DOMAIN}.API", 1)
    return imported
