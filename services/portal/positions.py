"""Up to where a browser has seen each log, so that whoever did something sees it on the next page.

It is kept by the browser, in a signed cookie that ends after a minute: by then every replica has caught up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.signin.cookies import Cookie

_NAME: Final = "casetrail-seen"
_LASTS_S: Final = 60


class Positions:
    """By log (`tickets`, `access`, `intake`), a position of its stream."""

    def __init__(self, keys: Sequence[str], *, secure: bool) -> None:
        self._cookie = Cookie(_NAME, keys=keys, secure=secure, max_age_s=_LASTS_S)

    def read(self, request: Request) -> dict[str, int]:
        """What the browser has seen; nothing, if it was long ago."""
        kept = self._cookie.read(request) or ""
        pairs = (each.partition("-") for each in kept.split("_") if each)
        return {log: int(position) for log, _, position in pairs}

    def write(self, response: Response, positions: Mapping[str, int]) -> None:
        """Have the browser remember it."""
        self._cookie.write(response, "_".join(f"{log}-{at}" for log, at in sorted(positions.items())))
