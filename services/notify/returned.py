"""E-mails of ours that came back: which one it was, what follows for its address, and who is told."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from contracts.envelope import ActorKind
from contracts.reference import derive_reference
from services.notify import outgoing, ticket_view, view
from services.notify.addressing import told
from services.notify.commands import Commands
from services.notify.directory import Directory
from services.notify.incoming import Outcome, Result
from services.notify.news import Links
from services.notify.received.bounces import Bounce
from services.notify.threading import message_id
from services.notify.translate import SERVICE
from services.notify.updates import AddressFails
from services.notify.verp import BounceAddresses
from services.runtime.ids import derived_id
from services.runtime.replica import Replica

KIND: Final = "address_fails"

_UNKNOWN_STATUS: Final = "5.0.0"


class Returned:
    """Believes a report only if it came to the address that was made for the very e-mail.

    Everything else in it can be made up: a Message-ID of ours follows from what anybody may know.
    """

    def __init__(
        self,
        commands: Commands,
        mails: Replica,
        tickets: Replica,
        directory: Directory,
        addresses: BounceAddresses,
        *,
        domain: str,
    ) -> None:
        """`mails` and `tickets` are the replicas of NOTIFY and TICKETS."""
        self._commands = commands
        self._mails = mails
        self._tickets = tickets
        self._directory = directory
        self._addresses = addresses
        self._domain = domain

    async def handle(self, received: str, recipient: str, bounce: Bounce | None) -> Result | None:
        """What became of a report; None: the e-mail is none, or none to be believed. Raises Unavailable."""
        mail = self._addresses.read(recipient)
        if bounce is None or mail is None:
            return None
        with self._mails.reading() as cursor:
            row = view.sent_mail(cursor, mail)
            was_failing = row is not None and view.failing_since(cursor, row["email"]) is not None
        if row is None:
            return Result(outcome=Outcome.IGNORED, reason="report_of_nothing_sent")
        # The address may stand there under another name, if it passes its mail on: the signed one tells.
        is_hard = bool(bounce.hard)
        await self._commands.bounced(mail, received=received, hard=is_hard, status=bounce.status)
        if is_hard and not was_failing:
            await self._tell_agents(received, mail, row["ticket"])
        return Result(
            outcome=Outcome.BOUNCED,
            reason="address_fails" if is_hard else "not_delivered",
            account=row["account"],
            ticket=row["ticket"],
            person=row["person"],
            sender=row["email"],
            note=bounce.status,
        )

    async def _tell_agents(self, received: str, mail: str, number: str | None) -> None:
        """Those who are told of the ticket: who acted on it, and who wants to hear of all tickets."""
        if number is None:
            return
        with self._tickets.reading() as cursor:
            ticket = ticket_view.known_ticket(cursor, number)
        if ticket is None:
            return
        concerned = told(ticket.part, SERVICE, self._directory)
        for agent in (each.person for each in concerned if each.capacity is ActorKind.AGENT):
            letter = derived_id("mail", KIND, received, agent.id)
            await self._commands.queue(
                outgoing.Letter(
                    id=letter,
                    account=ticket.account,
                    kind=KIND,
                    cause=outgoing.Cause(event=mail, type="casetrail.mail.bounced.v1"),
                    why="agent",
                    email=agent.email,
                    language=self._directory.language(agent, ticket.account),
                    reference=derive_reference("mail", letter),
                    message_id=message_id(f"{KIND}.{received}", agent.id, self._domain),
                    person=agent.id,
                    ticket=number,
                    capacity=ActorKind.AGENT.value,
                )
            )


class FailingAddresses:
    """Writes to agents whose partners' addresses take no e-mails."""

    def __init__(self, mails: Replica, tickets: Replica, directory: Directory, links: Links) -> None:
        self._mails = mails
        self._tickets = tickets
        self._directory = directory
        self._links = links

    async def write(self, letter: outgoing.Letter, *, at: datetime) -> AddressFails | None:
        """As `Source.write`."""
        with self._mails.reading() as cursor:
            row = view.sent_mail(cursor, letter.cause.event)
            failing = None if row is None else view.failing_since(cursor, row["email"])
        with self._tickets.reading() as cursor:
            ticket = ticket_view.known_ticket(cursor, letter.ticket or "")
        if row is None or ticket is None or failing is None:
            return None  # somebody has had it sent again since
        if not self._directory.is_agent(letter.person or ""):
            return None
        person = self._directory.person(row["person"] or "")
        return AddressFails(
            number=ticket.number,
            title=ticket.title,
            account=self._directory.account_name(ticket.account),
            person=row["email"] if person is None else f"{person.name or ''} <{row['email']}>".strip(),
            status=failing[1] or _UNKNOWN_STATUS,
            link=self._links.ticket(ticket.number, ActorKind.AGENT),
        )
