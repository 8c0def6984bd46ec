"""What the linter tells, and where."""

from __future__ import annotations

from typing import Any

import pytest

from services.intake.lint import lint
from services.intake.source import SourceInvalid, read_source, shipped
from tests.intake.forms import codes, document, group, item, source, when

A = item("a", "choice")
REQUIRED = item("a", "choice", required=True)


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([A, item("a")], "link_id_twice"),
        ([A, item("b", enableWhen=[when("nobody", "a")])], "question_unknown"),
        ([item("b", enableWhen=[when("a", "a")]), A], "condition_on_later_item"),
        ([item("b", enableWhen=[when("b", "x")])], "condition_on_itself"),
        ([group("g", item("b"), enableWhen=[when("b", "x")])], "condition_on_itself"),
        ([item("b", enableWhen=[when("c", "x")]), item("c", enableWhen=[when("b", "x")])], "condition_cycle"),
        ([group("g", item("x")), item("b", enableWhen=[when("g", "x")])], "condition_on_no_question"),
        ([item("d", "display"), item("b", enableWhen=[when("d", "x")])], "condition_on_no_question"),
        ([A, item("b", enableWhen=[when("a", "c")])], "answer_impossible"),
        ([A, item("b", enableWhen=[when("a", "a", ">")])], "operator_of_numbers"),
        ([item("n", "integer"), item("b", enableWhen=[when("n", "many")])], "answer_impossible"),
        ([item("n", "integer", maxValue=5), item("b", enableWhen=[when("n", 6)])], "answer_impossible"),
        ([item("f", "attachment"), item("b", enableWhen=[when("f", "x")])], "condition_on_file"),
        ([REQUIRED, item("b", enableWhen=[when("a", False, "exists")])], "never_asked"),
        (
            [A, item("b", enableWhen=[when("a", "a"), when("a", "b")], enableBehavior="all")],
            "never_asked",
        ),
        (
            [A, item("b", enableWhen=[when("a", "a")]), item("c", enableWhen=[when("b", "x"), when("a", "b")],
             enableBehavior="all")],
            "never_asked",
        ),
        (
            [A, group("g", item("b", enableWhen=[when("a", "b")]), enableWhen=[when("a", "a")])],
            "never_asked",
        ),
        (
            [A, item("b", enableWhen=[when("a", "a"), when("a", "a", "!=")], enableBehavior="all")],
            "never_asked",
        ),
        ([item("a", "choice", codes=("x", "x"))], "option_twice"),
        ([item("a", maxLength=3, minLength=4)], "limits_cross"),
        ([item("a", "integer", minValue=3, maxValue=2)], "limits_cross"),
        ([item("a", "date", minValue="today", maxValue="today-1d")], "limits_cross"),
        ([item("a", "choice", repeats=True, minOccurs=3)], "limits_cross"),
        ([item("a", "choice", repeats=True, minOccurs=3, maxOccurs=2)], "limits_cross"),
        ([{**A, "answerOption": []}], "options_of_choices"),
        ([item("a", "group")], "group_is_empty"),
        ([{**item("a"), "item": [item("b")]}], "only_groups_nest"),
        ([group("g", item("b"), required=True)], "not_answered"),
        ([item("a", "integer", maxLength=3)], "length_of_text"),
        ([item("a", maxValue=3)], "value_of_number"),
        ([item("a", "date", minValue="tomorrow")], "limit_shape"),
        ([item("a", maxOccurs=3)], "occurs_of_repeats"),
        ([item("a", "boolean", repeats=True)], "boolean_repeats"),
        ([A, item("b", enableWhen=[when("a", "a"), when("a", "b")])], "behavior_needed"),
        ([A, item("b", enableWhen=[when("a", "maybe", "exists")])], "exists_answer"),
        ([item("a", "slider")], "enum"),
        ([item("a", colour="red")], "extra_forbidden"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(items: list[dict[str, Any]], code: str) -> None:
    found = lint(source(*items))
    assert code in codes(found), found
    assert all(finding.line > 1 and str(finding).startswith("form.yaml:") for finding in found)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"languages": ["en", "pl"]}, "translation_missing"),
        ({"title": {"en": "Form", "de": "Formular"}}, "language_unknown"),
        ({"ticketTitle": {"en": "{nobody}"}}, "question_unknown"),
        ({"messageItem": "nobody"}, "question_unknown"),
        ({"version": "1|2"}, "string_pattern_mismatch"),
        ({"url": "form"}, "string_pattern_mismatch"),
        ({"topic": "Two Words"}, "code_shape"),
        ({"item": []}, "too_short"),
    ],
)
def test_what_is_wrong_with_the_whole_is_told(more: dict[str, Any], code: str) -> None:
    assert code in codes(lint(source(item("a"), **more)))


def test_a_finding_has_the_line_of_what_is_to_be_changed() -> None:
    written = b"""\
url: https://q.example/form
version: "1"
status: active
languages: [en]
title: {en: Form}
description: {en: A form}
topic: form
item:
  - linkId: a
    type: string
    text: {en: A}
  - linkId: b
    type: string
    text: {en: B}
    enableWhen:
      - question: nobody
        answer: x
  - linkId: c
    type: strin
    text: {en: C}
"""
    (shape,) = lint(read_source("form.yaml", written))
    assert (shape.line, shape.code) == (19, "enum")
    (unknown,) = lint(read_source("form.yaml", written.replace(b"strin\n", b"string\n")))
    assert (unknown.line, unknown.code) == (16, "question_unknown")
    assert (
        str(unknown) == "form.yaml:16: the condition on 'nobody': no item has this linkId (question_unknown)"
    )


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", "empty", 1),
        (b"a: 1\n\xff", "not_utf8", 2),
        (b"a: [1\n", "not_yaml", 2),
        (b"a: 1\na: 2", "key_twice", 2),
        (b"a: &x 1\nb: *x", "yaml_alias", 1),
        (b"a: 1\nb: !!python/object/apply:os.system [ls]", "yaml_tag", 2),
        (b"? [1]\n: 2", "yaml_key", 1),
        (b"[" * 100 + b"]" * 100, "too_deep", 1),
        (b"[" * 20_000, "not_yaml", 1),
        (b"x" * (512 * 1024 + 1), "file_too_long", 1),
    ],
)  # fmt: skip
def test_a_file_that_is_no_document_is_refused_with_its_line(content: bytes, code: str, line: int) -> None:
    with pytest.raises(SourceInvalid) as invalid:
        read_source("form.yaml", content)
    (finding,) = invalid.value.findings
    assert (finding.code, finding.line) == (code, line)


def test_json_is_read_as_well() -> None:
    import json

    assert lint(read_source("form.json", json.dumps(document(item("a"))).encode())) == ()


@pytest.mark.parametrize("each", shipped(), ids=lambda each: each.file)
def test_what_is_shipped_has_nothing_to_be_told(each: Any) -> None:
    assert lint(each) == ()
