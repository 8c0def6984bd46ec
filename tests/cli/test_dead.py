"""Dead letters on the command line: what is shown of them, and that a retry loses and doubles nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
import structlog
from nats.aio.client import Client
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from contracts import client
from contracts.dead_letters import EventRetried, RetryEvent, retry_request
from contracts.subjects import (
    DEAD_LETTERS,
    INTAKE,
    INTERESTS,
    TICKETS,
    Stream,
    bucket_stream,
    inbox_prefix,
    submission_events,
    ticket_events,
)
from services.cli import dead_letters
from services.embedded.nats_server import NatsServer
from services.embedded.running import find_running
from services.runtime.events import Retry, Subscribers
from services.runtime.requests import Metrics, RequestService
from services.runtime.streams import ensure_streams
from tests.cli.conftest import Casetrail, Done, System, clean_environment
from tests.conftest import SecuredNats

WITHIN_S = 15.0
SUBSCRIBER = "tickets-submissions"
CLI = {"kind": "system", "id": "cli"}
QUICK = Retry(deliveries=2, first_s=0.01, longest_s=0.05)
WAITING = Stream(name=bucket_stream(INTERESTS), subjects=(f"$KV.{INTERESTS}.>",), description="")

Run = Callable[..., "asyncio.Future[Done]"]


class Noted(BaseModel):
    """An event of these tests."""

    type: str = "note.v1"
    text: str
    traceparent: str | None = None


class Handler:
    """Fails on the texts that it is told, and remembers what it did."""

    def __init__(self, *failing: str) -> None:
        self.failing = set(failing)
        self.done: list[tuple[str, int]] = []

    async def handle(self, event: Noted, position: int) -> None:
        if event.text in self.failing:
            raise RuntimeError(f"cannot do\n  {event.text}")
        self.done.append((event.text, position))


@asynccontextmanager
async def service(
    nc: Client,
    handler: Handler,
    *,
    name: str = "tickets",
    stream: Stream = INTAKE,
    filter_: str = submission_events("*", "*"),
    durable: str = SUBSCRIBER,
) -> AsyncIterator[None]:
    """A service that reacts to events and answers requests, as those of Casetrail are put together."""
    registry = CollectorRegistry()
    subscribers = Subscribers(name, registry)
    subscribers.subscribe(
        stream, filter_, name=durable, parse=Noted.model_validate_json, handler=handler.handle,
        schema=Noted, retry=QUICK,
    )  # fmt: skip
    requests = RequestService(
        nc, name=name, version="1.0.0", description="A service of these tests", refusals={},
        metrics=Metrics(registry), max_concurrent=8, timeout_s=5,
    )  # fmt: skip
    await subscribers.start(nc)
    await requests.start([subscribers.endpoint()])
    try:
        yield
    finally:
        await subscribers.stop()
        await requests.stop(timeout_s=2)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """What the services of these tests log would stand between what the command prints."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture
async def nc(nats_client: Client) -> Client:
    await ensure_streams(nats_client, replicas=1)
    return nats_client


def beside_the_loop(casetrail: Casetrail) -> Run:
    """Runs `casetrail dead ...` while the loop of the test goes on."""

    def run(*arguments: str) -> asyncio.Future[Done]:
        return asyncio.ensure_future(asyncio.to_thread(casetrail, "dead", *arguments))

    return run


@pytest.fixture
def casetrail_here(nats_server: NatsServer, tmp_path: Path) -> Casetrail:
    return Casetrail(clean_environment(CASETRAIL_NATS_URL=nats_server.url), tmp_path)


@pytest.fixture
def dead(casetrail_here: Casetrail) -> Run:
    return beside_the_loop(casetrail_here)


async def submit(nc: Client, *texts: str) -> None:
    for text in texts:
        raw = Noted(text=text).model_dump_json().encode()
        await nc.jetstream().publish(submission_events("acme", text), raw)


