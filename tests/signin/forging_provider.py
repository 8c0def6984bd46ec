"""A provider over real HTTP that is strict with us, and lies about people as a test tells it to."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID = "casetrail"
CLIENT_SECRET = "a-secret-of-this-client"

KEY = RSAKey.generate_key(2048, auto_kid=True)

Claims = dict[str, Any]


class ForgingProvider:
    """Checks the client, its redirect URI, PKCE, and that a code is used once. `forge` makes the ID token."""

    def __init__(self) -> None:
        self.issuer = ""
        self.key = KEY
        self.published = [self.key]
        self.claims: Claims = {
            "sub": "jan-1",
            "email": "jan@example.com",
            "email_verified": True,
            "name": "Jan Nowak",
            "locale": "pl-PL",
        }
        self.user_info: Claims = {}
        self.forge: Callable[[Claims], str] = self.sign
        self.metadata: dict[str, Any] = {}
        self.fetched: list[str] = []
        """The paths that were asked for, in order."""
        self.authorized: dict[str, str] = {}
        """The last query that a browser was sent with."""
        self._codes: dict[str, dict[str, str]] = {}

    def application(self, origin: str) -> Starlette:
        self.issuer = origin
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
            ]
        )

    def sign(self, claims: Claims, *, key: RSAKey | None = None, alg: str = "RS256") -> str:
        """As an honest provider signs."""
        key = key or self.key
        return jwt.encode({"alg": alg, "kid": key.kid}, claims, key, algorithms=[alg])

    async def _configuration(self, request: Request) -> Response:
        self.fetched.append(request.url.path)
        honest = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }
        return JSONResponse(honest | self.metadata)

    async def _jwks(self, request: Request) -> Response:
        self.fetched.append(request.url.path)
        return JSONResponse(KeySet(list(self.published)).as_dict())

    async def _authorize(self, request: Request) -> Response:
        self.authorized = asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(
            f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 303
        )

    async def _token(self, request: Request) -> Response:
        self.fetched.append(request.url.path)
        form = dict(parse_qsl((await request.body()).decode()))
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(proof).decode().rstrip("=") != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.claims,
        }
        return JSONResponse(
            {"access_token": "opaque", "token_type": "Bearer", "id_token": self.forge(claims)}
        )

    async def _userinfo(self, request: Request) -> Response:
        self.fetched.append(request.url.path)
        if request.headers.get("authorization") != "Bearer opaque":
            return JSONResponse({"error": "invalid_token"}, 401)
        return JSONResponse(self.user_info)
