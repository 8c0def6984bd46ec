"""The questionnaires that can be answered: published from files, kept for ever by the log.

What is on record of a version is what it is; a file only says that it is to be there. So an answer stays
bound to the words that it was given to, whatever becomes of the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import ValidationError

from services.intake import source, view
from services.intake.lint import lint
from services.intake.questionnaire import Questionnaire, load_document
from services.intake.ranking import Ranking
from services.intake.source import Finding, Source
from services.runtime.ids import derived_id
from services.runtime.recorder import Document
from services.runtime.replica import Replica

INTEREST_TOPIC: Final = "new-partner"
"""The topic of the interest form, which is for those who are no partners yet."""

log = structlog.get_logger()


class FilesInvalid(Exception):
    """Files of questionnaires cannot be published; `str()` has a line for each reason."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))


def version_id(canonical: str) -> str:
    """The id of a version, which follows from `url|version`."""
    return derived_id("questionnaire", canonical)


def content_digest(questionnaire: Questionnaire) -> str:
    """SHA-256 of what may not change once it is published: everything but the status."""
    document = {name: value for name, value in questionnaire.document().items() if name != "status"}
    spelled = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(spelled.encode()).hexdigest()


def from_files(directory: Path | None) -> tuple[tuple[Source, Questionnaire], ...]:
    """The questionnaires of a directory, and those that Casetrail brings along and that are not among them.

    A questionnaire is the same by its url: whoever has a version of their own keeps it, whatever a later
    Casetrail brings along.

    Raises:
        FilesInvalid: a file has findings, or two describe the same version.
        OSError: the directory or a file cannot be read.
    """
    sources: list[Source] = []
    findings: list[Finding] = []
    for path in () if directory is None else source.files_of(directory):
        try:
            sources.append(source.read_file(path))
        except source.SourceInvalid as invalid:
            findings += invalid.findings
    own = {_url(each) for each in sources}
    sources = [*(each for each in source.shipped() if _url(each) not in own), *sources]
    found: dict[str, tuple[Source, Questionnaire]] = {}
    for each in sources:
        if wrong := lint(each):
            findings += wrong
            continue
        questionnaire = source.parse(each)
        if questionnaire.canonical in found:
            other = found[questionnaire.canonical][0].file
            message = f"{questionnaire.canonical} stands in {other} too"
            findings.append(each.finding(("version",), "version_twice", message))
        found[questionnaire.canonical] = each, questionnaire
    if findings:
        raise FilesInvalid(findings)
    return tuple(found.values())


def _url(source: Source) -> object:
    """The url that a file has, before anybody has looked at whether the file is right."""
    return source.document.get("url") if isinstance(source.document, dict) else None


class Catalogue:
    """Every version that was ever published, and those that are offered: of each url the newest."""

    def __init__(self) -> None:
        self._versions: dict[str, Questionnaire] = {}
        self._retired: set[str] = set()
        self._ranking: Ranking | None = None

    def read(self, replica: Replica) -> None:
        """Take in what the replica holds; events after that come by `take_in`."""
        with replica.reading() as cursor:
            for row in view.rows(cursor):
                self._add(row.canonical, row.document)
                if row.is_retired:
                    self._retired.add(row.canonical)

    def take_in(self, documents: Sequence[Document]) -> None:
        """Take in events, in the order of the log."""
        for document in documents:
            data: dict[str, Any] = document.content["data"]
            match document.type:
                case "casetrail.questionnaire.published.v1":
                    self._add(data["questionnaire"], data["document"])
                    self._retired.discard(data["questionnaire"])
                case "casetrail.questionnaire.retired.v1":
                    self._retired.add(data["questionnaire"])
                case _:
                    continue
            self._ranking = None

    def version(self, canonical: str) -> Questionnaire | None:
        """The version `url|version`, offered or not."""
        return self._versions.get(canonical)

    def newest(self, url: str) -> Questionnaire | None:
        """The version that is offered now."""
        return next((each for each in self.offered if each.url == url), None)

    @property
    def offered(self) -> tuple[Questionnaire, ...]:
        """Of each questionnaire the version that was published last and is not retired, by their urls."""
        newest = {each.url: each for name, each in self._versions.items() if name not in self._retired}
        return tuple(newest[url] for url in sorted(newest))

    @property
    def to_partners(self) -> tuple[Questionnaire, ...]:
        """What partners may start: all that is offered, but for the interest form."""
        return tuple(each for each in self.offered if each.topic != INTEREST_TOPIC)

    @property
    def by_topic(self) -> Mapping[str, Questionnaire]:
        """The questionnaire of each topic, offered or else retired. A topic of several has none here."""
        found: dict[str, list[Questionnaire]] = {}
        newest = {each.url: each for each in self._versions.values()}
        for choice in (self.offered, newest.values()):
            those: dict[str, list[Questionnaire]] = {}
            for each in choice:
                those.setdefault(each.topic, []).append(each)
            found = {**those, **found}
        return {topic: each for topic, (each, *others) in found.items() if not others}

    @property
    def ranking(self) -> Ranking:
        """Ranks what is offered to partners."""
        if self._ranking is None:
            self._ranking = Ranking(self.to_partners)
        return self._ranking

    def _add(self, canonical: str, document: object) -> None:
        try:
            questionnaire = load_document(document)
        except ValidationError as error:  # of a later version of this service, as in a rolling upgrade
            log.warning("intake.questionnaire_unknown", questionnaire=canonical, errors=error.error_count())
            return
        self._versions.pop(canonical, None)
        self._versions[canonical] = questionnaire  # the last one, in the order of publication
