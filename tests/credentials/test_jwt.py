"""A JWT says what its issuer signed, and every change is seen. Whether servers agree: test_letting_in.py."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.credentials import jwt
from services.credentials.nkeys import KeyKind, KeyPair

ISSUED_AT = 1_763_800_000
USER = KeyPair.new(KeyKind.USER)
ACCOUNT = KeyPair.new(KeyKind.ACCOUNT)


def claims(**changed: Any) -> jwt.Claims:
    about: dict[str, Any] = {
        "name": "acme_sync",
        "account": ACCOUNT.public,
        "publish": ["a.b"],
        "subscribe": ["c.>"],
    }
    return jwt.user(USER.public, **about | changed)


def part(token: str, index: int) -> Any:
    text = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_a_user_jwt_as_nats_defines_it() -> None:
    token = jwt.encode(claims(), ACCOUNT, issued_at=ISSUED_AT)
    assert part(token, 0) == {"typ": "JWT", "alg": "ed25519-nkey"}
    content = part(token, 1)
    assert len(content.pop("jti")) == 52
    assert content == {
        "sub": USER.public,
        "iss": ACCOUNT.public,
        "iat": ISSUED_AT,
        "name": "acme_sync",
        "nats": {
            "type": "user",
            "version": 2,
            "issuer_account": ACCOUNT.public,
            "pub": {"allow": ["a.b"]},
            "sub": {"allow": ["c.>"]},
            "subs": -1,
            "data": -1,
            "payload": -1,
            "allowed_connection_types": ["STANDARD"],
        },
    }
    assert "=" not in token
    assert jwt.decode(token, ACCOUNT) == part(token, 1)


def test_no_permission_is_not_every_permission() -> None:
    assert claims(publish=[])["nats"]["pub"] == {"deny": [">"]}


def test_an_end_is_told_in_seconds() -> None:
    assert claims(expires=datetime(2026, 11, 23, 4, 0, 0, 999, tzinfo=UTC))["exp"] == 1_795_406_400
    assert "exp" not in claims()


def test_whatever_differs_has_another_id() -> None:
    ids = {
        part(jwt.encode(content, ACCOUNT, issued_at=at), 1)["jti"]
        for content in (claims(), claims(name="other"))
        for at in (ISSUED_AT, ISSUED_AT + 1)
    }
    assert len(ids) == 4


def test_the_same_is_the_same_whenever_it_was_signed() -> None:
    earlier = jwt.decode(jwt.encode(claims(), ACCOUNT, issued_at=ISSUED_AT), ACCOUNT)
    assert jwt.same(earlier, claims())
    assert not jwt.same(earlier, claims(publish=["a.c"]))


def changed(index: int, **values: Any) -> str:
    """A valid JWT, of which one part was changed afterwards."""
    parts = jwt.encode(claims(), ACCOUNT, issued_at=ISSUED_AT).split(".")
    content = {**part(".".join(parts), index), **values}
    parts[index] = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    return ".".join(parts)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c.d",
        "ż.ż.ż",
        changed(0, alg="none"),
        changed(1, sub=KeyPair.new(KeyKind.USER).public),
        jwt.encode(claims(), KeyPair.new(KeyKind.ACCOUNT), issued_at=ISSUED_AT),
        jwt.encode(claims(), ACCOUNT, issued_at=ISSUED_AT)[:-4],
        jwt.encode({"sub": USER.public, "nats": {"version": 1}}, ACCOUNT, issued_at=ISSUED_AT),
        jwt.encode({"sub": USER.public}, ACCOUNT, issued_at=ISSUED_AT),
    ],
    ids=[
        "empty",
        "two parts",
        "four parts",
        "no ASCII",
        "header",
        "subject",
        "issuer",
        "cut",
        "v1",
        "no claims",
    ],
)
def test_what_the_issuer_did_not_sign_is_refused(token: str) -> None:
    with pytest.raises(jwt.JwtInvalid) as refused:
        jwt.decode(token, ACCOUNT)
    assert not token or token not in str(refused.value)
