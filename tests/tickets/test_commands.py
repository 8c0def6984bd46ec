"""Commands over NATS: what they do, what they refuse, and that each is done once however often it is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats.errors
import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from contracts.errors import ErrorReply
from contracts.number import derive_number, shown
from contracts.requests import Command
from contracts.subjects import TICKETS, ticket_events
from contracts.tickets import requests
from contracts.tickets.events import parse_ticket_event
from services.runtime.errors import Refused
from services.runtime.streams import stream_info
from services.tickets import commands as commands_module
from services.tickets import domain
from tests.tickets.conftest import AGENT, MEMBER, Caller, Node, new_id, unused_number

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartNode = Callable[[str], AbstractAsyncContextManager[Node]]

FULL_OPENING = {
    "title": "Rezerwacje nie docierają",
    "message": "Od wczoraj nic.\n\nŁódź, ul. Żwirki 7 \U0001f642",
    "topic": "bookings",
    "questionnaire": "https://casetrail.example/q/bookings|3",
    "answers": [{"link_id": "since", "question": "Since when?", "values": ["today", "7:40"]}],
    "identifiers": [{"kind": "merchant", "value": "M-77"}, {"kind": "reference", "value": "R 4"}],
    "via": "portal",
    "correlation_id": "corr-1",
}


async def events_of(nc: Client, number: str) -> list[Any]:
    """The events of a ticket as they stand in the log."""
    js = nc.jetstream()
    subscription = await js.subscribe(f"events.tickets.*.{number}", ordered_consumer=True)
    about = await subscription.consumer_info()
    assert about.delivered is not None
    count = (about.num_pending or 0) + about.delivered.consumer_seq
    found = [parse_ticket_event((await subscription.next_msg(timeout=5)).data) for _ in range(count)]
    await subscription.unsubscribe()
    return found


# The life of a ticket


async def test_a_ticket_is_opened_answered_closed_and_reopened(caller: Caller) -> None:
    opening = caller.opening(**FULL_OPENING)
    opened = await caller.done("open", **opening)
    number = opened["number"]
    assert number == derive_number(caller.account, opening["command_id"])
    assert (opened["account"], opened["status"], opened["revision"]) == (caller.account, "open", 1)

    replied = await caller.reply(shown(number), "Sprawdzamy.", actor=AGENT, via="desk")
    closed = await caller.close(number, reason="no_answer", note="Brak odpowiedzi.")
    reopened = await caller.reopen(number, reason="Jestem.")
    answers = [opened, replied, closed, reopened]
    assert [answer["revision"] for answer in answers] == [1, 2, 3, 4]
    assert [answer["status"] for answer in answers] == ["open", "open", "closed", "open"]
    assert {answer["number"] for answer in answers} == {number}

    events = await events_of(caller.nc, number)
    assert [event.id for event in events] == [answer["event_id"] for answer in answers]
    assert [event.revision for event in events] == [1, 2, 3, 4]
    assert [event.type.split(".")[2] for event in events] == ["opened", "replied", "closed", "reopened"]
    jan, ola = (f"{actor['kind']}:{actor['id']}" for actor in (MEMBER, AGENT))
    assert [event.actor for event in events] == [jan, ola, ola, jan]
    assert [event.via for event in events] == ["portal", "desk", "api", "api"]
    first = events[0]
    assert (first.correlationid, events[1].correlationid) == ("corr-1", events[1].commandid)
    assert first.traceparent is not None
    content = first.data.content.model_dump(mode="json")
    said = {key: FULL_OPENING[key] for key in ("title", "message", "identifiers", "answers")}
    assert content == {**said, "attachments": []}
    assert [event.time for event in events] == sorted(event.time for event in events)


async def test_a_closing_needs_no_note(caller: Caller) -> None:
    number = (await caller.open())["number"]
    await caller.close(number, reason="declined")
    (_, closed) = await events_of(caller.nc, number)
    assert (closed.data.reason, closed.data.content.note) == ("declined", None)


async def test_the_trace_of_the_request_stands_in_the_event(caller: Caller) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    reply = await caller.nc.request(
        requests.OPEN,
        json.dumps(caller.opening()).encode(),
        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
        timeout=5,
    )
    (opened,) = await events_of(caller.nc, json.loads(reply.data)["number"])
    assert opened.traceparent.startswith(f"00-{trace}-")


async def test_time_never_runs_backwards_on_a_ticket(start_node: StartNode, caller: Caller) -> None:
    """A replica whose clock is behind that of another one."""
    async with start_node("behind") as node:
        opened = await caller.open()
        command = requests.ReplyToTicket.model_validate_json(
            json.dumps(caller.command(number=opened["number"], text="x"))
        )
        early = datetime(2001, 1, 1, tzinfo=UTC)
        node.commands._now = lambda: early
        await node.commands.change(command)
        first, second = await events_of(caller.nc, opened["number"])
        assert second.time == first.time


# Refusals


async def test_a_closed_ticket_takes_no_reply_and_no_second_close(caller: Caller) -> None:
    number = (await caller.open())["number"]
    await caller.close(number)
    reply = await caller.refused("reply", caller.command(number=number, text="Halo?"))
    assert (reply.kind, reply.status, reply.code) == ("refused", 409, "ticket_is_closed")
    assert reply.data == {"number": number}
    assert shown(number) in reply.message
    reply = await caller.refused("close", caller.command(number=number, reason="solved"))
    assert (reply.status, reply.code) == (409, "ticket_is_already_closed")


async def test_an_open_ticket_is_not_reopened(caller: Caller) -> None:
    number = (await caller.open())["number"]
    reply = await caller.refused("reopen", caller.command(number=number, reason="x"))
    assert (reply.status, reply.code) == (409, "ticket_is_open")


@pytest.mark.parametrize(
    ("name", "more"),
    [("reply", {"text": "x"}), ("close", {"reason": "solved"}), ("reopen", {"reason": "x"})],
)
async def test_nobody_learns_whether_a_ticket_is_missing_or_of_another_account(
    caller: Caller, name: str, more: dict[str, str]
) -> None:
    number = (await caller.open())["number"]
    stranger = await caller.elsewhere("stranger")
    replies = []
    for asked in (number, unused_number()):
        reply = await caller.refused(name, stranger.command(number=asked, **more))
        assert reply.data == {"number": asked}
        replies.append(reply.model_copy(update={"data": {}, "message": ""}))
    assert replies[0] == replies[1]
    assert (replies[0].kind, replies[0].status, replies[0].code) == ("refused", 404, "ticket_not_found")


async def test_a_ticket_follows_only_a_ticket_of_its_own_account(caller: Caller) -> None:
    earlier = (await caller.open())["number"]
    later = await caller.open(follows=shown(earlier))
    (opened,) = await events_of(caller.nc, later["number"])
    assert opened.data.follows == earlier
    stranger = await caller.elsewhere("stranger")
    for opening in (stranger.opening(follows=earlier), caller.opening(follows=unused_number())):
        reply = await caller.refused("open", opening)
        assert (reply.kind, reply.status, reply.code) == ("refused", 409, "followed_ticket_not_found")
        assert reply.data == {"number": opening["follows"]}


async def test_a_full_ticket_takes_no_reply_but_can_be_closed(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain, "MAX_REVISION", 3)
    number = (await caller.open())["number"]
    await caller.reply(number)
    await caller.reply(number)
    reply = await caller.refused("reply", caller.command(number=number, text="x"))
    assert (reply.status, reply.code, reply.data) == (409, "ticket_is_full", {"limit": 3, "number": number})
    await caller.close(number)
    reply = await caller.refused("reopen", caller.command(number=number, reason="x"))
    assert reply.code == "ticket_is_full"


# The same command again


async def lived(caller: Caller) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """A ticket's commands, each with the answer that it had."""
    opening = caller.opening(**FULL_OPENING)
    opened = await caller.done("open", **opening)
    number = opened["number"]
    done = [("open", opening, opened)]
    for name, more in [
        ("reply", {"text": "Halo?"}),
        ("close", {"reason": "solved", "note": "x"}),
        ("reopen", {"reason": "Nie."}),
        ("reply", {"text": "Halo?"}),  # the same text, another command
        ("close", {"reason": "solved", "note": "x"}),
    ]:
        command = caller.command(number=number, **more)
        done.append((name, command, await caller.done(name, **command)))
    return done


