"""Admitting an account: two events of one command, once, also if the process died between the two."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from contracts.access import requests
from contracts.access.roles import Permission
from services.access import admission
from tests.access.conftest import TERMINAL, Caller, Node, log_of, member

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartNode = Callable[[str], AbstractAsyncContextManager[Node]]


def a_request(caller: Caller, actor: dict[str, Any] = TERMINAL, **more: Any) -> dict[str, Any]:
    return caller.command(actor, **{"name": "Przychodnia Nova", "email": caller.email("ola"), **more})


async def events_of(caller: Caller) -> list[Any]:
    """The events of the caller's account, in order."""
    return [each.event for each in await log_of(caller.nc) if each.event.subject == caller.account]


async def test_an_agent_admits_an_account_and_its_first_administrator_joins(caller: Caller) -> None:
    desk = await caller.appoint("desk", "agent")
    request = a_request(caller, desk, languages=["pl"], via="desk")
    invited = await caller.done("admit", **request)
    assert (invited["account"], invited["revision"], invited["role"]) == (caller.account, 2, "admin")
    joined = await caller.accept("ola", invited["token"])
    assert joined["role"] == "admin"

    registered, sent, _ = await events_of(caller)
    assert (registered.type, sent.type) == (
        "casetrail.account.registered.v1",
        "casetrail.member.invited.v1",
    )
    assert registered.data.content.name == "Przychodnia Nova"
    assert registered.data.languages == ("pl",)
    assert sent.data.content.email == caller.email("ola")
    for event in (registered, sent):
        assert (event.actor, event.via.value) == (f"agent:{desk['id']}", "desk")
        assert event.correlationid == request["command_id"]
    assert registered.commandid != sent.commandid


async def test_an_agent_may_still_not_register_or_invite_by_itself(caller: Caller) -> None:
    desk = await caller.appoint("desk", "agent")
    await caller.done("admit", **a_request(caller, desk))
    more = caller.command(desk, email=caller.email("jan"))
    assert (await caller.refused("invite", **more)).code == "not_permitted"
    other = {**caller.command(desk, name="Other"), "account": f"{caller.account}2"}
    assert (await caller.refused("register", **other)).code == "not_permitted"


async def test_the_same_command_again_has_the_same_answer_and_no_effect(caller: Caller) -> None:
    request = a_request(caller, await caller.appoint("desk", "agent"), command_id="c" * 64)
    answer = await caller.done("admit", **request)
    last = await caller.last_position()
    assert await caller.done("admit", **request) == answer
    assert await caller.last_position() == last


async def test_many_at_once_are_one_account_and_one_invitation(caller: Caller) -> None:
    request = a_request(caller)
    answers = await asyncio.gather(*(caller.done("admit", **request) for _ in range(20)))
    assert [answer for answer in answers if answer != answers[0]] == []
    assert len(await events_of(caller)) == 2


async def test_what_a_crash_left_half_done_is_finished_by_the_same_command(
    caller: Caller, start_node: StartNode
) -> None:
    body = a_request(caller, await caller.appoint("desk", "agent"))
    register, invite = admission.parts(requests.AdmitAccount.model_validate_json(json.dumps(body)))
    assert register.account == invite.account == caller.account
    async with start_node("died-between") as node:
        await node.commands._on_account(register, needs=Permission.ACCOUNT_ADMIT)
    assert len(await events_of(caller)) == 1

    answer = await caller.done("admit", **body)
    registered, sent = await events_of(caller)
    assert answer["event_id"] == sent.id
    assert registered.commandid == register.command_id
    assert await caller.done("admit", **body) == answer
    assert len(await events_of(caller)) == 2


async def test_who_was_dismissed_finishes_nothing(caller: Caller, start_node: StartNode) -> None:
    desk = await caller.appoint("desk", "agent")
    body = a_request(caller, desk)
    register, _ = admission.parts(requests.AdmitAccount.model_validate_json(json.dumps(body)))
    async with start_node("died-between") as node:
        await node.commands._on_account(register, needs=Permission.ACCOUNT_ADMIT)
    await caller.done("dismiss", **caller.of_person(TERMINAL, person=desk["id"], role="agent"))
    refused = await caller.refused("admit", **{**body, "email": caller.email("somebody-else")})
    assert refused.code == "not_permitted"
    assert len(await events_of(caller)) == 1


async def test_an_account_that_somebody_else_has_is_taken(caller: Caller) -> None:
    await caller.register()
    assert (await caller.refused("admit", **a_request(caller))).code == "account_is_taken"
    assert len(await events_of(caller)) == 1


@pytest.mark.parametrize("difference", [{"name": "Other"}, {"email": "ewa@other.example"}])
async def test_a_command_id_does_not_admit_twice(caller: Caller, difference: dict[str, str]) -> None:
    request = a_request(caller)
    await caller.done("admit", **request)
    refused = await caller.refused("admit", **{**request, **difference})
    assert refused.code == "command_id_reused"
    assert refused.data["command_id"] == request["command_id"]


async def test_who_is_no_agent_is_told_so_whether_or_not_there_is_such_an_account(caller: Caller) -> None:
    admin = await caller.with_admin()
    for account in (caller.account, "nobody-has-this"):
        for actor in (admin, member(caller.email("stranger"))):
            refused = await caller.refused("admit", **{**a_request(caller, actor), "account": account})
            assert refused.code == "not_permitted"
