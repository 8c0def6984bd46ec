"""Golden samples: what was ever written stays readable, and is written again byte for byte."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

import contracts
from contracts.access.events import parse_access_event
from contracts.envelope import Envelope
from contracts.intake.events import parse_intake_event
from contracts.notify.events import parse_notify_event
from contracts.publish import PUBLISHED
from contracts.registry import EVENTS
from contracts.text import MAX_BODY_BYTES
from contracts.tickets.events import parse_ticket_event
from tests.contracts.documents import Path as Steps
from tests.contracts.documents import paths, replaced

CONTRACTS = Path(contracts.__file__).parent
GOLDEN = CONTRACTS / "golden"
SAMPLES = sorted(GOLDEN.glob("*/*.json"))

KINDS_OF_SAMPLE = {"minimal", "full"}
KINDS_OF_TEXT = {"polish", "emoji", "right-to-left", "combining", "quoting", "longest"}
WITH_TEXTS = {
    tag for tag in EVENTS if re.search(r"\.ticket\.|\.account\.|\.person\.(registered|changed)", tag)
}

READERS: Mapping[str, Callable[[bytes], Envelope]] = {
    "/casetrail/tickets": parse_ticket_event,
    "/casetrail/access": parse_access_event,
    "/casetrail/intake": parse_intake_event,
    "/casetrail/notify": parse_notify_event,
}

by_sample = pytest.mark.parametrize(
    "sample", SAMPLES, ids=lambda path: f"{path.parent.name.removeprefix('casetrail.')}/{path.stem}"
)


def test_every_event_version_has_its_samples_and_no_other() -> None:
    assert {folder.name for folder in GOLDEN.iterdir() if folder.is_dir()} == set(EVENTS)
    for tag in EVENTS:
        wanted = KINDS_OF_SAMPLE | (KINDS_OF_TEXT if tag in WITH_TEXTS else set())
        assert {path.stem for path in (GOLDEN / tag).iterdir()} >= wanted


@by_sample
def test_a_sample_is_read_and_written_again_byte_for_byte(sample: Path) -> None:
    payload = sample.read_bytes()
    event = parsed(payload)
    assert type(event) is EVENTS[sample.parent.name]
    assert event.model_dump_json(exclude_unset=True).encode() == payload


@by_sample
def test_a_sample_is_what_the_published_schema_describes(sample: Path) -> None:
    schema = json.loads((PUBLISHED / "events" / f"{sample.parent.name}.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(sample.read_bytes())
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(document)
    for required in ("type", "data", "specversion"):  # a schema that accepts anything would pass above
        assert not validator.is_valid({key: value for key, value in document.items() if key != required})


@by_sample
def test_a_reader_ignores_what_later_versions_add_at_any_depth(sample: Path) -> None:
    event = parsed(sample.read_bytes())
    document: Any = json.loads(sample.read_bytes())
    objects = [path for path in paths(document) if isinstance(_at(document, path), dict)]
    for path in objects:
        if "document" in path:  # kept as it was published
            continue
        document = replaced(document, (*path, "added_later"), {"anything": [1, None]})
    assert parsed(json.dumps(document).encode()) == event


def test_the_longest_samples_use_all_the_bytes_that_a_text_may_have() -> None:
    for sample in GOLDEN.glob("casetrail.ticket.*/longest.json"):
        texts = (text for text in _texts(json.loads(sample.read_bytes())))
        assert max(len(text.encode()) for text in texts) == MAX_BODY_BYTES, sample


@by_sample
def test_what_is_personal_stands_under_content_only(sample: Path) -> None:
    document = json.loads(sample.read_bytes())
    document["data"].pop("content", None)
    assert json.dumps(document, ensure_ascii=False).isascii()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"type": "casetrail.ticket.opened.v99"}',
        b'{"type": "casetrail.ticket.opened.v1"}',
    ],
)
def test_what_is_no_event_is_refused(payload: bytes) -> None:
    for parse in READERS.values():
        with pytest.raises(ValidationError):
            parse(payload)


def test_the_event_of_another_log_is_refused() -> None:
    of_ticket = (GOLDEN / "casetrail.ticket.closed.v1" / "minimal.json").read_bytes()
    of_account = (GOLDEN / "casetrail.account.registered.v1" / "minimal.json").read_bytes()
    with pytest.raises(ValidationError):
        parse_access_event(of_ticket)
    with pytest.raises(ValidationError):
        parse_ticket_event(of_account)


def test_the_sample_of_the_readme_is_a_golden_one() -> None:
    page = (CONTRACTS / "README.md").read_text(encoding="utf-8")
    shown = json.loads(page.split("```json\n")[1].split("```")[0])
    assert shown == json.loads((GOLDEN / "casetrail.ticket.closed.v1" / "minimal.json").read_bytes())


def test_committed_samples_are_never_edited_or_removed() -> None:
    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(GOLDEN), *arguments], capture_output=True, check=False, text=True
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    if git("rev-parse", "--is-shallow-repository") != "false" or not git("rev-parse", "--verify", "HEAD"):
        assert os.environ.get("CI") != "true", "the whole git history is needed here"
        pytest.skip("there is no git history")
    log = ("log", "-m", "--full-history", "--no-renames", "--diff-filter=MD", "--name-only", "--format=")
    assert git(*log, "--", "*.json") == ""
    assert git("diff", "HEAD", "--no-renames", "--diff-filter=MD", "--name-only", "--", "*.json") == ""


def parsed(payload: bytes) -> Envelope:
    """The event, read by the reader of its log."""
    return READERS[json.loads(payload)["source"]](payload)


def _at(document: Any, path: Steps) -> Any:
    for step in path:
        document = document[step]
    return document


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inner for text in _texts(part)]