async def test_a_command_sent_again_has_the_same_answer_and_no_effect(caller: Caller) -> None:
    done = await lived(caller)
    last = await caller.last_position()
    for name, command, answer in done:
        assert await caller.done(name, **command) == answer
        otherwise_sent = {**command, "via": "email", "correlation_id": "other"}
        assert await caller.done(name, **otherwise_sent) == answer
    assert await caller.last_position() == last


async def repeat(node: Node, name: str, command: dict[str, Any]) -> dict[str, Any]:
    models: dict[str, type[Command]] = {
        "open": requests.OpenTicket,
        "reply": requests.ReplyToTicket,
        "close": requests.CloseTicket,
        "reopen": requests.ReopenTicket,
    }
    parsed = models[name].model_validate_json(json.dumps(command))
    handler: Any = node.commands.open if name == "open" else node.commands.change
    answer = await handler(parsed)
    again: dict[str, Any] = json.loads(answer.model_dump_json(exclude_none=True))
    return again


async def test_another_replica_and_a_rebuilt_one_give_the_same_answers(
    caller: Caller, start_node: StartNode
) -> None:
    done = await lived(caller)
    last = await caller.last_position()
    async with start_node("other") as node:  # at first it holds nothing at all
        for name, command, answer in done:
            assert await repeat(node, name, command) == answer
        path = node.replica.path
    path.unlink()
    async with start_node("other") as node:
        for name, command, answer in reversed(done):
            assert await repeat(node, name, command) == answer
    assert await caller.last_position() == last


