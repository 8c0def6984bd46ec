"""What people come for, from the first page to the last, in a real browser and with real e-mails.

Every journey is walked in English and in Polish with scripts (`make test`), and once more on a screen of 375
pixels, in English, and without scripts, in Polish (`make pages`). `walks` says which features of the mission
a journey goes through; the last test here fails when one of them is walked by none.

M1              test_a_company_becomes_known_by_the_interest_form
M2, M3, M5      test_a_partner_asks_for_help_and_gets_a_ticket
M4, M13         test_a_partner_asks_for_help_and_gets_a_ticket, which quotes an earlier number
M6, M13         test_a_ticket_is_found_by_whatever_one_holds
M7, M8          test_a_ticket_is_answered_in_the_portal_and_from_the_mailbox
M9, M10         test_a_closed_ticket_takes_no_reply_and_is_reopened
M11, M12        test_who_is_invited_sees_earlier_tickets_until_the_access_is_gone
M14             test_an_agent_answers_closes_and_reopens_what_waits_longest

Beside these, in both languages: M7 to M10 from the mailbox in test_mail_round_trip.py. Without scripts and on
375 pixels at once: M2, M3 and M5 here, in English; M6, M7 and M10 in test_browser.py and M14 in
test_desk_in_browsers.py, in Polish. Two browsers at once: M7, M9 and M11 here and in test_browser.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from contracts.number import shown
from contracts.reference import is_reference
from contracts.tickets.requests import SentIdentifier
from tests.browser import chromium
from tests.portal.desk import DeskSystem, desk_running
from tests.portal.system import ACME, ANNA, JAMES, KATARZYNA, OLIVIA, System, new_id
from tests.portal.ways import FEATURES, Way, walked, walks

pytestmark = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=20_000)  # the machine may be busy

FIRST: Final = re.compile(r"[A-Z]-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}")


@dataclass
class World:
    """A system whose e-mails arrive and are answered, and a browser."""

    desk: DeskSystem
    chrome: Browser

    @property
    def system(self) -> System:
        return self.desk.system

    async def page(self, way: Way, email: str | None, path: str) -> Page:
        """A page of somebody who goes this way."""
        person = await self.system.person(self.chrome, email, language=way.language, **way.browser)
        page = await person.new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        await page.goto(path)
        return page

    async def mail(self, email: str, *words: str) -> EmailMessage:
        """The first e-mail to an address with these words in its subject or text."""

        def found() -> EmailMessage | None:
            for recipient, message in self.desk.sent.taken:
                said = f"{message['Subject']}\n{_text(message)}"
                if recipient == email and all(each in said for each in words):
                    return message
            return None

        await self.desk.sent.until(lambda: found() is not None)
        message = found()
        assert message is not None
        return message

    async def link_to(self, email: str, beginning: str) -> str:
        """The link with this path in the first e-mail to an address that has one."""
        link = f"{self.system.origin}{beginning}"
        text = _text(await self.mail(email, link))
        return next(word for word in text.split() if word.startswith(link))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with chromium() as chrome, desk_running(tmp_path_factory.mktemp("journeys")) as desk:
        yield World(desk, chrome)


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    return "" if part is None else str(part.get_content())


async def _comes(way: Way, locator: Locator) -> None:
    """Wait for what others do: it comes by itself; without scripts when the page is asked for again."""
    if way.scripts:
        await expect(locator).to_be_visible()
        return
    await _is_told(locator)


async def _is_told(locator: Locator) -> None:
    """Wait for what a page says once the service behind it has heard of it, and does not say by itself."""
    await locator.page.wait_for_load_state()
    async with asyncio.timeout(20):
        while not await locator.is_visible():
            await locator.page.reload()


async def _fits(page: Page, way: Way) -> None:
    """Nothing is wider than the window."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= way.width
    await page.context.close()


async def _press(page: Page, button: str) -> None:
    await page.get_by_role("button", name=button, exact=True).click()


