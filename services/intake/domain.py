"""The rules of intake: questionnaires as they are published, and submissions.

    publish / retire / submit (command, state) -> facts     what a command does; () if it was done before
    evolve_version / evolve_submission (state, fact)         what a fact changes

A version of a questionnaire is published once and never changes; it may be retired and offered again. A
submission is one fact: whoever has read it can open the ticket. Whether the answers are right was decided
before; here is decided only that the same thing does not happen twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, assert_never


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts, by pseudonym."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """Something by which the ticket can be found again."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in words, with the question as it was worded."""

    link_id: str
    question: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that was uploaded for the account. `size` in bytes."""

    id: str
    name: str
    media_type: str
    size: int
    sha256: str


# Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What every fact says besides itself: which command made it, and when (UTC)."""

    command_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Published(Fact):
    """A version may be answered. `canonical` is `url|version`; `sha256` is of what may not change."""

    canonical: str
    sha256: str
    document: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired(Fact):
    """A version is not offered any more."""

    canonical: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted(Fact):
    """Somebody asks for a ticket."""

    id: str
    account: str
    questionnaire: str
    topic: str
    language: str
    by: Actor
    title: str
    message: str
    answers: tuple[Answer, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    follows: str | None = None


VersionFact = Published | Retired


# Refusals


class Refusal(Exception):
    """A rule said no, and nothing happened. `code` is stable; `data` is what a person may be told."""

    code: ClassVar[str]

    def __init__(self, **data: str | int) -> None:
        super().__init__(self.code)
        self.data = data


class PublishedOtherwise(Refusal):
    """This version is published with another content: it needs a version of its own."""

    code = "questionnaire_published_otherwise"


class NotPublished(Refusal):
    """Only what was published can be retired."""

    code = "questionnaire_not_found"


# State


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: the revision that it made."""

    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a questionnaire."""

    canonical: str
    sha256: str
    is_retired: bool
    revision: int
    done: Mapping[str, Done]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A submission, which never changes."""

    submitted: Submitted
    revision: int
    done: Mapping[str, Done]


def evolve_version(version: Version | None, fact: VersionFact) -> Version:
    """The version after one more fact."""
    match fact:
        case Published() if version is None:
            return Version(
                canonical=fact.canonical,
                sha256=fact.sha256,
                is_retired=False,
                revision=1,
                done=MappingProxyType({fact.command_id: Done(1)}),
            )
        case Published() | Retired() if version is not None:
            revision = version.revision + 1
            done = MappingProxyType({**version.done, fact.command_id: Done(revision)})
            return replace(version, is_retired=isinstance(fact, Retired), revision=revision, done=done)
        case _:
            raise TypeError("the facts of a questionnaire do not begin with its publication")


def evolve_submission(submission: Submission | None, fact: Submitted) -> Submission:
    """The submission that the fact makes."""
    if submission is not None:
        raise TypeError(f"submission {fact.id} is there twice")
    return Submission(submitted=fact, revision=1, done=MappingProxyType({fact.command_id: Done(1)}))


def decide_version(fact: VersionFact, version: Version | None) -> tuple[VersionFact, ...]:
    """The fact, unless things are like that already.

    Raises:
        PublishedOtherwise: the version has another content.
        NotPublished: there is nothing to retire.
    """
    match fact:
        case Published():
            if version is None:
                return (fact,)
            if version.sha256 != fact.sha256:
                raise PublishedOtherwise(questionnaire=fact.canonical)
            return (fact,) if version.is_retired else ()
        case Retired():
            if version is None:
                raise NotPublished(questionnaire=fact.canonical)
            return () if version.is_retired else (fact,)
        case _:
            assert_never(fact)


def decide_submission(fact: Submitted, submission: Submission | None) -> tuple[Submitted, ...]:
    """The fact, unless it was submitted before: whoever asks again has the answer of the first time."""
    return (fact,) if submission is None else ()
