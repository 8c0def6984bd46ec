"""An account, as the desk sees it: who belongs to it, and the way to its tickets."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts.access import requests
from contracts.text import AccountId
from services.portal.sides import DESK
from services.portal.site import Site, Visit

_ACCOUNT: Final[TypeAdapter[str]] = TypeAdapter(AccountId)
_PAGE: Final = 500


def routes(site: Site) -> list[Route]:
    """`/desk/accounts/ACCOUNT`."""
    return [Route(f"{DESK.base}/accounts/{{account}}", site.page(show), methods=["GET"])]


async def show(visit: Visit) -> Response:
    """Its people, and who is invited."""
    account = str(visit.request.path_params["account"])
    try:
        _ACCOUNT.validate_python(account)
    except ValidationError:
        raise HTTPException(404) from None
    after, people = None, list[requests.AccountPerson]()
    while True:
        query = requests.ListPeople(
            actor=visit.actor(DESK.kind),
            account=account,
            limit=_PAGE,
            after=after,
            at_least=visit.at_least("access"),
        )
        page = await visit.ask(requests.PEOPLE, query, requests.PeoplePage)
        people += page.people
        after = page.next_after
        if after is None:
            break
    people.sort(key=lambda each: (each.display_name or each.email).casefold())
    return visit.render("desk/account.html", account=account, people=people)
