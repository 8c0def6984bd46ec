"""Which questions are asked, and what is wrong with answers: as tables, and for any questionnaire."""

from __future__ import annotations

import random
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.wording import LANGUAGES, RULES
from services.intake.evaluator import Answers, dropped, enabled, kept, normalised, problems
from services.intake.lint import lint
from services.intake.pages import after, before, page_of, pages
from services.intake.questionnaire import Item, Questionnaire, load_document
from services.intake.source import parse
from tests.intake.forms import document, form, group, item, source, when

TODAY = date(2026, 11, 24)

BRANCHES = form(
    item("kind", "choice", codes=("feed", "api", "other")),
    item("feed", enableWhen=[when("kind", "feed")]),
    item("size", "integer", enableWhen=[when("feed", True, "exists")]),
    item("big", enableWhen=[when("size", 100, ">=")]),
    group(
        "api",
        item("method", "choice", codes=("get", "post")),
        item("body", "text", enableWhen=[when("method", "post")]),
        enableWhen=[when("kind", "api")],
    ),
    item("either", enableWhen=[when("kind", "feed"), when("kind", "api")], enableBehavior="any"),
    item("both", enableWhen=[when("kind", "api"), when("method", "get")], enableBehavior="all"),
    item("not_other", enableWhen=[when("kind", "other", "!=")]),
    item("nothing_said", enableWhen=[when("kind", False, "exists")]),
    item("since", "date", enableWhen=[when("kind", "api")]),
    item("old", enableWhen=[when("since", "2026-01-01", "<")]),
    item("many", "choice", repeats=True, codes=("x", "y", "z")),
    item("has_y", enableWhen=[when("many", "y")]),
)


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ({}, {"nothing_said"}),
        ({"kind": ("other",)}, set()),
        ({"kind": ("feed",)}, {"feed", "either", "not_other"}),
        ({"kind": ("feed",), "feed": ("f",)}, {"feed", "either", "not_other", "size"}),
        ({"kind": ("feed",), "feed": ("f",), "size": ("99",)}, {"feed", "either", "not_other", "size"}),
        (
            {"kind": ("feed",), "feed": ("f",), "size": ("100",)},
            {"feed", "either", "not_other", "size", "big"},
        ),
        # the answer to a question that is not asked plays no part
        ({"kind": ("other",), "feed": ("f",), "size": ("100",)}, set()),
        ({"kind": ("api",)}, {"api", "method", "either", "not_other", "since"}),
        ({"kind": ("api",), "method": ("post",)}, {"api", "method", "body", "either", "not_other", "since"}),
        ({"kind": ("api",), "method": ("get",)}, {"api", "method", "either", "both", "not_other", "since"}),
        ({"kind": ("feed",), "method": ("get",)}, {"feed", "either", "not_other"}),
        (
            {"kind": ("api",), "since": ("2025-12-31",)},
            {"api", "method", "either", "not_other", "since", "old"},
        ),
        ({"kind": ("api",), "since": ("2026-01-01",)}, {"api", "method", "either", "not_other", "since"}),
        ({"many": ("x", "z")}, {"nothing_said"}),
        ({"many": ("x", "y")}, {"nothing_said", "has_y"}),
        ({"kind": ("no such option",)}, {"not_other"}),
        ({"kind": ("api",), "since": ("someday",)}, {"api", "method", "either", "not_other", "since"}),
    ],
)
def test_conditions_decide_what_is_asked(answers: Answers, asked: set[str]) -> None:
    assert enabled(BRANCHES, answers) == asked | {"kind", "many"}


def test_what_is_not_asked_any_more_is_dropped_and_the_rest_is_kept() -> None:
    answers = {"feed": ("f",), "kind": ("api",), "method": ("post",), "body": ("b",), "size": ("1",)}
    assert list(kept(BRANCHES, answers)) == ["kind", "method", "body"]
    assert list(dropped(BRANCHES, answers)) == ["feed", "size"]


def test_what_depends_on_itself_is_never_asked_and_does_not_hang() -> None:
    around = form(item("a", enableWhen=[when("b", "x")]), item("b", enableWhen=[when("a", "x")]))
    assert enabled(around, {"a": ("x",), "b": ("x",)}) == frozenset()


def question(kind: str, **more: Any) -> Item:
    return form(item("q", kind, **more)).items["q"]


