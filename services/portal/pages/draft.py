"""A questionnaire that is being answered: one thing per page, back, save and come back, throw away.

A page is answered on the revision of the draft that it was shown with. Who comes second is told, sees what
was saved meanwhile, and keeps what was typed.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import Response
from starlette.routing import Route

from contracts.client import Malformed, Refused
from contracts.envelope import Via
from contracts.intake import requests
from contracts.intake.requests import DraftShown, ShownItem, ShownPage
from services.portal import forms, questions, uploads
from services.portal.drafts import (
    DRAFT_CHANGED,
    DRAFT_GONE,
    DRAFT_SUBMITTED,
    DraftAddress,
    page_asked_for,
    page_named,
    read_draft,
)
from services.portal.failures import UNAVAILABLE
from services.portal.forms import Problems
from services.portal.questions import Filled
from services.portal.site import Handler, Site, Visit
from services.portal.unsent import held


def routes(site: Site) -> list[Route]:
    """`/help/ACCOUNT/DRAFT` and what belongs to its questions."""
    path = "/help/{account}/{draft}"
    return [
        Route(path, site.page(lead_on(show)), methods=["GET"]),
        Route(path, site.page(answer), methods=["POST"]),
        Route(f"{path}/back", site.page(lead_on(back)), methods=["POST"]),
        Route(f"{path}/discard", site.page(lead_on(ask_to_discard)), methods=["GET"]),
        Route(f"{path}/discard", site.page(lead_on(discard)), methods=["POST"]),
    ]


def lead_on(handler: Handler) -> Handler:
    """A draft that became a ticket leads to it; one that is gone has a page of its own."""

    async def handled(visit: Visit) -> Response:
        try:
            return await handler(visit)
        except Refused as refused:
            if refused.reply.code == DRAFT_SUBMITTED:
                return visit.redirect(DraftAddress.of(visit).to("ticket"))
            if refused.reply.code == DRAFT_GONE:
                return visit.render("draft_gone.html", status=404, typed=[], ticket=None, address=None)
            raise

    return handled


@dataclass(slots=True)
class _Sent:
    """A page as somebody sent it."""

    page: str
    revision: int
    command: str
    is_change: bool
    filled: Filled
    draft: DraftShown
    shown: ShownPage
    wants: str = ""

    @property
    def items(self) -> tuple[ShownItem, ...]:
        return (self.shown.item,)


async def show(visit: Visit) -> Response:
    """One of its pages; without one in the address, the one where it was left."""
    address, page = DraftAddress.of(visit), page_asked_for(visit)
    draft = await read_draft(visit, address, page)
    if draft.page is None or page is None:
        return visit.redirect(address.after(draft))
    if draft.page.link_id != page:  # what was asked there is not asked any more
        return visit.redirect(address.page(draft.page.link_id))
    return _page(
        visit,
        address,
        draft,
        draft.page,
        Filled.kept([draft.page.item]),
        is_change="change" in visit.request.query_params,
        is_more="more" in visit.request.query_params,
    )


async def answer(visit: Visit) -> Response:
    """Answer a page and go on. Whatever comes of it, nothing that was typed is lost."""
    form = await forms.sent(visit.request)
    address = DraftAddress.of(visit)
    try:
        return await _answered(visit, address, form)
    except UNAVAILABLE:
        unsent = held(form)
        return visit.render("draft_not_saved.html", status=503, unsent=unsent, again=address.path)
    except Refused as refused:
        code = refused.reply.code
        if code not in {DRAFT_GONE, DRAFT_SUBMITTED, DRAFT_CHANGED, forms.REUSED}:
            raise
        return visit.render(
            "draft_gone.html",
            status=409,
            typed=held(form).typed,
            ticket=address.to("ticket") if code == DRAFT_SUBMITTED else None,
            address=address if code in {DRAFT_CHANGED, forms.REUSED} else None,
        )


async def back(visit: Visit) -> Response:
    """To the page before. It overwrites nothing, so it goes back even when the draft has changed."""
    address = DraftAddress.of(visit)
    form = await forms.sent(visit.request)
    page = page_named(forms.text(form, "page"))
    draft = await read_draft(visit, address)
    asked = requests.GoBack(
        command_id=forms.command_id(form),
        account=address.account,
        actor=visit.actor(),
        via=Via.PORTAL,
        draft=address.draft,
        revision=_revision(form, draft),
        page=page,
    )
    try:
        shown = await visit.ask(requests.BACK, asked, DraftShown)
    except Refused as refused:
        if refused.reply.code != DRAFT_CHANGED:
            raise
        now = {"command_id": forms.new_command_id(), "revision": draft.revision}
        shown = await visit.ask(requests.BACK, asked.model_copy(update=now), DraftShown)
    return visit.redirect(address.after(shown))


async def ask_to_discard(visit: Visit) -> Response:
    """Really?"""
    address = DraftAddress.of(visit)
    return visit.render("draft_discard.html", address=address, draft=await read_draft(visit, address))


async def discard(visit: Visit) -> Response:
    """Throw it away."""
    address = DraftAddress.of(visit)
    form = await forms.sent(visit.request)
    asked = requests.DiscardDraft(
        command_id=forms.command_id(form),
        account=address.account,
        actor=visit.actor(),
        via=Via.PORTAL,
        draft=address.draft,
    )
    await visit.ask(requests.DISCARD, asked, requests.DraftDiscarded)
    return visit.redirect(f"/help?account={address.account}&discarded")


async def _answered(visit: Visit, address: DraftAddress, form: FormData) -> Response:
    page = page_named(forms.text(form, "page"))
    draft = await read_draft(visit, address, page)
    if draft.page is None or draft.page.link_id != page:
        return visit.render(
            "draft_gone.html", status=409, typed=held(form).typed, ticket=None, address=address
        )
    sent = _Sent(
        page=page,
        revision=_revision(form, draft),
        command=forms.command_id(form),
        is_change=bool(forms.text(form, "change")),
        filled=Filled.typed(form, [draft.page.item]),
        draft=draft,
        shown=draft.page,
        wants="later" if "later" in form else "",
    )
    problems = await _upload(visit, address, form, sent)
    if added := forms.text(form, "add"):
        sent.filled.more.add(added)
    if removed := forms.text(form, "remove"):
        for files in sent.filled.files.values():
            files[:] = [file for file in files if file.id != removed]
    if problems or added or removed:
        return _again(visit, address, sent, problems, status=422 if problems else 200)
    return await _save(visit, address, sent, problems)


async def _upload(visit: Visit, address: DraftAddress, form: FormData, sent: _Sent) -> Problems:
    """Take in the files that were chosen; those that are not taken are problems of their question."""
    problems = Problems(visit.language)
    for number, (link_id, chosen) in enumerate(questions.chosen(form, sent.items).items()):
        sent.filled.files[link_id] = await uploads.upload(
            visit,
            chosen,
            sent.filled.files[link_id],
            command=f"{sent.command}.{number}",
            account=address.account,
            actor=visit.actor(),
            problems=problems,
            field=link_id,
        )
    return problems


async def _save(visit: Visit, address: DraftAddress, sent: _Sent, problems: Problems) -> Response:
    try:
        asked = requests.AnswerPage(
            command_id=sent.command,
            account=address.account,
            actor=visit.actor(),
            via=Via.PORTAL,
            draft=address.draft,
            revision=sent.revision,
            page=sent.page,
            answers=sent.filled.answers(),
        )
        draft = await visit.ask(requests.ANSWER, asked, DraftShown)
    except ValidationError as invalid:
        questions.add_invalid(problems, invalid, sent.items)
    except Malformed as malformed:
        questions.add_broken(problems, malformed, sent.items)
    except Refused as refused:
        if refused.reply.code not in {DRAFT_CHANGED, forms.REUSED}:
            raise
        sent.draft = await read_draft(visit, address, sent.page)
        if sent.draft.page is None or sent.draft.page.link_id != sent.page:
            raise  # it is not asked any more
        sent.shown = sent.draft.page
        return _again(visit, address, sent, problems, status=409)
    else:
        return visit.redirect(_next(address, sent, draft))
    return _again(visit, address, sent, problems, status=422)


def _next(address: DraftAddress, sent: _Sent, draft: DraftShown) -> str:
    """Where to go on: back to the check for who came from there, unless other questions hang on it."""
    if sent.wants == "later":
        return f"/help?account={address.account}&saved={address.draft}"
    if draft.page is not None and draft.page.link_id == sent.page:
        return address.page(sent.page, query="&more&change" if sent.is_change else "&more")
    if sent.is_change and not questions.hangs_on_change(sent.items, sent.filled):
        return address.to("check")
    return address.after(draft)


def _again(visit: Visit, address: DraftAddress, sent: _Sent, problems: Problems, *, status: int) -> Response:
    """The page as it was sent. What was refused had no effect, so it gets a new command id."""
    now = Filled.kept(sent.items)
    return _page(
        visit,
        address,
        sent.draft,
        sent.shown,
        sent.filled,
        status=status,
        revision=sent.draft.revision if status == 409 else sent.revision,
        is_change=sent.is_change,
        problems=problems,
        is_later=sent.wants == "later",
        meanwhile=now if status == 409 else None,
    )


def _page(
    visit: Visit,
    address: DraftAddress,
    draft: DraftShown,
    shown: ShownPage,
    filled: Filled,
    *,
    status: int = 200,
    revision: int | None = None,
    is_change: bool = False,
    is_more: bool = False,
    is_later: bool = False,
    problems: Problems | None = None,
    meanwhile: Filled | None = None,
) -> Response:
    return visit.render(
        "question.html",
        status=status,
        address=address,
        draft=draft,
        revision=revision or draft.revision,
        shown=shown,
        filled=filled,
        is_change=is_change,
        is_more=is_more,
        is_later=is_later,
        problems=problems.by_field if problems else {},
        meanwhile=meanwhile,
        asked=list(questions.asked([shown.item])),
        command=forms.new_command_id(),
        back_command=forms.new_command_id(),
    )


def _revision(form: FormData, draft: DraftShown) -> int:
    sent = forms.text(form, "revision")
    fits = sent.isascii() and sent.isdecimal() and 0 < len(sent) < 19 and int(sent) > 0
    return int(sent) if fits else draft.revision
