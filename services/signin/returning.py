"""Where a person is sent after signing in: a page of ours, whatever the link said."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

HOME: Final = "/"
_LONGEST: Final = 2000
_KEPT: Final = "/?&=+%!#$'()*,-.:;@_~"
_SIGNING_IN_OR_OUT: Final = re.compile(r"/sign-(?:in|out)(?![a-z])")


def own_path(asked: str | None) -> str:
    """The path and query that was asked for, or the first page if that is not a page of ours to return to.

    >>> own_path("/tickets?status=open")
    '/tickets?status=open'
    >>> own_path("//elsewhere.example")
    '/'
    """
    if not asked or len(asked) > _LONGEST or not asked.startswith("/") or asked.startswith("//"):
        return HOME
    # Browsers drop tabs and line ends, and read a backslash as a slash: both could make a host of a path.
    if not asked.isprintable() or "\\" in asked or " " in asked or _SIGNING_IN_OR_OUT.match(asked):
        return HOME
    return quote(asked, safe=_KEPT)  # ł may stand in a path that was typed
