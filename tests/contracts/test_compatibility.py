"""The check finds every change that would break an old event, an old reader or an old caller."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts import compatibility
from contracts.compatibility import NoHistory, compare, problems
from contracts.publish import documents

Schema = dict[str, Any]
Change = Callable[[Schema], object]

PUBLISHED = {path: json.loads(content) for path, content in documents().items()}
OPENED = "events/casetrail.ticket.opened.v1.json"
CLOSED = "events/casetrail.ticket.closed.v1.json"
OPEN = "requests/tickets.open-ticket.json"
DONE = "answers/tickets.command-done.json"
HISTORY = "answers/tickets.history-page.json"
SUBJECTS = "subjects.json"

THEN = "what was written then"
NOW = "what is written now"


def content(schema: Schema) -> Schema:
    """The schema of the personal part of an opened ticket."""
    found: Schema = schema["$defs"]["OpenedContent"]
    return found


def rename(fields: Schema, old: str, new: str) -> None:
    fields[new] = fields.pop(old)


def add_required(schema: Schema) -> None:
    content(schema)["properties"]["mood"] = {"type": "string"}
    content(schema)["required"].append("mood")


def add_to_request_required(schema: Schema) -> None:
    schema["properties"]["mood"] = {"type": "string"}
    schema["required"].append("mood")


def rename_required(schema: Schema) -> None:
    rename(content(schema)["properties"], "title", "headline")
    content(schema)["required"] = ["headline", "message"]


def broken(path: str, change: Change) -> list[str]:
    changed = copy.deepcopy(PUBLISHED[path])
    change(changed)
    assert changed != PUBLISHED[path]
    return compare(path, PUBLISHED[path], changed)


@pytest.mark.parametrize("path", PUBLISHED)
def test_what_did_not_change_is_compatible(path: str) -> None:
    assert compare(path, PUBLISHED[path], copy.deepcopy(PUBLISHED[path])) == []


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (OPENED, lambda s: content(s)["properties"].update(mood={"type": "string"})),
        (OPENED, lambda s: s["properties"].update(dataschema={"type": "string"})),
        (OPENED, lambda s: content(s)["properties"].update(tags={"type": "array", "default": []})),
        (OPENED, lambda s: s.update(description="Other words", title="Another", examples=[{}])),
        (HISTORY, lambda s: s["$defs"]["RecordedDocument"]["properties"].update(mood={"type": "string"})),
        (DONE, lambda s: s["properties"].update(warning={"type": "string"})),
        (OPEN, lambda s: s["properties"].update(mood={"type": "string"})),
        (OPEN, lambda s: s["$defs"]["Via"]["enum"].append("chat")),
        (OPEN, lambda s: s["properties"]["title"].update(maxLength=400)),
        (OPEN, lambda s: s["properties"]["topic"].pop("pattern")),
        (SUBJECTS, lambda s: s["requests"].update(more={})),
        (SUBJECTS, lambda s: s["requests"]["requests.tickets.open"]["refusals"].append("too_late")),
    ],
)
def test_growing_by_what_is_optional_is_fine(path: str, change: Change) -> None:
    assert broken(path, change) == []


@pytest.mark.parametrize(
    ("change", "where", "promises"),
    [
        (add_required, "data.content", [THEN]),
        (rename_required, "data.content", [THEN, NOW]),
        (lambda s: rename(content(s)["properties"], "identifiers", "ids"), "data.content", [THEN]),
        (lambda s: content(s)["properties"].pop("answers"), "data.content", [THEN]),
        (lambda s: content(s)["required"].remove("message"), "data.content", [NOW]),
        (lambda s: content(s)["required"].append("answers"), "data.content", [THEN]),
        (lambda s: s["$defs"]["Via"]["enum"].remove("email"), "via", [THEN]),
        (lambda s: s["$defs"]["Via"]["enum"].append("chat"), "via", [NOW]),
        (lambda s: s["properties"].update(revision={"type": "string"}), "revision", [THEN, NOW]),
        (lambda s: s["properties"].update(revision={"type": "number"}), "revision", [NOW]),
        (lambda s: s["properties"]["type"].update(const="casetrail.ticket.begun.v1"), "type", [THEN, NOW]),
        (lambda s: content(s)["properties"]["title"].update(maxLength=100), "data.content.title", [THEN]),
        (lambda s: content(s)["properties"]["title"].update(maxLength=400), "data.content.title", [NOW]),
        (lambda s: content(s)["properties"]["answers"].update(maxItems=9), "data.content.answers", [THEN]),
        (lambda s: s["properties"]["revision"].update(minimum=0), "revision", [NOW]),
        (
            lambda s: s["$defs"]["Answer"]["properties"]["values"].update(items={"type": "integer"}),
            "data.content.answers.[].values.[]",
            [THEN, NOW],
        ),
    ],
)
def test_what_breaks_events_is_found_where_it_is(change: Change, where: str, promises: list[str]) -> None:
    found = broken(OPENED, change)
    assert len(found) == len(promises), found
    for problem, promise in zip(found, promises, strict=True):
        assert problem.startswith(f"{where}: {promise}")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (add_to_request_required, "the document"),
        (lambda s: s["properties"].pop("follows"), "the document"),
        (lambda s: rename(s["properties"], "topic", "subject"), "the document"),
        (lambda s: s["$defs"]["Via"]["enum"].remove("email"), "via"),
        (lambda s: s["properties"]["title"].update(maxLength=100), "title"),
        (lambda s: s["properties"].update(title={"type": "integer"}), "title"),
        (lambda s: s["properties"].update(follows={"type": "string"}), "follows"),
        (lambda s: s["$defs"]["SentAnswer"]["required"].append("more"), "answers.[]"),
        (lambda s: s["properties"]["topic"].update(pattern="^[a-z]$"), "topic"),
        (lambda s: s["properties"]["title"].update(pattern="^[a-z]$"), "title"),
    ],
)
def test_what_breaks_old_callers_is_found_where_it_is(change: Change, where: str) -> None:
    (problem,) = broken(OPEN, change)
    assert problem.startswith(f"{where}: ")


@pytest.mark.parametrize(
    ("path", "change", "where"),
    [
        (DONE, lambda s: s["required"].remove("position"), "the document"),
        (DONE, lambda s: s["properties"].pop("position"), "the document"),
        (DONE, lambda s: s["$defs"]["TicketStatus"]["enum"].append("waiting"), "status"),
        (DONE, lambda s: s["properties"]["number"].pop("pattern"), "number"),
        (HISTORY, lambda s: s["properties"].pop("next_after_revision"), "the document"),
        (CLOSED, lambda s: s["properties"]["time"].pop("format"), "time"),
        (CLOSED, lambda s: s["properties"]["traceparent"].update(pattern="^01-"), "traceparent"),
        (SUBJECTS, lambda s: s["streams"].pop("TICKETS"), "streams.TICKETS"),
        (SUBJECTS, lambda s: s["streams"]["TICKETS"].update(subjects=["x.>"]), "streams.TICKETS.subjects"),
        (SUBJECTS, lambda s: s["requests"].pop("requests.tickets.get"), "requests.requests.tickets.get"),
        (SUBJECTS, lambda s: s["events"].popitem(), "events.casetrail"),
    ],
)
def test_what_breaks_those_who_read_answers_and_subjects_is_found(
    path: str, change: Change, where: str
) -> None:
    found = broken(path, change)
    assert found
    assert all(problem.startswith(where) for problem in found), found


def test_a_keyword_that_cannot_be_compared_is_told_rather_than_passed_over() -> None:
    (first, *_) = broken(DONE, lambda s: s["properties"].update(more={"$ref": "urn:elsewhere"}))
    assert "cannot be compared" in first


class Repository:
    """A git repository that publishes one event, in a directory of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def publish(self, change: Change = lambda _: None, *, name: str = OPENED) -> None:
        schema = copy.deepcopy(PUBLISHED[OPENED])
        change(schema)
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(schema))

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def grow(name: str) -> Change:
    return lambda schema: content(schema)["properties"].update({name: {"type": "string"}})


