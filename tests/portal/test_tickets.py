"""The list of an account's tickets, as a browser gets it."""

from __future__ import annotations

import re
import uuid

import pytest

from contracts.number import shown
from tests.portal.system import ANNA, JAMES, KATARZYNA, OLIVIA, System

pytestmark = pytest.mark.asyncio(loop_scope="module")


def word() -> str:
    """A word that no other test uses."""
    return "w" + uuid.uuid4().hex[:12]


async def test_whoever_is_not_signed_in_signs_in_first_and_comes_back(system: System) -> None:
    stranger = await system.browser()
    stranger.follow_redirects = False
    answer = await stranger.get("/tickets?status=open")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?return_to=%2Ftickets%3Fstatus%3Dopen"


async def test_the_front_page_shows_strangers_the_two_ways(system: System) -> None:
    for language, texts in (
        ("en", ("You are a partner", "Fill in the interest form")),
        ("pl", ("Jesteś partnerem", "Wypełnij formularz zgłoszenia zainteresowania")),
    ):
        page = (await (await system.browser(language=language)).get("/")).text
        assert f'<html lang="{language}"' in page
        assert all(text in page for text in texts)


async def test_a_ticket_is_found_by_its_number_identifier_and_words(system: System) -> None:
    title, merchant = word(), word()
    number = await system.open(ANNA, title=title, identifiers=({"kind": "merchant", "value": merchant},))
    await system.open(ANNA, title=word())
    james = await system.browser(JAMES)
    for typed in (number, shown(number), f"#{shown(number).replace('-', ' ')}", merchant.upper(), title):
        page = (await james.get("/tickets", params={"q": typed})).text
        assert re.findall(r'href="/tickets/(\d{10})"', page) == [number], typed


async def test_a_mistyped_number_is_told(system: System) -> None:
    number = await system.open(ANNA)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    page = (await (await system.browser(JAMES)).get("/tickets", params={"q": wrong})).text
    assert "is no ticket number: a digit is wrong" in page


async def test_filters_live_in_the_address_and_counts_are_told(system: System) -> None:
    title = word()
    opened, closed = (
        await system.open(OLIVIA, account="nova-bookings", title=title),
        await system.open(OLIVIA, account="nova-bookings", title=title),
    )
    await system.close(KATARZYNA, closed, account="nova-bookings")
    olivia = await system.browser(OLIVIA)
    for status, expected in (("open", [opened]), ("closed", [closed]), ("nonsense", [closed, opened])):
        page = (await olivia.get("/tickets", params={"q": title, "status": status})).text
        assert re.findall(r'href="/tickets/(\d{10})"', page) == expected
        assert re.findall(r'filters__count">(\d+)<', page) == ["2", "1", "1"]


async def test_pages_follow_one_another_by_keys(system: System) -> None:
    title = word()
    numbers = [await system.open(ANNA, title=title) for _ in range(27)]
    james = await system.browser(JAMES)
    first = (await james.get("/tickets", params={"q": title})).text
    assert re.findall(r'href="/tickets/(\d{10})"', first) == numbers[:1:-1]
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    second = (await james.get(older[1].replace("&amp;", "&"))).text
    assert re.findall(r'href="/tickets/(\d{10})"', second) == numbers[1::-1]
    assert 'rel="next"' not in second


async def test_what_others_did_is_new_until_it_was_read(system: System) -> None:
    title = word()
    number = await system.open(ANNA, title=title)
    james = await system.browser(JAMES)
    await james.get(f"/tickets/{number}")
    assert 'class="unread"' not in (await james.get("/tickets", params={"q": title})).text
    await system.reply(KATARZYNA, number, "Here is how.")
    assert 'class="unread"' in (await james.get("/tickets", params={"q": title})).text
    assert "Here is how." in (await james.get(f"/tickets/{number}")).text
    assert 'class="unread"' not in (await james.get("/tickets", params={"q": title})).text


async def test_nothing_of_another_account_is_shown(system: System) -> None:
    number = await system.open(ANNA, title=(title := word()))
    olivia = await system.browser(OLIVIA)
    for asked in (title, number):
        assert f"/tickets/{number}" not in (await olivia.get("/tickets", params={"q": asked})).text
    theirs = await olivia.get("/tickets", params={"account": "acme-clinic"})
    assert "Nova Bookings" in theirs.text
    assert title not in theirs.text
    missing = await olivia.get("/tickets/1000000009")
    for answer in (await olivia.get(f"/tickets/{number}"), missing):
        assert answer.status_code == 404
        assert title not in answer.text
