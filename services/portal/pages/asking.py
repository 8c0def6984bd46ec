"""How can we help? What somebody types, the questionnaires that fit it, and the drafts that were left."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts.client import Refused
from contracts.envelope import Via
from contracts.intake import requests
from contracts.number import is_number, spelled
from contracts.tickets import requests as ticket_requests
from services.portal import forms
from services.portal.drafts import DRAFT_SUBMITTED, DraftAddress
from services.portal.forms import Problems
from services.portal.site import Site, Visit


def routes(site: Site) -> list[Route]:
    """`/help`: the text box, and what is sent from there and from the offers."""
    return [
        Route("/help", site.page(ask), methods=["GET"]),
        Route("/help", site.page(go_on), methods=["POST"]),
    ]


async def ask(visit: Visit) -> Response:
    """The text box and Start, and below what was begun and not finished."""
    return await _help(visit, follows=visit.request.query_params.get("follows", ""))


async def go_on(visit: Visit) -> Response:
    """From the text to the offers, and from an offer to its questions."""
    form = await forms.sent(visit.request)
    if "change" in form:
        text, follows = forms.text(form, "text"), forms.text(form, "follows")
        return await _help(visit, text=text, follows=follows, wanted=forms.text(form, "account"))
    return await (_start(visit, form) if "questionnaire" in form else _offer(visit, form))


async def _offer(visit: Visit, form: FormData) -> Response:
    """The questionnaires that fit what was typed, the best first."""
    text, follows = forms.text(form, "text"), forms.text(form, "follows")
    followed = await _followed(visit, follows)
    account = _account(visit, forms.text(form, "account"), followed)
    problems = Problems(visit.language)
    if not text.strip():
        problems.add("text", visit._("Write in a few words what you need."))
    else:
        try:
            query = requests.Offer(actor=visit.actor(), account=account, text=text, language=visit.language)
            offers = await visit.ask(requests.OFFER, query, requests.Offers)
        except ValidationError as invalid:
            problems.add_invalid(invalid, {"text": visit._("What you wrote")})
    if problems:
        return await _help(visit, text=text, follows=follows, wanted=account, problems=problems)
    return visit.render(
        "offers.html",
        account=account,
        text=text,
        followed=followed,
        offers=offers.offers,
        command=forms.new_command_id(),
    )


async def _start(visit: Visit, form: FormData) -> Response:
    """Begin the questionnaire that was chosen, and go to its first page."""
    text, follows = forms.text(form, "text"), forms.text(form, "follows")
    questionnaire, wanted = forms.text(form, "questionnaire"), forms.text(form, "account")
    followed = await _followed(visit, follows)
    account = _account(visit, wanted, followed)
    # Of the same page another one can be chosen after going back: that is another draft.
    command = forms.command_id_of(forms.command_id(form), questionnaire, text)
    problems = Problems(visit.language)
    try:
        asked = requests.StartDraft(
            command_id=command,
            account=account,
            actor=visit.actor(),
            via=Via.PORTAL,
            questionnaire=questionnaire,
            message=text,
            language=visit.language,
            follows=None if followed is None else followed.number,
        )
        draft = await visit.ask(requests.START, asked, requests.DraftShown)
    except ValidationError as invalid:
        problems.add_invalid(
            invalid, {"message": visit._("What you wrote"), "questionnaire": visit._("Topic")}
        )
    except Refused as refused:
        if refused.reply.code == DRAFT_SUBMITTED:  # sent once more, from a page that was kept
            return visit.redirect("/tickets")
        problems.add_failed("text", refused)
    else:
        address = DraftAddress(account, draft.draft)
        return visit.redirect(address.after(draft))
    return await _help(visit, text=text, follows=follows, wanted=account, problems=problems)


async def _help(
    visit: Visit,
    *,
    text: str = "",
    follows: str = "",
    wanted: str = "",
    problems: Problems | None = None,
) -> Response:
    if not visit.person.memberships:
        return visit.render("no_access.html")
    followed = await _followed(visit, follows)
    account = _account(visit, wanted, followed)
    listing = requests.ListDrafts(actor=visit.actor(), account=account)
    drafts = await visit.ask(requests.DRAFTS, listing, requests.DraftList)
    return visit.render(
        "help.html",
        status=422 if problems else 200,
        account=account,
        followed=followed,
        drafts=[(DraftAddress(account, each.draft), each) for each in drafts.drafts],
        saved=visit.request.query_params.get("saved"),
        discarded="discarded" in visit.request.query_params,
        text=text,
        problems=problems.by_field if problems else {},
    )


async def _followed(visit: Visit, number: str) -> ticket_requests.Ticket | None:
    """The ticket that the new one is about, if it names one. Raises HTTPException 404, and as `Visit.ask`."""
    if not number:
        return None
    if not is_number(number):
        raise HTTPException(404)
    query = ticket_requests.GetTicket(
        actor=visit.actor(), number=spelled(number), at_least=visit.at_least("tickets")
    )
    return await visit.ask(ticket_requests.GET, query, ticket_requests.Ticket)


def _account(visit: Visit, wanted: str, followed: ticket_requests.Ticket | None) -> str:
    """For which account it is asked. Raises HTTPException 403 for somebody of none."""
    if followed is not None:
        return followed.account
    account = wanted if wanted in visit.person.memberships else visit.account
    if account is None:
        raise HTTPException(403)
    return account
