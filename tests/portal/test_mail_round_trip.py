"""From the inbox to the portal and back: an answer by e-mail, and one to a closed ticket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser import chromium
from tests.notify.post import answer
from tests.portal.desk import DeskSystem
from tests.portal.system import ANNA, JAMES, KATARZYNA

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chrome() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


def _mails(desk: DeskSystem, email: str) -> list[EmailMessage]:
    return [message for recipient, message in desk.sent.taken if recipient == email]


async def _next_mail(desk: DeskSystem, email: str, count: int) -> EmailMessage:
    """The latest e-mail for somebody, once there are so many."""
    await desk.sent.until(lambda: len(_mails(desk, email)) >= count)
    return _mails(desk, email)[-1]


async def _answer(desk: DeskSystem, told: EmailMessage, email: str, text: str) -> None:
    """As a mail client, and the mail server in front of us, do it."""
    to = str(told["Reply-To"])
    message = answer(text, sender=email, to=to, to_mail=told)
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=desk.port, start_tls=False) as client:
        _, said = await client.sendmail(email, to, bytes(message))
    await desk.handled(said.rpartition(" ")[2])


def _link(message: EmailMessage, end: str) -> str:
    part: Any = message.get_body(("plain",))
    return next(
        word for word in str(part.get_content()).split() if word.startswith("http") and word.endswith(end)
    )


@pytest.mark.parametrize(
    ("email", "language", "reopen", "why", "is_open"),
    [
        (JAMES, "en", "Reopen", "Why should it be opened again?", "Open"),
        (ANNA, "pl", "Otwórz ponownie", "Dlaczego ma zostać otwarte ponownie?", "Otwarte"),
    ],
)
async def test_an_answer_by_e_mail_stands_in_the_portal_and_one_too_late_leads_to_the_ticket(
    desk: DeskSystem, chrome: Browser, email: str, language: str, reopen: str, why: str, is_open: str
) -> None:
    before = len(_mails(desk, email))
    number = await desk.system.open(email, title=f"By e-mail, {language}")
    await desk.system.reply(KATARZYNA, number, "What do you see?")
    told = await _next_mail(desk, email, before + 1)
    person = await desk.system.person(chrome, email, language=language)
    page = await person.new_page()
    await page.goto(_link(told, f"/tickets/{number}"))
    await _answer(desk, told, email, "An empty calendar, since this morning.")
    await expect(page.get_by_text("An empty calendar, since this morning.")).to_be_visible()
    await desk.system.close(KATARZYNA, number)
    closed = await _next_mail(desk, email, before + 2)
    await _answer(desk, closed, email, "It is empty again.")
    refused = await _next_mail(desk, email, before + 3)
    assert "It is empty again." in str(refused.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    await page.goto(_link(refused, "/reopen"))
    assert (await desk.system.ticket(number)).status.value == "closed"  # opening the link changes nothing
    await page.get_by_role("textbox", name=why).fill("It is empty again.")
    await page.get_by_role("button", name=reopen).click()
    await expect(page.locator(".status").first).to_have_text(is_open)
    await expect(page.get_by_text("It is empty again.")).to_be_visible()
    await person.close()
