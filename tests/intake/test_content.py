"""What a submission says: in one language, within the limits of the contract, whatever was answered."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from contracts.envelope import Via
from contracts.intake.events import SubmittedV1, parse_intake_event
from contracts.intake.requests import PendingInterest
from contracts.reference import derive_reference
from services.intake import content, evaluator, interest_submission, translate
from services.intake.domain import Identifier
from services.intake.questionnaire import Questionnaire, load_document
from tests.intake.interest_node import FORM

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def form(**changes: Any) -> Questionnaire:
    return load_document({**FORM, **changes})


ANSWERS = {"company": ("Acme",), "kind": ("site",), "traffic": ("7",), "vat": ("PL1",)}


@pytest.mark.parametrize(
    ("template", "title"),
    [
        ("New: {company}", "New: Acme"),
        ("{kind}, {company}", "A booking site, Acme"),
        ("New: {wish}", "New:"),
        ("New: {unknown}!", "New: !"),
        ("{wish}", "what was typed"),
        ("A {brace", "A {brace"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_a_ticket_is_called_by_what_was_answered(template: str, title: str) -> None:
    asked = form(ticketTitle={"en": template, "pl": "x"})
    assert content.ticket_title(asked, ANSWERS, "en", otherwise="what\nwas  typed") == title


def test_without_a_title_of_its_own_it_is_called_by_what_was_typed() -> None:
    document = {key: value for key, value in FORM.items() if key != "ticketTitle"}
    title = content.ticket_title(load_document(document), ANSWERS, "en", otherwise="what\nwas  typed")
    assert title == "what was typed"


def test_answers_are_shown_in_words_and_only_those_that_are_asked() -> None:
    answers = ANSWERS | {"kind": ("clinic",)}  # so that nobody asks for the traffic
    shown = content.answers_shown(form(), answers, "pl")
    assert [(each.question, each.values, each.page) for each in shown] == [
        ("Firma", ("Acme",), "company"),
        ("NIP", ("PL1",), "contact"),
        ("Czym jesteście?", ("Przychodnia",), "kind"),
    ]


def test_a_yes_and_a_no_are_in_the_persons_language() -> None:
    item = {"linkId": "now", "type": "boolean", "text": {"en": "Now?", "pl": "Teraz?"}}
    asked = form(item=[item])
    assert content.in_words(asked.items["now"], "true", "pl") == "Tak"
    assert content.in_words(asked.items["now"], "false", "en") == "No"
    assert content.in_words(asked.items["now"], "false", "de") == "No"


def test_identifiers_are_named_once_and_those_that_fit() -> None:
    first = Identifier("vat", "PL1"), Identifier("email", "a@x.pl")
    assert content.identifiers(form(), ANSWERS, *first) == first
    long = ANSWERS | {"vat": ("x" * 129,)}
    assert content.identifiers(form(), long, *first) == first


WITH_TEXTS = form(
    item=[
        {**item, "type": "text", "required": False, "repeats": True, "maxOccurs": 5, "identifier": "any"}
        if item["type"] == "string"
        else item
        for item in FORM["item"]
    ]
)


@settings(max_examples=150, deadline=timedelta(seconds=2))
@given(
    company=st.lists(st.text(max_size=150), max_size=5),
    vat=st.text(max_size=150),
    wish=st.text(max_size=300),
    language=st.sampled_from(["en", "pl", "de"]),
)
def test_whatever_is_accepted_makes_an_event_that_readers_can_read(
    company: list[str], vat: str, wish: str, language: str
) -> None:
    typed = {
        "company": company, "vat": [vat], "wish": [wish], "kind": ["clinic"], "address": ["a@x.example"],
    }  # fmt: skip
    today = date(2026, 11, 24)
    answers = {
        link_id: evaluator.normalised(WITH_TEXTS.items[link_id], values, today=today)[0]
        for link_id, values in typed.items()
    }
    if evaluator.problems(WITH_TEXTS, answers, today=today):
        return
    reference = derive_reference("test", *company)
    interest = PendingInterest(
        reference=reference,
        submission=interest_submission.submission_id(reference),
        questionnaire=WITH_TEXTS.canonical,
        language=language,
        email="a@x.example",
        answers=evaluator.kept(WITH_TEXTS, answers),
        at=NOW,
        expires_at=NOW,
        token="token",
    )
    fact = interest_submission.submitted(WITH_TEXTS, interest, account="new-partners", at=NOW)
    event = translate.event(
        fact,
        translate.Circumstances(
            event_id="1",
            subject=fact.id,
            revision=1,
            via=Via.PORTAL,
            actor=interest_submission.NOBODY,
            correlation_id=fact.command_id,
            traceparent=None,
        ),
    )
    read = parse_intake_event(to_json(event))
    assert isinstance(read, SubmittedV1)
    assert translate.read_submission_fact("", to_json(event)) == fact


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("word " * 60, " ".join(["word"] * 40) + "…"),
        ("ab " + "x" * 300, "ab " + "x" * 196 + "…"),
        ("x" * 200, "x" * 200),
        ("x" * 199 + " y", "x" * 199 + "…"),
        ("a\n b", "a b"),
    ],
)
def test_a_title_that_is_too_long_ends_with_a_whole_word(typed: str, title: str) -> None:
    assert content.cut(typed) == title
    assert len(title) <= 200
