"""No more e-mails about tickets, by the link that stands in each of them: nobody has to sign in for it.

Mail programs send the POST by themselves (RFC 8058): without cookies, from nowhere, with the one body that
says so. Anything else is taken from a page of ours only.
"""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from contracts.access import requests
from contracts.client import NotFound, Refused
from contracts.text import CommandId
from services.portal import forms
from services.portal.site import Site, Visit
from services.signin.origins import is_from_own_page

STOP: Final = "/mail/stop"
ONE_CLICK: Final = [("List-Unsubscribe", "One-Click")]


def routes(site: Site) -> list[Route]:
    """`/mail/stop?token=TOKEN`."""
    return [
        Route(STOP, site.open_page(ask), methods=["GET"]),
        Route(STOP, site.open_page(stop), methods=["POST"]),
    ]


async def ask(visit: Visit) -> Response:
    """Really? Opening the link changes nothing."""
    token = visit.request.query_params.get("token", "")
    return visit.render("mail_stop.html", token=token, stopped=None, is_void=not token)


async def stop(visit: Visit) -> Response:
    """No more of them."""
    form = await forms.sent(visit.request)
    is_one_click = form.multi_items() == ONE_CLICK
    if not is_one_click and not is_from_own_page(visit.request.headers, visit.site.settings.origin):
        raise HTTPException(403)
    command: CommandId = forms.command_id(form)
    try:
        asked = requests.StopMail(command_id=command, token=visit.request.query_params.get("token", ""))
        stopped = await visit.ask(requests.STOP_MAIL, asked, requests.MailStopped)
    except (ValidationError, NotFound, Refused):
        return visit.render("mail_stop.html", status=404, token="", stopped=None, is_void=True)
    if is_one_click:
        return PlainTextResponse("", 200)
    return visit.render("mail_stop.html", token="", stopped=stopped, is_void=False)
