"""The table of errors: which exception becomes which answer."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts import wording
from services.runtime.errors import (
    MAX_FIELDS,
    Malformed,
    NotFound,
    Refused,
    Unavailable,
    broken_fields,
    to_reply,
)


class Rule(Exception):
    code = "command_id_reused"

    def __init__(self, **data: str | int) -> None:
        super().__init__(data)
        self.data = data


class NarrowerRule(Rule):
    code = "ticket_is_closed"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    numbers: list[int]


class Outer(BaseModel):
    inner: Inner


def test_a_refusal_has_the_status_of_its_own_class_before_that_of_a_wider_one() -> None:
    statuses: dict[type[Exception], int] = {Rule: 409, NarrowerRule: 404}
    assert to_reply(NarrowerRule(), statuses).status == 404
    assert to_reply(Rule(), statuses).status == 409
    assert to_reply(NarrowerRule(), {Rule: 409}).status == 409


def test_a_refusal_without_a_status_is_a_fault_of_ours() -> None:
    assert to_reply(Rule(), {}).kind == "internal"


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (Refused("busy"), "refused", 409),
        (NotFound("ticket_not_found"), "refused", 404),
        (Malformed("words", "no_words"), "malformed", 400),
        (Unavailable(), "unavailable", 503),
        (OSError("disk"), "internal", 500),
    ],
)
def test_a_kind_has_its_status(error: Exception, kind: str, status: int) -> None:
    reply = to_reply(error, {})
    assert (reply.kind, reply.status) == (kind, status)


def test_the_words_are_those_of_the_contract_and_filled_in() -> None:
    reply = to_reply(NarrowerRule(number="4830291741"), {Rule: 409})
    assert reply.message == wording.refusal("ticket_is_closed", {"number": "4830291741"})
    assert "483-029-1741" in reply.message


def test_a_broken_field_is_named_by_its_path_and_what_was_sent_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as error:
        Outer.model_validate({"inner": {"numbers": [1, "the secret"], "more": "the secret"}})
    fields = broken_fields(error.value)
    assert {(field.field, field.rule) for field in fields} == {
        ("inner.numbers.1", "int_type"),
        ("inner.more", "extra_forbidden"),
    }
    assert "secret" not in str(fields)


def test_of_many_broken_fields_the_first_are_told_and_long_names_are_cut() -> None:
    with pytest.raises(ValidationError) as error:
        Inner.model_validate({"numbers": [], **{f"{n:04}" * 200: n for n in range(3 * MAX_FIELDS)}})
    fields = broken_fields(error.value)
    assert len(fields) == MAX_FIELDS
    assert max(len(field.field) for field in fields) <= 200


def test_a_validation_error_of_our_own_making_is_a_fault_of_ours() -> None:
    with pytest.raises(ValidationError) as error:
        Inner.model_validate({})
    assert to_reply(error.value, {}).kind == "internal"