@pytest.mark.parametrize(
    ("of", "typed", "canonical"),
    [
        (question("string"), "  two   words ", "two words"),
        (question("text"), " a\r\nb\rc ", "a\nb\nc"),
        (question("boolean"), "true", "true"),
        (question("integer"), "1 234", "1234"),
        (question("integer"), "1\u00a0234\u202f567", "1234567"),
        (question("integer"), "-0", "0"),
        (question("integer"), "007", "7"),
        (question("decimal"), "1 234,50", "1234.5"),
        (question("decimal"), "3.140", "3.14"),
        (question("decimal"), "\u22122,5", "-2.5"),
        (question("date"), "24.11.2026", "2026-11-24"),
        (question("date"), "1/2/2026", "2026-02-01"),
        (question("date"), "2026-11-24", "2026-11-24"),
        (question("choice"), "a", "a"),
        (question("url"), "example.com/x", "https://example.com/x"),
        (question("url"), "http://example.com", "http://example.com"),
        (question("email"), " Jan@Example.COM ", "Jan@Example.COM"),
        (question("attachment"), "a" * 26, "a" * 26),
    ],
)
def test_what_a_person_typed_is_spelled_in_one_way(of: Item, typed: str, canonical: str) -> None:
    assert normalised(of, [typed], today=TODAY) == ((canonical,), ())
    assert normalised(of, [canonical], today=TODAY) == ((canonical,), ())


@pytest.mark.parametrize(
    ("of", "typed", "rule"),
    [
        (question("string", required=True), "  ", "answer_needed"),
        (question("choice", required=True), "", "answer_choose"),
        (question("attachment", required=True), "", "answer_attach"),
        (question("string", maxLength=3), "four", "answer_too_long"),
        (question("string", minLength=5), "four", "answer_too_short"),
        (question("string"), "a\x00b", "answer_character"),
        (question("text"), "\ud800", "answer_character"),
        (question("boolean"), "tak", "answer_choose"),
        (question("integer"), "1.5", "answer_not_a_whole_number"),
        (question("integer"), "1e9", "answer_not_a_whole_number"),
        (question("integer"), "9" * 40, "answer_not_a_whole_number"),
        (question("decimal"), "NaN", "answer_not_a_number"),
        (question("decimal"), "1,2,3", "answer_not_a_number"),
        (question("integer", minValue=1), "0", "answer_too_small"),
        (question("decimal", maxValue=1.5), "1,51", "answer_too_large"),
        (question("date"), "31.02.2026", "answer_not_a_date"),
        (question("date"), "yesterday", "answer_not_a_date"),
        (question("date", minValue="today"), "23.11.2026", "answer_too_early"),
        (question("date", maxValue="today+1m"), "25.12.2026", "answer_too_late"),
        (question("choice"), "c", "answer_not_an_option"),
        (question("url"), "javascript:alert(1)", "answer_not_a_url"),
        (question("url"), "https://", "answer_not_a_url"),
        (question("url"), "https://user@example.com", "answer_not_a_url"),
        (question("url"), "http://[", "answer_not_a_url"),
        (question("email"), "jan", "answer_not_an_email"),
        (question("attachment"), "../etc/passwd", "answer_not_a_file"),
    ],
)
def test_what_does_not_fit_breaks_a_rule_that_has_words(of: Item, typed: str, rule: str) -> None:
    _, (problem,) = normalised(of, [typed], today=TODAY)
    assert (problem.link_id, problem.rule) == ("q", rule)
    for language in LANGUAGES:
        assert getattr(RULES[rule], language).format_map(problem.data)


def test_answers_are_counted() -> None:
    of = question("choice", repeats=True, codes=("a", "b", "c"), minOccurs=2, maxOccurs=2)
    assert [found.rule for found in normalised(of, ["a"], today=TODAY)[1]] == ["answer_too_few"]
    assert normalised(of, ["a", "b", "a"], today=TODAY) == (("a", "b"), ())
    assert [found.rule for found in normalised(of, ["a", "b", "c"], today=TODAY)[1]] == ["answer_too_many"]
    assert normalised(of, [], today=TODAY) == ((), ())


# Any questionnaire

VALUES = {
    "string": st.sampled_from(["x", "y"]),
    "integer": st.integers(-3, 3).map(str),
    "boolean": st.sampled_from(["true", "false"]),
    "choice": st.sampled_from(["a", "b"]),
    "date": st.sampled_from(["2026-01-01", "2026-06-01"]),
}


