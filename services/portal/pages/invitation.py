"""The page behind the link of an invitation: anybody may open it, the person that was invited accepts it."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.responses import Response
from starlette.routing import Route

from contracts.access import requests
from contracts.access.requests import Invitation, InvitationStatus
from contracts.client import NotFound, Refused
from contracts.envelope import Via
from services.portal import forms
from services.portal.forms import Problems
from services.portal.site import ACCOUNT_COOKIE, Site, Visit, remember
from services.signin.pages import sign_in_path


def routes(site: Site) -> list[Route]:
    """`/invitation?token=TOKEN`."""
    return [
        Route("/invitation", site.open_page(show), methods=["GET"]),
        Route("/invitation", site.page(accept), methods=["POST"]),
    ]


async def show(visit: Visit) -> Response:
    """What it is for. Opening the link changes nothing."""
    return await _page(visit, visit.request.query_params.get("token", ""))


async def accept(visit: Visit) -> Response:
    """Become a member, and go to the account's tickets."""
    form = await forms.sent(visit.request)
    token = visit.request.query_params.get("token", "")
    problems = Problems(visit.language)
    try:
        asked = requests.AcceptInvitation(
            command_id=forms.command_id(form),
            actor=visit.actor(),
            via=Via.PORTAL,
            token=token,
            display_name=visit.person.name,
            language=visit.language,
        )
        joined = await visit.ask(requests.ACCEPT, asked, requests.MemberJoined)
    except ValidationError:
        return await _page(visit, "")
    except NotFound:
        return await _page(visit, token)
    except Refused as refused:
        problems.add_failed("", refused)
        return await _page(visit, token, problems)
    visit.wrote("access", joined.position)
    await visit.site.guard.reach(joined.position)
    response = visit.redirect(f"/tickets?account={joined.account}")
    remember(response, visit.site, ACCOUNT_COOKIE, joined.account)
    return response


async def _page(visit: Visit, token: str, problems: Problems | None = None) -> Response:
    invitation = None
    try:
        asked = requests.ShowInvitation(token=token, at_least=visit.at_least("access"))
        invitation = await visit.ask(requests.INVITATION, asked, Invitation)
    except (ValidationError, NotFound):
        pass
    is_mine = invitation is not None and visit.is_signed_in and visit.person.id == invitation.person
    return visit.render(
        "invitation.html",
        status=404 if invitation is None else 409 if problems else 200,
        invitation=invitation,
        is_open=invitation is not None and invitation.status is InvitationStatus.OPEN,
        is_mine=is_mine,
        is_member=is_mine and invitation is not None and invitation.account in visit.person.memberships,
        sign_in=sign_in_path(visit.address),
        token=token,
        problems=problems.by_field if problems else {},
        command=forms.new_command_id(),
    )
