"""Subscribing to the events of tickets from another system: typed, in order, each once, none left out.

This program prints the events of an account, those that there are and then each new one, through every
restart of the broker. Its credentials are what `casetrail credentials create --account acme --may subscribe`
leaves in `acme_systems.creds`; it is what the tests run:

    import asyncio, nats
    from contracts.subscribe import ticket_events

    async def main(position: int) -> None:
        nc = await nats.connect("nats://127.0.0.1:4222", user_credentials="acme_systems.creds",
                                inbox_prefix="_INBOX.acme_systems", max_reconnect_attempts=-1)
        async for recorded in ticket_events(nc, after=position, account="acme"):
            print(recorded.position, recorded.event.subject, recorded.event.type, flush=True)
            # Keep recorded.position in the transaction that keeps what you made of the event.

    asyncio.run(main(position=0))

The last token of the connection's `inbox_prefix` is the NATS user. Its permissions allow eight
subscriptions at once, whose consumers are named `<user>-0` to `<user>-7`.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from nats.aio.client import Client
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError, from_json

from contracts import subjects
from contracts.follow import Batch, Follower, Message, NoJetStream
from contracts.number import parse_number
from contracts.text import AccountId
from contracts.tickets.events import RecordedEvent, parse_ticket_event

MAX_TICKETS_CHECKED: Final = 100_000
"""Tickets whose last revision is remembered; one heard of longer ago begins anew, unchecked."""


_ACCOUNT: Final[TypeAdapter[str]] = TypeAdapter(AccountId)


class EventKind(StrEnum):
    """What happened, whatever the version of the event that tells it."""

    OPENED = "opened"
    REPLIED = "replied"
    CLOSED = "closed"
    REOPENED = "reopened"


class HistoryGap(Exception):
    """A ticket's revisions are not 1, 2, 3…: an event is missing before the one at `position`."""

    def __init__(self, ticket: str, *, expected: int, found: int, position: int) -> None:
        super().__init__(f"ticket {ticket}: revision {found} at position {position}, expected {expected}")
        self.ticket = ticket
        self.expected = expected
        self.found = found
        self.position = position


class UnreadableEvent(Exception):
    """What stands at `position` is an event of a type or version newer than this client, or none at all.

    After an upgrade, go on after `position - 1`.
    """

    def __init__(self, position: int, payload: bytes, reason: str) -> None:
        super().__init__(f"position {position}: {reason}")
        self.position = position
        self.payload = payload
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TicketDocument:
    """An event as the exact bytes that stand in the log, and what tells one event from another."""

    position: int
    payload: bytes
    type: str
    account: str
    ticket: str
    revision: int

    @property
    def kind(self) -> str:
        """One of `EventKind`, or the word of a kind that this client does not know yet."""
        return self.type.split(".")[2]


async def ticket_events(
    nc: Client,
    *,
    after: int | None = 0,
    since: datetime | None = None,
    account: str | None = None,
    ticket: str | None = None,
    kinds: Collection[EventKind] | None = None,
    follow: bool = True,
    on_unreadable: Callable[[UnreadableEvent], None] | None = None,
) -> AsyncGenerator[RecordedEvent, None]:
    """The events of tickets in the order of the log. To resume, pass the last `.position` as `after`.

    Args:
        nc: stays the caller's; its `inbox_prefix` names the NATS user.
        after: a position, 0 for all there is; None for what happens from now on.
        since: only what was recorded at or after this time, instead; it may be yet to come.
        account: of this account only; a user restricted to one account must name it.
        ticket: of this ticket only: its number in any spelling.
        kinds: of these kinds only. Revisions are checked on all of them all the same.
        follow: go on with new events; otherwise end where the log ended when that place was reached.
        on_unreadable: called with an event that this client cannot read, which is then skipped. Without
            it the iteration ends with the exception: nothing is skipped that nobody was told about.

    Raises:
        HistoryGap: an event is missing. What came before it has been handed over.
        UnreadableEvent: see `on_unreadable`.
        BeyondTheEnd: the log ends before the position `after`: it is not the log that this position is from.
        FollowError: at the start, that the log cannot be followed; later, that `nc` was closed.
            Outages between are waited out.
        ValueError: both `after` and `since`, or an `account` or a `ticket` that cannot be one.
    """
    documents = ticket_documents(
        nc,
        after=after,
        since=since,
        account=account,
        ticket=ticket,
        kinds=kinds,
        follow=follow,
        on_unreadable=on_unreadable,
    )
    async with contextlib.aclosing(documents):
        async for document in documents:
            try:
                event = parse_ticket_event(document.payload)
            except ValidationError as error:
                reason = f"{document.type} is not known to this client, or not as this client knows it"
                _tell(UnreadableEvent(document.position, document.payload, reason), error, on_unreadable)
            else:
                yield RecordedEvent(position=document.position, event=event)