@walks("M1")
async def test_a_company_becomes_known_by_the_interest_form(world: World, way: Way) -> None:
    say, email, company = way.say, f"{new_id()[:8]}@lakowa.example", f"Przychodnia {new_id()[:8]}"
    page = await world.page(way, None, "/")
    await page.get_by_role("button", name=say("Fill in the interest form")).click()
    for label, text in (
        ("Name of the company", company),
        ("Country", "Polska"),
        ("Your name", "Ewa Lis"),
        ("Work e-mail", email),
        ("What would you like to do with us?", "We would like to be found."),
    ):
        await page.get_by_label(say(label), exact=True).fill(text)
    for choice in ("A booking site or app", "Fewer than 1,000", "No"):
        await page.get_by_label(say(choice), exact=True).check()
    sent = page.get_by_role("heading", name=say("Check your mailbox"))
    fast = page.get_by_role("link", name=say("That was very fast."))
    await _press(page, say("Send"))
    await expect(sent.or_(fast)).to_be_visible()
    while await fast.is_visible():
        await _press(page, say("Send"))
        await page.wait_for_load_state()
        await expect(sent.or_(fast)).to_be_visible()
    reference = await page.locator(".panel__number").inner_text()
    assert is_reference(reference)
    await world.mail(email, reference)
    await page.goto(await world.link_to(email, "/interest/confirm"))
    await expect(page.get_by_text(company)).to_be_visible()
    await _press(page, say("Confirm"))
    await expect(page.get_by_role("heading", name=say("Your request has reached us"))).to_be_visible()
    await _fits(page, way)
    page = await world.page(way, KATARZYNA, "/desk")
    await page.get_by_role("link", name=say("New partners")).click()
    request = page.get_by_role("link", name=company)
    await _is_told(request)  # it becomes a ticket a moment later
    await request.click()
    await expect(page.get_by_text(email).first).to_be_visible()
    await _fits(page, way)


@walks("M2", "M3", "M4", "M5", "M13")
async def test_a_partner_asks_for_help_and_gets_a_ticket(world: World, way: Way) -> None:
    say, text, merchant = way.say, f"Gdzie jest instrukcja {new_id()}?", f"M-{new_id()[:8]}"
    earlier = await world.system.open(way.admin, account=way.account)
    page = await world.page(way, way.admin, "/tickets")
    await page.get_by_role("link", name=say("Open a new ticket")).click()
    await page.get_by_label(say("How can we help?")).fill(text)
    await _press(page, say("Start"))
    await page.get_by_role("button", name=say("Something else")).click()
    await page.get_by_label(say("What would you like to happen?")).fill("An e-mail will do.")
    await page.get_by_label(say("It can wait")).check()
    await _press(page, say("Save and come back later"))
    await expect(page.get_by_text(say("Your draft is saved."))).to_be_visible()
    draft = page.locator(".draft-row", has_text=text)
    await draft.get_by_role("link", name=re.compile(say("Continue"))).click()
    for label, value in (
        ("Reference ID or number of an earlier ticket", shown(earlier)),
        ("Merchant ID", merchant),
    ):
        await page.get_by_label(re.compile(say(label))).fill(value)
    await _press(page, say("Continue"))
    await _press(page, say("Continue"))  # no files
    again = page.get_by_role(
        "link", name=re.compile(f"{say('Change')}.*{re.escape(say('How urgent is it?'))}")
    )
    await again.click()
    deadline = page.get_by_label(re.compile(re.escape(say("Is there a day by which you need an answer?"))))
    await expect(deadline).to_have_count(0)
    await page.get_by_label(say("It should be settled in the next days")).check()
    await _press(page, say("Continue"))  # and another question hangs on that
    await expect(deadline).to_be_visible()
    while "/check" not in page.url:
        await _press(page, say("Continue"))
        await page.wait_for_load_state()
    await expect(page.get_by_text(say("It should be settled in the next days"))).to_be_visible()
    await _press(page, say("Submit"))
    await expect(page.get_by_role("heading", name=say("Your ticket is"))).to_be_visible()
    number = await page.locator(".ticket-head__number").inner_text()
    facts = page.locator(".entry").first
    await expect(facts).to_contain_text(text)
    await expect(facts).to_contain_text(merchant)
    await expect(facts).to_contain_text(shown(earlier))
    await page.get_by_role("link", name=say("All tickets")).click()
    await expect(page.locator(".ticket-row").first).to_contain_text(number)
    await expect(page.locator(".ticket-row").first).to_contain_text(say("Open"))
    await _fits(page, way)


