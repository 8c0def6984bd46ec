"""The tickets of all accounts: first who waits longest for an answer; filtered by the address."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.routing import Route

from contracts.text import Code, ShortLine
from contracts.tickets import requests
from contracts.tickets.requests import TicketOrder, TicketPage, TicketStatus, TicketSummary, TopicCounts
from services.portal.directory import Directory
from services.portal.finding import Found, find
from services.portal.sides import DESK
from services.portal.site import Site, Visit
from services.portal.topics import topic_names

PAGE: Final = 25
MAX_SUGGESTED: Final = 300
"""Accounts that the field suggests; the others are found as well."""

_SEARCH: Final[TypeAdapter[str]] = TypeAdapter(ShortLine)
_TOPIC: Final[TypeAdapter[str]] = TypeAdapter(Code)
_MAX_POSITION: Final = 2**63


class View(StrEnum):
    """Which tickets are shown, in which order."""

    UNANSWERED = "unanswered"
    OPEN = "open"
    CLOSED = "closed"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the address of the page asks for; `problems` is what cannot be understood, by its field."""

    view: View
    words: str = ""
    account: str | None = None
    account_typed: str = ""
    topic: str | None = None
    place: int | None = None
    problems: frozenset[str] = frozenset()

    @classmethod
    def of(cls, query: QueryParams, directory: Directory) -> Filters:
        """Those of an address."""
        problems = set[str]()
        words, typed, topic = (query.get(name, "").strip() for name in ("q", "account", "topic"))
        account = directory.account_called(typed) if typed else None
        if typed and account is None:
            problems.add("account")
        if words and not _fits(_SEARCH, words):
            words = ""
            problems.add("q")
        if topic and not _fits(_TOPIC, topic):
            problems.add("topic")
        view = query.get("view", "")
        place = query.get("from", "")
        position = int(place) if place.isascii() and place.isdecimal() and len(place) < 20 else 0
        return cls(
            view=View(view) if view in set(View) else View.UNANSWERED,
            words=words,
            account=account,
            account_typed=typed,
            topic=topic or None,
            place=position if 0 < position < _MAX_POSITION else None,
            problems=frozenset(problems),
        )

    @property
    def by_waiting(self) -> bool:
        """Whether who waits longest comes first. What a search finds is newest first."""
        return self.view is View.UNANSWERED and not self.words

    @property
    def is_narrow(self) -> bool:
        return bool(self.words or self.account_typed or self.topic)

    def address(self, **changed: str | int | None) -> str:
        """The address of the same page with other filters."""
        given = {
            "view": None if self.view is View.UNANSWERED else self.view.value,
            "q": self.words or None,
            "account": self.account or self.account_typed or None,
            "topic": self.topic,
            **changed,
        }
        asked = urlencode({name: value for name, value in given.items() if value is not None})
        return f"{DESK.base}/tickets?{asked}" if asked else f"{DESK.base}/tickets"

    def query(self, place: int | None) -> dict[str, Any]:
        """As the ticket service is asked, from a place of the list on."""
        status = {View.OPEN: TicketStatus.OPEN, View.CLOSED: TicketStatus.CLOSED}.get(self.view)
        wanted: dict[str, Any] = {"account": self.account, "topic": self.topic}
        if self.by_waiting:
            return {**wanted, "order": TicketOrder.OLDEST_UNANSWERED, "after": place}
        unanswered = self.view is View.UNANSWERED
        return {
            **wanted, "status": status, "unanswered": unanswered, "words": self.words or None, "before": place
        }  # fmt: skip


def routes(site: Site) -> list[Route]:
    """`/desk/tickets`."""
    return [Route(f"{DESK.base}/tickets", site.page(tickets), methods=["GET"])]


