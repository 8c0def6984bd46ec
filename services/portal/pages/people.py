"""The people of an account: who has access, who is invited, and what its administrators do about that."""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from contracts.access import requests
from contracts.access.requests import AccountPerson, MembershipStatus
from contracts.access.roles import MemberRole
from contracts.client import Refused, RequestFailed, ServiceFault, ServiceUnavailable
from contracts.envelope import Via
from contracts.requests import Sent
from services.portal import forms
from services.portal.forms import Problems
from services.portal.site import Site, Visit

PAGE: Final = 500
MAX_PAGES: Final = 20
HAS_ROLE: Final = "has_role_already"

DoneT = TypeVar("DoneT", bound=requests.AccountDone)


def routes(site: Site) -> list[Route]:
    """`/people` of the account in the address, and what its administrators do there."""
    person = "/people/{person}"
    return [
        Route("/people", site.page(people), methods=["GET"]),
        Route("/people/invite", site.page(ask_whom), methods=["GET"]),
        Route("/people/invite", site.page(invite), methods=["POST"]),
        Route(f"{person}/role", site.page(ask_role), methods=["GET"]),
        Route(f"{person}/role", site.page(change_role), methods=["POST"]),
        Route(f"{person}/remove", site.page(ask_to_remove), methods=["GET"]),
        Route(f"{person}/remove", site.page(remove), methods=["POST"]),
        Route(f"{person}/withdraw", site.page(ask_to_withdraw), methods=["GET"]),
        Route(f"{person}/withdraw", site.page(withdraw), methods=["POST"]),
    ]


async def people(visit: Visit) -> Response:
    """Who has access, and who is invited."""
    if visit.account is None:
        return visit.render("no_access.html")
    everybody = await _everybody(visit, visit.account)
    members = [each for each in everybody if each.status is MembershipStatus.MEMBER]
    return visit.render(
        "people.html",
        account=visit.account,
        members=sorted(members, key=lambda each: (each.display_name or each.email).casefold()),
        invited=sorted(
            (each for each in everybody if each.status is MembershipStatus.INVITED),
            key=lambda each: each.since,
            reverse=True,
        ),
        manages=visit.person.manages(visit.account),
        done=visit.request.query_params.get("done", ""),
        whom=visit.request.query_params.get("whom", ""),
    )


async def ask_whom(visit: Visit) -> Response:
    """Whom, and as what."""
    return _invite(visit, _managed(visit))


async def invite(visit: Visit) -> Response:
    """Invite somebody. An e-mail with a link tells them."""
    account = _managed(visit)
    form = await forms.sent(visit.request)
    email, role = forms.text(form, "email").strip(), forms.text(form, "role")
    problems = Problems(visit.language)
    if not email:
        problems.add("email", visit._("Enter the e-mail address of the person."))
    if role not in set(MemberRole):
        problems.add("role", visit._("Choose what the person may do."))
    if not problems:
        try:
            asked = requests.InviteMember(
                command_id=forms.command_id(form),
                account=account,
                actor=visit.actor(),
                via=Via.PORTAL,
                email=email,
                role=MemberRole(role),
            )
            await _done(visit, requests.INVITE, asked, requests.InvitationSent)
        except ValidationError as invalid:
            problems.add_invalid(invalid, {"email": visit._("E-mail address")})
        except (ServiceUnavailable, ServiceFault):
            raise
        except RequestFailed as failed:
            _add_failed(visit, problems, "email", failed)
        else:
            return _to_people(visit, account, "invited")
    return _invite(visit, account, email=email, role=role, problems=problems)


async def ask_role(visit: Visit) -> Response:
    """Which role?"""
    account = _managed(visit)
    return _role(visit, account, await _one(visit, account, MembershipStatus.MEMBER))


async def change_role(visit: Visit) -> Response:
    """Another role from now on."""
    account = _managed(visit)
    form = await forms.sent(visit.request)
    person = await _one(visit, account, MembershipStatus.MEMBER)
    role = forms.text(form, "role")
    problems = Problems(visit.language)
    if role not in set(MemberRole):
        problems.add("role", visit._("Choose what the person may do."))
    else:
        asked = requests.ChangeRole(
            command_id=forms.command_id(form),
            account=account,
            actor=visit.actor(),
            via=Via.PORTAL,
            person=person.person,
            role=MemberRole(role),
        )
        try:
            await _done(visit, requests.CHANGE_ROLE, asked, requests.AccountDone)
        except Refused as refused:
            if refused.reply.code == HAS_ROLE:
                return _to_people(visit, account, "")
            _add_failed(visit, problems, "role", refused)
        else:
            return _to_people(visit, account, "changed")
    return _role(visit, account, person, problems=problems)


async def ask_to_remove(visit: Visit) -> Response:
    """Really?"""
    account = _managed(visit)
    person = await _one(visit, account, MembershipStatus.MEMBER)
    return _sure(visit, "person_remove.html", account, person)