@walks("M3")
async def test_questions_fit_the_answers_and_a_draft_is_discarded(world: World, way: Way) -> None:
    say, text = way.say, f"Odebrać dostęp {new_id()}"
    page = await world.page(way, way.admin, "/help")
    await page.get_by_label(say("How can we help?")).fill(text)
    await _press(page, say("Start"))
    await page.get_by_role("button", name=say("Account and access")).click()
    await page.get_by_label(say("Somebody should lose access")).check()
    await _press(page, say("Continue"))
    await _press(page, say("Continue"))  # a text that says who can do it themselves
    await expect(page.get_by_text(say("Has the person left the company?"))).to_be_visible()
    await expect(page.get_by_text(say("How far do you get?"))).to_have_count(0)
    await page.goto("/help")
    draft = page.locator(".draft-row", has_text=text)
    await draft.get_by_role("link", name=re.compile(say("Discard"))).click()
    await _press(page, say("Discard"))
    await expect(page.get_by_text(say("The draft was discarded."))).to_be_visible()
    await expect(draft).to_have_count(0)
    await _fits(page, way)


@walks("M6", "M8", "M13")
async def test_a_ticket_is_found_by_whatever_one_holds(world: World, way: Way) -> None:
    say, word, merchant = way.say, new_id(), f"M-{new_id()[:8]}"
    number = await world.system.open(
        way.colleague, account=way.account, title=f"Kalendarz {word}",
        identifiers=(SentIdentifier(kind="merchant", value=merchant),),
    )  # fmt: skip
    await world.system.close(KATARZYNA, number, account=way.account)
    told = await world.mail(way.admin, shown(number))
    reference = FIRST.search(_text(told))
    assert reference is not None
    assert say("Reference ID") in _text(told)
    page = await world.page(way, way.admin, "/tickets")
    found = page.get_by_role("link", name=f"Kalendarz {word}")
    for typed, said in (
        (shown(number), "Found by its number:"),
        (reference[0], "Found by the reference ID of an e-mail:"),
        (merchant, "Found by its identifier:"),
        (word, None),
    ):
        await page.get_by_label(say("Search tickets")).fill(typed)
        await _press(page, say("Search"))
        if said is not None:
            await _is_told(page.get_by_text(say(said)))
        await expect(found).to_be_visible()
    await page.get_by_role("link", name=re.compile(rf"^{say('Open')} \d")).click()
    await expect(page.get_by_role("heading", name=say("No tickets found"))).to_be_visible()
    await page.get_by_role("link", name=re.compile(rf"^{say('Closed')} \d")).click()
    await expect(page.locator(".ticket-row")).to_have_count(1)
    await found.click()
    await page.get_by_role("button", name=say("Open a new ticket about this")).click()
    await expect(page.get_by_text(say("About your ticket"))).to_contain_text(shown(number))
    await _fits(page, way)


