"""A ticket: its timeline, and the reply box while it is open."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from pydantic import ValidationError
from starlette.datastructures import UploadFile
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
    return await page(visit, side)


async def reply(visit: Visit, *, side: Side) -> Response:
    """Send a reply. Whatever comes of it, nothing that was written is lost."""
    form = await forms.sent(visit.request)
    text, command = forms.text(form, "text"), forms.command_id(form)
    problems = Problems(visit.language)
    files, chosen = uploads.kept(forms.texts(form, "uploaded")), forms.files(form, "files")
    try:
        seen = await read_all(visit, side)
        actor = visit.actor(side.kind)
        if seen.ticket.status is TicketStatus.OPEN:
            files = await uploads.upload(
                visit,
                chosen,
                files,
                command=command,
                account=seen.ticket.account,
                actor=actor,
                problems=problems,
            )
            chosen = []
        if problems:
            return await page(visit, side, 422, problems, text, command, files)
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
        return await page(visit, side, 422, problems, text, command, files)
    except NotFound:
        return visit.render("not_sent.html", status=404, text=text, command=None, files=[], left=[])
    except UNAVAILABLE:
        left = [file.filename for file in chosen]
        return visit.render("not_sent.html", status=503, text=text, command=command, files=files, left=left)
    except Refused as refused:
        if refused.reply.code == forms.REUSED:  # what is written now is another reply
            command = forms.new_command_id()
            problems.add(
                "text",
                visit._(
                    "An earlier version of this reply has arrived, and stands on the ticket. "
                    "This one was not sent: send it if it says more."
                ),
            )
        elif refused.reply.code != CLOSED:
            problems.add_failed("text", refused)
        return await page(visit, side, 409, problems, text, command, files, chosen)
    except RequestFailed as failed:
        problems.add_failed("text", failed)
        return await page(visit, side, 422, problems, text, command, files)
    visit.wrote("tickets", done.position)
    return visit.redirect(f"{side.ticket(done.number)}#event-{done.revision}")


async def page(
    visit: Visit,
    side: Side,
    status: int = 200,
    problems: Problems | None = None,
    text: str = "",
    command: str | None = None,
    files: list[Uploaded] | None = None,
    left: Sequence[UploadFile] = (),
) -> Response:
    """The page; `left` are files that were chosen and not taken."""
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
        left=[file.name for file in files or []] + [file.filename for file in left],
        was_refused=status == 409 and seen.ticket.status is TicketStatus.CLOSED,
    )
