"""Between the contract and the domain: what goes over comes back the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.attachments.files import MAX_ATTACHMENT_BYTES, Attachment
from contracts.envelope import Via
from contracts.intake.events import Submitted, SubmittedContent, SubmittedV1
from contracts.number import derive_number
from contracts.registry import EVENTS
from contracts.tickets import requests
from contracts.tickets.events import RecordedEvent, parse_ticket_event
from services.runtime.errors import Unavailable
from services.runtime.ids import uuid7
from services.tickets import domain, translate
from tests.contracts.documents import FULL, Document
from tests.tickets.scenarios import ACCOUNT, AGENT, MEMBER, NUMBER, closed, minute, opened, reopened, replied

NUMBER_IN_EVENTS = "4830291741"
EARLIER = derive_number("acme", "earlier")
CIRCUMSTANCES = translate.Circumstances(
    event_id=uuid7(), via=Via.DESK, correlation_id="corr", traceparent=f"00-{'a' * 32}-{'b' * 16}-01"
)
WIRE_ATTACHMENT = Attachment(id="b3" * 13, name="zrzut.png", media_type="image/png", size=70, sha256="0" * 64)
ATTACHED = (domain.Attachment("b3" * 13, "zrzut.png", "image/png", 70, "0" * 64),)
BARE = translate.Circumstances(event_id=uuid7(), via=Via.API, correlation_id="c", traceparent=None)

# Every text that the contract lets in: no controls but tab and line ends, no lone surrogates, not blank.
lines = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30).filter(
    lambda text: not text.isspace()
)
bodies = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\r\n"), min_size=1, max_size=60
).filter(lambda text: not text.isspace())
codes = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
people = st.builds(
    domain.Person,
    st.sampled_from(domain.Capacity),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True),
)
command_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True).map(domain.CommandId)
moments = st.integers(0, 10**6).map(minute)
answers = st.builds(domain.Answer, lines, lines, st.lists(bodies, min_size=1, max_size=3).map(tuple))
identifiers = st.builds(domain.Identifier, codes, lines)
attachments = st.lists(
    st.builds(
        domain.Attachment,
        st.integers(0, 9).map("{:026}".format),
        lines,
        st.sampled_from(["image/png", "text/csv"]),
        st.sampled_from([1, MAX_ATTACHMENT_BYTES]),
        st.just("f" * 64),
    ),
    max_size=2,
).map(tuple)
facts = st.one_of(
    st.builds(
        domain.Opened,
        command_id=command_ids,
        at=moments,
        number=st.just(NUMBER),
        account=st.just(ACCOUNT),
        opened_by=people,
        title=lines,
        message=bodies,
        topic=codes,
        questionnaire=st.none() | lines,
        answers=st.lists(answers, max_size=2).map(tuple),
        identifiers=st.lists(identifiers, max_size=2).map(tuple),
        follows=st.none() | st.just(domain.TicketNumber(EARLIER)),
        submission=st.none() | lines,
        attachments=attachments,
    ),
    st.builds(
        domain.Replied,
        command_id=command_ids,
        at=moments,
        reply_id=st.uuids().map(lambda value: domain.ReplyId(str(value))),
        author=people,
        text=bodies,
        attachments=attachments,
    ),
    st.builds(
        domain.Closed,
        command_id=command_ids,
        at=moments,
        closed_by=people,
        reason=st.sampled_from(domain.CloseReason),
        note=st.none() | bodies,
    ),
    st.builds(domain.Reopened, command_id=command_ids, at=moments, reopened_by=people, reason=bodies),
)


def on_record(
    fact: domain.TicketFact, *, revision: int = 1, circumstances: translate.Circumstances = CIRCUMSTANCES
) -> dict[str, Any]:
    return translate.event(
        fact, number=NUMBER_IN_EVENTS, account=ACCOUNT, revision=revision, circumstances=circumstances
    )


@given(facts)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_a_fact_that_is_put_on_record_reads_back_as_the_same_fact(fact: domain.TicketFact) -> None:
    if isinstance(fact, domain.Opened):
        fact = replace(fact, number=domain.TicketNumber(NUMBER_IN_EVENTS))
    document = on_record(fact)
    assert translate.read_fact(document["type"], translate.payload(document)) == fact


@given(facts, st.integers(1, 2001), st.sampled_from([CIRCUMSTANCES, BARE]))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_what_is_put_on_record_is_exactly_what_the_contract_would_write(
    fact: domain.TicketFact, revision: int, circumstances: translate.Circumstances
) -> None:
    document = on_record(fact, revision=revision, circumstances=circumstances)
    raw = translate.payload(document)
    event = parse_ticket_event(raw)
    assert type(event) is EVENTS[document["type"]]
    assert json.loads(raw) == json.loads(event.model_dump_json(exclude_none=True))
    assert (event.id, event.via, event.correlationid) == (
        circumstances.event_id,
        circumstances.via,
        circumstances.correlation_id,
    )
    assert (event.revision, event.traceparent) == (revision, circumstances.traceparent)


def test_only_content_holds_what_people_wrote() -> None:
    for fact in (opened(), replied(), closed(), reopened()):
        document = on_record(fact)
        text = json.dumps({**document, "data": {**document["data"], "content": {}}}, ensure_ascii=False)
        assert "Wizyt" not in text
        assert "działa" not in text
        assert "cache" not in text.lower()
        assert "samo" not in text


def test_a_tag_that_this_version_does_not_know_is_not_read() -> None:
    document = {**on_record(replied()), "type": "casetrail.ticket.replied.v9"}
    with pytest.raises(Unavailable, match="event_unknown"):
        translate.read_fact(document["type"], translate.payload(document))


def test_every_field_of_an_opening_reaches_the_command() -> None:
    request = requests.OpenTicket.model_validate_json(json.dumps(FULL[requests.OpenTicket]))
    command = translate.open_command(
        request, number=NUMBER_IN_EVENTS, at=minute(1), attachments=[WIRE_ATTACHMENT]
    )
    assert command == domain.Open(
        id=domain.CommandId("c-1"),
        account=domain.AccountId("acme"),
        by=domain.Person(domain.Capacity.MEMBER, "p-1"),
        at=minute(1),
        number=domain.TicketNumber(NUMBER_IN_EVENTS),
        title="Rezerwacja zniknęła",
        message="Dzień dobry",
        topic="booking",
        questionnaire="https://casetrail.example/q|1",
        answers=(domain.Answer("1", "Which?", ("This", "That")),),
        identifiers=(domain.Identifier("merchant-id", "88"),),
        follows=domain.TicketNumber("4830291741"),
        attachments=ATTACHED,
    )


def submitted(**more: Any) -> SubmittedV1:
    """A submission with every field filled in."""
    data = Submitted.model_validate(
        {
            "questionnaire": "https://casetrail.example/q|1",
            "topic": "booking",
            "language": "pl",
            "submitted_by": {"kind": "member", "id": "p-1"},
            "follows": EARLIER,
            "content": SubmittedContent.model_validate(
                {
                    "title": "Rezerwacja zniknęła",
                    "message": "Dzień dobry",
                    "answers": [{"link_id": "1", "question": "Which?", "values": ["This", "That"]}],
                    "identifiers": [{"kind": "merchant", "value": "88"}],
                    "attachments": [WIRE_ATTACHMENT],
                }
            ),
        }
    )
    return SubmittedV1.model_validate(
        {
            "id": "e-1", "source": "/casetrail/intake", "subject": "a1" * 13, "time": minute(0),
            "account": "acme", "revision": 1, "actor": "member:p-1", "via": "portal",
            "commandid": "c-1", "correlationid": "corr-1", "data": data, **more,
        }
    )  # fmt: skip


def test_every_field_of_a_submission_reaches_the_command() -> None:
    command = translate.open_submitted_command(
        submitted(), number=NUMBER_IN_EVENTS, at=minute(1), follows=EARLIER
    )
    assert command == domain.Open(
        id=domain.CommandId(f"submission.{'a1' * 13}"),
        account=domain.AccountId("acme"),
        by=domain.Person(domain.Capacity.MEMBER, "p-1"),
        at=minute(1),
        number=domain.TicketNumber(NUMBER_IN_EVENTS),
        title="Rezerwacja zniknęła",
        message="Dzień dobry",
        topic="booking",
        questionnaire="https://casetrail.example/q|1",
        answers=(domain.Answer("1", "Which?", ("This", "That")),),
        identifiers=(domain.Identifier("merchant", "88"),),
        follows=domain.TicketNumber(EARLIER),
        submission="a1" * 13,
        attachments=ATTACHED,
    )
    alone = translate.open_submitted_command(submitted(), number=NUMBER_IN_EVENTS, at=minute(1), follows=None)
    assert alone == replace(command, follows=None)


def test_every_field_of_a_change_reaches_the_command() -> None:
    said: dict[type[requests.ReplyToTicket | requests.CloseTicket | requests.ReopenTicket], Document] = {
        requests.ReplyToTicket: {"reply_id": "r", "text": "Dziękuję", "attachments": ATTACHED},
        requests.CloseTicket: {"reason": domain.CloseReason.SOLVED, "note": "Done"},
        requests.ReopenTicket: {"reason": "Not done"},
    }
    for model, expected in said.items():
        request = model.model_validate_json(json.dumps(FULL[model]))
        command = translate.change_command(request, at=minute(1), reply_id="r", attachments=[WIRE_ATTACHMENT])
        assert (command.id, command.account, command.by) == (
            "c-1",
            "acme",
            domain.Person(MEMBER.capacity, "p-1"),
        )
        assert {name: getattr(command, name) for name in expected} == expected


def recorded(*facts: domain.TicketFact) -> list[RecordedEvent]:
    return [
        translate.recorded(10 * revision, translate.payload(on_record(fact, revision=revision)))
        for revision, fact in enumerate(facts, start=1)
    ]


def opening(command_id: str = "open") -> domain.Opened:
    """The scenarios' opening, with a number that the contract lets through."""
    return replace(opened(command_id), follows=domain.TicketNumber(EARLIER))


def test_a_ticket_is_what_its_events_make_it() -> None:
    events = recorded(opening(), replied(at=1), closed(at=2))
    ticket = translate.ticket(events)
    assert (ticket.status, ticket.replies, ticket.revision, ticket.position) == ("closed", 1, 3, 30)
    assert (ticket.opened_position, ticket.opened_at, ticket.updated_at) == (10, minute(0), minute(2))
    assert (ticket.updated_by.id, ticket.opened_by.id) == (AGENT.id, MEMBER.id)
    assert ticket.closing is not None
    assert (ticket.closing.note, ticket.closing.at) == ("Cache cleared.", minute(2))
    assert translate.ticket(recorded(opening(), closed(), reopened(at=3))).closing is None
    assert [each.name for each in ticket.attachments] == ["Wizyty.png", "Wizyty.csv"]
    assert ticket.submission is None
    from_submission = replace(opening(), submission="a1" * 13)
    assert translate.ticket(recorded(from_submission)).submission == "a1" * 13


def test_a_history_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="does not begin with its opening"):
        translate.ticket(recorded(replied()))
    with pytest.raises(TypeError, match="is opened twice"):
        translate.ticket(recorded(opening(), opening("again")))
