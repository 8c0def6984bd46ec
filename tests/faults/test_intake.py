"""A submit during which something dies: in the end there is one submission, one ticket, and every answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import nats.errors
import pytest
import yaml
from nats.aio.client import Client

from contracts.errors import STATUS_HEADER
from contracts.intake.events import SubmittedV1, parse_intake_event
from contracts.subjects import INTAKE, request, submission_events
from services.embedded.nats_server import NatsServer
from tests.access_log import member
from tests.faults.conftest import ATTEMPT_S, DONE_WITHIN_S, JAN, Document
from tests.faults.process import Process

pytestmark = pytest.mark.faults

URL: Final = "https://partners.example/questionnaires/short"
SHORT: Final[Document] = {
    "url": URL,
    "version": "1",
    "status": "active",
    "languages": ["en"],
    "title": {"en": "Short"},
    "description": {"en": "One question"},
    "topic": "short",
    "item": [{"linkId": "what", "type": "string", "text": {"en": "What?"}, "required": True}],
}
STEPS: Final = {
    "asked for": ("$KV.DRAFTS.", '"asked_for":true,"is_submitted":false'),
    "appended": ("events.intake.submissions.", ""),
    "marked": ("$KV.DRAFTS.", '"is_submitted":true'),
}
MANY: Final = 30


def _settings_of_intake(directory: Path) -> dict[str, str]:
    questionnaires, key = directory / "questionnaires", directory / "key"
    questionnaires.mkdir()
    (questionnaires / "short.yaml").write_text(yaml.safe_dump(SHORT), encoding="utf-8")
    key.write_text("k" * 40)
    return {"CASETRAIL_QUESTIONNAIRES_DIR": str(questionnaires), "CASETRAIL_LINK_KEY_FILE": str(key)}


class Partner:
    """Somebody who sends a request until it is answered."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc

    async def attempt(self, service: str, name: str, **body: Any) -> tuple[str | None, Document] | None:
        """The status and the answer; None: nobody answered."""
        raw = json.dumps({"account": "acme", "actor": member(JAN), **body}).encode()
        try:
            reply = await self.nc.request(request(service, name), raw, timeout=ATTEMPT_S)
        except (nats.errors.Error, TimeoutError):
            return None
        return (reply.headers or {}).get(STATUS_HEADER), json.loads(reply.data)

    async def ask(self, service: str, name: str, **body: Any) -> tuple[str | None, Document]:
        """The status and the answer, however long the services are away."""
        deadline = time.monotonic() + DONE_WITHIN_S
        while (found := await self.attempt(service, name, **body)) is None or found[0] == "503":
            assert time.monotonic() < deadline, f"no answer in {DONE_WITHIN_S:g} s"
            await asyncio.sleep(0.05)
        return found

    async def unanswered(self, dying: Process, name: str, **body: Any) -> None:
        """Ask the service, which dies of it and does not answer."""
        asking = asyncio.create_task(self.attempt(dying.name, name, **body))
        await dying.died()
        assert not asking.done(), asking
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    async def done(self, service: str, name: str, **body: Any) -> Document:
        status, answer = await self.ask(service, name, **body)
        assert status is None, answer
        return answer

    async def filled_in(self, number: int = 0) -> Document:
        """The submit of a draft in which everything is answered."""
        draft = await self.done(
            "intake", "start", command_id=f"start-{number}", questionnaire=f"{URL}|1",
            message="Message", language="en",
        )  # fmt: skip
        answered = await self.done(
            "intake", "answer", command_id=f"answer-{number}", draft=draft["draft"],
            revision=draft["revision"], page="what", answers={"what": [f"That {number}"]},
        )  # fmt: skip
        return {
            "command_id": f"submit-{number}", "draft": draft["draft"], "revision": answered["revision"],
        }  # fmt: skip

    async def submissions(self) -> dict[str, SubmittedV1]:
        """What stands in the log, each once."""
        js = self.nc.jetstream()
        info = await js.stream_info(INTAKE.name, subjects_filter=submission_events("acme", "*"))
        found: dict[str, SubmittedV1] = {}
        for subject, count in (info.state.subjects or {}).items():
            assert count == 1, "a submission has one event"
            event = parse_intake_event((await js.get_last_msg(INTAKE.name, subject)).data or b"")
            assert isinstance(event, SubmittedV1)
            found[event.subject] = event
        return found

    async def ticket(self, submit: Document) -> Document:
        """The ticket that was opened from it, waited for."""
        while True:
            status, found = await self.ask("tickets", "submission", submission=submit["draft"], wait_s=2)
            if status is None:
                return await self.done("tickets", "get", number=found["number"])

    async def tickets(self) -> set[str]:
        return {each["number"] for each in (await self.done("tickets", "list", account="acme"))["tickets"]}


