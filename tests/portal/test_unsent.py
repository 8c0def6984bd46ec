"""What somebody sent is on the page of the failure, whatever failed, and can be sent again from there."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable
from html import unescape
from typing import Any

import httpx2
import pytest

from contracts.access import requests as access
from contracts.client import NotFound, Refused, ServiceUnavailable
from contracts.errors import ErrorKind, ErrorReply
from contracts.intake import requests as intake
from contracts.tickets import requests as tickets
from services.portal.site import Visit
from tests.files.samples import PNG
from tests.portal.filling import fields_of, send
from tests.portal.system import ACME, ANNA, JAMES, KATARZYNA, OLIVIA, System, an_address, new_id
from tests.portal.test_help import begun, path
from tests.portal.test_interest import FILLED, link_of, sent

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Three lines\n  of <b>mine</b> &\n\nłąka"
Away = Callable[[str], None]


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Away:
    """Has requests of a subject answered by nobody, until the test undoes it."""

    def nobody_answers(subject: str) -> None:
        fails(monkeypatch, subject, unavailable())

    return nobody_answers


def fails(monkeypatch: pytest.MonkeyPatch, subject: str, error: Exception) -> None:
    asked = Visit.ask

    async def ask(visit: Visit, to: str, *more: Any) -> Any:
        if to == subject:
            raise error
        return await asked(visit, to, *more)

    monkeypatch.setattr(Visit, "ask", ask)


def arrives_unheard(monkeypatch: pytest.MonkeyPatch, subject: str) -> None:
    """Has requests of a subject done, and their answers lost."""
    asked = Visit.ask

    async def ask(visit: Visit, to: str, *more: Any) -> Any:
        done = await asked(visit, to, *more)
        if to == subject:
            raise unavailable()
        return done

    monkeypatch.setattr(Visit, "ask", ask)


def unavailable() -> ServiceUnavailable:
    return ServiceUnavailable(reply(ErrorKind.UNAVAILABLE, 503, "unavailable"))


def reply(kind: ErrorKind, status: int, code: str) -> ErrorReply:
    return ErrorReply(kind=kind, status=status, code=code, message="")


def holds(page: httpx2.Response, to: str, **fields: str) -> None:
    """The page shows what was typed, and its form sends all of it again to the same address."""
    assert "no-store" in page.headers["cache-control"]
    assert "<b>mine" not in page.text
    there = fields_of(page, to)
    for name, value in fields.items():
        assert [each.replace("\r\n", "\n") for each in there[name]] == [value], name


async def test_an_interest_form_is_kept_while_intake_is_away(
    system: System, monkeypatch: pytest.MonkeyPatch, away: Away
) -> None:
    stranger = await system.browser()
    stranger.headers["x-forwarded-for"] = an_address()
    form = await stranger.get("/interest")
    away(intake.INTEREST_FORM)
    typed = {**FILLED, "a-message": TEXT}
    page = await send(stranger, form, "/interest", typed)
    assert page.status_code == 503
    assert "Three lines<br>" in page.text
    holds(page, "/interest", **{name: typed[name] for name in ("a-message", "a-company", "a-email")})
    monkeypatch.undo()
    assert "Check your mailbox" in (await sent(stranger, page, typed)).text


@pytest.mark.parametrize("subject", [intake.OFFER, tickets.GET])
async def test_how_can_we_help_is_kept_while_a_service_is_away(
    system: System, monkeypatch: pytest.MonkeyPatch, away: Away, subject: str
) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    form = await james.get("/help", params={"follows": number})
    away(subject)
    page = await send(james, form, "/help", {"text": TEXT})
    assert page.status_code == 503
    holds(page, "/help", text=TEXT, follows=number)
    monkeypatch.undo()
    offers = await send(james, page, "/help")
    assert "What is it about?" in offers.text
    away(intake.START)
    page = await send(
        james, offers, "/help", {"questionnaire": "https://casetrail.example/questionnaires/other|1.0"}
    )
    assert page.status_code == 503
    holds(page, "/help", text=TEXT, command_id=fields_of(offers, "/help")["command_id"][0])
    monkeypatch.undo()
    assert path(await send(james, page, "/help")).startswith(f"/help/{ACME}/")


async def test_what_was_written_about_a_ticket_that_is_gone_can_be_copied(system: System) -> None:
    number = await system.open(ANNA)
    olivia = await system.browser(OLIVIA)
    page = await olivia.post("/help", data={"text": TEXT, "follows": number})
    assert page.status_code == 404
    assert "What you typed, so that you can copy it" in page.text
    assert "Three lines<br>" in page.text
    assert "Send again" not in page.text


@pytest.mark.parametrize("subject", [tickets.GET, tickets.CLOSE])
async def test_a_closing_note_is_kept_while_tickets_is_away(
    system: System, monkeypatch: pytest.MonkeyPatch, away: Away, subject: str
) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    form = await james.get(f"/tickets/{number}/close")
    away(subject)
    page = await send(james, form, f"/tickets/{number}/close", {"reason": "solved", "note": TEXT})
    assert page.status_code == 503
    holds(page, f"/tickets/{number}/close", note=TEXT, reason="solved")
    monkeypatch.undo()
    assert "Ticket actions" in (await send(james, page, f"/tickets/{number}/close")).text


@pytest.mark.parametrize("subject", [tickets.GET, tickets.REOPEN])
async def test_why_a_ticket_is_reopened_is_kept_while_tickets_is_away(
    system: System, monkeypatch: pytest.MonkeyPatch, away: Away, subject: str
) -> None:
    number = await system.open(ANNA)
    await system.close(KATARZYNA, number)
    james = await system.browser(JAMES, language="pl")
    form = await james.get(f"/tickets/{number}/reopen")
    away(subject)
    page = await send(james, form, f"/tickets/{number}/reopen", {"text": TEXT})
    assert page.status_code == 503
    assert "To, co wpisano, jest na tej stronie" in page.text
    holds(page, f"/tickets/{number}/reopen", text=TEXT)
    monkeypatch.undo()
    assert "łąka" in (await send(james, page, f"/tickets/{number}/reopen")).text


async def test_a_fault_of_ours_keeps_what_was_sent(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    james = await system.browser(JAMES)
    form = await james.get("/profile")
    fails(monkeypatch, access.CHANGE_PERSON, RuntimeError("a fault"))
    page = await send(james, form, "/profile", {"name": "James of the Łąka", "language": "en"})
    monkeypatch.undo()
    assert page.status_code == 500
    holds(page, "/profile", name="James of the Łąka", language="en")


@pytest.mark.parametrize("how", ["data", "files"])
async def test_a_form_of_a_session_that_has_ended_is_sent_after_signing_in_again(
    system: System, how: str
) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    form = fields_of(await james.get(f"/tickets/{number}"), f"/tickets/{number}/reply")
    other = await system.browser(JAMES)
    await other.post("/sign-out-everywhere")
    files: Any = [("files", ("obraz ż.png", PNG * 20_000, "image/png"))] if how == "files" else None
    page = await james.post(
        f"/tickets/{number}/reply",
        data={**form, "text": TEXT},
        files=files,
        headers={"referer": f"{system.origin}/tickets/{number}"},
    )
    assert page.status_code == 401
    assert "You are not signed in any more" in page.text
    assert "Three lines<br>" in page.text
    holds(page, f"/tickets/{number}/reply", text=TEXT, command_id=form["command_id"][0])
    assert ("obraz ż.png" in page.text) == (how == "files")
    link = re.search(r'href="(/sign-in\?return_to=[^"]+)" target="_blank"', page.text)
    assert link is not None
    assert unescape(link[1]).endswith(f"=%2Ftickets%2F{number}")
    again = await system.browser(JAMES)
    assert "łąka" in (await send(again, page, f"/tickets/{number}/reply")).text
    assert (await system.ticket(number)).replies == 1


@pytest.mark.parametrize(
    ("address", "referer", "back"),
    [
        ("/help", None, "/help"),
        ("/tickets/4830291746/reply", None, "/"),
        ("/tickets/4830291746/reply", "{origin}/tickets/4830291746/reply", "/"),
        ("/tickets/4830291746/reply", "{origin}//elsewhere.example", "/"),
        ("/tickets/4830291746/reply", "https://elsewhere.example/tickets", "/"),
        ("/tickets/4830291746/reply", "{origin}/tickets?q=x", "/tickets?q=x"),
    ],
)
async def test_signing_in_leads_back_to_a_page_that_can_be_opened(
    system: System, address: str, referer: str | None, back: str
) -> None:
    stranger = await system.browser()
    headers = {} if referer is None else {"referer": referer.replace("{origin}", system.origin)}
    page = await stranger.post(address, data={"text": TEXT}, headers=headers)
    link = re.search(r'href="(/sign-in[^"]+)" target="_blank"', page.text)
    assert link is not None
    assert httpx2.URL(unescape(link[1])).params["return_to"] == back


async def test_what_a_stranger_sends_is_not_kept_without_end(system: System) -> None:
    stranger = await system.browser()
    page = await stranger.post(
        "/tickets/4830291746/reply", data={"text": "x" * 600_000}, files={"files": ("a", b"")}
    )
    assert page.status_code == 401
    assert len(page.content) < 20_000


@pytest.mark.parametrize("address", ["/tickets/4830291746/reply", "/mail/stop?token=x", "/interest"])
async def test_nothing_that_another_site_sent_is_shown(system: System, address: str) -> None:
    browser = await system.browser(own_page=False)
    browser.headers.update({"x-forwarded-for": an_address(), "sec-fetch-site": "cross-site"})
    page = await browser.post(address, data={"text": TEXT})
    assert page.status_code == 403
    assert "Three lines" not in page.text


async def test_too_many_requests_of_a_stranger_lose_no_text(system: System) -> None:
    stranger = await system.browser()
    stranger.headers["x-forwarded-for"] = an_address()
    while (await stranger.get("/interest/sent")).status_code == 200:
        pass
    page = await stranger.post("/interest", data={"a-message": TEXT, "a-company": ""})
    assert page.status_code == 429
    holds(page, "/interest", **{"a-message": TEXT})


async def test_a_reply_that_was_changed_after_it_had_arrived_is_sent_as_another(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    form = await james.get(f"/tickets/{number}")
    arrives_unheard(monkeypatch, tickets.REPLY)
    page = await send(james, form, f"/tickets/{number}/reply", {"text": "First"})
    assert page.status_code == 503
    monkeypatch.undo()
    page = await send(james, page, f"/tickets/{number}/reply", {"text": "First, and more"})
    assert page.status_code == 409
    assert "An earlier version of this reply has arrived" in page.text
    assert "<p>First</p>" in page.text
    assert fields_of(page, f"/tickets/{number}/reply")["text"] == ["First, and more"]
    page = await send(james, page, f"/tickets/{number}/reply")
    assert "<p>First, and more</p>" in page.text
    assert (await system.ticket(number)).replies == 2


async def test_closing_and_reopening_with_another_text_after_they_were_done_is_told(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES, language="pl")
    form = await james.get(f"/tickets/{number}/close")
    arrives_unheard(monkeypatch, tickets.CLOSE)
    page = await send(james, form, f"/tickets/{number}/close", {"reason": "solved", "note": "One"})
    monkeypatch.undo()
    page = await send(james, page, f"/tickets/{number}/close", {"note": "Two"})
    assert page.status_code == 422
    assert "Zgłoszenie zamknięto z wcześniejszą wersją tej notatki" in page.text
    kept = fields_of(page, f"/tickets/{number}/close")
    assert kept["note"] == ["Two"]
    assert kept["command_id"] != fields_of(form, f"/tickets/{number}/close")["command_id"]
    form = await james.get(f"/tickets/{number}/reopen")
    arrives_unheard(monkeypatch, tickets.REOPEN)
    page = await send(james, form, f"/tickets/{number}/reopen", {"text": "Three"})
    monkeypatch.undo()
    page = await send(james, page, f"/tickets/{number}/reopen", {"text": "Three, four"})
    assert page.status_code == 409
    assert "Zgłoszenie zostało już wcześniej otwarte ponownie." in page.text
    page = await send(james, page, f"/tickets/{number}/reply")
    assert "<p>Three, four</p>" in page.text


async def test_an_interest_form_that_was_changed_after_it_had_arrived_is_another_one(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = await system.browser()
    stranger.headers["x-forwarded-for"] = an_address()
    form = await stranger.get("/interest")
    arrives_unheard(monkeypatch, intake.EXPRESS_INTEREST)
    page = await sent(stranger, form, FILLED)
    monkeypatch.undo()
    assert "It is not known whether your form arrived." in page.text
    first = await sent(stranger, page, FILLED)
    second = await sent(stranger, page, {**FILLED, "a-message": "Changed since"})
    references = [str(each.url)[-16:] for each in (first, second)]
    assert references[0] != references[1]
    assert "Changed since" in (await stranger.get(await link_of(system, references[1]))).text


async def test_an_answer_that_was_changed_after_it_had_arrived_is_shown_beside_it(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    james = await system.browser(JAMES)
    page = await begun(james, "Unheard")
    arrives_unheard(monkeypatch, intake.ANSWER)
    assert (await send(james, page, "/help/", {"a-merchant": "M-first"})).status_code == 503
    monkeypatch.undo()
    late = await send(james, page, "/help/", {"a-merchant": "M-second"})  # by Back
    assert late.status_code == 409
    assert "M-first" in late.text
    assert fields_of(late, path(late))["a-merchant"] == ["M-second"]
    assert (await send(james, late, "/help/")).status_code == 200


async def test_whoever_loses_access_while_a_reply_is_sent_keeps_its_text(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    form = await james.get(f"/tickets/{number}")
    gone = NotFound(reply(ErrorKind.REFUSED, 404, "ticket_not_found"))
    asked = Visit.ask

    async def ask(visit: Visit, to: str, *more: Any) -> Any:
        if to == tickets.REPLY:
            fails(monkeypatch, tickets.GET, gone)
            raise Refused(reply(ErrorKind.REFUSED, 403, "not_permitted"))
        return await asked(visit, to, *more)

    monkeypatch.setattr(Visit, "ask", ask)
    page = await send(james, form, f"/tickets/{number}/reply", {"text": TEXT})
    monkeypatch.undo()
    assert page.status_code == 404
    assert "What you typed, so that you can copy it" in page.text
    assert "Three lines<br>" in page.text


@pytest.mark.parametrize("side", ["", "/desk"])
async def test_more_files_than_a_message_takes_lose_no_text(system: System, side: str) -> None:
    number = await system.open(ANNA)
    person = await system.browser(KATARZYNA if side else JAMES)
    form = await person.get(f"{side}/tickets/{number}")
    files = [("files", (f"{each}.png", PNG, "image/png")) for each in range(25)]
    address = f"{side}/tickets/{number}/reply{'-and-close/solved' if side else ''}"
    fields = fields_of(form, f"{side}/tickets/{number}/reply")
    page = await person.post(address, data={**fields, "text": TEXT}, files=files)
    assert page.status_code == 422
    assert "A message takes at most ten files." in page.text
    holds(page, f"{side}/tickets/{number}/reply", text=TEXT)


async def test_a_reply_of_megabytes_is_told_at_its_field(system: System) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    long = "x" * 1_500_000
    page = await james.post(f"/tickets/{number}/reply", data={"text": long}, files={"files": ("", b"")})
    assert page.status_code == 422
    assert 'href="#text"' in page.text
    assert fields_of(page, f"/tickets/{number}/reply")["text"] == [long]


async def test_another_file_is_taken_in_the_place_of_one_that_was_refused(system: System) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    address = f"/tickets/{number}/reply"
    bad = [("files", (name, b"MZ" + b"\0" * 99, "image/png")) for name in ("a.exe", "b.exe")]
    page = await james.post(address, data={"text": "See", "command_id": new_id()}, files=bad)
    assert page.status_code == 422
    assert all(name in page.text for name in ("a.exe", "b.exe"))
    page = await send(james, page, address, files=[("files", ("good.png", PNG, "image/png"))])
    assert page.status_code == 200
    assert "good.png" in page.text


async def test_files_that_could_not_be_handed_over_are_named(system: System, away: Away) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    form = fields_of(await james.get(f"/tickets/{number}"), f"/tickets/{number}/reply")
    picture = {"files": ("obraz.png", PNG, "image/png")}
    away(tickets.GET)
    page = await james.post(f"/tickets/{number}/reply", data={**form, "text": TEXT}, files=picture)
    assert page.status_code == 503
    assert "Choose these files again: obraz.png" in " ".join(page.text.split())


async def test_an_answer_to_a_draft_that_is_not_ones_own_any_more_can_be_copied(system: System) -> None:
    james = await system.browser(JAMES)
    page = await begun(james, "Only mine")
    olivia = await system.browser(OLIVIA)
    kept = await olivia.post(path(page), data={"page": "known", "a-merchant": "M-1042"})
    assert kept.status_code == 404
    assert "M-1042" in kept.text


async def test_an_answer_to_a_question_that_is_not_asked_any_more_can_be_copied(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    james = await system.browser(JAMES)
    page = await begun(james, "Two windows")
    asked = Visit.ask
    was_refused = False

    async def ask(visit: Visit, to: str, request: Any, answer: Any) -> Any:
        nonlocal was_refused
        if to == intake.ANSWER:
            was_refused = True
            raise Refused(reply(ErrorKind.REFUSED, 409, "draft_changed"))
        done = await asked(visit, to, request, answer)
        return done.model_copy(update={"page": None}) if to == intake.DRAFT and was_refused else done

    monkeypatch.setattr(Visit, "ask", ask)
    many = [f"M-{number}" for number in range(30)]
    kept = await send(james, page, "/help/", {"a-merchant": many})
    assert kept.status_code == 409
    assert "This question is not asked any more" in kept.text
    assert all(f"<p>{each}</p>" in kept.text for each in many)


async def test_nothing_is_lost_while_the_broker_is_away(system: System) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    form = await james.get(f"/tickets/{number}")
    os.kill(system.server.pid, signal.SIGSTOP)
    try:
        page = await send(james, form, f"/tickets/{number}/reply", {"text": TEXT})
    finally:
        os.kill(system.server.pid, signal.SIGCONT)
    assert page.status_code == 503
    holds(page, f"/tickets/{number}/reply", text=TEXT)
    async with asyncio.timeout(20):
        while page.status_code != 200:
            assert page.status_code == 503
            page = await send(james, page, f"/tickets/{number}/reply")
    assert "łąka" in page.text
    assert (await system.ticket(number)).replies == 1
