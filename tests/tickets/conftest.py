"""The ticket service on a real server: as its callers see it, and its parts for tests of several replicas.

A server and a service live as long as a module's tests; each test has accounts of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Final

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.nuid import NUID
from prometheus_client import CollectorRegistry

from contracts.access.roles import PlatformRole
from contracts.attachments.files import Attachment
from contracts.errors import STATUS_HEADER, ErrorReply
from contracts.number import derive_number
from contracts.subjects import TICKETS, UPLOADS, request
from services.embedded.nats_server import NatsServer
from services.files.store import FileStore, UploadRecord, describe_upload
from services.guard.guard import Guard
from services.guard.settings import GuardSettings
from services.runtime.health import Health
from services.runtime.log import Log
from services.runtime.replica import Replica
from services.runtime.service import Context
from services.runtime.settings import load
from services.runtime.streams import ensure_streams, stream_info
from services.tickets.app import tickets as compose
from services.tickets.commands import Cache, Commands
from services.tickets.queries import Queries
from services.tickets.view import TicketsView
from tests.access_log import AccessLog, agent, member, on_server
from tests.files.samples import PNG

JAN, OLA = "jan@partner.example", "ola@desk.example"
MEMBER: Final = member(JAN)
"""A member of every account that a test works on."""
AGENT: Final = agent(OLA)
QUERIES: Final = ("get", "history", "list", "lookup", "topics", "submission")

Document = dict[str, Any]


def new_id() -> str:
    return uuid.uuid4().hex


class Caller:
    """Somebody who talks to the service over NATS, for one account."""

    def __init__(self, nc: Client, account: str, access: AccessLog) -> None:
        self.nc = nc
        self.account = account
        self._access = access

    @classmethod
    async def of(cls, nc: Client, account: str, access: AccessLog) -> Caller:
        """Somebody of this account, of which it is a member from now on."""
        await access.account(account, members=[JAN])
        return cls(nc, account, access)

    async def elsewhere(self, account: str) -> Caller:
        """The same person in another account."""
        return await self.of(self.nc, account, self._access)

    async def ask(self, name: str, body: Document | bytes) -> tuple[str | None, Any]:
        """The status header, if any, and the answer."""
        if isinstance(body, dict) and name in QUERIES:
            body = {"actor": AGENT, **body}
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        reply = await self.nc.request(request("tickets", name), raw, timeout=15)
        return (reply.headers or {}).get(STATUS_HEADER), json.loads(reply.data)

    async def done(self, name: str, **body: Any) -> Document:
        """The answer, which must not be an error."""
        status, answer = await self.ask(name, body)
        assert status is None, answer
        assert isinstance(answer, dict)
        return answer

    async def refused(self, name: str, body: Document | bytes) -> ErrorReply:
        """The error, which leaves no trace in the log."""
        before = await self.last_position()
        status, answer = await self.ask(name, body)
        reply = ErrorReply.model_validate(answer)
        assert status == str(reply.status)
        assert await self.last_position() == before
        return reply

    async def catch_up(self) -> None:
        """Return once the service that answers holds all that the log holds now."""
        await self.done("list", at_least=await self.last_position())

    async def last_position(self) -> int:
        return int((await stream_info(self.nc, TICKETS))["state"]["last_seq"])

    def command(self, **more: Any) -> Document:
        return {"command_id": new_id(), "account": self.account, "actor": MEMBER, **more}

    def opening(self, **more: Any) -> Document:
        return self.command(**{"title": "Nie działa", "message": "Od wczoraj.", **more})

    async def open(self, **more: Any) -> Document:
        return await self.done("open", **self.opening(**more))

    async def reply(self, number: str, text: str = "Już działa.", **more: Any) -> Document:
        return await self.done("reply", **self.command(number=number, text=text, **more))

    async def close(self, number: str, **more: Any) -> Document:
        return await self.done(
            "close", **self.command(**{"number": number, "reason": "solved", "actor": AGENT, **more})
        )

    async def reopen(self, number: str, **more: Any) -> Document:
        return await self.done(
            "reopen", **self.command(**{"number": number, "reason": "Jednak nie.", **more})
        )

    async def found(self, **query: Any) -> list[str]:
        """Numbers of the account's tickets that the query finds, page by page, in the order of the pages."""
        numbers: list[str] = []
        query = {"account": self.account, **query}
        while True:
            page = await self.done("list", **query)
            numbers += [ticket["number"] for ticket in page["tickets"]]
            if "next_before" not in page:
                return numbers
            query["before"] = page["next_before"]


