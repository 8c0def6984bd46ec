"""What signing in is told by the environment, for whichever service mounts it."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from services.runtime.settings import ReadableFile, RuntimeSettings, SettingsInvalid, problem

LEAST_KEY_CHARACTERS: Final = 32


def is_loopback(host: str | None) -> bool:
    """Whether nobody but this machine can be behind the name."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is https://host, with a port and a path where they are needed")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("has no query, no fragment and no user")
    if parts.port == 0:  # reading it raises ValueError when it is no port at all
        raise ValueError("a port is between 1 and 65535")
    return url


Address = Annotated[str, AfterValidator(_address)]


class SignInSettings(RuntimeSettings):
    """The settings of a service that people sign in to.

    In production everything is https. The development provider, which believes whatever name one gives, is
    accepted only where both `CASETRAIL_ENV` and `CASETRAIL_OIDC_DEVELOPMENT` say so, and on this machine.
    """

    env: Literal["production", "development"] = Field(
        default="production",
        description="`development` allows plain http and the development provider, on loopback addresses.",
    )
    oidc_development: bool = Field(
        default=False,
        description="`true`: the provider is the development provider. Refused in production.",
    )
    public_url: Address | None = Field(
        default=None,
        description="Address under which people's browsers reach this service: `https://support.example`.",
    )
    oidc_issuer: Address | None = Field(
        default=None,
        description="Issuer of the OpenID Connect provider, exactly as its own documents spell it.",
    )
    oidc_client_id: str = Field(
        default="casetrail", min_length=1, description="Client id that the provider knows this service by."
    )
    oidc_client_secret_file: ReadableFile | None = Field(
        default=None,
        description="File that holds the client secret; unset: a public client, which has PKCE alone.",
    )
    session_key_file: ReadableFile | None = Field(
        default=None,
        description="File with the keys that sign cookies, one per line, at least 32 characters each. "
        "The last one signs, all are accepted: a new key is added below the old one.",
    )
    session_idle_s: float = Field(
        default=30 * 60,
        ge=60,
        le=24 * 3600,
        description="Seconds without a request after which a session ends.",
    )
    session_absolute_s: float = Field(
        default=12 * 3600,
        ge=60,
        le=24 * 3600,
        description="Seconds after signing in at which a session ends in any case.",
    )

    @field_validator("oidc_development")
    @classmethod
    def _not_in_production(cls, development: bool, info: ValidationInfo) -> bool:
        if development and info.data.get("env") != "development":
            raise ValueError("the development provider is refused unless CASETRAIL_ENV is development")
        return development

    @field_validator("public_url", "session_key_file")
    @classmethod
    def _given(cls, value: str | Path | None) -> str | Path:
        if value is None:
            raise ValueError("must be set where people sign in")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, url: str, info: ValidationInfo) -> str:
        url = url.removesuffix("/")
        parts = urlsplit(url)
        if parts.path:
            raise ValueError("has no path: the cookies are those of a whole origin")
        if parts.scheme == "http" and not (
            info.data.get("env") == "development" and is_loopback(parts.hostname)
        ):
            raise ValueError("must be https; plain http is for loopback addresses in development")
        return url

    @field_validator("oidc_issuer")
    @classmethod
    def _provider(cls, issuer: str | None, info: ValidationInfo) -> str:
        if issuer is None:
            raise ValueError("must be set where people sign in")
        parts = urlsplit(issuer)
        development = info.data.get("oidc_development", False)
        if development and not is_loopback(parts.hostname):
            raise ValueError("the development provider is reached on a loopback address only")
        if parts.scheme == "http" and not development:
            raise ValueError("must be https; plain http is for the development provider")
        return issuer

    @property
    def origin(self) -> str:
        """The origin of the service as browsers know it."""
        assert self.public_url is not None  # the validators saw to it  # noqa: S101
        return self.public_url

    @property
    def issuer(self) -> str:
        """The provider's issuer."""
        assert self.oidc_issuer is not None  # noqa: S101
        return self.oidc_issuer

    @property
    def session_idle(self) -> timedelta:
        return timedelta(seconds=self.session_idle_s)

    @property
    def session_absolute(self) -> timedelta:
        return timedelta(seconds=self.session_absolute_s)

    def client_secret(self) -> str | None:
        """What the client secret's file holds now.

        Raises:
            SettingsInvalid: the file is empty.
        """
        if self.oidc_client_secret_file is None:
            return None
        if secret := self.oidc_client_secret_file.read_text(encoding="utf-8").strip():
            return secret
        raise SettingsInvalid(
            problem("CASETRAIL_OIDC_CLIENT_SECRET_FILE", self.oidc_client_secret_file, "the file is empty")
        )

    def session_keys(self) -> list[str]:
        """The keys that the session key file holds now, oldest first.

        Raises:
            SettingsInvalid: it has none, or one that could be guessed.
        """
        assert self.session_key_file is not None  # noqa: S101
        keys = self.session_key_file.read_text(encoding="utf-8").split()
        if not keys or any(len(key) < LEAST_KEY_CHARACTERS for key in keys):
            rule = f"needs keys of at least {LEAST_KEY_CHARACTERS} characters, one per line"
            raise SettingsInvalid(problem("CASETRAIL_SESSION_KEY_FILE", self.session_key_file, rule))
        return keys
