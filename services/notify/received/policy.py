"""What a domain's owner wants of e-mails in its name (DMARC, RFC 7489). Blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from services.notify.received.domains import organisation
from services.notify.received.lookups import Lookups

_BEGINS: Final = re.compile(rb"v\s*=\s*DMARC1\s*(?:;|$)")
_POLICIES: Final = ("none", "quarantine", "reject")


@dataclass(frozen=True, slots=True)
class Policy:
    """Whether the very domain has to be in the signature (`adkim=s`) or in MAIL FROM (`aspf=s`)."""

    strict_dkim: bool
    strict_spf: bool


def policy(lookups: Lookups, domain: str) -> Policy | None:
    """The domain's, or else its organisation's (section 6.6.3); None: there is none, or more than one.

    Raises TemporaryFailure.
    """
    for name in dict.fromkeys((domain, organisation(domain))):
        records = [text for text in lookups.texts(f"_dmarc.{name}") if _BEGINS.match(text)]
        if records:
            return _read(records[0]) if len(records) == 1 else None
    return None


def _read(record: bytes) -> Policy | None:
    pairs = (each.partition("=") for each in record.decode("utf-8", "replace").split(";"))
    tags = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if tags.get("p", "").lower() not in _POLICIES and not tags.get("rua"):
        return None
    return Policy(
        strict_dkim=tags.get("adkim", "r").lower() == "s", strict_spf=tags.get("aspf", "r").lower() == "s"
    )
