"""The ticket service put together: settings, connection, log, replica, requests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from functools import partial

from contracts import subjects
from contracts.tickets.requests import SERVICE
from services.files.store import describe_upload
from services.guard.guard import start_guard
from services.guard.settings import GuardSettings
from services.runtime.events import Subscribers
from services.runtime.log import Log
from services.runtime.replica import Replica
from services.runtime.requests import Metrics, RequestService
from services.runtime.service import Context, serve
from services.tickets.commands import Cache, Commands
from services.tickets.endpoints import REFUSALS, endpoints
from services.tickets.queries import Queries
from services.tickets.subscribers import subscribe
from services.tickets.view import TicketsView


@contextlib.asynccontextmanager
async def tickets(context: Context[GuardSettings]) -> AsyncIterator[None]:
    """Answers requests while the body runs, once replica and guard have caught up with their logs."""
    settings = context.settings
    cache = Cache()
    replica = Replica(
        context.nc,
        subjects.TICKETS,
        TicketsView(),
        settings.data_dir,
        user=context.user,
        on_documents=cache.take_in,
    )
    context.watch_replica(replica)
    service = RequestService(
        context.nc,
        name=SERVICE,
        version=context.version,
        description="Opens, answers, closes, reopens and shows tickets",
        refusals=REFUSALS,
        metrics=Metrics(context.registry),
        max_concurrent=settings.max_concurrent_requests,
        timeout_s=settings.request_timeout_s,
    )
    subscribers = Subscribers(SERVICE, context.registry, stop_timeout_s=settings.shutdown_timeout_s / 2)
    try:
        context.spawn(replica.run(), name="replica")
        guard = await start_guard(context)
        await replica.caught_up()
        find_upload = partial(describe_upload, context.nc)
        commands = Commands(Log(context.nc, subjects.TICKETS), replica, cache, guard, find_upload)
        subscribe(subscribers, commands)
        await subscribers.start(context.nc)
        await service.start([*endpoints(commands, Queries(replica, guard)), subscribers.endpoint()])
        yield
        await subscribers.stop()
        await service.stop(timeout_s=settings.shutdown_timeout_s)
    finally:
        await context.cancel_tasks()
        replica.close()


def main() -> int:
    """Run the service until it is told to stop; returns the exit code."""
    return serve(SERVICE, GuardSettings, tickets)
