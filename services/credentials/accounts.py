"""The NATS accounts, and what may cross from one to the other.

SERVICES has JetStream and with it the log. OUTSIDE has neither: what is not imported here does not exist
there, whatever a user's permissions say. permissions.py tells why there are two. SYS is the server's own, in
which it takes changed accounts; nobody lives there for longer than that takes.

Exports need no activation token: an account exists only if our operator signed it, and so do its imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts.subjects import (
    ACCESS,
    DEAD_LETTERS,
    OUTSIDE_DOMAIN,
    READ_MARKS,
    SESSIONS,
    SESSIONS_STREAM,
    TICKETS,
    bucket_stream,
    inbox_prefix,
    request,
    system_request,
)
from services.credentials import jwt
from services.credentials.permissions import Zone

_API: Final = "$JS.API"

_ONE_ANSWER: Final = (
    request("*", "*"),
    system_request("*", "*", "*"),
    f"{_API}.INFO",
    f"{_API}.STREAM.INFO.*",
    f"{_API}.CONSUMER.LIST.*",
    *(
        subject
        for stream in (TICKETS, ACCESS)
        for subject in (
            f"{_API}.CONSUMER.CREATE.{stream.name}.*.>",
            f"{_API}.CONSUMER.DELETE.{stream.name}.*",
            f"$JS.FC.{stream.name}.>",
        )
    ),
    f"{_API}.STREAM.MSG.GET.{DEAD_LETTERS.name}",
    f"$KV.{SESSIONS}.>",
    f"{_API}.STREAM.MSG.GET.{SESSIONS_STREAM}",
    f"$KV.{READ_MARKS}.>",
    f"{_API}.STREAM.MSG.GET.{bucket_stream(READ_MARKS)}",
)
_MANY_ANSWERS: Final = ("$SRV.>",)  # discovery: every instance answers
_DELIVERIES: Final = inbox_prefix(">")  # of consumers; each user may subscribe below its own name only


def account_claims(
    zone: Zone, *, keys: Mapping[Zone, str], signing_keys: Sequence[str], revocations: Mapping[str, int]
) -> jwt.Claims:
    """What the account of a zone has. `keys` are the public keys by which the server knows the accounts."""
    return jwt.account(
        keys[zone],
        name=zone.value,
        signing_keys=signing_keys,
        exports=_exports() if zone is Zone.SERVICES else [],
        imports=_imports(keys[Zone.SERVICES]) if zone is Zone.OUTSIDE else [],
        jetstream=zone is Zone.SERVICES,
        revocations=revocations,
    )


def _exports() -> list[dict[str, Any]]:
    return [
        *({"subject": subject, "type": "service"} for subject in _ONE_ANSWER),
        *({"subject": s, "type": "service", "response_type": "Stream"} for s in _MANY_ANSWERS),
        {"subject": _DELIVERIES, "type": "stream"},
    ]


def _imports(services: str) -> list[dict[str, Any]]:
    return [
        *(_import_of_service(services, subject) for subject in (*_ONE_ANSWER, *_MANY_ANSWERS)),
        {"account": services, "subject": _DELIVERIES, "type": "stream"},
    ]


def _import_of_service(services: str, subject: str) -> dict[str, Any]:
    imported = {"account": services, "subject": subject, "type": "service", "local_subject": subject}
    if subject.startswith(f"{_API}."):
        imported["local_subject"] = subject.replace(_API, f"$JS.{OUTSIDE_DOMAIN}.API", 1)
    return imported
