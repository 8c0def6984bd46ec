"""Requests are strict at every depth, and say which field breaks which rule."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from contracts.registry import REQUESTS
from contracts.requests import Sent
from contracts.tickets.requests import (
    GetTicket,
    ListTickets,
    LookUp,
    OpenTicket,
    ReplyToTicket,
    TicketHistory,
)
from tests.contracts.documents import FULL, NUMBER, Document, Path, paths, replaced

MODELS = [request.asks for request in REQUESTS.values()]

by_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


def broken_rules(model: type[BaseModel], document: object) -> list[tuple[str, str]]:
    """The fields and the rules that they break, as a caller is told them."""
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    try:
        model.model_validate_json(payload)
    except ValidationError as invalid:
        return [(".".join(map(str, error["loc"])), error["type"]) for error in invalid.errors()]
    return []


def dotted(path: Path) -> str:
    return ".".join(map(str, path))


def models_within(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = (models_within(field.annotation) for field in annotation.model_fields.values())
        return {annotation}.union(*inner)
    return set[type[BaseModel]]().union(*map(models_within, get_args(annotation)))


@by_model
def test_a_full_request_is_accepted_and_uses_every_field(model: type[Sent]) -> None:
    request = model.model_validate_json(json.dumps(FULL[model]))
    unused = set(model.model_fields) - request.model_fields_set
    # Only one of the as_of may be given, and `after` goes with another order.
    assert unused <= {"as_of_revision", "as_of_position", "after"}
    assert model.model_validate_json(request.model_dump_json()) == request


@by_model
def test_every_model_in_a_request_is_strict_and_knows_all_its_fields(model: type[Sent]) -> None:
    for part in models_within(model):
        assert (part.model_config.get("extra"), part.model_config.get("strict")) == ("forbid", True), part


@by_model
def test_an_unknown_field_is_refused_at_every_depth(model: type[Sent]) -> None:
    document = FULL[model]
    objects = [path for path in paths(document) if isinstance(value_at(document, path), dict)]
    for path in objects:
        if path == ("answers",):  # the names are the questionnaire's
            continue
        unknown = (*path, "surprise")
        assert broken_rules(model, replaced(document, unknown, 1)) == [(dotted(unknown), "extra_forbidden")]


@by_model
def test_a_value_of_another_type_is_refused_where_it_stands(model: type[Sent]) -> None:
    document = FULL[model]
    for path in paths(document)[1:]:
        for wrong in wrong_for(value_at(document, path)):
            broken = broken_rules(model, replaced(document, path, wrong))
            assert [field for field, _ in broken] == [dotted(path)], (path, wrong, broken)


@by_model
def test_a_required_field_is_missed_by_name(model: type[Sent]) -> None:
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    assert broken_rules(model, {}) == [(name, "missing") for name in required]


@by_model
@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        (b"", "json_invalid"),
        (b"{", "json_invalid"),
        (b"\xff\xfe", "json_invalid"),
        (b'{"account": "\xff"}', "json_invalid"),
        (b'{"account": "\\ud800"}', "json_invalid"),
        (b'{"account": "a\x00b"}', "json_invalid"),
        (b"[" * 100_000, "json_invalid"),
        (b'{"at_least": ' + b"9" * 5000 + b"}", "json_invalid"),
        (b"null", "model_type"),
        (b"[]", "model_type"),
        (b'"text"', "model_type"),
    ],
    ids=[
        "empty",
        "cut",
        "utf-16",
        "not utf-8",
        "surrogate",
        "NUL",
        "deep",
        "huge number",
        "null",
        "list",
        "text",
    ],
)
def test_what_is_no_json_object_is_refused_as_a_whole(model: type[Sent], payload: bytes, rule: str) -> None:
    assert broken_rules(model, payload) == [("", rule)]


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("model", "path", "value", "rule"),
    [
        (ReplyToTicket, ("text",), "x" * (64 * 1024 + 1), "text_too_long"),
        (ReplyToTicket, ("text",), "x" * 5 * MIB, "text_too_long"),
        (ReplyToTicket, ("text",), "a\x00b", "text_control_character"),
        (ReplyToTicket, ("text",), "\n", "text_blank"),
        (ReplyToTicket, ("number",), "4830291742", "number_check_digit"),
        (ReplyToTicket, ("number",), "12", "number_shape"),
        (ReplyToTicket, ("account",), "events.>", "account_id_shape"),
        (ReplyToTicket, ("command_id",), "x" * 65, "command_id_shape"),
        (ReplyToTicket, ("actor", "kind"), "root", "enum"),
        (ReplyToTicket, ("actor", "id"), "anna@example.com", "person_id_shape"),
        (ReplyToTicket, ("via",), "fax", "enum"),
        (OpenTicket, ("title",), "x" * 201, "string_too_long"),
        (OpenTicket, ("title",), "two\nlines", "text_control_character"),
        (OpenTicket, ("questionnaire",), "x" * 129, "string_too_long"),
        (OpenTicket, ("identifiers",), [{"kind": "k", "value": "v"}] * 21, "too_long"),
        (OpenTicket, ("identifiers", 0, "value"), "x" * 129, "string_too_long"),
        (OpenTicket, ("answers", 0, "values"), [], "too_short"),
        (OpenTicket, ("answers", 0, "values"), ["x"] * 21, "too_long"),
        (OpenTicket, ("answers", 0, "question"), "x" * 1001, "string_too_long"),
        (OpenTicket, ("answers", 0, "values", 1), "x" * (64 * 1024 + 1), "text_too_long"),
        (OpenTicket, ("answers",), [{"link_id": "1", "question": "?", "values": ["v"]}] * 201, "too_long"),
        (
            OpenTicket,
            ("answers",),
            [{"link_id": "1", "question": "?", "values": ["x" * 60_000] * 5}],
            "answers_too_long",
        ),
        (GetTicket, ("at_least",), -1, "greater_than_equal"),
        (GetTicket, ("at_least",), 2**63, "less_than"),
        (GetTicket, ("as_of_revision",), 0, "greater_than_equal"),
        (GetTicket, ("as_of_revision",), 2**63, "less_than"),
        (GetTicket, ("as_of_position",), 2**63, "less_than"),
        (GetTicket, ("as_of_time",), "yesterday", "datetime_parsing"),
        (GetTicket, ("as_of_time",), "2026-02-30T00:00:00Z", "datetime_parsing"),
        (GetTicket, ("as_of_time",), "2026-11-20T09:00:00", "timezone_aware"),
        (GetTicket, ("as_of_time",), "0001-01-01T00:00:00+10:00", "time_out_of_range"),
        (GetTicket, ("as_of_time",), "9999-12-31T23:59:59-01:00", "time_out_of_range"),
        (TicketHistory, ("after_revision",), -1, "greater_than_equal"),
        (TicketHistory, ("after_revision",), 2**63, "less_than"),
        (TicketHistory, ("limit",), 501, "less_than_equal"),
        (ListTickets, ("limit",), 0, "greater_than_equal"),
        (ListTickets, ("limit",), 201, "less_than_equal"),
        (ListTickets, ("words",), "x" * 129, "string_too_long"),
        (ListTickets, ("identifier", "kind"), "Merchant ID", "code_shape"),
        (LookUp, ("value",), " ", "text_blank"),
        (LookUp, ("limit",), 51, "less_than_equal"),
    ],
)
def test_a_limit_is_named_with_its_field(model: type[Sent], path: Path, value: object, rule: str) -> None:
    document = replaced(FULL[model], path, value)
    if path[0] in {"as_of_revision", "as_of_position"}:
        document.pop("as_of_time")
    assert broken_rules(model, document) == [(dotted(path), rule)]


def test_several_fields_are_told_at_once() -> None:
    document = {**FULL[ReplyToTicket], "number": "1", "text": "", "account": "A"}
    assert broken_rules(ReplyToTicket, document) == [
        ("account", "account_id_shape"),
        ("number", "number_shape"),
        ("text", "text_blank"),
    ]


def test_only_one_moment_can_be_asked_for() -> None:
    asked: Document = {"number": NUMBER, "as_of_revision": 1, "as_of_position": 1}
    assert broken_rules(GetTicket, asked) == [("", "as_of_more_than_one")]


def test_the_largest_open_request_fits_into_a_message() -> None:
    # 1 MiB is the limit of a NATS server; a character that JSON escapes takes two bytes.
    document = {
        **FULL[OpenTicket],
        "title": '"' * 200,
        "message": '"' * 64 * 1024,
        "answers": [{"link_id": '"' * 128, "question": '"' * 300, "values": ['"' * 1000]}] * 200,
        "identifiers": [{"kind": "k" * 64, "value": '"' * 128}] * 20,
    }
    request = OpenTicket.model_validate_json(json.dumps(document))
    assert len(request.model_dump_json().encode()) < MIB - 64 * 1024  # leaves room for the event's envelope


def value_at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def wrong_for(value: object) -> list[object]:
    """Values of other JSON types, and those that a lenient reader would turn into the right one."""
    match value:
        case bool():
            return [str(value), int(value), float(value), [value]]
        case int():
            return [str(value), float(value), True, [value]]
        case list():
            return ["text", 1, {}, True, None]
        case dict():
            return ["text", 1, [], True]
        case _:
            return [1, 1.5, True, [value], {"text": value}]