def test_events_that_only_grew_since_every_commit_are_fine(repository: Repository) -> None:
    repository.publish()
    repository.commit()
    repository.publish(grow("mood"))
    repository.commit()
    repository.publish(lambda schema: [grow("mood")(schema), grow("colour")(schema)])
    assert problems(repository.folder) == []


def test_what_is_not_committed_yet_is_compared(repository: Repository) -> None:
    repository.publish()
    repository.commit()
    repository.publish(add_required)
    (problem,) = problems(repository.folder)
    assert problem.startswith(f"{OPENED}: data.content: {THEN}")
    assert repository.git("rev-parse", "HEAD")[:12] in problem


def test_every_version_counts_and_not_only_the_last(repository: Repository) -> None:
    repository.publish(grow("mood"))
    repository.commit()
    repository.publish()  # a broken commit that nobody noticed
    repository.commit()
    repository.publish()
    (problem,) = problems(repository.folder)
    assert problem.startswith(f"{OPENED}: data.content: {THEN}")


def test_what_a_merge_brought_along_counts(repository: Repository) -> None:
    repository.publish()
    repository.commit()
    repository.git("checkout", "--quiet", "-b", "side")
    repository.publish(grow("mood"))
    repository.commit()
    repository.git("checkout", "--quiet", "main")
    repository.commit()
    repository.git("merge", "--quiet", "--strategy=ours", "--message=merge", "side")
    assert len(problems(repository.folder)) == 1


@pytest.mark.parametrize("committed", [True, False])
def test_a_published_file_never_goes_away(repository: Repository, committed: bool) -> None:
    repository.publish()
    repository.commit()
    (repository.folder / OPENED).unlink()
    if committed:
        repository.commit()
    assert problems(repository.folder) == [f"{OPENED}: was published and is gone"]


def test_a_published_file_is_not_renamed(repository: Repository) -> None:
    repository.publish()
    repository.commit()
    repository.git("mv", OPENED, "events/casetrail.ticket.begun.v1.json")
    repository.commit()
    assert problems(repository.folder) == [f"{OPENED}: was published and is gone"]


def test_a_shallow_clone_cannot_tell(repository: Repository, tmp_path: Path) -> None:
    for _ in range(2):
        repository.publish()
        repository.commit()
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=1", f"file://{tmp_path}", str(clone))
    with pytest.raises(NoHistory, match="shallow"):
        problems(clone)


def test_a_repository_without_a_commit_cannot_tell(repository: Repository) -> None:
    with pytest.raises(NoHistory, match="nothing was committed"):
        problems(repository.folder)


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_without_history_the_gate_fails_and_people_are_told(
    ci: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_history() -> list[str]:
        raise NoHistory("the clone is shallow")

    monkeypatch.setattr(compatibility, "problems", no_history)
    monkeypatch.setenv("CI", ci)
    assert compatibility.main() == code
    assert "the clone is shallow" in capsys.readouterr().err


def test_what_is_published_here_keeps_every_promise_it_ever_made() -> None:
    assert compatibility.main() == 0
