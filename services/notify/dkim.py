"""Signing e-mails (DKIM: RFC 6376; Ed25519: RFC 8463), for whoever has no mail server that does it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

import dkim  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

MIN_RSA_BITS: Final = 2048
"""RFC 8301, section 3.2: signers should use at least so many."""

# Named twice: nobody may add another one. The rest only if it is there.
_ONCE_ONLY: Final = ("from", "to", "subject", "date", "message-id", "reply-to")
_SIGNED: Final = (
    *_ONCE_ONLY,
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "auto-submitted",
    "list-unsubscribe",  # RFC 8058, section 4: these two must be signed
    "list-unsubscribe-post",
)


class KeyInvalid(Exception):
    """The file does not hold a key that can sign."""


class Signer:
    """Signs with one key, for one domain."""

    def __init__(self, pem: bytes, *, domain: str, selector: str) -> None:
        """Raises KeyInvalid."""
        self._algorithm, self._key = _key(pem)
        self._domain = domain.encode("ascii")
        self._selector = selector.encode("ascii")

    @classmethod
    def keyed_by(cls, file: Path, *, domain: str, selector: str) -> Signer:
        """Raises KeyInvalid, OSError."""
        return cls(file.read_bytes(), domain=domain, selector=selector)

    def signed(self, message: bytes) -> bytes:
        """The e-mail with its signature on top. What is signed must reach the server as it is."""
        signer = dkim.DKIM(message, signature_algorithm=self._algorithm)
        there = [name.lower() for name, _ in signer.headers]
        names = [name for name in there if name in {each.encode() for each in _SIGNED}]
        names += [each.encode() for each in _ONCE_ONLY]
        signature: bytes = signer.sign(
            self._selector,
            self._domain,
            self._key,
            canonicalize=(b"relaxed", b"relaxed"),  # servers on the way fold lines and trim them
            include_headers=names,
        )
        return signature + message


def _key(pem: bytes) -> tuple[bytes, bytes]:
    """The algorithm, and the key as dkimpy wants it."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise KeyInvalid("a DKIM key is a private key in PEM without a password") from None
    if isinstance(key, Ed25519PrivateKey):
        return b"ed25519-sha256", base64.b64encode(key.private_bytes_raw())
    if isinstance(key, RSAPrivateKey) and key.key_size >= MIN_RSA_BITS:
        form = PrivateFormat.TraditionalOpenSSL
        return b"rsa-sha256", key.private_bytes(Encoding.PEM, form, NoEncryption())
    raise KeyInvalid(f"a DKIM key is RSA with at least {MIN_RSA_BITS} bits, or Ed25519")
