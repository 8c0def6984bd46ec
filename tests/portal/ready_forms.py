"""Every form of the portal on a page of its own thing, filled in so that it is taken."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx2

from contracts.access import requests
from contracts.access.roles import MemberRole
from contracts.client import call
from contracts.number import shown
from tests.files.samples import PNG
from tests.portal.desk import DeskSystem
from tests.portal.filling import form_of, send
from tests.portal.system import ACME, ANNA, KATARZYNA, OLIVIA, System, an_address, member, new_id
from tests.portal.test_interest import FILLED, link_of, sent, stranger
from tests.portal.test_people import invited, mail_link, somebody

TEXT: Final = "Znowu to samo, od rana."
_NOVA: Final = "nova-bookings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A form that was filled in by somebody, and where it goes."""

    browser: httpx2.AsyncClient
    to: str
    fields: Mapping[str, Any]
    files: Mapping[str, Any] = field(default_factory=dict)

    async def post(self) -> httpx2.Response:
        """Send it: each time the very same body."""
        return await self.browser.post(self.to, data=dict(self.fields), files=dict(self.files) or None)


Made = Callable[[DeskSystem], Awaitable[Ready]]


def _filled(
    browser: httpx2.AsyncClient,
    page: httpx2.Response,
    action: str,
    typed: Mapping[str, Any] | None = None,
    *,
    holding: str = "",
    button: str = "",
    files: Mapping[str, Any] | None = None,
) -> Ready:
    """A form of a page; `button` is the address that the button names that is pressed."""
    to, fields = form_of(page, action, holding=holding)
    if button:
        assert f'formaction="{button}"' in page.text
    filled = {**fields, **(typed or {})}
    return Ready(browser=browser, to=urljoin(str(page.url), button or to), fields=filled, files=files or {})


async def _browser(system: System, email: str | None = None) -> httpx2.AsyncClient:
    """One at a network address of its own: of each address only so many requests a minute are taken."""
    return await system.browser(email, address=an_address())


def of_ticket(email: str, way: str, typed: Mapping[str, str], *, is_closed: bool = False) -> Made:
    """Reply, close or reopen, of somebody, on a ticket of its own. `way` follows the ticket's address."""

    async def made(desk: DeskSystem) -> Ready:
        number = await desk.system.open(ANNA)
        if is_closed:
            await desk.system.close(KATARZYNA, number)
        address = f"{'/desk' if email == KATARZYNA else ''}/tickets/{number}"
        browser = await _browser(desk.system, email)
        if way.startswith("/reply"):
            button = address + way if way != "/reply" else ""
            return _filled(browser, await browser.get(address), f"{address}/reply", typed, button=button)
        return _filled(browser, await browser.get(address + way), address + way, typed)

    return made


async def reply_with_file(desk: DeskSystem) -> Ready:
    number = await desk.system.open(ANNA)
    browser = await _browser(desk.system, ANNA)
    page = await browser.get(f"/tickets/{number}")
    files = {"files": ("zrzut.png", PNG, "image/png")}
    return _filled(browser, page, f"/tickets/{number}/reply", {"text": TEXT}, files=files)


async def reopening_with_the_kept_text(desk: DeskSystem) -> Ready:
    number = await desk.system.open(ANNA)
    browser = await _browser(desk.system, ANNA)
    page = await browser.get(f"/tickets/{number}")
    await desk.system.close(KATARZYNA, number)
    refused = await send(browser, page, f"/tickets/{number}/reply", {"text": TEXT})
    assert refused.status_code == 409
    return _filled(browser, refused, f"/tickets/{number}/reopen")


# Asking for help


async def asking(desk: DeskSystem) -> Ready:
    browser = await _browser(desk.system, ANNA)
    return _filled(browser, await browser.get("/help"), "/help", {"text": TEXT})


async def _offers(desk: DeskSystem) -> tuple[httpx2.AsyncClient, httpx2.Response]:
    ready = await asking(desk)
    return ready.browser, await ready.post()


async def starting(desk: DeskSystem) -> Ready:
    browser, page = await _offers(desk)
    (offered,) = re.findall(r'value="([^"]+/other\|[^"]+)"', page.text)
    return _filled(browser, page, "/help", {"questionnaire": offered})


async def changing_the_text(desk: DeskSystem) -> Ready:
    browser, page = await _offers(desk)
    return _filled(browser, page, "/help", {"change": "1"})


