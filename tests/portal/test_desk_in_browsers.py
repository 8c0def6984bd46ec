"""The desk in a real browser: an agent from the list to a closed ticket; on a phone without scripts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from contracts.number import shown
from tests.browser import chromium
from tests.portal.desk import DeskSystem
from tests.portal.system import ANNA, KATARZYNA, OLIVIA, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chrome() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


async def test_an_agent_answers_closes_reopens_and_puts_an_email_on_the_ticket(
    desk: DeskSystem, chrome: Browser
) -> None:
    title = f"Bookings {new_id()}"
    number = await desk.system.open(ANNA, title=title)
    by_mail = await desk.send(
        "Still nothing.", subject=f"Re: [{shown(number)}]", sender=ANNA, verdict="pass",
        html='<p>Still nothing. <a href="https://elsewhere.example/">See</a></p>',
    )  # fmt: skip
    assert by_mail.ticket == number
    waiting = await desk.send("It works again.", subject=f"News {new_id()}", verdict="pass")
    page = await _at(desk, chrome, "/", language="en")
    await page.get_by_label("Search tickets").fill(title)
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("link", name=title).click()
    await expect(page.get_by_role("complementary")).to_contain_text("James Carter")
    await page.get_by_text("Show the original e-mail").click()
    await expect(page.locator("#timeline .facts")).to_contain_text(shown(number))
    await page.get_by_text("As its sender formatted it").click()
    await expect(page.frame_locator("iframe").get_by_text("Still nothing.")).to_be_visible()
    await page.get_by_label("Your reply").fill("Try it now.")
    await page.get_by_text("Send and close").click()
    await page.get_by_role("button", name="Solved").click()
    await expect(page.get_by_role("heading", name="Ticket actions")).to_be_visible()
    await expect(page.locator(".entry")).to_have_count(4)
    await page.get_by_role("button", name="Reopen").click()
    await page.get_by_label("Why should it be opened again?").fill("They wrote once more.")
    await page.get_by_role("button", name="Reopen").click()
    await page.get_by_role("link", name="E-mails").click()
    await page.locator(f"a[href$='{waiting.received}']").click()
    await page.get_by_label("Put it on the ticket with this number").fill(f"#{shown(number)}")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_text(title)).to_be_visible()
    await page.get_by_role("button", name="Put it on this ticket").click()
    await expect(page.locator(".entry").last).to_contain_text("It works again.")
    assert (await desk.system.ticket(number)).revision == 6
    await page.context.close()


async def test_a_phone_without_scripts_in_polish_will_do(desk: DeskSystem, chrome: Browser) -> None:
    company, title = f"Klinika {new_id()[:8]}", f"Telefon {new_id()}"
    request = await desk.request_of(company, f"{new_id()[:8]}@partner.example")
    number = await desk.system.open(OLIVIA, account="nova-bookings", title=title)
    page = await _at(
        desk,
        chrome,
        "/desk",
        language="pl",
        java_script_enabled=False,
        viewport={"width": 375, "height": 700},
    )
    await page.get_by_label("Konto").fill("nova bookings")
    await page.get_by_role("button", name="Szukaj").click()
    await page.get_by_role("link", name=title).click()
    await page.get_by_label("Twoja odpowiedź").fill("Już działa.")
    await page.get_by_text("Wyślij i zamknij").click()
    await page.get_by_role("button", name="Rozwiązane").click()
    await expect(page.get_by_role("article").last).to_contain_text("zgłoszenie zamknięte")
    await page.get_by_role("link", name="Nowi partnerzy").click()
    await page.get_by_role("link", name=company).click()
    await page.get_by_role("link", name="Utwórz konto").click()
    await page.get_by_role("button", name="Utwórz konto i zaproś").click()
    await expect(page.get_by_role("heading", name="Konto jest gotowe")).to_be_visible()
    await page.get_by_role("link", name="Zobacz konto").click()
    await expect(page.get_by_text("Zaproszenie", exact=True)).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 375
    assert (await desk.system.ticket(number)).status == "closed"
    assert (await desk.system.ticket(request)).status == "open"
    await page.context.close()


async def test_a_list_tells_that_it_would_show_something_else_and_stays_as_it_is(
    desk: DeskSystem, chrome: Browser
) -> None:
    topic, title = f"t{new_id()[:12]}", f"Fresh {new_id()}"
    first = await desk.system.open(ANNA, topic=topic)
    agents = [await _at(desk, chrome, f"/desk/tickets?topic={topic}", language=each) for each in ("en", "pl")]
    for page in agents:
        await expect(page.locator(".ticket-row")).to_have_count(1)
    anna = await (await desk.system.person(chrome, ANNA)).new_page()
    await anna.goto(f"/tickets/{first}")
    await anna.get_by_label("Your reply").fill("Still nothing.")
    await anna.get_by_role("button", name="Send reply").click()
    await expect(anna.locator(".entry")).to_have_count(2)
    await desk.system.open(ANNA, topic=topic, title=title)
    for page, told in zip(agents, ("New activity: show", "Są zmiany: pokaż"), strict=True):
        link = page.get_by_role("status").get_by_role("link", name=told)
        await expect(link).to_be_visible()
        await expect(page.locator(".ticket-row")).to_have_count(1)
        await expect(page.get_by_text(re.compile("1 (reply|odpowiedź)"))).to_have_count(0)
        before = page.url
        async with page.expect_navigation():
            await link.click()
        assert page.url == before
        await expect(page.get_by_role("link", name=title)).to_be_visible()
        await expect(page.get_by_text(re.compile("1 (reply|odpowiedź)"))).to_be_visible()
        await page.context.close()
    await anna.context.close()


async def _at(desk: DeskSystem, browser: Browser, path: str, *, language: str, **options: object) -> Page:
    """A page of an agent's."""
    person = await desk.system.person(browser, KATARZYNA, language=language, **options)
    page = await person.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    await page.goto(path)
    return page