async def ticket_documents(
    nc: Client,
    *,
    after: int | None = 0,
    since: datetime | None = None,
    account: str | None = None,
    ticket: str | None = None,
    kinds: Collection[EventKind] | None = None,
    follow: bool = True,
    on_unreadable: Callable[[UnreadableEvent], None] | None = None,
) -> AsyncGenerator[TicketDocument, None]:
    """As `ticket_events`, with the exact bytes: what an archive or a forwarder keeps.

    Events of types and versions that this client does not know are handed over like all others.
    """
    if after and since is not None:
        raise ValueError("give `after` or `since`, not both")
    revisions = _Revisions(from_the_start=after == 0 and since is None)
    batches = _batches(nc, _filter_subject(account, ticket), after, since)
    async with contextlib.aclosing(batches):
        async for batch in batches:
            for message in batch.messages:
                try:
                    document = _document(message)
                except (ValueError, KeyError, TypeError, IndexError) as error:
                    unreadable = UnreadableEvent(message.position, message.payload, "is not an event")
                    _tell(unreadable, error, on_unreadable)
                    continue
                revisions.check(document)
                if kinds is None or document.kind in kinds:
                    yield document
            if batch.pending == 0 and not follow:
                return


def _filter_subject(account: str | None, ticket: str | None) -> str:
    """Raises ValueError."""
    try:
        number = "*" if ticket is None else parse_number(ticket)
    except PydanticCustomError as error:
        raise ValueError(f"ticket {ticket!r} {error.message()}") from None
    try:
        token = "*" if account is None else _ACCOUNT.validate_python(account)
    except ValidationError as error:
        raise ValueError(f"account {account!r} {error.errors()[0]['msg']}") from None
    return subjects.ticket_events(token, number)


async def _batches(
    nc: Client, filter_subject: str, after: int | None, since: datetime | None
) -> AsyncGenerator[Batch, None]:
    # A subscriber's NATS account does not hold the log and reaches it by its domain. Where there is one
    # account only (a server without users), nobody answers there.
    for domain in (subjects.OUTSIDE_DOMAIN, None):
        follower = Follower(
            nc,
            subjects.TICKETS.name,
            filter_subject,
            names=_consumer_names(nc),
            after=after,
            since=since,
            domain=domain,
        )
        try:
            async with contextlib.aclosing(follower.batches()) as batches:
                async for batch in batches:
                    yield batch
        except NoJetStream:  # only ever before the first batch
            if domain is None:
                raise


def _consumer_names(nc: Client) -> Sequence[str]:
    *_, user, unique = nc.new_inbox().split(".")  # _INBOX.<user>.<unique>, or _INBOX.<unique> without users
    if user == "_INBOX":
        return [f"subscriber-{unique}"]
    return subjects.consumer_names(user)


def _document(message: Message) -> TicketDocument:
    """Raises ValueError, KeyError, TypeError or IndexError: the message is not a ticket's event."""
    envelope = from_json(message.payload)
    _, _, account, ticket = message.subject.split(".")
    document = TicketDocument(
        message.position, message.payload, str(envelope["type"]), account, ticket, int(envelope["revision"])
    )
    if document.ticket != envelope["subject"] or not document.kind:
        raise ValueError("it is filed under another subject, or its type has no kind")
    return document


def _tell(
    unreadable: UnreadableEvent, cause: Exception, on_unreadable: Callable[[UnreadableEvent], None] | None
) -> None:
    if on_unreadable is None:
        raise unreadable from cause
    on_unreadable(unreadable)


class _Revisions:
    """The last revision of each ticket heard of lately, to see that none is missing."""

    def __init__(self, *, from_the_start: bool) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()
        self._met_all = from_the_start  # a ticket that is not remembered was never met

    def check(self, document: TicketDocument) -> None:
        """Raises HistoryGap."""
        last = self._last.pop(document.ticket, 0 if self._met_all else document.revision - 1)
        if document.revision != last + 1:
            raise HistoryGap(
                document.ticket, expected=last + 1, found=document.revision, position=document.position
            )
        self._last[document.ticket] = document.revision
        if len(self._last) > MAX_TICKETS_CHECKED:
            self._last.popitem(last=False)
            self._met_all = False
