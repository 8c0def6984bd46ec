"""What a draft is when processes die, answers get lost and several windows act at the same moment."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any, Final

import pytest
from nats.aio.client import Client
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from contracts.access.people import person_id
from contracts.access.roles import Permission
from contracts.envelope import Actor
from contracts.intake.events import SubmittedV1, parse_intake_event
from contracts.intake.requests import SubmitDraft
from contracts.subjects import DRAFTS, INTAKE, bucket_stream, submission_events
from services.guard.guard import Guard
from services.intake.catalogue import Catalogue
from services.intake.commands import Cache, Commands
from services.intake.drafts import Draft, Drafts, Kept
from services.intake.reading import Reading
from services.intake.view import IntakeView
from services.runtime.cancel import cancel
from services.runtime.errors import Refused
from services.runtime.log import Log
from services.runtime.replica import Replica
from tests.access_log import AccessLog
from tests.intake.conftest import CANONICAL, JAN, Partner, last_position, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

MESSAGE: Final = "Dzień dobry,\nbrakuje nam terminów."


async def filled_in(jan: Partner) -> dict[str, Any]:
    """A draft that can be submitted."""
    draft = await jan.answer(await jan.start(), kind="places")
    for _ in range(3):
        draft = await jan.answer(draft)
    assert "page" not in draft
    return draft


def entry(jan: Partner, draft: dict[str, Any]) -> str:
    return f"$KV.{DRAFTS}.{person_id(JAN)}.{jan.account}.{draft['draft']}"


async def stored(jan: Partner, draft: dict[str, Any]) -> RawStreamMsg:
    """What the bucket holds of the draft."""
    return await jan.nc.jetstream().get_last_msg(bucket_stream(DRAFTS), entry(jan, draft))


async def forgotten(jan: Partner, draft: dict[str, Any]) -> None:
    """The entry reaches the end of its time, which is brought near for it."""
    kept = (await stored(jan, draft)).data or b""
    await jan.nc.jetstream().publish(entry(jan, draft), kept, headers={"Nats-TTL": "1s"})
    with contextlib.suppress(NotFoundError):
        async with asyncio.timeout(10):
            while True:
                await stored(jan, draft)
                await asyncio.sleep(0.05)


async def submissions(jan: Partner) -> list[SubmittedV1]:
    """What stands in the log for the account."""
    js = jan.nc.jetstream()
    info = await js.stream_info(INTAKE.name, subjects_filter=submission_events(jan.account, "*"))
    found = []
    for subject, count in (info.state.subjects or {}).items():
        assert count == 1, "a submission has one event"
        event = parse_intake_event((await js.get_last_msg(INTAKE.name, subject)).data or b"")
        assert isinstance(event, SubmittedV1)
        found.append(event)
    return found


async def test_no_answer_is_taken_once_the_submission_is_on_record(jan: Partner) -> None:
    draft = await filled_in(jan)
    before = Draft.model_validate_json((await stored(jan, draft)).data or b"")
    await jan.submit(draft)
    asked = before.model_copy(update={"asked_for": True})  # as it stands between the append and the mark
    await jan.nc.jetstream().publish(entry(jan, draft), asked.model_dump_json(exclude_none=True).encode())
    again = await jan.done("draft", draft=draft["draft"], page="merchant")
    reply = await jan.refused("answer", **jan.turn(again, answers={"merchant": ["M-1"]}))
    assert reply.code == "draft_is_submitted"
    assert (await jan.refused("draft", draft=draft["draft"])).code == "draft_is_submitted"


async def test_going_back_is_refused_once_the_submission_is_on_record(jan: Partner) -> None:
    draft = await filled_in(jan)
    before = Draft.model_validate_json((await stored(jan, draft)).data or b"")
    await jan.submit(draft)
    asked = before.model_copy(update={"asked_for": True})
    await jan.nc.jetstream().publish(entry(jan, draft), asked.model_dump_json(exclude_none=True).encode())
    again = await jan.done("draft", draft=draft["draft"])
    assert (await jan.refused("back", **jan.turn(again))).code == "draft_is_submitted"


async def test_an_answer_is_either_in_the_ticket_or_not_taken(jan: Partner) -> None:
    taken: list[bool] = []
    for n in range(12):
        draft = await filled_in(jan)
        turn = jan.turn(draft, page="merchant", answers={"merchant": [f"M-{n}"]})
        submit = jan.without_page(jan.turn(draft))
        (answer_status, _), (submit_status, submitted) = await asyncio.gather(
            jan.ask("intake", "answer", turn), jan.ask("intake", "submit", submit)
        )
        taken.append(answer_status is None)
        assert (answer_status is None) != (submit_status is None), (answer_status, submitted)
        if answer_status is None:
            assert submitted["code"] == "draft_changed"
    assert len(await submissions(jan)) == taken.count(False)


async def test_a_submit_that_died_before_the_append_is_repeated(jan: Partner) -> None:
    draft = await filled_in(jan)
    submit = jan.without_page(jan.turn(draft))
    claimed = Draft.model_validate_json((await stored(jan, draft)).data or b"")
    last = {"command_id": submit["command_id"], "revision": draft["revision"], "said": "submit"}
    claimed = Draft.model_validate(
        {**claimed.model_dump(), "asked_for": True, "last": last}  # nothing is in the log
    )
    await jan.nc.jetstream().publish(entry(jan, draft), claimed.model_dump_json(exclude_none=True).encode())
    done = await jan.done("submit", **submit)
    assert [event.subject for event in await submissions(jan)] == [done["submission"]]


async def test_after_a_submit_that_died_before_the_append_one_can_go_on(jan: Partner) -> None:
    draft = await filled_in(jan)
    claimed = Draft.model_validate_json((await stored(jan, draft)).data or b"")
    claimed = claimed.model_copy(update={"asked_for": True})
    await jan.nc.jetstream().publish(entry(jan, draft), claimed.model_dump_json(exclude_none=True).encode())
    again = await jan.done("draft", draft=draft["draft"], page="merchant")
    await jan.submit(await jan.answer(again, merchant="M-9"))
    (event,) = await submissions(jan)
    assert [each.value for each in event.data.content.identifiers] == ["M-9"]


async def test_a_submission_is_answered_the_same_after_the_draft_is_forgotten(jan: Partner) -> None:
    draft = await filled_in(jan)
    first = await jan.submit(draft)
    await forgotten(jan, draft)
    assert await jan.submit(draft) == first
    stranger = jan.as_({"kind": "member", "id": person_id("ewa@partner.example")})
    reply = await stranger.refused("submit", **jan.without_page(jan.turn(draft)))
    assert reply.code == "draft_not_found"


async def test_a_forgotten_submission_is_not_begun_again(jan: Partner) -> None:
    begun = {
        "command_id": new_id(), "questionnaire": CANONICAL, "message": MESSAGE, "language": "pl",
    }  # fmt: skip
    draft = await jan.done("start", **begun)
    draft = await jan.answer(draft, kind="places")
    for _ in range(3):
        draft = await jan.answer(draft)
    await jan.submit(draft)
    await forgotten(jan, draft)
    assert (await jan.refused("start", **begun)).code == "draft_is_submitted"


async def test_a_discard_whose_answer_was_lost_is_repeated(jan: Partner) -> None:
    draft = await jan.start()
    discard = {"command_id": new_id(), "draft": draft["draft"]}
    done = await jan.done("discard", **discard)
    assert await jan.done("discard", **discard) == done
    never = {"command_id": new_id(), "draft": "a" * 26}
    assert (await jan.refused("discard", **never)).code == "draft_not_found"


async def test_a_discard_and_an_answer_at_the_same_moment_leave_no_draft(jan: Partner) -> None:
    for _ in range(8):
        draft = await jan.start()
        await asyncio.gather(
            jan.ask("intake", "answer", jan.turn(draft, answers={"kind": ["slots"]})),
            jan.ask("intake", "discard", {"command_id": new_id(), "draft": draft["draft"]}),
        )
        assert (await jan.refused("draft", draft=draft["draft"])).code == "draft_not_found"


async def test_who_asks_for_a_question_gets_the_page_that_it_stands_on(jan: Partner) -> None:
    draft = await jan.answer(await jan.start(), kind="slots")
    shown = await jan.done("draft", draft=draft["draft"], page="count")
    assert shown["page"]["link_id"] == "slots"


async def test_there_is_no_way_back_from_a_page_that_is_none(jan: Partner) -> None:
    draft = await jan.start()
    reply = await jan.refused("back", **jan.turn(draft, page="nowhere"))
    assert [(field.field, field.rule) for field in reply.fields] == [("page", "answer_not_asked")]


async def test_losing_access_between_two_pages_leaves_the_draft_as_it_is(
    jan: Partner, access: AccessLog
) -> None:
    draft = await jan.start()
    before = (await stored(jan, draft)).data
    await access.removed(jan.account, JAN)
    position = await last_position(jan.nc)
    for name, more in (("answer", {"answers": {"kind": ["slots"]}}), ("back", {})):
        assert (await jan.refused(name, **jan.turn(draft, **more))).code == "account_not_found"
    assert (await stored(jan, draft)).data == before
    assert await last_position(jan.nc) == position


class Removing(Drafts):
    """Drafts, where the person loses access to the account at one moment of a submit."""

    def __init__(self, nc: Client, guard: Guard, access: AccessLog, moment: str) -> None:
        super().__init__(nc.jetstream())
        self._guard = guard
        self._access = access
        self._moment = moment

    async def get(self, actor: Actor, account: str, draft: str) -> Kept | None:
        kept = await super().get(actor, account, draft)
        await self._lose("read", actor, account)
        return kept

    async def put(self, draft: Draft, *, over: int) -> int:
        revision = await super().put(draft, over=over)
        await self._lose("written", draft.actor, draft.account)
        return revision

    async def _lose(self, moment: str, actor: Actor, account: str) -> None:
        if moment != self._moment:
            return
        await self._access.removed(account, JAN)
        async with asyncio.timeout(5):
            with contextlib.suppress(Refused):
                while True:
                    self._guard.check(actor, account, Permission.TICKET_OPEN)
                    await asyncio.sleep(0.01)


@pytest.mark.parametrize("moment", ["read", "written"])
async def test_who_loses_access_in_the_middle_of_a_submit_has_no_ticket(
    jan: Partner, access: AccessLog, tmp_path: Path, moment: str
) -> None:
    draft = await filled_in(jan)
    before = await stored(jan, draft)
    guard = Guard(jan.nc, user="intake", max_age_s=60)
    cache, catalogue = Cache(), Catalogue()
    replica = Replica(jan.nc, INTAKE, IntakeView(), tmp_path, user="intake", on_documents=catalogue.take_in)
    running = [asyncio.create_task(guard.run()), asyncio.create_task(replica.run())]
    try:
        await guard.caught_up()
        await replica.caught_up()
        drafts = Removing(jan.nc, guard, access, moment)
        reading = Reading(jan.nc, drafts, catalogue, guard)
        commands = Commands(Log(jan.nc, INTAKE), replica, cache, catalogue, drafts, reading)
        submit = {**jan.without_page(jan.turn(draft)), "account": jan.account, "actor": jan.actor}
        with pytest.raises(Refused) as refused:
            await commands.submit(SubmitDraft.model_validate_json(json.dumps(submit)))
        assert refused.value.code == "account_not_found"
    finally:
        await cancel(running)
        replica.close()
    assert await submissions(jan) == []
    assert ((await stored(jan, draft)).seq == before.seq) == (moment == "read")
