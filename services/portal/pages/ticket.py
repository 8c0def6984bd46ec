"""A ticket: its timeline, and the reply box while it is open."""

from __future__ import annotations

from functools import partial
from typing import Final

from pydantic import ValidationError
from starlette.responses import Response
from starlette.routing import Route

from contracts.client import NotFound, Refused, RequestFailed
from contracts.tickets import requests
from contracts.tickets.requests import TicketStatus
from services.portal import forms, uploads
from services.portal.failures import UNAVAILABLE
from services.portal.forms import Problems
from services.portal.reading import number_of, read_all
from services.portal.sides import PARTNER, Side
from services.portal.site import Site, Visit
from services.portal.topics import topic_names
from services.portal.uploads import Uploaded

CLOSED: Final = "ticket_is_closed"


def routes(site: Site, side: Side = PARTNER) -> list[Route]:
    """`/tickets/NUMBER` and what a reply is sent to."""
    path = side.ticket("{number}")
    return [
        Route(path, site.page(partial(show, side=side)), methods=["GET"]),
        Route(f"{path}/reply", site.page(partial(reply, side=side)), methods=["POST"]),
    ]


async def show(visit: Visit, *, side: Side) -> Response:
    """The page. In another spelling of its number it leads to the one that links have."""
    number = number_of(visit)
    if number != visit.request.path_params["number"]:
        return visit.redirect(side.ticket(number))
    return await _page(visit, side)


async def reply(visit: Visit, *, side: Side) -> Response:
    """Send a reply. Whatever comes of it, nothing that was written is lost."""
    async with visit.request.form(max_files=forms.MAX_FILES, max_fields=forms.MAX_FIELDS) as form:
        text, command = forms.text(form, "text"), forms.command_id(form)
        problems = Problems(visit.language)
        files = uploads.kept(forms.texts(form, "uploaded"))
        try:
            seen = await read_all(visit, side)
            actor = visit.actor(side.kind)
            if seen.ticket.status is TicketStatus.OPEN:
                files = await uploads.upload(
                    visit,
                    forms.files(form, "files"),
                    files,
                    command=command,
                    account=seen.ticket.account,
                    actor=actor,
                    problems=problems,
                )
            if problems:
                return await _page(visit, side, 422, problems, text, command, files)
            asked = requests.ReplyToTicket(
                command_id=command,
                account=seen.ticket.account,
                actor=actor,
                via=side.via,
                number=seen.ticket.number,
                text=text,
                attachments=tuple(file.id for file in files),
            )
            done = await visit.ask(requests.REPLY, asked, requests.CommandDone)
        except ValidationError as invalid:
            problems.add_invalid(invalid, {"text": visit._("Your reply"), "attachments": visit._("Files")})
            return await _page(visit, side, 422, problems, text, command, files)
        except NotFound:
            return visit.render("not_sent.html", status=404, text=text, command=None, files=[])
        except UNAVAILABLE:
            return visit.render("not_sent.html", status=503, text=text, command=command, files=files)
        except Refused as refused:
            if refused.reply.code != CLOSED:
                problems.add_failed("text", refused)
            return await _page(visit, side, 409, problems, text, command, files)
        except RequestFailed as failed:
            problems.add_failed("text", failed)
            return await _page(visit, side, 422, problems, text, command, files)
    visit.wrote("tickets", done.position)
    return visit.redirect(f"{side.ticket(done.number)}#event-{done.revision}")


async def _page(
    visit: Visit,
    side: Side,
    status: int = 200,
    problems: Problems | None = None,
    text: str = "",
    command: str | None = None,
    files: list[Uploaded] | None = None,
) -> Response:
    seen = await read_all(visit, side)
    return visit.render(
        "ticket.html",
        status=status,
        side=side,
        seen=seen,
        ticket=seen.ticket,
        entries=seen.entries,
        topic_names={} if side is PARTNER else await topic_names(visit),
        problems=problems.by_field if problems else {},
        text=text,
        command=command or forms.new_command_id(),
        files=files or [],
        was_refused=status == 409 and seen.ticket.status is TicketStatus.CLOSED,
    )
