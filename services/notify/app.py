"""The notify service put together: settings, log, replicas, subscribers, the sender, the way in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from contracts import subjects
from contracts.notify.requests import SERVICE
from services.files.store import FileStore
from services.guard.following import Following
from services.guard.guard import start_guard
from services.links.invitations import InvitationTokens
from services.links.mail import MailTokens
from services.notify import answering, fanout, interests, invitations, returned
from services.notify.answering import RefusedReplies, Unassignable
from services.notify.commands import Cache, Commands
from services.notify.directory import Directory
from services.notify.endpoints import REFUSALS, endpoints
from services.notify.fanout import FanOut
from services.notify.incoming_commands import IncomingCache, IncomingCommands
from services.notify.interests import Confirmations
from services.notify.invitations import Invitations
from services.notify.kept import KeptMails
from services.notify.news import Links
from services.notify.orders import Orders
from services.notify.queries import Queries
from services.notify.received_queries import ReceivedQueries
from services.notify.replies import Replies
from services.notify.returned import FailingAddresses
from services.notify.sender import Sender
from services.notify.settings import NotifySettings
from services.notify.settling import Settling
from services.notify.smtp import MailServer
from services.notify.ticket_view import TicketsView
from services.notify.view import NotifyView
from services.notify.way_in import Addresses, WayIn, asking
from services.notify.writing import TEST, NothingComesIn, Source, Tests, TicketNewsOf, Writer
from services.runtime.events import Subscribers
from services.runtime.log import Log
from services.runtime.recorder import Document
from services.runtime.replica import Replica
from services.runtime.requests import Metrics, RequestService
from services.runtime.service import Context, serve


@contextlib.asynccontextmanager
async def notify(
    context: Context[NotifySettings], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> AsyncIterator[None]:
    """Sends e-mails and answers requests while the body runs."""
    settings = context.settings
    key, signer, sender = settings.link_key(), settings.signer(), settings.sender()
    links, domain = Links(settings.public_url or ""), sender.domain
    addresses = Addresses.of(settings)
    comes_in = settings.mail_in_port is not None
    cache, incoming_cache = Cache(), IncomingCache()
    woken: list[Sender] = []

    def take_in(documents: Sequence[Document]) -> None:
        cache.take_in(documents)
        incoming_cache.take_in(documents)
        for each in woken:
            each.wake()

    mails = Replica(
        context.nc,
        subjects.NOTIFY,
        NotifyView(),
        settings.data_dir,
        user=context.user,
        on_documents=take_in,
    )
    tickets = Replica(context.nc, subjects.TICKETS, TicketsView(), settings.data_dir, user=context.user)
    directory = Directory()
    following = Following(context.nc, directory, user=context.user)
    context.watch_replica(mails)
    context.health.add_check("tickets", tickets.not_ready)
    subscribers = Subscribers(SERVICE, context.registry, stop_timeout_s=settings.shutdown_timeout_s / 2)
    service = RequestService(
        context.nc,
        name=SERVICE,
        version=context.version,
        description="E-mails: what was sent to whom, what came in",
        refusals=REFUSALS,
        metrics=Metrics(context.registry),
        max_concurrent=settings.max_concurrent_requests,
        timeout_s=settings.request_timeout_s,
    )
    try:
        for replica, name in ((mails, "replica"), (tickets, "tickets")):
            context.spawn(replica.run(), name=name)
        context.spawn(following.run(), name="directory")
        guard = await start_guard(context)
        await mails.caught_up()
        await tickets.caught_up()
        await following.caught_up()
        log = Log(context.nc, subjects.NOTIFY)
        commands = Commands(log, mails, cache, now)
        kept = KeptMails(FileStore(context.nc, subjects.MAIL))
        incoming = IncomingCommands(log, mails, incoming_cache, now)
        sources: dict[str, Source] = {
            interests.KIND: Confirmations(context.nc.jetstream(), public_url=links.portal),
            fanout.KIND: TicketNewsOf(
                tickets, directory, following, links, max_age_s=settings.access_max_age_s
            ),
            invitations.KIND: Invitations(directory, following, links, InvitationTokens(key)),
            TEST: Tests(links.portal),
            answering.REFUSED: RefusedReplies(tickets, kept, links),
            answering.UNASSIGNED: Unassignable(kept, links.portal),
            returned.KIND: FailingAddresses(mails, tickets, directory, links),
        }
        writer = Writer(
            sources,
            mails,
            sender=sender,
            tokens=MailTokens(key),
            links=links,
            signer=signer,
            addresses=addresses if comes_in else NothingComesIn(sender.addr_spec),
        )
        servers = [MailServer(settings) for _ in range(settings.smtp_connections)]
        sending = Sender(mails, commands, servers, writer, context.registry, now)
        woken.append(sending)
        context.spawn(sending.run(), name="sender")
        interests.subscribe(subscribers, commands, domain=domain)
        fan_out = FanOut(context.nc, log, mails, tickets, commands, directory, following, domain=domain)
        fan_out.subscribe(subscribers, after=await fan_out.begun_at())
        invitations.subscribe(
            subscribers,
            commands,
            directory,
            following,
            domain=domain,
            after=await fan_out.begun_at(subjects.ACCESS),
        )
        way_in = WayIn(
            context=context,
            addresses=addresses,
            mails=mails,
            tickets=tickets,
            directory=directory,
            following=following,
            commands=commands,
            incoming=incoming,
            kept=kept,
            now=now,
        )
        async with contextlib.AsyncExitStack() as stack:
            replies: Replies | None = None
            if comes_in:
                replies = Replies(await stack.enter_async_context(asking(context)))
                way_in.subscribe(subscribers, replies)
            await subscribers.start(context.nc)
            queries = Queries(mails, guard, commands, writer)
            orders = Orders(commands, guard, domain=domain)
            received = ReceivedQueries(mails, kept, guard, now)
            settling = Settling(incoming, kept, replies, guard)
            await service.start([*endpoints(queries, orders, received, settling), subscribers.endpoint()])
            async with way_in.listening():
                yield
            await subscribers.stop()
            await service.stop(timeout_s=settings.shutdown_timeout_s)
    finally:
        await context.cancel_tasks()
        mails.close()
        tickets.close()


def main() -> int:
    """Run the service until it is told to stop; returns the exit code."""
    return serve(SERVICE, NotifySettings, notify)