async def remove(visit: Visit) -> Response:
    """No access from now on. Sent again, it is answered as before, though the person is a member no more."""
    account, person = _removed_from(visit), str(visit.request.path_params["person"])
    form = await forms.sent(visit.request)
    problems = Problems(visit.language)
    try:
        asked = requests.RemoveMember(
            command_id=forms.command_id(form),
            account=account,
            actor=visit.actor(),
            via=Via.PORTAL,
            person=person,
        )
        await _done(visit, requests.REMOVE, asked, requests.AccountDone)
    except ValidationError:
        raise HTTPException(404) from None
    except Refused as refused:
        account = _managed(visit)
        _add_failed(visit, problems, "", refused)
        member = await _one(visit, account, MembershipStatus.MEMBER)
        return _sure(visit, "person_remove.html", account, member, problems)
    if person == visit.person.id:
        return visit.redirect("/")
    return _to_people(visit, account, "removed")


async def ask_to_withdraw(visit: Visit) -> Response:
    """Really?"""
    account = _managed(visit)
    return _sure(visit, "withdraw.html", account, await _one(visit, account, MembershipStatus.INVITED))


async def withdraw(visit: Visit) -> Response:
    """The link in the e-mail is good for nothing from now on. Sent again, it is answered as before."""
    account = _managed(visit)
    form = await forms.sent(visit.request)
    problems = Problems(visit.language)
    try:
        asked = requests.WithdrawInvitation(
            command_id=forms.command_id(form),
            account=account,
            actor=visit.actor(),
            via=Via.PORTAL,
            invitation=forms.text(form, "invitation"),
        )
        await _done(visit, requests.WITHDRAW, asked, requests.AccountDone)
    except ValidationError:
        raise HTTPException(404) from None
    except Refused as refused:
        _add_failed(visit, problems, "", refused)
        person = await _one(visit, account, MembershipStatus.INVITED)
        return _sure(visit, "withdraw.html", account, person, problems)
    return _to_people(visit, account, "withdrawn")


def _removed_from(visit: Visit) -> str:
    """The account of the form; also for who has left it, by the same form. Raises HTTPException 403."""
    named = visit.request.query_params.get("account", "")
    is_own = visit.request.path_params["person"] == visit.person.id
    return named if is_own and named not in visit.person.memberships else _managed(visit)


def _managed(visit: Visit) -> str:
    """The account in the address, which the visitor manages. Raises HTTPException 403."""
    account = visit.account
    if account is None or not visit.person.manages(account):
        raise HTTPException(403)
    return account


async def _everybody(visit: Visit, account: str) -> list[AccountPerson]:
    found: list[AccountPerson] = []
    after: str | None = None
    for _ in range(MAX_PAGES):
        query = requests.ListPeople(
            actor=visit.actor(),
            account=account,
            limit=PAGE,
            after=after,
            at_least=visit.at_least("access"),
        )
        page = await visit.ask(requests.PEOPLE, query, requests.PeoplePage)
        found += page.people
        after = page.next_after
        if after is None:
            break
    return found


async def _one(visit: Visit, account: str, status: MembershipStatus) -> AccountPerson:
    """The person in the path. Raises HTTPException 404."""
    person = visit.request.path_params["person"]
    for each in await _everybody(visit, account):
        if each.person == person and each.status is status:
            return each
    raise HTTPException(404)


async def _done(visit: Visit, subject: str, asked: Sent, answer_type: type[DoneT]) -> None:
    done = await visit.ask(subject, asked, answer_type)
    visit.wrote("access", done.position)
    await visit.site.guard.reach(done.position)


def _add_failed(visit: Visit, problems: Problems, name: str, failed: RequestFailed) -> None:
    """What the service said, with the account by its name."""
    data = failed.reply.data
    if "account" in data:
        named = {**data, "account": visit.account_name(str(data["account"]))}
        failed = type(failed)(failed.reply.model_copy(update={"data": named}))
    problems.add_failed(name, failed)


def _to_people(visit: Visit, account: str, done: str) -> Response:
    return visit.redirect(f"/people?account={account}" + (f"&done={done}" if done else ""))


def _invite(
    visit: Visit, account: str, *, email: str = "", role: str = "", problems: Problems | None = None
) -> Response:
    return visit.render(
        "invite.html",
        status=422 if problems else 200,
        account=account,
        email=email,
        role=role or MemberRole.MEMBER.value,
        problems=problems.by_field if problems else {},
        command=forms.new_command_id(),
    )


def _role(visit: Visit, account: str, person: AccountPerson, *, problems: Problems | None = None) -> Response:
    return visit.render(
        "person_role.html",
        status=422 if problems else 200,
        account=account,
        person=person,
        problems=problems.by_field if problems else {},
        command=forms.new_command_id(),
    )


def _sure(
    visit: Visit, template: str, account: str, person: AccountPerson, problems: Problems | None = None
) -> Response:
    return visit.render(
        template,
        status=409 if problems else 200,
        account=account,
        person=person,
        problems=problems.by_field if problems else {},
        command=forms.new_command_id(),
    )
