"""Tickets that are opened from submissions: one of each, whoever opens them and however often."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from contracts.envelope import Via
from contracts.intake.events import SubmittedV1
from contracts.number import derive_number
from contracts.requests import SentActor
from contracts.tickets import requests
from services.runtime.errors import Refused, Unavailable
from services.tickets.commands import MAX_DERIVATIONS
from tests.access_log import AccessLog, member
from tests.tickets.conftest import AGENT, MEMBER, Caller, Node, new_id, unused_number, upload
from tests.tickets.submissions import openings, put_on_record, submitted, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartNode = Callable[[str], AbstractAsyncContextManager[Node]]


async def ticket_of(caller: Caller, event: SubmittedV1) -> dict[str, Any]:
    """The ticket of the submission, waited for."""
    asked = {"account": event.account, "submission": event.subject, "wait_s": 8}
    found = await caller.done("submission", **asked)
    return await caller.done("get", number=found["number"], at_least=found["position"])


# One submission, one ticket


async def test_a_ticket_has_all_that_was_submitted(caller: Caller) -> None:
    file = await upload(caller.nc, caller.account, name="zrzut ekranu.png")
    earlier = (await caller.open())["number"]
    event = submitted(caller.account, follows=earlier, content={"attachments": [file.model_dump()]})
    await put_on_record(caller.nc, event)
    ticket = await ticket_of(caller, event)
    said = event.data.content.model_dump(mode="json")
    assert {key: ticket[key] for key in said} == said
    assert (ticket["topic"], ticket["questionnaire"]) == (event.data.topic, event.data.questionnaire)
    assert (ticket["follows"], ticket["submission"]) == (earlier, event.subject)
    assert (ticket["opened_by"], ticket["status"], ticket["revision"]) == (MEMBER, "open", 1)
    (opened,) = [each for each in await openings(caller.nc, caller.account) if each.data.submission]
    assert (opened.subject, opened.commandid) == (ticket["number"], f"submission.{event.subject}")
    assert (opened.actor, opened.via, opened.correlationid) == (event.actor, Via.PORTAL, "corr-of-draft")
    assert opened.time >= event.time
    assert opened.data.content.attachments == (file,)


async def test_a_submitted_ticket_is_found_by_its_identifiers_answers_and_files(caller: Caller) -> None:
    file = await upload(caller.nc, caller.account, name="Faktura.png")
    event = submitted(caller.account, content={"attachments": [file.model_dump()]})
    await put_on_record(caller.nc, event)
    number = (await ticket_of(caller, event))["number"]
    assert await caller.found(identifier={"kind": "merchant", "value": "m-77"}) == [number]
    for words in ("wczoraj", "faktura", "docieraja", "m-77"):
        assert await caller.found(words=words) == [number]


async def test_every_field_of_a_submission_may_be_missing_that_may(caller: Caller) -> None:
    event = submitted(caller.account, content={"answers": [], "identifiers": []})
    await put_on_record(caller.nc, event)
    ticket = await ticket_of(caller, event)
    assert (ticket["answers"], ticket["identifiers"], ticket["attachments"]) == ([], [], [])
    assert "follows" not in ticket


async def test_nobody_is_asked_again_whether_the_person_may(caller: Caller, access: AccessLog) -> None:
    leaving, unknown = "leaving@partner.example", f"a{new_id()[:12]}"
    await access.joined(caller.account, leaving)
    await access.removed(caller.account, leaving)
    by_somebody_gone = submitted(caller.account, submitted_by=member(leaving))
    of_no_account = submitted(unknown, submitted_by={"kind": "system", "id": "intake"})
    for event in (by_somebody_gone, of_no_account):
        await put_on_record(caller.nc, event)
        await until(lambda event=event: _is_open(caller.nc, event))  # type: ignore[misc]


async def _is_open(nc: Client, event: SubmittedV1) -> bool:
    return event.subject in {each.data.submission for each in await openings(nc, event.account)}


@pytest.mark.parametrize("whose", ["nobody's", "another account's"])
async def test_a_submission_that_follows_no_ticket_of_its_account_is_opened_without(
    caller: Caller, start_node: StartNode, whose: str
) -> None:
    elsewhere = await caller.elsewhere(f"a{new_id()[:12]}")
    other = unused_number() if whose == "nobody's" else (await elsewhere.open())["number"]
    event = submitted(caller.account, follows=other)
    async with start_node("one") as node:
        with capture_logs() as logged:
            await node.commands.open_submitted(event)
    told = [line for line in logged if line["event"] == "tickets.followed_unknown"]
    assert [(line["submission"], line["log_level"]) for line in told] == [(event.subject, "warning")]
    assert "follows" not in await ticket_of(caller, event)


async def test_a_replica_that_is_behind_knows_the_ticket_that_is_followed(
    caller: Caller, start_node: StartNode
) -> None:
    async with start_node("behind") as node:
        await node.replica.wait_for(await caller.last_position())
        await node.pause()
        earlier = (await caller.open())["number"]
        event = submitted(caller.account, follows=earlier)
        opening = asyncio.create_task(node.commands.open_submitted(event))
        await asyncio.sleep(0)
        node.resume()
        await opening
    assert (await ticket_of(caller, event))["follows"] == earlier


# The same submission again


async def test_two_replicas_that_open_one_submission_open_one_ticket(
    caller: Caller, start_node: StartNode
) -> None:
    async with start_node("one") as one, start_node("two") as two:
        for _ in range(10):
            event = submitted(caller.account)
            done = await asyncio.gather(*(node.commands.open_submitted(event) for node in (one, two) * 3))
            assert done == [done[0]] * 6
    assert len(await openings(caller.nc, caller.account)) == 10


async def test_a_submission_that_comes_again_finds_its_ticket_from_any_replica(
    caller: Caller, start_node: StartNode
) -> None:
    event = submitted(caller.account)
    async with start_node("one") as node:
        first = await node.commands.open_submitted(event)
        assert await node.commands.open_submitted(event) == first
        path = node.replica.path
    await caller.close(first.number)
    last = await caller.last_position()
    async with start_node("other") as other:  # at first it holds nothing at all
        assert await other.commands.open_submitted(event) == first
        another_trace = event.model_copy(update={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
        assert await other.commands.open_submitted(another_trace) == first
    path.unlink()
    async with start_node("one") as rebuilt:
        assert await rebuilt.commands.open_submitted(event) == first
    assert await caller.last_position() == last


async def test_a_submission_whose_followed_ticket_turns_up_later_has_its_ticket_all_the_same(
    caller: Caller, start_node: StartNode
) -> None:
    opening = caller.opening()
    later = derive_number(caller.account, opening["command_id"])
    event = submitted(caller.account, follows=later)
    async with start_node("one") as node:
        first = await node.commands.open_submitted(event)
        assert (await caller.done("open", **opening))["number"] == later
        assert await node.commands.open_submitted(event) == first
    assert len(await openings(caller.nc, caller.account)) == 2


async def test_a_number_that_is_taken_makes_way_for_the_next_derivation(
    caller: Caller, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = (await caller.open())["number"]
    free = unused_number(caller.account)
    numbers = iter([taken, free] * 2)
    monkeypatch.setattr("services.tickets.commands.derive_number", lambda *_: next(numbers))
    event = submitted(caller.account)
    async with start_node("one") as node:
        first = await node.commands.open_submitted(event)
        assert first.number == free
        assert await node.commands.open_submitted(event) == first


async def test_a_submission_without_a_free_number_is_tried_again(
    caller: Caller, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = (await caller.open())["number"]
    tried = itertools.count()
    monkeypatch.setattr("services.tickets.commands.derive_number", lambda *_: (next(tried), taken)[1])
    async with start_node("one") as node:
        with pytest.raises(Unavailable):
            await node.commands.open_submitted(submitted(caller.account))
    assert next(tried) == MAX_DERIVATIONS


@pytest.mark.parametrize("first", ["request", "submission"])
async def test_a_request_under_a_submissions_command_id_is_another_ticket(caller: Caller, first: str) -> None:
    event = submitted(caller.account)
    opening = caller.opening(command_id=f"submission.{event.subject}")
    if first == "request":
        by_request = await caller.done("open", **opening)
    await put_on_record(caller.nc, event)
    ticket = await ticket_of(caller, event)
    if first == "submission":
        by_request = await caller.done("open", **opening)
    assert ticket["title"] == event.data.content.title
    assert by_request["number"] != ticket["number"]
    assert await caller.done("open", **opening) == by_request
    assert len(await openings(caller.nc, caller.account)) == 2


# Waiting for the ticket


async def test_the_ticket_of_a_submission_is_waited_for(caller: Caller) -> None:
    event = submitted(caller.account)
    asking = asyncio.create_task(
        caller.done("submission", account=caller.account, submission=event.subject, wait_s=8)
    )
    await caller.open()  # something else happens meanwhile
    assert not asking.done()
    await put_on_record(caller.nc, event)
    found = await asking
    (opened,) = [each for each in await openings(caller.nc, caller.account) if each.data.submission]
    assert (found["number"], found["account"]) == (opened.subject, caller.account)
    assert found["submission"] == event.subject
    shown = await caller.done("get", number=found["number"], at_least=found["position"])
    assert shown["opened_position"] == found["position"]
    again = await caller.done("submission", account=caller.account, submission=event.subject)
    assert again == found


async def test_a_ticket_that_is_not_open_yet_is_told_after_the_time_that_was_asked_for(
    caller: Caller,
) -> None:
    loop = asyncio.get_running_loop()
    for wait_s in (0, 1):
        began = loop.time()
        reply = await caller.refused(
            "submission", {"account": caller.account, "submission": new_id()[:26], "wait_s": wait_s}
        )
        assert (reply.kind, reply.status, reply.code) == ("refused", 409, "ticket_not_opened_yet")
        assert wait_s <= loop.time() - began < wait_s + 4
    reply = await caller.refused("submission", {"account": caller.account, "submission": "s", "wait_s": 9})
    assert [broken.field for broken in reply.fields] == ["wait_s"]


async def test_only_who_may_read_the_accounts_tickets_learns_of_a_submissions(caller: Caller) -> None:
    elsewhere = await caller.elsewhere(f"a{new_id()[:12]}")
    event = submitted(caller.account)
    await put_on_record(caller.nc, event)
    ticket = await ticket_of(caller, event)
    mine = {"account": caller.account, "submission": event.subject}
    for actor in (MEMBER, AGENT):
        assert (await caller.done("submission", **mine, actor=actor))["number"] == ticket["number"]
    other = await caller.refused("submission", {**mine, "account": elsewhere.account})
    assert other.code == "ticket_not_opened_yet"
    stranger = await caller.refused("submission", {**mine, "actor": member("stranger@else.example")})
    unknown = await caller.refused(
        "submission", {**mine, "submission": "unknown", "actor": member("stranger@else.example")}
    )
    assert stranger == unknown
    assert stranger.kind == "refused"
    assert stranger.code != "ticket_not_opened_yet"


async def test_who_loses_access_while_waiting_is_not_told_the_number(
    caller: Caller, access: AccessLog, start_node: StartNode
) -> None:
    leaving = "waits@partner.example"
    await access.joined(caller.account, leaving)
    event = submitted(caller.account)
    asker = SentActor.model_validate(member(leaving), strict=False)
    query = requests.GetSubmission(actor=asker, account=caller.account, submission=event.subject, wait_s=8)
    async with start_node("one") as node:
        asking = asyncio.create_task(node.queries.submission(query))
        await caller.open()
        await node.replica.wait_for(await caller.last_position())
        assert not asking.done()
        removed = await access.removed(caller.account, leaving)
        await until(lambda: _decides_by(node, removed))
        await node.commands.open_submitted(event)
        with pytest.raises(Refused) as refused:
            await asking
    assert refused.value.code != "ticket_not_opened_yet"


async def _decides_by(node: Node, position: int) -> bool:
    return node.guard._following.position >= position
