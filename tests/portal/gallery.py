"""Every page of the portal, as somebody meets it: found by following links, as people do.

A page stands here once for each kind of person who can see it, whatever ticket or account it is about.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
import lxml.html  # type: ignore[import-untyped]

from contracts.client import Attachments
from contracts.tickets.requests import ReplyToTicket
from tests.files.samples import PNG
from tests.portal.desk import DeskSystem
from tests.portal.filling import send
from tests.portal.system import ANNA, DANIEL, JAMES, KATARZYNA, System, acting, member, new_id

MAX_PAGES: Final = 120
"""Of one person: more are a loop of links."""

PEOPLE: Final[Mapping[str, str | None]] = {
    "stranger": None,
    "admin": ANNA,
    "agent": KATARZYNA,
    "auditor": DANIEL,
}

_LEAVES: Final = re.compile(r"/sign-(?:in|out)|/assets/|/files/|/live$|/raw$|/html$")
_VARIES: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]{10}|[A-Za-z0-9_.-]{20,}|p[a-z2-7]{15}|(?<==)[0-9]+"
)


@dataclass(frozen=True, slots=True)
class Sight:
    """A page of somebody's. `name` is of the kind of page, fit for a file."""

    who: str
    path: str

    @property
    def email(self) -> str | None:
        return PEOPLE[self.who]

    @property
    def name(self) -> str:
        return f"{self.who}-{re.sub(r'[^a-z0-9]+', '-', kind(self.path)).strip('-') or 'front'}"


def kind(path: str) -> str:
    """What is the same of pages that differ in what they are about."""
    parts = urlsplit(path)
    names = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)})
    return _VARIES.sub("x", parts.path.lower()) + ("?" + "&".join(names) if names else "")


async def furnished(desk: DeskSystem) -> list[Sight]:
    """Fill a system as a lively one is: tickets, a question half asked, e-mails that wait, a new partner.

    Returns the pages that say most, and those to which no link leads.
    """
    system = desk.system
    number = await system.open(
        ANNA,
        title="Rezerwacje z widżetu nie trafiają do kalendarza",
        message="Od poniedziałku kalendarz jest pusty.\n\nTak samo w Krakowie i w Łodzi.",
    )
    await system.reply(
        KATARZYNA, number, "Sprawdzamy.\nCzy token był odnawiany? https://status.example/tokens"
    )
    await _reply_with_file(system, number)
    for turn in range(3):
        other = await system.open(JAMES, title=f"Another question, number {turn}", message="Short.")
        if turn:
            await system.close(KATARZYNA, other)
    await desk.request_of("Nowa Firma", "biuro@nowa-firma.example")
    await desk.send("Hello, where is my answer?", sender="somebody@partner.example")
    anna = await system.browser(ANNA)
    offers = await send(anna, await anna.get("/help"), "/help", {"text": "Nie widać wolnych terminów"})
    offered = re.search(r'name="questionnaire" value="([^"]+)"', offers.text)
    assert offered is not None
    draft = await send(anna, offers, "/help", {"questionnaire": offered[1]})
    begun = urlsplit(str(draft.url)).path
    return [
        Sight("admin", f"/tickets/{number}"),
        Sight("admin", f"/tickets/{number}?opened"),
        Sight("admin", f"/tickets/{other}?closed"),  # what stands behind the ? makes it a kind of its own
        Sight("admin", "/tickets?q=nothing-like-this"),
        Sight("admin", f"/help?follows={number}"),
        Sight("admin", begun),
        Sight("admin", f"{begun}/check"),
        Sight("agent", f"/desk/tickets/{number}"),
        Sight("agent", f"/desk/tickets/{other}?closed"),
        Sight("agent", "/desk/tickets?q=nothing-like-this"),
        Sight("agent", "/desk/tickets?account=nobody-of-that-name"),
        Sight("agent", f"/desk/tickets/{other}/reopen"),
        Sight("auditor", f"/desk/tickets/{number}?as_of=2"),
        Sight("stranger", "/interest/confirm?token=none"),
        Sight("stranger", "/invitation?token=none"),
        Sight("stranger", "/mail/stop?token=none"),
        *(Sight(who, "/nowhere") for who in PEOPLE),
    ]


async def _reply_with_file(system: System, number: str) -> None:
    file = await Attachments(system.cli).upload(
        "Zrzut ekranu.png", PNG, upload=new_id(), account="acme-clinic", actor=member(ANNA)
    )
    await system.tickets.reply(
        ReplyToTicket(
            command_id=new_id(),
            account="acme-clinic",
            actor=acting(ANNA),
            number=number,
            text="Tak, w załączeniu zrzut ekranu.",
            attachments=(file.id,),
        )
    )


async def sights(system: System, also: Iterable[Sight] = ()) -> list[Sight]:
    """Every kind of page that people come to from the front page, for each kind of person."""
    found: dict[tuple[str, str], Sight] = {}
    for who, email in PEOPLE.items():
        browser = await system.browser(email)
        starts = [*(sight.path for sight in also if sight.who == who), "/"]
        for sight in await _crawled(browser, who, starts):
            found.setdefault((who, kind(sight.path)), sight)
    return list(found.values())


async def _crawled(browser: httpx2.AsyncClient, who: str, starts: Iterable[str]) -> list[Sight]:
    waiting, seen, pages = deque(starts), set[str](), list[Sight]()
    while waiting:
        path = waiting.popleft()
        if kind(path) in seen:
            continue
        seen.add(kind(path))
        answer = await browser.get(path)
        assert answer.status_code < 500, (who, path, answer.status_code)
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        if answer.url.port != browser.base_url.port:
            continue  # of the identity provider
        at = urlsplit(str(answer.url))
        landed = at.path + (f"?{at.query}" if at.query else "")
        seen.add(kind(landed))
        pages.append(Sight(who, landed))
        assert len(pages) < MAX_PAGES, (who, sorted(seen))
        waiting.extend(_links(answer.text, landed))
    return pages


def _links(html: str, base: str) -> list[str]:
    found = []
    for link in lxml.html.fromstring(html).xpath("//a/@href"):
        parts = urlsplit(urljoin(f"http://portal{base}", link))
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if parts.netloc == "portal" and not _LEAVES.search(path):
            found.append(path)
    return found
