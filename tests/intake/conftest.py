"""Intake, tickets and attachments on a real server, put together as their processes do it.

A server and the services live as long as a module's tests; each test has an account of its own.
"""

from __future__ import annotations

import asyncio
import base64
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
import yaml
from nats.aio.client import Client
from prometheus_client import CollectorRegistry

from contracts.access.roles import PlatformRole
from contracts.errors import STATUS_HEADER, ErrorReply
from contracts.subjects import INTAKE, request
from services.attachments.app import attachments
from services.attachments.settings import AttachmentsSettings
from services.embedded.nats_server import NatsServer
from services.guard.settings import GuardSettings
from services.intake.app import IntakeSettings, intake
from services.runtime.health import Health
from services.runtime.service import Context
from services.runtime.settings import RuntimeSettings, load
from services.runtime.streams import ensure_streams, stream_info
from services.tickets.app import tickets
from tests.access_log import AccessLog, agent, member, on_server

JAN, EWA, OLA = "jan@partner.example", "ewa@partner.example", "ola@desk.example"
MEMBER: Final = member(JAN)
AGENT: Final = agent(OLA)

Document = dict[str, Any]


def said(english: str, polish: str) -> dict[str, str]:
    return {"en": english, "pl": polish}


FEEDS: Final[Document] = {
    "url": "https://partners.example/questionnaires/feeds",
    "version": "1",
    "status": "active",
    "languages": ["en", "pl"],
    "title": said("Feeds", "Pliki danych"),
    "description": said("About feeds", "O plikach danych"),
    "topic": "feeds",
    "keywords": {"en": ["xylophone"], "pl": ["ksylofon"]},
    "ticketTitle": said("Feed: {kind} {count}", "Plik: {kind} {count}"),
    "item": [
        {
            "linkId": "kind",
            "type": "choice",
            "text": said("Which feed?", "Który plik?"),
            "required": True,
            "answerOption": [
                {"code": "places", "text": said("Places", "Placówki")},
                {"code": "slots", "text": said("Slots", "Terminy")},
            ],
        },
        {
            "linkId": "slots",
            "type": "group",
            "text": said("The slots", "Terminy"),
            "enableWhen": [{"question": "kind", "answer": "slots"}],
            "item": [
                {
                    "linkId": "all",
                    "type": "boolean",
                    "text": said("All of them?", "Wszystkie?"),
                    "required": True,
                },
                {
                    "linkId": "count",
                    "type": "integer",
                    "text": said("How many?", "Ile?"),
                    "required": True,
                    "minValue": 1,
                    "enableWhen": [{"question": "all", "answer": False}],
                },
            ],
        },
        {
            "linkId": "merchant",
            "type": "string",
            "text": said("Merchant ID", "Identyfikator sprzedawcy"),
            "identifier": "merchant",
            "maxLength": 20,
        },
        {
            "linkId": "earlier",
            "type": "string",
            "text": said("Earlier reference ID", "Wcześniejszy identyfikator referencyjny"),
            "identifier": "reference",
        },
        {
            "linkId": "shots",
            "type": "attachment",
            "text": said("Screenshots", "Zrzuty ekranu"),
            "repeats": True,
        },
    ],
}
CANONICAL: Final = "https://partners.example/questionnaires/feeds|1"


def new_id() -> str:
    return uuid.uuid4().hex


