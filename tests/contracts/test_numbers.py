"""Ticket numbers: what is accepted, what is found to be mistyped, and where they come from."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from contracts import wording
from contracts.number import derive_number, is_number, looks_like_number, parse_number, shown

NUMBER = "4830291741"

numbers = st.builds(derive_number, st.just("acme"), st.text(max_size=20))


def rule_broken_by(value: object) -> str:
    with pytest.raises(PydanticCustomError) as broken:
        parse_number(value)
    return broken.value.type


@pytest.mark.parametrize(
    "spelling",
    [
        "4830291741",
        "483-029-1741",
        " 483 029 1741\n",
        "#4830291741",
        "483.029.1741",
        "483\u2013029\u20111741",  # dashes that word processors put in
        "483\u2212029\u00a01741",  # a minus sign and a no-break space
        "\uff14\uff18\uff13\uff10\uff12\uff19\uff11\uff17\uff14\uff11",  # full-width digits
    ],
)
def test_a_number_is_understood_as_people_spell_it(spelling: str) -> None:
    assert parse_number(spelling) == NUMBER
    assert is_number(spelling)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "483029174",
        "48302917411",
        "483029174x",
        "483,029,1741",
        "1" * 5000,
        4830291741,
        None,
        True,
        b"4830291741",
    ],
)
def test_what_is_not_ten_digits_has_not_the_shape_of_a_number(value: object) -> None:
    assert rule_broken_by(value) == "number_shape"


@pytest.mark.parametrize(
    "value", ["\u0664\u0668\u0663\u0660\u0662\u0669\u0661\u0667\u0664\u0661", "\ud800" * 10]
)
def test_digits_of_other_scripts_and_lone_surrogates_are_no_number(value: str) -> None:
    assert rule_broken_by(value) == "number_shape"
    assert not looks_like_number(value)


@given(number=numbers, at=st.integers(0, 9), by=st.integers(1, 9))
def test_every_wrong_digit_is_found(number: str, at: int, by: int) -> None:
    wrong = number[:at] + str((int(number[at]) + by) % 10) + number[at + 1 :]
    assert rule_broken_by(wrong) == "number_check_digit"
    assert looks_like_number(wrong)
    assert not is_number(wrong)


@given(number=numbers, at=st.integers(0, 8))
def test_every_swap_of_two_neighbours_is_found(number: str, at: int) -> None:
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    assert is_number(swapped) == (swapped == number)


@given(account=st.text(max_size=20), command=st.text(max_size=20), attempt=st.integers(0, 5))
def test_the_same_command_always_has_the_same_number(account: str, command: str, attempt: int) -> None:
    number = derive_number(account, command, attempt)
    assert parse_number(number) == number
    assert number == derive_number(account, command, attempt)
    assert number[0] != "0"
    assert parse_number(shown(number)) == number


def test_derived_numbers_never_change_from_one_release_to_the_next() -> None:
    # A repeated open finds its ticket by this: a change would open a second one.
    assert [derive_number("acme", "c-1", attempt) for attempt in range(3)] == [
        "3387952058",
        "9280977924",
        "8867778223",
    ]


def test_another_account_or_another_attempt_has_another_number() -> None:
    assert len({derive_number(account, "c", attempt) for account in ("a", "b") for attempt in range(9)}) == 18


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_example_that_people_are_shown_is_a_number(language: wording.Language) -> None:
    example = re.search(r"\d{3}-\d{3}-\d{4}", wording.rule("number_shape", {}, language))
    assert example is not None
    assert is_number(example.group())
