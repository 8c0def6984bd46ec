"""What is published: complete, equal to the models, true of what is sent, and under names given once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal, get_args

import jsonschema
import pytest
from pydantic import Field

from contracts import publish
from contracts.access.events import AccessEvent
from contracts.envelope import Envelope
from contracts.intake.events import IntakeEvent
from contracts.notify.events import NotifyEvent
from contracts.publish import PUBLISHED, differences, documents, write
from contracts.registry import EVENTS, REQUESTS, NameTaken, Request, event_types, requests
from contracts.tickets import requests as ticket_requests
from contracts.tickets.events import OpenedV1, RepliedV1, TicketEvent
from tests.contracts.documents import FULL

SCHEMAS = {path: json.loads(content) for path, content in documents().items() if path != "subjects.json"}


def test_what_is_committed_is_what_the_models_say() -> None:
    assert differences() == [], "run python -m contracts.publish"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PUBLISHED, tmp_path / "published"))


def test_a_file_that_is_missing_edited_or_too_many_is_named(published: Path) -> None:
    (published / "error-reply.json").unlink()
    (published / "subjects.json").write_text("{}")
    (published / "events" / "casetrail.ticket.lost.v1.json").write_text("{}")
    named = ["error-reply.json", "events/casetrail.ticket.lost.v1.json", "subjects.json"]
    assert differences(published) == named


def test_writing_mends_what_differs_and_removes_nothing(published: Path) -> None:
    (published / "error-reply.json").unlink()
    (published / "left-over.json").write_text("{}")
    assert write(published) == ["error-reply.json"]
    assert write(published) == []
    assert differences(published) == ["left-over.json"]


def test_the_check_fails_and_names_the_file(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish.main(["--check"]) == 0
    (published / "subjects.json").write_text("{}")
    monkeypatch.setattr(publish, "differences", lambda: differences(published))
    assert publish.main(["--check"]) == 1
    assert capsys.readouterr().err == "subjects.json: differs from the models\n"


@pytest.mark.parametrize("path", SCHEMAS)
def test_a_schema_is_valid_named_and_stands_alone(path: str) -> None:
    schema = SCHEMAS[path]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == "urn:casetrail:schema:" + path.removesuffix(".json").replace("/", ":")
    assert schema["description"]
    assert all(reference.startswith("#/$defs/") for reference in values_of("$ref", schema))


@pytest.mark.parametrize("path", SCHEMAS)
def test_readers_are_open_for_new_fields_and_services_are_not(path: str) -> None:
    sent = path.startswith("requests/")
    objects = [node for node in nodes(SCHEMAS[path]) if "properties" in node and "type" in node]
    assert objects
    assert {node["additionalProperties"] for node in objects} == {not sent}
    assert sent or "null" not in values_of("type", SCHEMAS[path])  # services leave out what has no value


def test_texts_are_bounded_in_characters_and_the_bytes_are_described() -> None:
    text = SCHEMAS["requests/tickets.reply-to-ticket.json"]["properties"]["text"]
    assert (text["minLength"], text["maxLength"]) == (1, 65536)
    assert "65536 bytes in UTF-8" in text["description"]


@pytest.mark.parametrize("model", FULL, ids=lambda model: model.__name__)
def test_a_request_is_what_its_schema_describes(model: type[Any]) -> None:
    (request,) = (request for request in REQUESTS.values() if request.asks is model)
    schema = SCHEMAS[f"requests/{request.published_as(model)}.json"]
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(FULL[model])
    assert not validator.is_valid({**FULL[model], "surprise": 1})
    sent = model.model_validate_json(json.dumps(FULL[model]))
    validator.validate(json.loads(sent.model_dump_json()))
    validator.validate(json.loads(sent.model_dump_json(exclude_none=True)))


def test_the_table_of_subjects_names_schemas_that_are_published() -> None:
    table = json.loads(documents()["subjects.json"])
    named = {table["refusal"], *(event["schema"] for event in table["events"].values())}
    for request in table["requests"].values():
        named |= {request["request"], request["answer"]}
    assert named == {schema["$id"] for schema in SCHEMAS.values()}
    assert set(table["requests"]) == {
        *(f"requests.tickets.{name}" for name in TICKET_REQUESTS),
        *(f"requests.access.{name}" for name in ACCESS_REQUESTS),
        *(f"requests.intake.{name}" for name in INTAKE_REQUESTS),
        *(f"requests.attachments.{name}" for name in ("upload", "download")),
        *(f"requests.notify.{name}" for name in ("mails", "mail", "find", "revive", "test")),
        *(f"requests.notify.{name}" for name in ("received", "received-mail", "original", "raw", "settle")),
    }
    assert set(table["streams"]) == {"TICKETS", "ACCESS", "INTAKE", "NOTIFY", "DEAD_LETTERS"}


TICKET_REQUESTS = (
    "open",
    "reply",
    "close",
    "reopen",
    "get",
    "history",
    "list",
    "lookup",
    "topics",
    "submission",
)
INTAKE_REQUESTS = (
    "offer", "topics", "start", "draft", "drafts", "answer", "back", "review", "submit", "discard",
    "interest_form", "express_interest", "show_interest", "confirm_interest",
)  # fmt: skip
ACCESS_REQUESTS = (
    "admit",
    "register", "change", "invite", "invitation", "accept", "withdraw", "change_role", "remove", "list",
    "people", "whoami", "permissions", "appoint", "dismiss", "link",
    "stop_mail", "change_person", "create_credential",
    "revoke_credential", "list_credentials",
)  # fmt: skip


def test_every_event_that_can_be_read_is_registered() -> None:
    logs = (TicketEvent, AccessEvent, IntakeEvent, NotifyEvent)
    readable = {event for log in logs for event in get_args(get_args(log)[0])}
    assert readable == set(EVENTS.values())


class Impostor(Envelope):
    type: Literal["casetrail.ticket.opened.v1"] = "casetrail.ticket.opened.v1"


class Shouting(Envelope):
    type: Literal["Casetrail.Ticket.Opened"] = "Casetrail.Ticket.Opened"


class Untagged(Envelope):
    type: str = Field()


def test_a_tag_is_never_given_to_a_second_model() -> None:
    with pytest.raises(NameTaken, match=r"casetrail\.ticket\.opened\.v1 is OpenedV1; Impostor needs"):
        event_types([OpenedV1, RepliedV1, Impostor])


@pytest.mark.parametrize("model", [Envelope, Shouting, Untagged])
def test_an_event_without_a_proper_tag_is_refused(model: type[Envelope]) -> None:
    with pytest.raises(ValueError, match="has no type tag"):
        event_types([model])


def request_of(subject: str, asks: Any, answers: Any) -> Request:
    return Request(subject=subject, asks=asks, answers=answers)


def test_a_subject_stands_for_one_request_and_a_name_for_one_model() -> None:
    get = request_of("requests.tickets.get", ticket_requests.GetTicket, ticket_requests.Ticket)
    with pytest.raises(NameTaken, match="two requests"):
        requests([get, get])

    namesake = type("GetTicket", (ticket_requests.TicketHistory,), {})
    with pytest.raises(NameTaken, match="two models"):
        requests([get, request_of("requests.tickets.again", namesake, ticket_requests.Ticket)])


def nodes(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(inner for part in value.values() for inner in nodes(part))]
    if isinstance(value, list):
        return [inner for part in value for inner in nodes(part)]
    return []


def values_of(key: str, schema: Any) -> list[str]:
    return [node[key] for node in nodes(schema) if isinstance(node.get(key), str)]