async def upload(
    nc: Client, account: str, actor: Document = MEMBER, *, name: str = "Zrzut.png", content: bytes = PNG
) -> Attachment:
    """A file that somebody uploaded for the account, as the attachments service puts it there."""
    attachment = Attachment(
        id=new_id()[:26],
        name=name,
        media_type="image/png",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    record = UploadRecord.model_validate({"account": account, "actor": actor, "attachment": attachment})
    store = FileStore(nc, UPLOADS)
    await store.write(attachment.id, NUID().next().decode(), content, {"upload": record.model_dump_json()})
    return attachment


class Node:
    """One replica of the service without its connection to callers: its parts can be looked into."""

    def __init__(self, nc: Client, directory: Path) -> None:
        self.nc = nc
        self.cache = Cache()
        self.replica = Replica(
            nc, TICKETS, TicketsView(), directory, user="tickets", on_documents=self.cache.take_in
        )
        self.guard = Guard(nc, user="tickets", max_age_s=60)
        self.commands = Commands(
            Log(nc, TICKETS), self.replica, self.cache, self.guard, partial(describe_upload, nc)
        )
        self.queries = Queries(self.replica, self.guard)
        self._running = asyncio.create_task(self.replica.run())
        self._guarding = asyncio.create_task(self.guard.run())

    async def pause(self) -> None:
        """Follow the log no more, as a replica that was cut off."""
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running

    def resume(self) -> None:
        self._running = asyncio.create_task(self.replica.run())

    async def stop(self) -> None:
        await self.pause()
        self._guarding.cancel()
        await asyncio.gather(self._guarding, return_exceptions=True)
        self.replica.close()


@contextlib.asynccontextmanager
async def running(nc: Client, directory: Path) -> AsyncIterator[None]:
    """The whole service, put together as its process does it."""
    registry = CollectorRegistry()
    context = Context(
        settings=load(GuardSettings, data_dir=directory),
        nc=nc,
        health=Health(registry),
        registry=registry,
        user="tickets",
        version="1.0.0",
        failed=asyncio.get_running_loop().create_future(),
    )
    async with compose(context):
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsServer]:
    """A server with the streams, where anyone may do anything."""
    server = await NatsServer.start(tmp_path_factory.mktemp("nats"))
    nc = await nats.connect(server.url)
    await ensure_streams(nc, replicas=1)
    await nc.close()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nc(server: NatsServer) -> AsyncIterator[Client]:
    """The connection of the callers."""
    client = await nats.connect(server.url)
    yield client
    await client.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """The running service."""
    client = await nats.connect(server.url)
    async with running(client, tmp_path_factory.mktemp("replica")):
        yield
    await client.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def access(nc: Client) -> AccessLog:
    """The log of access, in which Ola is an agent."""
    access = AccessLog(on_server(nc))
    await access.appointed(OLA, PlatformRole.AGENT)
    return access


@pytest_asyncio.fixture(loop_scope="module")
async def caller(nc: Client, access: AccessLog, service: None) -> Caller:
    """Somebody of a new account, while the service runs."""
    return await Caller.of(nc, f"a{new_id()[:12]}", access)


@pytest.fixture
def start_node(nc: Client, tmp_path: Path) -> Callable[[str], AbstractAsyncContextManager[Node]]:
    """Runs a replica of its own on a directory of this name until the end of the block."""

    @contextlib.asynccontextmanager
    async def start(name: str) -> AsyncIterator[Node]:
        node = Node(nc, tmp_path / name)
        await node.guard.caught_up()
        try:
            yield node
        finally:
            await node.stop()

    return start


def unused_number(account: str = "nobody") -> str:
    """A number with a right check digit that no ticket has."""
    return derive_number(account, new_id())
