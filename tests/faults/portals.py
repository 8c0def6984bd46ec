"""Portals behind one address, replaced as a Deployment does it; and people who use the pages all the time."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx2

from services.embedded.key_files import key_file
from tests.faults.deployment import WITHIN_S, Deployment, Replica, eventually
from tests.portal.filling import send
from tests.portal.system import ANNA, JAMES, OLIVIA, OWN_PAGE, identity_provider
from tests.signin.steps import sign_in

VISITORS: Final = (ANNA, JAMES, OLIVIA)
QUESTIONNAIRE: Final = "https://casetrail.example/questionnaires/other|1.0"
ANSWERS: Final = {"a-outcome": "An answer", "a-urgency": "can-wait"}
SHUTDOWN_TIMEOUT_S: Final = "20"
"""As the chart has it."""
_TRIES: Final = 5


class Balancer:
    """One address for several portals: each connection goes to one that is ready, the next to the next."""

    def __init__(self) -> None:
        self._ports: list[int] = []
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """The address."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def add(self, port: int) -> None:
        self._ports.append(port)

    def withdraw(self, port: int) -> None:
        """No new connection goes there; those that are open stay."""
        self._ports.remove(port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        port = self._ports.pop(0)
        self._ports.append(port)
        with contextlib.suppress(OSError), contextlib.closing(writer):
            there, back = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(back):
                await asyncio.gather(_pass(reader, back), _pass(there, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while content := await reader.read(1 << 16):
            writer.write(content)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


@dataclass
class Portals:
    """The portals of a deployment, behind one address."""

    deployment: Deployment
    balancer: Balancer
    origin: str
    longest_stop_s: float = 0.0

    async def scale_out(self) -> None:
        replica = await self.deployment.scale_out("portal")
        self.balancer.add(_port(replica))

    async def scale_in(self) -> None:
        """Withdrawn first, as preStop in the chart sees to; then it is told to stop."""
        replica = self.deployment.replicas["portal"].pop(0)
        self.balancer.withdraw(_port(replica))
        began = time.monotonic()
        await replica.stop()
        self.longest_stop_s = max(self.longest_stop_s, time.monotonic() - began)
        for fault in ("page.fault", "page.service_fault", "page.unavailable", "service.stopped_late"):
            assert replica.count(fault) == 0, replica.said()

    async def replace_each(self) -> None:
        """As a Deployment does, one after the other."""
        for _ in list(self.deployment.replicas["portal"]):
            await self.replace_one()

    async def replace_one(self) -> None:
        """maxSurge 1, maxUnavailable 0: a new one is ready before the oldest goes."""
        await self.scale_out()
        await self.scale_in()


def _port(replica: Replica) -> int:
    return int(replica.last("portal.listening")["port"])


@contextlib.asynccontextmanager
async def portals(deployment: Deployment, count: int) -> AsyncIterator[Portals]:
    """So many portals, which end with the deployment."""
    balancer = Balancer()
    with identity_provider() as issuer:
        origin = await balancer.start()
        deployment.settings["portal"] = {
            "CASETRAIL_ENV": "development",
            "CASETRAIL_PUBLIC_URL": origin,
            "CASETRAIL_OIDC_DEVELOPMENT": "true",
            "CASETRAIL_OIDC_ISSUER": issuer,
            "CASETRAIL_OIDC_CLIENT_SECRET_FILE": str(key_file(deployment.directory / "keys", "oidc")),
            "CASETRAIL_SESSION_KEY_FILE": str(deployment.directory / "keys" / "session.key"),
            "CASETRAIL_PORTAL_PORT": "0",
            "CASETRAIL_SHUTDOWN_TIMEOUT_S": SHUTDOWN_TIMEOUT_S,
        }
        portals = Portals(deployment, balancer, origin)
        try:
            await asyncio.gather(*(portals.scale_out() for _ in range(count)))
            yield portals
        finally:
            await balancer.stop()


class Again(httpx2.AsyncBaseTransport):
    """Sends a request again whose connection ended before any answer came, as browsers and proxies do."""

    def __init__(self) -> None:
        self._transport = httpx2.AsyncHTTPTransport()
        self.repeated = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        for left in reversed(range(_TRIES)):
            try:
                return await self._transport.handle_async_request(request)
            except (httpx2.NetworkError, httpx2.RemoteProtocolError):
                if not left:
                    raise
                self.repeated += 1
        raise AssertionError

    async def aclose(self) -> None:
        await self._transport.aclose()


@dataclass
class Visitor:
    """Somebody in a browser without scripts, and with a stream of news of the first ticket."""

    email: str
    browser: httpx2.AsyncClient
    sent: dict[str, list[str]] = field(default_factory=dict)
    """By ticket number: what was written, in that order."""
    heard: list[int] = field(default_factory=list)
    """Revisions of the first ticket that the stream told of."""
    streams: int = 0

    @property
    def first(self) -> str:
        return next(iter(self.sent))

    @property
    def heard_of(self) -> int:
        return self.heard[-1] if self.heard else 0

    @property
    def written(self) -> int:
        """The revision of the first ticket."""
        return len(self.sent[self.first])

    async def open(self) -> str:
        """How can we help?, questions, check, Submit; the ticket's number."""
        text = f"{self.email} asks {len(self.sent)}"
        page = await self.browser.get("/help")
        for action, typed in (
            ("/help", {"text": text}),
            ("/help", {"questionnaire": QUESTIONNAIRE}),
            ("/help/", ANSWERS),
            ("/help/", {"a-merchant": "M-1"}),
            ("/help/", {}),
            ("/help/", {}),
        ):
            page = await send(self.browser, page, action, typed)
        while not (found := re.fullmatch(r"/tickets/(\d{10})", urlsplit(str(page.url)).path)):
            assert "refresh" in page.headers, page.text  # it waits for its ticket
            page = await self.browser.get(page.url)
        assert text in page.text
        self.sent[found[1]] = [text]
        return found[1]

    async def reply(self, number: str) -> None:
        """Read, write, and read what came of it."""
        address = f"/tickets/{number}"
        text = f"{self.email} says {number} {len(self.sent[number])}."
        page = await send(self.browser, await self.browser.get(address), f"{address}/reply", {"text": text})
        self.sent[number].append(text)
        for said in self.sent[number][1:]:
            assert page.text.count(said) == 1, said

    async def hear(self) -> None:
        """Listen to the first ticket, from one stream to the next, until cancelled."""
        while True:
            last = {"last-event-id": str(self.heard[-1])} if self.heard else {}
            asked = {"accept": "text/event-stream", "sec-fetch-mode": "cors", **last}
            self.streams += 1
            async with self.browser.stream(
                "GET", f"/tickets/{self.first}/live", params={"after": "1"}, headers=asked
            ) as stream:
                async for line in stream.aiter_lines():
                    if line.startswith("id:"):
                        self.heard.append(int(line.removeprefix("id:")))


class Visitors:
    """People who are signed in and use the pages. A page that fails, or asks to sign in, fails the test."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._over = asyncio.Event()
        self._again = Again()
        self.statuses: Counter[int] = Counter()
        self.visitors: list[Visitor] = []
        self._working = [asyncio.create_task(self._visit(email), name=email) for email in VISITORS]
        self._hearing: list[asyncio.Task[None]] = []

    @property
    def pages(self) -> int:
        return self.statuses.total()

    @property
    def repeated(self) -> int:
        """Requests that were sent again, since their connection was closed before any answer."""
        return self._again.repeated

    async def settled(self) -> None:
        """Returns when everybody has a ticket and listens to what comes of it."""
        await self._until(
            lambda: len([each for each in self.visitors if each.heard]) == len(VISITORS), "everybody hears"
        )

    async def more(self, pages: int) -> None:
        """Returns when so many more pages were answered."""
        enough = self.pages + pages
        await self._until(lambda: self.pages >= enough, "more pages are read")

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        """Raises what has ended the work of somebody."""
        await eventually(lambda: condition() or any(task.done() for task in self._tasks), what)
        for task in self._tasks:
            if task.done():
                task.result()

    @property
    def _tasks(self) -> list[asyncio.Task[None]]:
        return [*self._working, *self._hearing]

    async def go_home(self) -> None:
        self._over.set()
        await asyncio.gather(*self._working)
        await eventually(
            lambda: (
                all(visitor.heard_of == visitor.written for visitor in self.visitors)
                or any(task.done() for task in self._hearing)
            ),
            "streams tell of everything",
        )
        for task in self._hearing:
            task.cancel()
        ended = await asyncio.gather(*self._hearing, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
        for visitor in self.visitors:
            await visitor.browser.aclose()

    async def _visit(self, email: str) -> None:
        browser = httpx2.AsyncClient(
            base_url=self._origin,
            timeout=WITHIN_S,
            headers={"accept-language": "en", **OWN_PAGE},
            transport=self._again,
        )
        await sign_in(browser, self._origin, email)
        browser.follow_redirects = True
        browser.event_hooks["response"].append(self._look)
        visitor = Visitor(email, browser)
        await visitor.open()
        self.visitors.append(visitor)
        self._hearing.append(asyncio.create_task(visitor.hear(), name=f"{email} hears"))
        while not self._over.is_set():
            number = await visitor.open()
            for each in (number, visitor.first, number):
                await visitor.reply(each)

    async def _look(self, response: httpx2.Response) -> None:
        self.statuses[response.status_code] += 1
        if response.status_code >= 400:
            await response.aread()
            raise AssertionError(f"{response.request.method} {response.url}: {response.status_code}")
        assert "/sign-in" not in response.headers.get("location", ""), "somebody was signed out"
