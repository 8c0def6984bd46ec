"""What a provider publishes of itself: its endpoints and its keys, fetched when needed and kept for a while.

OpenID Connect Discovery 1.0, section 4; JSON Web Key Sets: RFC 7517, section 5.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import httpx2
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from services.signin.failures import Unavailable

KEPT_FOR_S: Final = 3600.0
NOT_AGAIN_WITHIN_S: Final = 30.0
"""Anybody can make up a token with a key id that we do not know: that must not become a flood of requests."""

_LARGEST: Final = 256 * 1024

log = structlog.get_logger()


def _endpoint(url: str) -> str:
    if urlsplit(url).scheme not in {"https", "http"} or not urlsplit(url).hostname:
        raise ValueError("is not an address")
    return url


Endpoint = Annotated[str, AfterValidator(_endpoint)]


class Metadata(BaseModel):
    """The part of a provider's configuration that we use."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issuer: str
    authorization_endpoint: Endpoint
    token_endpoint: Endpoint
    jwks_uri: Endpoint
    userinfo_endpoint: Endpoint | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    @property
    def is_encrypted(self) -> bool:
        """Whether everything that is sent to it, and comes from it, goes over TLS."""
        used = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri, self.userinfo_endpoint)
        return all(urlsplit(url).scheme == "https" for url in used if url is not None)


class Discovery:
    """The configuration and the keys of one provider. A copy that is too old serves on while it is away."""

    def __init__(
        self,
        issuer: str,
        http: httpx2.AsyncClient,
        *,
        plain_http: bool = False,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`plain_http`: endpoints without TLS are accepted, as the development provider has them."""
        self._issuer = issuer
        self._http = http
        self._plain_http = plain_http
        self._now_s = now_s
        self._metadata: Metadata | None = None
        self._metadata_again_at = 0.0
        self._keys: KeySet | None = None
        self._keys_fetched_at = 0.0
        self._fetching = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """The provider's configuration.

        Raises:
            Unavailable: it cannot be had, or is not that of our issuer.
        """
        async with self._fetching:
            if self._metadata is None or self._now_s() >= self._metadata_again_at:
                try:
                    self._metadata = await self._fetch_metadata()
                    self._metadata_again_at = self._now_s() + KEPT_FOR_S
                except Unavailable as reason:
                    if self._metadata is None:
                        raise
                    self._metadata_again_at = self._now_s() + NOT_AGAIN_WITHIN_S
                    log.warning("signin.provider_stale", reason=str(reason))
            return self._metadata

    async def keys(self, key_id: str | None) -> KeySet:
        """The provider's keys; fetched anew when the one of this id is not among those that we have.

        Raises:
            Unavailable: they cannot be had.
        """
        metadata = await self.metadata()
        async with self._fetching:
            age_s = self._now_s() - self._keys_fetched_at
            has_it = self._keys is not None and (key_id is None or key_id in {key.kid for key in self._keys})
            if self._keys is None or age_s >= (KEPT_FOR_S if has_it else NOT_AGAIN_WITHIN_S):
                try:
                    self._keys = await self._fetch_keys(metadata.jwks_uri)
                except Unavailable as reason:
                    if self._keys is None:
                        raise
                    log.warning("signin.keys_stale", reason=str(reason))
                self._keys_fetched_at = self._now_s()
            return self._keys

    async def _fetch_metadata(self) -> Metadata:
        document = await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            metadata = Metadata.model_validate(document)
        except ValidationError as invalid:
            broken = ", ".join(str(error["loc"][0]) for error in invalid.errors() if error["loc"])
            raise Unavailable(f"the provider's configuration is not valid: {broken}") from None
        if metadata.issuer != self._issuer:
            raise Unavailable(f"the provider calls itself {metadata.issuer!r}, not {self._issuer!r}")
        if not (metadata.is_encrypted or self._plain_http):
            raise Unavailable("the provider has endpoints without TLS")
        return metadata

    async def _fetch_keys(self, url: str) -> KeySet:
        document = await self._fetch(url)
        try:
            return KeySet.import_key_set(document)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Unavailable(f"the provider's keys cannot be read: {type(error).__name__}") from error

    async def _fetch(self, url: str) -> Any:
        try:
            response = await self._http.get(url, headers={"accept": "application/json"})
            response.raise_for_status()
            if len(response.content) > _LARGEST:
                raise Unavailable(f"{url} is larger than {_LARGEST} bytes")
            return response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise Unavailable(f"{url}: {type(error).__name__}: {error}") from error
