"""The notify service put together: settings, connection, log, replica, subscribers, the sender."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from contracts import subjects
from services.notify import interests
from services.notify.commands import Cache, Commands
from services.notify.interests import Confirmations
from services.notify.sender import Sender
from services.notify.settings import NotifySettings
from services.notify.smtp import MailServer
from services.notify.translate import SERVICE
from services.notify.view import NotifyView
from services.runtime.events import Subscribers
from services.runtime.log import Log
from services.runtime.recorder import Document
from services.runtime.replica import Replica
from services.runtime.service import Context, serve


@contextlib.asynccontextmanager
async def notify(context: Context[NotifySettings]) -> AsyncIterator[None]:
    """Sends e-mails while the body runs."""
    settings = context.settings
    sender = settings.sender()
    cache = Cache()
    woken: list[Sender] = []

    def take_in(documents: Sequence[Document]) -> None:
        cache.take_in(documents)
        for each in woken:
            each.wake()

    replica = Replica(
        context.nc,
        subjects.NOTIFY,
        NotifyView(),
        settings.data_dir,
        user=context.user,
        on_documents=take_in,
    )
    context.watch_replica(replica)
    subscribers = Subscribers(SERVICE, context.registry, stop_timeout_s=settings.shutdown_timeout_s / 2)
    try:
        context.spawn(replica.run(), name="replica")
        await replica.caught_up()
        commands = Commands(Log(context.nc, subjects.NOTIFY), replica, cache)
        confirmations = Confirmations(
            context.nc.jetstream(), sender=sender, public_url=settings.public_url or ""
        )
        server = MailServer(settings)
        sending = Sender(replica, commands, server, confirmations, context.registry)
        woken.append(sending)
        context.spawn(sending.run(), name="sender")
        interests.subscribe(subscribers, commands, domain=sender.domain)
        await subscribers.start(context.nc)
        yield
        await subscribers.stop()
    finally:
        await context.cancel_tasks()
        replica.close()


def main() -> int:
    """Run the service until it is told to stop; returns the exit code."""
    return serve(SERVICE, NotifySettings, notify)