@pytest.fixture
async def intake(broker: NatsServer, tmp_path: Path) -> AsyncIterator[Process]:
    process = Process("intake", broker.url, tmp_path, _settings_of_intake(tmp_path))
    yield process
    await process.kill()


@pytest.fixture
async def tickets(broker: NatsServer, tmp_path: Path) -> AsyncIterator[Process]:
    process = Process("tickets", broker.url, tmp_path)
    yield process
    await process.kill()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_intake_killed_at_a_step_of_a_submit_makes_one_ticket(
    nc: Client, intake: Process, tickets: Process, step: str, when: str
) -> None:
    partner = Partner(nc)
    await asyncio.gather(intake.start(*STEPS[step], when), tickets.start())
    submit = await partner.filled_in()
    await partner.unanswered(intake, "submit", **submit)
    on_record = (step, when) not in {("asked for", "before"), ("asked for", "after"), ("appended", "before")}
    assert len(await partner.submissions()) == int(on_record)

    await intake.start()
    done = await partner.done("intake", "submit", **submit)
    assert await partner.done("intake", "submit", **submit) == done
    ((submission, event),) = (await partner.submissions()).items()
    assert submission == done["submission"] == submit["draft"]
    assert [answer.values for answer in event.data.content.answers] == [("That 0",)]
    ticket = await partner.ticket(submit)
    assert ticket["answers"] == [{"link_id": "what", "question": "What?", "values": ["That 0"]}]
    assert await partner.tickets() == {ticket["number"]}
    status, refused = await partner.ask("intake", "draft", draft=submit["draft"])
    assert (status, refused["code"]) == ("409", "draft_is_submitted")
    assert intake.faults() == tickets.faults() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_after_intake_was_killed_no_answer_is_taken_that_the_ticket_will_not_have(
    nc: Client, intake: Process, tickets: Process, step: str, when: str
) -> None:
    partner = Partner(nc)
    await asyncio.gather(intake.start(*STEPS[step], when), tickets.start())
    submit = await partner.filled_in()
    await partner.unanswered(intake, "submit", **submit)
    await intake.start()
    status, draft = await partner.ask("intake", "draft", draft=submit["draft"])
    expected = "That 0"
    if status is None:
        status, draft = await partner.ask(
            "intake", "answer", command_id="later", draft=submit["draft"], revision=draft["revision"],
            page="what", answers={"what": ["Something else"]},
        )  # fmt: skip
    if status is None:
        expected = "Something else"
        again = {**submit, "command_id": "submit-later", "revision": draft["revision"]}
        await partner.done("intake", "submit", **again)
    else:
        assert (status, draft["code"]) == ("409", "draft_is_submitted")
    ticket = await partner.ticket(submit)
    assert [answer["values"] for answer in ticket["answers"]] == [[expected]]
    assert await partner.tickets() == {ticket["number"]}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_tickets_killed_while_it_opens_makes_one_ticket(
    nc: Client, intake: Process, tickets: Process, when: str
) -> None:
    partner = Partner(nc)
    await asyncio.gather(intake.start(), tickets.start("events.tickets.", "", when))
    submit = await partner.filled_in()
    await partner.done("intake", "submit", **submit)
    await tickets.died()
    await tickets.start()
    ticket = await partner.ticket(submit)
    assert ticket["submission"] == submit["draft"]
    assert await partner.tickets() == {ticket["number"]}
    assert intake.faults() == tickets.faults() == []


async def test_a_broker_killed_during_submits_makes_one_ticket_of_each(
    nc: Client, broker: NatsServer, intake: Process, tickets: Process
) -> None:
    partner = Partner(nc)
    await asyncio.gather(intake.start(), tickets.start())
    submits = [await partner.filled_in(0)]
    # one person has 20 drafts at most, so some are submitted before the others are begun
    for number in range(1, MANY):
        if number % 15 == 0:
            await _under_a_dying_broker(partner, broker, submits[-15:])
        submits.append(await partner.filled_in(number))
    await _under_a_dying_broker(partner, broker, submits[-15:])
    opened = [await partner.ticket(submit) for submit in submits]
    assert {ticket["submission"] for ticket in opened} == {submit["draft"] for submit in submits}
    assert set(await partner.submissions()) == {submit["draft"] for submit in submits}
    numbers = [ticket["number"] for ticket in opened]
    assert len(set(numbers)) == MANY
    assert await partner.tickets() <= set(numbers)
    assert intake.faults() == tickets.faults() == []


async def _under_a_dying_broker(partner: Partner, broker: NatsServer, submits: list[Document]) -> None:
    submitting = [asyncio.create_task(partner.done("intake", "submit", **submit)) for submit in submits]
    await asyncio.wait(submitting, return_when=asyncio.FIRST_COMPLETED)
    await broker.kill()
    await broker.start_again()
    await asyncio.gather(*submitting)
