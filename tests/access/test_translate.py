"""What the service writes is what the contract describes, and what it reads is what was written."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_core import to_json

import contracts
from contracts import wording
from contracts.access.events import parse_access_event
from contracts.registry import EVENTS, REQUESTS
from services.access import account, domain, person, translate
from services.access.commands import Commands
from services.access.endpoints import REFUSALS, endpoints
from services.access.queries import Queries

GOLDEN = Path(contracts.__file__).parent / "golden"
OF_ACCESS = {tag for tag, model in EVENTS.items() if ".access." in model.__module__}
SAMPLES = sorted(path for path in GOLDEN.glob("*/*.json") if path.parent.name in OF_ACCESS)

by_sample = pytest.mark.parametrize(
    "sample", SAMPLES, ids=lambda path: f"{path.parent.name.removeprefix('casetrail.')}/{path.stem}"
)


@by_sample
def test_an_event_becomes_a_fact_and_the_fact_the_same_bytes(sample: Path) -> None:
    event = parse_access_event(sample.read_bytes())
    document = translate.event(
        translate.fact(event),
        subject=event.subject,
        account_id=event.account,
        revision=event.revision,
        circumstances=translate.Circumstances(
            event_id=event.id,
            via=event.via,
            correlation_id=event.correlationid,
            traceparent=event.traceparent,
        ),
    )
    assert to_json(document) == sample.read_bytes()


@by_sample
def test_an_event_is_read_as_that_of_its_aggregate_only(sample: Path) -> None:
    payload, tag = sample.read_bytes(), sample.parent.name
    readers = [translate.read_account_fact, translate.read_person_fact]
    if ".person." in tag:
        readers.reverse()
    right, wrong = readers
    assert right(tag, payload) == translate.fact(parse_access_event(payload))
    with pytest.raises(TypeError):
        wrong(tag, payload)


def test_every_event_of_access_has_a_sample_here() -> None:
    assert {sample.parent.name for sample in SAMPLES} == OF_ACCESS


def test_every_request_of_the_contract_is_answered() -> None:
    answered = endpoints(Commands.__new__(Commands), Queries.__new__(Queries))
    wanted = {subject: request.asks for subject, request in REQUESTS.items() if request.service == "access"}
    assert {endpoint.subject: endpoint.request for endpoint in answered} == wanted


def refusals(kind: type[domain.Refusal]) -> set[type[domain.Refusal]]:
    return {kind}.union(*(refusals(inner) for inner in kind.__subclasses__()))


def test_every_refusal_that_leaves_the_service_has_words_and_a_status() -> None:
    stay = {person.IsKnown, person.IsLinked}
    for kind in refusals(domain.Refusal) - stay - {domain.Refusal}:
        assert kind.code in wording.REFUSALS, kind
        (status, *_) = (REFUSALS[base] for base in kind.__mro__ if base in REFUSALS)
        not_there = kind in {account.AccountNotFound, person.PersonNotFound}
        assert (status == 404) == (not_there or kind.code.endswith("_not_found"))
