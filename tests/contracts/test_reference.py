"""Reference IDs: what is accepted, what is found to be mistyped, and where they come from."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic_core import PydanticCustomError

from contracts import wording
from contracts.reference import (
    ALPHABET,
    Reference,
    derive_reference,
    is_reference,
    parse_reference,
    shown,
)

REFERENCE = "R-7K3M-9QX2-81FG"
SHAPE = re.compile(rf"R(-[{ALPHABET}]{{4}}){{3}}")

references = st.builds(derive_reference, st.text(max_size=20), st.text(max_size=20))
places = st.integers(0, 11)


def bare(reference: str) -> str:
    """The twelve characters."""
    return reference.removeprefix("R-").replace("-", "")


def rule_broken_by(value: object) -> str:
    with pytest.raises(PydanticCustomError) as broken:
        parse_reference(value)
    return broken.value.type


@given(parts=st.lists(st.text(max_size=20), max_size=3))
def test_the_same_parts_always_have_the_same_reference(parts: list[str]) -> None:
    reference = derive_reference(*parts)
    assert reference == derive_reference(*parts)
    assert SHAPE.fullmatch(reference)
    assert parse_reference(reference) == reference


def test_derived_references_never_change_from_one_release_to_the_next() -> None:
    # A repeated form or e-mail finds what it made by this: a change would make a second one.
    assert [derive_reference("acme", str(number)) for number in range(3)] == [
        "R-STDC-CRPZ-WWHS",
        "R-E7JM-RNA7-TEY3",
        "R-SW7H-818J-8047",
    ]


def test_what_is_named_otherwise_has_another_reference() -> None:
    named = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ()]
    assert len({derive_reference(*parts) for parts in named}) == len(named)


@given(reference=references)
def test_a_reference_is_understood_as_people_spell_it(reference: str) -> None:
    twelve = bare(reference)
    groups = twelve[:4], twelve[4:8], twelve[8:]
    misread = twelve.translate(str.maketrans("01", "OI"))
    for spelling in (
        reference.lower(),
        twelve,
        f"R{twelve}",
        f" R {' '.join(groups)}\n",
        f"#R-{twelve}",
        "\u2013".join(("r", *groups)),  # dashes that word processors put in
        "\u00a0".join(groups),
        f"R-{misread}",
        f"r-{misread.lower()}",
        f"R-{misread.replace('I', 'l')}",
        "".join(chr(ord(character) + 0xFEE0) for character in twelve),  # full-width letters and digits
    ):
        assert parse_reference(spelling) == reference
        assert is_reference(spelling)
    assert shown(twelve) == reference


@given(reference=references, at=places, other=st.sampled_from(ALPHABET))
def test_every_single_wrong_character_is_found(reference: str, at: int, other: str) -> None:
    twelve = bare(reference)
    wrong = twelve[:at] + other + twelve[at + 1 :]
    if other == twelve[at]:
        assert parse_reference(wrong) == reference
        return
    assert rule_broken_by(wrong) == "reference_check_character"
    assert not is_reference(f"R-{wrong}")


@given(reference=references, at=st.integers(0, 10))
def test_a_swap_of_two_neighbours_is_found_but_for_that_of_the_first_and_last_of_the_alphabet(
    reference: str, at: int
) -> None:
    twelve = bare(reference)
    pair = twelve[at : at + 2]
    swapped = twelve[:at] + pair[::-1] + twelve[at + 2 :]
    unseen = pair[0] == pair[1] or {*pair} == {ALPHABET[0], ALPHABET[-1]}
    assert is_reference(swapped) == unseen


@given(reference=references, at=places)
def test_a_character_that_is_missing_or_doubled_is_found(reference: str, at: int) -> None:
    twelve = bare(reference)
    assert rule_broken_by(f"{twelve[:at]}{twelve[at + 1 :]}") == "reference_shape"
    assert rule_broken_by(f"R-{twelve[:at]}{twelve[at]}{twelve[at:]}") == "reference_shape"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "R-",
        "7K3M-9QX2-81F",
        "R-7K3M-9QX2-81FGG",
        "Q-7K3M-9QX2-81FG",
        "R-7K3M-9QX2-81FU",  # U is not in the alphabet
        "R_7K3M_9QX2_81FG",
        "R-7K3M-9QX2-81FG." + " " * 40,
        "\ud800" * 12,
        "7" * 5000,
        "\u0667" * 12,  # digits of another script
        735192834011,
        None,
        True,
        b"R-7K3M-9QX2-81FG",
    ],
)
def test_what_is_not_twelve_characters_has_not_the_shape_of_a_reference(value: object) -> None:
    assert rule_broken_by(value) == "reference_shape"


@given(value=st.text(max_size=60))
def test_any_text_is_a_reference_or_is_told_why_not(value: str) -> None:
    if is_reference(value):
        assert SHAPE.fullmatch(parse_reference(value))
    else:
        assert rule_broken_by(value) in {"reference_shape", "reference_check_character"}


def test_models_keep_a_reference_as_it_is_shown_and_publish_its_pattern() -> None:
    adapter = TypeAdapter(Reference)
    assert adapter.validate_python("r 7k3m 9qx2 8lfg") == REFERENCE
    pattern = adapter.json_schema()["pattern"]
    assert re.fullmatch(pattern, REFERENCE)
    assert not re.search(pattern, REFERENCE.lower())


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_example_that_people_are_shown_is_a_reference(language: wording.Language) -> None:
    example = re.search(
        r"R-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", wording.rule("reference_shape", {}, language)
    )
    assert example is not None
    assert is_reference(example.group())


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_a_mistyped_reference_is_repeated_to_whoever_typed_it(language: wording.Language) -> None:
    with pytest.raises(PydanticCustomError) as broken:
        parse_reference("r7k3m9qx281fh")
    told = wording.rule(broken.value.type, broken.value.context or {}, language)
    assert "R-7K3M-9QX2-81FH" in told
