"""E-mails on the desk: those that wait, putting one on a ticket, those that were given up, originals."""

from __future__ import annotations

import asyncio
import re

import httpx2
import pytest

from contracts.number import shown
from tests.portal.desk import DeskSystem
from tests.portal.system import ANNA, DANIEL, KATARZYNA, OLIVIA, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

NASTY = "<script>alert(1)</script><img src=x onerror=alert(1)>"
HTML = (
    '<p>We cannot log in.</p><p onclick="x()">Look <a href="https://elsewhere.example/">here</a></p><script>alert(1)</script>'
    '<img src="https://elsewhere.example/pixel.png" alt="a logo"><form action="https://elsewhere.example/">'
)


def waiting(page: httpx2.Response) -> int:
    """How many wait, as the navigation says."""
    found = re.search(r'class="places__count">(\d+)<', page.text)
    return int(found[1]) if found else 0


async def _command(browser: httpx2.AsyncClient, path: str) -> str:
    found = re.search(r'name="command_id" value="([0-9a-f]{32})"', (await browser.get(path)).text)
    assert found is not None
    return found[1]


async def test_an_email_that_waits_is_put_on_a_ticket(desk: DeskSystem) -> None:
    number = await desk.system.open(OLIVIA, account="nova-bookings")
    mail = await desk.send(
        "We cannot log in.", subject=f"Help {NASTY}", html=HTML, verdict="pass", file="a.pdf"
    )
    katarzyna = await desk.system.browser(KATARZYNA)
    before = await katarzyna.get("/desk/mails")
    path = f"/desk/mails/received/{mail.received}"
    assert path in before.text
    assert "It belongs to no ticket" in before.text
    page = await katarzyna.get(path)
    for expected in ("We cannot log in.", OLIVIA, "a.pdf", "Why it waits", "sandbox"):
        assert expected in page.text
    assert "<script>alert" not in page.text
    chosen = await katarzyna.get(f"{path}/ticket", params={"number": f" {shown(number)} "})
    assert "Nova Bookings" in chosen.text
    assert "Everybody of Nova Bookings will be able to read it" in chosen.text
    form = {"number": number, "command_id": await _command(katarzyna, f"{path}/ticket?number={number}")}
    for _ in range(2):
        ticket = await katarzyna.post(f"{path}/ticket", data=form)
        assert ticket.url.path == f"/desk/tickets/{number}"
        assert ticket.text.count("We cannot log in.") == 1
    after = await katarzyna.get("/desk/mails")
    assert path not in after.text
    assert waiting(after) == waiting(before) - 1
    settled = await katarzyna.get(path)
    assert "Somebody put it on a ticket" in settled.text
    assert f"{path}/dismiss" not in settled.text
    again = await katarzyna.post(f"{path}/ticket", data={**form, "command_id": new_id()})
    assert again.status_code == 422
    assert "Somebody has dealt with this e-mail already." in again.text
    olivia = await desk.system.browser(OLIVIA)
    original = await olivia.get(f"/tickets/{number}/original/2")
    assert "a.pdf" in original.text


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("", "Enter a ticket number."),
        ("twelve", "This is no ticket number"),
        ("483-029-1746", "This is no ticket number"),
        ("483-029-1741", "There is no ticket 483-029-1741 here."),
    ],
)
async def test_a_number_that_is_none_is_told(desk: DeskSystem, number: str, told: str) -> None:
    mail = await desk.send("x", verdict="pass")
    katarzyna = await desk.system.browser(KATARZYNA)
    path = f"/desk/mails/received/{mail.received}/ticket"
    for page in (
        await katarzyna.get(path, params={"number": number}),
        await katarzyna.post(path, data={"number": number, "command_id": new_id()}),
    ):
        assert page.status_code == 422
        assert told in page.text
    assert (await desk.handled(mail.received)).waits


async def test_a_closed_ticket_takes_no_email(desk: DeskSystem) -> None:
    number = await desk.system.open(ANNA)
    await desk.system.close(KATARZYNA, number)
    mail = await desk.send("x", verdict="pass")
    katarzyna = await desk.system.browser(KATARZYNA)
    path = f"/desk/mails/received/{mail.received}/ticket"
    assert "Open it again first" in (await katarzyna.get(path, params={"number": number})).text
    refused = await katarzyna.post(path, data={"number": number, "command_id": new_id()})
    assert refused.status_code == 422
    assert f"Ticket {shown(number)} is closed and takes no replies." in refused.text
    assert (await desk.system.ticket(number)).revision == 2


