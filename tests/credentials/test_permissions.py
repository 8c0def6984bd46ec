"""Least privilege on a real server: what each user may do works, the rest is refused without effect."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig

from contracts.subjects import (
    DEAD_LETTERS,
    DRAFTS,
    INTERESTS,
    OUTSIDE_DOMAIN,
    STREAMS,
    TICKETS,
    account_events,
    consumer_names,
    inbox_prefix,
    person_events,
    questionnaire_events,
    submission_events,
    ticket_events,
)
from services.credentials.keyring import MAX_CONTROL_LINE
from services.credentials.operator import Operator
from services.credentials.permissions import RESTORE_USER, RESTORE_USER_NAME, USERS, Zone, subscriber
from tests.conftest import ACME, GLOBEX, TEST_USERS, SecuredNats

ACME_TICKET = ticket_events(ACME, "4830291746")
GLOBEX_TICKET = ticket_events(GLOBEX, "1112223334")
OUTSIDE_API = f"$JS.{OUTSIDE_DOMAIN}.API"
SUBSCRIBERS = (f"{ACME}-systems", f"{GLOBEX}-systems")
CHANGES = ("UPDATE", "DELETE", "PURGE", "RESTORE", "MSG.DELETE", "SNAPSHOT", "LEADER.STEPDOWN", "PEER.REMOVE")


@pytest.fixture
async def log(secured_nats: SecuredNats) -> Client:
    """The service's connection, after it has appended one event for each of two accounts."""
    tickets = await secured_nats.connect("tickets")
    for subject in (ACME_TICKET, GLOBEX_TICKET):
        await tickets.jetstream().publish(subject, b"an event")
    return tickets


async def refused(nats: SecuredNats, client: Client, subject: str, payload: bytes = b"{}") -> bool:
    """Publishes; whether the server calls it a violation."""
    await client.publish(subject, payload)
    return await _is_told(nats, client, f'permissions violation for publish to "{subject.lower()}"')


async def refused_to_listen(nats: SecuredNats, client: Client, subject: str) -> bool:
    """Subscribes; whether the server calls it a violation."""
    await client.subscribe(subject)
    return await _is_told(nats, client, f'permissions violation for subscription to "{subject.lower()}"')


async def _is_told(nats: SecuredNats, client: Client, violation: str) -> bool:
    for _ in range(3):  # the client lets a PING overtake what waits to be sent, so once is not enough
        await client.flush()
    return f"nats: {violation}" in nats.violations


async def create(client: Client, name: str, filter_: str, **config: Any) -> str:
    """Asks for a consumer; what the server says against it, or nothing."""
    body = {"stream_name": TICKETS.name, "config": {"name": name, "ack_policy": "none", **config}}
    subject = f"{OUTSIDE_API}.CONSUMER.CREATE.{TICKETS.name}.{name}.{filter_}"
    answer = await client.request(subject, json.dumps(body).encode(), timeout=2)
    return str(json.loads(answer.data).get("error", {}).get("description", ""))


async def state(nats: SecuredNats) -> dict[str, int]:
    """How many events each ticket has."""
    root = (await nats.connect("root")).jetstream()
    return (await root.stream_info(TICKETS.name, subjects_filter=">")).state.subjects or {}


async def follow(client: Client, name: str, filter_: str, *, domain: str | None, count: int) -> list[Msg]:
    """The first messages that an ordered consumer delivers."""
    messages: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await client.jetstream(domain=domain).subscribe(
        filter_,
        stream=TICKETS.name,
        ordered_consumer=True,
        config=ConsumerConfig(name=name),
        cb=messages.put,
    )
    async with asyncio.timeout(5):
        taken = [await messages.get() for _ in range(count)]
    await subscription.unsubscribe()
    return taken


