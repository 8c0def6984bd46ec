"""Replying to a ticket and closing it, as one act of one form.

It is two events. The second has a command id that follows from the first's, so that the form sent again does
neither twice; and when only the first could be done, that is told.
"""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts import wording
from contracts.client import NotFound, Refused
from contracts.tickets import requests
from contracts.tickets.events import CloseReason
from contracts.tickets.requests import TicketStatus
from services.portal import forms
from services.portal.failures import UNAVAILABLE
from services.portal.pages import ticket as ticket_page
from services.portal.reading import number_of, read_events, read_ticket
from services.portal.sides import DESK
from services.portal.site import Site, Visit

_SENT: Final = 303


def routes(site: Site) -> list[Route]:
    """POST `/desk/tickets/NUMBER/reply-and-close/REASON`."""
    path = f"{DESK.ticket('{number}')}/reply-and-close/{{reason}}"
    return [Route(path, site.page(reply_and_close), methods=["POST"])]


async def reply_and_close(visit: Visit) -> Response:
    """Send the reply, as the page of the ticket does; then close."""
    form = await forms.sent(visit.request)
    reason, sent = str(visit.request.path_params["reason"]), forms.text(form, "command_id")
    if reason not in {each.value for each in DESK.close_reasons}:
        raise HTTPException(404)
    if not await _is_replied(visit, sent):
        answer = await ticket_page.reply(visit, side=DESK)
        if answer.status_code != _SENT:
            return answer  # nothing was done; it has all that was written
    command = forms.second_command_id(sent)
    try:
        ticket = await read_ticket(visit, DESK)
        asked = requests.CloseTicket(
            command_id=command,
            account=ticket.account,
            actor=visit.actor(DESK.kind),
            via=DESK.via,
            number=ticket.number,
            reason=CloseReason(reason),
        )
        done = await visit.ask(requests.CLOSE, asked, requests.CommandDone)
    except (Refused, NotFound) as refused:
        why = wording.refusal(refused.reply.code, refused.reply.data, visit.language)
        return _half_done(visit, 409, why=why)
    except UNAVAILABLE:
        return _half_done(visit, 503, reason=reason, command=command)
    visit.wrote("tickets", done.position)
    return visit.redirect(f"{DESK.ticket(done.number)}#event-{done.revision}")


async def _is_replied(visit: Visit, command: str) -> bool:
    """Whether the ticket was closed after the form's reply: then the form comes a second time.

    The page of the ticket would not take it, for on a closed ticket it no longer takes the reply's files.
    """
    ticket = await read_ticket(visit, DESK)
    if ticket.status is TicketStatus.OPEN:
        return False
    entries = await read_events(visit, DESK, ticket.number, at_least=ticket.position)
    return any(entry.command == command and entry.is_own for entry in entries)


def _half_done(
    visit: Visit,
    status: int,
    *,
    why: str | None = None,
    reason: str | None = None,
    command: str | None = None,
) -> Response:
    return visit.render(
        "desk/half_done.html",
        status=status,
        address=DESK.ticket(number_of(visit)),
        why=why,
        reason=None if reason is None else CloseReason(reason),
        command=command,
    )
