"""Whether an ID token proves who somebody is (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.signin.failures import IdentityUnproven

ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
)
"""Public keys only. With HMAC whoever may verify may also forge, and `none` proves nothing."""

LEEWAY: Final = timedelta(seconds=60)
"""By how much our clock and the provider's may differ."""

_LONGEST_SUBJECT: Final = 128


def key_id(token: str) -> str | None:
    """The id of the key that the token says it is signed with. Proves nothing yet.

    Raises:
        IdentityUnproven: it is not a signed token.
    """
    try:
        found = jws.extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError, TypeError) as error:
        raise IdentityUnproven(f"not a signed token: {type(error).__name__}") from error
    return found if isinstance(found, str) else None


def verified_claims(
    token: str,
    keys: KeySet,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    started_at: datetime,
    now: datetime,
) -> dict[str, Any]:
    """What the token says, once it is certain that the provider says so, to us, and in answer to our asking.

    Raises:
        IdentityUnproven: the signature or a claim is not as it must be.
    """
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=int(LEEWAY.total_seconds()),
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise IdentityUnproven(f"{type(error).__name__}: {error}") from error
    _check_authorized_party(claims, client_id)
    if claims["nonce"] != nonce:  # the registry takes a list that holds it, too
        raise IdentityUnproven("nonce is not text")
    if claims["iat"] < (started_at - LEEWAY).timestamp():
        raise IdentityUnproven("issued before the person was sent to the provider")
    _check_subject(claims["sub"])
    return claims


def _check_authorized_party(claims: dict[str, Any], client_id: str) -> None:
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    party = claims.get("azp")
    if (several or party is not None) and party != client_id:
        raise IdentityUnproven("azp: issued to another client")


def _check_subject(subject: str) -> None:
    if not (
        subject.isascii() and subject.isprintable() and subject.strip() and len(subject) <= _LONGEST_SUBJECT
    ):
        raise IdentityUnproven(f"sub: not 1 to {_LONGEST_SUBJECT} printable ASCII characters")
