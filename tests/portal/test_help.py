"""How can we help?, over HTTP: from a text to a ticket, page by page, and what can come in between."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from contracts.number import shown
from tests.portal.filling import fields_of, send
from tests.portal.system import ACME, ANNA, JAMES, KATARZYNA, OLIVIA, System, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "https://casetrail.example/questionnaires/other|1.0"
"""The shortest of the shipped questionnaires: after its first page nothing needs an answer."""
AVAILABILITY = "https://casetrail.example/questionnaires/availability|1.0"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060"
    "000000050001a5f645400000000049454e44ae426082"
)


async def begun(
    browser: httpx2.AsyncClient, text: str, *, questionnaire: str = OTHER, address: str = "/help"
) -> httpx2.Response:
    """The first page of the questionnaire that was chosen for a text; of the shortest one the second."""
    offers = await send(browser, await browser.get(address), "/help", {"text": text})
    assert f'value="{questionnaire}"' in offers.text
    page = await send(browser, offers, "/help", {"questionnaire": questionnaire})
    if questionnaire == OTHER:
        page = await send(browser, page, "/help/", {"a-outcome": "An answer", "a-urgency": "can-wait"})
        assert 'name="a-merchant"' in page.text
    return page


async def to_check(
    browser: httpx2.AsyncClient, page: httpx2.Response, typed: dict[str, str] | None = None
) -> httpx2.Response:
    """From the second page of the shortest questionnaire to the check."""
    files = await send(browser, page, "/help/", typed)
    return await send(browser, files, "/help/")


def path(page: httpx2.Response) -> str:
    return urlsplit(str(page.url)).path


async def test_what_was_typed_becomes_a_ticket_that_stands_in_the_list_at_once(system: System) -> None:
    james = await system.browser(JAMES)
    text = f"Where is the manual? {new_id()}"
    check = await to_check(james, await begun(james, text), {"a-merchant": "M-1042"})
    assert path(check).endswith("/check")
    assert "M-1042" in check.text
    ticket = await send(james, check, path(check))
    assert re.fullmatch(r"/tickets/\d{10}", path(ticket))
    number = path(ticket)[-10:]
    assert f'Your ticket is <span class="panel__number">{shown(number)}</span>' in ticket.text
    assert text in ticket.text
    assert f'href="/tickets/{number}"' in (await james.get("/tickets")).text
    again = await james.get(path(check))  # the address of the draft leads to its ticket from now on
    assert path(again) == f"/tickets/{number}"
    assert text not in (await james.get("/help")).text


async def test_questionnaires_are_offered_the_best_first_and_something_else_last(system: System) -> None:
    anna = await system.browser(ANNA, language="pl")
    page = await send(anna, await anna.get("/help"), "/help", {"text": "Nie widać wolnych terminów"})
    offered = re.findall(r'name="questionnaire" value="([^"]+)"', page.text)
    assert offered[0] == AVAILABILITY
    assert offered[-1] == OTHER
    assert "Dostępność i rezerwacje" in page.text
    changed = await send(anna, page, "/help", {"change": "1"})
    assert "Nie widać wolnych terminów</textarea>" in changed.text


@pytest.mark.parametrize("text", ["", "  \n ", "a\x00b", "x" * 70_000])
async def test_a_text_that_cannot_be_asked_with_is_told_and_kept(system: System, text: str) -> None:
    james = await system.browser(JAMES)
    page = await send(james, await james.get("/help"), "/help", {"text": text})
    assert page.status_code == 422
    assert 'href="#text"' in page.text
    assert "<title>Error:" in page.text
    assert fields_of(page, "/help")["text"][0].strip("\n ") == text.strip("\n ")


async def test_what_is_wrong_links_to_its_field_and_what_was_typed_stays(system: System) -> None:
    james = await system.browser(JAMES)
    page = await begun(james, "No slots", questionnaire=AVAILABILITY)
    missing = await send(james, page, "/help/")
    assert missing.status_code == 422
    assert 'href="#a-trouble"' in missing.text
    assert "What is wrong? Choose one of the answers." in missing.text
    where = await send(james, missing, "/help/", {"a-trouble": "missing"})
    assert parse_qs(urlsplit(str(where.url)).query)["page"] == ["where"]
    typed = {"a-place": [""], "a-service": "<b>Dermatologist</b>"}
    wrong = await send(james, where, "/help/", typed)
    assert wrong.status_code == 422
    assert "Place ID: needs an answer." in wrong.text
    assert "&lt;b&gt;Dermatologist&lt;/b&gt;" in wrong.text
    back = await send(james, wrong, f"{path(wrong)}/back")
    assert parse_qs(urlsplit(str(back.url)).query)["page"] == ["trouble"]
    assert fields_of(back, path(back))["a-trouble"] == ["missing"]


async def test_a_question_takes_more_answers_row_by_row(system: System) -> None:
    james = await system.browser(JAMES)
    page = await begun(james, "No slots", questionnaire=AVAILABILITY)
    where = await send(james, page, "/help/", {"a-trouble": "missing"})
    more = await send(james, where, "/help/", {"a-place": ["P-1"], "add": "place"})
    assert fields_of(more, path(more))["a-place"] == ["P-1", ""]
    after = await send(james, more, "/help/", {"a-place": ["P-1", "P-2"]})
    assert after.status_code == 200
    kept = await james.get(f"{path(after)}?page=where")
    assert fields_of(kept, path(kept))["a-place"] == ["P-1", "P-2"]


async def test_files_are_attached_removed_and_come_with_the_ticket(system: System) -> None:
    james = await system.browser(JAMES)
    page = await send(james, await begun(james, f"With a picture {new_id()}"), "/help/")
    chosen = [("f-files", (name, PNG, "image/png")) for name in ("one.png", "two.png")]
    page = await send(james, page, "/help/", {"later": "1"}, files=chosen)
    draft = re.search(rf'href="(/help/{ACME}/[a-z0-9]{{26}})"', page.text)
    assert draft is not None
    questions = await james.get(f"{draft[1]}/check")
    questions = await send(james, questions, f"{draft[1]}/back")
    assert len(fields_of(questions, draft[1])["u-files"]) == 2
    one = re.search(r'name="remove" value="([a-z0-9]{26})"', questions.text)
    assert one is not None
    fewer = await send(james, questions, draft[1], {"remove": one[1]})
    assert len(fields_of(fewer, draft[1])["u-files"]) == 1
    refused = await send(james, fewer, draft[1], files=[("f-files", ("a.exe", b"MZ\x90\x00" * 64, "a/b"))])
    assert refused.status_code == 422
    assert 'href="#a-files"' in refused.text
    check = await send(james, refused, draft[1])
    ticket = await send(james, check, path(check))
    assert "two.png" in ticket.text
    assert "one.png" not in ticket.text


async def test_a_draft_is_saved_come_back_to_and_discarded(system: System) -> None:
    james = await system.browser(JAMES)
    text = f"Later {new_id()}"
    saved = await send(james, await begun(james, text), "/help/", {"a-merchant": "M-7", "later": "1"})
    assert "Your draft is saved." in saved.text
    assert text in saved.text
    assert text not in (await (await system.browser(ANNA)).get("/help")).text
    draft = re.search(rf'href="(/help/{ACME}/[a-z0-9]{{26}})"', saved.text)
    assert draft is not None
    assert "M-7" in (await james.get(f"{draft[1]}?page=known")).text
    asked = await james.get(f"{draft[1]}/discard")
    assert text in (await james.get("/help")).text
    gone = await send(james, asked, f"{draft[1]}/discard")
    assert "The draft was discarded." in gone.text
    assert text not in gone.text
    assert (await james.get(draft[1])).status_code == 404


async def test_of_two_windows_on_a_draft_the_second_is_told_and_keeps_its_text(system: System) -> None:
    james = await system.browser(JAMES)
    first = await begun(james, "Two windows")
    second = await james.get(str(first.url))
    check = await to_check(james, first, {"a-merchant": "M-first"})
    late = await send(james, second, "/help/", {"a-merchant": "M-second"})
    assert late.status_code == 409
    assert "This draft was changed in another window" in late.text
    assert "M-first" in late.text
    assert fields_of(late, path(late))["a-merchant"] == ["M-second"]
    assert "M-first" in (await james.get(path(check))).text
    stale = await send(james, check, path(check), {"revision": "1"})  # from a page that is old
    assert stale.status_code == 409
    assert "Nothing was submitted." in stale.text
    kept = await to_check(james, late)
    assert "M-second" in kept.text
    invalid = await send(james, second, "/help/", {"a-merchant": "x" * 100})
    assert invalid.status_code == 409  # what is wrong besides does not make it newer
    ticket = await send(james, kept, path(kept))
    assert "M-second" in ticket.text
    over = await send(james, late, "/help/", {"a-merchant": "M-third"})
    assert over.status_code == 409
    assert "This was submitted already" in over.text
    assert "M-third" in over.text


async def test_a_change_comes_back_to_the_check_unless_other_questions_hang_on_it(system: System) -> None:
    james = await system.browser(JAMES)
    page = await begun(james, "The API", questionnaire=AVAILABILITY)
    while "/check" not in str(page.url):
        page = await send(james, page, "/help/", _sensible(page))
        assert page.status_code == 200, page.text
    draft = path(page).removesuffix("/check")
    where = await james.get(f"{draft}?page=where&change")
    assert path(await send(james, where, draft, {"a-place": ["P-9"]})) == f"{draft}/check"
    trouble = await james.get(f"{draft}?page=trouble&change")
    after = await send(james, trouble, draft, {"a-trouble": "fails"})
    assert path(after) == draft
    review = await james.get(f"{draft}/check")
    assert "There is a problem" in review.text
    assert "&amp;change#a-" in review.text
    assert "Answers that are left out" in review.text


async def test_a_new_ticket_follows_a_closed_one(system: System) -> None:
    number = await system.open(ANNA, title="The first one")
    await system.close(KATARZYNA, number)
    james = await system.browser(JAMES)
    assert f'href="/help?follows={number}"' in (await james.get(f"/tickets/{number}")).text
    page = await begun(james, "It is back", address=f"/help?follows={shown(number)}")
    check = await to_check(james, page)
    ticket = await send(james, check, path(check))
    assert (await system.ticket(path(ticket)[-10:])).follows == number
    olivia = await system.browser(OLIVIA)
    for asked in (number, "1000000009", "nonsense"):
        answer = await olivia.get("/help", params={"follows": asked})
        assert answer.status_code == 404
        assert "The first one" not in answer.text


async def test_nobody_reads_or_answers_a_draft_of_somebody_else(system: System) -> None:
    james = await system.browser(JAMES)
    page = await begun(james, "Only mine")
    draft = path(page)
    for email, status in ((ANNA, 404), (OLIVIA, 404)):
        other = await system.browser(email)
        for address in (draft, f"{draft}/check", f"{draft}/discard"):
            answer = await other.get(address)
            assert (answer.status_code, "Only mine" in answer.text) == (status, False)
        assert (await other.post(draft, data={"page": "about", "a-merchant": "M"})).status_code in {404, 409}
    stranger = await system.browser()
    stranger.follow_redirects = False
    assert "/sign-in" in (await stranger.get(draft)).headers["location"]


async def test_a_ticket_that_is_not_open_yet_is_waited_for(system: System) -> None:
    james = await system.browser(JAMES)
    check = await to_check(james, await begun(james, "In a moment"))
    root = await system.connect("root")

    async def pause(until: str | None) -> None:
        asked = json.dumps({"pause_until": until} if until else {}).encode()
        answer = await root.request("$JS.API.CONSUMER.PAUSE.INTAKE.tickets-submissions", asked)
        assert "error" not in json.loads(answer.data)

    await pause("2999-01-01T00:00:00Z")
    waiting = await send(james, check, path(check))
    assert path(waiting) == path(check).replace("/check", "/ticket")
    assert waiting.status_code == 200
    assert waiting.headers["refresh"] == "3"
    assert "Your ticket is being opened" in waiting.text
    await pause(None)
    assert re.fullmatch(r"/tickets/\d{10}", path(await james.get(path(waiting))))


def _sensible(page: httpx2.Response) -> dict[str, str]:
    """An answer to everything that a page needs."""
    answers: dict[str, str] = {}
    for name in re.findall(r'<input class="govuk-input[^>]* name="(a-[\w.-]+)" type="text"', page.text):
        answers[name] = "12"
    for name in re.findall(r'name="(a-[\w.-]+)" type="date"', page.text):
        answers[name] = "2025-11-24"
    for name, value in re.findall(r'name="(a-[\w.-]+)" type="radio" value="([^"]+)"', page.text):
        answers.setdefault(name, value)
    return answers
