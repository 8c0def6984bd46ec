"""The pages in a real browser: what scripts add, and that nothing needs them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Route, expect

from services.portal.pages import live
from tests.browser import chromium
from tests.portal.system import ACME, ANNA, JAMES, KATARZYNA, OLIVIA, System, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chrome() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


expect.set_options(timeout=20_000)  # the machine may be busy

COMPLAINTS: list[str] = []
"""What browsers complained of: errors of scripts, and what the content security policy kept from loading."""


@pytest.fixture(autouse=True)
def _without_complaints() -> Iterator[None]:
    COMPLAINTS.clear()
    yield
    assert COMPLAINTS == []


async def _at(system: System, browser: Browser, email: str, path: str, **options: Any) -> Page:
    """A page of somebody's."""
    person = await system.person(browser, email, **options)
    page = await person.new_page()

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:  # told by its status
            COMPLAINTS.append(message.text)

    page.on("console", said)
    page.on("pageerror", lambda error: COMPLAINTS.append(str(error)))
    await page.goto(path)
    return page


async def _live(page: Page, connected: str = "#timeline") -> None:
    """Wait until the page hears of what happens."""
    async with asyncio.timeout(30):
        # Not wait_for_function, which the content security policy forbids.
        while not await page.evaluate("e => document.querySelector(e)._htmx?.sse != null", connected):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_what_others_write_appears_without_touching_what_is_typed(
    system: System, chrome: Browser
) -> None:
    number = await system.open(ANNA)
    page = await _at(system, chrome, JAMES, f"/tickets/{number}")
    await _live(page)
    box = page.get_by_label("Your reply")
    await box.fill("While I am wri")
    await system.reply(KATARZYNA, number, "Try it now.")
    await expect(page.get_by_text("Try it now.")).to_be_visible()
    await expect(page.locator("#said")).to_have_text("Katarzyna Zielińska replied")
    await box.press_sequentially("ting")
    await expect(box).to_have_value("While I am writing")
    await system.close(KATARZYNA, number)
    await expect(page.get_by_text("has just closed this ticket")).to_be_visible()
    await expect(box).to_have_value("While I am writing")
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.get_by_text("Your reply was not sent: the ticket was closed")).to_be_visible()
    await page.get_by_role("button", name="Reopen with this text").click()
    await expect(page.locator(".entry").last).to_contain_text("While I am writing")
    await expect(page.get_by_label("Your reply")).to_have_value("")
    await page.context.close()


async def test_a_stream_that_cannot_begin_is_asked_for_again(system: System, chrome: Browser) -> None:
    number = await system.open(ANNA)
    page = await _at(system, chrome, JAMES, "/tickets")

    async def fail(route: Route) -> None:
        await route.fulfill(status=503, body="<p>Not now</p>")

    await page.route(re.compile(rf"/{number}/live"), fail, times=1)
    await page.goto(f"/tickets/{number}")
    await _live(page)
    await system.reply(KATARZYNA, number, "After all.")
    await expect(page.get_by_text("After all.")).to_be_visible()
    await expect(page.get_by_text("Not now")).to_have_count(0)
    await page.context.close()


