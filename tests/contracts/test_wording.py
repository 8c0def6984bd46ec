"""Whatever a service refuses, it can say why, in every language."""

from __future__ import annotations

import json
from string import Formatter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import wording
from contracts.registry import REQUESTS
from contracts.wording import INTERNAL, LANGUAGES, MALFORMED, REFUSALS, RULES, UNAVAILABLE, Wording
from tests.contracts.documents import FULL, paths, replaced

TABLES = {**REFUSALS, **UNAVAILABLE, **RULES, "internal": INTERNAL, "malformed": MALFORMED}


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize(("code", "words"), TABLES.items(), ids=TABLES)
def test_every_language_says_the_same_thing_in_words_of_its_own(code: str, words: Wording) -> None:
    assert Wording._fields == LANGUAGES
    assert all(sentence.strip() == sentence != "" for sentence in words)
    assert words.en != words.pl
    assert placeholders(words.en) == placeholders(words.pl)


def test_a_code_stands_in_one_table_only() -> None:
    assert len(TABLES) == len(REFUSALS) + len(UNAVAILABLE) + len(RULES) + 2


def test_every_refusal_has_words_and_all_words_have_a_refusal() -> None:
    published = {code for request in REQUESTS.values() for code in request.refusals}
    assert published == set(REFUSALS)


LONG = "(a text longer than any may be)"  # stands for it, so that a failing example can be read

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 2**63, 10**30, 1e300, 0.5, "", " ", "x", "a\x00", LONG, "4830291742"])
    | st.sampled_from(
        ["2026-11-20", "2026-11-20T09:00:00", "0001-01-01T00:00:00+10:00", "2026-13-01T00:00Z", "T"]
    )
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
) | scalars.map(lambda value: [value] * 201)


@st.composite
def bent_requests(draw: st.DrawFn) -> tuple[type[Any], bytes]:
    """A request of which some values were replaced, as the bytes of a message."""
    model = draw(st.sampled_from(list(FULL)))
    document: Any = FULL[model]
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(document)))
        document = replaced(document, path, draw(values))
    return model, json.dumps(document).encode()


def spelled_out(payload: bytes) -> bytes:
    return payload.replace(LONG.encode(), b"x" * 70_000)


def assert_has_words(model: type[Any], payload: bytes) -> None:
    try:
        model.model_validate_json(payload)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            words = RULES.get(error["type"])
            assert words is not None, error
            assert placeholders(words.en) <= set(error.get("ctx", {})), error
            for language in LANGUAGES:
                assert "None" not in wording.rule(error["type"], error.get("ctx", {}), language), error


@settings(max_examples=400, deadline=None)
@given(bent_requests())
def test_every_rule_that_a_request_can_break_has_words(bent: tuple[type[Any], bytes]) -> None:
    model, payload = bent
    assert_has_words(model, spelled_out(payload))


@settings(deadline=None)
@given(st.sampled_from(list(FULL)), st.binary(max_size=200))
def test_any_bytes_at_all_are_refused_in_words(model: type[Any], payload: bytes) -> None:
    assert_has_words(model, payload)


def test_a_point_at_which_a_ticket_has_no_state_may_be_too_early_or_too_late() -> None:
    for language, early, late in (
        ("en", "opened later", "fewer events"),
        ("pl", "otwarto je później", "mniej zdarzeń"),
    ):
        said = wording.refusal("ticket_did_not_exist", {"number": "4830291741"}, language)  # type: ignore[arg-type]
        assert early in said
        assert late in said


def test_words_are_filled_from_the_data_of_the_error() -> None:
    said = wording.refusal("ticket_is_open", {"number": "4830291741"}, "pl")
    assert said == "Zgłoszenie 483-029-1741 jest otwarte; ponownie otworzyć można tylko zgłoszenie zamknięte."
    assert wording.rule("too_short", {"actual_length": 0, "min_length": 1}) == (
        "has 0 entries, at least 1 are needed"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unknown_code_still_has_words(language: wording.Language) -> None:
    # A newer service may refuse for reasons that this release has not heard of.
    assert wording.refusal("reason_of_tomorrow", {}, language)
    assert wording.rule("rule_of_tomorrow", {}, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_data_that_an_older_service_does_not_send_is_not_needed(language: wording.Language) -> None:
    for code in REFUSALS:
        assert wording.refusal(code, {}, language)
