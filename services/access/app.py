"""The access service put together: settings, connection, log, replica, requests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import Field, field_validator

from contracts import subjects
from contracts.access.requests import SERVICE
from services.access.commands import Caches, Commands
from services.access.endpoints import REFUSALS, endpoints
from services.access.queries import Queries
from services.access.view import AccessView
from services.links.invitations import InvitationTokens
from services.links.mail import KeyInvalid, MailTokens, read_key
from services.runtime.log import Log
from services.runtime.replica import Replica
from services.runtime.requests import Metrics, RequestService
from services.runtime.service import Context, serve
from services.runtime.settings import ReadableFile, RuntimeSettings, SettingsInvalid, problem


class AccessSettings(RuntimeSettings):
    """The settings of the access service."""

    link_key_file: ReadableFile | None = Field(
        default=None,
        description="File that holds the key by which links in e-mails are signed, the same for all "
        "replicas: at least 32 random characters. Needed. With another key, links sent before are void.",
    )

    @field_validator("link_key_file")
    @classmethod
    def _is_given(cls, file: Path | None) -> Path | None:
        if file is None:
            raise ValueError("name the file that holds the key")
        return file

    def link_key(self) -> str:
        """Raises SettingsInvalid."""
        file = self.link_key_file or Path()
        try:
            return read_key(file)
        except (KeyInvalid, OSError) as error:
            raise SettingsInvalid(problem("CASETRAIL_LINK_KEY_FILE", file, str(error))) from None


@contextlib.asynccontextmanager
async def access(context: Context[AccessSettings]) -> AsyncIterator[None]:
    """Answers requests while the body runs, once the replica has caught up with the log."""
    settings = context.settings
    key = settings.link_key()
    tokens = InvitationTokens(key)
    caches = Caches()
    replica = Replica(
        context.nc,
        subjects.ACCESS,
        AccessView(),
        settings.data_dir,
        user=context.user,
        on_documents=caches.take_in,
    )
    context.watch_replica(replica)
    service = RequestService(
        context.nc,
        name=SERVICE,
        version=context.version,
        description="Accounts, people, roles, invitations, credentials",
        refusals=REFUSALS,
        metrics=Metrics(context.registry),
        max_concurrent=settings.max_concurrent_requests,
        timeout_s=settings.request_timeout_s,
    )
    try:
        context.spawn(replica.run(), name="replica")
        await replica.caught_up()
        commands = Commands(Log(context.nc, subjects.ACCESS), replica, caches, tokens, MailTokens(key))
        await service.start(endpoints(commands, Queries(replica, tokens)))
        yield
        await service.stop(timeout_s=settings.shutdown_timeout_s)
    finally:
        await context.cancel_tasks()
        replica.close()


def main() -> int:
    """Run the service until it is told to stop; returns the exit code."""
    return serve(SERVICE, AccessSettings, access)
