"""What happens while a page is open, by server-sent events: entries of a ticket, and that a list has news.

A stream ends by itself after a minute, or with the process, and the browser comes back for the next one,
signed in or not; whoever loses access loses it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from contracts.access.roles import Permission
from contracts.client import Refused, ServiceUnavailable
from services.portal.failures import BROKER_AWAY
from services.portal.reading import read_events, read_ticket
from services.portal.sides import PARTNER, Side
from services.portal.site import Site, Visit
from services.portal.timeline import Entry
from services.runtime import errors

Events = Callable[[int], AsyncIterator[ServerSentEvent]]

LASTS_S: Final = 60.0
_PING_S: Final = 15
_GONE: Final = ServerSentEvent(event="gone", data="")


def routes(site: Site, side: Side = PARTNER) -> list[Route]:
    """`/tickets/NUMBER/live?after=REVISION`; for partners `/tickets/live?account=ACCOUNT&after=POSITION`."""
    ticket = Route(f"{side.ticket('{number}')}/live", site.page(partial(of_ticket, side=side)))
    if side is not PARTNER:
        return [ticket]
    return [Route("/tickets/live", site.page(of_account)), ticket]


async def of_ticket(visit: Visit, *, side: Side) -> Response:
    """New entries after a revision, each as a piece of the page."""
    ticket = await read_ticket(visit, side)
    said = _number(_after(visit), 9)
    revision = ticket.revision if said is None else said

    async def pieces(position: int) -> AsyncIterator[ServerSentEvent]:
        nonlocal revision
        new = await read_events(
            visit, side, ticket.number, after_revision=revision, at_least=max(position, ticket.position)
        )
        for entry in new:
            revision = entry.revision
            yield ServerSentEvent(id=str(revision), data=_piece(visit, side, ticket.number, entry))
            await visit.site.marks.note(visit.person.id, ticket.account, ticket.number, entry.position)

    return stream(visit, side, ticket.account, ticket.number, pieces)


async def of_account(visit: Visit) -> Response:
    """That something happened on a ticket of the account."""
    account = visit.account
    if account is None:
        return Response(status_code=204)

    shown = _number(_after(visit), 18) or 0

    async def told(position: int) -> AsyncIterator[ServerSentEvent]:
        if position > shown:
            yield ServerSentEvent(id=str(position), event="news", data=str(position))

    return stream(visit, PARTNER, account, None, told)


def _after(visit: Visit) -> str:
    """From where on: what the browser had last of this stream, else what the page shows."""
    return visit.request.headers.get("last-event-id") or visit.request.query_params.get("after", "")


def _number(said: str, digits: int) -> int | None:
    return int(said) if said.isascii() and said.isdecimal() and len(said) <= digits else None


def _piece(visit: Visit, side: Side, number: str, entry: Entry) -> str:
    return visit.site.templates.render(
        "entry_live.html", visit.language, visit=visit, side=side, number=number, entry=entry
    )


async def _paced(positions: AsyncGenerator[int, None], every_s: float) -> AsyncGenerator[int, None]:
    async with contextlib.aclosing(positions):
        async for position in positions:
            yield position
            await asyncio.sleep(every_s)


def stream(
    visit: Visit, side: Side, account: str | None, number: str | None, events: Events, *, every_s: float = 0
) -> Response:
    """What comes of news of a ticket, or of any of an account or of all, looked at once in `every_s` at most.

    `events` is given positions as those of `News.of`.
    """

    async def told() -> AsyncGenerator[ServerSentEvent, None]:
        positions = _paced(visit.site.news.of(account, number), every_s)
        watched = visit.site.guard.watch(visit.actor(side.kind), account, Permission.TICKET_READ, positions)
        try:
            async with asyncio.timeout(LASTS_S), contextlib.aclosing(watched):
                async for position in watched:
                    if await visit.site.signin.session(visit.request) is None:  # signed out meanwhile
                        yield _GONE
                        return
                    async for event in events(position):
                        yield event
        except BROKER_AWAY:  # among them TimeoutError: it has lasted its time
            return
        except (Refused, errors.Refused):
            yield _GONE
        except (ServiceUnavailable, errors.Unavailable):
            return  # the browser comes back, and tells up to where it has everything

    return _Stream(visit, told())


class _Stream(EventSourceResponse):
    """A stream that counts as one of its session's for as long as it lasts."""

    def __init__(self, visit: Visit, told: AsyncGenerator[ServerSentEvent, None]) -> None:
        super().__init__(told, ping=_PING_S, headers={"x-accel-buffering": "no"})
        self._streams = visit.site.streams
        self._session = None if visit.session is None else (visit.session.person, visit.session.issued_at)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it. Raises HTTPException when there are too many."""
        if (status := self._streams.refuses(self._session)) is not None:
            raise HTTPException(status)
        with self._streams.one(self._session):
            await super().__call__(scope, receive, send)
