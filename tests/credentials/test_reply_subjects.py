"""Why those who only ask live in a NATS account of their own: an answer goes wherever the asker says.

Each attack is made twice: by `insider`, who stands in the account of the log and shows that the server
lets it happen, and by a user outside, for whom nothing happens.
"""

from __future__ import annotations

import asyncio
import json

import nats.micro
import pytest
from nats.aio.client import Client
from nats.micro.request import Request
from nats.micro.service import Service

from contracts.subjects import DEAD_LETTERS, OUTSIDE_DOMAIN, TICKETS, ticket_events
from tests.conftest import ACME, SecuredNats

TICKET = ticket_events(ACME, "4830291746")
FORGED = ticket_events("globex", "1112223334")


class Desk:
    """The tickets service as far as these tests need it: it answers, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.service: Service

    async def answer(self, request: Request) -> None:
        await request.respond(b"an answer")
        self.asked.put_nowait(request.subject)

    async def fail(self, request: Request) -> None:
        await request.respond_error("400", "malformed")
        self.asked.put_nowait(request.subject)


@pytest.fixture
async def desk(secured_nats: SecuredNats) -> Desk:
    client = await secured_nats.connect("tickets")
    await client.jetstream().publish(TICKET, b"an event")
    desk = Desk()
    desk.service = await nats.micro.add_service(client, name="tickets", version="1.0.0")
    await desk.service.add_endpoint(name="get", subject="requests.tickets.get", handler=desk.answer)
    await desk.service.add_endpoint(name="fail", subject="requests.tickets.fail", handler=desk.fail)
    await client.flush()
    return desk


async def events(root: Client) -> dict[str, int]:
    return (await root.jetstream().stream_info(TICKETS.name, subjects_filter=">")).state.subjects or {}


async def ask(secured_nats: SecuredNats, user: str, subject: str, reply: str) -> None:
    """Send the request, and wait for its effect: another answer of the same service comes after it."""
    client = await secured_nats.connect(user)
    await client.publish(subject, b"", reply=reply)
    await client.request("requests.tickets.get", b"", timeout=2)


@pytest.mark.parametrize("subject", ["requests.tickets.get", "$SRV.PING"])
async def test_an_answer_becomes_an_event_only_for_those_inside(
    secured_nats: SecuredNats, desk: Desk, subject: str
) -> None:
    root = await secured_nats.connect("root")
    await ask(secured_nats, "cli", subject, FORGED)
    assert await events(root) == {TICKET: 1}

    insider = await secured_nats.connect("insider")
    await insider.publish(subject, b"", reply=FORGED)
    async with asyncio.timeout(5):
        while FORGED not in await events(root):
            await insider.flush()


async def test_an_empty_answer_deletes_no_stream(secured_nats: SecuredNats, desk: Desk) -> None:
    root = await secured_nats.connect("root")
    for user in ("cli", "insider"):
        client = await secured_nats.connect(user)
        await client.publish("requests.tickets.fail", b"", reply=f"$JS.API.STREAM.DELETE.{TICKETS.name}")
        async with asyncio.timeout(5):
            assert await desk.asked.get() == "requests.tickets.fail"
        await root.flush()
        assert await events(root) == {TICKET: 1}
    violations = [text for text in secured_nats.violations if "$js.api.stream.delete" in text]
    assert len(violations) == 1  # for the insider it is the missing allow_responses that saves the stream


async def test_an_answer_of_jetstream_becomes_no_event(secured_nats: SecuredNats, desk: Desk) -> None:
    root, cli = await secured_nats.connect("root"), await secured_nats.connect("cli")
    info = f"STREAM.INFO.{TICKETS.name}"
    await cli.publish(f"$JS.{OUTSIDE_DOMAIN}.API.{info}", b"", reply=FORGED)
    await cli.request(f"$JS.{OUTSIDE_DOMAIN}.API.{info}", b"", timeout=2)
    assert await events(root) == {TICKET: 1}

    await root.publish(f"$JS.API.{info}", b"", reply=FORGED)
    async with asyncio.timeout(5):
        while FORGED not in await events(root):
            await root.flush()


async def push_to(client: Client, deliver_subject: str) -> str:
    """Make a consumer that delivers there; what the server says against it, or nothing."""
    filter_ = ticket_events(ACME, ">")
    name = f"{ACME}-systems-0"
    config = {
        "name": name,
        "filter_subject": filter_,
        "ack_policy": "none",
        "deliver_subject": deliver_subject,
        "deliver_group": "q",  # without it only plain subscriptions count as interest, endpoints have a queue
    }
    subject = f"$JS.{OUTSIDE_DOMAIN}.API.CONSUMER.CREATE.{TICKETS.name}.{name}.{filter_}"
    body = json.dumps({"stream_name": TICKETS.name, "config": config}).encode()
    answer = json.loads((await client.request(subject, body, timeout=2)).data)
    return str(answer.get("error", {}).get("description", ""))


async def test_a_consumer_cannot_deliver_into_a_stream(secured_nats: SecuredNats, desk: Desk) -> None:
    root, acme = await secured_nats.connect("root"), await secured_nats.connect(f"{ACME}-systems")
    assert "cycle" in await push_to(acme, FORGED)

    assert await push_to(acme, "dead.x.y") == ""
    pending = await root.jetstream().consumer_info(TICKETS.name, f"{ACME}-systems-0")
    assert (
        pending.num_pending == 1
    )  # it waits for a subscription to that very subject, a stream's has wildcards
    assert (await root.jetstream().stream_info(DEAD_LETTERS.name)).state.messages == 0


async def test_a_consumer_that_delivers_to_an_endpoint_reaches_it_with_the_events_own_subject(
    secured_nats: SecuredNats, desk: Desk
) -> None:
    """What is left: copies of its own events come as requests. Their subject tells; no answer goes out."""
    acme = await secured_nats.connect(f"{ACME}-systems")
    assert await push_to(acme, "requests.tickets.get") == ""
    async with asyncio.timeout(5):
        assert await desk.asked.get() == TICKET
    root = await secured_nats.connect("root")
    assert await events(root) == {TICKET: 1}
