"""The desk as a browser gets it: tickets of all accounts, reply and close, new partners, auditors."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx2
import pytest

from contracts.access import requests as access
from contracts.client import ServiceUnavailable, call
from contracts.errors import ErrorKind, ErrorReply
from contracts.number import shown
from contracts.tickets import requests
from services.portal.site import Visit
from tests.files.samples import PNG
from tests.portal.desk import DeskSystem
from tests.portal.system import ACME, ANNA, DANIEL, JAMES, KATARZYNA, OLIVIA, acting, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


def word() -> str:
    """A word that no other test uses."""
    return "w" + uuid.uuid4().hex[:12]


def listed(page: str) -> list[str]:
    """The numbers of the tickets in a list, in its order."""
    return re.findall(r'class="ticket-row__title" href="/desk/tickets/(\d{10})"', page)


async def _command(browser: httpx2.AsyncClient, path: str) -> str:
    found = re.search(r'name="command_id" value="([0-9a-f]{32})"', (await browser.get(path)).text)
    assert found is not None
    return found[1]


# The list


async def test_who_waits_longest_comes_first_and_leaves_the_list_when_answered(desk: DeskSystem) -> None:
    system, topic = desk.system, word()
    first = await system.open(ANNA, topic=topic)
    second = await system.open(OLIVIA, account="nova-bookings", topic=topic)
    katarzyna = await system.browser(KATARZYNA)
    page = await katarzyna.get("/desk/tickets", params={"topic": topic})
    assert listed(page.text) == [first, second]
    assert "Acme Clinic" in page.text
    assert "Nova Bookings" in page.text
    await system.reply(KATARZYNA, first, "Like this.")
    await system.reply(OLIVIA, second, "Hello?", account="nova-bookings")
    position = await system.reply(ANNA, first, "No.")
    await system.ticket(first, at_least=position)
    assert listed((await katarzyna.get("/desk/tickets", params={"topic": topic})).text) == [second, first]
    await system.close(KATARZYNA, second, account="nova-bookings")
    await system.ticket(second, at_least=await system.reply(KATARZYNA, first, "Then so."))
    for view, expected in (("", []), ("open", [first]), ("closed", [second]), ("all", [second, first])):
        page = await katarzyna.get("/desk/tickets", params={"topic": topic, "view": view})
        assert listed(page.text) == expected, view
    assert "No tickets found" in (await katarzyna.get("/desk/tickets", params={"topic": topic})).text


async def test_the_list_is_searched_and_filtered_by_its_address(desk: DeskSystem) -> None:
    system, title = desk.system, word()
    ours = await system.open(ANNA, title=title)
    theirs = await system.open(OLIVIA, account="nova-bookings", title=title)
    await system.close(KATARZYNA, theirs, account="nova-bookings")
    katarzyna = await system.browser(KATARZYNA)
    for asked, expected in (
        ({"q": title}, [ours]),
        ({"q": title, "view": "all"}, [theirs, ours]),
        ({"q": title, "view": "all", "account": "nova-bookings"}, [theirs]),
        ({"q": title, "view": "all", "account": "ACME clinic"}, [ours]),
        ({"q": title, "view": "all", "account": "bookings"}, [theirs]),
        ({"q": f"#{shown(theirs)}"}, [theirs]),
        ({"q": title, "view": "nonsense", "from": "x"}, [ours]),
    ):
        page = await katarzyna.get("/desk/tickets", params=asked)
        assert listed(page.text) == expected, asked


async def test_topics_are_chosen_by_their_names_and_counted_as_the_list_is_filtered(desk: DeskSystem) -> None:
    system, topic, account = desk.system, word(), "nova-bookings"
    for given in (topic, topic, "availability"):
        await system.open(OLIVIA, account=account, topic=given)
    closed = await system.open(OLIVIA, account=account, topic=topic)
    await system.close(KATARZYNA, closed, account=account)

    async def offered(language: str = "en", **asked: str) -> dict[str, str]:
        browser = await system.browser(KATARZYNA, language=language)
        page = await browser.get("/desk/tickets", params={"account": account, **asked})
        return dict(re.findall(r'<option value="([^"]+)"(?: selected)?>([^<]+)</option>', page.text))

    assert (await offered())[topic] == f"{topic} (2)"
    assert (await offered(view="closed"))[topic] == f"{topic} (1)"
    assert (await offered(view="all"))[topic] == f"{topic} (3)"
    assert (await offered(q="x"))[topic] == topic
    assert re.fullmatch(r"Availability and bookings \(\d+\)", (await offered())["availability"])
    assert re.fullmatch(r"Dostępność i rezerwacje \(\d+\)", (await offered("pl"))["availability"])
    assert (await offered(topic="none-has-it"))["none-has-it"] == "none-has-it"
    katarzyna = await system.browser(KATARZYNA)
    page = (await katarzyna.get("/desk/tickets", params={"topic": topic})).text
    assert f'<option value="{topic}" selected>' in page
    assert re.findall(r'filters__count">(\d+)<', page) == ["2", "2", "1", "3"]
    assert "Availability and bookings" in (await katarzyna.get("/desk/tickets?topic=availability")).text


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"account": "no such company"}, "No account is called that"),
        ({"topic": "Two Words"}, "There is no such topic"),
        ({"q": "x" * 129}, "Search with at most 128 characters"),
        ({"q": "x", "from": "9" * 30}, "No tickets found"),
    ],
)
async def test_a_filter_that_cannot_be_understood_is_told(
    desk: DeskSystem, asked: dict[str, str], told: str
) -> None:
    page = await (await desk.system.browser(KATARZYNA)).get("/desk/tickets", params=asked)
    assert page.status_code in {200, 422}
    assert told in page.text


async def test_pages_of_the_list_follow_one_another(desk: DeskSystem) -> None:
    system, topic = desk.system, word()
    numbers = [await system.open(ANNA, topic=topic) for _ in range(27)]
    katarzyna = await system.browser(KATARZYNA)
    for view, expected in (("unanswered", numbers), ("all", numbers[::-1])):
        page = await katarzyna.get("/desk/tickets", params={"topic": topic, "view": view})
        assert listed(page.text) == expected[:25]
        more = re.search(r'rel="next" href="([^"]+)"', page.text)
        assert more is not None
        page = await katarzyna.get(unescape(more[1]))
        assert listed(page.text) == expected[25:]
        assert 'rel="next"' not in page.text


async def test_a_list_hears_of_nothing_that_it_does_not_show_and_of_the_rest_once(
    desk: DeskSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, topic, account = desk.system, word(), "nova-bookings"
    await system.open(OLIVIA, account=account, topic=topic)
    katarzyna = await system.browser(KATARZYNA)
    page = (await katarzyna.get("/desk/tickets", params={"topic": topic})).text
    live = re.search(r'hx-sse:connect="([^"]+)"', page)
    assert live is not None
    async with katarzyna.stream("GET", unescape(live[1])) as told:
        await system.open(ANNA, topic=word())  # elsewhere
        second = await system.open(OLIVIA, account=account, topic=topic)
        opened = (await system.ticket(second)).opened_position
        async with asyncio.timeout(20):
            said = [line async for line in _until_data(told)]
    assert f"id: {opened}" in said
    assert f'href="/desk/tickets?topic={topic}">New activity: show</a>' in said[-1]
    monkeypatch.setattr("services.portal.pages.live.LASTS_S", 1.0)
    next_one = await katarzyna.get(unescape(live[1]), headers={"last-event-id": str(opened)})
    assert next_one.status_code == 200
    assert "data:" not in next_one.text


async def _until_data(told: httpx2.Response) -> AsyncIterator[str]:
    async for line in told.aiter_lines():
        yield line
        if line.startswith("data:"):
            return


# A ticket


async def test_a_ticket_shows_its_account_and_people(desk: DeskSystem) -> None:
    number = await desk.system.open(ANNA)
    katarzyna = await desk.system.browser(KATARZYNA)
    page = (await katarzyna.get(f"/desk/tickets/{shown(number)}")).text
    for expected in ("Acme Clinic", "James Carter", JAMES, "/desk/accounts/acme-clinic", "Send and close"):
        assert expected in page
    assert "as_of=" not in page
    account = (await katarzyna.get("/desk/accounts/acme-clinic")).text
    assert ANNA in account
    assert OLIVIA not in account
    for missing in ("nobody", "X", "%00"):
        assert (await katarzyna.get(f"/desk/accounts/{missing}")).status_code == 404


async def test_a_reply_and_a_closing_are_one_act_however_often_it_is_sent(desk: DeskSystem) -> None:
    number = await desk.system.open(ANNA)
    katarzyna = await desk.system.browser(KATARZYNA)
    form = {"text": "Mended.", "command_id": await _command(katarzyna, f"/desk/tickets/{number}")}
    path = f"/desk/tickets/{number}/reply-and-close/solved"
    for _ in range(2):
        page = await katarzyna.post(path, data=form, files={"files": ("Zrzut.png", PNG, "image/png")})
        assert page.status_code == 200
        assert page.text.count("Mended.") == 1
        assert "takes no replies" in page.text
    ticket = await desk.system.ticket(number)
    assert (ticket.revision, ticket.replies, ticket.status) == (3, 1, "closed")
    assert ticket.closing is not None
    assert (ticket.closing.reason, ticket.closing.closed_by.id) == ("solved", acting(KATARZYNA).id)


async def test_nothing_is_closed_when_the_reply_is_not_taken(desk: DeskSystem) -> None:
    number = await desk.system.open(ANNA)
    katarzyna = await desk.system.browser(KATARZYNA)
    path = f"/desk/tickets/{number}/reply-and-close"
    empty = await katarzyna.post(f"{path}/solved", data={"text": " ", "command_id": new_id()})
    assert empty.status_code == 422
    assert "Your reply: must not be empty" in empty.text
    assert (await katarzyna.post(f"{path}/because", data={"text": "x"})).status_code == 404
    assert (await desk.system.ticket(number)).revision == 1
    await desk.system.close(KATARZYNA, number)
    late = await katarzyna.post(f"{path}/solved", data={"text": "Too late", "command_id": new_id()})
    assert late.status_code == 409
    assert "Too late" in late.text
    assert (await desk.system.ticket(number)).revision == 2


async def test_when_only_the_reply_was_done_that_is_said(desk: DeskSystem) -> None:
    number = await desk.system.open(ANNA)
    katarzyna = await desk.system.browser(KATARZYNA)
    form = {"text": "Mended.", "command_id": new_id()}
    await katarzyna.post(f"/desk/tickets/{number}/reply", data=form)
    await desk.system.close(KATARZYNA, number)  # in between, by somebody else
    page = await katarzyna.post(f"/desk/tickets/{number}/reply-and-close/solved", data=form)
    assert page.status_code == 409
    assert "Your reply was sent, but the ticket was not closed" in page.text
    assert "is closed already" in page.text
    assert (await desk.system.ticket(number)).revision == 3


async def test_a_closing_without_an_answer_can_be_repeated(
    desk: DeskSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await desk.system.open(ANNA)
    katarzyna = await desk.system.browser(KATARZYNA)
    asked = Visit.ask

    async def cut_off(visit: Visit, subject: str, request: Any, answer: Any) -> Any:
        done = await asked(visit, subject, request, answer)
        if subject == requests.CLOSE:  # it arrived, its answer did not
            raise ServiceUnavailable(
                ErrorReply(kind=ErrorKind.UNAVAILABLE, status=503, code="unavailable", message="")
            )
        return done

    with monkeypatch.context() as patched:
        patched.setattr(Visit, "ask", cut_off)
        page = await katarzyna.post(
            f"/desk/tickets/{number}/reply-and-close/declined", data={"text": "No.", "command_id": new_id()}
        )
    assert page.status_code == 503
    assert "whether the ticket was closed is not known" in page.text
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', page.text.split("/close")[1]))
    again = await katarzyna.post(f"/desk/tickets/{number}/close", data=form)
    assert again.status_code == 200
    ticket = await desk.system.ticket(number)
    assert (ticket.revision, ticket.replies) == (3, 1)


# New partners


async def test_an_account_is_made_of_a_request(desk: DeskSystem) -> None:
    company, email = f"Łódź {word()}", f"{word()}@partner.example"
    number = await desk.request_of(company, email)
    katarzyna = await desk.system.browser(KATARZYNA)
    assert company in (await katarzyna.get("/desk/partners")).text
    assert f"/desk/partners/{number}" in (await katarzyna.get(f"/desk/tickets/{number}")).text
    page = (await katarzyna.get(f"/desk/partners/{number}")).text
    account = company.replace("Łódź ", "lodz-")
    assert all(f'value="{value}"' in page for value in (company, email, account))
    form = {
        "command_id": await _command(katarzyna, f"/desk/partners/{number}"),
        "name": company, "email": email, "account": account, "languages": ["pl", "tlh"],
    }  # fmt: skip
    for wrong, told in (
        ({"email": "nobody"}, "E-mail address"),
        ({"account": "Ł"}, "must be an account id"),
        ({"account": ACME}, "is taken"),
        ({"name": ""}, "Name: must not be empty"),
    ):
        refused = await katarzyna.post(
            f"/desk/partners/{number}", data={**form, **wrong, "command_id": new_id()}
        )
        assert refused.status_code == 422
        assert told in refused.text
    for _ in range(2):
        made = await katarzyna.post(f"/desk/partners/{number}", data=form)
        assert made.status_code == 200
    link = re.search(r'id="link" value="[^"]+/invitation\?token=([^"]+)"', made.text)
    assert link is not None
    shown_ = await call(
        desk.system.cli, access.INVITATION, access.ShowInvitation(token=link[1]), access.Invitation
    )
    assert (shown_.account, shown_.email, shown_.role) == (account, email, "admin")
    assert email in (await katarzyna.get(f"/desk/accounts/{account}")).text
    await desk.sent.until(lambda: email in [recipient for recipient, _ in desk.sent.taken])


async def test_only_requests_of_new_partners_become_accounts(desk: DeskSystem) -> None:
    number = await desk.system.open(ANNA)
    katarzyna = await desk.system.browser(KATARZYNA)
    for path in (f"/desk/partners/{number}", "/desk/partners/1000000009", "/desk/partners/x"):
        assert (await katarzyna.get(path)).status_code == 404
        assert (await katarzyna.post(path, data={"account": "x"})).status_code == 404


# Who may what


async def test_people_of_the_platform_are_at_the_desk_on_pages_of_both_sides(desk: DeskSystem) -> None:
    for email, way in ((KATARZYNA, "/desk/tickets"), (DANIEL, "/desk/tickets"), (ANNA, "/tickets")):
        browser = await desk.system.browser(email)
        for path in ("/profile", "/nowhere"):
            page = (await browser.get(path)).text
            assert re.findall(r'class="places__link" href="([^"]+)"', page)[0] == way, (email, path)


def reading(number: str) -> tuple[str, ...]:
    return (
        "/desk", "/desk/tickets", f"/desk/tickets/{number}", f"/desk/tickets/{number}?as_of=1",
        "/desk/partners", "/desk/mails", "/desk/mails/all", "/desk/mails/given-up", f"/desk/accounts/{ACME}",
    )  # fmt: skip


def acts(number: str) -> tuple[str, ...]:
    return (
        f"/desk/tickets/{number}/reply", f"/desk/tickets/{number}/reply-and-close/solved",
        f"/desk/tickets/{number}/close", f"/desk/tickets/{number}/reopen", f"/desk/partners/{number}",
        "/desk/mails/given-up", "/desk/mails/received/x/ticket", "/desk/mails/received/x/dismiss",
    )  # fmt: skip


async def test_for_members_there_is_no_desk(desk: DeskSystem) -> None:
    number = await desk.system.open(ANNA, title=(title := word()))
    anna = await desk.system.browser(ANNA)
    form = {"text": "x", "reason": "solved", "command_id": new_id(), "mail": "x", "number": number}
    answers = [await anna.get(path) for path in (*reading(number), f"/desk/tickets/{number}/live")]
    answers += [await anna.post(path, data=form) for path in acts(number)]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert not any(title in answer.text for answer in answers)
    assert (await desk.system.ticket(number)).revision == 1
    stranger = await desk.system.browser()
    stranger.follow_redirects = False
    assert [(await stranger.get(path)).status_code for path in reading(number)] == [303] * 9


async def test_an_auditor_reads_everything_and_changes_nothing(desk: DeskSystem) -> None:
    number = await desk.system.open(ANNA)
    daniel = await desk.system.browser(DANIEL)
    for path in reading(number):
        page = await daniel.get(path)
        assert page.status_code == 200, path
        forms = re.findall(r'<form [^>]*action="([^"]+)"', page.text)
        assert set(forms) <= {"/language", "/desk/tickets"}, path  # the language, and the search
    assert "Your reply" not in (await daniel.get(f"/desk/tickets/{number}")).text
    form = {"text": "x", "reason": "solved", "command_id": new_id(), "mail": "x", "number": number}
    for path in acts(number):
        answer = await daniel.post(path, data=form)
        assert answer.status_code in {403, 409}, path
    assert (await daniel.get(f"/desk/tickets/{number}/close")).status_code == 403
    assert (await desk.system.ticket(number)).revision == 1


async def test_a_ticket_is_shown_as_it_stood_after_each_of_its_events(desk: DeskSystem) -> None:
    number = await desk.system.open(ANNA, message="At first")
    await desk.system.reply(KATARZYNA, number, "An answer")
    await desk.system.close(KATARZYNA, number)
    await desk.system.ticket(number)
    daniel = await desk.system.browser(DANIEL)
    path = f"/desk/tickets/{number}"
    assert [f"{path}?as_of={revision}" in (await daniel.get(path)).text for revision in (1, 2, 3)] == [
        True
    ] * 3
    then = (await daniel.get(f"{path}?as_of=2")).text
    assert "As of event 2 of 3: not how it is now" in then
    assert "An answer" in then
    assert "closed the ticket" not in then
    assert re.findall(r'rel="(prev|next)" href="[^"]+as_of=(\d)"', then) == [("prev", "1"), ("next", "3")]
    first = (await daniel.get(f"{path}?as_of=1")).text
    assert "An answer" not in first
    assert 'rel="prev"' not in first
    assert 'rel="next"' not in (await daniel.get(f"{path}?as_of=3")).text
    for nonsense in ("0", "4", "x", "-1", "9" * 30, ""):
        assert (await daniel.get(path, params={"as_of": nonsense})).status_code == 404, nonsense


async def test_whoever_is_both_goes_from_one_side_to_the_other(desk: DeskSystem) -> None:
    person = await desk.system.join(KATARZYNA, ACME)
    katarzyna = await desk.system.browser(KATARZYNA)
    assert (await katarzyna.get("/")).url.path == "/desk/tickets"
    assert 'href="/tickets">Partner portal' in (await katarzyna.get("/desk/tickets")).text
    assert 'href="/desk">Support desk' in (await katarzyna.get("/tickets")).text
    await desk.system.leave(person, ACME)
    assert "Support desk" not in (await (await desk.system.browser(ANNA)).get("/tickets")).text
