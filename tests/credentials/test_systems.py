"""What a credential of another system is worth on a real server: what it was created for, in its own name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import nats
import nats.micro
import pytest
from nats.aio.client import Client
from nats.micro.request import Request

from contracts.access.roles import SystemMay
from contracts.subjects import OUTSIDE_DOMAIN, TICKETS, inbox_prefix, request, system_request, ticket_events
from contracts.tickets import requests
from services.credentials.permissions import subscriber, system
from tests.conftest import ACME, SecuredNats
from tests.credentials.test_permissions import refused

USER = "acme_sync"
ConnectAs = Callable[..., Awaitable[Client]]
READ = {requests.GET, requests.HISTORY, requests.LIST, requests.LOOKUP, requests.TOPICS}
WRITE = READ | {requests.OPEN, requests.REPLY, requests.CLOSE, requests.REOPEN}


def own(subject: str, user: str = USER) -> str:
    """The request as this system sends it."""
    _, service, name = subject.split(".")
    return system_request(user, service, name)


@pytest.fixture
async def desk(secured_nats: SecuredNats) -> Client:
    """The tickets service as far as these tests need it: says under which subject it was asked."""
    client = await secured_nats.connect("tickets")

    async def answer(asked: Request) -> None:
        await asked.respond(asked.subject.encode())

    service = await nats.micro.add_service(client, name="tickets", version="1.0.0")
    for subject in WRITE:
        name = subject.rpartition(".")[2]
        await service.add_endpoint(name=name, subject=own(subject, "*"), handler=answer)
    await client.flush()
    return client


@pytest.fixture
def connect(secured_nats: SecuredNats) -> ConnectAs:
    """Connects `acme_sync` with a credential for what is named."""

    async def as_system(*may: SystemMay) -> Client:
        creds = secured_nats.operator.issue(USER, system(ACME, "sync", may))
        creds.write(secured_nats.creds_file(USER))
        return await secured_nats.connect(USER)

    return as_system


@pytest.mark.parametrize(
    ("may", "allowed"),
    [
        ([SystemMay.SUBSCRIBE], set()),
        ([SystemMay.READ], READ),
        ([SystemMay.WRITE], WRITE),
        ([SystemMay.SUBSCRIBE, SystemMay.READ], READ),
    ],
    ids=["subscribe", "read", "write", "subscribe and read"],
)
async def test_a_system_asks_what_it_was_created_for(
    secured_nats: SecuredNats, desk: Client, connect: ConnectAs, may: list[SystemMay], allowed: set[str]
) -> None:
    client = await connect(*may)
    for subject in WRITE:
        if subject in allowed:
            assert (await client.request(own(subject), b"", timeout=2)).data.decode() == own(subject)
        else:
            assert await refused(secured_nats, client, own(subject))


@pytest.mark.parametrize(
    "subject",
    [
        requests.GET,
        own(requests.GET, "acme_other"),
        own(requests.GET, "globex_sync"),
        own(requests.GET, "cli"),
        request("access", "list"),
        system_request(USER, "access", "create_credential"),
        ticket_events(ACME, "4830291746"),
        "_INBOX.acme_other.x",
        "$SRV.PING",
    ],
)
async def test_a_system_speaks_for_itself_only(
    secured_nats: SecuredNats, connect: ConnectAs, subject: str
) -> None:
    client = await connect(*SystemMay)
    assert await refused(secured_nats, client, subject)


async def test_a_system_that_only_asks_cannot_follow(secured_nats: SecuredNats, connect: ConnectAs) -> None:
    client = await connect(SystemMay.WRITE)
    create = f"$JS.{OUTSIDE_DOMAIN}.API.CONSUMER.CREATE.{TICKETS.name}.{USER}-0.{ticket_events(ACME, '>')}"
    assert await refused(secured_nats, client, create)


def test_to_subscribe_is_to_follow_one_account_and_nothing_else() -> None:
    assert system(ACME, "sync", [SystemMay.SUBSCRIBE]) == subscriber(USER, ACME)
    assert system(ACME, "sync", []).publish == ()
    assert system(ACME, "sync", []).subscribe == (f"{inbox_prefix(USER)}.>",)


@pytest.mark.parametrize(
    ("account", "name"), [("acme.*", "sync"), ("acme", "a.b"), ("acme", ">"), ("*", "a")]
)
def test_a_system_has_names_of_one_token(account: str, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a subject"):
        system(account, name, [SystemMay.READ])