async def test_an_email_is_dismissed_and_kept(desk: DeskSystem) -> None:
    mail = await desk.send("Pay here", subject="Invoice", verdict="fail")
    katarzyna = await desk.system.browser(KATARZYNA)
    path = f"/desk/mails/received/{mail.received}"
    assert "It may be forged." in (await katarzyna.get(path)).text
    page = await katarzyna.post(f"{path}/dismiss", data={"command_id": await _command(katarzyna, path)})
    assert "The e-mail is off the list." in page.text
    assert path not in page.text
    assert "Somebody dismissed it." in (await katarzyna.get(path)).text
    assert "dismissed" in (await katarzyna.get("/desk/mails/all")).text
    raw = await katarzyna.get(f"{path}/raw")
    assert b"Subject: Invoice" in raw.content
    assert raw.headers["content-type"].startswith("message/rfc822")
    assert raw.headers["content-disposition"] == f'attachment; filename="{mail.received}.eml"'
    for missing in ("/desk/mails/received/nothing", f"{path}/html", "/desk/mails/received/a%20b"):
        assert (await katarzyna.get(missing)).status_code == 404, missing


async def test_html_of_strangers_can_do_nothing(desk: DeskSystem) -> None:
    mail = await desk.send("We cannot log in.", html=HTML, verdict="pass")
    answer = await (await desk.system.browser(DANIEL)).get(f"/desk/mails/received/{mail.received}/html")
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "sandbox", "form-action 'none'", "frame-ancestors 'self'"):
        assert part in policy
    assert "allow-" not in policy
    assert "unsafe" not in policy
    for acting in ("script", "onclick", "<form", "pixel.png"):
        assert acting not in answer.text
    assert "a logo" in answer.text


async def test_the_original_of_a_reply_is_for_whoever_may_see_the_ticket(desk: DeskSystem) -> None:
    number = await desk.system.open(ANNA)
    mail = await desk.send(
        "We cannot log in.",
        subject=f"Re: [{shown(number)}] Bookings",
        sender=ANNA,
        html=HTML,
        verdict="pass",
    )
    assert mail.ticket == number
    anna, olivia = await desk.system.browser(ANNA), await desk.system.browser(OLIVIA)
    path = f"/tickets/{number}/original/2"
    await desk.system.ticket(number, at_least=await desk.system.reply(ANNA, number, "More."))
    assert path in (await anna.get(f"/tickets/{number}")).text
    assert "We cannot log in." in (await anna.get(path)).text
    assert "sandbox" in (await anna.get(f"{path}/html")).headers["content-security-policy"]
    assert (await olivia.get(path)).status_code == 404
    assert (await olivia.get(f"{path}/html")).status_code == 404
    none = await anna.get(f"/tickets/{number}/original/3")
    assert none.status_code == 404
    assert "is not kept" in none.text
    for missing in ("1x", "0", "9"):
        assert (await anna.get(f"/tickets/{number}/original/{missing}")).status_code == 404
    katarzyna = await desk.system.browser(KATARZYNA)
    assert "We cannot log in." in (await katarzyna.get(f"/desk{path}")).text


async def test_an_email_that_was_given_up_is_sent_again(desk: DeskSystem) -> None:
    katarzyna = await desk.system.browser(KATARZYNA)
    email = "piotr.wisniewski@nova-bookings.example"  # the other person of the account
    desk.sent.unknown.add(email)
    number = await desk.system.open(OLIVIA, account="nova-bookings", title="Given up")
    async with asyncio.timeout(15):
        while shown(number) not in (page := await katarzyna.get("/desk/mails/given-up")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # nothing here could wake us
    assert "No such person" in page.text
    row = next(each for each in page.text.split('<li class="rows__item">') if shown(number) in each)
    found = re.search(r'value="([0-9a-f]{32})">\s*<button[^>]+name="mail" value="([^"]+)"', row)
    assert found is not None
    command, mail = found.groups()
    desk.sent.unknown.clear()
    again = await katarzyna.post("/desk/mails/given-up", data={"command_id": command, "mail": mail})
    assert "The e-mail is being sent once more." in again.text
    await desk.sent.until(
        lambda: any(to == email and shown(number) in str(mail["Subject"]) for to, mail in desk.sent.taken)
    )
    refused = await katarzyna.post("/desk/mails/given-up", data={"command_id": new_id(), "mail": mail})
    assert refused.status_code == 409
    assert "This e-mail was not given up" in refused.text
    for nonsense in ("nothing", "a b", ""):
        answer = await katarzyna.post("/desk/mails/given-up", data={"command_id": new_id(), "mail": nonsense})
        assert answer.status_code in {404, 409}, nonsense
