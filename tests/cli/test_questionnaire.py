"""`casetrail questionnaire`: on files, without any system."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from services.intake.source import parse, read_source
from tests.cli.conftest import Casetrail
from tests.intake.forms import document, item, when
from tests.intake.test_fhir import PHQ


def written(nowhere: Casetrail, name: str, *items: dict[str, object], **more: object) -> str:
    (nowhere.cwd / name).write_text(
        yaml.safe_dump(document(*items, **more), sort_keys=False), encoding="utf-8"
    )
    return name


def test_what_is_shipped_is_sound(nowhere: Casetrail) -> None:
    done = nowhere("questionnaire", "lint")
    assert (done.code, done.out, done.err) == (0, "7 looked at, nothing is wrong.\n", "")


def test_findings_are_told_by_file_and_line(nowhere: Casetrail) -> None:
    written(nowhere, "a.yaml", item("b", enableWhen=[when("nobody", "x")]))
    (nowhere.cwd / "c.json").write_text("{")
    done = nowhere("questionnaire", "lint", "a.yaml", "c.json")
    assert done.code == 3
    first, second = done.out.splitlines()
    assert first.startswith("a.yaml:")
    assert "no item has this linkId (question_unknown)" in first
    assert second.startswith("c.json:1: is not valid YAML")
    found = nowhere("questionnaire", "lint", ".", "--json").lines
    assert [(each["file"], each["code"]) for each in found] == [
        ("a.yaml", "question_unknown"),
        ("c.json", "not_yaml"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("lint", "nowhere.yaml"), 2, "nowhere.yaml cannot be read: No such file or directory"),
        (("lint", "empty"), 2, "empty holds no questionnaires"),
        (("show", "nowhere"), 2, "cannot be read"),
        (("show", "bad.yaml"), 3, "bad.yaml:1: holds nothing"),
        (("diff", "other", "nowhere"), 2, "cannot be read"),
        (("import", "bad.yaml"), 2, "is not valid JSON"),
    ],
)
def test_wrong_input_is_told(nowhere: Casetrail, arguments: tuple[str, ...], code: int, said: str) -> None:
    (nowhere.cwd / "empty").mkdir()
    (nowhere.cwd / "bad.yaml").write_text("")
    done = nowhere("questionnaire", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert "Traceback" not in done.err


def test_it_is_shown_in_the_language_of_the_reader(nowhere: Casetrail) -> None:
    polish = nowhere.having(CASETRAIL_LANG="pl")("questionnaire", "show", "other")
    assert polish.out.startswith("Inna sprawa  (https://casetrail.example/questionnaires/other|1.0, active)")
    assert "pytanie, jeśli urgency != can-wait" in polish.out
    assert nowhere("questionnaire", "show", "other", "--lang", "en").out.startswith("Something else")


def test_what_changed_is_told(nowhere: Casetrail) -> None:
    before = written(nowhere, "1.yaml", item("a"))
    after = written(nowhere, "2.yaml", item("a", required=True), version="2")
    done = nowhere("questionnaire", "diff", before, after)
    assert done.out.splitlines() == ["questionnaire: version: '1' -> '2'", "a: required: nothing -> 'yes'"]
    assert nowhere("questionnaire", "diff", before, before).out == "They are the same.\n"


def test_it_is_walked_through_as_a_partner_would(nowhere: Casetrail) -> None:
    answers = ["We moved", "9", "1", "31.02.2026", "", "<", "", "Another wish", "3", "", "", ""]
    done = nowhere("questionnaire", "try", "other", "--json", stdin="\n".join([*answers, ""]).encode())
    assert done.code == 0
    assert "is none of the answers to choose from" in done.err
    assert "must be a date" in done.err
    assert done.object["answers"]["urgency"] in (["blocking"], ["can-wait"])
    assert done.object["missing"] == []


def test_the_end_of_input_ends_a_walk_and_says_what_is_missing(nowhere: Casetrail) -> None:
    done = nowhere("questionnaire", "try", "other", "--json", stdin=b"We moved\n")
    assert (done.code, done.object["missing"]) == (0, ["urgency"])


def test_fhir_comes_in_and_goes_out(nowhere: Casetrail, tmp_path: Path) -> None:
    (nowhere.cwd / "phq.json").write_text(json.dumps(PHQ))
    done = nowhere("questionnaire", "import", "phq.json", "--topic", "health")
    assert done.code == 0
    assert "left out: publisher" in done.err
    imported = parse(read_source("phq.yaml", done.out.encode()))
    assert imported.topic == "health"
    (nowhere.cwd / "phq.yaml").write_text(done.out)
    exported = json.loads(nowhere("questionnaire", "show", "phq.yaml", "--fhir").out)
    assert exported["item"][0]["answerOption"][0]["valueCoding"]["display"] == "Not at all"
    (nowhere.cwd / "outside.json").write_text(
        json.dumps({**PHQ, "item": [{"linkId": "1", "type": "quantity"}]})
    )
    refused = nowhere("questionnaire", "import", "outside.json")
    assert (refused.code, refused.out) == (3, "")
    assert "item[0].type: the type quantity is not supported" in refused.err
