"""Where e-mails come in: SMTP or LMTP from the mail server that faces the world.

    250 only when the e-mail is kept, byte by byte, and its receipt is on record; 451 if that cannot be said.

One recipient at a time: whether a copy for another one was kept is another answer, and aiosmtpd's LMTP gives
only one. The server asks again for the others (RFC 5321, section 4.5.3.1.10).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Literal

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from prometheus_client import CollectorRegistry, Counter

from services.files.store import FileStore
from services.notify.incoming import Delivery
from services.runtime.errors import Unavailable
from services.runtime.ids import uuid7

MAX_CONNECTIONS: Final = 40
"""At the same moment; what comes over each is in memory, and may be as large as the limit."""

MAX_LINE_BYTES: Final = 1 << 20

_BUSY: Final = "451 4.3.2 Too many connections, try again"
_NOT_KEPT: Final = "451 4.3.0 Cannot be kept now, try again"

log = structlog.get_logger()

Take = Callable[[Delivery], Awaitable[int]]


class Listener:
    """What aiosmtpd asks what to do with an e-mail."""

    def __init__(
        self,
        store: FileStore,
        take: Take,
        *,
        takes: Callable[[str], bool],
        takes_from: Callable[[str], bool],
        registry: CollectorRegistry,
    ) -> None:
        """Args:
        take: puts a delivery on record; the position.
        takes: whether an address is one of ours.
        takes_from: whether e-mails are taken from an IP address.
        """
        self._store = store
        self._take = take
        self._takes = takes
        self._takes_from = takes_from
        self.connections = 0
        self._received = Counter(
            "casetrail_mails_received", "E-mails that came in, by the answer", ["answer"], registry=registry
        )

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """From those only who may hand over e-mails here."""
        if not self._takes_from(_peer(session)):
            return self._said("550 5.7.1 Not from this address")
        if self.connections > MAX_CONNECTIONS:
            return self._said(_BUSY)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """One recipient, of ours."""
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient at a time"
        if not self._takes(address):
            return self._said("550 5.1.1 No such address here")
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep it, put it on record, and only then say so."""
        content = envelope.original_content or b""
        delivery = Delivery(
            id=uuid7(),
            sender=_kept(envelope.mail_from or "", 320),
            recipient=_kept(envelope.rcpt_tos[0], 320),
            helo=_kept(str(session.host_name or ""), 255),
            peer=_peer(session)[:64],
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        try:
            await self._store.write(delivery.id, uuid7(), content, {})
            position = await self._take(delivery)
        except Unavailable:
            return self._said(_NOT_KEPT)
        log.info("mail.received", received=delivery.id, size=delivery.size, position=position)
        return self._said(f"250 2.0.0 Kept as {delivery.id}")

    async def handle_exception(self, error: Exception) -> str:
        """A fault of ours: the server keeps the e-mail and tries again."""
        log.error("mail.listener_failed", exc_info=error)
        return self._said(_NOT_KEPT)

    def _said(self, answer: str) -> str:
        self._received.labels(answer[:3]).inc()
        return answer


class _Counted:
    """Takes part in a protocol: its listener knows how many connections there are."""

    event_handler: Listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.connections += 1
        super().connection_made(transport)  # type: ignore[misc]  # of aiosmtpd

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.connections -= 1
        super().connection_lost(error)  # type: ignore[misc]  # of aiosmtpd


class _Smtp(_Counted, SMTP):
    """Takes lines that are longer than RFC 5321 allows: to refuse them would lose what people wrote."""

    line_length_limit = MAX_LINE_BYTES


class _Lmtp(_Counted, LMTP):
    """As `_Smtp`."""

    line_length_limit = MAX_LINE_BYTES


def _peer(session: Session) -> str:
    return str(session.peer[0]) if session.peer else ""


def _kept(text: str, characters: int) -> str:
    """As an event can hold it: bytes that are no UTF-8 reach us as lone surrogates."""
    return text.encode("utf-8", "replace").decode()[:characters]


@contextlib.asynccontextmanager
async def listening(
    listener: Listener, *, host: str, port: int, protocol: Literal["smtp", "lmtp"], max_bytes: int
) -> AsyncIterator[int]:
    """Take e-mails while the body runs; yields the port. Several processes of one machine may share it.

    Raises OSError: it is taken.
    """
    make = _Lmtp if protocol == "lmtp" else _Smtp
    server = await asyncio.get_running_loop().create_server(
        lambda: make(
            listener,
            data_size_limit=max_bytes,
            enable_SMTPUTF8=True,
            hostname=socket.gethostname(),
            ident="Casetrail",
        ),
        host,
        port,
        reuse_address=True,
        reuse_port=port != 0,
    )
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()
