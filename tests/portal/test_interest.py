"""The interest form, over HTTP: from a stranger's first look to a request that is on record."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import httpx2
import pytest

from contracts.subjects import INTERESTS
from contracts.tickets import requests
from tests.portal.filling import fields_of, send
from tests.portal.system import KATARZYNA, System, acting, an_address, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILLED = {
    "a-company": "Przychodnia Łąkowa",
    "a-country": "Polska",
    "a-kind": "clinic",
    "a-places": "3",
    "a-visits": "below-1000",
    "a-has-system": "false",
    "a-contact": "Ewa Lis",
    "a-email": "ewa@lakowa.example",
    "a-message": "We would like to be found.",
}


async def stranger(system: System, language: str = "en") -> httpx2.AsyncClient:
    """Somebody with a network address of its own."""
    return await system.browser(language=language, address=an_address())


async def sent(browser: httpx2.AsyncClient, page: httpx2.Response, typed: dict[str, str]) -> httpx2.Response:
    """What comes of sending the form once a person could have filled it in."""
    async with asyncio.timeout(15):
        while True:
            answer = await send(browser, page, "/interest", typed)
            if not any(fast in answer.text for fast in ("That was very fast.", "To było bardzo szybko.")):
                return answer
            assert answer.status_code == 422
            assert fields_of(answer, "/interest")["a-company"] == [typed["a-company"]]
            await asyncio.sleep(0.2)  # of the three seconds that it takes a person


async def link_of(system: System, reference: str) -> str:
    """The address in the confirmation e-mail."""
    root = (await system.connect("root")).jetstream()
    kept = await (await root.key_value(INTERESTS)).get(reference)
    assert kept.value is not None
    return f"/interest/confirm?token={json.loads(kept.value)['token']}"


async def test_an_interest_is_sent_confirmed_and_reaches_the_desk(system: System) -> None:
    browser = await stranger(system)
    company = f"Clinic {new_id()}"
    form = await browser.get("/interest")
    assert 'name="a-places"' not in form.text  # not asked before the kind of company is known
    more = await sent(browser, form, {**FILLED, "a-company": company, "a-places": ""})
    assert more.status_code == 422
    assert "Your answers call for a few more." in more.text
    assert "There is a problem" not in more.text
    wrong = await sent(browser, more, {**FILLED, "a-company": company, "a-places": "many"})
    assert "How many places do you have? Must be a whole number, such as 12." in wrong.text
    assert 'href="#a-places"' in wrong.text
    done = await sent(browser, wrong, {**FILLED, "a-company": company})
    assert urlsplit(str(done.url)).path == "/interest/sent"
    assert "Check your mailbox" in done.text
    reference = str(done.url)[-16:]
    assert f'panel__number">{reference}<' in done.text
    link = await link_of(system, reference)
    for _ in range(2):  # opening a link changes nothing
        asked = await browser.get(link)
        assert company in asked.text
    confirmed = await send(browser, asked, "/interest/confirm")
    assert reference in confirmed.text
    assert "Your request has reached us" in confirmed.text
    assert "Your request has reached us" in (await browser.get(link)).text
    found = await system.tickets.list(
        requests.ListTickets(actor=acting(KATARZYNA), account="new-partners", words=company.split()[1])
    )
    async with asyncio.timeout(10):
        while not found.tickets:
            found = await system.tickets.list(
                requests.ListTickets(
                    actor=acting(KATARZYNA), account="new-partners", words=company.split()[1]
                )
            )
    assert company in found.tickets[0].title


async def test_the_form_speaks_polish_and_tells_what_is_missing(system: System) -> None:
    browser = await stranger(system, "pl")
    page = await sent(browser, await browser.get("/interest"), {**FILLED, "a-email": "ewa", "a-country": ""})
    page = await sent(browser, page, {**FILLED, "a-email": "ewa", "a-country": ""})  # now it is all asked
    assert page.status_code == 422
    assert "Kraj: wymaga odpowiedzi." in page.text
    assert "Służbowy adres e-mail: musi być adresem e-mail" in page.text
    assert fields_of(page, "/interest")["a-company"] == ["Przychodnia Łąkowa"]


async def test_a_program_that_fills_in_the_hidden_field_is_thanked_and_ignored(system: System) -> None:
    browser = await stranger(system)
    done = await sent(browser, await browser.get("/interest"), {**FILLED, "website": "https://spam.example"})
    reference = str(done.url)[-16:]
    assert f'panel__number">{reference}<' in done.text
    with pytest.raises(Exception, match="not found"):
        await link_of(system, reference)


async def test_one_address_sends_only_so_many_forms(system: System) -> None:
    browser = await stranger(system)
    form = await browser.get("/interest")
    for number in range(6):
        typed = {**FILLED, "a-email": f"{new_id()}@lakowa.example", "command_id": new_id()}
        answer = await sent(browser, form, typed)
        assert (answer.status_code == 422) == (number == 5), answer.text
    assert "Too many requests were sent." in answer.text


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ł" * 40, "x" * 3000])
async def test_a_link_that_is_none_is_told_and_does_nothing(system: System, token: str) -> None:
    browser = await stranger(system)
    for answer in (
        await browser.get("/interest/confirm", params={"token": token}),
        await browser.post("/interest/confirm", data={"token": token}),
    ):
        assert answer.status_code == 404
        assert "This link is not valid" in answer.text


async def test_a_form_that_was_not_handed_out_here_can_be_sent_once_more(system: System) -> None:
    browser = await stranger(system)
    form = await browser.get("/interest")
    refused = await sent(browser, form, {**FILLED, "token": "forged"})
    assert refused.status_code == 422
    assert "This form is too old." in refused.text
    assert fields_of(refused, "/interest")["token"] != ["forged"]
    assert "Check your mailbox" in (await sent(browser, refused, FILLED)).text
