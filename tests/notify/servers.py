"""A mail server that takes mails over real SMTP, and misbehaves as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class MailDouble:
    """`rcpt` and `data` are answers to the next recipients or mails, in their order; then all are taken.

    `unknown` are the addresses that never are.
    """

    port: int = 0
    rcpt: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    die_after_data: int = 0
    slow_s: float = 0
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    raw: list[tuple[str, bytes]] = field(default_factory=list)
    senders: list[tuple[str, str]] = field(default_factory=list)
    """MAIL FROM and Message-ID of each mail."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.rcpt:
            self.changed.set()
            return self.rcpt.pop(0)
        if address in self.unknown:
            return "550 5.1.1 No such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data:
            self.changed.set()
            return self.data.pop(0)
        await asyncio.sleep(self.slow_s)
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        message: Any = message_from_bytes(content, policy=default)
        self.raw += [(recipient, content) for recipient in envelope.rcpt_tos]
        self.taken += [(recipient, message) for recipient in envelope.rcpt_tos]
        self.senders.append((envelope.mail_from or "", str(message["Message-ID"])))
        self.changed.set()
        if self.die_after_data:
            self.die_after_data -= 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 2.0.0 Ok: queued as 4B1F"

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns when it holds; at the latest after ten seconds it fails."""
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def mail_server(
    port: int = 0,
    *,
    tls: ssl.SSLContext | None = None,
    from_the_start: bool = False,
    password: str | None = None,
) -> AsyncIterator[MailDouble]:
    """Runs one on 127.0.0.1. With `tls` it takes mails only encrypted, with `password` only with that."""
    double = MailDouble()

    def authenticated(
        _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
    ) -> AuthResult:
        right = given == LoginPassword(b"casetrail", (password or "").encode())
        return AuthResult(success=right, handled=False)

    def make() -> SMTP:
        with warnings.catch_warnings():  # of a password without STARTTLS: here it is encrypted already
            warnings.simplefilter("ignore", UserWarning)
            return SMTP(
                double,
                hostname="localhost",
                enable_SMTPUTF8=True,
                tls_context=None if from_the_start else tls,
                require_starttls=tls is not None and not from_the_start,
                auth_required=password is not None,
                auth_require_tls=not from_the_start,
                authenticator=authenticated,
            )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, "127.0.0.1", port, ssl=tls if from_the_start else None)
    double.port = server.sockets[0].getsockname()[1]
    try:
        yield double
    finally:
        server.close()
        await server.wait_closed()
