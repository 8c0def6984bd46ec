"""Queries over NATS: tickets as they stand and stood, histories, lists, look-ups, one's own writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from contracts.number import derive_number, shown
from contracts.reference import derive_reference
from contracts.requests import SentActor
from contracts.tickets import requests
from services.runtime.errors import Unavailable
from tests.tickets.conftest import AGENT, MEMBER, Caller, Node, new_id, unused_number

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKER = SentActor.model_validate(AGENT, strict=False)
StartNode = Callable[[str], AbstractAsyncContextManager[Node]]


# One ticket


async def test_a_ticket_is_shown_with_all_that_was_said_when_it_was_opened(caller: Caller) -> None:
    earlier = (await caller.open())["number"]
    said = {
        "title": "Rezerwacje",
        "message": "Od wczoraj.",
        "topic": "bookings",
        "questionnaire": "https://casetrail.example/q|1",
        "answers": [{"link_id": "1", "question": "Which?", "values": ["This", "That"]}],
        "identifiers": [{"kind": "merchant", "value": "M-77"}],
        "follows": earlier,
    }
    opened = await caller.open(**said)
    ticket = await caller.done("get", number=opened["number"], at_least=opened["position"])
    assert {key: ticket[key] for key in said} == said
    assert ticket == {
        **said,
        "number": opened["number"],
        "account": caller.account,
        "status": "open",
        "opened_by": MEMBER,
        "opened_at": opened["at"],
        "opened_position": opened["position"],
        "updated_at": opened["at"],
        "updated_by": MEMBER,
        "revision": 1,
        "position": opened["position"],
        "replies": 0,
        "unanswered_since": opened["at"],
        "attachments": [],
    }


async def test_a_ticket_tells_by_whom_and_why_it_is_closed_for_as_long_as_it_is(caller: Caller) -> None:
    number = (await caller.open())["number"]
    await caller.reply(number)
    closed = await caller.close(number, reason="duplicate", note="Zob. drugie.")
    ticket = await caller.done("get", number=number, at_least=closed["position"])
    assert (ticket["status"], ticket["replies"], ticket["revision"]) == ("closed", 1, 3)
    assert ticket["updated_by"] == AGENT
    assert ticket["closing"] == {
        "reason": "duplicate",
        "note": "Zob. drugie.",
        "closed_by": AGENT,
        "at": closed["at"],
    }
    reopened = await caller.reopen(number)
    ticket = await caller.done("get", number=number, at_least=reopened["position"])
    assert ticket["status"] == "open"
    assert "closing" not in ticket


async def test_a_ticket_is_shown_as_it_stood_at_a_revision_a_position_or_a_time(caller: Caller) -> None:
    opened = await caller.open()
    number = opened["number"]
    between = (await caller.open())["position"]
    steps = [opened, await caller.reply(number), await caller.close(number), await caller.reopen(number)]
    expected = [("open", 0), ("open", 1), ("closed", 1), ("open", 1)]
    for step, (status, replies) in zip(steps, expected, strict=True):
        by_revision = await caller.done(
            "get", number=number, as_of_revision=step["revision"], at_least=steps[-1]["position"]
        )
        assert (by_revision["status"], by_revision["replies"]) == (status, replies)
        assert by_revision["revision"] == step["revision"]
        assert await caller.done("get", number=number, as_of_position=step["position"]) == by_revision
        assert await caller.done("get", number=number, as_of_time=step["at"]) == by_revision
    in_between = await caller.done("get", number=number, as_of_position=between)
    assert in_between["revision"] == 1
    assert (await caller.done("get", number=number, as_of_time="2100-01-01T00:00:00+02:00"))["revision"] == 4


async def test_a_ticket_did_not_exist_before_it_was_opened_or_in_the_future(caller: Caller) -> None:
    await caller.open()
    opened = await caller.open()
    number = opened["number"]
    for asked in (
        {"as_of_position": opened["position"] - 1},
        {"as_of_revision": 2},
        {"as_of_time": "2001-01-01T00:00:00Z"},
    ):
        reply = await caller.refused("get", {"number": number, "at_least": opened["position"], **asked})
        assert (reply.kind, reply.status, reply.code) == ("refused", 404, "ticket_did_not_exist")
        assert reply.data == {"number": number}


async def test_a_position_that_the_replica_has_not_reached_is_waited_for(
    caller: Caller, start_node: StartNode
) -> None:
    """As it stood at a position is a fact: it cannot depend on how far a replica is."""
    number = (await caller.open())["number"]
    async with start_node("behind") as node:
        await node.replica.wait_for(await caller.last_position())
        await node.pause()
        replied = await caller.reply(number)
        query = requests.GetTicket(actor=ASKER, number=number, as_of_position=replied["position"])
        asking = asyncio.create_task(node.queries.get(query))
        await asyncio.sleep(0)
        node.resume()
        assert (await asking).revision == 2


@pytest.mark.parametrize("name", ["get", "history"])
async def test_nobody_learns_of_a_ticket_of_another_account(caller: Caller, name: str) -> None:
    opened = await caller.open()
    number = opened["number"]
    await caller.done(name, number=number, account=caller.account, at_least=opened["position"])
    for asked in ({"number": number, "account": "stranger"}, {"number": unused_number()}):
        reply = await caller.refused(name, asked)
        assert (reply.kind, reply.status, reply.code) == ("refused", 404, "ticket_not_found")
        assert reply.data == {"number": asked["number"]}


# History


async def test_a_history_comes_in_pages(caller: Caller) -> None:
    number = (await caller.open())["number"]
    answers = [await caller.reply(number, f"{n}") for n in range(2, 12)]
    seen: list[dict[str, Any]] = []
    after: int | None = 0
    pages = 0
    while after is not None:
        page = await caller.done(
            "history", number=number, after_revision=after, limit=4, at_least=answers[-1]["position"]
        )
        assert (page["number"], page["account"]) == (number, caller.account)
        assert len(page["events"]) <= 4
        seen += page["events"]
        after, pages = page.get("next_after_revision"), pages + 1
    assert pages == 3
    assert [item["event"]["revision"] for item in seen] == list(range(1, 12))
    assert [item["position"] for item in seen[1:]] == [answer["position"] for answer in answers]
    assert [item["event"]["id"] for item in seen[1:]] == [answer["event_id"] for answer in answers]
    page = await caller.done("history", number=number, after_revision=11)
    assert page["events"] == []
    assert "next_after_revision" not in page


async def test_a_page_that_is_just_full_is_the_last_one(caller: Caller) -> None:
    number = (await caller.open())["number"]
    last = await caller.reply(number)
    page = await caller.done("history", number=number, limit=2, at_least=last["position"])
    assert len(page["events"]) == 2
    assert "next_after_revision" not in page


async def test_a_page_of_long_texts_ends_where_a_message_would(caller: Caller) -> None:
    texts = [character * (64 * 1024) for character in "abcdefghijklmnopqrst"]
    texts[3] = '"' * (64 * 1024)  # twice as long as JSON
    number = (await caller.open(message=texts[0]))["number"]
    for text in texts[1:]:
        last = await caller.reply(number, text)
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = await caller.done(
            "history", number=number, after_revision=after, limit=500, at_least=last["position"]
        )
        contents = [item["event"]["data"]["content"] for item in page["events"]]
        assert contents
        seen += [content.get("text") or content["message"] for content in contents]
        after = page.get("next_after_revision")
    assert seen == texts


# Lists


async def test_a_list_is_newest_first_and_filtered_by_status_topic_number_and_account(caller: Caller) -> None:
    numbers = [(await caller.open(topic=topic))["number"] for topic in ("a", "b", "a", "b")]
    await (await caller.elsewhere(f"b{new_id()[:12]}")).open(topic="a")
    await caller.close(numbers[0])
    await caller.close(numbers[1])
    last = (await caller.reopen(numbers[1]))["position"]
    newest_first = numbers[::-1]
    assert await caller.found(at_least=last) == newest_first
    assert await caller.found(status="closed") == [numbers[0]]
    assert await caller.found(status="open") == newest_first[:3]
    assert await caller.found(topic="a") == [numbers[2], numbers[0]]
    assert await caller.found(topic="a", status="open") == [numbers[2]]
    assert await caller.found(number=shown(numbers[1])) == [numbers[1]]
    assert await caller.found(number=numbers[1], status="closed") == []
    everybody = await caller.done("list", limit=5)
    assert [ticket["number"] for ticket in everybody["tickets"]][1:] == newest_first


async def test_counts_are_those_of_the_account_whatever_the_filter(caller: Caller) -> None:
    numbers = [(await caller.open())["number"] for _ in range(3)]
    closed = await caller.close(numbers[0])
    page = await caller.done("list", account=caller.account, topic="none", at_least=closed["position"])
    assert page["tickets"] == []
    assert page["counts"] == {"open": 2, "closed": 1}
    reopened = await caller.reopen(numbers[0])
    page = await caller.done("list", account=caller.account, at_least=reopened["position"])
    assert page["counts"] == {"open": 3, "closed": 0}
    assert page["position"] >= reopened["position"]
    assert (await caller.done("list", account=(await caller.elsewhere("nobody")).account))["counts"] == {
        "open": 0,
        "closed": 0,
    }
    everybody = (await caller.done("list"))["counts"]
    assert everybody["open"] >= 3
    assert sum(everybody.values()) == len(await caller.found(account=None))


async def test_topics_are_those_of_the_account_or_of_all_with_their_counts(caller: Caller) -> None:
    topic = f"t{new_id()[:12]}"
    numbers = [(await caller.open(topic=each))["number"] for each in (topic, topic, topic, "rare")]
    await caller.reply(numbers[0], actor=AGENT)
    await caller.close(numbers[3])
    other = await caller.elsewhere(f"c{new_id()[:12]}")
    last = await other.open(topic=topic)
    asked = await caller.done("topics", account=caller.account, at_least=last["position"])
    assert asked["topics"] == [
        {"topic": topic, "open": 3, "closed": 0, "unanswered": 2},
        {"topic": "rare", "open": 0, "closed": 1, "unanswered": 0},
    ]
    assert asked["position"] >= last["position"]
    assert (await caller.done("topics", account=caller.account, limit=1))["topics"] == asked["topics"][:1]
    everybody = {each["topic"]: each for each in (await caller.done("topics", limit=500))["topics"]}
    assert everybody[topic] == {"topic": topic, "open": 4, "closed": 0, "unanswered": 3}
    counts = (await caller.done("list"))["counts"]
    assert sum(each["open"] for each in everybody.values()) == counts["open"]


async def test_pages_neither_skip_nor_repeat_a_ticket_while_others_are_opened(caller: Caller) -> None:
    numbers = [(await caller.open())["number"] for _ in range(7)]
    seen: list[str] = []
    query: dict[str, Any] = {"account": caller.account, "limit": 2}
    while True:
        await caller.reply(numbers[0])
        opened = await caller.open()
        page = await caller.done("list", **{**query, "at_least": opened["position"]})
        seen += [ticket["number"] for ticket in page["tickets"]]
        if "next_before" not in page:
            break
        query["before"] = page["next_before"]
    assert seen[1:] == numbers[::-1]  # the first was opened just before the first page


async def test_a_line_of_a_list_says_what_the_ticket_itself_says(caller: Caller) -> None:
    number = (await caller.open(topic="bookings"))["number"]
    closed = await caller.close(number)
    ticket = await caller.done("get", number=number, at_least=closed["position"])
    (line,) = (await caller.done("list", account=caller.account))["tickets"]
    assert line == {key: ticket[key] for key in line}
    assert set(line) == set(requests.TicketSummary.model_fields) - {"unanswered_since"}


async def test_the_desk_is_shown_first_who_waits_longest_for_an_answer(caller: Caller) -> None:
    first, second, third, fourth = [
        (await caller.open(topic=topic))["number"] for topic in ("a", "b", "a", "a")
    ]
    await caller.reply(second, actor=AGENT)
    await caller.reply(first, actor=AGENT)
    asked_again = await caller.reply(first)
    await caller.reply(first, "Jest tam kto?")
    await caller.close(fourth)
    last = await caller.reopen(fourth)

    async def waiting(**query: Any) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        query = {"account": caller.account, "order": "oldest_unanswered", "limit": 1, **query}
        while True:
            page = await caller.done("list", at_least=last["position"], **query)
            found += [(each["number"], each["unanswered_since"]) for each in page["tickets"]]
            if "next_after" not in page:
                return found
            query["after"] = page["next_after"]

    expected = [third, first, fourth]
    assert [number for number, _ in await waiting()] == expected
    assert (await waiting())[1:] == [(first, asked_again["at"]), (fourth, last["at"])]
    assert [number for number, _ in await waiting(topic="a")] == expected
    assert await waiting(topic="b") == []
    everybodys = [number for number, _ in await waiting(account=None, topic="a")]
    assert [number for number in everybodys if number in expected] == expected
    assert await caller.found(unanswered=True) == [fourth, third, first]
    assert await caller.found(unanswered=True, words="kto") == [first]
    page = await caller.done("list", account=caller.account, topic="b")
    assert page["unanswered"] == 3
    assert "unanswered_since" not in page["tickets"][0]


@pytest.mark.parametrize(
    "asked",
    [
        {"order": "oldest_unanswered", "words": "x"},
        {"order": "oldest_unanswered", "before": 1},
        {"order": "oldest_unanswered", "status": "open"},
        {"order": "newest", "after": 1},
    ],
)
async def test_what_does_not_go_with_an_order_is_named(caller: Caller, asked: dict[str, Any]) -> None:
    reply = await caller.refused("list", {"account": caller.account, **asked})
    assert [broken.rule for broken in reply.fields] == ["not_in_this_order"]


@pytest.mark.parametrize("before", [0, 1, 2**62, 2**63 - 1])
@pytest.mark.parametrize("words", [None, "działa", "dzia*"])
@pytest.mark.parametrize("of_all", [False, True])
async def test_any_position_can_be_the_end_of_a_page(
    caller: Caller, before: int, words: str | None, of_all: bool
) -> None:
    opened = await caller.open()
    query = {"before": before, "at_least": opened["position"], "account": None if of_all else caller.account}
    found = await caller.found(**query, **({"words": words} if words else {}))
    assert (opened["number"] in found) is (before > opened["position"])


# Identifiers and look-ups


async def test_tickets_are_found_by_an_identifier_however_it_is_spelled(caller: Caller) -> None:
    first = (await caller.open(identifiers=[{"kind": "merchant", "value": "M-77 Łódź"}]))["number"]
    second = (await caller.open(identifiers=[{"kind": "reference", "value": "m-77 ŁÓDŹ"}]))["number"]
    last = await caller.open(identifiers=[{"kind": "merchant", "value": "M-778"}])
    assert await caller.found(identifier={"value": "m-77lodz"}, at_least=last["position"]) == [second, first]
    assert await caller.found(identifier={"kind": "merchant", "value": "M-77 Łódź"}) == [first]
    assert await caller.found(identifier={"kind": "other", "value": "M-77 Łódź"}) == []
    found = await caller.done("lookup", value=" m-77 lodz ", account=caller.account)
    assert [(match["found_as"], match["kind"], match["ticket"]["number"]) for match in found["matches"]] == [
        ("identifier", "reference", second),
        ("identifier", "merchant", first),
    ]
    one = await caller.done("lookup", value="m-77 lodz", account=caller.account, limit=1)
    assert len(one["matches"]) == 1
    assert (
        await caller.done("lookup", value="m-77 lodz", account=(await caller.elsewhere("stranger")).account)
    )["matches"] == []


async def test_the_same_identifier_twice_in_one_ticket_is_one(caller: Caller) -> None:
    same = [{"kind": "merchant", "value": "M-1"}, {"kind": "merchant", "value": "m-1"}]
    opened = await caller.open(identifiers=same)
    found = await caller.done("lookup", value="M-1", account=caller.account, at_least=opened["position"])
    assert len(found["matches"]) == 1
    assert (await caller.done("get", number=opened["number"]))["identifiers"] == same


@pytest.mark.parametrize(
    "spelling", ["{}-{}-{}", "{} {} {}", "#{}{}{}", "{}.{}.{}", "\u00a0{}\u2013{}\u2011{} "]
)
async def test_a_number_is_looked_up_in_any_spelling(caller: Caller, spelling: str) -> None:
    opened = await caller.open()
    number = opened["number"]
    value = spelling.format(number[:3], number[3:6], number[6:])
    found = await caller.done("lookup", value=value, at_least=opened["position"])
    assert [(match["found_as"], match["ticket"]["number"]) for match in found["matches"]] == [
        ("number", number)
    ]
    assert found["number_mistyped"] is False
    assert (await caller.done("lookup", value=value, account=(await caller.elsewhere("stranger")).account))[
        "matches"
    ] == []


async def test_a_mistyped_number_is_told_by_its_check_digit(caller: Caller) -> None:
    number = (await caller.open())["number"]
    digit = str((int(number[4]) + 1) % 10)
    for wrong in (number[:4] + digit + number[5:], shown(number[:4] + digit + number[5:])):
        found = await caller.done("lookup", value=wrong)
        assert found == {"matches": [], "number_mistyped": True}
    found = await caller.done("lookup", value=unused_number())
    assert found == {"matches": [], "number_mistyped": False}


async def test_a_merchant_id_of_ten_digits_that_is_no_number_is_found_as_what_it_is(caller: Caller) -> None:
    number = derive_number(caller.account, new_id())
    merchant = number[:-1] + str((int(number[-1]) + 1) % 10)
    opened = await caller.open(identifiers=[{"kind": "merchant", "value": merchant}])
    found = await caller.done("lookup", value=merchant, at_least=opened["position"])
    assert [(match["found_as"], match["ticket"]["number"]) for match in found["matches"]] == [
        ("identifier", opened["number"])
    ]


async def test_a_number_that_another_ticket_quotes_finds_both_its_own_ticket_first(caller: Caller) -> None:
    first = (await caller.open())["number"]
    quoting = await caller.open(identifiers=[{"kind": "reference", "value": first}])
    found = await caller.done("lookup", value=first, at_least=quoting["position"])
    assert [(match["found_as"], match["ticket"]["number"]) for match in found["matches"]] == [
        ("number", first),
        ("identifier", quoting["number"]),
    ]


@pytest.mark.parametrize("spelling", ["{0}", "{1}", "R{1}", " r {2} ", "#{2}", "{3}"])
async def test_a_reference_is_looked_up_in_any_spelling(caller: Caller, spelling: str) -> None:
    reference = derive_reference("a mail", new_id())
    bare = reference.removeprefix("R-").replace("-", "")
    misread = bare.translate(str.maketrans("01", "ol")).lower()
    opened = await caller.open(identifiers=[{"kind": "reference", "value": reference}])
    value = spelling.format(reference, bare, reference.removeprefix("R-").replace("-", " "), misread)
    found = await caller.done("lookup", value=value, account=caller.account, at_least=opened["position"])
    assert [(match["kind"], match["ticket"]["number"]) for match in found["matches"]] == [
        ("reference", opened["number"])
    ]
    assert not found["number_mistyped"]


async def test_another_identifier_that_could_be_a_reference_is_found_as_what_it_is(caller: Caller) -> None:
    reference = derive_reference("a mail", new_id())
    bare = reference.removeprefix("R-").replace("-", "")
    quoting = await caller.open(identifiers=[{"kind": "reference", "value": reference}])
    merchant = await caller.open(
        identifiers=[{"kind": "merchant", "value": bare}, {"kind": "reference", "value": reference}]
    )
    last = await caller.open(identifiers=[{"kind": "merchant", "value": bare}])
    query = {"value": bare.lower(), "account": caller.account, "at_least": last["position"]}
    found = (await caller.done("lookup", **query))["matches"]
    assert [match["ticket"]["number"] for match in found] == [
        last["number"], merchant["number"], merchant["number"], quoting["number"],
    ]  # fmt: skip
    assert {(match["kind"], match["ticket"]["number"]) for match in found[1:3]} == {
        ("merchant", merchant["number"]),
        ("reference", merchant["number"]),
    }
    assert (await caller.done("lookup", **query, limit=2))["matches"] == found[:2]


# Reading one's own writes


async def test_a_query_sees_what_the_caller_wrote_through_another_replica(
    caller: Caller, start_node: StartNode
) -> None:
    async with start_node("one") as one, start_node("two") as two:
        opening = requests.OpenTicket.model_validate_json(json.dumps(caller.opening()))
        for node, other in ((one, two), (two, one)) * 10:
            opening = opening.model_copy(update={"command_id": new_id()})
            opened = await node.commands.open(opening)
            query = requests.GetTicket(actor=ASKER, number=opened.number, at_least=opened.position)
            assert (await other.queries.get(query)).revision == 1


async def test_a_replica_that_does_not_get_there_says_so(caller: Caller, start_node: StartNode) -> None:
    async with start_node("behind") as node:
        await node.replica.wait_for(await caller.last_position())
        await node.pause()
        opened = await caller.open()
        waiting = asyncio.create_task(
            node.queries.list(
                requests.ListTickets(actor=ASKER, account=caller.account, at_least=opened["position"])
            )
        )
        await asyncio.sleep(0.05)
        assert not waiting.done()
        node.resume()
        assert [ticket.number for ticket in (await waiting).tickets] == [opened["number"]]
        with pytest.raises(Unavailable, match="replica_behind"):
            await node.replica.wait_for(opened["position"] + 1000, timeout_s=0.05)