async def tickets(visit: Visit) -> Response:
    """The list."""
    directory = visit.site.directory
    filters = Filters.of(visit.request.query_params, directory)
    found, page, topics, names = await asyncio.gather(
        _found(visit, filters), read_page(visit, filters), _topics(visit, filters), topic_names(visit)
    )
    exact = {ticket.number for ticket in found.tickets}
    listed = [ticket for ticket in page.tickets if ticket.number not in exact] if page else []
    return visit.render(
        "desk/tickets.html",
        status=422 if filters.problems else 200,
        filters=filters,
        found=found,
        tickets=listed,
        page=page,
        next_place=page and (page.next_after or page.next_before),
        accounts=sorted(directory.accounts.values(), key=str.casefold)[:MAX_SUGGESTED],
        topics=_choices(filters, topics, names),
        topic_names=names,
        counts=_counts(filters, page, topics),
        fingerprint=page and fingerprint(filters, page),
    )


async def _found(visit: Visit, filters: Filters) -> Found:
    """What was searched for by its number or an identifier: above the first page."""
    if filters.problems or not filters.words or filters.place is not None:
        return Found()
    return await find(visit, filters.words, filters.account, visit.actor(DESK.kind))


async def _topics(visit: Visit, filters: Filters) -> Sequence[TopicCounts]:
    """Those of the account that is chosen, or of all."""
    query = requests.ListTopics(
        actor=visit.actor(DESK.kind), account=filters.account, at_least=visit.at_least("tickets")
    )
    return (await visit.ask(requests.TOPICS, query, requests.TopicList)).topics


def _in_view(view: View, topic: TopicCounts) -> int:
    match view:
        case View.UNANSWERED:
            return topic.unanswered
        case View.OPEN:
            return topic.open
        case View.CLOSED:
            return topic.closed
        case View.ALL:
            return topic.open + topic.closed


def _choices(
    filters: Filters, topics: Sequence[TopicCounts], names: Mapping[str, str]
) -> list[tuple[str, str, int | None]]:
    """Topic, name, and how many tickets it has in this view, unless only some of them are looked for."""
    counted = {each.topic: None if filters.words else _in_view(filters.view, each) for each in topics}
    if filters.topic is not None:
        counted.setdefault(filters.topic, None)
    choices = [(topic, names.get(topic, topic), count) for topic, count in counted.items()]
    return sorted(choices, key=lambda choice: choice[1].casefold())


def _counts(
    filters: Filters, page: TicketPage | None, topics: Sequence[TopicCounts]
) -> Mapping[View, int] | None:
    """How many tickets each view has, of the account and topic that are chosen; None: it is not known."""
    if filters.topic is not None:
        chosen = next((each for each in topics if each.topic == filters.topic), None)
        return None if chosen is None else {view: _in_view(view, chosen) for view in View}
    return None if page is None else _counts_of(page)


def _counts_of(page: TicketPage) -> Mapping[View, int]:
    return {
        View.UNANSWERED: page.unanswered,
        View.OPEN: page.counts.open,
        View.CLOSED: page.counts.closed,
        View.ALL: page.counts.open + page.counts.closed,
    }


def fingerprint(filters: Filters, page: TicketPage) -> str:
    """The same for as long as the list shows the same."""
    shown: list[object] = [(each.number, each.revision) for each in page.tickets]
    if filters.topic is None and not filters.words:
        shown.append(_counts_of(page)[filters.view])
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


async def read_page(visit: Visit, filters: Filters, *, at_least: int = 0) -> TicketPage | None:
    """One page of the list; None: the filters have problems.

    A search may end pages early: it goes on until there is something to show.
    """
    if filters.problems:
        return None
    place, tickets = filters.place, list[TicketSummary]()
    while True:
        query = requests.ListTickets(
            actor=visit.actor(DESK.kind),
            limit=PAGE,
            at_least=max(at_least, visit.at_least("tickets")),
            **filters.query(place),
        )
        page = await visit.ask(requests.LIST, query, requests.TicketPage)
        tickets += page.tickets
        place = page.next_before
        if tickets or place is None:
            return page.model_copy(update={"tickets": tuple(tickets)})


def _fits(adapter: TypeAdapter[str], value: str) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True
