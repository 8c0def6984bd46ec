"""What people come for, from the first page to the last, in a real browser and with real e-mails."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser import chromium
from tests.notify.servers import MailDouble, mail_server
from tests.portal.system import ACME, ANNA, JAMES, System, new_id, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class World:
    """A system whose e-mails arrive, and a browser."""

    system: System
    mail: MailDouble
    chrome: Browser

    async def link_to(self, email: str, beginning: str) -> str:
        """The link with this path in the first e-mail to an address that has one."""

        def found() -> str | None:
            for recipient, message in self.mail.taken:
                for word in _text(message).split() if recipient == email else ():
                    if word.startswith(f"{self.system.origin}{beginning}"):
                        return word
            return None

        await self.mail.until(lambda: found() is not None)
        return str(found())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with mail_server() as mail, chromium() as chrome:
        to = {"smtp_host": "127.0.0.1", "smtp_port": mail.port, "smtp_tls": "none"}
        async with running(tmp_path_factory.mktemp("journeys"), mail=to) as system:
            yield World(system, mail, chrome)


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    return "" if part is None else str(part.get_content())


async def _answer(page: Page, button: str) -> None:
    """Fill in whatever a page of the shortest questionnaire needs, and go on."""
    for box in await page.locator(".question textarea").all():
        await box.fill("Odpowiedź e-mailem wystarczy.")
    for choice in await page.locator(".question .govuk-radios").all():
        await choice.get_by_role("radio").last.check()
    await page.get_by_role("button", name=button, exact=True).click()


async def test_a_polish_partner_asks_for_help_and_gets_a_ticket(world: World) -> None:
    person = await world.system.person(world.chrome, ANNA, language="pl")
    page = await person.new_page()
    await page.goto("/tickets")
    await page.get_by_role("link", name="Otwórz nowe zgłoszenie").click()
    text = f"Gdzie jest instrukcja {new_id()}?"
    await page.get_by_label("Jak możemy pomóc?").fill(text)
    await page.get_by_role("button", name="Rozpocznij").click()
    await page.get_by_role("button", name="Inna sprawa").click()
    await _answer(page, "Zapisz i wróć później")
    await page.get_by_role("link", name=re.compile("Dalej.*Inna sprawa")).first.click()
    while "/check" not in page.url:
        await _answer(page, "Dalej")
        await page.wait_for_load_state()
    await page.get_by_role("link", name=re.compile("Zmień.*Jak pilna jest ta sprawa")).click()
    await page.get_by_label("Trzeba ją załatwić w najbliższych dniach").check()
    await page.get_by_role("button", name="Dalej", exact=True).click()
    while "/check" not in page.url:  # another question hangs on the answer
        await page.get_by_role("button", name="Dalej", exact=True).click()
        await page.wait_for_load_state()
    await expect(page.get_by_text("Trzeba ją załatwić w najbliższych dniach")).to_be_visible()
    await page.get_by_role("button", name="Prześlij").click()
    await expect(page.get_by_role("heading", name="Numer zgłoszenia:")).to_be_visible()
    await expect(page.get_by_text(text).last).to_be_visible()
    await person.close()


async def test_without_scripts_on_a_phone_help_is_asked_for_and_given(world: World) -> None:
    person = await world.system.person(
        world.chrome, JAMES, java_script_enabled=False, viewport={"width": 375, "height": 700}
    )
    page = await person.new_page()
    await page.goto("/help")
    await page.get_by_role("button", name="Start").click()
    await page.get_by_role("link", name="Write in a few words what you need.").click()
    await page.get_by_label("How can we help?").fill("Where is the manual?")
    await page.get_by_role("button", name="Start").click()
    await page.get_by_role("button", name="Something else").click()
    while "/check" not in page.url:
        await _answer(page, "Continue")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.get_by_role("heading", name="Your ticket is")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 375
    await person.close()


async def test_a_company_becomes_known_by_the_interest_form(world: World) -> None:
    email = f"{new_id()[:8]}@lakowa.example"
    person = await world.system.person(world.chrome, None)
    page = await person.new_page()
    await page.goto("/")
    await page.get_by_role("button", name="Fill in the interest form").click()
    for label, text in (
        ("Name of the company", "Przychodnia Łąkowa"),
        ("Country", "Poland"),
        ("Your name", "Ewa Lis"),
        ("Work e-mail", email),
        ("What would you like to do with us?", "We would like to be found."),
    ):
        await page.get_by_label(label, exact=True).fill(text)
    for choice in ("A booking site or app", "Fewer than 1,000", "No"):
        await page.get_by_label(choice, exact=True).check()
    sent = page.get_by_role("heading", name="Check your mailbox")
    fast = page.get_by_role("link", name="That was very fast.")
    await page.get_by_role("button", name="Send").click()
    await expect(sent.or_(fast)).to_be_visible()
    while await fast.is_visible():
        await page.get_by_role("button", name="Send").click()
        await page.wait_for_load_state()
        await expect(sent.or_(fast)).to_be_visible()
    await page.goto(await world.link_to(email, "/interest/confirm"))
    await expect(page.get_by_text("Przychodnia Łąkowa")).to_be_visible()
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_role("heading", name="Your request has reached us")).to_be_visible()
    await person.close()


async def test_whoever_is_invited_accepts_and_sees_earlier_tickets(world: World) -> None:
    email, title = f"{new_id()[:8]}@acme-clinic.example", f"Earlier {new_id()}"
    await world.system.open(ANNA, title=title)
    anna = await world.system.person(world.chrome, ANNA, language="pl")
    page = await anna.new_page()
    await page.goto("/people")
    await (
        page.get_by_role("button", name="Zaproś osobę")
        .or_(page.get_by_role("link", name="Zaproś osobę"))
        .click()
    )
    await page.get_by_label("Adres e-mail").fill(email)
    await page.get_by_role("button", name="Wyślij zaproszenie").click()
    await expect(page.get_by_text("Zaproszenie jest w drodze.")).to_be_visible()
    newcomer = await world.system.person(world.chrome, None)
    page = await newcomer.new_page()
    await page.goto(await world.link_to(email, "/invitation"))
    await page.get_by_role("button", name="Sign in and accept").click()
    await page.get_by_placeholder("sub").fill(email)
    await page.get_by_role("button", name="Authorize").click()
    await page.get_by_role("button", name="Accept the invitation").click()
    await expect(page.get_by_role("link", name=title)).to_be_visible()
    assert ACME in page.url
    for person in (anna, newcomer):
        await person.close()
