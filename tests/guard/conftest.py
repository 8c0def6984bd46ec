"""A server with the permissions of the real system, the ticket service, and two accounts of people."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.aio.msg import Msg
from prometheus_client import CollectorRegistry

from contracts.access.roles import PlatformRole, SystemMay
from contracts.errors import STATUS_HEADER
from contracts.registry import REQUESTS
from contracts.requests import Query
from contracts.subjects import inbox_prefix, request, system_request
from services.credentials.creds import creds_file
from services.credentials.operator import Operator
from services.credentials.permissions import USERS, Permissions, Zone
from services.embedded.nats_server import NatsServer
from services.guard.settings import GuardSettings
from services.runtime.health import Health
from services.runtime.service import Context
from services.runtime.settings import load
from services.runtime.streams import ensure_streams
from services.tickets.app import tickets as compose
from tests.access_log import AccessLog, Actor, agent, member, on_server, system

DEADLINE_S: Final = 20.0
ACME, GLOBEX = "acme", "globex"

PEOPLE: Final[dict[str, Actor | None]] = {
    "member of acme": member("jan@acme.example"),
    "admin of acme": member("ewa@acme.example"),
    "member of globex": member("max@globex.example"),
    "agent": agent("ola@desk.example"),
    "auditor": agent("iga@audit.example"),
    "operator": agent("kot@ops.example"),
    "agent as a member": member("ola@desk.example"),
    "member as an agent": agent("jan@acme.example"),
    "stranger": member("nobody@nowhere.example"),
    "nobody": None,
    "writing system of acme": system(ACME, "writer"),
    "reading system of acme": system(ACME, "reader"),
    "subscribing system of acme": system(ACME, "subscriber"),
    "revoked system of acme": system(ACME, "revoked"),
    "terminal": {"kind": "system", "id": "cli"},
}
SYSTEMS: Final = tuple(
    actor["id"] for actor in PEOPLE.values() if actor is not None and actor["kind"] == "system"
)

TEST_USERS: Final = {
    # writes the access log, as the access service does, and looks at what the others did
    "root": Permissions(zone=Zone.SERVICES, publish=(">",), subscribe=(">",)),
    # may send every request under their own names: what they may not is for the services to refuse
    **{
        user: Permissions(
            zone=Zone.OUTSIDE,
            publish=(system_request(user, "*", "*"),),
            subscribe=(f"{inbox_prefix(user)}.>",),
        )
        for user in SYSTEMS
        if user != "cli"
    },
}

Document = dict[str, Any]


class World:
    """A running system: its broker, its users, its access log."""

    def __init__(self, server: NatsServer, creds: Path, clients: AsyncExitStack) -> None:
        self.server = server
        self._creds = creds
        self._clients = clients
        self._asking: dict[str, Client] = {}
        self._seen: dict[str, int] = {}
        self.root: Client
        self.access: AccessLog

    def creds_file(self, user: str) -> Path:
        return creds_file(self._creds, user)

    async def connect(self, user: str) -> Client:
        """A connection as that user, closed with the world."""
        client = await nats.connect(
            self.server.url,
            name=user,
            user_credentials=str(self.creds_file(user)),
            inbox_prefix=inbox_prefix(user),
        )
        self._clients.push_async_callback(client.close)
        return client

    async def send(self, actor: Actor | None, name: str, /, *, service: str = "tickets", **body: Any) -> Msg:
        """The complete reply of a service to who asks in the way that the actor's kind may."""
        user, subject = "cli", request(service, name)
        if actor is not None and actor["kind"] == "system":
            user, subject = actor["id"], system_request(actor["id"], service, name)
        if user not in self._asking:
            self._asking[user] = await self.connect(user)
        whole = body if actor is None else {"actor": actor, **body}
        if issubclass(REQUESTS[request(service, name)].asks, Query):
            whole = {"at_least": self._seen.get(service, 0), **whole}  # people see what was done before
        reply = await self._asking[user].request(subject, json.dumps(whole).encode(), timeout=15)
        self._seen[service] = max(self._seen.get(service, 0), json.loads(reply.data).get("position", 0))
        return reply

    async def ask(self, actor: Actor | None, name: str, /, **body: Any) -> tuple[str | None, Document]:
        """The status header, if any, and the answer."""
        reply = await self.send(actor, name, **body)
        return (reply.headers or {}).get(STATUS_HEADER), json.loads(reply.data)

    async def done(self, actor: Actor | None, name: str, /, **body: Any) -> Document:
        """The answer, which must not be an error."""
        status, answer = await self.ask(actor, name, **body)
        assert status is None, answer
        return answer

    async def ticket(self, account: str, *, closed: bool = False, **more: Any) -> str:
        """The number of a new ticket."""
        ola = PEOPLE["agent"]
        opening = {"account": account, "title": "Nie działa", "message": "Od wczoraj.", **more}
        number = str((await self.done(ola, "open", command_id=new_id(), **opening))["number"])
        if closed:
            await self.done(
                ola, "close", command_id=new_id(), account=account, number=number, reason="solved"
            )
        return number


async def eventually(condition: Callable[[], object], what: str) -> None:
    """Returns once the condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not in {DEADLINE_S:g} s: {what}"
        await asyncio.sleep(0.005)


def new_id() -> str:
    return uuid.uuid4().hex


async def begin(world: World) -> None:
    """Two accounts with their people and systems, and those of the platform."""
    access = world.access
    await access.account(ACME, members=["jan@acme.example"], admins=["ewa@acme.example"])
    await access.account(GLOBEX, members=["max@globex.example"])
    await access.appointed("ola@desk.example", PlatformRole.AGENT)
    await access.appointed("iga@audit.example", PlatformRole.AUDITOR)
    await access.appointed("kot@ops.example", PlatformRole.OPERATOR)
    await access.credential(ACME, "writer", SystemMay.WRITE)
    await access.credential(ACME, "reader", SystemMay.READ)
    await access.credential(ACME, "subscriber", SystemMay.SUBSCRIBE)
    await access.credential(ACME, "revoked", SystemMay.WRITE)
    await access.revoked(ACME, "revoked")


@contextlib.asynccontextmanager
async def a_world(directory: Path) -> AsyncIterator[World]:
    """A broker with the streams and the people above; no service runs yet."""
    operator = Operator.kept(directory / "operator")
    operator.keep_creds(directory / "creds", {**USERS, **TEST_USERS})
    server = await NatsServer.start(directory / "nats", trust=operator.trust)
    try:
        async with AsyncExitStack() as clients:
            world = World(server, directory / "creds", clients)
            assert await ensure_streams(await world.connect("setup"), replicas=1) == []
            world.root = await world.connect("root")
            world.access = AccessLog(on_server(world.root))
            await begin(world)
            yield world
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def the_ticket_service(world: World, directory: Path, **settings: Any) -> AsyncIterator[Health]:
    """The ticket service, put together as its process does it, as the user that it has there."""
    registry = CollectorRegistry()
    health = Health(registry)
    context = Context(
        settings=load(GuardSettings, data_dir=directory, **settings),
        nc=await world.connect("tickets"),
        health=health,
        registry=registry,
        user="tickets",
        version="1.0.0",
        failed=asyncio.get_running_loop().create_future(),
    )
    async with compose(context):
        yield health


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One system for the tests of a module."""
    async with a_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tickets(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Health]:
    """The ticket service, running."""
    async with the_ticket_service(world, tmp_path_factory.mktemp("tickets")) as health:
        yield health
