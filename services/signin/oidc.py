"""Signing in through an OpenID Connect provider: the authorization code flow with PKCE (RFC 7636).

OpenID Connect Core 1.0, section 3.1; against the mix-up of providers, RFC 9207.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]

from contracts.wording import LANGUAGES, Language
from services.signin.attempts import Attempt
from services.signin.discovery import Discovery, Metadata
from services.signin.failures import (
    Cancelled,
    EmailUnverified,
    IdentityUnproven,
    SignInFailed,
    Unavailable,
)
from services.signin.id_token import key_id, verified_claims
from services.signin.sessions import Clock, utc_now

SCOPE: Final = "openid email profile"
ANSWER_WITHIN_S: Final = 5.0
_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody, as the provider has proved it."""

    issuer: str
    subject: str
    email: str  # verified
    name: str | None
    language: Language | None


class Provider:
    """One provider, to which we are one client."""

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str | None,
        redirect_uri: str,
        plain_http: bool = False,
        clock: Clock = utc_now,
    ) -> None:
        """`plain_http`: endpoints without TLS are accepted, as the development provider has them."""
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._tls = ssl.create_default_context()
        self._http = httpx2.AsyncClient(verify=self._tls, timeout=ANSWER_WITHIN_S)
        self._discovery = Discovery(issuer, self._http, plain_http=plain_http)

    async def close(self) -> None:
        """Give back its connections."""
        await self._http.aclose()

    async def authorization_url(self, attempt: Attempt, language: Language) -> str:
        """Where the browser is sent to.

        Raises:
            Unavailable: the provider cannot be reached.
        """
        metadata = await self._discovery.metadata()
        async with self._client(metadata) as client:
            url, _ = client.create_authorization_url(
                metadata.authorization_endpoint,
                state=attempt.state,
                code_verifier=attempt.code_verifier,
                nonce=attempt.nonce,
                ui_locales=language,
            )
        return str(url)

    async def identify(self, attempt: Attempt, answer: Mapping[str, str]) -> Identity:
        """Who came back, by the query that the provider sent the browser back with; its state was checked.

        Raises:
            SignInFailed: as in the tree of `failures`.
        """
        metadata = await self._discovery.metadata()
        self._check_issuer(answer.get("iss"), metadata)
        if "error" in answer:
            raise _refused_by_provider(answer["error"])
        if not answer.get("code"):
            raise IdentityUnproven("the provider sent no code")
        token = await self._redeem(metadata, answer["code"], attempt)
        claims = await self._claims(token, attempt)
        if "email" not in claims and metadata.userinfo_endpoint is not None:
            claims |= await self._user_info(metadata.userinfo_endpoint, token, claims["sub"])
        return self._identity(claims)

    def _client(self, metadata: Metadata) -> AsyncOAuth2Client:
        """Of its own for each use: it keeps the last token that it was given."""
        return AsyncOAuth2Client(
            client_id=self._client_id,
            client_secret=self._client_secret,
            token_endpoint_auth_method=self._method(metadata),
            redirect_uri=self._redirect_uri,
            scope=SCOPE,
            code_challenge_method="S256",
            verify=self._tls,
            timeout=ANSWER_WITHIN_S,
        )

    def _method(self, metadata: Metadata) -> str:
        if self._client_secret is None:
            return "none"
        offered = metadata.token_endpoint_auth_methods_supported
        post_only = "client_secret_basic" not in offered and "client_secret_post" in offered
        return "client_secret_post" if post_only else "client_secret_basic"

    def _check_issuer(self, answered: str | None, metadata: Metadata) -> None:
        if answered is None and metadata.authorization_response_iss_parameter_supported:
            raise IdentityUnproven("iss: missing from the answer")
        if answered is not None and answered != self._issuer:
            raise IdentityUnproven("iss: the answer of another provider")

    async def _redeem(self, metadata: Metadata, code: str, attempt: Attempt) -> Mapping[str, Any]:
        async with self._client(metadata) as client:
            try:
                token: Mapping[str, Any] = await client.fetch_token(
                    metadata.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=attempt.code_verifier,
                )
            except OAuthError as refused:
                raise IdentityUnproven(f"the provider refused the code: {refused.error}") from None
            except (httpx2.HTTPError, ValueError) as error:
                # Without the cause: it would carry the request, and with it the code and our secret.
                raise Unavailable(f"the token endpoint: {type(error).__name__}") from None
        return token

    async def _claims(self, token: Mapping[str, Any], attempt: Attempt) -> dict[str, Any]:
        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise IdentityUnproven("the provider sent no ID token")
        return verified_claims(
            id_token,
            await self._discovery.keys(key_id(id_token)),
            issuer=self._issuer,
            client_id=self._client_id,
            nonce=attempt.nonce,
            started_at=attempt.started_at,
            now=self._clock(),
        )

    async def _user_info(self, endpoint: str, token: Mapping[str, Any], subject: str) -> dict[str, Any]:
        """Section 5.3 of the Core: some providers tell the address there only."""
        headers = {"authorization": f"Bearer {token.get('access_token')}", "accept": "application/json"}
        try:
            response = await self._http.get(endpoint, headers=headers)
            response.raise_for_status()
            found = response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise Unavailable(f"the userinfo endpoint: {type(error).__name__}") from None
        if not isinstance(found, dict) or found.get("sub") != subject:
            raise IdentityUnproven("userinfo: of another person")
        return {key: found[key] for key in ("email", "email_verified", "name", "locale") if key in found}

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            raise EmailUnverified("the provider has not verified an e-mail address")
        return Identity(
            issuer=self._issuer,
            subject=claims["sub"],
            email=email,
            name=_name(claims.get("name")),
            language=_language(claims.get("locale")),
        )


def _refused_by_provider(error: str) -> SignInFailed:
    if error in {"temporarily_unavailable", "server_error"}:
        return Unavailable(f"the provider answered {error}")
    # Whoever made the link chose the text: of what the specifications do not know nothing goes into the log.
    return Cancelled("the provider answered access_denied" if error == "access_denied" else "another error")


def _name(claim: object) -> str | None:
    if not isinstance(claim, str):
        return None
    shown = " ".join("".join(c if c.isprintable() else " " for c in claim).split())
    return shown[:_LONGEST_NAME].strip() or None


def _language(claim: object) -> Language | None:
    """From a BCP 47 tag; some providers write `pl_PL`."""
    if not isinstance(claim, str):
        return None
    primary = claim.replace("_", "-").partition("-")[0].lower()
    return next((language for language in LANGUAGES if language == primary), None)
