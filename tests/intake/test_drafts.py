"""From "How can we help?" to a ticket, on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from nats.aio.client import Client

from contracts.access.people import person_id
from contracts.intake.events import SubmittedV1, parse_intake_event
from contracts.subjects import DRAFTS, INTAKE, submission_events
from contracts.tickets.events import parse_ticket_event
from tests.access_log import AccessLog, member
from tests.intake.conftest import (
    AGENT,
    CANONICAL,
    EWA,
    JAN,
    Partner,
    last_position,
    new_id,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


async def filled_in(jan: Partner, **more: Any) -> dict[str, Any]:
    """A draft with everything answered that has to be."""
    draft = await jan.answer(await jan.start(**more), kind="slots")
    draft = await jan.answer(draft, all="false", count="12")
    for _ in range(3):
        draft = await jan.answer(draft)
    assert "page" not in draft
    return draft


async def test_what_was_typed_finds_the_questionnaire(jan: Partner) -> None:
    offers = (await jan.done("offer", text="Nasz ksylofon nie gra", language="pl"))["offers"]
    assert offers[0]["questionnaire"] == CANONICAL
    assert offers[0]["because"] == ["ksylofon"]
    assert offers[0]["title"] == "Pliki danych"
    assert offers[-1]["topic"] == "other"
    assert "new-partner" not in {offer["topic"] for offer in offers}


async def test_a_draft_is_answered_page_by_page_and_becomes_a_ticket(jan: Partner) -> None:
    draft = await jan.start()
    assert (draft["page"]["link_id"], draft["page"]["number"]) == ("kind", 1)
    assert draft["page"]["item"]["text"] == "Który plik?"
    assert [option["text"] for option in draft["page"]["item"]["options"]] == ["Placówki", "Terminy"]

    draft = await jan.answer(draft, kind="slots")
    assert [item["link_id"] for item in draft["page"]["item"]["items"]] == ["all"]
    draft = await jan.answer(draft, all="false")  # asks one more on the same page
    assert [item["link_id"] for item in draft["page"]["item"]["items"]] == ["all", "count"]
    assert draft["page"]["item"]["items"][0]["values"] == ["false"]
    draft = await jan.answer(draft, all="false", count=" 1 200 ")
    draft = await jan.answer(draft, merchant="M-77")
    draft = await jan.answer(draft, earlier="r 7k3m 9qx2 81fg")
    shot = await jan.upload("zrzut.png", PNG)
    draft = await jan.answer(draft, shots=shot["id"])
    assert "page" not in draft

    review = await jan.done("review", draft=draft["draft"])
    assert review["ticket_title"] == "Plik: Terminy 1200"
    assert {each["link_id"]: each["values"] for each in review["answers"]} == {
        "kind": ["Terminy"],
        "all": ["Nie"],
        "count": ["1200"],
        "merchant": ["M-77"],
        "earlier": ["r 7k3m 9qx2 81fg"],
        "shots": ["zrzut.png"],
    }
    assert review["problems"] == review["dropped"] == []

    submitted = await jan.submit(draft)
    ticket = await jan.ticket(submitted)
    assert ticket["title"] == "Plik: Terminy 1200"
    assert ticket["message"] == "Dzień dobry,\nbrakuje nam terminów."
    assert (ticket["topic"], ticket["questionnaire"]) == ("feeds", CANONICAL)
    assert ticket["submission"] == draft["draft"]
    assert ticket["opened_by"] == jan.actor
    assert ticket["attachments"] == [shot]
    assert ticket["answers"][0] == {"link_id": "kind", "question": "Który plik?", "values": ["Terminy"]}
    assert ticket["identifiers"] == [
        {"kind": "merchant", "value": "M-77"},
        {"kind": "reference", "value": "R-7K3M-9QX2-81FG"},
    ]
    for value in ("m-77", "r7k3m9qx281fg"):
        found = await jan.done("lookup", "tickets", value=value, account=jan.account)
        assert [match["ticket"]["number"] for match in found["matches"]] == [ticket["number"]]


async def test_an_error_names_the_question_and_changes_nothing(jan: Partner) -> None:
    draft = await jan.answer(await jan.start(), kind="slots")
    reply = await jan.refused("answer", **jan.turn(draft, answers={"all": ["false"], "count": ["zero"]}))
    (field,) = reply.fields
    assert (field.field, field.rule) == ("answers.count", "answer_not_a_whole_number")
    assert field.data["item"] == "Ile?"
    again = await jan.done("draft", draft=draft["draft"])
    assert again["revision"] == draft["revision"]
    assert again["page"] == draft["page"]


@pytest.mark.parametrize(
    ("answers", "field", "rule"),
    [
        ({}, "answers.all", "answer_choose"),
        ({"all": ["maybe"]}, "answers.all", "answer_choose"),
        ({"all": ["true"], "kind": ["slots"]}, "answers.kind", "answer_not_asked"),
        ({"all": ["true"], "nobody": ["x"]}, "answers.nobody", "answer_not_asked"),
        ({"all": ["true", "false"]}, "answers.all", "answer_too_many"),
        ({"all": ["false"], "count": ["0"]}, "answers.count", "answer_too_small"),
    ],
)
async def test_answers_that_do_not_fit_are_told_one_by_one(
    jan: Partner, answers: dict[str, list[str]], field: str, rule: str
) -> None:
    draft = await jan.answer(await jan.start(), kind="slots")
    reply = await jan.refused("answer", **jan.turn(draft, answers=answers))
    assert (field, rule) in {(each.field, each.rule) for each in reply.fields}


async def test_a_page_that_is_not_there_cannot_be_answered(jan: Partner) -> None:
    draft = await jan.answer(await jan.start(), kind="places")
    reply = await jan.refused("answer", **jan.turn(draft, page="slots", answers={"all": ["true"]}))
    assert [(field.field, field.rule) for field in reply.fields] == [("page", "answer_not_asked")]


async def test_hidden_answers_come_back_and_are_dropped_in_the_end(jan: Partner) -> None:
    draft = await filled_in(jan)
    kind = await jan.done("draft", draft=draft["draft"], page="kind")
    draft = await jan.answer(kind, kind="places")
    review = await jan.done("review", draft=draft["draft"])
    assert {each["link_id"] for each in review["dropped"]} == {"all", "count"}
    assert {each["link_id"] for each in review["answers"]} == {"kind"}
    back = await jan.answer(await jan.done("draft", draft=draft["draft"], page="kind"), kind="slots")
    assert back["page"]["item"]["items"][1]["values"] == ["12"]
    draft = await jan.answer(await jan.done("draft", draft=draft["draft"], page="kind"), kind="places")
    ticket = await jan.ticket(await jan.submit(draft))
    assert [answer["link_id"] for answer in ticket["answers"]] == ["kind"]


async def test_a_draft_that_misses_answers_is_not_submitted(jan: Partner) -> None:
    draft = await jan.answer(await jan.start(), kind="slots")
    before = await last_position(jan.nc)
    reply = await jan.refused("submit", **jan.without_page(jan.turn(draft)))
    assert [(field.field, field.rule) for field in reply.fields] == [("answers.all", "answer_choose")]
    assert await last_position(jan.nc) == before
    review = await jan.done("review", draft=draft["draft"])
    assert [(each["link_id"], each["page"]) for each in review["problems"]] == [("all", "slots")]


async def test_going_back_shows_what_was_answered(jan: Partner) -> None:
    draft = await filled_in(jan)
    shown: list[str] = []
    for _ in range(7):
        draft = await jan.done("back", **jan.turn(draft))
        shown.append(draft["page"]["link_id"])
    assert shown == ["shots", "earlier", "merchant", "slots", "kind", "kind", "kind"]
    assert draft["page"]["item"]["values"] == ["slots"]


async def test_of_two_windows_the_later_one_is_told(jan: Partner) -> None:
    draft = await jan.start()
    await jan.answer(draft, kind="slots")
    reply = await jan.refused("answer", **jan.turn(draft, answers={"kind": ["places"]}))
    assert (reply.status, reply.code) == (409, "draft_changed")
    assert (await jan.done("draft", draft=draft["draft"], page="kind"))["page"]["item"]["values"] == ["slots"]


async def test_two_windows_at_the_same_moment_are_put_in_an_order(jan: Partner) -> None:
    draft = await jan.start()
    turns = [jan.turn(draft, answers={"kind": [kind]}) for kind in ("slots", "places") * 4]
    answers = await asyncio.gather(*(jan.ask("intake", "answer", turn) for turn in turns))
    assert sorted(answer.get("code", "done") for _, answer in answers) == ["done", *["draft_changed"] * 7]


async def test_a_command_whose_answer_was_lost_is_repeated(jan: Partner) -> None:
    start = {"command_id": new_id()}
    draft = await jan.start(**start)
    assert await jan.start(**start) == draft
    turn = jan.turn(draft, answers={"kind": ["slots"]})
    answered = await jan.done("answer", **turn)
    assert await jan.done("answer", **turn) == answered
    reply = await jan.refused("answer", **{**turn, "answers": {"kind": ["places"]}})
    assert reply.code == "command_id_reused"
    reply = await jan.refused("start", **start, questionnaire=CANONICAL, message="Another one", language="pl")
    assert reply.code == "command_id_reused"


async def test_a_draft_belongs_to_one_person_in_one_account(jan: Partner, access: AccessLog) -> None:
    draft = await jan.start()
    other = f"a{new_id()[:12]}"
    await access.account(other, members=[JAN])
    for stranger in (jan.as_(member(EWA)), jan.as_(jan.actor, other), jan.as_(AGENT)):
        for name in ("draft", "review"):
            assert (await stranger.refused(name, draft=draft["draft"])).code == "draft_not_found"
        turn = stranger.without_page(stranger.turn(draft))
        assert (await stranger.refused("submit", **turn)).code == "draft_not_found"
        assert (await stranger.done("drafts"))["drafts"] == []
    nobody = jan.as_(member("nobody@elsewhere.example"))
    assert (await nobody.refused("draft", draft=draft["draft"])).code == "account_not_found"


async def test_who_lost_access_can_do_nothing_with_a_draft(jan: Partner, access: AccessLog) -> None:
    draft = await filled_in(jan)
    await access.removed(jan.account, JAN)
    before = await last_position(jan.nc)
    reply = await jan.refused("submit", **jan.without_page(jan.turn(draft)))
    assert reply.code == "account_not_found"
    assert await last_position(jan.nc) == before


async def test_drafts_are_listed_and_discarded(jan: Partner) -> None:
    drafts = [await jan.start(), await jan.start()]
    first = await jan.answer(drafts[0], kind="slots")
    listed = (await jan.done("drafts"))["drafts"]
    assert [each["draft"] for each in listed] == [drafts[0]["draft"], drafts[1]["draft"]]
    assert listed[0]["revision"] == first["revision"]
    for draft in drafts:
        await jan.done("discard", command_id=new_id(), draft=draft["draft"])
        assert (await jan.refused("draft", draft=draft["draft"])).code == "draft_not_found"
    assert (await jan.done("drafts"))["drafts"] == []


async def test_nobody_collects_drafts(jan: Partner) -> None:
    for _ in range(20):
        await jan.start()
    reply = await jan.refused(
        "start", command_id=new_id(), questionnaire=CANONICAL, message="One more", language="pl"
    )
    assert (reply.code, reply.data["limit"]) == ("too_many_drafts", 20)


async def test_nobody_collects_drafts_by_asking_for_many_at_once(jan: Partner) -> None:
    start = {"questionnaire": CANONICAL, "message": "Help", "language": "pl"}
    answers = await asyncio.gather(
        *(jan.ask("intake", "start", {"command_id": new_id(), **start}) for _ in range(40))
    )
    codes = [answer.get("code", "begun") for _, answer in answers]
    assert sorted(codes) == ["begun"] * 20 + ["too_many_drafts"] * 20


async def test_a_file_of_somebody_else_is_no_answer(jan: Partner) -> None:
    draft = await jan.answer(await jan.start(), kind="places")
    for _ in range(2):
        draft = await jan.answer(draft)
    theirs = await jan.as_(member(EWA)).upload("theirs.png", PNG)
    for file in (theirs["id"], "a" * 26, "../x"):
        reply = await jan.refused("answer", **jan.turn(draft, answers={"shots": [file]}))
        assert [(field.field, field.rule) for field in reply.fields] == [
            ("answers.shots", "answer_not_a_file")
        ]


async def test_submitting_twice_is_one_ticket(jan: Partner) -> None:
    draft = await filled_in(jan)
    answers = await asyncio.gather(
        *(jan.ask("intake", "submit", jan.without_page(jan.turn(draft))) for _ in range(8))
    )
    assert len({json.dumps(answer) for _, answer in answers}) == 1, answers
    again = await jan.submit(draft)
    assert [again] == [answer for _, answer in answers[:1]]
    ticket = await jan.ticket(again)
    js = jan.nc.jetstream()
    state = (await js.stream_info(INTAKE.name, subjects_filter=submission_events(jan.account, "*"))).state
    assert list((state.subjects or {}).values()) == [1]
    listed = await jan.done("list", "tickets", account=jan.account)
    assert [each["number"] for each in listed["tickets"]] == [ticket["number"]]
    for name in ("draft", "review"):
        assert (await jan.refused(name, draft=draft["draft"])).code == "draft_is_submitted"


async def test_nothing_personal_is_left_of_a_submitted_draft(jan: Partner) -> None:
    draft = await filled_in(jan)
    await jan.submit(draft)
    message = await jan.nc.jetstream().get_last_msg(
        f"KV_{DRAFTS}", f"$KV.{DRAFTS}.{person_id(JAN)}.{jan.account}.{draft['draft']}"
    )
    assert "termin" not in (message.data or b"").decode()


async def test_a_crash_after_the_submission_is_healed(jan: Partner) -> None:
    draft = await filled_in(jan)
    js = jan.nc.jetstream()
    subject = f"$KV.{DRAFTS}.{person_id(JAN)}.{jan.account}.{draft['draft']}"
    unmarked = (await js.get_last_msg(f"KV_{DRAFTS}", subject)).data
    first = await jan.submit(draft)
    await js.publish(subject, unmarked or b"")  # as it stood when the process died after the append
    again = await jan.done("draft", draft=draft["draft"])
    assert (await jan.refused("discard", command_id=new_id(), draft=draft["draft"])).code == (
        "draft_is_submitted"
    )
    assert await jan.submit(again) == first


async def test_a_draft_is_gone_on_with_on_another_replica(
    jan: Partner, start_intake: Callable[..., AbstractAsyncContextManager[None]]
) -> None:
    draft = await jan.start()
    async with start_intake("another"):
        for _ in range(10):  # whichever of the two answers
            draft = await jan.answer(
                await jan.done("draft", draft=draft["draft"], page="kind"), kind="places"
            )
    assert draft["page"]["link_id"] == "merchant"


async def test_the_events_say_how_and_why_it_came(jan: Partner, nc: Client) -> None:
    draft = await filled_in(jan)
    submitted = await jan.submit(draft, correlation_id="corr-7")
    message = await nc.jetstream().get_msg(INTAKE.name, submitted["position"])
    event = parse_intake_event(message.data or b"")
    assert isinstance(event, SubmittedV1)
    assert (event.via, event.correlationid, event.actor) == ("portal", "corr-7", f"member:{jan.actor['id']}")
    ticket = await jan.ticket(submitted)
    history = await jan.done("history", "tickets", number=ticket["number"])
    opened = parse_ticket_event(json.dumps(history["events"][0]["event"]))
    assert (opened.via, opened.correlationid) == ("portal", "corr-7")
    assert opened.commandid == f"submission.{draft['draft']}"


async def test_a_followed_ticket_is_named_by_the_new_one(jan: Partner) -> None:
    earlier = await jan.ticket(await jan.submit(await filled_in(jan)))
    ticket = await jan.ticket(await jan.submit(await filled_in(jan, follows=earlier["number"])))
    assert ticket["follows"] == earlier["number"]
    unknown = await jan.ticket(await jan.submit(await filled_in(jan, follows="4830291741")))
    assert "follows" not in unknown


async def test_whoever_may_see_the_ticket_gets_its_file(jan: Partner, access: AccessLog) -> None:
    draft = await jan.answer(await jan.start(), kind="places")
    for _ in range(2):
        draft = await jan.answer(draft)
    shot = await jan.upload("zrzut.png", PNG)
    ewa, ola = jan.as_(member(EWA)), jan.as_(AGENT)
    asked = {"service": "attachments", "attachment": shot["id"]}
    assert (await ewa.refused("download", **asked)).code == "attachment_not_found"
    draft = await jan.answer(draft, shots=shot["id"])
    await jan.ticket(await jan.submit(draft))
    for person in (jan, ewa, ola):
        chunk = await person.done("download", **asked)
        assert (chunk["name"], chunk["media_type"], chunk["size"]) == ("zrzut.png", "image/png", len(PNG))
    other = f"a{new_id()[:12]}"
    await access.account(other, members=[JAN])
    stranger = jan.as_(jan.actor, other)
    assert (await stranger.refused("download", **asked)).code == "attachment_not_found"
