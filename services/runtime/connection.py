"""The connection to NATS: made once, kept for as long as the service runs, watched for silence."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import nkeys  # type: ignore[import-untyped]
import structlog
from nats import errors
from nats.aio.client import Client, Server

from contracts.subjects import inbox_prefix
from services.runtime.cancel import cancel
from services.runtime.logs import without_secrets
from services.runtime.settings import RuntimeSettings, SettingsInvalid, problem

_FIRST_RETRY_S: Final = 0.1
_LONGEST_RETRY_S: Final = 2.0
_ATTEMPT_S: Final = 2
_PING_INTERVAL_S: Final = 2
_UNANSWERED_PINGS: Final = 2
_PENDING_BYTES: Final = 8 * 1024 * 1024
_CLOSE_S: Final = 1.0
_QUIET_S: Final = 10.0

_HEADER_LINE: Final = b"NATS/1.0"

_CREDENTIALS_ENDED: Final = re.compile(
    r"auth(entication|orization) (revoked|expired|violation)", re.IGNORECASE
)
"""What the server says to a connection whose credentials were good when it was made."""

_SEED: Final = re.compile(r"SU[A-Z2-7]{56}")
_CREDS_JWT: Final = re.compile(r"-BEGIN NATS USER JWT-+\s+(\S+)\s")
_CREDS_SEED: Final = re.compile(rf"-BEGIN USER NKEY SEED-+\s+({_SEED.pattern})\s")

log = structlog.get_logger()


class BrokerUnavailable(Exception):
    """No NATS server can be reached, or the connection is lost for good; `str()` says where and why."""


async def connect(settings: RuntimeSettings, *, user: str, wait_s: float = 10) -> Client:
    """A connection that is in place within `wait_s` and comes back after every outage of the broker.

    `user` is the service's own name: it labels the connection and, unless `nats_inbox_user` says otherwise,
    scopes the inbox. During an outage publishing buffers 8 MiB and then raises
    `nats.errors.OutboundBufferLimitError`. Run `keep_alive` beside it; close it with `close()`.

    Raises:
        BrokerUnavailable: no server accepted the connection in time.
        SettingsInvalid: a credential or certificate file does not hold what it should.
    """
    nc = _Client(encrypted=_wants_tls(settings))
    events = _Events(nc)
    options = _credentials(settings) | _tls(settings)
    connecting = asyncio.create_task(
        nc.connect(
            servers=settings.nats_servers,
            name=user,
            inbox_prefix=inbox_prefix(settings.nats_inbox_user or user),
            error_cb=events.error,
            disconnected_cb=events.disconnected,
            reconnected_cb=events.reconnected,
            closed_cb=events.closed,
            connect_timeout=_ATTEMPT_S,
            reconnect_time_wait=_FIRST_RETRY_S,  # type: ignore[arg-type]  # any number of seconds
            reconnect_to_server_handler=nc.next_server,
            max_reconnect_attempts=-1,
            ping_interval=_PING_INTERVAL_S,
            max_outstanding_pings=_UNANSWERED_PINGS,
            pending_size=_PENDING_BYTES,
            **options,
        )
    )
    try:
        # Not `asyncio.timeout`: the client can swallow its cancellation, and would go on for ever.
        await asyncio.wait({connecting}, timeout=wait_s)
        if not connecting.done():
            tried = ", ".join(without_secrets(url) for url in settings.nats_servers)
            raise BrokerUnavailable(f"no connection to NATS at {tried} within {wait_s:g} s: {events.reason}")
        connecting.result()
    finally:
        await cancel([connecting])
        if not nc.is_connected:
            await nc.close()
    events.connected()
    return nc


async def is_alive(nc: Client, timeout_s: float) -> bool:
    """Whether the broker answers within about `timeout_s`, end to end.

    `nc.flush()` would not do: without a read loop it returns at once, as if it had been answered.
    """
    if not nc.is_connected:
        return False
    try:
        async with asyncio.timeout(timeout_s):  # rtt() also waits, unbounded, for room in its own queue
            await nc.rtt(timeout_s)  # type: ignore[arg-type]  # any number of seconds
    except (errors.Error, TimeoutError, OSError):
        return False
    return True


async def keep_alive(nc: Client, *, every_s: float = 1.5, timeout_s: float = 1.5) -> None:
    """Drops a connection whose broker has gone silent, so that the client looks for another; never returns.

    A frozen broker is left at most `every_s + timeout_s` after it last answered. Cancel before closing.

    Raises:
        BrokerUnavailable: the client closed the connection by itself, as it does on errors of the server that
            are not about one subject; only a new connection, so a restart of the service, helps.
    """
    while True:
        await asyncio.sleep(every_s)
        if nc.is_closed:
            raise BrokerUnavailable(f"the connection to NATS was closed: {nc.last_error}")
        if nc.is_connected and not await is_alive(nc, timeout_s) and nc.is_connected:
            log.warning("nats.silent", timeout_s=timeout_s)
            _abort(nc)


class _Client(Client):
    """nats-py with what its options do not offer."""

    def __init__(self, *, encrypted: bool) -> None:
        super().__init__()
        self._encrypted = encrypted

    def next_server(self, servers: list[Server], _server_info: dict[str, Any]) -> tuple[Server, float]:
        """The server that failed least since it last worked, and how long to wait first: 0.05 to 2 s."""
        _abort(self)  # the client forgets, open, the socket of an attempt that failed after it connected
        server = min(servers, key=lambda candidate: candidate.reconnects)
        wait_s = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2 ** min(server.reconnects, 10))
        return server, wait_s * random.uniform(0.5, 1)  # noqa: S311  # spreads load, guards nothing

    async def close(self) -> None:
        if not self.is_connected:
            # What is buffered has nobody to go to, and the client would fail on the socket that is gone.
            self._pending.clear()
            self._pending_data_size = 0
        cut_off = asyncio.get_running_loop().call_later(_CLOSE_S, _abort, self)
        try:
            with contextlib.suppress(ConnectionError):  # of the flush that was cut off
                await super().close()
        except asyncio.CancelledError:
            # That of the socket, when an attempt to reconnect was cancelled while it waited for its end.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        finally:
            cut_off.cancel()

    async def _process_err(self, err_msg: str) -> None:
        # The client closes for good. But the file may hold other credentials by now: they were rotated.
        if self.is_connected and _CREDENTIALS_ENDED.search(err_msg):
            error = errors.Error(f"nats: {err_msg}")
            await self._error_cb(error)
            await self._process_op_err(error)
            return
        await super()._process_err(err_msg)

    async def _process_headers(self, headers: bytes) -> Any:
        # The log's messages carry the headers of their append, which nobody reads again, and parsing them is
        # a third of the cost of following. A status line, which the client itself reads, is parsed at once.
        if not headers or headers[len(_HEADER_LINE) : len(_HEADER_LINE) + 2] != b"\r\n":
            return await super()._process_headers(headers)
        return _Headers(self, headers)

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # The client encrypts only if the server's greeting, itself in the clear, asks for it.
        if initial_connection and self._encrypted and not info.get("tls_required"):
            raise errors.Error("the server offers no TLS")
        await super()._process_info(info, initial_connection)


class _Headers(Mapping[str, str]):
    """A message's headers, parsed when somebody looks."""

    __slots__ = ("_client", "_parsed", "_raw")

    def __init__(self, client: _Client, raw: bytes) -> None:
        self._client = client
        self._raw = raw
        self._parsed: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._parsed is None:
            self._parsed = self._client._parse_header_lines(self._raw[len(_HEADER_LINE) + 2 :])
        return self._parsed

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class _Events:
    """Logs what happens to a connection, each thing once."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._last_logged: tuple[object, ...] = ()
        self._last_logged_at = 0.0
        self._repeats = 0
        self._was_connected = False
        self.reason = "no answer"

    def connected(self) -> None:
        self._was_connected = True
        log.info("nats.connected", url=self._url())

    async def disconnected(self) -> None:
        if self._was_connected and not self._nc.is_closed:
            log.warning("nats.disconnected", reason=self.reason)
        self.reason = "no answer"

    async def reconnected(self) -> None:
        log.info("nats.reconnected", url=self._url(), reconnects=self._nc.stats["reconnects"])

    async def closed(self) -> None:
        if self._was_connected:
            log.info("nats.closed")

    async def error(self, error: Exception) -> None:
        if isinstance(error, OSError) and self.reason.startswith("nats: '"):
            return  # the socket that the server closed after it said why
        self.reason = str(error) or type(error).__name__
        if isinstance(error, errors.UnexpectedEOF):
            return  # told by `disconnected`
        if not self._nc.is_connected:
            if self._is_news(type(error), self.reason):
                log.warning("nats.unreachable", reason=self.reason)
        elif isinstance(error, errors.SlowConsumerError):
            # One error per message that is dropped: thousands in a second.
            if self._is_news(type(error), error.sid):
                log.error("nats.slow_consumer", subject=error.subject, repeats=self._repeats)
        elif self._is_news(type(error), self.reason):
            log.error("nats.error", reason=self.reason, repeats=self._repeats)

    def _is_news(self, *what: object) -> bool:
        now = time.monotonic()
        if what == self._last_logged and now - self._last_logged_at < _QUIET_S:
            self._repeats += 1
            return False
        if what != self._last_logged:
            self._repeats = 0
        self._last_logged, self._last_logged_at = what, now
        return True

    def _url(self) -> str:
        url = self._nc.connected_url
        return without_secrets(url.geturl()) if url else ""


def _abort(nc: Client) -> None:
    """Cuts the socket off without flushing it: a flush to a frozen broker would never end."""
    writer = getattr(nc._transport, "_io_writer", None)
    if writer is not None:
        writer.transport.abort()


def _credentials(settings: RuntimeSettings) -> dict[str, Any]:
    if settings.nats_nkey_seed_file is not None:
        return {"nkeys_seed_str": _read_seed(settings.nats_nkey_seed_file)}
    creds = settings.nats_creds
    if creds is None:
        return {}
    if _CREDS_JWT.search(creds.read_text()) is None or _CREDS_SEED.search(creds.read_text()) is None:
        raise SettingsInvalid(
            problem(
                "CASETRAIL_NATS_CREDS", creds, "holds no user JWT and seed (a NATS credentials file does)"
            )
        )
    # Own callbacks: the client's reader loops for ever on a file cut short, as one is while rewritten.
    return {
        "user_jwt_cb": lambda: _search(_CREDS_JWT, creds).encode(),
        "signature_cb": lambda nonce: _sign(_search(_CREDS_SEED, creds), nonce),
    }


def _read_seed(path: Path) -> str:
    seed = path.read_text().strip()
    if not _SEED.fullmatch(seed):
        raise SettingsInvalid(
            problem("CASETRAIL_NATS_NKEY_SEED_FILE", path, "holds no nkey seed of a user (SU...)")
        )
    return seed


def _search(pattern: re.Pattern[str], path: Path) -> str:
    match = pattern.search(path.read_text())
    if match is None:
        raise errors.Error(f"no credentials in {path}")  # the client retries on this class, not on others
    return match[1]


def _sign(seed: str, nonce: str) -> bytes:
    pair = nkeys.from_seed(bytearray(seed, "ascii"))
    try:
        return b64encode(pair.sign(nonce.encode()))
    finally:
        pair.wipe()


def _wants_tls(settings: RuntimeSettings) -> bool:
    files = (settings.nats_tls_ca, settings.nats_tls_cert)
    return any(files) or any(url.startswith("tls://") for url in settings.nats_servers)


def _tls(settings: RuntimeSettings) -> dict[str, Any]:
    if not _wants_tls(settings):
        return {}
    context = ssl.create_default_context()
    try:
        if settings.nats_tls_ca is not None:
            context = ssl.create_default_context(cafile=settings.nats_tls_ca)
    except ssl.SSLError as error:
        raise SettingsInvalid(problem("CASETRAIL_NATS_TLS_CA", settings.nats_tls_ca, str(error))) from None
    try:
        if settings.nats_tls_cert is not None and settings.nats_tls_key is not None:
            context.load_cert_chain(settings.nats_tls_cert, settings.nats_tls_key)
    except ssl.SSLError as error:
        raise SettingsInvalid(
            problem("CASETRAIL_NATS_TLS_CERT", settings.nats_tls_cert, str(error))
        ) from None
    return {"tls": context}
