"""Asking a service over a real broker: what is sent again, what is not, and what the caller is told."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from datetime import UTC, datetime

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

import contracts.client
from contracts.client import (
    Malformed,
    NotFound,
    Refused,
    RequestFailed,
    ServiceFault,
    ServiceUnavailable,
    Tickets,
)
from contracts.envelope import ActorKind
from contracts.errors import STATUS_HEADER, ErrorKind, ErrorReply
from contracts.requests import SentActor
from contracts.tickets import requests
from services.embedded.nats_server import NatsServer
from services.runtime.replica import Replica
from services.runtime.settings import RuntimeSettings

NUMBER = "4830291741"
REPLY = requests.ReplyToTicket(
    command_id="c-1",
    account="acme",
    actor=SentActor(kind=ActorKind.MEMBER, id="jan"),
    number=NUMBER,
    text="Dziękuję",
)
DONE = requests.CommandDone(
    number=NUMBER,
    account="acme",
    status=requests.TicketStatus.OPEN,
    revision=2,
    position=7,
    event_id="e-1",
    at=datetime(2026, 11, 20, 9, tzinfo=UTC),
)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Service:
    """Answers `reply` with one answer after the other, the last one for ever; keeps what it was sent."""

    def __init__(self, nc: Client, *answers: RequestFailed | bytes | None) -> None:
        self._nc = nc
        self._answers = list(answers)
        self.received: list[Msg] = []

    async def start(self) -> None:
        await self._nc.subscribe(requests.REPLY, cb=self._answer)
        await self._nc.flush()

    async def _answer(self, msg: Msg) -> None:
        self.received.append(msg)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        match answer:
            case bytes():
                await msg.respond(answer)
            case RequestFailed(reply=reply):
                headers = {STATUS_HEADER: str(reply.status)}
                await self._nc.publish(msg.reply, reply.model_dump_json().encode(), headers=headers)
            case None:
                """Lost on the way."""


def said(kind: ErrorKind, status: int, code: str) -> RequestFailed:
    return RequestFailed(ErrorReply(kind=kind, status=status, code=code, message=code))


async def starting(nc: Client, *answers: RequestFailed | bytes | None) -> Service:
    service = Service(nc, *answers)
    await service.start()
    return service


BUSY = said(ErrorKind.UNAVAILABLE, 503, "busy")
ANSWER = DONE.model_dump_json().encode()


@pytest.mark.parametrize("first", [BUSY, None], ids=["turned away", "lost"])
async def test_the_same_command_is_sent_again_until_it_is_answered(
    nats_client: Client, first: RequestFailed | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contracts.client, "ATTEMPT_S", 0.5)
    service = await starting(nats_client, first, ANSWER)
    assert await Tickets(nats_client).reply(REPLY) == DONE
    sent = [requests.ReplyToTicket.model_validate_json(msg.data) for msg in service.received]
    assert sent == [REPLY, REPLY]


def test_an_attempt_outlasts_whatever_a_service_waits_for() -> None:
    """Its named reason arrives, and a request is never sent again while the service still works on it."""
    replica_waits_s = inspect.signature(Replica.wait_for).parameters["timeout_s"].default
    assert max(replica_waits_s, RuntimeSettings().request_timeout_s) < contracts.client.ATTEMPT_S


async def test_what_was_lost_with_the_connection_is_asked_again_at_once(nats_server: NatsServer) -> None:
    async def expected(_error: Exception) -> None:
        """The broker goes away in this test."""

    nc = await nats.connect(
        nats_server.url, reconnect_time_wait=0.1, max_reconnect_attempts=-1, error_cb=expected
    )
    service = await starting(nc, None, ANSWER)
    asking = asyncio.create_task(Tickets(nc).reply(REPLY))
    async with asyncio.timeout(5):  # less than an attempt
        while not service.received:
            await nc.flush()
        await nats_server.kill()
        await nats_server.start_again()
        assert await asking == DONE
    assert len(service.received) == 2
    await nc.close()


async def test_a_service_that_comes_up_meanwhile_answers(nats_client: Client) -> None:
    asking = asyncio.create_task(Tickets(nats_client).reply(REPLY))
    await nats_client.flush()
    await nats_client.flush()
    assert not asking.done()
    await starting(nats_client, ANSWER)
    assert await asking == DONE


@pytest.mark.parametrize(
    ("answers", "code"), [((BUSY,), "busy"), ((None,), "unavailable"), ((), "unavailable")]
)
async def test_the_deadline_holds_whatever_the_service_does(
    nats_client: Client, answers: tuple[RequestFailed | None, ...], code: str
) -> None:
    if answers:
        await starting(nats_client, *answers)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ServiceUnavailable) as told:
        await Tickets(nats_client, timeout_s=0.5).reply(REPLY)
    assert told.value.reply.code == code
    assert 0.4 < asyncio.get_running_loop().time() - began < 2


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (said(ErrorKind.REFUSED, 409, "ticket_is_closed"), Refused),
        (said(ErrorKind.REFUSED, 403, "may_not"), Refused),
        (said(ErrorKind.REFUSED, 404, "ticket_not_found"), NotFound),
        (said(ErrorKind.MALFORMED, 400, "malformed"), Malformed),
        (said(ErrorKind.INTERNAL, 500, "internal"), ServiceFault),
    ],
    ids=lambda value: value.reply.code if isinstance(value, RequestFailed) else "",
)
async def test_what_the_service_says_no_to_is_not_asked_again(
    nats_client: Client, error: RequestFailed, expected: type[RequestFailed]
) -> None:
    service = await starting(nats_client, error)
    with pytest.raises(RequestFailed) as told:
        await Tickets(nats_client).reply(REPLY)
    assert type(told.value) is expected
    assert told.value.reply == error.reply
    assert len(service.received) == 1


@pytest.mark.parametrize("answer", [b"", b"{}", b"no JSON"])
async def test_an_answer_that_cannot_be_understood_is_a_fault(nats_client: Client, answer: bytes) -> None:
    await starting(nats_client, answer)
    with pytest.raises(ServiceFault):
        await Tickets(nats_client).reply(REPLY)


async def test_the_trace_goes_with_the_request(nats_client: Client) -> None:
    service = await starting(nats_client, ANSWER)
    await Tickets(nats_client, traceparent=TRACEPARENT).reply(REPLY)
    await Tickets(nats_client).reply(REPLY)
    assert [(msg.headers or {}).get("traceparent") for msg in service.received] == [TRACEPARENT, None]


async def test_a_closed_connection_is_told_at_once(nats_server: NatsServer) -> None:
    nc = await nats.connect(nats_server.url)
    await nc.close()
    with pytest.raises(ServiceUnavailable):
        await asyncio.wait_for(Tickets(nc, timeout_s=60).reply(REPLY), 5)


async def test_a_request_that_is_too_large_for_the_broker_is_malformed(nats_client: Client) -> None:
    huge = REPLY.model_copy(update={"text": "x" * (nats_client.max_payload + 1)})
    with pytest.raises(Malformed) as told:
        await Tickets(nats_client).reply(huge)
    assert [broken.rule for broken in told.value.reply.fields] == ["too_large"]


def test_every_request_of_the_contract_has_its_method() -> None:
    methods: dict[str, Callable[..., object]] = {
        name: method for name, method in vars(Tickets).items() if not name.startswith("_")
    }
    subjects = (requests.OPEN, requests.REPLY, requests.CLOSE, requests.REOPEN)
    queries = (requests.GET, requests.HISTORY, requests.LIST, requests.LOOKUP, requests.TOPICS)
    assert set(methods) == {
        subject.rpartition(".")[2] for subject in (*subjects, *queries, requests.SUBMISSION)
    }
