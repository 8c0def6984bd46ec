"""The kinds of text: what each lets in, and which rule it names when it does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts import wording
from contracts.text import MAX_BODY_BYTES, AccountId, Body, Code, CommandId, Line, PersonId, ShortLine, Title

ALLOWED_CONTROLS = "\t\n\r"
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]

BODY: TypeAdapter[str] = TypeAdapter(Body)


def rule_broken(kind: Any, value: object) -> tuple[str, dict[str, Any]]:
    with pytest.raises(ValidationError) as broken:
        TypeAdapter(kind).validate_python(value, strict=True)
    (error,) = broken.value.errors(include_url=False)
    return error["type"], error.get("ctx", {})


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(
        lambda text: not text.isspace()
    )
)
def test_a_body_of_any_unicode_is_kept_exactly(text: str) -> None:
    assert BODY.validate_python(text) == text
    assert BODY.validate_json(BODY.dump_json(text)) == text


@pytest.mark.parametrize("character", ["x", "ż", "あ", "\U0001f9e9"])
def test_a_body_is_limited_by_its_bytes_in_utf8(character: str) -> None:
    width = len(character.encode())
    longest = character * (MAX_BODY_BYTES // width) + "x" * (MAX_BODY_BYTES % width)
    assert BODY.validate_python(longest) == longest
    assert rule_broken(Body, longest + "x") == (
        "text_too_long",
        {"size": MAX_BODY_BYTES + 1, "limit": MAX_BODY_BYTES},
    )


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: f"U+{ord(control):04X}")
def test_control_characters_are_refused_by_name_and_place(control: str) -> None:
    named = ("text_control_character", {"code_point": f"{ord(control):04X}", "at": 4})
    assert rule_broken(Title, f"abc{control}") == named
    if control in ALLOWED_CONTROLS:
        assert BODY.validate_python(f"abc{control}") == f"abc{control}"
    else:
        assert rule_broken(Body, f"abc{control}") == named


@pytest.mark.parametrize("separator", ["\u2028", "\u2029"])
def test_a_line_has_no_line_separators_and_a_body_may(separator: str) -> None:
    assert rule_broken(Line, f"a{separator}b")[0] == "text_control_character"
    assert BODY.validate_python(f"a{separator}b")


@pytest.mark.parametrize("kind", [Body, Title, Line, ShortLine, Code, AccountId, PersonId, CommandId])
def test_a_lone_surrogate_is_refused_everywhere(kind: Any) -> None:
    rule, _ = rule_broken(kind, "ab\ud800")
    assert rule in {"text_control_character", "string_unicode"} or rule.endswith("_shape")


@pytest.mark.parametrize("kind", [Body, Title, Line, ShortLine])
@pytest.mark.parametrize("blank", ["", " ", "\u00a0\u3000", "\t\n"])
def test_blank_text_is_refused(kind: Any, blank: str) -> None:
    assert rule_broken(kind, blank) == ("text_blank", {})


@pytest.mark.parametrize(("kind", "limit"), [(Title, 200), (ShortLine, 128), (Line, 1000)])
def test_lines_are_limited_by_their_characters(kind: Any, limit: int) -> None:
    assert TypeAdapter(kind).validate_python("ż" * limit) == "ż" * limit
    assert rule_broken(kind, "ż" * (limit + 1)) == ("string_too_long", {"max_length": limit})


@pytest.mark.parametrize(
    ("kind", "rule", "good", "bad"),
    [
        (
            AccountId,
            "account_id_shape",
            ["ab", "clinic-nova", "a" * 32],
            ["", "a", "A1", "-a", "a.b", "a*", "a>", "a b", "a" * 33, "ab\n", "żó"],
        ),
        (
            PersonId,
            "person_id_shape",
            ["p", "P_1-x", "x" * 64],
            ["", "_a", "a.b", "a:b", "a@b", "x" * 65, "p\n"],
        ),
        (
            CommandId,
            "command_id_shape",
            ["c", "0192f0c4-7d2a", "a.b:c_d", "x" * 64],
            ["", ".a", "a b", "a/b", "x" * 65, "c\n"],
        ),
        (Code, "code_shape", ["a", "merchant-id", "x" * 64], ["", "A", "_a", "a.b", "ą", "x" * 65, "a\n"]),
    ],
)
def test_ids_are_safe_words(kind: Any, rule: str, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert TypeAdapter(kind).validate_python(value) == value
    for value in bad:
        assert rule_broken(kind, value) == (rule, {}), value
        assert "[" not in wording.rule(rule, {}), value


@pytest.mark.parametrize("kind", [Body, Title, Line, ShortLine, Code, AccountId, PersonId, CommandId])
@pytest.mark.parametrize("value", [1, True, None, ["a"], {"a": "b"}, b"ab"])
def test_only_text_is_text(kind: Any, value: object) -> None:
    assert rule_broken(kind, value)[0] == "string_type"
