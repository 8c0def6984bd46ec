"""Questionnaires to FHIR R5 and back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.questionnaire import Questionnaire as FhirQuestionnaire

from services.intake.fhir import OutsideTheSubset, export, read
from services.intake.questionnaire import Questionnaire
from services.intake.source import parse, shipped
from tests.intake.forms import form, group, item, when

SHIPPED = [(each.file, parse(each)) for each in shipped()]

EVERYTHING = form(
    item("display", "display"),
    item("string", help={"en": "Help"}, minLength=2, maxLength=5, required=True),
    item("text", "text"),
    item("boolean", "boolean"),
    item("integer", "integer", minValue=1, maxValue=9),
    item("decimal", "decimal", minValue="0.5", maxValue="9.25"),
    item("date", "date", minValue="2026-01-01", maxValue="today+1y"),
    item("choice", "choice", repeats=True, minOccurs=1, maxOccurs=2, codes=("a", "b")),
    item("url", "url"),
    item("email", "email"),
    item("file", "attachment", repeats=True, maxOccurs=3),
    group(
        "group",
        item("merchant", identifier="merchant"),
        enableWhen=[
            when("boolean", True),
            when("integer", 3, ">"),
            when("decimal", "1.5", "<="),
            when("date", "2026-06-01", ">="),
            when("choice", "a", "!="),
            when("string", "x"),
            when("text", True, "exists"),
        ],
        enableBehavior="any",
    ),
    keywords={"en": ["word", "two words"]},
    examples={"en": ["It does not work"]},
    ticketTitle={"en": "About {string}"},
    messageItem="text",
)


def as_json(resource: dict[str, Any]) -> str:
    return json.dumps(resource, default=lambda number: float(number) if isinstance(number, Decimal) else None)


@pytest.mark.parametrize(
    "questionnaire",
    [EVERYTHING, *(each for _, each in SHIPPED)],
    ids=["everything", *(name for name, _ in SHIPPED)],
)
def test_an_export_is_fhir_r5_and_is_read_back_as_it_was(questionnaire: Questionnaire) -> None:
    exported = as_json(export(questionnaire))
    resource = FhirQuestionnaire.model_validate_json(exported)
    assert resource.url == questionnaire.url
    assert [each.linkId for each in resource.item or ()] == [each.link_id for each in questionnaire.item]
    imported = read(json.loads(resource.model_dump_json()))
    assert imported.questionnaire.document() == questionnaire.document()
    assert imported.left_out == ()


def test_what_fhir_has_words_for_is_said_in_them() -> None:
    exported = export(EVERYTHING)
    items = {each["linkId"]: each for each in exported["item"]}
    assert items["choice"]["type"] == "coding"
    assert items["choice"]["answerConstraint"] == "optionsOnly"
    assert items["string"]["item"][0]["type"] == "display"
    assert items["group"]["enableWhen"][0] == {"question": "boolean", "operator": "=", "answerBoolean": True}
    assert items["group"]["enableWhen"][4]["answerCoding"] == {"code": "a"}
    assert items["group"]["enableBehavior"] == "any"
    assert {
        "url": "http://hl7.org/fhir/StructureDefinition/minValue", "valueInteger": 1,
    } in items["integer"]["extension"]  # fmt: skip


PHQ: dict[str, Any] = {
    "resourceType": "Questionnaire",
    "id": "two-items",
    "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/Questionnaire"]},
    "url": "http://clinic.example/Questionnaire/two-items",
    "version": "2.0",
    "name": "TwoItems",
    "title": "Two items",
    "status": "active",
    "subjectType": ["Patient"],
    "publisher": "A clinic",
    "item": [
        {
            "linkId": "1",
            "code": [{"system": "http://loinc.org", "code": "44250-9"}],
            "text": "Little interest or pleasure in doing things?",
            "type": "choice",
            "required": True,
            "answerOption": [
                {"valueCoding": {"system": "http://loinc.org", "code": "LA6568-5", "display": "Not at all"}},
                {
                    "valueCoding": {
                        "system": "http://loinc.org",
                        "code": "LA6569-3",
                        "display": "Some days",
                    }
                },
            ],
        },
        {
            "linkId": "2",
            "text": "Since when?",
            "type": "date",
            "enableWhen": [
                {
                    "question": "1",
                    "operator": "=",
                    "answerCoding": {"system": "http://loinc.org", "code": "LA6569-3"},
                }
            ],
        },
    ],
}


def test_a_questionnaire_of_somebody_else_is_read_and_what_it_loses_is_named() -> None:
    imported = read(PHQ, topic="health")
    items = imported.questionnaire.items
    assert [option.code for option in items["1"].answer_option] == ["la6568-5", "la6569-3"]
    assert items["2"].enable_when[0].answer == "la6569-3"
    assert imported.questionnaire.topic == "health"
    assert {each.path for each in imported.left_out} == {
        "id",
        "meta",
        "name",
        "subjectType",
        "publisher",
        "item[0].code",
        "item[0].answerOption[0].valueCoding.system",
        "item[0].answerOption[1].valueCoding.system",
    }


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"type": "quantity"}, "item[1].type"),
        ({"type": "open-choice"}, "item[1].type"),
        ({"type": "question"}, "item[1].type"),
        ({"initial": [{"valueDate": "2026-01-01"}]}, "item[1].initial"),
        ({"readOnly": True}, "item[1].readOnly"),
        ({"answerValueSet": "http://x"}, "item[1].answerValueSet"),
        ({"prefix": "2."}, "item[1].prefix"),
        ({"extension": [{"url": "http://hl7.org/fhir/x", "valueString": "y"}]}, "item[1].extension[0]"),
        ({"text": None}, "item[1].text"),
        ({"linkId": "/2"}, "item[1].linkId"),
        (
            {"enableWhen": [{"question": "1", "operator": "=", "answerQuantity": {"value": 1}}]},
            "item[1].enableWhen[0].answerQuantity",
        ),
        ({"maxLength": 5}, "item[1]"),
    ],
)
def test_what_is_outside_the_subset_is_refused_by_its_path(change: dict[str, Any], path: str) -> None:
    second = {name: value for name, value in {**PHQ["item"][1], **change}.items() if value is not None}
    with pytest.raises(OutsideTheSubset) as refused:
        read({**PHQ, "item": [PHQ["item"][0], second]})
    assert path in {each.path for each in refused.value.outside}


@pytest.mark.parametrize("resource", [None, [], {}, {"resourceType": "Patient"}, "text"])
def test_what_is_no_questionnaire_is_refused(resource: object) -> None:
    with pytest.raises(OutsideTheSubset, match="resourceType"):
        read(resource)
