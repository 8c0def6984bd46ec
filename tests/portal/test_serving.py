"""Connections and requests: who asks for nothing keeps nobody from asking."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.embedded.key_files import key_file
from services.portal.connections import Idle
from services.portal.security import BodyTooSlow, Secured
from services.portal.serving import served
from services.portal.settings import PortalSettings
from services.runtime.settings import load
from tests.portal.system import listening

pytestmark = pytest.mark.asyncio

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Slow:
    """Answers once it is let."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await self.goes_on.wait()
        await PlainTextResponse("done")(scope, receive, send)


def secured(application: ASGIApp, at_once: int, body_within_s: float = 60) -> Secured:
    async def refuse(_request: Request, status: int) -> Response:
        return PlainTextResponse("refused", status)

    return Secured(
        application,
        origin="http://127.0.0.1",
        refuse=refuse,
        takes_files=lambda _path: False,
        limits={},
        at_once=at_once,
        body_within_s=body_within_s,
    )


@contextlib.asynccontextmanager
async def serving(application: ASGIApp, directory: Path, idle: Idle) -> AsyncIterator[int]:
    """The port."""
    listener = listening()
    settings = load(
        PortalSettings,
        env="development",
        oidc_development=True,
        public_url="http://127.0.0.1",
        oidc_issuer="http://127.0.0.1",
        oidc_client_secret_file=key_file(directory, "CASETRAIL_OIDC_CLIENT_SECRET_FILE"),
        session_key_file=key_file(directory, "CASETRAIL_SESSION_KEY_FILE"),
        max_concurrent_requests=3,
    )
    async with served(application, listener, settings, idle):
        yield listener.getsockname()[1]


async def connected(port: int, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    return reader, writer


async def test_connections_that_ask_for_nothing_are_closed_and_keep_nobody_out(tmp_path: Path) -> None:
    application = Slow()
    application.goes_on.set()
    async with asyncio.timeout(20), serving(application, tmp_path, Idle(at_most=5, head_within_s=60)) as port:
        silent = [await connected(port, sent) for sent in [b"", GET[:9]] * 5]
        reader, writer = await connected(port, GET)
        assert b"200 OK" in await reader.readline()
        for first, _ in silent[:5]:  # who was silent longest goes first
            assert await first.read() == b""
        assert not silent[-1][0].at_eof()
        for _, each in [*silent, (reader, writer)]:
            each.close()


async def test_the_head_of_a_request_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    application = Slow()
    async with asyncio.timeout(20), serving(application, tmp_path, Idle(head_within_s=0.2)) as port:
        slow, asks = await connected(port, GET)
        for head in (b"", GET[:9]):
            reader, writer = await connected(port, head)
            assert await reader.read() == b"", "closed without a word"
            writer.close()
        application.goes_on.set()  # of a request that is whole, the time does not count
        assert b"200 OK" in await slow.readline()
        asks.write(GET[:9])  # nor does it stop for the next one
        rest = await slow.read()
        assert rest.count(b"done") == 1
        asks.close()


async def test_requests_are_counted_and_not_connections(tmp_path: Path) -> None:
    application = Slow()
    async with asyncio.timeout(20), serving(secured(application, 2), tmp_path, Idle()) as port:
        silent = [await connected(port) for _ in range(5)]
        under_way = [await connected(port, GET) for _ in range(2)]
        while application.asked < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        third, writer = await connected(port, GET)
        assert b"503" in await third.readline()
        application.goes_on.set()
        for reader, _ in under_way:
            assert b"200 OK" in await reader.readline()
        fourth, another = await connected(port, GET)
        assert b"200 OK" in await fourth.readline()
        for _, each in [*silent, *under_way, (third, writer), (fourth, another)]:
            each.close()


async def test_a_body_comes_in_time_or_not_at_all(tmp_path: Path) -> None:
    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            size = len(await Request(scope, receive).body())
        except BodyTooSlow:
            await PlainTextResponse("too slow", 408)(scope, receive, send)
        else:
            await PlainTextResponse(str(size))(scope, receive, send)

    head = b"POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://127.0.0.1\r\n"
    async with asyncio.timeout(20), serving(secured(reading, 9, 0.2), tmp_path, Idle()) as port:
        reader, writer = await connected(port, head + b"Content-Length: 10\r\n\r\nx")
        assert b"408" in await reader.readline()
        writer.close()
        reader, writer = await connected(port, head + b"Transfer-Encoding: chunked\r\n\r\n")
        until = asyncio.get_running_loop().time() + 0.5  # longer than it may take, were it not for its size
        while asyncio.get_running_loop().time() < until:
            writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")
        assert b"200 OK" in await reader.readline()
        writer.close()
