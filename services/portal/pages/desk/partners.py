"""Requests of new partners: the tickets that interest forms became, and the accounts made of them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, get_args
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts.access import requests as access
from contracts.access.roles import Permission
from contracts.client import RequestFailed, ServiceFault, ServiceUnavailable
from contracts.tickets import requests
from contracts.tickets.requests import Ticket, TicketSummary
from contracts.wording import Language
from services.portal import forms
from services.portal.desk import Desk
from services.portal.forms import Problems
from services.portal.reading import read_ticket
from services.portal.sides import DESK
from services.portal.site import Site, Visit

PAGE: Final = 25
_COMPANY: Final = "company"
"""The question of the interest form that asks for the company's name."""
_EMAIL: Final = "email"
"""The kind of the identifier that an interest form's ticket has beside its reference."""
_ID_LENGTH: Final = 32
_MAX_POSITION: Final = 2**63


@dataclass(slots=True, kw_only=True)
class _Form:
    """What the form holds."""

    account: str
    name: str
    email: str
    languages: list[str]
    command: str


def routes(site: Site) -> list[Route]:
    """`/desk/partners` and, of a request, `/desk/partners/NUMBER`."""
    reading, admitting = Desk.of(site, Permission.TICKET_READ), Desk.of(site, Permission.ACCOUNT_ADMIT)
    one = f"{DESK.base}/partners/{{number}}"
    return [
        Route(f"{DESK.base}/partners", reading.page(waiting), methods=["GET"]),
        Route(one, admitting.page(ask), methods=["GET"]),
        Route(one, admitting.page(admit), methods=["POST"]),
    ]


async def waiting(visit: Visit) -> Response:
    """Requests that are not closed, newest first."""
    asked = visit.request.query_params.get("before", "")
    position = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 20 else 0
    query = requests.ListTickets(
        actor=visit.actor(DESK.kind),
        account=visit.site.settings.interest_account,
        status=requests.TicketStatus.OPEN,
        limit=PAGE,
        before=position if 0 < position < _MAX_POSITION else None,
        at_least=visit.at_least("tickets"),
    )
    tickets: tuple[TicketSummary, ...] = ()
    page = None
    if await visit.site.guard.knows_account(visit.site.settings.interest_account):
        page = await visit.ask(requests.LIST, query, requests.TicketPage)
        tickets = page.tickets
    return visit.render(
        "desk/partners.html",
        tickets=tickets,
        page=page,
        address=f"{DESK.base}/tickets?{urlencode({'view': 'all', 'account': query.account})}",
        may_admit=visit.person.may(Permission.ACCOUNT_ADMIT),
    )


async def ask(visit: Visit) -> Response:
    """The form, with what the request says."""
    ticket = await _request(visit)
    name = next((each.values[0] for each in ticket.answers if each.link_id == _COMPANY), "")
    email = next((each.value for each in ticket.identifiers if each.kind == _EMAIL), "")
    form = _Form(
        account=suggested_id(name), name=name, email=email, languages=[], command=forms.new_command_id()
    )
    return _page(visit, ticket, form)


async def admit(visit: Visit) -> Response:
    """Make the account, and invite its first administrator."""
    sent = await forms.sent(visit.request)
    form = _Form(
        account=forms.text(sent, "account").strip().lower(),
        name=forms.text(sent, "name").strip(),
        email=forms.text(sent, "email").strip(),
        languages=[each for each in forms.texts(sent, "languages") if each in get_args(Language)],
        command=forms.command_id(sent),
    )
    ticket = await _request(visit)
    problems = Problems(visit.language)
    try:
        asked = access.AdmitAccount(
            command_id=form.command,
            account=form.account,
            actor=visit.actor(DESK.kind),
            via=DESK.via,
            name=form.name,
            email=form.email,
            languages=tuple(form.languages),
        )
        done = await visit.ask(access.ADMIT, asked, access.InvitationSent)
    except ValidationError as invalid:
        labels = {
            "account": visit._("Account ID"),
            "name": visit._("Name"),
            "email": visit._("E-mail address"),
        }
        problems.add_invalid(invalid, labels)
        return _page(visit, ticket, form, problems)
    except (ServiceUnavailable, ServiceFault):
        raise
    except RequestFailed as failed:
        problems.add_failed("account", failed)
        form.command = forms.new_command_id()  # this one had no effect, or had one with other fields
        return _page(visit, ticket, form, problems)
    visit.wrote("access", done.position)
    await visit.site.guard.reach(done.position)
    link = f"{visit.site.settings.origin}/invitation?{urlencode({'token': done.token})}"
    return visit.render(
        "desk/admitted.html", ticket=ticket, name=form.name, email=form.email, done=done, link=link
    )


def suggested_id(name: str) -> str:
    """An account id after a company's name: small letters, digits and single dashes."""
    plain = unicodedata.normalize("NFKD", name.casefold().replace("ł", "l"))
    words = re.findall(r"[a-z0-9]+", "".join(each for each in plain if not unicodedata.combining(each)))
    return "-".join(words)[:_ID_LENGTH].strip("-")


async def _request(visit: Visit) -> Ticket:
    """The ticket of the path. Raises as `read_ticket`, and HTTPException when it is no new partner's."""
    ticket = await read_ticket(visit, DESK)
    if ticket.account != visit.site.settings.interest_account:
        raise HTTPException(404)
    return ticket


def _page(visit: Visit, ticket: Ticket, form: _Form, problems: Problems | None = None) -> Response:
    return visit.render(
        "desk/admit.html",
        status=422 if problems else 200,
        ticket=ticket,
        form=form,
        problems=problems.by_field if problems else {},
    )