async def letters_in_stream(nc: Client, count: int) -> None:
    """Returns when there are so many messages."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if (await nc.jetstream().stream_info(DEAD_LETTERS.name)).state.messages >= count:
                return
            await asyncio.sleep(0.01)


async def give_up(nc: Client, service: str, subscriber: str, stream: str, position: int) -> None:
    """A dead letter, as the runtime writes it."""
    headers = {
        "Nats-Msg-Id": f"{service}.{subscriber}.{stream}.{position}",
        "Casetrail-Position": str(position),
        "Casetrail-Deliveries": "9",
        "Casetrail-Reason": "RuntimeError: x",
    }
    await nc.jetstream().publish(f"dead.{service}.{stream}", b"", headers=headers)


async def numbers(dead: Run, *options: str) -> Sequence[int]:
    done = await dead("list", "--json", *options)
    assert done.code == 0, done.err
    return [each["letter"] for each in done.object["letters"]]


# What is listed


def test_of_a_system_that_gave_up_nothing_nothing_is_listed(system: System) -> None:
    done = system.casetrail("dead", "list")
    assert (done.code, done.out) == (0, "There are no dead letters.\n")
    assert system.casetrail("dead", "list", "--json").object == {"letters": []}
    assert system.casetrail("dead", "retry", "1").code == 4


@pytest.mark.parametrize("name", ["tickets", "attachments", "notify"])
async def test_every_service_of_a_running_system_that_reacts_to_events_can_be_asked(
    system: System, name: str
) -> None:
    running = find_running(system.data.parent)
    assert running is not None
    nc = await nats.connect(
        running.nats_url, user_credentials=str(running.cli_creds_file), inbox_prefix=inbox_prefix("cli")
    )
    unknown = {"actor": CLI, "subscriber": "nobody", "stream": INTAKE.name, "position": 1}
    asked = RetryEvent.model_validate(unknown, strict=False)
    try:
        done = await client.call(nc, retry_request(name), asked, EventRetried)
    finally:
        await nc.close()
    assert done.outcome == "nobody"


async def test_a_letter_tells_whose_it_is_which_event_and_why(nc: Client, dead: Run) -> None:
    async with service(nc, Handler("b")):
        await submit(nc, "a", "b", "c")
        await letters_in_stream(nc, 1)
    await nc.jetstream().publish("dead.by.hand", b"somebody's")
    (letter,) = (await dead("list", "--json")).object["letters"]
    assert letter.pop("at").endswith("Z")
    assert letter == {
        "letter": 1, "service": "tickets", "subscriber": SUBSCRIBER, "stream": "INTAKE", "position": 2,
        "deliveries": 2, "reason": "RuntimeError: cannot do b", "retried": False,
    }  # fmt: skip
    first, second = (await dead("list")).out.splitlines()
    assert first.startswith(f"1  tickets gave up on position 2 of INTAKE ({SUBSCRIBER}), 20")
    assert second == "   RuntimeError: cannot do b"


async def test_an_event_that_was_given_up_again_is_listed_again_under_its_number(
    nc: Client, dead: Run
) -> None:
    config = (await nc.jetstream().stream_info(DEAD_LETTERS.name)).config
    config.duplicate_window = 0.1
    await nc.jetstream().update_stream(config)
    async with service(nc, Handler()):
        await submit(nc, "a")
        await give_up(nc, "tickets", SUBSCRIBER, INTAKE.name, 1)
        assert (await dead("retry", "1")).code == 0
        assert await numbers(dead) == []
        await letters_in_stream(nc, 2)
        async with asyncio.timeout(WITHIN_S):
            while await numbers(dead) == []:  # until the server takes the same id again
                await give_up(nc, "tickets", SUBSCRIBER, INTAKE.name, 1)
        assert await numbers(dead) == [1]


# What a retry does


async def test_what_is_retried_after_the_fault_is_mended_is_done_and_nothing_else_is(
    nc: Client, dead: Run
) -> None:
    handler = Handler("b", "d")
    async with service(nc, handler):
        await submit(nc, "a", "b", "c", "d")
        await letters_in_stream(nc, 2)
        assert await numbers(dead) == [1, 2]
        handler.failing.clear()
        handler.done.clear()
        done = await dead("retry", "1", "2")
        assert (done.code, done.out) == (0, f"1  handled by {SUBSCRIBER}.\n2  handled by {SUBSCRIBER}.\n")
        assert sorted(handler.done) == [("b", 2), ("d", 4)]
        assert await numbers(dead) == []
        assert await numbers(dead, "--all") == [1, 2]
        assert "it was retried since" in (await dead("list", "--all")).out
        again = (await dead("retry", "1", "1", "--json")).object
        assert again == {"letters": [{"letter": 1, "outcome": "handled"}]}
        assert handler.done.count(("b", 2)) == 2
        assert await numbers(dead) == []
    assert (await nc.jetstream().stream_info(INTAKE.name)).state.messages == 4


async def test_what_fails_again_stays_a_dead_letter_and_does_not_hold_up_the_others(
    nc: Client, dead: Run, casetrail_here: Casetrail
) -> None:
    handler = Handler("a", "b")
    async with service(nc, handler):
        await submit(nc, "a", "b")
        await letters_in_stream(nc, 2)
        handler.failing.remove("b")
        letters = (await dead("list", "--json")).object["letters"]
        failing, mended = (each["letter"] for each in sorted(letters, key=lambda each: each["position"]))
        done = await dead("retry", str(failing), str(mended), "--json")
        assert done.code == 3
        assert sorted(done.object["letters"], key=lambda each: str(each["outcome"])) == [
            {"letter": failing, "outcome": "failed", "reason": "RuntimeError: cannot do a"},
            {"letter": mended, "outcome": "handled"},
        ]
        assert (done.error["code"], done.error["data"]) == ("dead_not_all", {"letters": str(failing)})
        assert await numbers(dead) == [failing]
        polish = beside_the_loop(casetrail_here.having(LANG="pl_PL.UTF-8"))
        done = await polish("retry", str(failing))
        assert done.out == f"{failing}  znów się nie udało: RuntimeError: cannot do a\n"
        assert done.err == f"casetrail: Nadal porzucone: {failing}.\n"


async def test_what_cannot_be_parsed_fails_again_and_is_told_so(nc: Client, dead: Run) -> None:
    async with service(nc, Handler()):
        await nc.jetstream().publish(submission_events("acme", "bad"), b"{")
        await letters_in_stream(nc, 1)
        done = await dead("retry", "1")
    assert done.code == 3
    assert done.out.startswith("1  failed again: not parsable: ")


async def test_what_its_stream_let_go_is_settled(nc: Client, dead: Run) -> None:
    async with service(
        nc, Handler("old"), name="notify", stream=WAITING, filter_=WAITING.subjects[0], durable="n"
    ):
        for text in ("old", "new"):
            raw = Noted(text=text).model_dump_json().encode()
            position = (await nc.jetstream().publish(f"$KV.{INTERESTS}.R-1", raw)).seq
            await letters_in_stream(nc, 1)
        assert position == 2
        done = await dead("retry", "1")
        assert (done.code, done.out) == (
            0, "1  not in KV_INTERESTS any more: nothing is left to be done.\n",
        )  # fmt: skip
        assert await numbers(dead) == []


async def test_two_who_retry_at_once_do_no_harm(nc: Client, dead: Run) -> None:
    handler = Handler("a")
    async with service(nc, handler), service(nc, handler):
        await submit(nc, "a")
        await letters_in_stream(nc, 1)
        handler.failing.clear()
        asked = RetryEvent.model_validate(
            {"actor": CLI, "subscriber": SUBSCRIBER, "stream": INTAKE.name, "position": 1}, strict=False
        )
        retrying = (client.call(nc, retry_request("tickets"), asked, EventRetried) for _ in range(2))
        assert [done.outcome for done in await asyncio.gather(*retrying)] == ["handled", "handled"]
        assert await numbers(dead) == []


# What is refused


async def test_what_cannot_be_retried_is_told_and_nothing_is_noted(nc: Client, dead: Run) -> None:
    async with service(nc, Handler()):
        await give_up(nc, "tickets", "gone-subscriber", INTAKE.name, 1)
        await give_up(nc, "tickets", SUBSCRIBER, TICKETS.name, 1)
        await nc.jetstream().publish("dead.by.hand", b"somebody's")
        for letter, code, told in (
            ("1", 3, "1  tickets has no subscriber gone-subscriber any more."),
            ("2", 3, f"2  tickets has no subscriber {SUBSCRIBER} any more."),
            ("3", 4, "There is no dead letter 3"),
            ("7", 4, "There is no dead letter 7"),
            ("0", 2, "LETTER"),
            ("x", 2, "LETTER"),
        ):
            done = await dead("retry", letter)
            assert done.code == code, done
            assert told in done.out + done.err
        assert (await dead("retry", "1", "7")).out == ""
        assert await numbers(dead) == [1, 2]


async def test_of_a_service_that_does_not_run_that_is_told_and_what_was_done_before(
    nc: Client, dead: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "_RETRY_WITHIN_S", 0.5)
    async with service(nc, Handler()):
        await submit(nc, "a")
        await give_up(nc, "tickets", SUBSCRIBER, INTAKE.name, 1)
        await give_up(nc, "notify", "n", INTAKE.name, 1)
        done = await dead("retry", "1", "2")
        assert (done.code, done.out) == (5, f"1  handled by {SUBSCRIBER}.\n")
        assert "casetrail: " in done.err
        assert await numbers(dead) == [2]


async def test_where_there_are_no_dead_letters_to_be_had_that_is_told(nats_client: Client, dead: Run) -> None:
    done = await dead("list")
    assert done.code == 5
    assert "no answer, or no permission" in done.err


# With the permissions that everybody has


@pytest.mark.parametrize(
    ("name", "stream", "filter_", "durable", "subject"),
    [
        ("tickets", INTAKE, submission_events("*", "*"), SUBSCRIBER, submission_events("acme", "s1")),
        (
            "attachments", TICKETS, ticket_events("*", "*"), "attachments-keeper",
            ticket_events("acme", "4830291746"),
        ),
        ("notify", WAITING, WAITING.subjects[0], "notify-interests", f"$KV.{INTERESTS}.R-1"),
    ],
    ids=["tickets", "attachments", "notify"],
)  # fmt: skip
async def test_nobody_needs_more_than_they_may(
    secured_nats: SecuredNats, tmp_path: Path, name: str, stream: Stream, filter_: str, durable: str,
    subject: str,
) -> None:  # fmt: skip
    root = await secured_nats.connect("root")
    env = clean_environment(
        CASETRAIL_NATS_URL=secured_nats.server.url,
        CASETRAIL_NATS_CREDS=str(secured_nats.creds_file("cli")),
        CASETRAIL_NATS_INBOX_USER="cli",
    )
    dead = beside_the_loop(Casetrail(env, tmp_path))
    handler = Handler("a")
    own = await secured_nats.connect(name)
    async with service(own, handler, name=name, stream=stream, filter_=filter_, durable=durable):
        await root.jetstream().publish(subject, Noted(text="a").model_dump_json().encode())
        await letters_in_stream(root, 1)
        assert await numbers(dead) == [1]
        handler.failing.clear()
        assert (await dead("retry", "1")).out == f"1  handled by {durable}.\n"
        assert await numbers(dead) == []
        asked = {"subscriber": durable, "stream": stream.name, "position": 1}
        person = RetryEvent.model_validate({**asked, "actor": {"kind": "agent", "id": "ola"}}, strict=False)
        with pytest.raises(client.Refused) as refused:
            await client.call(await secured_nats.connect("cli"), retry_request(name), person, EventRetried)
        assert refused.value.reply.code == "not_permitted"
    assert handler.done == [("a", 1)]
    assert secured_nats.violations == []