async def test_a_stream_that_ended_in_order_goes_on_in_another(
    system: System, chrome: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a minute, and when the portal that it came from is replaced."""
    number = await system.open(ANNA)
    monkeypatch.setattr(live, "LASTS_S", 0.5)
    page = await _at(system, chrome, JAMES, "/tickets")
    begun: list[str] = []
    page.on(
        "response", lambda response: begun.append(response.url) if f"/{number}/live" in response.url else None
    )
    await page.goto(f"/tickets/{number}")
    for text in ("Are you there?", "Still there?"):
        before = len(begun)
        async with asyncio.timeout(30):
            while len(begun) < before + 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await system.reply(KATARZYNA, number, text)
        await expect(page.get_by_text(text)).to_be_visible()
    await expect(page.locator(".entry")).to_have_count(3)
    await page.context.close()


async def test_two_people_see_one_another(system: System, chrome: Browser) -> None:
    number = await system.open(ANNA)
    pages = [await _at(system, chrome, each, f"/tickets/{number}") for each in (ANNA, JAMES)]
    for page in pages:
        await _live(page)
    await pages[0].get_by_label("Your reply").fill("From Anna")
    await pages[0].get_by_role("button", name="Send reply").click()
    await expect(pages[1].get_by_text("From Anna")).to_be_visible()
    await expect(pages[0].locator(".entry")).to_have_count(2)
    await expect(pages[1].locator(".entry")).to_have_count(2)
    for page in pages:
        await page.context.close()


async def test_a_draft_survives_a_lost_connection_and_a_reload(system: System, chrome: Browser) -> None:
    number = await system.open(ANNA)
    page = await _at(system, chrome, JAMES, f"/tickets/{number}")
    await page.get_by_label("Your reply").fill("Half a sentence")
    await page.reload()
    await expect(page.get_by_label("Your reply")).to_have_value("Half a sentence")
    await expect(page.get_by_text("It was not sent yet.")).to_be_visible()
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.locator(".entry").last).to_contain_text("Half a sentence")
    await expect(page.get_by_label("Your reply")).to_have_value("")
    await page.context.close()


async def test_a_reply_whose_answer_was_lost_is_sent_once(system: System, chrome: Browser) -> None:
    number = await system.open(ANNA)
    person = await system.person(chrome, JAMES)
    page = await person.new_page()
    await page.goto(f"/tickets/{number}")
    await page.get_by_label("Your reply").fill("Sent into the dark")

    async def lose(route: Route) -> None:
        await route.fetch(max_redirects=0)
        await route.abort("connectionreset")

    await page.route("**/reply", lose)
    async with page.expect_event("requestfailed"):
        await page.get_by_role("button", name="Send reply").click(no_wait_after=True)
    await page.unroute("**/reply")
    await page.goto(f"/tickets/{number}")
    await expect(page.locator(".entry").last).to_contain_text("Sent into the dark")
    await expect(page.get_by_label("Your reply")).to_have_value("")
    assert (await system.ticket(number)).replies == 1
    await person.close()


async def test_what_is_added_to_a_reply_that_has_arrived_unheard_is_kept(
    system: System, chrome: Browser
) -> None:
    number = await system.open(ANNA)
    page = await _at(system, chrome, JAMES, f"/tickets/{number}")

    async def unheard(route: Route) -> None:
        await route.fetch(max_redirects=0)
        await route.fulfill(status=204)  # the page stays, as after going back to it

    await page.route("**/reply", unheard)
    await page.get_by_label("Your reply").fill("One.")
    async with page.expect_response("**/reply"):
        await page.get_by_role("button", name="Send reply").click(no_wait_after=True)
    await page.get_by_label("Your reply").press_sequentially(" Two.")
    await page.unroute("**/reply")
    await page.reload()
    await expect(page.locator(".entry").last).to_contain_text("One.")
    await expect(page.get_by_label("Your reply")).to_have_value("One. Two.")
    await page.get_by_label("Your reply").fill("Two.")
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.locator(".entry").last).to_contain_text("Two.")
    assert (await system.ticket(number)).replies == 2
    await page.context.close()


async def test_a_reason_to_reopen_that_was_sent_does_not_come_back(system: System, chrome: Browser) -> None:
    number = await system.open(ANNA)
    await system.close(KATARZYNA, number)
    page = await _at(system, chrome, JAMES, f"/tickets/{number}/reopen")
    await page.get_by_label("Why should it be opened again?").fill("Not solved")
    await page.get_by_role("button", name="Reopen").click()
    await expect(page.locator(".entry").last).to_contain_text("Not solved")
    await system.close(KATARZYNA, number)
    await page.goto(f"/tickets/{number}/reopen")
    await expect(page.get_by_label("Why should it be opened again?")).to_have_value("")
    await page.context.close()


async def test_a_draft_is_for_its_writer_only(system: System, chrome: Browser) -> None:
    number = await system.open(ANNA)
    page = await _at(system, chrome, JAMES, f"/tickets/{number}")
    await page.get_by_label("Your reply").fill("Only mine")
    for email, kept in ((ANNA, ""), (JAMES, "Only mine")):
        await page.context.clear_cookies(name="casetrail")  # it has ended
        signing_in = await page.context.new_page()
        await signing_in.goto(f"/tickets/{number}")
        await signing_in.get_by_role("button", name=email).click()
        await expect(signing_in.get_by_label("Your reply")).to_have_value(kept)
        await signing_in.close()
    await page.context.close()


@pytest.mark.parametrize(
    "broken",
    [
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } })",
        "for (const key of Object.keys(localStorage)) localStorage.setItem(key, '{')",
    ],
)
async def test_a_store_that_is_of_no_use_breaks_nothing(system: System, chrome: Browser, broken: str) -> None:
    number = await system.open(ANNA)
    page = await _at(system, chrome, JAMES, f"/tickets/{number}")
    await page.get_by_label("Your reply").fill("Some text")
    await page.add_init_script(broken)
    await page.reload()
    await page.get_by_label("Your reply").fill("Some text after all")
    await page.get_by_role("button", name="Send reply").click()
    await expect(page.locator(".entry").last).to_contain_text("Some text after all")
    await page.context.close()


async def test_a_list_shows_new_tickets_by_itself(system: System, chrome: Browser) -> None:
    page = await _at(system, chrome, OLIVIA, "/tickets")
    await _live(page, "#news")
    title = f"Fresh {new_id()}"
    await system.open(OLIVIA, account="nova-bookings", title=title)
    await expect(page.get_by_role("link", name=title)).to_be_visible()
    await page.context.close()


async def test_whoever_loses_access_loses_the_open_page_at_once(system: System, chrome: Browser) -> None:
    number = await system.open(ANNA, message="Only for us")
    olivia = await system.join(OLIVIA, ACME)
    page = await _at(system, chrome, OLIVIA, f"/tickets/{number}")
    await expect(page.get_by_text("Only for us")).to_be_visible()
    await _live(page)
    await page.locator("summary").click()
    await expect(page.get_by_role("button", name="Acme Clinic")).to_be_visible()
    await system.leave(olivia, ACME)
    await expect(page.get_by_role("heading", name="This page does not exist here")).to_be_visible()
    await expect(page.get_by_text("Only for us")).to_have_count(0)
    await page.context.close()


async def test_without_scripts_on_a_phone_everything_works(system: System, chrome: Browser) -> None:
    title = f"Telefon {new_id()}"
    number = await system.open(ANNA, title=title)
    page = await _at(
        system,
        chrome,
        ANNA,
        "/tickets",
        language="pl",
        java_script_enabled=False,
        viewport={"width": 375, "height": 700},
    )
    await page.get_by_label("Szukaj zgłoszeń").fill(title)
    await page.get_by_role("button", name="Szukaj").click()
    await page.get_by_role("link", name=title).click()
    await page.get_by_label("Twoja odpowiedź").fill("Już działa.")
    await page.get_by_role("button", name="Wyślij odpowiedź").click()
    await expect(page.get_by_role("article").last).to_contain_text("Już działa.")
    await page.get_by_role("link", name="Zamknij to zgłoszenie").click()
    await page.get_by_label("Rozwiązane").check()
    await page.get_by_role("button", name="Zamknij zgłoszenie").click()
    await page.get_by_role("button", name="Otwórz ponownie").click()
    await page.get_by_label("Dlaczego ma zostać otwarte ponownie?").fill("Jednak nie.")
    await page.get_by_role("button", name="Otwórz ponownie").click()
    await expect(page.get_by_text("Otwarte").first).to_be_visible()
    assert (await system.ticket(number)).revision == 4
    await page.locator("summary").click()
    await page.get_by_role("link", name="Wyloguj się").click()
    await page.get_by_role("button", name="Wyloguj się w tej przeglądarce").click()
    await expect(page.get_by_role("heading", name="Wylogowano")).to_be_visible()
    await page.context.close()


async def test_a_ticket_is_answered_by_keyboard_alone(system: System, chrome: Browser) -> None:
    title = f"Keys {new_id()}"
    number = await system.open(ANNA, title=title)
    page = await _at(system, chrome, JAMES, f"/tickets?q={title.split()[1]}")
    await _tab_to(page, title)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/tickets/{number}")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    await page.keyboard.press("Enter")
    await _tab_to(page, "Your reply")
    await page.keyboard.type("By keyboard")
    await _tab_to(page, "Send reply")
    await page.keyboard.press("Enter")
    await expect(page.locator(".entry").last).to_contain_text("By keyboard")
    await page.context.close()


async def _tab_to(page: Page, name: str) -> None:
    """Press Tab until what is called so has the focus."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(
            "(e => e.labels?.[0]?.textContent ?? e.textContent)(document.activeElement)"
        )
        if name in focused:
            return
    pytest.fail(f"Tab does not lead to {name}")
