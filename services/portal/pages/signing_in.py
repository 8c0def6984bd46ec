"""How signing in and out looks here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from contracts.wording import Language, Wording
from services.portal.rendering import Templates
from services.portal.site import chosen_language
from services.signin import words
from services.signin.failures import SignInFailed
from services.signin.pages import sign_in_path
from services.signin.sessions import Session


@dataclass(frozen=True, slots=True)
class SignInPages:
    """As `services.signin.pages.Pages`."""

    templates: Templates

    def not_signed_in(
        self, request: Request, failure: SignInFailed, return_to: str, language: Language
    ) -> Response:
        """Why, and the way to try again."""
        return self._page(
            request,
            language,
            status=failure.status,
            heading=words.NOT_SIGNED_IN,
            text=words.FAILURES[failure.code],
            sign_in=sign_in_path(return_to),
        )

    def not_signed_out(self, request: Request, code: str, status: int, language: Language) -> Response:
        """Why, and the way to try again."""
        return self._page(
            request,
            language,
            status=status,
            heading=words.NOT_SIGNED_OUT,
            text=words.FAILURES[code],
            may_sign_out=True,
        )

    def sign_out(self, request: Request, session: Session, language: Language) -> Response:
        """The two ways to sign out."""
        name = session.name or session.email or session.person
        return self._page(
            request,
            language,
            heading=words.SIGN_OUT,
            text=words.SIGNED_IN_AS,
            name=name,
            may_sign_out=True,
        )

    def signed_out(self, request: Request, language: Language) -> Response:
        """Done, and the way back in."""
        return self._page(
            request,
            language,
            heading=words.SIGNED_OUT,
            text=words.PROVIDER_MAY_KNOW,
            sign_in=sign_in_path("/"),
            forget_drafts=True,
        )

    def _page(
        self,
        request: Request,
        language: Language,
        *,
        heading: Wording,
        text: Wording,
        status: int = 200,
        name: str = "",
        **more: Any,
    ) -> Response:
        language = chosen_language(request, language)
        html = self.templates.render(
            "signing_in.html",
            language,
            visit=None,
            heading=_in(heading, language),
            text=_in(text, language).replace("{name}", name),
            **{"sign_in": None, "may_sign_out": False, "forget_drafts": False, **more},
        )
        return HTMLResponse(html, status, headers={"content-language": language})


def _in(wording: Wording, language: Language) -> str:
    return wording.pl if language == "pl" else wording.en
