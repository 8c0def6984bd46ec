"""What changed between two versions."""

from __future__ import annotations

from services.intake.diff import diff
from tests.intake.forms import form, group, item, when

BEFORE = form(
    item("a", "choice", codes=("x", "y")),
    item("b", enableWhen=[when("a", "x")]),
    group("g", item("c")),
    item("d"),
)


def test_nothing_changed() -> None:
    assert diff(BEFORE, BEFORE) == ()


def test_every_change_is_told() -> None:
    after = form(
        group("g", item("c", required=True), item("d")),
        item("a", "choice", codes=("y", "z")),
        item("e", "date"),
        title={"en": "Another form"},
        version="2",
    )
    assert sorted(map(str, diff(BEFORE, after))) == [
        "a: new option z",
        "a: option x removed",
        "b: removed",
        "c: required: nothing -> 'yes'",
        "d: moved to another group: nothing -> 'g'",
        "e: new date",
        "questionnaire: the items are in another order",
        "questionnaire: title.en: 'Form' -> 'Another form'",
        "questionnaire: version: '1' -> '2'",
    ]


def test_options_in_another_order_are_told() -> None:
    changes = diff(form(item("a", "choice")), form(item("a", "choice", codes=("b", "a"))))
    assert [str(change) for change in changes] == ["a: the options are in another order"]
