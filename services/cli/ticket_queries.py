"""Showing and finding tickets from the command line."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Final

from nats.aio.client import Client

from contracts.client import NotFound, Tickets, call
from contracts.envelope import format_time
from contracts.errors import ErrorKind
from contracts.notify import requests as notify_requests
from contracts.reference import is_reference
from contracts.tickets import requests
from services.cli import arguments
from services.cli.connect import connected
from services.cli.failures import checked, failed, malformed, run
from services.cli.moments import parse_moment, spelled
from services.cli.output import Pages, print_json
from services.cli.ticket_commands import TIMEOUT_S
from services.cli.words import say

_PAGE: Final = 500


def show(
    number: str,
    *,
    as_of: str | None,
    revision: str | None,
    position: str | None,
    account: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        now = datetime.now(UTC)
        points = {"--as-of": as_of, "--revision": revision, "--position": position}
        if len(given := [option for option, value in points.items() if value is not None]) > 1:
            raise malformed(given[1], "only_one_of", options=", ".join(points))
        at = None if as_of is None else _moment("--as-of", as_of, now, quiet=as_json)
        query = checked(
            requests.GetTicket,
            actor=arguments.asker(actor),
            number=number,
            account=account,
            as_of_revision=revision,
            as_of_position=position,
            as_of_time=at,
        )
        async with connected() as nc:
            tickets = Tickets(nc, timeout_s=TIMEOUT_S)
            ticket = await tickets.get(query)
            whole = requests.TicketHistory(
                actor=query.actor, number=ticket.number, at_least=ticket.position, limit=_PAGE
            )
            thread = await _events(tickets, whole, up_to=ticket.revision)
        if as_json:
            as_of_time = {} if at is None else {"as_of_time": format_time(at)}
            print_json(ticket, as_of_time, {"events": [recorded.model_dump() for recorded in thread]})
        else:
            Pages(now).ticket(ticket, thread)

    run(work(), as_json=as_json)


def history(number: str, *, account: str | None, actor: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        query = checked(
            requests.TicketHistory,
            actor=arguments.asker(actor),
            number=number,
            account=account,
            limit=_PAGE,
        )
        async with connected() as nc:
            tickets = Tickets(nc, timeout_s=TIMEOUT_S)
            first = await tickets.history(query)
            rest: list[requests.RecordedDocument] = []
            if first.next_after_revision is not None:
                at_least = first.events[-1].position
                rest = await _events(
                    tickets,
                    query.model_copy(
                        update={"after_revision": first.next_after_revision, "at_least": at_least}
                    ),
                )
        page = first.model_copy(update={"events": (*first.events, *rest), "next_after_revision": None})
        if as_json:
            print_json(page)
        else:
            Pages(datetime.now(UTC)).history(page)

    run(work(), as_json=as_json)


def list_tickets(
    *,
    account: str | None,
    status: str | None,
    topic: str | None,
    identifier: str | None,
    number: str | None,
    words: str | None,
    limit: str | None,
    before: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        query = checked(
            requests.ListTickets,
            actor=arguments.asker(actor),
            account=account,
            status=status,
            topic=topic,
            identifier=None if identifier is None else arguments.identifier_filter(identifier),
            number=number,
            words=words,
            limit=limit,
            before=before,
        )
        async with connected() as nc:
            tickets = Tickets(nc, timeout_s=TIMEOUT_S)
            page = await tickets.list(query)
            while not page.tickets and page.next_before is not None:  # a search may end a page early
                page = await tickets.list(query.model_copy(update={"before": page.next_before}))
        if as_json:
            print_json(page)
        else:
            Pages(datetime.now(UTC)).list(page)

    run(work(), as_json=as_json)


def lookup(value: str, *, account: str | None, actor: str | None, as_json: bool) -> None:
    """Nothing found is exit code 4, a number with a wrong digit 2; the answer is shown all the same.

    Raises typer.Exit.
    """

    async def work() -> None:
        query = checked(requests.LookUp, actor=arguments.asker(actor), value=value, account=account)
        async with connected() as nc:
            tickets = Tickets(nc, timeout_s=TIMEOUT_S)
            result = await tickets.lookup(query)
            if not result.matches and is_reference(value):
                number = await _ticket_of_mail(nc, value, account=account, actor=actor)
                if number is not None:
                    result = await tickets.lookup(query.model_copy(update={"value": number}))
        if as_json:
            print_json(result)
        elif result.matches:
            Pages(datetime.now(UTC)).matches(result.matches)
            if result.number_mistyped:
                sys.stderr.write(say("only_an_identifier", value=value) + "\n")
        if result.matches:
            return
        if result.number_mistyped:
            raise malformed("VALUE", "number_mistyped", value=value)
        raise failed(ErrorKind.REFUSED, 404, "nothing_found", value=value)

    run(work(), as_json=as_json)


async def _ticket_of_mail(
    nc: Client, reference: str, *, account: str | None, actor: str | None
) -> str | None:
    """The number of the ticket that an e-mail was about, by the reference ID that stands in it."""
    query = checked(
        notify_requests.FindReference,
        actor=arguments.asker(actor),
        reference=reference,
        account=account,
    )
    try:
        found = await call(
            nc, notify_requests.FIND, query, notify_requests.FoundReference, timeout_s=TIMEOUT_S
        )
    except NotFound:
        return None
    return found.ticket


async def _events(
    tickets: Tickets, query: requests.TicketHistory, *, up_to: int | None = None
) -> list[requests.RecordedDocument]:
    """A ticket's events from the revision that the query names to another, or to the last."""
    events: list[requests.RecordedDocument] = []
    more: int | None = query.after_revision
    while more is not None and (up_to is None or more < up_to):
        limit = _PAGE if up_to is None else min(_PAGE, up_to - more)
        page = await tickets.history(query.model_copy(update={"after_revision": more, "limit": limit}))
        events += page.events
        more = page.next_after_revision
    return events


def _moment(option: str, value: str, now: datetime, *, quiet: bool) -> datetime:
    """The moment; the person is told which zone was taken when none was named."""
    moment = parse_moment(option, value, now)
    if moment.assumed and not quiet:
        sys.stderr.write(say("time_read_as", option=option, time=spelled(moment.at)) + "\n")
    return moment.at
