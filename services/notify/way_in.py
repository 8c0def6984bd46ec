"""The way in put together: the listener, what handles e-mails, and what people may ask about them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import dns.resolver
import structlog
from nats.aio.client import Client

from contracts import subjects
from contracts.access.people import NotAnAddress, normalised
from services.files.store import FileStore
from services.guard.following import Following
from services.notify import outgoing
from services.notify.answering import Answering
from services.notify.clues import Recollection
from services.notify.commands import Commands
from services.notify.directory import Directory
from services.notify.handling import Handling
from services.notify.incoming_commands import IncomingCommands
from services.notify.kept import KeptMails
from services.notify.listener import Listener, listening
from services.notify.received.own_check import OwnCheck
from services.notify.replies import Replies
from services.notify.returned import Returned
from services.notify.senders import SenderChecks
from services.notify.settings import NotifySettings
from services.notify.threading import ReplyAddresses
from services.notify.verp import BounceAddresses
from services.runtime.connection import connect, keep_alive
from services.runtime.events import Subscribers
from services.runtime.replica import Replica
from services.runtime.service import Context
from services.runtime.settings import SettingsInvalid, problem

REQUESTS_USER: Final = "notify-requests"

_MADE: Final = re.compile(r"postmaster|reply\+[a-z2-7]{47}|bounce\+[a-z0-9]{26}[a-z2-7]{26}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses that are made for one e-mail each, and those that everybody knows."""

    replies: ReplyAddresses
    bounces: BounceAddresses
    domain: str
    known: frozenset[str]

    @classmethod
    def of(cls, settings: NotifySettings) -> Addresses:
        """Raises SettingsInvalid: there is no key."""
        key, domain = settings.link_key(), settings.answers_domain
        return cls(
            replies=ReplyAddresses(key, domain),
            bounces=BounceAddresses(key, domain),
            domain=domain,
            known=frozenset({settings.sender().addr_spec}) | settings.further_addresses,
        )

    def reply_to(self, letter: outgoing.Letter) -> str | None:
        """As `ReturnAddresses.reply_to`: of what is about a ticket and goes to somebody we know."""
        if letter.ticket is None or letter.person is None:
            return None
        return self.replies.address(letter.ticket, letter.person)

    def return_path(self, letter: outgoing.Letter) -> str:
        """As `ReturnAddresses.return_path`."""
        return self.bounces.address(letter.id)

    def takes(self, address: str) -> bool:
        """Whether an address is ours. A signed one may be of an earlier key: its e-mail is kept too."""
        try:
            address = normalised(address)
        except NotAnAddress:
            return False
        local, _, domain = address.partition("@")
        return address in self.known or (domain == self.domain and _MADE.fullmatch(local) is not None)


@contextlib.asynccontextmanager
async def asking(context: Context[NotifySettings]) -> AsyncIterator[Client]:
    """A connection on which replies may be written in people's names."""
    creds = context.settings.requests_creds
    if creds is None:  # NATS asks nobody for credentials
        yield context.nc
        return
    settings = context.settings.model_copy(
        update={"nats_creds": creds, "nats_nkey_seed_file": None, "nats_inbox_user": REQUESTS_USER}
    )
    nc = await connect(settings, user=REQUESTS_USER)
    context.spawn(keep_alive(nc), name="keep-alive-requests")
    try:
        yield nc
    finally:
        await nc.close()


def _own_check(settings: NotifySettings) -> OwnCheck | None:
    """Raises SettingsInvalid: this machine has no name servers to ask."""
    if not settings.mail_in_own_check:
        return None
    try:
        return OwnCheck(timeout_s=8, lookup_timeout_s=3)
    except dns.resolver.NoResolverConfiguration as error:
        raise SettingsInvalid(problem("CASETRAIL_MAIL_IN_OWN_CHECK", True, str(error))) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """What takes e-mails in and handles them."""

    context: Context[NotifySettings]
    addresses: Addresses
    mails: Replica
    tickets: Replica
    directory: Directory
    following: Following
    commands: Commands
    incoming: IncomingCommands
    kept: KeptMails
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def handling(self, replies: Replies) -> Handling:
        """What handles them."""
        settings, domain = self.context.settings, self.context.settings.sender().domain
        return Handling(
            commands=self.incoming,
            kept=self.kept,
            mails=self.mails,
            tickets=self.tickets,
            directory=self.directory,
            following=self.following,
            max_age_s=settings.access_max_age_s,
            recollection=Recollection(self.mails, self.addresses.replies, domain=domain),
            checks=SenderChecks(settings.trusted_servers, _own_check(settings)),
            returned=Returned(
                self.commands,
                self.mails,
                self.tickets,
                self.directory,
                self.addresses.bounces,
                domain=domain,
            ),
            replies=replies,
            answering=Answering(self.commands, self.mails, self.directory, domain=domain, now=self.now),
            is_own=self.addresses.takes,
            registry=self.context.registry,
            now=self.now,
        )

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Take e-mails while the body runs. Raises OSError: the port is taken."""
        settings = self.context.settings
        if settings.mail_in_port is None:
            yield
            return
        listener = Listener(
            FileStore(self.context.nc, subjects.MAIL),
            self.incoming.take,
            takes=self.addresses.takes,
            takes_from=settings.takes_from(),
            registry=self.context.registry,
        )
        async with listening(
            listener,
            host=settings.mail_in_host,
            port=settings.mail_in_port,
            protocol=settings.mail_in_protocol,
            max_bytes=settings.mail_in_max_bytes,
        ) as port:
            log.info("mail.listening", port=port, protocol=settings.mail_in_protocol)
            yield

    def subscribe(self, subscribers: Subscribers, replies: Replies) -> None:
        """Have what came in handled."""
        self.handling(replies).subscribe(subscribers)
