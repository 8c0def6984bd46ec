"""Where e-mails come in: SMTP or LMTP from the mail server that faces the world.

    250 only when the e-mail is kept, byte by byte, and its receipt is on record; 451 if that cannot be said.

One recipient at a time: whether a copy for another one was kept is another answer, and aiosmtpd's LMTP gives
only one. The server asks again for the others (RFC 5321, section 4.5.3.1.10).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Literal, cast

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
MAX_LINES: Final = 700_000
"""Of one e-mail: the largest attachment in base 64 has half as many. Each takes its time to be looked at."""

IDLE_S: Final = 60.0

_BUSY: Final = "421 4.3.2 Too many connections, try again"
_NOT_FROM_HERE: Final = "554 5.7.1 No e-mails are taken from this address"
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
        self.connections: set[asyncio.BaseTransport] = set()
        self._received = Counter(
            "casetrail_mails_received", "E-mails that came in, by the answer", ["answer"], registry=registry
        )

    def turned_away(self, peer: str) -> str | None:
        """Why a connection is ended at once; None: it may go on."""
        if not self._takes_from(peer):
            return self._said(_NOT_FROM_HERE)
        return self._said(_BUSY) if len(self.connections) >= MAX_CONNECTIONS else None

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
            peer=_peer(session.peer)[:64],
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


class _Bounded:
    """Takes part in a protocol of aiosmtpd: who may connect, how many, and how an e-mail is read.

    aiosmtpd keeps an object for every line of an e-mail, eighty times the size of one of empty lines.
    Longer lines than RFC 5321 allows are taken: to refuse them would lose what people wrote.
    """

    line_length_limit = MAX_LINE_BYTES
    event_handler: Listener
    envelope: Any
    data_size_limit: Any
    _reader: asyncio.StreamReader
    _is_turned_away = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        why = self.event_handler.turned_away(_peer(transport.get_extra_info("peername")))
        if why is not None:
            self._is_turned_away = True
            cast("asyncio.WriteTransport", transport).write(f"{why}\r\n".encode())
            transport.close()
            return
        self._counted = transport
        self.event_handler.connections.add(transport)
        super().connection_made(transport)  # type: ignore[misc]  # of aiosmtpd

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_turned_away:
            self.event_handler.connections.discard(self._counted)
            super().connection_lost(error)  # type: ignore[misc]

    def data_received(self, data: bytes) -> None:
        if not self._is_turned_away:
            super().data_received(data)  # type: ignore[misc]

    def eof_received(self) -> bool | None:
        return None if self._is_turned_away else super().eof_received()  # type: ignore[misc]

    async def smtp_DATA(self: Any, arg: str) -> None:  # noqa: N802
        """RFC 5321, section 4.1.1.4."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        if not self.envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        if arg:
            await self.push("501 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        content = await self._read_content()
        if content is None:
            await self.push("552 5.3.4 Too much, or too many lines, for one e-mail")
        else:
            self.envelope.content = self.envelope.original_content = content
            await self.push(await self._call_handler_hook("DATA"))
        self._set_post_data_state()

    async def _read_content(self) -> bytes | None:
        """What comes up to the lone dot, without the dots that SMTP adds (section 4.5.2); None: too much."""
        content = bytearray()
        lines, is_too_much, begins_a_line = 0, False, True
        while True:
            try:
                piece = await self._reader.readuntil(b"\r\n")
            except asyncio.LimitOverrunError as more:  # a line longer than any: taken in pieces
                piece = await self._reader.read(more.consumed)
            if begins_a_line:
                if piece == b".\r\n":
                    return None if is_too_much else bytes(content)
                lines += 1
                piece = piece[1:] if piece.startswith(b".") else piece
            begins_a_line = piece.endswith(b"\r\n") or piece == b""
            is_too_much = is_too_much or lines > MAX_LINES or len(content) + len(piece) > self.data_size_limit
            if is_too_much:
                content.clear()  # read on to the end, and say so there
            else:
                content += piece


class _Smtp(_Bounded, SMTP):
    """SMTP (RFC 5321)."""


class _Lmtp(_Bounded, LMTP):
    """LMTP (RFC 2033)."""


def _peer(address: object) -> str:
    return str(address[0]) if isinstance(address, tuple) and address else ""


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
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's: every command, with its address
    make = _Lmtp if protocol == "lmtp" else _Smtp
    server = await asyncio.get_running_loop().create_server(
        lambda: make(
            listener,
            data_size_limit=max_bytes,
            enable_SMTPUTF8=True,
            hostname=socket.gethostname(),
            ident="Casetrail",
            timeout=IDLE_S,
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
        for connection in list(listener.connections):  # not acknowledged: the server will come again
            connection.close()