@st.composite
def questionnaires(draw: st.DrawFn) -> Questionnaire:
    """Any that passes the linter, with groups and conditions on what was asked before."""
    asked: list[tuple[str, str]] = []
    names = iter(f"q{n}" for n in range(100))

    def conditions() -> dict[str, Any]:
        chosen = draw(st.lists(st.sampled_from(asked), max_size=2)) if asked else []
        if not chosen:
            return {}
        made = []
        for name, kind in chosen:
            operators = ["=", "!=", "exists"] + ([">", "<="] if kind in {"integer", "date"} else [])
            operator = draw(st.sampled_from(operators))
            answer = draw(st.sampled_from(["true", "false"]) if operator == "exists" else VALUES[kind])
            made.append(when(name, answer, operator))
        return {"enableWhen": made, "enableBehavior": draw(st.sampled_from(["all", "any"]))}

    def one(depth: int) -> dict[str, Any]:
        name = next(names)
        if depth < 2 and draw(st.integers(0, 3)) == 0:
            more = conditions()
            inner = [one(depth + 1) for _ in range(draw(st.integers(1, 3)))]
            return group(name, *inner, **more)
        kind = draw(st.sampled_from(sorted(VALUES)))
        more = conditions()
        asked.append((name, kind))
        return item(name, kind, required=draw(st.booleans()), **more)

    return load_document(document(*(one(0) for _ in range(draw(st.integers(1, 5))))))


@st.composite
def filled_in(draw: st.DrawFn) -> tuple[Questionnaire, dict[str, tuple[str, ...]]]:
    questionnaire = draw(questionnaires())
    answers: dict[str, tuple[str, ...]] = {
        link_id: (draw(VALUES[each.type.value]),)
        for link_id, each in questionnaire.items.items()
        if each.is_answered and draw(st.booleans())
    }
    return questionnaire, answers


@given(filled_in())
def test_no_answer_to_a_question_that_is_not_asked_survives(
    filled: tuple[Questionnaire, dict[str, tuple[str, ...]]],
) -> None:
    questionnaire, answers = filled
    keeping, dropping = kept(questionnaire, answers), dropped(questionnaire, answers)
    assert set(keeping) <= enabled(questionnaire, answers)
    assert keeping | dropping == answers
    assert not set(keeping) & set(dropping)
    # What is dropped plays no part: without it the same is asked, and nothing else is dropped.
    assert enabled(questionnaire, keeping) == enabled(questionnaire, answers)
    assert kept(questionnaire, keeping) == keeping


@given(filled_in(), st.randoms(use_true_random=False))
def test_the_order_of_answering_does_not_matter(
    filled: tuple[Questionnaire, dict[str, tuple[str, ...]]], shuffled: random.Random
) -> None:
    questionnaire, answers = filled
    other = list(answers.items())
    shuffled.shuffle(other)
    assert enabled(questionnaire, dict(other)) == enabled(questionnaire, answers)
    assert list(kept(questionnaire, dict(other)).items()) == list(kept(questionnaire, answers).items())
    assert problems(questionnaire, dict(other), today=TODAY) == problems(questionnaire, answers, today=TODAY)


@given(questionnaires(), st.data())
def test_every_path_can_be_submitted_or_says_why_not(
    questionnaire: Questionnaire, data: st.DataObject
) -> None:
    """Answering page by page whatever is asked ends, with nothing left to complain of."""
    answers: dict[str, tuple[str, ...]] = {}
    for _ in range(200):
        missing = problems(questionnaire, answers, today=TODAY)
        if not missing:
            break
        for problem in missing:
            assert problem.rule in {"answer_needed", "answer_choose"}
            kind = questionnaire.items[problem.link_id].type.value
            answers[problem.link_id] = (data.draw(VALUES[kind]),)
    assert problems(questionnaire, answers, today=TODAY) == ()
    for page in pages(questionnaire, answers):
        assert set(page.asked) <= enabled(questionnaire, answers)


@given(filled_in())
def test_pages_have_every_question_that_is_asked_once_and_in_order(
    filled: tuple[Questionnaire, dict[str, tuple[str, ...]]],
) -> None:
    questionnaire, answers = filled
    found = pages(questionnaire, answers)
    on_pages = [link_id for page in found for link_id in page.asked]
    asked = enabled(questionnaire, answers)
    expected = [link for link, each in questionnaire.items.items() if link in asked and each.is_answered]
    assert on_pages == expected
    for first, second in pairwise(found):
        assert after(questionnaire, found, first.link_id) == second
        assert before(questionnaire, found, second.link_id) == first
        assert page_of(found, first.link_id) == first
    if found:
        assert after(questionnaire, found, found[-1].link_id) is None
        assert before(questionnaire, found, None) == found[-1]


def test_a_page_that_is_gone_is_followed_by_the_next_one() -> None:
    found = pages(BRANCHES, {"kind": ("other",)})
    assert page_of(found, "feed") is None
    following = after(BRANCHES, found, "feed")
    assert following is not None
    assert following.link_id == "many"


def test_what_these_questionnaires_are_made_of_passes_the_linter() -> None:
    sound = source(item("a", "boolean"), item("b", enableWhen=[when("a", True)]))
    assert lint(sound) == ()
    assert parse(sound).items["b"].enable_when[0].answer == "true"
