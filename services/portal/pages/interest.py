"""The interest form of those who are no partners yet: the form, the mailbox, the confirmation. No sign-in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts.client import Malformed, NotFound, Refused
from contracts.intake import requests
from contracts.intake.requests import MAX_VALUES, InterestForm
from contracts.reference import is_reference
from services.portal import forms, questions
from services.portal.failures import UNAVAILABLE
from services.portal.forms import Problems
from services.portal.questions import Filled
from services.portal.site import Site, Visit

AUTOCOMPLETE: Final = {
    "company": "organization",
    "country": "country-name",
    "website": "url",
    "contact": "name",
    "email": "email",
    "phone": "tel",
}
"""What browsers may fill in, for the questions of the form that comes with Casetrail."""

_ID: Final = re.compile(r"a-[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
CLOSED: Final = "interest_closed"
FORM_VOID: Final = "interest_form_void"


def routes(site: Site) -> list[Route]:
    """`/interest`, `/interest/sent` and the link of the confirmation, `/interest/confirm?token=TOKEN`."""
    return [
        Route("/interest", site.open_page(show), methods=["GET"]),
        Route("/interest", site.open_page(express), methods=["POST"]),
        Route("/interest/sent", site.open_page(sent), methods=["GET"]),
        Route("/interest/confirm", site.open_page(ask_to_confirm), methods=["GET"]),
        Route("/interest/confirm", site.open_page(confirm), methods=["POST"]),
    ]


async def show(visit: Visit) -> Response:
    """The form."""
    try:
        form = await _form(visit, {})
    except Refused as refused:
        if refused.reply.code != CLOSED:
            raise
        return visit.render("interest_closed.html")
    return _page(visit, form, Filled(), token=form.token)


async def express(visit: Visit) -> Response:
    """Send it. What was typed stays, whatever is wrong with it."""
    sent = await forms.sent(visit.request)
    token, command = forms.text(sent, "token"), forms.command_id(sent)
    problems = Problems(visit.language)
    try:
        form = await _form(visit, _typed(sent))
    except ValidationError:  # larger than any form could be
        raise HTTPException(413) from None
    filled = Filled.typed(sent, form.items)
    try:
        answers = filled.answers()
        asked = requests.ExpressInterest(
            command_id=forms.command_id_of(command, json.dumps(answers, sort_keys=True)),
            token=token,
            language=visit.language,
            answers=answers,
            website=forms.text(sent, "website")[:1000],
            address=visit.request.client.host if visit.request.client else "0.0.0.0",  # noqa: S104
        )
        noted = await visit.ask(requests.EXPRESS_INTEREST, asked, requests.InterestNoted)
    except ValidationError as invalid:
        questions.add_invalid(problems, invalid, form.items)
    except Malformed as malformed:
        questions.add_broken(problems, malformed, form.items)
    except NotFound:
        raise
    except Refused as refused:
        problems.add_failed("", refused)
        if refused.reply.code == FORM_VOID:  # with a token of now it can be sent again
            token = form.token
    except UNAVAILABLE:
        problems.add("", visit._("It is not known whether your form arrived. Send it again: it counts once."))
    else:
        return visit.redirect(f"/interest/sent?reference={noted.reference}")
    before = forms.text(sent, "asked").split()
    new = [each.link_id for each in questions.asked(form.items) if each.link_id not in before]
    return _page(visit, form, filled, token=token, command=command, problems=problems, new=new)


async def sent(visit: Visit) -> Response:
    """Check your mailbox."""
    reference = visit.request.query_params.get("reference", "")
    return visit.render("interest_sent.html", reference=reference if is_reference(reference) else None)


async def ask_to_confirm(visit: Visit) -> Response:
    """What the link is about, and the button that confirms it: opening a link changes nothing."""
    token = visit.request.query_params.get("token", "")
    interest = None
    try:
        asked = requests.ShowInterest(token=token, language=visit.language)
        interest = await visit.ask(requests.SHOW_INTEREST, asked, requests.Interest)
    except (ValidationError, NotFound):
        pass
    return visit.render(
        "interest_confirm.html", status=404 if interest is None else 200, interest=interest, token=token
    )


async def confirm(visit: Visit) -> Response:
    """It is meant."""
    form = await forms.sent(visit.request)
    token = forms.text(form, "token")
    try:
        await visit.ask(
            requests.CONFIRM_INTEREST, requests.ConfirmInterest(token=token), requests.InterestConfirmed
        )
    except (ValidationError, NotFound):
        return visit.render("interest_confirm.html", status=404, interest=None, token="")
    return visit.redirect(f"/interest/confirm?token={token}")


async def _form(visit: Visit, answers: Mapping[str, tuple[str, ...]]) -> InterestForm:
    asked = requests.GetInterestForm(language=visit.language, answers=dict(answers))
    return await visit.ask(requests.INTEREST_FORM, asked, InterestForm)


def _typed(form: FormData) -> dict[str, tuple[str, ...]]:
    """Whatever was sent as an answer: which of it is asked, the service knows."""
    names = {name for name, value in form.multi_items() if name.startswith("a-") and isinstance(value, str)}
    return {name[2:]: tuple(forms.texts(form, name)[:MAX_VALUES]) for name in names if _ID.fullmatch(name)}


def _page(
    visit: Visit,
    form: InterestForm,
    filled: Filled,
    *,
    token: str,
    command: str | None = None,
    problems: Problems | None = None,
    new: list[str] | None = None,
) -> Response:
    """`new` are the questions that were not on the page that was sent: nobody is told off for these."""
    told = problems.by_field if problems else {}
    wrong = {link_id: message for link_id, message in told.items() if link_id not in (new or ())}
    return visit.render(
        "interest.html",
        status=200 if problems is None else 422,
        form=form,
        filled=filled,
        asked=[each.link_id for each in questions.asked(form.items)],
        token=token,
        command=command or forms.new_command_id(),
        problems=wrong,
        has_more=bool(new) and not wrong,
        new=new or [],
        autocomplete=AUTOCOMPLETE,
    )
