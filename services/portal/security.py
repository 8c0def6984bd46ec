"""What holds for every request and every answer, whatever the page: one ASGI layer around all of them.

- What changes something comes from a page of ours: `Sec-Fetch-Site`, else `Origin`; cookies are SameSite=Lax
- A body is no larger than its page takes, and comes no slower than people send one.
- No more requests are under way than may be at the same moment.
- Strangers get so many requests a minute of what needs no sign-in.
- Pages load from here only, run no script but ours, are framed nowhere and kept in no shared cache.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.signin.origins import is_from_own_page

SMALL_BODY: Final = 512 * 1024
"""Bytes: more than the longest text that a form sends (64 KiB, each byte as `%XX`)."""
FILES_BODY: Final = 108 * 1024 * 1024
"""Bytes: ten files of ten megabytes, and the rest of the form."""

BODY_WITHIN_S: Final = 20.0
"""Seconds for any body, and as many more as what has come of it takes at `SLOWEST` bytes a second."""
SLOWEST: Final = 8 * 1024

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_COUNTED: Final = 20_000
_IPV6_PREFIX: Final = 64

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # Not no-referrer: browsers would then send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

Refuse = Callable[[Request, int], Awaitable[Response]]
"""The page that says why not: 403 not from here, 413 too large, 429 too often, 503 too many at once."""


class RateLimit:
    """So many requests a minute of one address (IPv6: one /64). Counted in this process, and no further."""

    def __init__(self, per_minute: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._now_s = now_s
        self._counted: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def lets(self, address: str) -> bool:
        """Whether one more is let through; counts it if so."""
        key, now = _network(address), self._now_s()
        left, at = self._counted.pop(key, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - at) * self._per_minute / 60)
        through = left >= 1
        self._counted[key] = (left - 1 if through else left, now)
        if len(self._counted) > _MAX_COUNTED:
            self._counted.popitem(last=False)
        return through


class Secured:
    """The layer around an application."""

    def __init__(
        self,
        application: ASGIApp,
        *,
        origin: str,
        refuse: Refuse,
        takes_files: Callable[[str], bool],
        limits: Mapping[str, RateLimit],
        at_once: int,
        from_anywhere: Collection[str] = (),
        body_within_s: float = BODY_WITHIN_S,
    ) -> None:
        """Args:
        takes_files: whether the page of a path takes files, and so a large body.
        limits: by the beginning of a path, for what needs no sign-in.
        at_once: requests that may be under way at the same moment. Connections do not count: those that ask
            for nothing cost nothing.
        from_anywhere: paths that take requests of other programs than browsers, and see to it themselves
            that nobody is made to send one.
        body_within_s: as `BODY_WITHIN_S`.
        """
        self._application = application
        self._origin = origin
        self._refuse = refuse
        self._takes_files = takes_files
        self._limits = limits
        self._at_once = at_once
        self._under_way = 0
        self._from_anywhere = from_anywhere
        self._body_within_s = body_within_s
        self._headers = dict(HEADERS)
        if origin.startswith("https:"):
            self._headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "private, no-store")
            await send(message)

        limit = FILES_BODY if self._takes_files(scope["path"]) else SMALL_BODY
        body = _Body(receive, limit, self._body_within_s)
        if (status := self._refused(scope, limit)) is not None:
            response = await self._refuse(Request(scope, body.receive), status)
            await response(scope, receive, send_secured)
            return
        self._under_way += 1
        try:
            await self._application(scope, body.receive, send_secured)
        finally:
            self._under_way -= 1

    def _refused(self, scope: Scope, limit: int) -> int | None:
        headers = Headers(scope=scope)
        client = scope.get("client")
        for beginning, counted in self._limits.items():
            if scope["path"].startswith(beginning) and not counted.lets(client[0] if client else ""):
                return 429
        if self._under_way >= self._at_once:
            return 503
        is_checked = scope["method"] not in _SAFE and scope["path"] not in self._from_anywhere
        if is_checked and not is_from_own_page(headers, self._origin):
            return 403
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > limit:
            return 413
        return None


class BodyTooLarge(Exception):
    """More came than the page takes, whatever was declared. The application has a page for it."""


class BodyTooSlow(Exception):
    """It did not come in the time that it may take. The application has a page for it."""


class _Body:
    def __init__(self, receive: Receive, limit: int, within_s: float) -> None:
        self._receive = receive
        self._left = limit
        self._until = asyncio.get_running_loop().time() + within_s
        self._is_whole = False

    async def receive(self) -> Message:
        if self._is_whole:  # what comes now is that the browser has gone
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise BodyTooSlow from None
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self._left -= size
            self._until += size / SLOWEST
            self._is_whole = not message.get("more_body", False)
            if self._left < 0:
                raise BodyTooLarge
        return message


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(ipaddress.IPv6Network((int(found), _IPV6_PREFIX), strict=False))
