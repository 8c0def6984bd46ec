"""What a service is told by its environment: one class, documented by its own fields.

A service with settings of its own subclasses `RuntimeSettings`; `load` is the only way in, so that a bad
value is named by its environment variable before anything is started.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretBytes,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.logs import without_secrets

_OF_THE_COMMAND_LINE = frozenset(
    {"CASETRAIL_DATA", "CASETRAIL_LANG", "CASETRAIL_NATS_MONITOR_URL", "CASETRAIL_STREAM_REPLICAS"}
)
_SCHEMES = frozenset({"nats", "tls"})


class SettingsInvalid(Exception):
    """The service cannot start: `str()` has one line per bad setting."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def problem(variable: str, value: object, rule: str) -> str:
    """One line of `SettingsInvalid`; credentials inside the value are masked."""
    shown = "not set" if value is None else without_secrets(repr(str(value)))
    return f"{variable}: {shown}: {rule}"


def _server_list(urls: str) -> str:
    for url in urls.split(","):
        parts = urlsplit(url.strip())
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError("every address of the list is nats://host:port or tls://host:port")
        if parts.port == 0:  # reading it raises ValueError when it is no port at all
            raise ValueError("a port is between 1 and 65535")
    return urls


def _readable(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("there is no such file")
    if not os.access(path, os.R_OK):
        raise ValueError("the file cannot be read by this user")
    return path


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


ReadableFile = Annotated[Path, AfterValidator(_readable)]


class RuntimeSettings(BaseSettings):
    """The settings that every service has."""

    model_config = SettingsConfigDict(
        env_prefix="CASETRAIL_",
        env_ignore_empty=True,  # charts and compose files pass "" for what is not set
        frozen=True,
        validate_default=True,
    )

    nats_url: Annotated[str, AfterValidator(_server_list)] = Field(
        default="nats://127.0.0.1:4222",
        description="Addresses of the NATS servers, separated by commas.",
    )
    nats_creds: ReadableFile | None = Field(
        default=None,
        description="NATS credentials file (user JWT and seed), read again at every reconnect.",
    )
    nats_nkey_seed_file: ReadableFile | None = Field(
        default=None,
        description="File that holds the nkey seed of the NATS user. Excludes `CASETRAIL_NATS_CREDS`.",
    )
    nats_inbox_user: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="NATS user whose inbox `_INBOX.<name>` is used; unset: the service's own name.",
    )
    nats_tls_ca: ReadableFile | None = Field(
        default=None,
        description="CA certificates (PEM) that verify the NATS server; unset: those of the system.",
    )
    nats_tls_cert: ReadableFile | None = Field(
        default=None,
        description="Client certificate (PEM) shown to the NATS server.",
    )
    nats_tls_key: ReadableFile | None = Field(
        default=None,
        description="Private key (PEM) of `CASETRAIL_NATS_TLS_CERT`.",
    )
    data_dir: Path = Field(
        default=Path(".casetrail/data"),
        description="Directory of the replica files; one that is missing is built from the log at start.",
    )
    health_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address on which `/livez`, `/readyz` and `/metrics` are served.",
    )
    health_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port of `/livez`, `/readyz` and `/metrics`; 0 takes any free port and logs it.",
    )
    log_format: Annotated[Literal["json", "console"], BeforeValidator(_lower)] = Field(
        default="json",
        description="`json` (one object per line) or `console` (for people).",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        default="info",
        description="Least severe level that is logged: `debug`, `info`, `warning` or `error`.",
    )
    max_concurrent_requests: int = Field(
        default=1024,
        ge=1,
        description="Requests handled at the same moment; a further one is told to try again.",
    )
    request_timeout_s: float = Field(
        default=10,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that a handler may take before the caller is told to retry.",
    )
    shutdown_timeout_s: float = Field(
        default=2,
        gt=0,
        allow_inf_nan=False,
        description="Seconds in which work under way is finished after a signal to stop.",
    )

    @field_validator("nats_nkey_seed_file")
    @classmethod
    def _one_credential(cls, seed: Path | None, info: ValidationInfo) -> Path | None:
        if seed is not None and info.data.get("nats_creds") is not None:
            raise ValueError(f"excludes {_variable(cls, 'nats_creds')}: give one of the two")
        return seed

    @field_validator("nats_tls_key")
    @classmethod
    def _key_with_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        # A certificate that failed its own check is missing from info.data and already reported.
        if "nats_tls_cert" in info.data and (key is None) != (info.data["nats_tls_cert"] is None):
            raise ValueError(f"is given together with {_variable(cls, 'nats_tls_cert')}, or neither is")
        return key

    @property
    def nats_servers(self) -> list[str]:
        """The addresses of `nats_url`, one by one."""
        return [url.strip() for url in self.nats_url.split(",")]


Settings = TypeVar("Settings", bound=RuntimeSettings)


def load(settings_class: type[Settings], **overrides: Any) -> Settings:
    """The settings from the environment; `overrides` (by field name) win over it.

    Raises:
        SettingsInvalid: names every bad setting, not only the first.
    """
    try:
        return settings_class(**overrides)
    except ValidationError as invalid:
        problems = tuple(_explain(settings_class, error) for error in invalid.errors(include_url=False))
        # The original shows input values, which may be secret: it must not be chained into a log.
        raise SettingsInvalid(*problems) from None


def unknown_variables(settings_class: type[RuntimeSettings]) -> list[str]:
    """The variables of the environment that look like settings and are none: probably misspelt."""
    known = {_variable(settings_class, name) for name in settings_class.model_fields} | _OF_THE_COMMAND_LINE
    prefix = settings_class.model_config["env_prefix"].upper()
    return sorted(
        name for name in os.environ if name.upper().startswith(prefix) and name.upper() not in known
    )


def document(settings_class: type[RuntimeSettings]) -> str:
    """A Markdown table of every variable: its default and what it means."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in settings_class.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{_variable(settings_class, name)}` | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _variable(settings_class: type[RuntimeSettings], name: str) -> str:
    return f"{settings_class.model_config['env_prefix']}{name}".upper()


def _explain(settings_class: type[RuntimeSettings], error: Any) -> str:
    name = str(error["loc"][0])
    rule = error["msg"].removeprefix("Value error, ")
    field = settings_class.model_fields.get(name)
    value = "(hidden)" if field is not None and _is_secret(field) else error["input"]
    return problem(_variable(settings_class, name), value, rule)


def _is_secret(field: FieldInfo) -> bool:
    annotation = str(field.annotation)
    return SecretStr.__name__ in annotation or SecretBytes.__name__ in annotation
