"""Closing a ticket and opening it again: a page that asks, and a form that does it."""

from __future__ import annotations

from functools import partial
from typing import Final

from pydantic import ValidationError
from starlette.responses import Response
from starlette.routing import Route

from contracts.client import Refused, RequestFailed, ServiceFault, ServiceUnavailable
from contracts.tickets import requests
from contracts.tickets.events import CloseReason
from contracts.tickets.requests import TicketStatus
from services.portal import forms
from services.portal.forms import Problems
from services.portal.pages import ticket as ticket_page
from services.portal.reading import read_ticket
from services.portal.sides import PARTNER, Side
from services.portal.site import Site, Visit

_OPEN_ALREADY: Final = frozenset({forms.REUSED, "ticket_is_open"})


def routes(site: Site, side: Side = PARTNER) -> list[Route]:
    """`/tickets/NUMBER/close` and `/reopen`. Opening a link to one of them changes nothing."""
    path = side.ticket("{number}")
    return [
        Route(f"{path}/close", site.page(partial(ask_to_close, side=side)), methods=["GET"]),
        Route(f"{path}/close", site.page(partial(close, side=side)), methods=["POST"]),
        Route(f"{path}/reopen", site.page(partial(ask_to_reopen, side=side)), methods=["GET"]),
        Route(f"{path}/reopen", site.page(partial(reopen, side=side)), methods=["POST"]),
    ]


async def ask_to_close(visit: Visit, *, side: Side) -> Response:
    """Why is it closed?"""
    return await _asked(visit, side, "close.html")


async def ask_to_reopen(visit: Visit, *, side: Side) -> Response:
    """Why is it opened again?"""
    return await _asked(visit, side, "reopen.html")


async def close(visit: Visit, *, side: Side) -> Response:
    """Close it, with a reason and a note."""
    form = await forms.sent(visit.request)
    reason, note, command = forms.text(form, "reason"), forms.text(form, "note"), forms.command_id(form)
    ticket = await read_ticket(visit, side)
    problems = Problems(visit.language)
    if reason not in {each.value for each in side.close_reasons}:
        problems.add("reason", visit._("Choose why the ticket is closed."))
    else:
        try:
            asked = requests.CloseTicket(
                command_id=command,
                account=ticket.account,
                actor=visit.actor(side.kind),
                via=side.via,
                number=ticket.number,
                reason=CloseReason(reason),
                note=note if note.strip() else None,
            )
            return await _do(visit, side, requests.CLOSE, asked)
        except ValidationError as invalid:
            problems.add_invalid(invalid, {"note": visit._("Note")})
        except (ServiceUnavailable, ServiceFault):
            raise
        except RequestFailed as failed:
            if failed.reply.code == forms.REUSED:
                command = forms.new_command_id()
                problems.add(
                    "note",
                    visit._(
                        "The ticket was closed with an earlier version of this note, which stands on it."
                    ),
                )
            else:
                problems.add_failed("", failed)
    return await _asked(
        visit, side, "close.html", problems=problems, reason=reason, text=note, command=command
    )


async def reopen(visit: Visit, *, side: Side) -> Response:
    """Open it again, with a reason, which is the next message on it."""
    form = await forms.sent(visit.request)
    text, command = forms.text(form, "text"), forms.command_id(form)
    ticket = await read_ticket(visit, side)
    problems = Problems(visit.language)
    try:
        asked = requests.ReopenTicket(
            command_id=command,
            account=ticket.account,
            actor=visit.actor(side.kind),
            via=side.via,
            number=ticket.number,
            reason=text,
        )
        return await _do(visit, side, requests.REOPEN, asked)
    except ValidationError as invalid:
        problems.add_invalid(invalid, {"reason": visit._("Your message")})
    except (ServiceUnavailable, ServiceFault):
        raise
    except Refused as refused:
        if refused.reply.code not in _OPEN_ALREADY:
            problems.add_failed("", refused)
        else:
            problems.add(
                "text",
                visit._(
                    "The ticket was opened again before. "
                    "Send this text as a reply, unless it stands there already."
                ),
            )
            return await ticket_page.page(visit, side, 409, problems, text)
    except RequestFailed as failed:
        problems.add_failed("", failed)
    return await _asked(visit, side, "reopen.html", problems=problems, text=text, command=command)


async def _do(
    visit: Visit, side: Side, subject: str, asked: requests.CloseTicket | requests.ReopenTicket
) -> Response:
    done = await visit.ask(subject, asked, requests.CommandDone)
    visit.wrote("tickets", done.position)
    return visit.redirect(f"{side.ticket(done.number)}#event-{done.revision}")


async def _asked(
    visit: Visit,
    side: Side,
    template: str,
    *,
    problems: Problems | None = None,
    reason: str = "",
    text: str = "",
    command: str | None = None,
) -> Response:
    ticket = await read_ticket(visit, side)
    return visit.render(
        template,
        status=422 if problems else 200,
        side=side,
        ticket=ticket,
        fits=(ticket.status is TicketStatus.OPEN) == (template == "close.html"),
        problems=problems.by_field if problems else {},
        reason=reason,
        text=text,
        command=command or forms.new_command_id(),
    )
