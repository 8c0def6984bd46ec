"""Files of messages: whose may be named, and that a repeated command needs them no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from contracts.attachments.files import MAX_ATTACHMENTS
from contracts.subjects import TICKETS
from contracts.tickets import requests
from services.files.store import UploadRecord
from services.runtime.errors import Malformed
from services.runtime.log import Log
from services.tickets import domain
from services.tickets.commands import Commands
from tests.access_log import AccessLog, member
from tests.tickets.conftest import AGENT, MEMBER, Caller, Node, new_id, upload

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartNode = Callable[[str], AbstractAsyncContextManager[Node]]
EWA = "ewa@partner.example"


async def test_files_come_with_the_opening_and_with_replies(caller: Caller) -> None:
    first, second, third = [await upload(caller.nc, caller.account, name=f"{n} ŁÓDŹ.png") for n in range(3)]
    opened = await caller.open(attachments=[second.id, first.id])
    replied = await caller.reply(opened["number"], attachments=[third.id])
    ticket = await caller.done("get", number=opened["number"], at_least=replied["position"])
    assert ticket["attachments"] == [second.model_dump(), first.model_dump()]
    events = (await caller.done("history", number=opened["number"]))["events"]
    assert [each["event"]["data"]["content"]["attachments"] for each in events] == [
        [second.model_dump(), first.model_dump()],
        [third.model_dump()],
    ]


async def test_a_ticket_is_found_by_the_names_of_its_files(caller: Caller) -> None:
    one, other = [await upload(caller.nc, caller.account, name=name) for name in ("Faktura.png", "umowa.png")]
    first = (await caller.open(attachments=[one.id]))["number"]
    second = (await caller.open())["number"]
    replied = await caller.reply(second, attachments=[other.id])
    assert await caller.found(words="faktura", at_least=replied["position"]) == [first]
    assert await caller.found(words="UMOWA") == [second]


async def test_only_what_the_actor_uploaded_for_this_account_can_be_named(
    caller: Caller, access: AccessLog
) -> None:
    elsewhere = await caller.elsewhere(f"a{new_id()[:12]}")
    await access.joined(caller.account, EWA)
    number = (await caller.open())["number"]
    mine = (await upload(caller.nc, caller.account)).id
    for other in (
        new_id()[:26],
        (await upload(caller.nc, elsewhere.account)).id,
        (await upload(caller.nc, caller.account, member(EWA))).id,
        (await upload(caller.nc, caller.account, {**MEMBER, "kind": "agent"})).id,
    ):
        named = [mine, other]
        for name, command in (
            ("open", caller.opening(attachments=named)),
            ("reply", caller.command(number=number, text="x", attachments=named)),
        ):
            reply = await caller.refused(name, command)
            assert (reply.kind, reply.status) == ("malformed", 400)
            (broken,) = reply.fields
            assert (broken.field, broken.rule) == ("attachments.1", "attachment_not_uploaded")
            assert broken.data == {"attachment": other}
            mended = await caller.done(name, **{**command, "attachments": [mine]})
            assert mended["status"] == "open"


@pytest.mark.parametrize("named", [["A" * 26], ["a" * 25], ["../x"], [new_id()[:26]] * 11, "a" * 26, [7]])
async def test_what_is_no_list_of_ids_is_told_by_its_field(caller: Caller, named: Any) -> None:
    reply = await caller.refused("open", caller.opening(attachments=named))
    assert reply.kind == "malformed"
    assert {broken.field.split(".")[0] for broken in reply.fields} == {"attachments"}


async def test_as_many_files_as_a_message_may_have_are_taken(caller: Caller) -> None:
    ids = [(await upload(caller.nc, caller.account)).id for _ in range(MAX_ATTACHMENTS)]
    opened = await caller.open(attachments=ids)
    ticket = await caller.done("get", number=opened["number"], at_least=opened["position"])
    assert [each["id"] for each in ticket["attachments"]] == ids


async def test_who_may_not_is_not_told_what_was_uploaded(caller: Caller, access: AccessLog) -> None:
    theirs = (await upload(caller.nc, caller.account)).id
    stranger = member("stranger@else.example")
    for named in ([theirs], [new_id()[:26]]):
        reply = await caller.refused("open", caller.opening(actor=stranger, attachments=named))
        assert reply.kind == "refused"


# The same command again, long after


async def _gone(_attachment: str) -> UploadRecord | None:
    return None


def long_after(node: Node) -> Commands:
    """The write side of the replica at a time when no upload is there any more."""
    return Commands(Log(node.nc, TICKETS), node.replica, node.cache, node.guard, _gone)


def parsed(model: type[Any], command: dict[str, Any]) -> Any:
    return model.model_validate_json(json.dumps(command))


async def test_a_repeated_command_has_the_same_answer_when_the_uploads_are_gone(
    caller: Caller, start_node: StartNode
) -> None:
    file = (await upload(caller.nc, caller.account)).id
    opening = caller.opening(attachments=[file])
    async with start_node("one") as one, start_node("other") as other:
        opened = await one.commands.open(parsed(requests.OpenTicket, opening))
        reply = caller.command(number=opened.number, text="x", attachments=[file])
        replied = await one.commands.change(parsed(requests.ReplyToTicket, reply))
        await caller.close(opened.number)
        last = await caller.last_position()
        for node in (one, other):
            commands = long_after(node)
            assert await commands.open(parsed(requests.OpenTicket, opening)) == opened
            assert await commands.change(parsed(requests.ReplyToTicket, reply)) == replied
            for changed in ([], [file, file], [new_id()[:26]]):
                with pytest.raises(domain.CommandIdReused):
                    await commands.open(parsed(requests.OpenTicket, {**opening, "attachments": changed}))
                with pytest.raises(domain.CommandIdReused):
                    await commands.change(parsed(requests.ReplyToTicket, {**reply, "attachments": changed}))
            with pytest.raises(Malformed):
                await commands.open(parsed(requests.OpenTicket, caller.opening(attachments=[file])))
        assert await caller.last_position() == last


async def test_a_replica_that_is_behind_knows_what_another_one_did_with_a_file(
    caller: Caller, start_node: StartNode
) -> None:
    file = (await upload(caller.nc, caller.account)).id
    number = (await caller.open())["number"]
    async with start_node("behind") as node:
        await node.replica.wait_for(await caller.last_position())
        await node.pause()
        opening = caller.opening(attachments=[file])
        reply = caller.command(number=number, text="x", attachments=[file])
        expected = [await caller.done("open", **opening), await caller.done("reply", **reply)]
        commands = long_after(node)
        repeating = [
            asyncio.create_task(commands.open(parsed(requests.OpenTicket, opening))),
            asyncio.create_task(commands.change(parsed(requests.ReplyToTicket, reply))),
        ]
        await asyncio.sleep(0)
        node.resume()
        answers = [json.loads((await each).model_dump_json(exclude_none=True)) for each in repeating]
        assert answers == expected


async def test_somebody_else_does_not_repeat_a_command_with_their_own_file(
    caller: Caller, access: AccessLog
) -> None:
    await access.joined(caller.account, EWA)
    file = (await upload(caller.nc, caller.account)).id
    opening = caller.opening(attachments=[file])
    await caller.done("open", **opening)
    assert (await caller.refused("open", {**opening, "actor": member(EWA)})).code == "command_id_reused"
    assert (await caller.refused("open", {**opening, "actor": AGENT})).code == "command_id_reused"