async def _begun(desk: DeskSystem) -> tuple[httpx2.AsyncClient, httpx2.Response, str]:
    """The first page of a questionnaire, and the draft's address."""
    ready = await starting(desk)
    page = await ready.post()
    return ready.browser, page, urlsplit(str(page.url)).path


_DETAILS: Final = {"a-outcome": TEXT, "a-urgency": "can-wait"}


def answering(**more: str) -> Made:
    """A page of a questionnaire; `more` is the button that is pressed."""

    async def made(desk: DeskSystem) -> Ready:
        browser, page, draft = await _begun(desk)
        return _filled(browser, page, draft, {**_DETAILS, **more})

    return made


async def answering_with_a_file(desk: DeskSystem) -> Ready:
    browser, page, draft = await _begun(desk)
    page = await send(browser, page, draft, _DETAILS)
    page = await send(browser, page, draft, {"a-merchant": "M-1"})
    files = {"f-files": ("zrzut.png", PNG, "image/png")}
    return _filled(browser, page, draft, holding="revision", files=files)


async def going_back(desk: DeskSystem) -> Ready:
    browser, page, draft = await _begun(desk)
    page = await send(browser, page, draft, _DETAILS)
    return _filled(browser, page, f"{draft}/back")


async def discarding(desk: DeskSystem) -> Ready:
    browser, _, draft = await _begun(desk)
    return _filled(browser, await browser.get(f"{draft}/discard"), f"{draft}/discard")


async def _answered(desk: DeskSystem) -> tuple[httpx2.AsyncClient, httpx2.Response, str]:
    """The check of all answers, and the draft's address."""
    browser, page, draft = await _begun(desk)
    for typed in (_DETAILS, {"a-merchant": "M-1"}, {}):
        page = await send(browser, page, draft, typed)
    return browser, page, draft


async def going_back_from_the_check(desk: DeskSystem) -> Ready:
    browser, page, draft = await _answered(desk)
    return _filled(browser, page, f"{draft}/back")


async def submitting(desk: DeskSystem) -> Ready:
    browser, page, draft = await _answered(desk)
    return _filled(browser, page, f"{draft}/check")


# Accounts and people


async def _newcomer(system: System, role: MemberRole = MemberRole.MEMBER) -> tuple[str, str]:
    """The address and id of a new member."""
    email = somebody()
    person = await system.join(email, ACME)
    if role is not MemberRole.MEMBER:
        change = requests.ChangeRole(
            command_id=new_id(), account=ACME, actor=member(ANNA), person=person, role=role
        )
        done = await call(system.cli, requests.CHANGE_ROLE, change, requests.AccountDone)
        await system.access_has_heard(done.position)
    return email, person


async def inviting(desk: DeskSystem) -> Ready:
    browser = await _browser(desk.system, ANNA)
    return _filled(browser, await browser.get("/people/invite"), "/people/invite", {"email": somebody()})


def of_member(way: str, typed: Mapping[str, str] | None = None) -> Made:
    """What an administrator does with a member."""

    async def made(desk: DeskSystem) -> Ready:
        _, person = await _newcomer(desk.system)
        browser = await _browser(desk.system, ANNA)
        page = await until_it_is_there(browser, f"/people/{person}/{way}?account={ACME}")
        return _filled(browser, page, f"/people/{person}/{way}?account={ACME}", typed)

    return made


async def leaving(desk: DeskSystem) -> Ready:
    email, person = await _newcomer(desk.system, MemberRole.ADMIN)
    browser = await _browser(desk.system, email)
    address = f"/people/{person}/remove?account={ACME}"
    return _filled(browser, await until_it_is_there(browser, address), address)


async def withdrawing(desk: DeskSystem) -> Ready:
    ready = await inviting(desk)
    page = await ready.post()
    (address,) = {
        each
        for row in page.text.split('<li class="person')
        if ready.fields["email"] in row
        for each in re.findall(r'href="(/people/[^"]+/withdraw\?[^"]+)"', row)
    }
    return _filled(ready.browser, await ready.browser.get(address), address)


async def accepting(desk: DeskSystem) -> Ready:
    email = somebody()
    link = await invited(desk.system, email)
    browser = await _browser(desk.system, email)
    return _filled(browser, await browser.get(link), "/invitation")


async def stopping_mail(desk: DeskSystem) -> Ready:
    email, _ = await _newcomer(desk.system)
    browser = await _browser(desk.system)
    return _filled(browser, await browser.get(await mail_link(desk.system, email)), "/mail/stop")


