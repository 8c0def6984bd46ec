"""The rules of published questionnaires and of submissions, as tables; each is run twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Final

import pytest
from pydantic_core import to_json

from contracts.envelope import Via
from services.intake import translate
from services.intake.domain import (
    Actor,
    Answer,
    Attachment,
    Done,
    Identifier,
    NotPublished,
    Published,
    PublishedOtherwise,
    Refusal,
    Retired,
    Submission,
    Submitted,
    Version,
    VersionFact,
    decide_submission,
    decide_version,
    evolve_submission,
    evolve_version,
)
from services.intake.submission import MAX_SUBMISSION_BYTES, check_fits
from services.runtime.errors import Malformed

CANONICAL: Final = "https://casetrail.example/questionnaires/feeds|1"
NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def published(command_id: str = "p1", sha256: str = "a" * 64) -> Published:
    return Published(
        command_id=command_id, at=NOON, canonical=CANONICAL, sha256=sha256, document={"version": "1"}
    )


def retired(command_id: str = "r1") -> Retired:
    return Retired(command_id=command_id, at=NOON + timedelta(days=1), canonical=CANONICAL)


SUBMITTED: Final = Submitted(
    command_id="submit.d1",
    at=NOON,
    id="d1",
    account="acme",
    questionnaire=CANONICAL,
    topic="feeds",
    language="pl",
    by=Actor("member", "jan"),
    title="Plik oferty",
    message="Dzień dobry,\nnie działa.",
    answers=(Answer("kind", "Który plik?", ("Terminy", "Placówki")),),
    identifiers=(Identifier("merchant", "M-1"),),
    attachments=(Attachment("b" * 26, "zrzut.png", "image/png", 48, "c" * 64),),
    follows="4830291741",
)


@dataclass(frozen=True)
class Scenario:
    """What happened to a version, and what is asked of it."""

    facts: tuple[VersionFact, ...]
    asked: VersionFact | None = None

    def when(self, asked: VersionFact) -> Scenario:
        return replace(self, asked=asked)

    @property
    def version(self) -> Version | None:
        return _version(self.facts)

    def then(self, *expected: VersionFact) -> None:
        """These facts, and no more if it is asked again once they are on record."""
        assert self.asked is not None
        assert decide_version(self.asked, self.version) == expected
        assert decide_version(self.asked, _version((*self.facts, *expected))) == ()

    def refused(self, reason: type[Refusal]) -> None:
        assert self.asked is not None
        with pytest.raises(reason) as refusal:
            decide_version(self.asked, self.version)
        assert refusal.value.data == {"questionnaire": CANONICAL}
        assert refusal.value.code == reason.code


def given(*facts: VersionFact) -> Scenario:
    return Scenario(facts)


def _version(facts: tuple[VersionFact, ...]) -> Version | None:
    nothing: Version | None = None
    return reduce(evolve_version, facts, nothing)


OTHERWISE: Final = published("p2", "b" * 64)


@pytest.mark.parametrize(
    "scenario",
    [
        lambda: given().when(published()).then(published()),
        lambda: given(published()).when(published("p2")).then(),
        lambda: given(published(), retired()).when(published("p2")).then(published("p2")),
        lambda: given(published()).when(retired()).then(retired()),
        lambda: given(published(), retired()).when(retired("r2")).then(),
        lambda: given(published(), retired(), published("p2")).when(retired("r2")).then(retired("r2")),
        lambda: given(published()).when(OTHERWISE).refused(PublishedOtherwise),
        lambda: given(published(), retired()).when(OTHERWISE).refused(PublishedOtherwise),
        lambda: given().when(retired()).refused(NotPublished),
    ],
    ids=[
        "a new version is published",
        "a published version is published once",
        "a retired version is offered again",
        "a published version is retired",
        "a retired version is retired once",
        "a version offered again is retired again",
        "a published version never changes",
        "a retired version never changes",
        "what was never published is not retired",
    ],
)
def test_what_is_asked_of_a_version_is_done_once_or_refused(scenario: Callable[[], None]) -> None:
    scenario()


def test_a_version_knows_each_command_that_changed_it() -> None:
    version = _version((published("p1"), retired("r1"), published("p2")))
    assert version is not None
    assert (version.revision, version.is_retired) == (3, False)
    assert version.done == {"p1": Done(1), "r1": Done(2), "p2": Done(3)}


def test_what_was_published_stays_through_every_change() -> None:
    version = _version((published(), retired(), published("p2"), retired("r2")))
    assert version is not None
    assert (version.canonical, version.sha256, version.is_retired) == (CANONICAL, "a" * 64, True)


def test_the_facts_of_a_version_begin_with_its_publication() -> None:
    with pytest.raises(TypeError, match="begin with its publication"):
        evolve_version(None, retired())


def test_a_draft_is_submitted_once() -> None:
    nothing: Submission | None = None
    assert decide_submission(SUBMITTED, nothing) == (SUBMITTED,)
    submission = evolve_submission(nothing, SUBMITTED)
    assert decide_submission(SUBMITTED, submission) == ()
    assert decide_submission(replace(SUBMITTED, message="Another"), submission) == ()
    assert submission.done == {"submit.d1": Done(1)}
    assert submission.submitted == SUBMITTED


def test_a_submission_that_is_there_twice_is_a_fault() -> None:
    with pytest.raises(TypeError, match="d1 is there twice"):
        evolve_submission(evolve_submission(None, SUBMITTED), SUBMITTED)


@pytest.mark.parametrize(
    "fact",
    [published(), retired(), SUBMITTED, replace(SUBMITTED, answers=(), attachments=(), follows=None)],
    ids=["published", "retired", "submitted", "submitted with the least"],
)
def test_every_fact_comes_back_from_its_event_as_it_was(fact: translate.IntakeFact) -> None:
    stored = to_json(translate.event(fact, _circumstances()))
    read = translate.read_submission_fact if isinstance(fact, Submitted) else translate.read_version_fact
    assert read("", stored) == fact


def test_an_event_of_the_other_kind_is_a_fault() -> None:
    version, submission = (
        to_json(translate.event(fact, _circumstances())) for fact in (published(), SUBMITTED)
    )
    with pytest.raises(TypeError):
        translate.read_version_fact("", submission)
    with pytest.raises(TypeError):
        translate.read_submission_fact("", version)


def _circumstances() -> translate.Circumstances:
    return translate.Circumstances(
        event_id="018f0000-0000-7000-8000-000000000001",
        subject="d1",
        revision=1,
        via=Via.PORTAL,
        actor=Actor("member", "jan"),
        correlation_id="c1",
        traceparent=None,
    )


def test_a_submission_that_no_event_can_hold_is_told_how_long_it_is() -> None:
    check_fits(SUBMITTED)
    long = tuple(Answer(f"q{n}", "?", ("x" * 60_000,)) for n in range(15))
    with pytest.raises(Malformed) as refused:
        check_fits(replace(SUBMITTED, answers=long))
    assert (refused.value.field, refused.value.rule) == ("answers", "answers_too_long")
    assert int(refused.value.data["size"]) > int(refused.value.data["limit"]) == MAX_SUBMISSION_BYTES
