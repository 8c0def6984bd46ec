"""Signed e-mails, verified by dkimpy with the public key as it would stand in the DNS."""

from __future__ import annotations

import base64
from pathlib import Path

import dkim  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from services.notify.compose import compose
from services.notify.dkim import KeyInvalid, Signer
from services.notify.updates import What
from tests.notify.letters import DOMAIN, envelope, news

Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()


def _pem(key: Key, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def _record(key: Key) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(key.public_key().public_bytes_raw())
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def _is_valid(message: bytes, key: Key) -> bool:
    def published(name: bytes, timeout: int = 5) -> bytes | None:
        return _record(key) if name == b"mails._domainkey.mail.example." else None

    return bool(dkim.verify(message, dnsfunc=published))


def _mail() -> bytes:
    return bytes(compose(news(What.REPLIED, "pl"), envelope("pl")))


def _signed(key: Key, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return Signer(_pem(key, form), domain=DOMAIN, selector="mails").signed(_mail())


@pytest.mark.parametrize(
    ("key", "form"),
    [(RSA, PrivateFormat.PKCS8), (RSA, PrivateFormat.TraditionalOpenSSL), (ED25519, PrivateFormat.PKCS8)],
    ids=["rsa", "rsa-pkcs1", "ed25519"],
)
def test_a_signed_mail_is_valid_and_otherwise_as_it_was(key: Key, form: PrivateFormat) -> None:
    signed = _signed(key, form)
    assert _is_valid(signed, key)
    assert signed.startswith(b"DKIM-Signature: ")
    assert signed.endswith(_mail())


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
@pytest.mark.parametrize(
    "header",
    [
        "From",
        "To",
        "Subject",
        "Reply-To",
        "Message-ID",
        "References",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
    ],
)
def test_a_changed_header_is_found(key: Key, header: str) -> None:
    signed = _signed(key)
    assert f"\r\n{header}: ".encode() in signed
    assert not _is_valid(signed.replace(f"\r\n{header}: ".encode(), f"\r\n{header}: x".encode()), key)


@pytest.mark.parametrize(
    "header", ["From: b@c.example", "Subject: other", "To: b@c.example", "Reply-To: b@c.example"]
)
def test_an_added_header_is_found(header: str) -> None:
    signed = _signed(RSA)
    assert not _is_valid(header.encode() + b"\r\n" + signed, RSA)
    assert not _is_valid(signed.replace(b"\r\n\r\n", f"\r\n{header}\r\n\r\n".encode(), 1), RSA)


def test_a_changed_body_is_found_and_trimmed_lines_are_none() -> None:
    signed = _signed(RSA)
    head, _, body = signed.partition(b"\r\n\r\n")
    assert not _is_valid(head + b"\r\n\r\n" + body.replace(b"Anna", b"Ewa", 1), RSA)
    assert _is_valid(signed + b"\r\n\r\n", RSA)


def test_another_key_does_not_verify_it() -> None:
    assert not _is_valid(_signed(ED25519), ed25519.Ed25519PrivateKey.generate())


def test_a_key_that_cannot_sign_is_refused(tmp_path: Path) -> None:
    locked = ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # refused is what it shall be
    for pem in (b"", b"no key", locked, _pem(small), _pem(ec.generate_private_key(ec.SECP256R1()))):
        file = tmp_path / "dkim.pem"
        file.write_bytes(pem)
        with pytest.raises(KeyInvalid):
            Signer.keyed_by(file, domain=DOMAIN, selector="mails")
