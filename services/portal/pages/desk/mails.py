"""E-mails: those that came in and wait for somebody, all that came in, and ours that were given up."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts.access.roles import Permission
from contracts.client import RequestFailed, ServiceFault, ServiceUnavailable
from contracts.notify import requests
from contracts.notify.requests import MailState
from services.portal import forms
from services.portal.desk import Desk
from services.portal.forms import Problems
from services.portal.sides import DESK
from services.portal.site import Site, Visit

PAGE: Final = 25
BASE: Final = f"{DESK.base}/mails"
_MAX_POSITION: Final = 2**63


def routes(site: Site) -> list[Route]:
    """`/desk/mails`, `/desk/mails/all`, `/desk/mails/given-up`, and what sends one again."""
    reading, managing = Desk.of(site, Permission.MAIL_READ), Desk.of(site, Permission.MAIL_MANAGE)
    return [
        Route(BASE, reading.page(waiting), methods=["GET"]),
        Route(f"{BASE}/all", reading.page(received), methods=["GET"]),
        Route(f"{BASE}/given-up", reading.page(given_up), methods=["GET"]),
        Route(f"{BASE}/given-up", managing.page(send_again), methods=["POST"]),
    ]


async def waiting(visit: Visit) -> Response:
    """Those that came in and that somebody should look at."""
    return await _received(visit, waiting=True)


async def received(visit: Visit) -> Response:
    """All that came in, whatever became of them."""
    return await _received(visit, waiting=False)


async def given_up(visit: Visit) -> Response:
    """Those of ours that were refused for good, or tried for too long."""
    return await _given_up(visit)


async def send_again(visit: Visit) -> Response:
    """Send one once more."""
    form = await forms.sent(visit.request)
    mail = forms.text(form, "mail")
    problems = Problems(visit.language)
    try:
        order = requests.ReviveMail(
            command_id=forms.command_id(form), actor=visit.actor(DESK.kind), via=DESK.via, mail=mail
        )
    except ValueError:
        raise HTTPException(404) from None
    try:
        done = await visit.ask(requests.REVIVE, order, requests.MailDone)
    except (ServiceUnavailable, ServiceFault):
        raise
    except RequestFailed as failed:
        problems.add_failed("", failed)
        return await _given_up(visit, problems)
    visit.wrote("notify", done.position)
    return visit.redirect(f"{BASE}/given-up?again=1")


async def _received(visit: Visit, *, waiting: bool) -> Response:
    query = requests.ListReceived(
        actor=visit.actor(DESK.kind),
        waiting=waiting,
        limit=PAGE,
        before=_before(visit),
        at_least=visit.at_least("notify"),
    )
    page = await visit.ask(requests.RECEIVED, query, requests.ReceivedPage)
    return visit.render(
        "desk/mails.html",
        view="waiting" if waiting else "all",
        page=page,
        before=query.before,
        settled=visit.request.query_params.get("settled"),
    )


async def _given_up(visit: Visit, problems: Problems | None = None) -> Response:
    query = requests.ListMails(
        actor=visit.actor(DESK.kind),
        state=MailState.DEAD,
        limit=PAGE,
        before=_before(visit),
        at_least=visit.at_least("notify"),
    )
    page = await visit.ask(requests.MAILS, query, requests.MailPage)
    return visit.render(
        "desk/given_up.html",
        status=409 if problems else 200,
        view="given-up",
        page=page,
        before=query.before,
        problem=next(iter(problems.by_field.values()), None) if problems else None,
        is_sent_again="again" in visit.request.query_params and not problems,
        may_manage=visit.person.may(Permission.MAIL_MANAGE),
        commands=[forms.new_command_id() for _ in page.mails],
    )


def _before(visit: Visit) -> int | None:
    asked = visit.request.query_params.get("before", "")
    position = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 20 else 0
    return position if 0 < position < _MAX_POSITION else None
