"""Putting questionnaires on record: each version once, as the files have it when the service starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from contracts import subjects
from contracts.envelope import ActorKind, Via
from contracts.intake.requests import SERVICE
from services.intake import domain, translate
from services.intake.catalogue import FilesInvalid, content_digest, version_id
from services.intake.questionnaire import Questionnaire, Status
from services.intake.source import Source
from services.runtime import aggregate_commands
from services.runtime.aggregate_commands import AggregateCommands, Recording
from services.runtime.ids import uuid7
from services.runtime.log import Log
from services.runtime.replica import Replica

CACHED_VERSIONS: Final = 200

_ACTOR: Final = domain.Actor(ActorKind.SYSTEM.value, SERVICE)

log = structlog.get_logger()


class Cache(aggregate_commands.Cache[domain.Version, domain.VersionFact]):
    """Versions of questionnaires."""

    def __init__(self) -> None:
        super().__init__(size=CACHED_VERSIONS, read=translate.read_version_fact, evolve=domain.evolve_version)


class Publishing:
    """Publishes and retires versions. Replicas that start together publish the same thing once."""

    def __init__(
        self,
        log: Log,
        replica: Replica,
        cache: Cache,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._versions: AggregateCommands[domain.Version, domain.VersionFact] = AggregateCommands(
            log, replica, cache, refusal=domain.Refusal, certain=(domain.PublishedOtherwise,)
        )
        self._replica = replica

    async def publish(self, found: Sequence[tuple[Source, Questionnaire]]) -> int:
        """Put on record what the files say and the log does not; returns the position of the last event.

        Raises:
            FilesInvalid: a version is published with another content. It needs a version of its own.
        """
        wrong = []
        position = 0
        for source, questionnaire in found:
            try:
                position = max(position, await self._put(questionnaire))
            except domain.PublishedOtherwise:
                message = f"{questionnaire.canonical} is published with another content: change the version"
                wrong.append(source.finding(("version",), "published_otherwise", message))
        if wrong:
            raise FilesInvalid(wrong)
        return position

    async def _put(self, questionnaire: Questionnaire) -> int:
        """The position of the event, 0 if there was nothing to put on record."""
        canonical = questionnaire.canonical
        version = (await self._versions.loaded(version_id(canonical))).state
        command_id = uuid7()  # nobody asks for it: whoever starts a process looks at what is there
        fact: domain.VersionFact
        if questionnaire.status is Status.ACTIVE:
            fact = domain.Published(
                command_id=command_id,
                at=self._now(),
                canonical=canonical,
                sha256=content_digest(questionnaire),
                document=questionnaire.document(),
            )
        elif questionnaire.status is Status.RETIRED and version is not None:
            fact = domain.Retired(command_id=command_id, at=self._now(), canonical=canonical)
        else:
            return 0
        if not domain.decide_version(fact, version):
            return 0
        return await self._record(fact)

    async def _record(self, fact: domain.VersionFact) -> int:
        def decide(version: domain.Version | None) -> Sequence[domain.VersionFact]:
            facts = domain.decide_version(fact, version)
            if not facts:
                raise _DoneByAnother
            return facts

        try:
            effect = await self._versions.carry_out(
                version_id(fact.canonical), fact.command_id, decide=decide, record=_recording
            )
        except _DoneByAnother:
            return 0
        log.info("intake.questionnaire", questionnaire=fact.canonical, fact=type(fact).__name__.lower())
        return effect.position


class _DoneByAnother(Exception):
    """Another replica has put the same thing on record."""


def _recording(fact: domain.VersionFact, version: domain.Version) -> Recording:
    subject = version_id(fact.canonical)
    event: dict[str, Any] = translate.event(
        fact,
        translate.Circumstances(
            event_id=uuid7(),
            subject=subject,
            revision=version.revision,
            via=Via.API,
            actor=_ACTOR,
            correlation_id=fact.command_id,
            traceparent=None,
        ),
    )
    return Recording(subjects.questionnaire_events(subject), event)
