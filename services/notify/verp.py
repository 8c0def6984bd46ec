"""Addresses that our e-mails come back to: each its own, so that whatever a report says, it tells which one.

Known as VERP (variable envelope return paths): the address of MAIL FROM is made for the one e-mail.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

_LOCAL: Final = re.compile("bounce[+]([a-z0-9]{26})([a-z2-7]{26})")


class BounceAddresses:
    """Makes and reads them: `bounce+<the mail's id><signature>@domain`, 59 octets before the @.

    The signature (128 bits of HMAC-SHA256, base 32) keeps others from reporting e-mails that they never got.
    """

    def __init__(self, key: str, domain: str) -> None:
        self._key = hmac.digest(key.encode(), b"casetrail.notify.bounce-address", "sha256")
        self._domain = domain.lower()

    def address(self, mail: str) -> str:
        """Raises ValueError: not the id of a mail."""
        if re.fullmatch("[a-z0-9]{26}", mail) is None:
            raise ValueError("mail: must be the id of a mail: 26 small letters and digits")
        return f"bounce+{mail}{self._signature(mail)}@{self._domain}"

    def read(self, address: str) -> str | None:
        """The mail that an address of ours was made for; None: not one, or not signed by us."""
        local, _, domain = address.strip().lower().rpartition("@")
        found = _LOCAL.fullmatch(local)
        if found is None or domain != self._domain:
            return None
        if not hmac.compare_digest(found[2].encode(), self._signature(found[1]).encode()):
            return None
        return found[1]

    def _signature(self, mail: str) -> str:
        digest = hmac.digest(self._key, mail.encode(), hashlib.sha256)[:16]
        return base64.b32encode(digest).decode().rstrip("=").lower()
