"""An e-mail that came in: why it waits, what it says, and putting it on a ticket or dismissing it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from contracts.access.roles import Permission
from contracts.client import NotFound, RequestFailed, ServiceFault, ServiceUnavailable
from contracts.notify import requests
from contracts.notify.requests import RawChunk, ReceivedRecord
from contracts.number import is_number, shown, spelled
from contracts.tickets import requests as tickets
from contracts.tickets.requests import Ticket, TicketStatus
from services.portal import forms
from services.portal.desk import Desk
from services.portal.foreign_html import foreign_html
from services.portal.forms import Problems
from services.portal.pages.desk.mails import BASE
from services.portal.sides import DESK
from services.portal.site import Site, Visit

_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


def routes(site: Site) -> list[Route]:
    """`/desk/mails/received/RECEIVED`, its HTML and bytes, and what settles it."""
    reading, managing = Desk.of(site, Permission.MAIL_READ), Desk.of(site, Permission.MAIL_MANAGE)
    path = f"{BASE}/received/{{received}}"
    return [
        Route(path, reading.page(show), methods=["GET"]),
        Route(f"{path}/html", reading.page(html), methods=["GET"]),
        Route(f"{path}/raw", reading.page(raw), methods=["GET"]),
        Route(f"{path}/ticket", managing.page(choose), methods=["GET"]),
        Route(f"{path}/ticket", managing.page(put), methods=["POST"]),
        Route(f"{path}/dismiss", managing.page(dismiss), methods=["POST"]),
    ]


async def show(visit: Visit) -> Response:
    """The page."""
    return await _page(visit)


async def html(visit: Visit) -> Response:
    """What a frame shows of it."""
    record = await _record(visit)
    return foreign_html(visit, None if record.original is None else record.original.html)


async def raw(visit: Visit) -> Response:
    """Its bytes as they came in, to save: nothing of it is shown here."""
    first = await _chunk(visit, 0)

    async def chunks() -> AsyncIterator[bytes]:
        chunk = first
        yield chunk.data
        while chunk.next_offset is not None:
            chunk = await _chunk(visit, chunk.next_offset)
            yield chunk.data

    return StreamingResponse(
        chunks(),
        media_type="message/rfc822",
        headers={
            "content-length": str(first.size),
            "content-disposition": f'attachment; filename="{_received(visit)}.eml"',
            "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
        },
    )


async def choose(visit: Visit) -> Response:
    """Shows the ticket of the number that was typed in, before the e-mail is put on it for good."""
    problems = Problems(visit.language)
    ticket = await _ticket(visit, visit.request.query_params.get("number", ""), problems)
    if ticket is None:
        return await _page(visit, problems, number=visit.request.query_params.get("number", ""))
    return await _chosen(visit, ticket)


async def put(visit: Visit) -> Response:
    """Put it on the ticket, as the agent's reply that says whom it is from."""
    form = await forms.sent(visit.request)
    number, command = forms.text(form, "number"), forms.command_id(form)
    problems = Problems(visit.language)
    ticket = await _ticket(visit, number, problems)
    if ticket is None:
        return await _page(visit, problems, number=number)
    try:
        settled = await _settle(visit, command, ticket=ticket.number, account=ticket.account)
    except (ServiceUnavailable, ServiceFault):
        raise
    except RequestFailed as failed:
        problems.add_failed("number", failed)
        return await _page(visit, problems, number=number)
    visit.wrote("notify", settled.position)
    # Notify does not say where in the log of tickets the reply is. For a moment that is still to come, the
    # ticket service reads up to the log's end.
    query = tickets.GetTicket(
        actor=visit.actor(DESK.kind),
        number=ticket.number,
        as_of_time=datetime.now(UTC) + timedelta(minutes=1),
    )
    now = await visit.ask(tickets.GET, query, tickets.Ticket)
    visit.wrote("tickets", now.position)
    return visit.redirect(f"{DESK.ticket(ticket.number)}#event-{now.revision}")


async def dismiss(visit: Visit) -> Response:
    """Take it off the list; it is kept."""
    form = await forms.sent(visit.request)
    problems = Problems(visit.language)
    try:
        settled = await _settle(visit, forms.command_id(form))
    except (ServiceUnavailable, ServiceFault, NotFound):
        raise
    except RequestFailed as failed:
        problems.add_failed("", failed)
        return await _page(visit, problems)
    visit.wrote("notify", settled.position)
    return visit.redirect(f"{BASE}?settled=1")


async def _settle(visit: Visit, command: str, **where: Any) -> requests.MailSettled:
    order = requests.SettleMail(
        command_id=command, actor=visit.actor(DESK.kind), via=DESK.via, received=_received(visit), **where
    )
    return await visit.ask(requests.SETTLE, order, requests.MailSettled)


async def _ticket(visit: Visit, typed: str, problems: Problems) -> Ticket | None:
    """The ticket of a number in any spelling; None: there is none, which `problems` tells."""
    if not typed.strip():
        problems.add("number", visit._("Enter a ticket number."))
        return None
    if not is_number(typed):
        problems.add("number", visit._("This is no ticket number: it has ten digits, such as 483-029-1741."))
        return None
    query = tickets.GetTicket(
        actor=visit.actor(DESK.kind), number=spelled(typed), at_least=visit.at_least("tickets")
    )
    try:
        return await visit.ask(tickets.GET, query, tickets.Ticket)
    except NotFound as failed:
        problems.add_failed("number", failed)
        return None


async def _chosen(visit: Visit, ticket: Ticket) -> Response:
    record = await _record(visit)
    return visit.render(
        "desk/mail_to_ticket.html",
        mail=record.mail,
        ticket=ticket,
        address=f"{BASE}/received/{record.mail.received}",
        is_open=ticket.status is TicketStatus.OPEN,
        command=forms.new_command_id(),
    )


async def _page(visit: Visit, problems: Problems | None = None, number: str | None = None) -> Response:
    record = await _record(visit)
    if number is None:
        number = "" if record.mail.ticket is None else shown(record.mail.ticket)
    return visit.render(
        "desk/mail.html",
        status=422 if problems else 200,
        record=record,
        mail=record.mail,
        original=record.original,
        address=f"{BASE}/received/{record.mail.received}",
        may_settle=record.mail.waits and visit.person.may(Permission.MAIL_MANAGE),
        may_put=visit.person.may(Permission.TICKET_REPLY),
        number=number,
        problems=problems.by_field if problems else {},
        command=forms.new_command_id(),
    )


async def _record(visit: Visit) -> ReceivedRecord:
    query = requests.GetReceived(
        actor=visit.actor(DESK.kind), received=_received(visit), at_least=visit.at_least("notify")
    )
    return await visit.ask(requests.RECEIVED_MAIL, query, ReceivedRecord)


async def _chunk(visit: Visit, offset: int) -> RawChunk:
    query = requests.GetRaw(actor=visit.actor(DESK.kind), received=_received(visit), offset=offset)
    return await visit.ask(requests.RAW, query, RawChunk)


def _received(visit: Visit) -> str:
    """The id in the path. Raises HTTPException 404 when it can be no e-mail's."""
    received = str(visit.request.path_params["received"])
    if not _ID.fullmatch(received):
        raise HTTPException(404)
    return received
