"""The intake service put together: settings, connection, log, replica, questionnaires, requests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from pydantic import Field

from contracts import subjects
from contracts.intake.requests import SERVICE
from services.guard.guard import start_guard
from services.intake import commands, domain, publishing
from services.intake.catalogue import Catalogue, FilesInvalid, from_files
from services.intake.commands import Commands
from services.intake.drafts import Drafts
from services.intake.endpoints import REFUSALS, endpoints
from services.intake.interest import Interests
from services.intake.interest_settings import InterestSettings
from services.intake.limits import Limits
from services.intake.links import InterestTokens
from services.intake.pending import PendingInterests
from services.intake.publishing import Publishing
from services.intake.queries import Queries
from services.intake.questionnaire import Questionnaire
from services.intake.reading import Reading
from services.intake.source import Source
from services.intake.view import IntakeView
from services.runtime.aggregate_commands import AggregateCommands
from services.runtime.log import Log
from services.runtime.recorder import Document
from services.runtime.replica import Replica
from services.runtime.requests import Metrics, RequestService
from services.runtime.service import Context, serve
from services.runtime.settings import SettingsInvalid, problem


class IntakeSettings(InterestSettings):
    """The settings of the intake service."""

    questionnaires_dir: Path | None = Field(
        default=None,
        description="Directory with questionnaires (.yaml, .yml, .json) beside those that Casetrail brings "
        "along, and in place of those with the same url. `casetrail questionnaire lint` checks it.",
    )

    def questionnaires(self) -> Sequence[tuple[Source, Questionnaire]]:
        """Raises SettingsInvalid: a file cannot be published."""
        try:
            return from_files(self.questionnaires_dir)
        except (FilesInvalid, OSError) as error:
            raise _invalid(self, error) from None


@contextlib.asynccontextmanager
async def intake(context: Context[IntakeSettings]) -> AsyncIterator[None]:
    """Answers requests while the body runs, once the questionnaires are on record."""
    settings = context.settings
    found = settings.questionnaires()
    key = settings.link_key()
    catalogue, submissions, versions = Catalogue(), commands.Cache(), publishing.Cache()

    def take_in(documents: Sequence[Document]) -> None:
        submissions.take_in(documents)
        versions.take_in(documents)
        catalogue.take_in(documents)

    replica = Replica(
        context.nc,
        subjects.INTAKE,
        IntakeView(),
        settings.data_dir,
        user=context.user,
        on_documents=take_in,
    )
    context.watch_replica(replica)
    service = RequestService(
        context.nc,
        name=SERVICE,
        version=context.version,
        description="Questionnaires, drafts, submissions; the interest form",
        refusals=REFUSALS,
        metrics=Metrics(context.registry),
        max_concurrent=settings.max_concurrent_requests,
        timeout_s=settings.request_timeout_s,
    )
    try:
        catalogue.read(replica)
        context.spawn(replica.run(), name="replica")
        guard = await start_guard(context)
        await replica.caught_up()
        log = Log(context.nc, subjects.INTAKE)
        try:
            await replica.wait_for(await Publishing(log, replica, versions).publish(found))
        except FilesInvalid as error:
            raise _invalid(settings, error) from None
        js = context.nc.jetstream()
        drafts = Drafts(js)
        reading = Reading(context.nc, drafts, catalogue, guard)
        await service.start(
            endpoints(
                Commands(log, replica, submissions, catalogue, drafts, reading),
                Queries(replica, catalogue, drafts, reading),
                Interests(
                    settings=settings,
                    catalogue=catalogue,
                    guard=guard,
                    pending=PendingInterests(js),
                    limits=Limits(js, key),
                    tokens=InterestTokens(key),
                    submissions=AggregateCommands(
                        log, replica, submissions, refusal=domain.Refusal, certain=(domain.Refusal,)
                    ),
                ),
            )
        )
        yield
        await service.stop(timeout_s=settings.shutdown_timeout_s)
    finally:
        await context.cancel_tasks()
        replica.close()


def _invalid(settings: IntakeSettings, error: Exception) -> SettingsInvalid:
    return SettingsInvalid(problem("CASETRAIL_QUESTIONNAIRES_DIR", settings.questionnaires_dir, str(error)))


def main() -> int:
    """Run the service until it is told to stop; returns the exit code."""
    return serve(SERVICE, IntakeSettings, intake)