async def test_a_command_is_done_once_also_when_the_ticket_left_the_cache(
    caller: Caller, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands_module, "CACHED_TICKETS", 1)
    done = await lived(caller)
    async with start_node("small") as node:
        for name, command, answer in done:
            assert await repeat(node, name, command) == answer
            await repeat(node, "open", caller.opening())  # pushes the ticket out
            assert await repeat(node, name, command) == answer


async def test_a_command_sent_many_times_at_once_has_one_effect(caller: Caller) -> None:
    opening = caller.opening()
    answers = await asyncio.gather(*(caller.done("open", **opening) for _ in range(20)))
    assert answers == [answers[0]] * 20
    reply = caller.command(number=answers[0]["number"], text="x")
    answers = await asyncio.gather(*(caller.done("reply", **reply) for _ in range(20)))
    assert answers == [answers[0]] * 20
    assert answers[0]["revision"] == 2


@pytest.mark.parametrize(
    "other",
    [
        {"title": "x"},
        {"message": "x"},
        {"topic": "x"},
        {"actor": AGENT},
        {"identifiers": []},
        {"answers": []},
    ],
)
async def test_an_id_that_opened_a_ticket_opens_no_other(caller: Caller, other: dict[str, Any]) -> None:
    opening = caller.opening(**FULL_OPENING)
    await caller.done("open", **opening)
    reply = await caller.refused("open", {**opening, **other})
    assert (reply.kind, reply.status, reply.code) == ("refused", 409, "command_id_reused")
    assert reply.data["command_id"] == opening["command_id"]


