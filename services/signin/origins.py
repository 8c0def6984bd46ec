"""Whether a request that changes something comes from a page of ours (protection against forged requests)."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers

_OURS: Final = frozenset({"same-origin", "none"})  # none: the person, by a bookmark or a reload


def is_from_own_page(headers: Headers, own_origin: str) -> bool:
    """Whether the browser says that a page of `own_origin`, or the person directly, sent this.

    By Fetch Metadata (`Sec-Fetch-Site`, which pages cannot set), else by `Origin`. A request with neither is
    not from a browser that could be trusted to say, and is refused.
    """
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in _OURS
    return headers.get("origin") == own_origin
