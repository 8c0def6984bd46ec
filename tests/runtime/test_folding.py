"""Folding: what is stored and what is asked for become the same."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.folding import fold, fold_for_index, fold_identifier


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Łódź", "lodz"),
        ("ZAŻÓŁĆ GĘŚLĄ JAŹŃ", "zazolc gesla jazn"),
        ("zażółć", "zazolc"),
        ("zaz\u0307o\u0301łc\u0301", "zazolc"),  # typed as letters and combining marks
        ("Straße", "strasse"),
        ("Đorđe Ǣ Ørsted Æsir Œuvre", "dorde ae orsted aesir oeuvre"),
        ("İstanbul ılık", "istanbul ilik"),
        ("ＡＢＣ１２", "abc12"),  # full width
        ("𝐀 ᴬ ℂ", "a a c"),
        ("Привет ΣΊΣΥΦΟΣ", "привет σισυφοσ"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_letters_lose_their_case_and_their_marks(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_folding_again_changes_no_character_of_unicode() -> None:
    unstable = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if (folded := fold(character)) != character and fold(folded) != folded
    ]
    assert unstable == []


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ŁÓDŹ", "lódź"),
        ("ẞ", "ss"),
        ("ﬁrma", "firma"),
        ("ᲐᲑ", "აბ"),
        ("𞤀", "𞤢"),
        ("o\u0301", "ó"),
        ("AbC", "abc"),
    ],
)
def test_for_the_index_case_and_form_are_folded_and_marks_left_to_it(text: str, folded: str) -> None:
    assert fold_for_index(text) == folded


@given(st.text())
def test_case_never_matters(text: str) -> None:
    assert fold(text.upper().lower()) == fold(text.lower().upper())


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize("spelled", ["M-77 ŁA", "m-77 ła", " M-77\u00a0ŁA\t", "M-77ŁA"])
def test_an_identifier_is_compared_without_case_marks_and_white_space(spelled: str) -> None:
    assert fold_identifier(spelled) == "m-77la"