async def test_an_id_that_did_one_thing_on_a_ticket_does_no_other(caller: Caller) -> None:
    opening = caller.opening()
    number = (await caller.done("open", **opening))["number"]
    replying = caller.command(number=number, text="x")
    await caller.done("reply", **replying)
    others = [
        ("reply", {**replying, "text": "y"}),
        ("reply", {**replying, "actor": AGENT}),
        ("close", caller.command(number=number, reason="solved", command_id=replying["command_id"])),
        ("reply", caller.command(number=number, text="x", command_id=opening["command_id"])),
    ]
    for name, command in others:
        reply = await caller.refused(name, command)
        assert (reply.status, reply.code) == (409, "command_id_reused")


async def test_accounts_choose_their_command_ids_without_regard_to_one_another(caller: Caller) -> None:
    opening = caller.opening()
    stranger = await caller.elsewhere(f"b{new_id()[:12]}")
    mine = await caller.done("open", **opening)
    theirs = await stranger.done("open", **{**opening, "account": stranger.account})
    assert mine["number"] != theirs["number"]


# Numbers that collide


async def test_a_number_that_is_taken_makes_way_for_the_next_derivation(
    caller: Caller, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = unused_number()

    def derive(account: str, command_id: str, attempt: int = 0) -> str:
        return wanted if attempt == 0 else derive_number(account, command_id, attempt)

    monkeypatch.setattr(commands_module, "derive_number", derive)
    openings = [(await caller.elsewhere(f"collides-{n}")).opening() for n in range(4)]
    async with start_node("one") as one, start_node("two") as two:
        nodes = [one, two, one, two]
        answers = await asyncio.gather(
            *(repeat(node, "open", opening) for node, opening in zip(nodes, openings, strict=True))
        )
        numbers = [answer["number"] for answer in answers]
        assert numbers.count(wanted) == 1
        for opening, number in zip(openings, numbers, strict=True):
            assert number in (wanted, derive_number(opening["account"], opening["command_id"], 1))
        for opening, answer in zip(openings, answers, strict=True):
            for node in (one, two):
                assert await repeat(node, "open", opening) == answer
    assert len(await events_of(caller.nc, wanted)) == 1


async def test_the_same_account_may_meet_its_own_number(
    caller: Caller, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = unused_number()
    monkeypatch.setattr(
        commands_module,
        "derive_number",
        lambda account, command_id, attempt=0: (
            wanted if attempt == 0 else derive_number(account, command_id, attempt)
        ),
    )
    first, second = caller.opening(), caller.opening()
    async with start_node("one") as node:
        assert (await repeat(node, "open", first))["number"] == wanted
        moved = await repeat(node, "open", second)
        assert moved["number"] == derive_number(caller.account, second["command_id"], 1)
        assert await repeat(node, "open", second) == moved


# Several replicas


async def test_two_replicas_that_work_on_one_ticket_make_one_order(
    caller: Caller, start_node: StartNode
) -> None:
    number = (await caller.open())["number"]
    async with start_node("one") as one, start_node("two") as two:
        replies = [caller.command(number=number, text=f"{n}") for n in range(40)]
        answers = await asyncio.gather(
            *(repeat((one, two)[n % 2], "reply", reply) for n, reply in enumerate(replies))
        )
    assert sorted(answer["revision"] for answer in answers) == list(range(2, 42))
    events = await events_of(caller.nc, number)
    assert [event.revision for event in events] == list(range(1, 42))
    assert {event.commandid for event in events[1:]} == {reply["command_id"] for reply in replies}


async def test_a_replica_that_is_behind_says_no_only_on_the_log_as_it_is(
    caller: Caller, start_node: StartNode
) -> None:
    async with start_node("one") as node:
        number = (await caller.open())["number"]
        await node.replica.wait_for(await caller.last_position())
        await repeat(node, "close", caller.command(number=number, reason="solved"))
        await caller.reopen(number)  # by the other replica
        replied = await repeat(node, "reply", caller.command(number=number, text="x"))
        assert replied["revision"] == 4
        unknown = (await caller.open())["number"]
        assert (await repeat(node, "reply", caller.command(number=unknown, text="x")))["revision"] == 2
        await caller.close(number)
        with pytest.raises(domain.TicketIsClosed):
            await repeat(node, "reply", caller.command(number=number, text="too late"))
        following = await repeat(node, "open", caller.opening(follows=(await caller.open())["number"]))
        assert following["revision"] == 1
        with pytest.raises(Refused, match="followed_ticket_not_found"):
            await repeat(node, "open", caller.opening(follows=unused_number()))


# A log that takes nothing


async def limit(caller: Caller, count: int) -> None:
    """Let the log have so many events; -1: any number."""
    about = await stream_info(caller.nc, TICKETS)
    config = {**about["config"], "max_msgs": count}
    raw = json.dumps(config).encode()
    answer = json.loads((await caller.nc.request("$JS.API.STREAM.UPDATE.TICKETS", raw, timeout=5)).data)
    assert "error" not in answer, answer


async def test_a_log_that_refuses_events_makes_the_service_unavailable_at_once(caller: Caller) -> None:
    number = (await caller.open())["number"]
    commands = [
        ("reply", caller.command(number=number, text="x")),
        ("close", caller.command(number=number, reason="solved")),
        ("open", caller.opening()),
    ]
    await limit(caller, await caller.last_position())
    try:
        with capture_logs() as logs:
            for name, command in commands:
                reply = await caller.refused(name, command)
                assert (reply.kind, reply.status, reply.code) == ("unavailable", 503, "unavailable")
    finally:
        await limit(caller, -1)
    assert len([line for line in logs if line["event"] == "tickets.append_unanswered"]) <= 3 * len(commands)
    for name, command in commands:
        assert (await caller.done(name, **command))["revision"] >= 1


# Bad input


def too_long() -> str:
    return "ż" * (32 * 1024) + "x"


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("open", {"title": 7}, "title", "string_type"),
    ("open", {"title": None}, "title", "string_type"),
    ("open", {"title": ["x"]}, "title", "string_type"),
    ("open", {"title": " "}, "title", "text_blank"),
    ("open", {"title": "x" * 201}, "title", "string_too_long"),
    ("open", {"title": "two\nlines"}, "title", "text_control_character"),
    ("open", {"title": "a\x00b"}, "title", "text_control_character"),
    ("open", {"message": "a\x00b"}, "message", "text_control_character"),
    ("open", {"message": "a\x1bb"}, "message", "text_control_character"),
    ("open", {"message": "a\x7fb"}, "message", "text_control_character"),
    ("open", {"message": "a\x85b"}, "message", "text_control_character"),
    ("open", {"message": too_long()}, "message", "text_too_long"),
    ("open", {"priority": "high"}, "priority", "extra_forbidden"),
    ("open", {"actor": {"kind": "member", "id": "jan", "name": "Jan"}}, "actor.name", "extra_forbidden"),
    ("open", {"actor": {"kind": "boss", "id": "jan"}}, "actor.kind", "enum"),
    ("open", {"actor": "jan"}, "actor", "model_type"),
    ("open", {"account": "Acme.*"}, "account", "account_id_shape"),
    ("open", {"account": ">"}, "account", "account_id_shape"),
    ("open", {"command_id": "a b"}, "command_id", "command_id_shape"),
    ("open", {"command_id": "x" * 65}, "command_id", "command_id_shape"),
    ("open", {"identifiers": [{"kind": "m", "value": "x"}] * 21}, "identifiers", "too_long"),
    (
        "open",
        {"identifiers": [{"kind": "M N", "value": "x"}]},
        "identifiers.0.kind",
        "code_shape",
    ),
    ("open", {"identifiers": [{"kind": "m", "value": "x" * 129}]}, "identifiers.0.value", "string_too_long"),
    ("open", {"identifiers": {"kind": "m"}}, "identifiers", "tuple_type"),
    ("open", {"follows": "123"}, "follows", "number_shape"),
    (
        "open",
        {"answers": [{"link_id": str(n), "question": "?", "values": ["x" * 60_000]} for n in range(5)]},
        "answers",
        "answers_too_long",
    ),
    ("reply", {"text": "x", "number": "4830291742"}, "number", "number_check_digit"),
    ("reply", {"text": "x", "number": "4830291714"}, "number", "number_check_digit"),
    ("reply", {"text": "x", "number": "48302917"}, "number", "number_shape"),
    ("reply", {"text": "x", "number": 4830291741}, "number", "number_shape"),
    ("reply", {"text": "x", "number": "events.>"}, "number", "number_shape"),
    ("reply", {"text": too_long(), "number": "4830291741"}, "text", "text_too_long"),
    ("reply", {"number": "4830291741"}, "text", "missing"),
    ("close", {"number": "4830291741", "reason": "bored"}, "reason", "enum"),
    ("close", {"number": "4830291741", "reason": "solved", "note": ""}, "note", "text_blank"),
    ("reopen", {"number": "4830291741", "reason": "\t"}, "reason", "text_blank"),
    ("get", {"number": "4830291741", "as_of_revision": 0}, "as_of_revision", "greater_than_equal"),
    ("get", {"number": "4830291741", "as_of_time": "yesterday"}, "as_of_time", "datetime_parsing"),
    ("get", {"number": "4830291741", "as_of_time": "2026-11-20T09:00:00"}, "as_of_time", "timezone_aware"),
    ("get", {"number": "4830291741", "as_of_revision": 1, "as_of_position": 1}, "", "as_of_more_than_one"),
    ("history", {"number": "4830291741", "limit": 501}, "limit", "less_than_equal"),
    ("list", {"limit": True}, "limit", "int_type"),
    ("list", {"status": "new"}, "status", "enum"),
    ("list", {"words": "?!"}, "words", "no_words"),
    ("list", {"words": " ".join("abcdefghijklm")}, "words", "too_many_words"),
    ("list", {"at_least": -1}, "at_least", "greater_than_equal"),
    ("list", {"at_least": 2**63}, "at_least", "less_than"),
    ("topics", {"limit": 501}, "limit", "less_than_equal"),
    ("lookup", {"value": ""}, "value", "text_blank"),
    ("lookup", {"value": "x" * 129}, "value", "string_too_long"),
]


@pytest.mark.parametrize(("name", "wrong", "field", "rule"), BAD, ids=lambda value: repr(value)[:40])
async def test_what_does_not_fit_is_told_by_field_and_rule(
    caller: Caller, name: str, wrong: dict[str, Any], field: str, rule: str
) -> None:
    base = {"open": caller.opening()}.get(name, {})
    if name in ("reply", "close", "reopen"):
        base = caller.command()
    reply = await caller.refused(name, {**base, **wrong})
    assert (reply.kind, reply.status, reply.code) == ("malformed", 400, "malformed")
    assert [(error.field, error.rule) for error in reply.fields] == [(field, rule)]
    assert "is not valid" not in reply.fields[0].message  # each rule has words of its own


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"open"',
        b"\xff\xfe\x00",
        b'{"title": "\xc3\x28"}',
        b'{"title": "\\ud800"}',
        b"[" * 100_000,
        b'{"title": NaN}',
    ],
    ids=lambda raw: repr(raw)[:20],
)
@pytest.mark.parametrize("name", ["open", "reply", "list"])
async def test_what_is_no_json_is_told(caller: Caller, name: str, raw: bytes) -> None:
    reply = await caller.refused(name, raw)
    assert (reply.kind, reply.status) == ("malformed", 400)
    assert reply.fields