def of_profile(holding: str, typed: Mapping[str, str]) -> Made:
    """One of the forms of the profile."""

    async def made(desk: DeskSystem) -> Ready:
        email, _ = await _newcomer(desk.system)
        await _browser(desk.system, email)  # another session, which can be ended
        browser = await _browser(desk.system, email)
        page = await browser.get("/profile")
        return _filled(browser, page, "/profile", typed, holding=holding)

    return made


async def choosing_an_account(desk: DeskSystem) -> Ready:
    email, _ = await _newcomer(desk.system)
    await desk.system.join(email, _NOVA, invited_by=OLIVIA)
    browser = await _browser(desk.system, email)
    async with asyncio.timeout(15):
        while 'action="/account"' not in (page := await browser.get("/tickets")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # nothing here could wake us
    return _filled(browser, page, "/account", {"account": _NOVA})


async def choosing_a_language(desk: DeskSystem) -> Ready:
    browser = await _browser(desk.system)
    return _filled(browser, await browser.get("/"), "/language", {"language": "pl"})


async def signing_out(desk: DeskSystem) -> Ready:
    email, _ = await _newcomer(desk.system)
    browser = await _browser(desk.system, email)
    return _filled(browser, await browser.get("/sign-out"), "/sign-out")


# New partners


async def expressing_interest(desk: DeskSystem) -> Ready:
    browser = await stranger(desk.system)
    typed = {**FILLED, "a-company": f"Klinika {new_id()}", "a-email": f"{new_id()[:9]}@lakowa.example"}
    wrong = {**typed, "a-email": "ewa"}
    page = await sent(browser, await browser.get("/interest"), wrong)  # from now on it is not too fast
    assert page.status_code == 422
    return _filled(browser, page, "/interest", typed)


async def confirming_interest(desk: DeskSystem) -> Ready:
    ready = await expressing_interest(desk)
    done = await ready.post()
    page = await ready.browser.get(await link_of(desk.system, str(done.url)[-16:]))
    return _filled(ready.browser, page, "/interest/confirm")


async def admitting(desk: DeskSystem) -> Ready:
    name = f"Klinika {new_id()[:8]}"
    number = await desk.request_of(name, somebody())
    browser = await _browser(desk.system, KATARZYNA)
    return _filled(browser, await browser.get(f"/desk/partners/{number}"), f"/desk/partners/{number}")


# E-mails at the desk


async def _waiting_mail(desk: DeskSystem) -> tuple[httpx2.AsyncClient, str]:
    """An agent's browser, and the address of an e-mail that waits."""
    mail = await desk.send(TEXT, subject=f"Pytanie {new_id()}", verdict="pass")
    return await _browser(desk.system, KATARZYNA), f"/desk/mails/received/{mail.received}"


async def dismissing(desk: DeskSystem) -> Ready:
    browser, address = await _waiting_mail(desk)
    return _filled(browser, await browser.get(address), f"{address}/dismiss")


async def putting_on_a_ticket(desk: DeskSystem) -> Ready:
    browser, address = await _waiting_mail(desk)
    number = await desk.system.open(OLIVIA, account=_NOVA)
    page = await browser.get(f"{address}/ticket", params={"number": shown(number)})
    return _filled(browser, page, f"{address}/ticket")


async def sending_again(desk: DeskSystem) -> Ready:
    email, _ = await _newcomer(desk.system)
    desk.sent.unknown.add(email)
    number = await desk.system.open(ANNA)
    browser = await _browser(desk.system, KATARZYNA)
    async with asyncio.timeout(15):
        while True:
            page = await browser.get("/desk/mails/given-up")
            rows = page.text.split('<li class="rows__item">')
            row = next((each for each in rows if email in each and shown(number) in each), None)
            if row is not None:
                break
            await asyncio.sleep(0.02)  # nothing here could wake us
    desk.sent.unknown.discard(email)
    found = re.search(r'value="([0-9a-f]{32})">\s*<button[^>]+name="mail" value="([^"]+)"', row)
    assert found is not None
    typed = {"command_id": found[1], "mail": found[2]}
    return _filled(browser, page, "/desk/mails/given-up", typed)


async def until_it_is_there(browser: httpx2.AsyncClient, path: str) -> httpx2.Response:
    """A page that is there once the portal has heard of whom it is about."""
    async with asyncio.timeout(15):
        while (page := await browser.get(path)).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # nothing here could wake us
    return page