@walks("M7", "M8")
async def test_a_ticket_is_answered_in_the_portal_and_from_the_mailbox(world: World, way: Way) -> None:
    say, number = way.say, await world.system.open(way.admin, account=way.account)
    page = await world.page(way, way.admin, f"/tickets/{number}")
    await world.system.reply(KATARZYNA, number, "What do you see?", account=way.account)
    await _comes(way, page.get_by_text("What do you see?"))
    told = await world.mail(way.admin, shown(number), "What do you see?")
    assert FIRST.search(_text(told)) is not None
    await world.desk.send(
        "An empty calendar.", subject=f"Re: {told['Subject']}", sender=way.admin, verdict="pass"
    )
    await _comes(way, page.get_by_text("An empty calendar."))
    await expect(page.locator(".entry").last).to_contain_text(say("by e-mail"))
    await page.get_by_label(say("Your reply")).fill("And no slots.")
    await _press(page, say("Send reply"))
    await expect(page.locator(".entry").last).to_contain_text("And no slots.")
    again = await world.mail(way.colleague, shown(number), "And no slots.")
    assert FIRST.findall(_text(again)) != FIRST.findall(_text(told))
    await _fits(page, way)


@walks("M9", "M10")
async def test_a_closed_ticket_takes_no_reply_and_is_reopened(world: World, way: Way) -> None:
    say, number = way.say, await world.system.open(way.admin, account=way.account)
    page = await world.page(way, way.admin, f"/tickets/{number}")
    await page.get_by_label(say("Your reply")).fill("While I am writing")
    await world.system.close(KATARZYNA, number, account=way.account)
    if way.scripts:
        await expect(page.get_by_text(say("has just closed this ticket"))).to_be_visible()
    await _press(page, say("Send reply"))
    why = say("Your reply was not sent: the ticket was closed while you were writing")
    await expect(page.get_by_text(why)).to_be_visible()
    await expect(page.get_by_text(say("This ticket is closed and takes no replies."))).to_be_visible()
    await expect(page.get_by_label(say("Your reply"))).to_have_value("While I am writing")
    await expect(page.get_by_role("link", name=say("Open a new ticket about this"))).to_be_visible()
    await _press(page, say("Reopen with this text"))
    await expect(page.locator(".entry").last).to_contain_text("While I am writing")
    await expect(page.locator(".entry").last).to_contain_text(say("opened the ticket again"))
    await world.system.close(KATARZYNA, number, account=way.account)
    await page.goto(f"/tickets/{number}")
    actions = page.get_by_role("region", name=say("Ticket actions"))
    places = [await each.bounding_box() for each in (actions, page.locator("#timeline"))]
    assert places[0] is not None
    assert places[1] is not None
    assert places[0]["y"] < places[1]["y"]
    await actions.get_by_role("button", name=say("Reopen")).click()
    await page.get_by_label(say("Why should it be opened again?")).fill("It is empty again.")
    await _press(page, say("Reopen"))
    await expect(page.locator(".status").first).to_have_text(say("Open"))
    await expect(page.locator(".entry").last).to_contain_text("It is empty again.")
    assert (await world.system.ticket(number)).revision == 5
    await _fits(page, way)


@walks("M11", "M12")
async def test_who_is_invited_sees_earlier_tickets_until_the_access_is_gone(world: World, way: Way) -> None:
    say, email, title = way.say, f"{new_id()[:8]}@partner.example", f"Earlier {new_id()}"
    await world.system.open(way.admin, account=way.account, title=title)
    page = await world.page(way, way.admin, "/tickets")
    await page.get_by_role("link", name=say("People"), exact=True).click()
    await page.get_by_role("link", name=say("Invite somebody")).click()
    await page.get_by_label(say("E-mail address")).fill(email)
    await _press(page, say("Send invitation"))
    await expect(page.get_by_text(say("The invitation is on its way."))).to_be_visible()
    newcomer = await world.page(way, None, await world.link_to(email, "/invitation"))
    await newcomer.get_by_role("button", name=say("Sign in and accept")).click()
    await newcomer.get_by_placeholder("sub").fill(email)
    await newcomer.get_by_role("button", name="Authorize").click()
    await _press(newcomer, say("Accept the invitation"))
    await newcomer.get_by_role("link", name=title).click()
    await newcomer.get_by_label(say("Your reply")).fill("I have a look, too.")
    await _press(newcomer, say("Send reply"))
    await expect(newcomer.locator(".entry").last).to_contain_text("I have a look, too.")
    row = page.locator(".person", has_text=email)
    change = row.get_by_role("link", name=re.compile(f"^{say('Change role')}"))
    await page.goto("/people")
    await _is_told(change)
    await change.click()
    await page.get_by_label(say("Administrator")).check()
    await _press(page, say("Change role"))
    await expect(page.get_by_text(say("The role was changed."))).to_be_visible()
    await expect(row).to_contain_text(say("Administrator"))
    await row.get_by_role("link", name=re.compile(f"^{say('Remove')}")).click()
    await _press(page, say("Remove"))
    await expect(page.get_by_text(say("The person was removed"))).to_be_visible()
    await expect(row).to_have_count(0)
    gone = newcomer.get_by_role("heading", name=say("This page does not exist here"))
    await _comes(way, gone)
    await expect(newcomer.get_by_text("I have a look, too.")).to_have_count(0)
    await _fits(newcomer, way)
    await _fits(page, way)