@pytest.mark.parametrize("user", [*USERS, *SUBSCRIBERS])
async def test_nobody_may_change_or_empty_a_stream(secured_nats: SecuredNats, log: Client, user: str) -> None:
    client = await secured_nats.connect(user)
    for stream in STREAMS:
        for verb in CHANGES:
            if (user, verb) == ("backup", "SNAPSHOT"):  # which reads
                continue
            subject = f"STREAM.{verb}.{stream.name}"
            assert await refused(secured_nats, client, f"$JS.API.{subject}"), subject
            assert await refused(secured_nats, client, f"{OUTSIDE_API}.{subject}"), subject
    assert await state(secured_nats) == {ACME_TICKET: 1, GLOBEX_TICKET: 1}


@pytest.mark.parametrize("user", [name for name in (*USERS, *SUBSCRIBERS) if name != "tickets"])
async def test_only_tickets_may_append(secured_nats: SecuredNats, log: Client, user: str) -> None:
    client = await secured_nats.connect(user)
    assert await refused(secured_nats, client, ACME_TICKET)
    assert await state(secured_nats) == {ACME_TICKET: 1, GLOBEX_TICKET: 1}


@pytest.mark.parametrize("user", [name for name in (*USERS, *SUBSCRIBERS) if name != "access"])
async def test_only_access_may_append_to_its_log(secured_nats: SecuredNats, user: str) -> None:
    client = await secured_nats.connect(user)
    for subject in (account_events(ACME), person_events("p0")):
        assert await refused(secured_nats, client, subject)


@pytest.mark.parametrize("user", [name for name in (*USERS, *SUBSCRIBERS) if name != "intake"])
async def test_only_intake_may_append_to_its_log_and_touch_a_draft(
    secured_nats: SecuredNats, user: str
) -> None:
    client = await secured_nats.connect(user)
    waiting = f"$JS.API.STREAM.MSG.GET.KV_{INTERESTS}"  # notify writes the mails that ask to confirm them
    for subject in (
        questionnaire_events("q1"),
        submission_events(ACME, "s1"),
        f"$KV.{DRAFTS}.p1.{ACME}.d1",
        f"$KV.{INTERESTS}.R-1",
        *([f"$JS.API.STREAM.MSG.GET.KV_{DRAFTS}"] if user != "backup" else []),
        *([waiting] if user not in {"backup", "notify"} else []),
    ):
        assert await refused(secured_nats, client, subject)


@pytest.mark.parametrize("user", [name for name in (*USERS, *SUBSCRIBERS) if name != "setup"])
async def test_only_setup_may_make_a_stream(secured_nats: SecuredNats, user: str) -> None:
    client = await secured_nats.connect(user)
    for name in (TICKETS.name, DEAD_LETTERS.name, "OTHER"):
        assert await refused(secured_nats, client, f"$JS.API.STREAM.CREATE.{name}")


async def test_setup_may_make_our_streams_and_no_other(secured_nats: SecuredNats) -> None:
    setup = await secured_nats.connect("setup")
    assert await refused(secured_nats, setup, "$JS.API.STREAM.CREATE.OTHER")


async def test_tickets_follows_the_log_and_gives_up_on_events(secured_nats: SecuredNats, log: Client) -> None:
    assert (await log.jetstream().stream_info(TICKETS.name)).state.messages == 2
    seen = await follow(log, "tickets-1", ticket_events("*", "*"), domain=None, count=2)
    assert [message.subject for message in seen] == [ACME_TICKET, GLOBEX_TICKET]
    await log.jetstream().publish("dead.tickets.INTAKE", b"an event")
    assert secured_nats.violations == []


async def test_the_command_line_follows_every_account(secured_nats: SecuredNats, log: Client) -> None:
    cli = await secured_nats.connect("cli")
    assert (await cli.jetstream(domain=OUTSIDE_DOMAIN).stream_info(TICKETS.name)).state.messages == 2
    for filter_ in (ticket_events("*", "*"), ticket_events("*", ">")):
        seen = await follow(cli, "cli-0", filter_, domain=OUTSIDE_DOMAIN, count=2)
        assert [message.subject for message in seen] == [ACME_TICKET, GLOBEX_TICKET]
        await cli.jetstream(domain=OUTSIDE_DOMAIN).delete_consumer(TICKETS.name, "cli-0")
    assert secured_nats.violations == []