async def test_a_message_of_five_megabytes_goes_nowhere(caller: Caller) -> None:
    before = await caller.last_position()
    with pytest.raises(nats.errors.MaxPayloadError):
        await caller.ask("open", json.dumps(caller.opening(message="x" * (5 << 20))).encode())
    assert await caller.last_position() == before


async def test_the_longest_opening_there_may_be_fits_into_a_message_and_is_shown(caller: Caller) -> None:
    """Every limit reached, with characters that JSON writes as two."""
    value = '"' * 12_000
    opening = caller.opening(
        title='"' * 200,
        message='"' * (64 * 1024),
        answers=[{"link_id": "x" * 128, "question": "q" * 200, "values": [value]} for _ in range(21)],
        identifiers=[{"kind": "k" * 64, "value": f"{n:02}" + "ż" * 126} for n in range(20)],
    )
    opened = await caller.done("open", **opening)
    ticket = await caller.done("get", number=opened["number"], at_least=opened["position"])
    assert ticket["message"] == opening["message"]
    page = await caller.done("history", number=opened["number"])
    assert page["events"][0]["event"]["data"]["content"]["answers"] == opening["answers"]


@pytest.mark.parametrize(
    "text", ["x" * 65_536, "ż" * 32_768, "\U0001f642" * 16_384, "a\r\n\tb", "\u202e\ufeff\u0301"]
)
async def test_any_text_that_is_allowed_comes_back_exactly(caller: Caller, text: str) -> None:
    number = (await caller.open(message=text))["number"]
    replied = await caller.reply(number, text)
    ticket = await caller.done("get", number=number, at_least=replied["position"])
    assert ticket["message"] == text
    page = await caller.done("history", number=number, after_revision=1)
    assert page["events"][0]["event"]["data"]["content"]["text"] == text


