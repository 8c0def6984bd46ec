"""The two cookies of signing in: their names, their flags, their signatures.

`__Host-` makes browsers insist on what we ask for: Secure, no Domain, the path `/`. Over plain http, which
only development has, no browser would take such a cookie, so the names are bare there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from itsdangerous import BadSignature, Signer
from starlette.requests import Request
from starlette.responses import Response

SESSION: Final = "casetrail"
ATTEMPT: Final = "casetrail-sign-in"


class Cookie:
    """One signed cookie. What was not signed under its own name, with one of our keys, is not there."""

    def __init__(self, name: str, *, keys: Sequence[str], secure: bool, max_age_s: int | None = None) -> None:
        """`keys` are oldest first; without `max_age_s` the cookie ends with the browser."""
        self.name = f"__Host-{name}" if secure else name
        self._secure = secure
        self._max_age_s = max_age_s
        self._signer = Signer(
            list(keys), salt=f"casetrail.cookie.{name}", key_derivation="hmac", digest_method=hashlib.sha256
        )

    def read(self, request: Request) -> str | None:
        """What we put into it; None if it is missing or was changed."""
        value = request.cookies.get(self.name)
        if value is None:
            return None
        try:
            return self._signer.unsign(value.encode("latin-1", "replace")).decode("ascii", "replace")
        except BadSignature:
            return None

    def write(self, response: Response, value: str) -> None:
        """Give it to the browser. `value` is ASCII without `;`, `,`, quotes and white space."""
        response.set_cookie(
            self.name,
            self._signer.sign(value).decode("ascii"),
            max_age=self._max_age_s,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",  # strict would leave people signed out when they come by a link in an e-mail
        )

    def clear(self, response: Response) -> None:
        """Take it from the browser."""
        response.delete_cookie(self.name, path="/", secure=self._secure, httponly=True, samesite="lax")
