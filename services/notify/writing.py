"""Writing e-mails when they are sent: what a letter says, to whom, in which conversation, signed.

The same letter has the same bytes at every attempt, for as long as what it tells is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from typing import Final, Protocol
from urllib.parse import quote

from contracts.envelope import ActorKind
from contracts.tickets.events import parse_ticket_event
from services.guard.following import Following
from services.links.mail import MailTokens
from services.notify import outgoing, ticket_view, view
from services.notify.compose import AddressNotSupported, Envelope, compose
from services.notify.directory import Directory
from services.notify.dkim import Signer
from services.notify.news import Links, news
from services.notify.threading import MAX_REFERENCES
from services.notify.updates import Test, TicketNews, Update, Why
from services.runtime.errors import Unavailable
from services.runtime.replica import Replica

TEST: Final = "test"


@dataclass(frozen=True, slots=True)
class Written:
    """An e-mail, byte by byte, and its envelope (RFC 5321)."""

    content: bytes
    sender: str
    recipient: str


@dataclass(frozen=True, slots=True)
class NotToBeSent:
    """There is a reason not to send it at all."""

    reason: str


class Source(Protocol):
    """Knows what the letters of a kind say."""

    async def write(self, letter: outgoing.Letter, *, at: datetime) -> Update | NotToBeSent | None:
        """None: there is nothing to say any more. Raises Unavailable, `nats.errors.Error`."""


class TicketNewsOf:
    """Says what happened to tickets, to those who may still know."""

    def __init__(
        self,
        tickets: Replica,
        directory: Directory,
        following: Following,
        links: Links,
        *,
        max_age_s: float,
    ) -> None:
        self._tickets = tickets
        self._directory = directory
        self._following = following
        self._links = links
        self._max_age_s = max_age_s

    async def write(self, letter: outgoing.Letter, *, at: datetime) -> TicketNews | NotToBeSent | None:
        """As `Source.write`. Whoever has lost access by now is not told any more."""
        if self._following.age_s > self._max_age_s:
            raise Unavailable("access_unknown")
        person, position = letter.person or "", letter.cause.position or 0
        await self._tickets.wait_for(position)
        with self._tickets.reading() as cursor:
            stored = ticket_view.event_at(cursor, position)
            ticket = ticket_view.known_ticket(cursor, letter.ticket or "")
        if stored is None or ticket is None:
            return None
        capacity = ActorKind(letter.capacity or ActorKind.MEMBER.value)
        may = self._directory.is_agent(person) if capacity is ActorKind.AGENT else None
        if not (self._directory.is_member(person, ticket.account) if may is None else may):
            return NotToBeSent("has lost access")
        return news(
            parse_ticket_event(stored),
            title=ticket.title,
            directory=self._directory,
            links=self._links,
            capacity=capacity,
            why=Why(letter.why),
        )


class Tests:
    """Says that e-mails arrive."""

    def __init__(self, portal: str) -> None:
        self._portal = portal

    async def write(self, letter: outgoing.Letter, *, at: datetime) -> Test:
        """As `Source.write`."""
        return Test(portal_link=self._portal)


class ReturnAddresses(Protocol):
    """Where what is written about an e-mail of ours comes back to."""

    def reply_to(self, letter: outgoing.Letter) -> str | None:
        """For answers; None: nobody reads any."""

    def return_path(self, letter: outgoing.Letter) -> str:
        """For reports of what could not be delivered (RFC 5321, MAIL FROM)."""


@dataclass(frozen=True, slots=True)
class NothingComesIn:
    """Where no e-mails are taken in: reports go to whoever reads the mailbox of the sender's address."""

    sender: str

    def reply_to(self, letter: outgoing.Letter) -> str | None:
        return None

    def return_path(self, letter: outgoing.Letter) -> str:
        return self.sender


class Writer:
    """Writes letters of every kind."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        mails: Replica,
        *,
        sender: Address,
        tokens: MailTokens,
        links: Links,
        signer: Signer | None,
        addresses: ReturnAddresses,
    ) -> None:
        self._addresses = addresses
        self._sources = sources
        self._mails = mails
        self._sender = sender
        self._tokens = tokens
        self._links = links
        self._signer = signer

    async def write(self, mail: outgoing.Mail, *, at: datetime) -> Written | NotToBeSent:
        """The e-mail. Raises Unavailable, `nats.errors.Error`."""
        letter = mail.letter
        if (failing := self._failing(mail)) is not None:
            return NotToBeSent(failing)
        update = await self.says(letter, at=at)
        if isinstance(update, NotToBeSent):
            return update
        try:
            message = compose(update, self._envelope(mail))
        except AddressNotSupported as error:
            return NotToBeSent(str(error))
        content = bytes(message)
        if self._signer is not None:
            content = self._signer.signed(content)
        return Written(content, self._addresses.return_path(letter), letter.email)

    async def says(self, letter: outgoing.Letter, *, at: datetime) -> Update | NotToBeSent:
        """What the letter says now. Raises as `write`."""
        source = self._sources.get(letter.kind)
        update = None if source is None else await source.write(letter, at=at)
        return NotToBeSent("nothing to say any more") if update is None else update

    def text(self, update: Update, mail: outgoing.Mail) -> str:
        """The text part of the e-mail that tells of it."""
        part = compose(update, self._envelope(mail)).get_body(("plain",))
        return "" if part is None else str(part.get_content())

    def _failing(self, mail: outgoing.Mail) -> str | None:
        with self._mails.reading() as cursor:
            failing = view.failing_since(cursor, mail.letter.email)
        if failing is None:
            return None
        since, status = failing
        return f"mail to this address comes back since {since} ({status or 'no status'})"

    def _envelope(self, mail: outgoing.Mail) -> Envelope:
        letter = mail.letter
        with self._mails.reading() as cursor:
            earlier = view.conversation(cursor, letter.id, limit=MAX_REFERENCES)
        preferences = None
        if letter.person is not None:
            token = quote(self._tokens.token(letter.person), safe="")
            preferences = self._links.stop(token)
        return Envelope(
            sender=self._sender,
            email=letter.email,
            message_id=letter.message_id,
            reference=letter.reference,
            language=letter.language,
            at=mail.queued_at,
            earlier=earlier,
            reply_to=self._addresses.reply_to(letter),
            preferences=preferences,
        )
