"""The settings of the notify service."""

from __future__ import annotations

from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from contracts.access.people import normalised
from services.links.mail import KeyInvalid as LinkKeyInvalid
from services.links.mail import read_key
from services.notify.dkim import KeyInvalid, Signer
from services.notify.receiving_settings import ReceivingSettings, mail_address
from services.runtime.settings import ReadableFile, SettingsInvalid, problem


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is https://host, with a port and a path where they are needed")
    return url.rstrip("/")


class NotifySettings(ReceivingSettings):
    """Where mail goes, who it comes from, and where it comes in."""

    public_url: Annotated[str, AfterValidator(_web_address)] | None = Field(
        default=None,
        description="Address under which people's browsers reach the portal; links in e-mails begin with it.",
    )
    mail_from: Annotated[str, AfterValidator(mail_address)] | None = Field(
        default=None, description="Address that e-mails come from."
    )
    mail_from_name: str = Field(
        default="Casetrail", min_length=1, max_length=100, description="Name that e-mails come from."
    )
    smtp_host: str | None = Field(default=None, description="Host of the mail server that takes e-mails.")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls`, `tls` from the first byte, or `none`, which is refused with a user name.",
    )
    smtp_tls_ca: ReadableFile | None = Field(
        default=None, description="CA certificates (PEM) that verify the mail server; unset: the system's."
    )
    smtp_user: str | None = Field(default=None, description="User name at the mail server, if it wants one.")
    smtp_password_file: ReadableFile | None = Field(
        default=None, description="File that holds the password of `CASETRAIL_SMTP_USER`."
    )

    smtp_connections: int = Field(
        default=4, ge=1, le=50, description="Connections to the mail server that are used at once."
    )
    link_key_file: ReadableFile | None = Field(
        default=None,
        description="File that holds the key by which links in e-mails are signed, the same for all replicas "
        "and for access. Needed.",
    )
    dkim_key_file: ReadableFile | None = Field(
        default=None,
        description="Private key (PEM; RSA or Ed25519) to sign e-mails with (DKIM); unset: none are.",
    )
    dkim_selector: str = Field(
        default="casetrail",
        pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$",
        description="Where the public key stands: `<selector>._domainkey.<domain of CASETRAIL_MAIL_FROM>`.",
    )

    @field_validator("link_key_file")
    @classmethod
    def _key_is_given(cls, file: object) -> object:
        if file is None:
            raise ValueError("name the file that holds the key")
        return file

    @field_validator("public_url", "mail_from", "smtp_host")
    @classmethod
    def _given(cls, value: str | None) -> str:
        if value is None:
            raise ValueError("must be set where e-mails are sent")
        return value

    @field_validator("smtp_password_file")
    @classmethod
    def _no_password_in_the_clear(cls, file: object, info: ValidationInfo) -> object:
        if (file is None) != (info.data.get("smtp_user") is None):
            raise ValueError("is given together with CASETRAIL_SMTP_USER, or neither is")
        if file is not None and info.data.get("smtp_tls") == "none":
            raise ValueError("a password is not sent without TLS")
        return file

    def password(self) -> SecretStr | None:
        """The password, read now: a changed file holds from the next connection on. Raises OSError."""
        if self.smtp_password_file is None:
            return None
        return SecretStr(self.smtp_password_file.read_text(encoding="utf-8").strip())

    def sender(self) -> Address:
        """Who e-mails come from."""
        return Address(self.mail_from_name, addr_spec=normalised(self.mail_from or ""))

    @property
    def answers_domain(self) -> str:
        """The domain of the addresses that answers and reports come back to."""
        return self.mail_in_domain or self.sender().domain

    def link_key(self) -> str:
        """Raises SettingsInvalid."""
        file = self.link_key_file or Path()
        try:
            return read_key(file)
        except (LinkKeyInvalid, OSError) as error:
            raise SettingsInvalid(problem("CASETRAIL_LINK_KEY_FILE", file, str(error))) from None

    def signer(self) -> Signer | None:
        """Who signs e-mails, if somebody does. Raises SettingsInvalid."""
        if self.dkim_key_file is None:
            return None
        try:
            return Signer.keyed_by(
                self.dkim_key_file, domain=self.sender().domain, selector=self.dkim_selector
            )
        except (KeyInvalid, OSError) as error:
            raise SettingsInvalid(
                problem("CASETRAIL_DKIM_KEY_FILE", self.dkim_key_file, str(error))
            ) from None
