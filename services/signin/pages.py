"""The pages of signing in and out: what there is to show, and plain HTML for it, which loads nothing."""

from __future__ import annotations

from html import escape
from typing import Final, Protocol
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from contracts.wording import Language, Wording
from services.signin import words
from services.signin.failures import SignInFailed
from services.signin.sessions import Session

SIGN_IN: Final = "/sign-in"
CALLBACK: Final = "/sign-in/callback"
SIGN_OUT: Final = "/sign-out"
SIGN_OUT_EVERYWHERE: Final = "/sign-out-everywhere"

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Not no-referrer: browsers would then send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def sign_in_path(return_to: str) -> str:
    """The link that signs somebody in and then leads to a page of ours."""
    return f"{SIGN_IN}?{urlencode({'return_to': return_to})}"


def redirect(url: str) -> RedirectResponse:
    """On to another page, by GET, and nobody keeps a copy."""
    return RedirectResponse(url, status_code=303, headers=HEADERS)


class Pages(Protocol):
    """How the pages of signing in and out look. Whoever shows them decides nothing."""

    def not_signed_in(
        self, request: Request, failure: SignInFailed, return_to: str, language: Language
    ) -> Response:
        """Why, with the failure's status, and the way to try again, which leads to `return_to`."""

    def not_signed_out(self, request: Request, code: str, status: int, language: Language) -> Response:
        """Why (a key of `words.FAILURES`), and the way to try again."""

    def sign_out(self, request: Request, session: Session, language: Language) -> Response:
        """The two ways to sign out: by POST to `SIGN_OUT` and to `SIGN_OUT_EVERYWHERE`."""

    def signed_out(self, request: Request, language: Language) -> Response:
        """Done, and the way back in."""


class PlainPages:
    """Pages without any look."""

    def not_signed_in(
        self, request: Request, failure: SignInFailed, return_to: str, language: Language
    ) -> Response:
        """As `Pages.not_signed_in`."""
        return _page(
            words.NOT_SIGNED_IN,
            _paragraph(words.FAILURES[failure.code], language) + _sign_in_link(return_to, language),
            language,
            failure.status,
        )

    def not_signed_out(self, request: Request, code: str, status: int, language: Language) -> Response:
        """As `Pages.not_signed_out`."""
        body = _paragraph(words.FAILURES[code], language) + _sign_out_forms(language)
        return _page(words.NOT_SIGNED_OUT, body, language, status)

    def sign_out(self, request: Request, session: Session, language: Language) -> Response:
        """As `Pages.sign_out`."""
        name = session.name or session.email or session.person
        signed_in = _in(words.SIGNED_IN_AS, language).format(name=escape(name))
        return _page(words.SIGN_OUT, f"<p>{signed_in}</p>\n" + _sign_out_forms(language), language)

    def signed_out(self, request: Request, language: Language) -> Response:
        """As `Pages.signed_out`."""
        body = _paragraph(words.PROVIDER_MAY_KNOW, language) + _sign_in_link("/", language)
        return _page(words.SIGNED_OUT, body, language)


def _sign_out_forms(language: Language) -> str:
    return "".join(
        f'<form method="post" action="{action}"><button>{_in(button, language)}</button></form>\n'
        for action, button in (
            (SIGN_OUT, words.SIGN_OUT_HERE),
            (SIGN_OUT_EVERYWHERE, words.SIGN_OUT_EVERYWHERE),
        )
    )


def _sign_in_link(return_to: str, language: Language) -> str:
    return f'<p><a href="{escape(sign_in_path(return_to))}">{_in(words.SIGN_IN, language)}</a></p>\n'


def _paragraph(wording: Wording, language: Language) -> str:
    return f"<p>{escape(_in(wording, language))}</p>\n"


def _in(wording: Wording, language: Language) -> str:
    return wording.pl if language == "pl" else wording.en


def _page(heading: Wording, body: str, language: Language, status: int = 200) -> HTMLResponse:
    title = escape(_in(heading, language))
    html = (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title} · Casetrail</title>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n"
        "</body>\n</html>\n"
    )
    return HTMLResponse(html, status_code=status, headers=HEADERS | {"content-language": language})
