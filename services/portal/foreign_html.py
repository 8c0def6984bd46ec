"""HTML that strangers wrote, by itself in a frame that can do nothing.

It comes cleaned (`services.notify` leaves words, structure and links). Even so it is an answer of its own,
with a policy under which nothing runs, nothing loads but one style that is named by its hash, and no form,
link or frame leads anywhere: the sandbox gives it an origin that is nobody's.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from services.portal.site import Visit

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{margin:0;padding:12px 16px;font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;max-width:100%}"
    "td,th{padding:2px 8px 2px 0;vertical-align:top;text-align:start}"
    "blockquote{margin:8px 0;padding-left:12px;border-left:3px solid GrayText}pre{white-space:pre-wrap}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox"
)


def foreign_html(visit: Visit, html: str | None) -> Response:
    """The answer to a frame of ours. Raises HTTPException 404 when there is none to show."""
    if html is None:
        raise HTTPException(404)
    title = visit._("E-mail")
    page = (
        f'<!doctype html><html lang="{visit.language}"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>{html}</body></html>"
    )
    return HTMLResponse(
        page,
        headers={
            "content-security-policy": _POLICY,
            "x-frame-options": "SAMEORIGIN",
            "referrer-policy": "no-referrer",
        },
    )
