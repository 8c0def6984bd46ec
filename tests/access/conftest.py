"""The access service on a real server: as its callers see it, and its parts for tests of several replicas.

A server and a service live as long as a module's tests; each test has accounts and people of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client
from prometheus_client import CollectorRegistry

from contracts.access.events import RecordedAccessEvent, parse_access_event
from contracts.access.people import person_id
from contracts.errors import STATUS_HEADER, ErrorReply
from contracts.follow import Follower
from contracts.registry import REQUESTS
from contracts.requests import Query
from contracts.subjects import ACCESS, request, system_request
from services.access.app import AccessSettings
from services.access.app import access as compose
from services.access.commands import Caches, Commands
from services.access.queries import Queries
from services.access.view import AccessView
from services.embedded.nats_server import NatsServer
from services.links.invitations import InvitationTokens
from services.links.mail import MailTokens
from services.runtime.health import Health
from services.runtime.log import Log
from services.runtime.replica import Replica
from services.runtime.service import Context
from services.runtime.settings import load
from services.runtime.streams import ensure_streams, stream_info

KEY: Final = "the key of these tests, long enough to be one"
TERMINAL: Final = {"kind": "system", "id": "cli"}

Document = dict[str, Any]


def new_id() -> str:
    return uuid.uuid4().hex


def member(email: str) -> Document:
    """The person of this address, as a member of accounts."""
    return {"kind": "member", "id": person_id(email)}


def agent(email: str) -> Document:
    """The person of this address, for the platform."""
    return {"kind": "agent", "id": person_id(email)}


class Caller:
    """Somebody who talks to the service over NATS, with an account and addresses that nobody else has."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.account = f"a{new_id()[:12]}"
        self._seen = 0

    def email(self, name: str) -> str:
        return f"{name}@{self.account}.example"

    async def ask(self, name: str, body: Document | bytes) -> tuple[str | None, Any]:
        """The status header, if any, and the answer."""
        if isinstance(body, dict) and issubclass(REQUESTS[request("access", name)].asks, Query):
            body = {"at_least": self._seen, **body}  # people see what was done before
        of_terminal = isinstance(body, dict) and body.get("actor") == TERMINAL
        subject = system_request("cli", "access", name) if of_terminal else request("access", name)
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        reply = await self.nc.request(subject, raw, timeout=15)
        answer = json.loads(reply.data)
        self._seen = max(self._seen, answer.get("position", 0))
        return (reply.headers or {}).get(STATUS_HEADER), answer

    async def done(self, name: str, /, **body: Any) -> Document:
        """The answer, which must not be an error."""
        status, answer = await self.ask(name, body)
        assert status is None, answer
        assert isinstance(answer, dict)
        return answer

    async def refused(self, name: str, /, **body: Any) -> ErrorReply:
        """The error, which leaves no trace in the log."""
        before = await self.last_position()
        status, answer = await self.ask(name, body)
        assert status is not None, answer
        reply = ErrorReply.model_validate(answer)
        assert status == str(reply.status)
        assert await self.last_position() == before
        return reply

    async def last_position(self) -> int:
        return int((await stream_info(self.nc, ACCESS))["state"]["last_seq"])

    def command(self, actor: Document = TERMINAL, **more: Any) -> Document:
        """A command on the account."""
        return {"command_id": new_id(), "account": self.account, "actor": actor, **more}

    def of_person(self, actor: Document, **more: Any) -> Document:
        """A command on a person."""
        return {"command_id": new_id(), "actor": actor, **more}

    async def register(self, **more: Any) -> Document:
        return await self.done("register", **self.command(**{"name": "Przychodnia Nova", **more}))

    async def invite(
        self, name: str, role: str = "member", actor: Document = TERMINAL, **more: Any
    ) -> Document:
        return await self.done(
            "invite", **self.command(actor, **{"email": self.email(name), "role": role, **more})
        )

    async def accept(self, name: str, token: str, **more: Any) -> Document:
        return await self.done(
            "accept", **self.of_person(member(self.email(name)), **{"token": token, **more})
        )

    async def join(self, name: str, role: str = "member") -> Document:
        """Somebody who is a member from now on, as an actor."""
        invited = await self.invite(name, role)
        await self.accept(name, invited["token"])
        return member(self.email(name))

    async def with_admin(self) -> Document:
        """The account is registered and has an administrator, whom this returns as an actor."""
        await self.register()
        return await self.join("admin", "admin")

    async def appoint(self, name: str, role: str) -> Document:
        """Somebody with a role for the platform, as an actor."""
        await self.done("appoint", **self.of_person(TERMINAL, email=self.email(name), role=role))
        return agent(self.email(name))

    async def people(self, actor: Document = TERMINAL, **more: Any) -> dict[str, tuple[str, str]]:
        """Status and role of the account's people, by the part of their address before the @."""
        page = await self.done("people", **{"account": self.account, "actor": actor, **more})
        return {each["email"].split("@")[0]: (each["status"], each["role"]) for each in page["people"]}


async def log_of(nc: Client) -> list[RecordedAccessEvent]:
    """Every event in the log of access."""
    follower = Follower(nc, ACCESS.name, ACCESS.subjects[0], names=[f"test-{new_id()}"], after=0)
    found: list[RecordedAccessEvent] = []
    async with contextlib.aclosing(follower.batches()) as batches:
        async for batch in batches:
            found += (RecordedAccessEvent(m.position, parse_access_event(m.payload)) for m in batch.messages)
            if batch.pending == 0:
                break
    return found


class Node:
    """One replica of the service without its connection to callers: its parts can be looked into."""

    def __init__(self, nc: Client, directory: Path) -> None:
        self.nc = nc
        self.caches = Caches()
        self.replica = Replica(
            nc, ACCESS, AccessView(), directory, user="access", on_documents=self.caches.take_in
        )
        tokens = InvitationTokens(KEY)
        self.commands = Commands(Log(nc, ACCESS), self.replica, self.caches, tokens, MailTokens(KEY))
        self.queries = Queries(self.replica, tokens)
        self._running = asyncio.create_task(self.replica.run())

    async def pause(self) -> None:
        """Follow the log no more, as a replica that was cut off."""
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running

    def resume(self) -> None:
        self._running = asyncio.create_task(self.replica.run())

    async def stop(self) -> None:
        await self.pause()
        self.replica.close()


@contextlib.asynccontextmanager
async def running(nc: Client, directory: Path) -> AsyncIterator[None]:
    """The whole service, put together as its process does it."""
    registry = CollectorRegistry()
    key = directory / "link.key"
    key.write_text(KEY)
    context = Context(
        settings=load(AccessSettings, data_dir=directory, link_key_file=key),
        nc=nc,
        health=Health(registry),
        registry=registry,
        user="access",
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


@pytest.fixture
def caller(nc: Client, service: None) -> Caller:
    """Somebody with an account of its own, while the service runs."""
    return Caller(nc)


@pytest.fixture
def start_node(nc: Client, tmp_path: Path) -> Callable[[str], AbstractAsyncContextManager[Node]]:
    """Runs a replica of its own on a directory of this name until the end of the block."""

    @contextlib.asynccontextmanager
    async def start(name: str) -> AsyncIterator[Node]:
        node = Node(nc, tmp_path / name)
        try:
            await node.replica.caught_up()
            yield node
        finally:
            await node.stop()

    return start
