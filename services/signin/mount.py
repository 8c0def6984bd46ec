"""Signing in, put together for a service that people come to by browser."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from nats.js import JetStreamContext

from services.signin.attempts import Attempts
from services.signin.oidc import Provider
from services.signin.pages import CALLBACK, Pages
from services.signin.people import People
from services.signin.routes import SignIn
from services.signin.sessions import Clock, Sessions, utc_now
from services.signin.settings import SignInSettings


@contextlib.asynccontextmanager
async def signing_in(
    settings: SignInSettings,
    js: JetStreamContext,
    people: People,
    *,
    clock: Clock = utc_now,
    look: Pages | None = None,
) -> AsyncIterator[SignIn]:
    """Signing in while the body runs; mount its `routes()`, and ask it for the `session` of a request.

    `look` shows its pages; plain ones without.

    Raises:
        SettingsInvalid: a key file does not hold what it should.
    """
    keys = settings.session_keys()
    provider = Provider(
        issuer=settings.issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.client_secret(),
        redirect_uri=settings.origin + CALLBACK,
        plain_http=settings.oidc_development,
        clock=clock,
    )
    sessions = Sessions(js, idle=settings.session_idle, absolute=settings.session_absolute, clock=clock)
    try:
        yield SignIn(
            origin=settings.origin,
            keys=keys,
            provider=provider,
            attempts=Attempts(js, keys=keys),
            sessions=sessions,
            people=people,
            clock=clock,
            look=look,
        )
    finally:
        await provider.close()
