"""The settings of the way in: where e-mails arrive, for whom, and how their senders are checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from contracts.access.people import NotAnAddress, normalised
from services.guard.settings import GuardSettings
from services.runtime.settings import ReadableFile

Network = IPv4Network | IPv6Network

_PRIVATE: Final = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"
_DOMAIN: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def listed(text: str) -> tuple[str, ...]:
    """The items of a list that is separated by commas."""
    return tuple(item for item in (each.strip() for each in text.split(",")) if item)


def mail_address(address: str) -> str:
    """The address as it was given. Raises ValueError: it is none."""
    try:
        normalised(address)
    except NotAnAddress:
        raise ValueError("is an e-mail address, such as support@example.com") from None
    return address


def _addresses(text: str) -> str:
    for each in listed(text):
        mail_address(each)
    return text


def _networks(text: str) -> str:
    try:
        for each in listed(text):
            ip_network(each)
    except ValueError:
        raise ValueError("is a list of networks, such as 10.0.0.0/8,fc00::/7") from None
    return text


def _domain(domain: str) -> str:
    lowered = domain.lower()
    if _DOMAIN.fullmatch(lowered) is None:
        raise ValueError("is a domain in ASCII, such as reply.example.com")
    return lowered


class ReceivingSettings(GuardSettings):
    """Where e-mails come in, and what is believed of them."""

    mail_in_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port that takes e-mails in, from a mail server of yours; unset: none are, and e-mails "
        "say that answers are not read. 0 takes any free one and logs it.",
    )
    mail_in_host: str = Field(default="127.0.0.1", min_length=1, description="Address that it listens on.")
    mail_in_protocol: Literal["smtp", "lmtp"] = Field(
        default="smtp", description="`smtp` or `lmtp` (RFC 2033), by which it is spoken to."
    )
    mail_in_peers: Annotated[str, AfterValidator(_networks)] = Field(
        default=_PRIVATE, description="Networks from which e-mails are taken, separated by commas."
    )
    mail_in_max_bytes: int = Field(
        default=26_214_400, ge=65_536, le=104_857_600, description="Bytes that an e-mail may have."
    )
    mail_in_domain: Annotated[str, AfterValidator(_domain)] | None = Field(
        default=None,
        description="Domain of the addresses that answers and reports come back to, whose MX is your mail "
        "server; unset: that of `CASETRAIL_MAIL_FROM`.",
    )
    mail_in_addresses: Annotated[str, AfterValidator(_addresses)] | None = Field(
        default=None,
        description="Further addresses whose e-mails are taken, separated by commas. That of "
        "`CASETRAIL_MAIL_FROM` always is.",
    )
    mail_in_trusted: str | None = Field(
        default=None,
        description="Names (`authserv-id`, RFC 8601) under which your mail server writes "
        "`Authentication-Results`, separated by commas. It must remove those that others wrote under them.",
    )
    mail_in_own_check: bool = Field(
        default=False,
        description="Whether SPF, DKIM and DMARC are checked here. For a listener that senders reach "
        "directly: excludes `CASETRAIL_MAIL_IN_TRUSTED`.",
    )
    requests_creds: ReadableFile | None = Field(
        default=None,
        description="NATS credentials file of the user `notify-requests`, which writes replies in the name "
        "of their senders. Needed where NATS wants credentials and e-mails come in.",
    )

    @field_validator("mail_in_own_check")
    @classmethod
    def _one_way_only(cls, is_own: bool, info: ValidationInfo) -> bool:
        # Behind another server its own address is all that SPF would see, and often one that may send for us.
        if is_own and info.data.get("mail_in_trusted"):
            raise ValueError(
                "excludes CASETRAIL_MAIL_IN_TRUSTED: either that server checks senders, or we do"
            )
        return is_own

    @field_validator("requests_creds")
    @classmethod
    def _given_where_needed(cls, file: object, info: ValidationInfo) -> object:
        has_credentials = info.data.get("nats_creds") or info.data.get("nats_nkey_seed_file")
        if file is None and has_credentials and info.data.get("mail_in_port") is not None:
            raise ValueError("name the credentials file of the user that writes replies")
        return file

    @property
    def trusted_servers(self) -> frozenset[str]:
        """In lower case."""
        return frozenset(each.lower() for each in listed(self.mail_in_trusted or ""))

    @property
    def further_addresses(self) -> frozenset[str]:
        """As they are compared."""
        return frozenset(normalised(each) for each in listed(self.mail_in_addresses or ""))

    def takes_from(self) -> Callable[[str], bool]:
        """Whether e-mails are taken from an IP address."""
        networks: tuple[Network, ...] = tuple(ip_network(each) for each in listed(self.mail_in_peers))

        def takes(peer: str) -> bool:
            try:
                address = ip_address(peer)
            except ValueError:
                return False
            mapped = getattr(address, "ipv4_mapped", None)
            return any((mapped or address) in network for network in networks)

        return takes
