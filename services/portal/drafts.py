"""Where the pages of a draft are, and reading it. Addresses name the account: they hold in every window."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException

from contracts.intake import requests
from services.portal.site import Visit

_DRAFT: Final = re.compile(r"[a-z0-9]{26}")
_LINK_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

DRAFT_GONE: Final = "draft_not_found"
DRAFT_CHANGED: Final = "draft_changed"
DRAFT_SUBMITTED: Final = "draft_is_submitted"


@dataclass(frozen=True, slots=True)
class DraftAddress:
    """A draft of an account."""

    account: str
    draft: str

    @classmethod
    def of(cls, visit: Visit) -> DraftAddress:
        """The one in the path. Raises HTTPException 404 when it can be none of the visitor's."""
        account, draft = (str(visit.request.path_params[name]) for name in ("account", "draft"))
        if account not in visit.person.memberships or not _DRAFT.fullmatch(draft):
            raise HTTPException(404)
        return cls(account, draft)

    @property
    def path(self) -> str:
        """Where it was left."""
        return f"/help/{self.account}/{self.draft}"

    def page(self, link_id: str, *, query: str = "") -> str:
        """One of its pages; `query` is the rest of the query, with its `&`."""
        return f"{self.path}?page={quote(link_id)}{query}"

    def to(self, what: str) -> str:
        """`check`, `back`, `discard` or `ticket`."""
        return f"{self.path}/{what}"

    def after(self, draft: requests.DraftShown) -> str:
        """The page to go on with."""
        return self.to("check") if draft.page is None else self.page(draft.page.link_id)


def page_asked_for(visit: Visit) -> str | None:
    """The page in the query, if it is one by its looks."""
    return page_named(visit.request.query_params.get("page", ""))


def page_named(page: str) -> str | None:
    """A page of a questionnaire by what somebody sent; None: it can be none."""
    return page if _LINK_ID.fullmatch(page) else None


async def read_draft(visit: Visit, address: DraftAddress, page: str | None = None) -> requests.DraftShown:
    """The draft, with this page or the one where it was left. Raises as `Visit.ask`."""
    query = requests.GetDraft(actor=visit.actor(), account=address.account, draft=address.draft, page=page)
    return await visit.ask(requests.DRAFT, query, requests.DraftShown)


async def review_draft(visit: Visit, address: DraftAddress) -> requests.DraftReview:
    """All its answers. Raises as `Visit.ask`."""
    query = requests.ReviewDraft(actor=visit.actor(), account=address.account, draft=address.draft)
    return await visit.ask(requests.REVIEW, query, requests.DraftReview)