async def test_an_answer_that_is_an_error_is_a_document_of_the_contract(caller: Caller) -> None:
    status, answer = await caller.ask("reply", caller.command(number=unused_number(), text="x"))
    assert status == "404"
    assert answer == ErrorReply.model_validate(answer).model_dump(mode="json")
    assert MEMBER["id"] not in json.dumps(answer)


async def test_what_another_replica_did_is_taken_in_without_reading_the_ticket_again(
    nc: Client, caller: Caller, tmp_path: Path
) -> None:
    number = (await caller.open())["number"]
    node = Node(nc, tmp_path)
    try:
        await node.replica.catch_up()
        reply = requests.ReplyToTicket.model_validate_json(
            json.dumps(caller.command(number=number, text="Przez ten."))
        )
        await node.commands.change(reply)
        before = node.cache.get(number)
        there = await caller.reply(number, "Przez tamten.")
        await node.replica.wait_for(there["position"])
        after = node.cache.get(number)
        assert before is not None
        assert after is not None
        assert after.state is not None
        assert (after.position, after.state.revision) == (there["position"], 3)
        assert there["revision"] == 3
    finally:
        await node.stop()


async def test_an_event_of_a_later_version_is_told_by_name_and_its_text_stays_out_of_the_log(
    nc: Client, caller: Caller
) -> None:
    opened = await caller.open()
    page = await caller.done("history", number=opened["number"], at_least=opened["position"])
    later = {**page["events"][0]["event"], "type": "casetrail.ticket.opened.v2", "revision": 2}
    later["data"] = {"content": {"title": "TAJEMNICA"}}
    subject = ticket_events(caller.account, opened["number"])
    ack = await nc.jetstream().publish(subject, json.dumps(later).encode())
    with capture_logs() as logs:
        for name, body in (
            ("get", {"number": opened["number"], "at_least": ack.seq}),
            ("reply", caller.command(number=opened["number"], text="x")),
        ):
            status, answer = await caller.ask(name, body)
            assert (status, answer["code"]) == ("503", "event_unknown"), name
    assert "TAJEMNICA" not in str(logs)
