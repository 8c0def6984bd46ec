"""Answers to e-mails that came in and became no reply: to whom, when, and what they say.

An answer is a letter as any other: queued once for an e-mail, written when it is sent, on record. It goes to
somebody whom we know to have written, to no program, and to nobody too often: whatever answers answers would
else never end (RFC 3834, section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from contracts.access.events import PLATFORM
from contracts.envelope import ActorKind
from contracts.reference import derive_reference
from contracts.wording import LANGUAGES
from services.notify import outgoing, ticket_view, view, words
from services.notify.commands import Commands
from services.notify.directory import Directory, Person
from services.notify.kept import KeptMails
from services.notify.news import Links
from services.notify.received.headers import Headers
from services.notify.threading import cut, message_id
from services.notify.ticket_view import KnownTicket
from services.notify.updates import ReplyRefused, Unassigned
from services.notify.writing import NotToBeSent
from services.runtime.ids import derived_id
from services.runtime.replica import Replica

REFUSED: Final = "reply_refused"
UNASSIGNED: Final = "unassigned"

MAX_QUOTED_CHARACTERS: Final = 20_000

MAX_ANSWERS: Final = 5
PER: Final = timedelta(hours=1)

_RECEIVED: Final = "casetrail.mail.received.v1"


def answer_id(kind: str, received: str) -> str:
    """The id of the answer of a kind to an e-mail that came in."""
    return derived_id("mail", kind, received)


class Answering:
    """Queues answers."""

    def __init__(
        self,
        commands: Commands,
        mails: Replica,
        directory: Directory,
        *,
        domain: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`mails` is the replica of NOTIFY, `domain` that of our addresses."""
        self._commands = commands
        self._mails = mails
        self._directory = directory
        self._domain = domain
        self._now = now

    async def refuse(
        self, received: str, position: int, *, ticket: KnownTicket, person: Person, capacity: ActorKind
    ) -> bool:
        """Have the person told that the ticket takes no replies; False: it was told enough, or cannot be.

        Raises Unavailable.
        """
        return await self._queue(
            REFUSED,
            received,
            position,
            email=person.email,
            language=self._directory.language(person, ticket.account),
            person=person.id,
            account=ticket.account,
            ticket=ticket.number,
            capacity=capacity,
        )

    async def has_refused(self, received: str) -> bool:
        """Whether its author was told before that the ticket takes no replies."""
        return await self._commands.mail(answer_id(REFUSED, received)) is not None

    async def cannot_assign(self, received: str, position: int, *, email: str, headers: Headers) -> bool:
        """Have the sender told that we do not know what it is about; False: it was told enough.

        Raises Unavailable.
        """
        return await self._queue(
            UNASSIGNED, received, position, email=email, language=_language(headers), account=PLATFORM
        )

    async def _queue(
        self,
        kind: str,
        received: str,
        position: int,
        *,
        email: str,
        language: str,
        account: str,
        person: str | None = None,
        ticket: str | None = None,
        capacity: ActorKind | None = None,
    ) -> bool:
        mail = answer_id(kind, received)
        with self._mails.reading() as cursor:
            told = view.answered_since(cursor, email, self._now() - PER)
            is_failing = view.failing_since(cursor, email) is not None
        if (is_failing or told >= MAX_ANSWERS) and await self._commands.mail(mail) is None:
            return False
        letter = outgoing.Letter(
            id=mail,
            account=account,
            kind=kind,
            cause=outgoing.Cause(event=received, type=_RECEIVED, stream=view.STREAM, position=position),
            why="asked",
            email=email,
            language=language,
            reference=derive_reference("mail", mail),
            message_id=message_id(f"{kind}.{received}", person or email, self._domain),
            person=person,
            ticket=ticket,
            capacity=None if capacity is None else capacity.value,
            answers=received,
        )
        await self._commands.queue(letter)
        return True


class RefusedReplies:
    """Writes to whoever replied on a closed ticket: their text, and the two ways on."""

    def __init__(self, tickets: Replica, kept: KeptMails, links: Links) -> None:
        self._tickets = tickets
        self._kept = kept
        self._links = links

    async def write(self, letter: outgoing.Letter, *, at: datetime) -> ReplyRefused | NotToBeSent | None:
        """As `Source.write`."""
        mail = await self._kept.read(letter.cause.event)
        with self._tickets.reading() as cursor:
            ticket = ticket_view.known_ticket(cursor, letter.ticket or "")
        if mail is None or ticket is None:
            return None
        capacity = ActorKind(letter.capacity or ActorKind.MEMBER.value)
        return ReplyRefused(
            number=ticket.number,
            title=ticket.title,
            text=_quoted(mail.reply.text, letter.language),
            reopen_link=self._links.reopen(ticket.number, capacity),
            new_ticket_link=self._links.new_ticket(ticket.number),
            answered=mail.message_id,
        )


class Unassignable:
    """Writes to whoever sent what belongs to no ticket."""

    def __init__(self, kept: KeptMails, portal: str) -> None:
        self._kept = kept
        self._portal = portal

    async def write(self, letter: outgoing.Letter, *, at: datetime) -> Unassigned | None:
        """As `Source.write`."""
        mail = await self._kept.read(letter.cause.event)
        return None if mail is None else Unassigned(portal_link=self._portal, answered=mail.message_id)


def _quoted(text: str, language: str) -> str:
    """The text, or as much of it as an e-mail can carry; all of it is kept in any case."""
    if len(text) <= MAX_QUOTED_CHARACTERS:
        return text
    said = words.said(words.REST_IS_KEPT, words.spoken(language))
    return f"{cut(text, MAX_QUOTED_CHARACTERS)}\n\n{said}"


def _language(headers: Headers) -> str:
    """In which somebody is addressed whom we do not know: the one they wrote in, as far as they say."""
    said = f"{headers.first('Content-Language') or ''},{headers.first('Accept-Language') or ''}".lower()
    wanted = next((each.strip()[:2] for each in said.split(",") if each.strip()[:2] in LANGUAGES), None)
    if wanted is not None:
        return wanted
    boxes = headers.mailboxes("From")
    return "pl" if boxes and boxes[0].address.lower().endswith(".pl") else "en"