@pytest.mark.parametrize("filter_", [ticket_events(ACME, ">"), ticket_events(ACME, "*"), ACME_TICKET])
async def test_a_subscriber_follows_its_own_account(
    secured_nats: SecuredNats, log: Client, filter_: str
) -> None:
    acme = await secured_nats.connect(f"{ACME}-systems")
    await log.jetstream().publish(ACME_TICKET, b"another event")
    seen = await follow(acme, f"{ACME}-systems-7", filter_, domain=OUTSIDE_DOMAIN, count=2)
    assert [(m.subject, m.data, m.metadata.sequence.stream) for m in seen] == [
        (ACME_TICKET, b"an event", 1),
        (ACME_TICKET, b"another event", 3),
    ]
    assert secured_nats.violations == []


async def test_flow_control_crosses_between_the_accounts(secured_nats: SecuredNats, log: Client) -> None:
    turned: asyncio.Queue[Msg] = asyncio.Queue()
    root = await secured_nats.connect("root")
    await root.subscribe(f"$JS.FC.{TICKETS.name}.>", cb=turned.put)
    for _ in range(300):
        await log.publish(ACME_TICKET, bytes(8192))
    acme, name = await secured_nats.connect(f"{ACME}-systems"), f"{ACME}-systems-0"
    seen = await follow(acme, name, ticket_events(ACME, ">"), domain=OUTSIDE_DOMAIN, count=301)
    assert [message.metadata.sequence.consumer for message in seen] == list(range(1, 302))
    async with asyncio.timeout(5):
        assert (await turned.get()).subject.startswith(f"$JS.FC.{TICKETS.name}.{name}.")
    assert secured_nats.violations == []


@pytest.mark.parametrize("filter_", [GLOBEX_TICKET, ticket_events(GLOBEX, ">"), "events.tickets.*.*", ">"])
async def test_a_subscriber_cannot_name_another_filter(
    secured_nats: SecuredNats, log: Client, filter_: str
) -> None:
    acme = await secured_nats.connect(f"{ACME}-systems")
    subject = f"{OUTSIDE_API}.CONSUMER.CREATE.{TICKETS.name}.{ACME}-systems-0.{filter_}"
    assert await refused(secured_nats, acme, subject)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"filter_subject": GLOBEX_TICKET},
        {"filter_subject": ">"},
        {"filter_subjects": [GLOBEX_TICKET]},
        {"filter_subjects": [ticket_events(ACME, ">"), GLOBEX_TICKET]},
        {"filter_subject": ticket_events(ACME, ">"), "filter_subjects": [GLOBEX_TICKET]},
    ],
    ids=str,
)
async def test_a_subscriber_cannot_ask_for_another_filter_than_it_named(
    secured_nats: SecuredNats, log: Client, config: dict[str, Any]
) -> None:
    acme = await secured_nats.connect(f"{ACME}-systems")
    filter_ = ticket_events(ACME, ">")
    assert "filter" in await create(acme, f"{ACME}-systems-0", filter_, **config)
    assert await create(acme, f"{ACME}-systems-0", filter_, filter_subject=filter_) == ""  # the test can fail


