"""From an event of a ticket to what an e-mail tells of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, assert_never

from contracts.attachments.files import Attachment
from contracts.envelope import Actor, ActorKind
from contracts.tickets import events as wire
from services.notify.directory import Directory
from services.notify.updates import Answered, File, TicketNews, What, Why

TicketEvent = wire.OpenedV1 | wire.RepliedV1 | wire.ClosedV1 | wire.ReopenedV1

NAMELESS_AGENT: Final = "Support"


@dataclass(frozen=True, slots=True)
class Links:
    """Where the portal shows what; `portal` is its address."""

    portal: str

    def ticket(self, number: str, capacity: ActorKind) -> str:
        """The ticket's page, of the desk for an agent."""
        desk = "/desk" if capacity is ActorKind.AGENT else ""
        return f"{self.portal}{desk}/tickets/{number}"

    def reopen(self, number: str, capacity: ActorKind) -> str:
        """A page that asks whether to reopen it; opening the link changes nothing."""
        return f"{self.ticket(number, capacity)}/reopen"

    def new_ticket(self, number: str) -> str:
        """A new ticket that follows up this one."""
        return f"{self.portal}/help?follows={number}"

    def invitation(self, token: str) -> str:
        """A page that asks whether to accept it; opening the link changes nothing."""
        return f"{self.portal}/invitation?token={token}"

    def stop(self, token: str) -> str:
        """No more e-mails about tickets."""
        return f"{self.portal}/mail/stop?token={token}"


def news(
    event: TicketEvent,
    *,
    title: str,
    directory: Directory,
    links: Links,
    capacity: ActorKind,
    why: Why,
) -> TicketNews:
    """What happened, for somebody who gets it in this capacity."""
    number, account = event.subject, event.account
    what, text, files, answers = _said(event)
    is_closed_member = what is What.CLOSED and capacity is ActorKind.MEMBER
    return TicketNews(
        what=what,
        number=number,
        title=title,
        account=directory.account_name(account),
        author=_name(_actor(event), directory),
        link=links.ticket(number, capacity),
        text=text,
        files=files,
        answers=answers,
        reason=event.data.reason if isinstance(event, wire.ClosedV1) else None,
        reopen_link=links.reopen(number, capacity) if what is What.CLOSED else None,
        new_ticket_link=links.new_ticket(number) if is_closed_member else None,
        why=why,
    )


def _said(event: TicketEvent) -> tuple[What, str | None, tuple[File, ...], tuple[Answered, ...]]:
    match event:
        case wire.OpenedV1():
            said = event.data.content
            answers = tuple(Answered(each.question, each.values) for each in said.answers)
            return What.OPENED, said.message, _files(said.attachments), answers
        case wire.RepliedV1():
            return What.REPLIED, event.data.content.text, _files(event.data.content.attachments), ()
        case wire.ClosedV1():
            return What.CLOSED, event.data.content.note, (), ()
        case wire.ReopenedV1():
            return What.REOPENED, event.data.content.reason, (), ()
        case _:
            assert_never(event)


def _files(attachments: Iterable[Attachment]) -> tuple[File, ...]:
    return tuple(File(each.name, each.size) for each in attachments)


def _actor(event: TicketEvent) -> Actor:
    """Who is to be named: of a ticket that was opened from a questionnaire, who answered that."""
    if isinstance(event, wire.OpenedV1):
        return event.data.opened_by
    kind, _, who = event.actor.partition(":")
    return Actor(kind=ActorKind(kind), id=who)


def acted(event: TicketEvent) -> str:
    """The id of who did it."""
    return _actor(event).id


def _name(actor: Actor, directory: Directory) -> str:
    """How the actor is called. An agent's address is nobody's business."""
    person = None if actor.kind is ActorKind.SYSTEM else directory.person(actor.id)
    if actor.kind is ActorKind.AGENT:
        return (person.name if person else None) or NAMELESS_AGENT
    if person is None:
        return actor.id
    return person.name or person.email