@walks("M14")
async def test_an_agent_answers_closes_and_reopens_what_waits_longest(world: World, way: Way) -> None:
    say, topic = way.say, f"t{new_id()[:8]}"
    acme = await world.system.open(ANNA, account=ACME, title=f"Acme {topic}", topic=topic)
    await world.system.open(OLIVIA, account="nova-bookings", title=f"Nova {topic}", topic=topic)
    page = await world.page(way, KATARZYNA, "/desk")
    await expect(page.get_by_text(say("All accounts"))).to_be_visible()
    await page.get_by_label(say("Topic")).fill(topic)
    await _press(page, say("Search"))
    rows = page.locator(".ticket-row")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("Acme Clinic")  # who has waited longest
    await expect(rows.first).to_contain_text(say("Unanswered"))
    await expect(rows.last).to_contain_text("Nova Bookings")
    await page.get_by_role("link", name=f"Acme {topic}").click()
    await page.get_by_label(say("Your reply")).fill("We are on it.")
    await _press(page, say("Send reply"))
    await expect(page.locator(".entry").last).to_contain_text("We are on it.")
    await page.get_by_role("link", name=say("Close this ticket")).click()
    await page.get_by_label(say("The same as another ticket")).check()
    await page.get_by_label(say("Note (optional)")).fill("See the other one.")
    await _press(page, say("Close ticket"))
    await expect(page.locator(".entry").last).to_contain_text(say("closed the ticket"))
    await expect(page.locator(".entry").last).to_contain_text(say("The same as another ticket"))
    await page.get_by_role("button", name=say("Reopen")).click()
    await page.get_by_label(say("Why should it be opened again?")).fill("It was not the same.")
    await _press(page, say("Reopen"))
    await expect(page.locator(".entry").last).to_contain_text("It was not the same.")
    assert (await world.system.ticket(acme)).revision == 4
    await page.goto(f"/desk/tickets?topic={topic}")
    await expect(page.get_by_role("link", name=f"Nova {topic}")).to_be_visible()
    await expect(rows).to_have_count(1)  # the one that was answered does not wait any more
    await _fits(page, way)


async def test_without_scripts_on_a_phone_help_is_asked_for_and_given(world: World) -> None:
    way = Way(language="en", scripts=False, width=375)
    page = await world.page(way, JAMES, "/help")
    await _press(page, "Start")
    await page.get_by_role("link", name="Write in a few words what you need.").click()
    await page.get_by_label("How can we help?").fill("Where is the manual?")
    await _press(page, "Start")
    await page.get_by_role("button", name="Something else").click()
    await page.get_by_label("What would you like to happen?").fill("An e-mail will do.")
    await page.get_by_label("It can wait").check()
    while "/check" not in page.url:
        await _press(page, "Continue")
    await _press(page, "Submit")
    await expect(page.get_by_role("heading", name="Your ticket is")).to_be_visible()
    await _fits(page, way)


async def test_all_that_a_person_can_do_is_walked_in_every_way() -> None:
    assert walked(globals().values()) == set(FEATURES)
