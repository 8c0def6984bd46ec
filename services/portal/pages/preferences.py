"""What a browser remembers for somebody: the language, and the account that is worked in."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from contracts.wording import LANGUAGES
from services.portal import forms
from services.portal.site import ACCOUNT_COOKIE, LANGUAGE_COOKIE, Site, Visit, remember
from services.signin.returning import own_path


def routes(site: Site) -> list[Route]:
    """POST `/language` and `/account`: both lead back to where the form was."""
    return [
        Route("/language", site.open_page(choose_language), methods=["POST"]),
        Route("/account", site.page(choose_account), methods=["POST"]),
    ]


async def choose_language(visit: Visit) -> Response:
    """Speak another language from now on."""
    form = await forms.sent(visit.request)
    response = visit.redirect(own_path(str(form.get("return_to", ""))))
    if (language := str(form.get("language"))) in LANGUAGES:
        remember(response, visit.site, LANGUAGE_COOKIE, language)
    return response


async def choose_account(visit: Visit) -> Response:
    """Work in another of one's accounts from now on."""
    form = await forms.sent(visit.request)
    response = visit.redirect("/tickets")
    if (account := str(form.get("account"))) in visit.person.memberships:
        remember(response, visit.site, ACCOUNT_COOKIE, account)
    return response
