"""One's own profile: name and language, which e-mails are wanted, and where one is signed in."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import Response
from starlette.routing import Route

from contracts.access import requests
from contracts.access.events import MailWanted
from contracts.access.requests import Person, SentMailPreferences
from contracts.client import Refused
from contracts.envelope import Via
from contracts.wording import LANGUAGES
from services.portal import forms
from services.portal.forms import Problems
from services.portal.site import LANGUAGE_COOKIE, Site, Visit, remember

UNCHANGED: Final = "nothing_to_change"


def routes(site: Site) -> list[Route]:
    """`/profile`: three forms."""
    return [
        Route("/profile", site.page(profile), methods=["GET"]),
        Route("/profile", site.page(change), methods=["POST"]),
    ]


async def profile(visit: Visit) -> Response:
    """All three."""
    return await _page(visit, await _read(visit))


async def change(visit: Visit) -> Response:
    """Whatever was sent: the name, the e-mails, or the end of other sessions."""
    form = await forms.sent(visit.request)
    if "session" in form:
        return await _sign_out(visit, forms.text(form, "session"))
    return await (_change_mail(visit, form) if "mail" in form else _change_name(visit, form))


async def _change_name(visit: Visit, form: FormData) -> Response:
    """Another name or language."""
    name, language = forms.text(form, "name").strip(), forms.text(form, "language")
    problems = Problems(visit.language)
    if language not in LANGUAGES:
        problems.add("language", visit._("Choose a language."))
    else:
        try:
            asked = requests.ChangePerson(
                command_id=forms.command_id(form),
                actor=visit.actor(),
                via=Via.PORTAL,
                display_name=name or None,
                language=language,
            )
            await _change(visit, asked)
        except ValidationError as invalid:
            problems.add_invalid(invalid, {"display_name": visit._("Your name")})
        except Refused as refused:
            problems.add_failed("name", refused)
    if problems:
        return await _page(visit, await _read(visit), name=name, language=language, problems=problems)
    response = visit.redirect("/profile?done=profile")
    remember(response, visit.site, LANGUAGE_COOKIE, language)
    return response


async def _change_mail(visit: Visit, form: FormData) -> Response:
    """Other e-mails."""
    tickets = forms.text(form, "tickets")
    person = await _read(visit)
    problems = Problems(visit.language)
    if tickets not in set(MailWanted):
        problems.add("tickets", visit._("Choose which e-mails you want."))
        return await _page(visit, person, problems=problems)
    wanted = SentMailPreferences(tickets=MailWanted(tickets), own=forms.text(form, "own") == "yes")
    asked = requests.ChangePerson(
        command_id=forms.command_id(form),
        actor=visit.actor(),
        via=Via.PORTAL,
        display_name=person.display_name,
        language=person.language,
        mail=wanted,
    )
    try:
        await _change(visit, asked)
    except Refused as refused:
        problems.add_failed("tickets", refused)
        return await _page(visit, person, problems=problems)
    return visit.redirect("/profile?done=mail#mail")


async def _sign_out(visit: Visit, name: str) -> Response:
    """Sign out in other browsers: one of them, or all."""
    signin = visit.site.signin
    for each in await signin.open_sessions(visit.request):
        if not each.is_own and name in {each.name, "others"} and visit.session is not None:
            await signin.end_session(visit.session, each.name)
    return visit.redirect("/profile?done=sessions#sessions")


async def _read(visit: Visit) -> Person:
    query = requests.WhoAmI(actor=visit.actor(), at_least=visit.at_least("access"))
    return await visit.ask(requests.WHOAMI, query, Person)


async def _change(visit: Visit, asked: requests.ChangePerson) -> None:
    """Change it; what is like that already is what was wanted."""
    try:
        done = await visit.ask(requests.CHANGE_PERSON, asked, requests.PersonDone)
    except Refused as refused:
        if refused.reply.code != UNCHANGED:
            raise
        return
    visit.wrote("access", done.position)
    await visit.site.guard.reach(done.position)


async def _page(
    visit: Visit,
    person: Person,
    *,
    name: str | None = None,
    language: str | None = None,
    problems: Problems | None = None,
) -> Response:
    return visit.render(
        "profile.html",
        status=422 if problems else 200,
        known=person,
        name=person.display_name or "" if name is None else name,
        chosen=language or person.language or visit.language,
        tickets=person.mail.tickets.value if person.mail else None,
        own=person.mail.own if person.mail else False,
        sessions=await visit.site.signin.open_sessions(visit.request),
        done=visit.request.query_params.get("done", ""),
        problems=problems.by_field if problems else {},
        command=forms.new_command_id(),
    )
