"""Signing in and out over HTTP: four addresses, and the session of any request.

GET  /sign-in?return_to=PATH   to the provider
GET  /sign-in/callback         back from it, with a session of a new key, to PATH
GET  /sign-out                 the two ways to sign out
POST /sign-out                 ends this session
POST /sign-out-everywhere      ends all sessions of the person
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import nats.errors
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.wording import Language
from services.signin import pages
from services.signin.attempts import LASTS, Attempts
from services.signin.cookies import ATTEMPT, SESSION, Cookie
from services.signin.failures import AttemptUnknown, SignInFailed, Unavailable
from services.signin.oidc import Provider
from services.signin.origins import is_from_own_page
from services.signin.pages import Pages, PlainPages
from services.signin.people import People
from services.signin.returning import HOME, own_path
from services.signin.sessions import Clock, Open, Session, Sessions
from services.signin.words import preferred_language

BROKER_AWAY = (nats.errors.Error, TimeoutError, OSError)

log = structlog.get_logger()


class SignIn:
    """The pages of signing in and out of one origin, for a Starlette application to mount."""

    def __init__(
        self,
        *,
        origin: str,
        keys: list[str],
        provider: Provider,
        attempts: Attempts,
        sessions: Sessions,
        people: People,
        clock: Clock,
        look: Pages | None = None,
    ) -> None:
        """Args:
        origin: the scheme, host and port by which browsers reach us.
        keys: sign cookies, oldest first.
        look: shows the pages; plain ones without.
        """
        self._origin = origin
        self._provider = provider
        self._attempts = attempts
        self._sessions = sessions
        self._people = people
        self._clock = clock
        self._look = PlainPages() if look is None else look
        secure = origin.startswith("https:")
        self._session_cookie = Cookie(SESSION, keys=keys, secure=secure)
        self._attempt_cookie = Cookie(
            ATTEMPT, keys=keys, secure=secure, max_age_s=int(LASTS / timedelta(seconds=1))
        )

    def routes(self) -> list[Route]:
        """To be mounted at the root: the cookies and the provider know these addresses."""
        return [
            Route(pages.SIGN_IN, self._start, methods=["GET"]),
            Route(pages.CALLBACK, self._come_back, methods=["GET"]),
            Route(pages.SIGN_OUT, self._ask, methods=["GET"]),
            Route(pages.SIGN_OUT, self._sign_out, methods=["POST"]),
            Route(pages.SIGN_OUT_EVERYWHERE, self._sign_out_everywhere, methods=["POST"]),
        ]

    async def session(self, request: Request) -> Session | None:
        """Whose request this is; None: nobody's who is signed in (now).

        Raises:
            nats.errors.Error: the broker does not say.
        """
        key = self._session_cookie.read(request)
        return None if key is None else await self._sessions.find(key)

    async def open_sessions(self, request: Request) -> list[Open]:
        """All sessions of the person whose request this is. Raises `nats.errors.Error`."""
        key = self._session_cookie.read(request)
        return [] if key is None else await self._sessions.of(key)

    async def end_session(self, session: Session, name: str) -> None:
        """End another session of the person of this one. Raises `nats.errors.Error`."""
        await self._sessions.end_one(session.person, name)
        log.info("signin.ended_elsewhere", person=session.person)

    async def _start(self, request: Request) -> Response:
        return_to = own_path(request.query_params.get("return_to"))
        language = _language(request)
        attempt = self._attempts.start(return_to, self._clock())
        try:
            response = pages.redirect(await self._provider.authorization_url(attempt, language))
        except SignInFailed as failure:
            return self._told(request, failure, return_to, language)
        self._attempt_cookie.write(response, self._attempts.to_cookie(attempt))
        return response

    async def _come_back(self, request: Request) -> Response:
        return_to = HOME
        try:
            answer = _answer(request)
            attempt = self._attempts.find(
                self._attempt_cookie.read(request), answer.get("state", ""), self._clock()
            )
            return_to = own_path(attempt.return_to)
            identity = await self._provider.identify(attempt, answer)
            await self._attempts.use(attempt)  # only now: nobody can fill the bucket without an identity
            person = await self._people.recognise(identity)
            if (replaced := self._session_cookie.read(request)) is not None:
                await self._sessions.end(replaced)
            key = await self._sessions.begin(
                person, email=identity.email, name=identity.name, language=identity.language
            )
        except SignInFailed as failure:
            response: Response = self._told(request, failure, return_to, _language(request))
            if not isinstance(
                failure, AttemptUnknown
            ):  # which may have been forged while a true one is under way
                self._attempt_cookie.clear(response)
            return response
        except BROKER_AWAY as error:
            away = Unavailable(f"the broker: {type(error).__name__}")
            return self._told(request, away, return_to, _language(request))
        log.info("signin.done", person=person)
        response = pages.redirect(self._origin + return_to)
        self._session_cookie.write(response, key)
        self._attempt_cookie.clear(response)
        return response

    async def _ask(self, request: Request) -> Response:
        try:
            session = await self.session(request)
        except BROKER_AWAY:
            return self._look.not_signed_out(
                request, Unavailable.code, Unavailable.status, _language(request)
            )
        language = _language(request, session)
        if session is None:
            return self._look.signed_out(request, language)
        return self._look.sign_out(request, session, language)

    async def _sign_out(self, request: Request) -> Response:
        return await self._end(request, self._sessions.end)

    async def _sign_out_everywhere(self, request: Request) -> Response:
        async def end_all(key: str) -> None:
            if (session := await self._sessions.find(key)) is not None:
                ended = await self._sessions.end_all(session.person)
                log.info("signin.ended_everywhere", person=session.person, sessions=ended)

        return await self._end(request, end_all)

    async def _end(self, request: Request, end: Callable[[str], Awaitable[None]]) -> Response:
        if not is_from_own_page(request.headers, self._origin):
            return self._look.not_signed_out(request, "not_from_here", 403, _language(request))
        if (key := self._session_cookie.read(request)) is not None:
            try:
                await end(key)
            except BROKER_AWAY as error:  # the cookie stays, for another try
                log.warning("signin.not_ended", reason=type(error).__name__)
                return self._look.not_signed_out(
                    request, Unavailable.code, Unavailable.status, _language(request)
                )
        response = pages.redirect(self._origin + pages.SIGN_OUT)
        self._session_cookie.clear(response)
        return response

    def _told(self, request: Request, failure: SignInFailed, return_to: str, language: Language) -> Response:
        log.info("signin.failed", why=failure.code, reason=str(failure))
        return self._look.not_signed_in(request, failure, return_to, language)


def _answer(request: Request) -> dict[str, str]:
    """What the provider answered. RFC 6749, section 3.1: no parameter stands there twice."""
    answer = dict(request.query_params.multi_items())
    if len(answer) != len(request.query_params.multi_items()):
        raise AttemptUnknown("a parameter stands there twice")
    return answer


def _language(request: Request, session: Session | None = None) -> Language:
    if session is not None and session.language is not None:
        return session.language
    return preferred_language(request.headers.get("accept-language"))
