"""NATS JWT, version 2: who is trusted (operator), what an account has, what a user may.

A JWS of NATS's own algorithm: Ed25519 by nkeys, issuer and subject are public nkeys.
Source: https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from services.credentials.nkeys import KeyPair

_HEADER: Final = {"typ": "JWT", "alg": "ed25519-nkey"}
_VERSION: Final = 2
_UNLIMITED: Final = -1

Claims = dict[str, Any]


class JwtInvalid(Exception):
    """A text is not a JWT that this issuer signed. `str()` never shows the text."""


def operator(subject: str, *, name: str, system_account: str) -> Claims:
    """What a server is told of whom it trusts."""
    return _claims("operator", subject, name, system_account=system_account)


def account(
    subject: str,
    *,
    name: str,
    signing_keys: Sequence[str],
    exports: Sequence[Claims],
    imports: Sequence[Claims],
    jetstream: bool,
    revocations: Mapping[str, int],
) -> Claims:
    """What an account has. What any of its `signing_keys` signs is valid. `revocations`: a user's key, and
    the Unix second up to which what it was issued is void."""
    stored = _UNLIMITED if jetstream else 0
    limits = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn"), _UNLIMITED)
    limits |= {"mem_storage": stored, "disk_storage": stored, "streams": stored, "consumer": stored}
    return _claims(
        "account",
        subject,
        name,
        exports=list(exports),
        imports=list(imports),
        limits={**limits, "leaf": 0, "wildcards": True, "disallow_bearer": True},
        signing_keys=list(signing_keys),
        revocations=dict(revocations),
    )


def user(
    subject: str,
    *,
    name: str,
    account: str,
    publish: Sequence[str],
    subscribe: Sequence[str],
    expires: datetime | None = None,
) -> Claims:
    """What a user may. An empty list means nothing."""
    claims = _claims(
        "user",
        subject,
        name,
        issuer_account=account,
        pub=_only(publish),
        sub=_only(subscribe),
        subs=_UNLIMITED,
        data=_UNLIMITED,
        payload=_UNLIMITED,
        allowed_connection_types=["STANDARD"],
    )
    return claims if expires is None else {**claims, "exp": int(expires.timestamp())}


def encode(claims: Claims, issuer: KeyPair, *, issued_at: int) -> str:
    """The claims, signed. `issued_at` is a Unix second."""
    dated = {**claims, "iss": issuer.public, "iat": issued_at}
    # Servers take two JWTs of one id for the same, so the id must differ whenever anything does.
    identity = base64.b32encode(hashlib.sha256(_json(dated)).digest()).decode().rstrip("=")
    signed = f"{_encoded(_json(_HEADER))}.{_encoded(_json({**dated, 'jti': identity}))}"
    return f"{signed}.{_encoded(issuer.sign(signed.encode()))}"


def decode(token: str, issuer: KeyPair) -> Claims:
    """The claims of a JWT that this key signed. Whether they still hold is for the reader to say.

    Raises JwtInvalid.
    """
    signed, _, signature = token.strip().rpartition(".")
    header, _, payload = signed.partition(".")
    try:
        if not issuer.has_signed(signed.encode(), _decoded(signature)):
            raise JwtInvalid(f"not signed by {issuer.public}")
        claims: Claims = json.loads(_decoded(payload))
        known = json.loads(_decoded(header)) == _HEADER and claims["nats"]["version"] == _VERSION
    except (ValueError, LookupError, TypeError):
        raise JwtInvalid("not a NATS JWT") from None
    if not known:
        raise JwtInvalid(f"not a NATS JWT of version {_VERSION}")
    return claims


def same(one: Claims, other: Claims) -> bool:
    """Whether both say the same, whenever and by whichever key it was said."""
    when = {"iat", "iss", "jti"}
    return {k: v for k, v in one.items() if k not in when} == {
        k: v for k, v in other.items() if k not in when
    }


def _claims(kind: str, subject: str, name: str, **content: Any) -> Claims:
    return {"sub": subject, "name": name, "nats": {**content, "type": kind, "version": _VERSION}}


def _only(subjects: Sequence[str]) -> Claims:
    return {"allow": list(subjects)} if subjects else {"deny": [">"]}  # to the server, no list is no limit


def _json(content: Claims) -> bytes:
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
