"""Check your answers, Submit, and the ticket that comes of it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from contracts.client import Malformed, Refused, ServiceUnavailable, call
from contracts.envelope import Via
from contracts.intake import requests
from contracts.tickets import requests as ticket_requests
from services.portal import forms, questions
from services.portal.drafts import DRAFT_CHANGED, DRAFT_SUBMITTED, DraftAddress, read_draft, review_draft
from services.portal.forms import Problems
from services.portal.pages.draft import lead_on
from services.portal.site import Site, Visit

NOT_OPENED: Final = "ticket_not_opened_yet"
WAIT_S: Final = 2
LOOK_AGAIN_S: Final = 3


def routes(site: Site) -> list[Route]:
    """`/help/ACCOUNT/DRAFT/check` and `/ticket`."""
    path = "/help/{account}/{draft}"
    return [
        Route(f"{path}/check", site.page(lead_on(check)), methods=["GET"]),
        Route(f"{path}/check", site.page(lead_on(submit)), methods=["POST"]),
        Route(f"{path}/ticket", site.page(lead_on(ticket)), methods=["GET"]),
    ]


async def check(visit: Visit) -> Response:
    """All answers, each with the way to change it."""
    return await _check(visit, DraftAddress.of(visit))


async def submit(visit: Visit) -> Response:
    """Ask for the ticket."""
    address = DraftAddress.of(visit)
    form = await forms.sent(visit.request)
    revision = forms.text(form, "revision")
    if not (revision.isascii() and revision.isdecimal() and 0 < len(revision) < 19 and int(revision)):
        return await _check(visit, address)
    asked = requests.SubmitDraft(
        command_id=forms.command_id(form),
        account=address.account,
        actor=visit.actor(),
        via=Via.PORTAL,
        draft=address.draft,
        revision=int(revision),
    )
    try:
        recorded = await visit.ask(requests.SUBMIT, asked, requests.SubmissionRecorded)
    except Malformed as malformed:
        problems = Problems(visit.language)
        questions.add_broken(problems, malformed, ())
        return await _check(visit, address, status=422, problems=problems)
    except Refused as refused:
        if refused.reply.code != DRAFT_CHANGED:
            raise
        return await _check(visit, address, status=409)
    visit.wrote("intake", recorded.position)
    return visit.redirect(address.to("ticket"))


async def ticket(visit: Visit) -> Response:
    """On to the ticket, as soon as it is there; until then a page that looks again by itself."""
    address = DraftAddress.of(visit)
    query = ticket_requests.GetSubmission(
        actor=visit.actor(), account=address.account, submission=address.draft, wait_s=WAIT_S
    )
    try:
        opened = await call(
            visit.site.nc,
            ticket_requests.SUBMISSION,
            query,
            ticket_requests.SubmissionTicket,
            timeout_s=WAIT_S + 1,
        )
    except ServiceUnavailable:
        return await _waiting(visit, address)
    except Refused as refused:
        if refused.reply.code != NOT_OPENED:
            raise
        return await _waiting(visit, address)
    visit.wrote("tickets", opened.position)
    return visit.redirect(f"/tickets/{opened.number}?opened")


async def _waiting(visit: Visit, address: DraftAddress) -> Response:
    try:
        draft = await read_draft(visit, address)
    except Refused as refused:
        if refused.reply.code != DRAFT_SUBMITTED:
            raise
    else:  # nobody has submitted it
        return visit.redirect(address.after(draft))
    response = visit.render("opening.html", address=address)
    response.headers["refresh"] = str(LOOK_AGAIN_S)
    return response


async def _check(
    visit: Visit, address: DraftAddress, *, status: int = 200, problems: Problems | None = None
) -> Response:
    review = await review_draft(visit, address)
    found = [
        (address.page(each.page, query=f"&change#a-{each.link_id}"),
         questions.told(each.question, each.rule, each.data, Problems(visit.language)))
        for each in review.problems
    ]  # fmt: skip
    if problems is not None and not found:
        found = [("#answers", message) for message in problems.by_field.values()]
    return visit.render(
        "check.html",
        status=status,
        address=address,
        review=review,
        problems=found if status == 422 or review.problems else [],
        was_changed=status == 409,
        command=forms.new_command_id(),
        back_command=forms.new_command_id(),
    )
