"""A service that people sign in to: what the portal will be, with one page that says who one is."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.signin.routes import SignIn


def portal(signin: SignIn) -> Starlette:
    """`/` and `/tickets` answer who is signed in, as JSON, or 401."""

    async def whoami(request: Request) -> Response:
        session = await signin.session(request)
        if session is None:
            return JSONResponse(None, 401)
        return JSONResponse(session.model_dump(mode="json"))

    return Starlette(routes=[*signin.routes(), Route("/", whoami), Route("/tickets", whoami)])