class Partner:
    """Somebody of an account, who talks to the services over NATS."""

    def __init__(self, nc: Client, account: str, actor: Document) -> None:
        self.nc = nc
        self.account = account
        self.actor = actor

    async def ask(self, service: str, name: str, body: Document) -> tuple[str | None, Any]:
        """The status header, if any, and the answer."""
        body = {"account": self.account, "actor": self.actor, **body}
        reply = await self.nc.request(request(service, name), json.dumps(body).encode(), timeout=15)
        return (reply.headers or {}).get(STATUS_HEADER), json.loads(reply.data)

    async def done(self, request_name: str, /, service: str = "intake", **body: Any) -> Document:
        """The answer, which must not be an error."""
        status, answer = await self.ask(service, request_name, body)
        assert status is None, answer
        assert isinstance(answer, dict)
        return answer

    async def refused(self, request_name: str, /, service: str = "intake", **body: Any) -> ErrorReply:
        """The error."""
        status, answer = await self.ask(service, request_name, body)
        reply = ErrorReply.model_validate(answer)
        assert status == str(reply.status)
        return reply

    async def start(self, **more: Any) -> Document:
        return await self.done(
            "start",
            **{
                "command_id": new_id(),
                "questionnaire": CANONICAL,
                "message": "Dzień dobry,\nbrakuje nam terminów.",
                "language": "pl",
                "via": "portal",
                **more,
            },
        )

    def turn(self, draft: Document, **more: Any) -> Document:
        """The next command on the draft, as it was shown."""
        command = {"command_id": new_id(), "draft": draft["draft"], "revision": draft["revision"]}
        if "page" in draft:
            command["page"] = draft["page"]["link_id"]
        return {**command, **more}

    async def answer(self, draft: Document, **answers: Any) -> Document:
        sent = {link_id: [value] if isinstance(value, str) else value for link_id, value in answers.items()}
        return await self.done("answer", **self.turn(draft, answers=sent))

    async def submit(self, draft: Document, **more: Any) -> Document:
        return await self.done("submit", **self.without_page(self.turn(draft, **more)))

    def without_page(self, command: Document) -> Document:
        return {name: value for name, value in command.items() if name != "page"}

    async def ticket(self, submitted: Document) -> Document:
        """The ticket of a submission, waited for."""
        found = await self.done("submission", "tickets", submission=submitted["submission"], wait_s=8)
        return await self.done("get", "tickets", number=found["number"], at_least=found["position"])

    async def upload(self, name: str, content: bytes, **more: Any) -> Document:
        done = await self.done(
            "upload",
            "attachments",
            **{
                "upload": new_id(),
                "name": name,
                "size": len(content),
                "data": base64.b64encode(content).decode(),
                **more,
            },
        )
        assert isinstance(done["attachment"], dict)
        return done["attachment"]

    def as_(self, actor: Document, account: str | None = None) -> Partner:
        return Partner(self.nc, account or self.account, actor)


async def last_position(nc: Client) -> int:
    return int((await stream_info(nc, INTAKE))["state"]["last_seq"])


def context(nc: Client, settings: RuntimeSettings, user: str) -> Context[Any]:
    registry = CollectorRegistry()
    return Context(
        settings=settings,
        nc=nc,
        health=Health(registry),
        registry=registry,
        user=user,
        version="1.0.0",
        failed=asyncio.get_running_loop().create_future(),
    )


def _link_key(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    key = directory / "key"
    key.write_text("k" * 40)
    return key


@contextlib.asynccontextmanager
async def running_intake(nc: Client, directory: Path, questionnaires: Path) -> AsyncIterator[None]:
    settings = load(
        IntakeSettings,
        data_dir=directory,
        link_key_file=_link_key(directory),
        questionnaires_dir=questionnaires,
    )
    async with intake(context(nc, settings, "intake")):
        yield


@contextlib.asynccontextmanager
async def running_tickets(nc: Client, directory: Path) -> AsyncIterator[None]:
    async with tickets(context(nc, load(GuardSettings, data_dir=directory), "tickets")):
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


@pytest.fixture(scope="module")
def questionnaires(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one questionnaire."""
    directory = tmp_path_factory.mktemp("questionnaires")
    (directory / "feeds.yaml").write_text(yaml.safe_dump(FEEDS, allow_unicode=True), encoding="utf-8")
    return directory


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(
    server: NatsServer, tmp_path_factory: pytest.TempPathFactory, questionnaires: Path
) -> AsyncIterator[None]:
    """The three services, each with a connection of its own."""
    directory = tmp_path_factory.mktemp("services")
    async with contextlib.AsyncExitStack() as stack:
        connections = [await nats.connect(server.url) for _ in range(3)]
        for connection in connections:
            stack.push_async_callback(connection.close)
        await stack.enter_async_context(running_intake(connections[0], directory / "intake", questionnaires))
        await stack.enter_async_context(running_tickets(connections[1], directory / "tickets"))
        settings = load(AttachmentsSettings, data_dir=directory / "attachments")
        await stack.enter_async_context(attachments(context(connections[2], settings, "attachments")))
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def access(nc: Client) -> AccessLog:
    """The log of access, in which Ola is an agent."""
    access = AccessLog(on_server(nc))
    await access.appointed(OLA, PlatformRole.AGENT)
    return access


@pytest_asyncio.fixture(loop_scope="module")
async def jan(nc: Client, access: AccessLog, services: None) -> Partner:
    """Jan, of a new account that Ewa belongs to as well, while the services run."""
    account = f"a{new_id()[:12]}"
    await access.account(account, members=[JAN, EWA])
    return Partner(nc, account, MEMBER)


@pytest.fixture
def start_intake(
    server: NatsServer, tmp_path: Path, questionnaires: Path
) -> Callable[..., AbstractAsyncContextManager[None]]:
    """Runs a replica of intake of its own until the end of the block."""

    @contextlib.asynccontextmanager
    async def start(name: str, directory: Path = questionnaires) -> AsyncIterator[None]:
        client = await nats.connect(server.url)
        try:
            async with running_intake(client, tmp_path / name, directory):
                yield
        finally:
            await client.close()

    return start
