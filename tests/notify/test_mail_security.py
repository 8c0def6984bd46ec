"""Encryption towards the mail server, its password, and signatures on what is sent: over real SMTP."""

from __future__ import annotations

import base64
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dkim  # type: ignore[import-untyped]
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from nats.aio.client import Client

from contracts.number import shown
from services.embedded.nats_server import NatsServer
from tests.access_log import AccessLog
from tests.notify.servers import MailDouble, mail_server
from tests.notify.system import BEN, System, account, to, until
from tests.tickets.conftest import Caller, access, caller, nc, server, service

__all__ = ["access", "caller", "nc", "server", "service"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "correct horse"


@pytest_asyncio.fixture(loop_scope="module")
async def system(nc: Client, server: NatsServer, caller: Caller, access: AccessLog, tmp_path: Path) -> System:
    return await account(server, caller, access, tmp_path)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return file


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def arrived(mail: MailDouble, number: str) -> None:
    """Returns once Ben has the mail about the ticket."""

    async def has_it() -> bool:
        return any(shown(number) in message["Subject"] for message in to(mail, BEN))

    await until(has_it)


@pytest.mark.parametrize("kind", ["starttls", "tls"])
async def test_mails_go_encrypted_and_with_the_password(
    system: System, certificate: Path, tmp_path: Path, kind: str
) -> None:
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    double = mail_server(tls=_context(certificate), from_the_start=kind == "tls", password=PASSWORD)
    async with (
        double as mail,
        system.notify(
            mail, smtp_tls=kind, smtp_tls_ca=certificate, smtp_user="casetrail", smtp_password_file=password
        ),
    ):
        await arrived(mail, await system.open())


async def test_a_wrong_password_keeps_mails_waiting_until_it_is_mended(
    system: System, certificate: Path, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("wrong")
    async with (
        mail_server(tls=_context(certificate), password=PASSWORD) as mail,
        system.notify(
            mail,
            smtp_tls="starttls",
            smtp_tls_ca=certificate,
            smtp_user="casetrail",
            smtp_password_file=password,
        ),
    ):
        number = await system.open()

        async def is_queued() -> bool:
            return list((await system.mails_of(number)).values()) == [["queued"]]

        await until(is_queued)
        assert mail.taken == []
        password.write_text(PASSWORD)  # it is read at each connection
        await arrived(mail, number)


async def test_a_server_with_a_certificate_that_nobody_vouches_for_gets_nothing(
    system: System, certificate: Path
) -> None:
    async with (
        mail_server(tls=_context(certificate)) as mail,
        system.notify(mail, smtp_tls="starttls"),
    ):
        number = await system.open()

        async def is_queued() -> bool:
            return list((await system.mails_of(number)).values()) == [["queued"]]

        await until(is_queued)
        assert mail.taken == []


async def test_mails_are_signed_with_the_key_of_the_settings(system: System, tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    file = tmp_path / "dkim.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    asked: list[bytes] = []

    def published(name: bytes, **_: object) -> bytes:
        asked.append(name)
        return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(key.public_key().public_bytes_raw())

    async with mail_server() as mail, system.notify(mail, dkim_key_file=file, dkim_selector="s2026"):
        await arrived(mail, await system.open())
    content = mail.raw[-1][1]
    assert dkim.verify(content, dnsfunc=published)
    assert asked[:1] == [b"s2026._domainkey.casetrail.example."]
    assert not dkim.verify(content.replace(b"Subject: ", b"Subject: x", 1), dnsfunc=published)