@pytest.mark.parametrize(
    "verb",
    [
        f"CONSUMER.CREATE.{TICKETS.name}",
        f"CONSUMER.CREATE.{TICKETS.name}.{ACME}-systems-0",
        f"CONSUMER.DURABLE.CREATE.{TICKETS.name}.{ACME}-systems-0",
        f"CONSUMER.CREATE.{TICKETS.name}.{GLOBEX}-systems-0.{ticket_events(ACME, '>')}",
        f"CONSUMER.CREATE.{TICKETS.name}.{ACME}-systems-8.{ticket_events(ACME, '>')}",
        f"CONSUMER.DELETE.{TICKETS.name}.{GLOBEX}-systems-0",
        f"CONSUMER.MSG.NEXT.{TICKETS.name}.{GLOBEX}-systems-0",
        f"CONSUMER.PAUSE.{TICKETS.name}.{GLOBEX}-systems-0",
        f"CONSUMER.RESET.{TICKETS.name}.{GLOBEX}-systems-0",
        f"CONSUMER.LIST.{TICKETS.name}",
        f"CONSUMER.NAMES.{TICKETS.name}",
        f"STREAM.INFO.{TICKETS.name}",
        f"STREAM.MSG.GET.{TICKETS.name}",
        f"STREAM.MSG.GET.{DEAD_LETTERS.name}",
        f"DIRECT.GET.{TICKETS.name}",
        f"DIRECT.GET.{TICKETS.name}.{GLOBEX_TICKET}",
    ],
)
async def test_a_subscriber_has_no_other_way_to_the_log(
    secured_nats: SecuredNats, log: Client, verb: str
) -> None:
    acme = await secured_nats.connect(f"{ACME}-systems")
    assert await refused(secured_nats, acme, f"$JS.API.{verb}")
    assert await refused(secured_nats, acme, f"{OUTSIDE_API}.{verb}")


async def test_a_subscriber_cannot_turn_the_flow_of_another(secured_nats: SecuredNats, log: Client) -> None:
    acme = await secured_nats.connect(f"{ACME}-systems")
    assert await refused(secured_nats, acme, f"$JS.FC.{TICKETS.name}.{GLOBEX}-systems-0.x")


async def test_a_subscriber_can_only_listen_to_its_own_inbox(secured_nats: SecuredNats) -> None:
    acme = await secured_nats.connect(f"{ACME}-systems")
    foreign = ("events.>", ">", "_INBOX.>", f"{inbox_prefix(f'{GLOBEX}-systems')}.>", "requests.>", "_R_.>")
    for subject in foreign:
        assert await refused_to_listen(secured_nats, acme, subject), subject


@pytest.mark.parametrize("user", [*USERS, *SUBSCRIBERS])
async def test_nobody_listens_to_the_inbox_of_another(secured_nats: SecuredNats, user: str) -> None:
    client = await secured_nats.connect(user)
    for other in (*USERS, *SUBSCRIBERS):
        if other != user:
            assert await refused_to_listen(secured_nats, client, f"{inbox_prefix(other)}.>")


async def test_a_subscriber_asks_no_service(secured_nats: SecuredNats) -> None:
    acme = await secured_nats.connect(f"{ACME}-systems")
    assert await refused(secured_nats, acme, "requests.tickets.get")
    assert await refused(secured_nats, acme, "$SRV.PING")


def test_no_two_users_share_a_consumer_name() -> None:
    names = [name for user in (*USERS, *TEST_USERS) for name in consumer_names(user)]
    assert len(names) == len(set(names))


def test_everybodys_credentials_fit_into_the_first_line_that_a_server_reads(tmp_path: Path) -> None:
    """`max_control_line` is for the whole CONNECT; with too many subjects a user does not get in."""
    operator = Operator.kept(tmp_path / "operator")
    for user, allowed in {**USERS, RESTORE_USER_NAME: RESTORE_USER}.items():
        assert len(operator.issue(user, allowed).jwt) < MAX_CONTROL_LINE / 2, user


def test_whoever_only_asks_stands_outside() -> None:
    inside = {user for user, allowed in USERS.items() if allowed.zone is Zone.SERVICES}
    assert inside == {"access", "attachments", "backup", "intake", "notify", "setup", "tickets"}


@pytest.mark.parametrize(
    ("user", "account"), [("a.b", "acme"), ("a", "acme.*"), ("*", "acme"), ("a", ">"), ("", "x")]
)
def test_a_subscriber_has_names_of_one_token(user: str, account: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a subject"):
        subscriber(user, account)
