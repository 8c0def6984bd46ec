"""E-mails that are signed, by dkimpy or by hand where dkimpy refuses to."""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
from dataclasses import dataclass, field

import dkim  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SELECTOR = "mail2026"

WEAK_PEM = b"""-----BEGIN RSA PRIVATE KEY-----
MIIBygIBAAJhAKsaBbkyjdJZxBNdQYJMGOCEcVRVt4oN9wW3M9nwsAiKXBI86xqI
odsVud6NA0jwn2u2YoPnPXE/MSDonoKYdQW0j8VqiGFTGyjPhStTJ8aqfaPcnSNk
99B48ysHxFfzVQIDAQABAmAlkPgSulPDDGxtZ/s7FWQc31dWkd9TU0+aFKgwwJSV
u3MNmgxwbfFDfdiqUUGYYSPzbKRkAm3JSpMNzIseoqpX/KXKHo4yvrzPD7cEamQe
a1i/e67UUjVkksrDnsJw270CMQDbRWQrKgFRx2I/STTw+zawr2aBk3CzvD71c//w
tEWiAA4tu39cSiJLg1M0+Ic/qdMCMQDHwxGDnp6aZmJdeb/fHgSNS16yVhTltFSi
S49nQH2bihZ0Sgfpfq8uz3TT2u5STTcCMFjIeA6iK3aZbMaDNdR9Y1+XJcJBmNit
2DA6j98+nxNBQnxx9te/jLNWsVI5b0nv0QIwDOyB5ZINkM+u7X1C/Jxkjv+hUMhg
8buI/jcFQBjcB4QXj856VJDtpImndU1kvc5hAjEAr78R6DwLaRcq6lswLSJe8TYd
afZuj2VaKRrCsY31ftvqIt1+PBOmry5Xk2+KdH2f
-----END RSA PRIVATE KEY-----
"""
"""768 bits: what makes keys refuses to make one so short."""

WEAK_RECORD = (
    "v=DKIM1; k=rsa; p="
    "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAKsaBbkyjdJZxBNdQYJMGOCEcVRVt4oN9wW3M9nwsAiKXBI8"
    "6xqIodsVud6NA0jwn2u2YoPnPXE/MSDonoKYdQW0j8VqiGFTGyjPhStTJ8aqfaPcnSNk99B48ysHxFfz"
    "VQIDAQAB"
)


@dataclass(frozen=True)
class Key:
    """A fresh key, and what stands of it in the DNS."""

    rsa: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def pem(self) -> bytes:
        return self.rsa.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    @property
    def record(self) -> str:
        der = self.rsa.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()


def _with_exponent(least: int) -> rsa.RSAPrivateKey:
    """A key whose exponent is at least so large."""
    numbers = KEY.rsa.private_numbers()
    p, q = numbers.p, numbers.q
    e = next(each for each in itertools.count(least, 2) if math.gcd(each, (p - 1) * (q - 1)) == 1)
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


KEY = Key()
SHORT_KEY = Key(rsa.generate_private_key(65537, 1024))  # noqa: S505  # the shortest that counts
SLOW_KEY = Key(_with_exponent(2**40 + 1))
ED25519 = ed25519.Ed25519PrivateKey.generate()
ED25519_RECORD = "v=DKIM1; k=ed25519; p=" + base64.b64encode(ED25519.public_key().public_bytes_raw()).decode()


def mail(
    author: str = "Ola Nowak <ola@example.com>", *, body: str = "It works again, thank you.\r\n"
) -> bytes:
    """An answer as a mail client writes it, with CRLF."""
    head = (
        f"From: {author}",
        "To: reply+abc@help.example.net",
        "Subject: Re: [483-029-1746] Bookings do not arrive",
        "Date: Wed, 25 Nov 2026 10:00:00 +0100",
        "Message-ID: <1@mua.example.com>",
    )
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def signed(
    raw: bytes,
    *,
    domain: str = "example.com",
    pem: bytes | None = None,
    algorithm: bytes = b"rsa-sha256",
    length: bool = False,
    identity: bytes | None = None,
) -> bytes:
    """With a signature of the domain on top."""
    key = KEY.pem if pem is None else pem
    if algorithm == b"ed25519-sha256":
        key = base64.b64encode(ED25519.private_bytes_raw())
    signature: bytes = dkim.DKIM(raw, signature_algorithm=algorithm).sign(
        SELECTOR.encode(),
        domain.encode(),
        key,
        identity=identity,
        length=length,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[b"from", b"to", b"subject", b"date"],
    )
    return signature + raw


def signed_without_from(raw: bytes, *, domain: str = "example.com") -> bytes:
    """With a signature over the recipient and the subject only."""
    head, _, body = raw.partition(b"\r\n\r\n")
    values = dict(line.split(b": ", 1) for line in head.split(b"\r\n"))
    tags = (
        f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={SELECTOR}; h=to:subject; "
        f"bh={base64.b64encode(hashlib.sha256(body).digest()).decode()}; b="
    ).encode()
    over = b"to:%s\r\nsubject:%s\r\ndkim-signature:%s" % (values[b"To"], values[b"Subject"], tags)
    signature = KEY.rsa.sign(over, padding.PKCS1v15(), SHA256())
    return b"DKIM-Signature: " + tags + base64.b64encode(signature) + b"\r\n" + raw
