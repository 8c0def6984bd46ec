"""What pages are made from, and the visit of somebody to one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote, urlsplit

from nats.aio.client import Client
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match

from contracts.client import call
from contracts.envelope import Actor, ActorKind
from contracts.requests import Answered, Sent, SentActor
from contracts.wording import LANGUAGES, Language
from services.guard.guard import Guard
from services.portal.directory import Directory, Person
from services.portal.live import News, Streams
from services.portal.navigation import Place, is_at_the_desk, other_side, places
from services.portal.positions import Positions
from services.portal.read_marks import ReadMarks
from services.portal.rendering import Templates
from services.portal.settings import PortalSettings
from services.signin.pages import sign_in_path
from services.signin.returning import HOME, own_path
from services.signin.routes import SignIn
from services.signin.sessions import Session
from services.signin.words import preferred_language

AnswerT = TypeVar("AnswerT", bound=Answered)

ANSWER_WITHIN_S: Final = 8.0
LANGUAGE_COOKIE: Final = "casetrail-language"
ACCOUNT_COOKIE: Final = "casetrail-account"
_POSITION_DIGITS: Final = 18
_YEAR_S: Final = 365 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The parts that all pages share. One per process."""

    settings: PortalSettings
    nc: Client
    guard: Guard
    directory: Directory
    signin: SignIn
    templates: Templates
    positions: Positions
    marks: ReadMarks
    news: News
    streams: Streams

    def page(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint for who is signed in; others sign in first and come back to it."""

        async def endpoint(request: Request) -> Response:
            visit = await self.visit(request)
            if visit.session is not None:
                return await visit.finish(await handler(visit))
            if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
                return Response(status_code=401)  # a script asks, which cannot sign in
            if request.method == "POST":
                raise HTTPException(401)  # its page holds what was sent
            return RedirectResponse(sign_in_path(visit.address), status_code=303)

        return _closing(endpoint)

    def open_page(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint for everybody, signed in or not."""

        async def endpoint(request: Request) -> Response:
            visit = await self.visit(request)
            return await visit.finish(await handler(visit))

        return _closing(endpoint)

    async def visit(self, request: Request) -> Visit:
        """Whose request this is. Raises `nats.errors.Error` when the broker does not say."""
        session = await self.signin.session(request)
        person = None
        if session is not None:
            person = self.directory.person(session.person) or Person(
                session.person, session.email or "", session.name, session.language
            )
        return Visit(site=self, request=request, session=session, person=person)


class Visit:
    """A request, and everything that a page asks of who made it."""

    def __init__(
        self, *, site: Site, request: Request, session: Session | None, person: Person | None
    ) -> None:
        self.site = site
        self.request = request
        self.session = session
        self._person = person
        self.language: Language = chosen_language(
            request,
            None if person is None else person.language,
            None if session is None else session.language,
        )
        self._ = site.templates.gettext(self.language)
        self._seen = site.positions.read(request)
        self._wrote: dict[str, int] = {}
        self.waiting_mails = 0
        request.state.language = self.language
        request.state.visit = self  # for the page of a failure

    @property
    def person(self) -> Person:
        """Who is signed in; only for pages that need that."""
        assert self._person is not None  # noqa: S101  (`Site.page` saw to it)
        return self._person

    @property
    def address(self) -> str:
        """The path and query that were asked for, to come back to. If they take only forms: where it was."""
        asked = asked_for(self.request)
        return asked if can_be_opened(self.request, asked) else self._came_from

    @property
    def _came_from(self) -> str:
        """The page of ours that led here, else the first one."""
        origin, referer = self.site.settings.origin, self.request.headers.get("referer", "")
        page = own_path(referer.removeprefix(origin)) if referer.startswith(f"{origin}/") else HOME
        return page if can_be_opened(self.request, page) else HOME

    @property
    def account(self) -> str | None:
        """The account whose pages are shown: the one in the address, else the one chosen last, else any."""
        own = self.person.memberships
        for chosen in (
            self.request.query_params.get("account"),
            self.request.cookies.get(ACCOUNT_COOKIE),
            next(iter(sorted(own, key=self.site.directory.account_name)), None),
        ):
            if chosen in own:
                return chosen
        return None

    def actor(self, kind: ActorKind = ActorKind.MEMBER) -> SentActor:
        """Who asks, in which capacity."""
        return SentActor(kind=kind, id=self.person.id)

    async def ask(self, subject: str, request: Sent, answer_type: type[AnswerT]) -> AnswerT:
        """The answer of a service. Raises `contracts.client.RequestFailed`, which has a page of its own."""
        return await call(self.site.nc, subject, request, answer_type, timeout_s=ANSWER_WITHIN_S)

    def at_least(self, log: str) -> int:
        """The position of a log (`tickets`, `access`, `intake`) that a query of this browser must show."""
        heard = self._heard if log == "tickets" else 0
        return max(self._seen.get(log, 0), self._wrote.get(log, 0), heard)

    @property
    def _heard(self) -> int:
        """Up to where in the log of tickets the page has heard of news, if that is why it asks."""
        said = self.request.headers.get("casetrail-heard", "")
        return int(said) if said.isascii() and said.isdecimal() and len(said) <= _POSITION_DIGITS else 0

    def wrote(self, log: str, position: int) -> None:
        """A command of this visit is at this position: all that this browser asks from now on has seen it."""
        self._wrote[log] = max(self._wrote.get(log, 0), position)

    def render(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """A page in the visitor's language."""
        html = self.site.templates.render(template, self.language, visit=self, **context)
        return HTMLResponse(html, status, headers={"content-language": self.language, "vary": "Cookie"})

    def redirect(self, path: str) -> RedirectResponse:
        """On to a page of ours, by GET."""
        return RedirectResponse(path, status_code=303)

    async def finish(self, response: Response) -> Response:
        """The answer, with what the browser is to remember."""
        if self._wrote:
            self.site.positions.write(response, {**self._seen, **self._wrote})
        return response

    # For templates

    @property
    def is_signed_in(self) -> bool:
        return self.session is not None

    @property
    def places(self) -> list[Place]:
        """The navigation, with the place that this page belongs to marked."""
        return places(self._person, self.request.url.path, self._, waiting_mails=self.waiting_mails)

    @property
    def other_side(self) -> Place | None:
        """Where somebody who is both a member and of the platform can go."""
        return other_side(self._person, self.request.url.path, self._)

    @property
    def is_at_the_desk(self) -> bool:
        return is_at_the_desk(self._person, self.request.url.path)

    @property
    def accounts(self) -> list[tuple[str, str]]:
        """The person's accounts: id and name, by name."""
        names = ((each, self.site.directory.account_name(each)) for each in self.person.memberships)
        return sorted(names, key=lambda account: account[1].casefold())

    @property
    def other_languages(self) -> list[Language]:
        return [each for each in LANGUAGES if each != self.language]

    def account_name(self, account: str) -> str:
        return self.site.directory.account_name(account)

    def name_of(self, actor: Actor) -> str:
        """How somebody is called on a page. An agent's address is nobody's business."""
        known = None if actor.kind is ActorKind.SYSTEM else self.site.directory.person(actor.id)
        if actor.kind is ActorKind.AGENT:
            return (known.name if known else None) or self._("Support")
        if known is None:
            return actor.id
        return known.name or known.email or actor.id


Handler = Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def asked_for(request: Request) -> str:
    """The path and query of a request, or the first page if that is no address of ours."""
    query = request.url.query
    return own_path(quote(request.url.path) + (f"?{query}" if query else ""))


def can_be_opened(request: Request, address: str) -> bool:
    """Whether there is a page at an address, as a link leads to one: by GET."""
    if request.method in {"GET", "HEAD"} and address == asked_for(request):
        return True
    scope = {"type": "http", "method": "GET", "path": unquote(urlsplit(address).path)}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


def _closing(endpoint: Endpoint) -> Endpoint:
    """The endpoint, after which no file of the request is left open."""

    async def closing(request: Request) -> Response:
        request.state.request = request  # the body of which the page of a failure may still have to read
        try:
            return await endpoint(request)
        finally:
            await request.close()

    return closing


def remember(response: Response, site: Site, cookie: str, value: str) -> None:
    """Have the browser keep a choice that is no secret, such as the language, for a year."""
    response.set_cookie(
        cookie,
        value,
        max_age=_YEAR_S,
        path="/",
        secure=site.settings.origin.startswith("https:"),
        httponly=True,
        samesite="lax",
    )


def chosen_language(request: Request, *otherwise: str | None) -> Language:
    """What the browser remembers, else the first of `otherwise` that we speak, else what it asks for."""
    spoken: Mapping[str | None, Language] = {each: each for each in LANGUAGES}
    wanted = (request.cookies.get(LANGUAGE_COOKIE), *otherwise)
    found = next((spoken[each] for each in wanted if each in spoken), None)
    return found or preferred_language(request.headers.get("accept-language"))
