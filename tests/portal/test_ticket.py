"""A ticket's page: reading, replying, closing and reopening, as a browser does it without scripts."""

from __future__ import annotations

import re

import httpx2
import pytest

from contracts.number import shown
from contracts.tickets.events import CloseReason
from tests.files.samples import PNG
from tests.portal.system import ANNA, JAMES, KATARZYNA, OLIVIA, System, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _command(browser: httpx2.AsyncClient, path: str) -> str:
    """The command id that the form of a page was made with."""
    found = re.search(r'name="command_id" value="([0-9a-f]{32})"', (await browser.get(path)).text)
    assert found is not None
    return found[1]


async def test_the_timeline_says_who_when_and_by_which_way(system: System) -> None:
    number = await system.open(ANNA, message="First line\nsecond\n\nnew paragraph <b>& more</b>")
    await system.reply(KATARZYNA, number, "Here is how.")
    await system.close(KATARZYNA, number, CloseReason.DECLINED)
    page = (await (await system.browser(JAMES)).get(f"/tickets/{number}")).text
    assert "<p>First line<br>second</p><p>new paragraph &lt;b&gt;&amp; more&lt;/b&gt;</p>" in page
    assert "Katarzyna Zielińska" in page
    assert "katarzyna.zielinska@casetrail.example" not in page
    assert "through the API" in page
    assert "Declined" in page
    moments = re.findall(r'<time datetime="(\S+)" title="[^"]+"', page)
    assert len(moments) >= 3
    assert all(moment.endswith("+00:00") for moment in moments)


async def test_addresses_of_the_web_become_links_and_nothing_else_does(
    system: System,
) -> None:
    text = (
        "See https://status.example/tokens?a=1&b=2, (http://docs.example/x).\n"
        'Not javascript:alert(1), ftp://files.example or https://"onclick=x'
    )
    number = await system.open(ANNA, message=text)
    page = (await (await system.browser(JAMES)).get(f"/tickets/{number}")).text
    timeline = page[page.index('id="timeline"') : page.index("</ol>")]
    assert re.findall(r'<a [^>]*href="([^"]+)"[^>]*>([^<]+)</a>', timeline) == [
        ("https://status.example/tokens?a=1&amp;b=2", "https://status.example/tokens?a=1&amp;b=2"),
        ("http://docs.example/x", "http://docs.example/x"),
    ]
    assert "https://&#34;onclick=x" in timeline


async def test_any_spelling_of_the_number_leads_to_the_page(system: System) -> None:
    number = await system.open(ANNA)
    answer = await (await system.browser(JAMES)).get(f"/tickets/{shown(number)}")
    assert answer.status_code == 200
    assert answer.url.path == f"/tickets/{number}"


async def test_a_reply_is_there_at_once_and_once(system: System) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    form = {"text": "Thank you!", "command_id": await _command(james, f"/tickets/{number}")}
    for _ in range(2):
        answer = await james.post(f"/tickets/{number}/reply", data=form)
        assert answer.status_code == 200
        assert answer.text.count("Thank you!") == 1
    assert (await system.ticket(number)).replies == 1


async def test_files_come_with_a_reply_and_out_again(system: System) -> None:
    number = await system.open(ANNA)
    james, olivia = await system.browser(JAMES), await system.browser(OLIVIA)
    form = {"text": "See the picture.", "command_id": new_id()}
    files = [("files", ("obraz ż.png", PNG, "image/png")), ("files", ("notes.txt", b"hello", "text/html"))]
    page = (await james.post(f"/tickets/{number}/reply", data=form, files=files)).text
    picture, notes = re.findall(rf'href="(/tickets/{number}/files/[a-z0-9]+)"', page)
    got = await james.get(picture)
    assert got.content == PNG
    assert got.headers["content-disposition"] == "inline; filename*=UTF-8''obraz%20%C5%BC.png"
    assert "sandbox" in got.headers["content-security-policy"]
    assert got.headers["cache-control"] == "private, no-store"
    got = await james.get(notes)
    assert got.headers["content-type"].startswith("text/plain")
    assert got.headers["content-disposition"].startswith("attachment;")
    assert (await olivia.get(picture)).status_code == 404


async def test_a_file_that_is_not_taken_keeps_the_text_and_the_other_files(system: System) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    form = {"text": "Two files.", "command_id": new_id()}
    files = [
        ("files", ("ok.png", PNG, "image/png")),
        ("files", ("tool.exe", b"MZ" + b"\0" * 99, "image/png")),
    ]
    answer = await james.post(f"/tickets/{number}/reply", data=form, files=files)
    assert answer.status_code == 422
    assert "tool.exe" in answer.text
    assert ">Two files.</textarea>" in answer.text
    kept = re.findall(r'name="uploaded" value="([^"]+)"', answer.text)
    assert len(kept) == 1
    again = {**form, "uploaded": kept[0].replace("&#34;", '"')}
    page = (await james.post(f"/tickets/{number}/reply", data=again)).text
    assert "ok.png" in page
    assert (await system.ticket(number)).replies == 1


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "Your reply: must not be empty"), ("pl", "Twoja odpowiedź: nie może być puste")],
)
async def test_an_empty_reply_is_told_at_its_field(system: System, language: str, told: str) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES, language=language)
    answer = await james.post(f"/tickets/{number}/reply", data={"text": "  ", "command_id": new_id()})
    assert answer.status_code == 422
    assert told in answer.text
    assert 'href="#text"' in answer.text
    assert (await system.ticket(number)).replies == 0


async def test_a_closed_ticket_has_actions_at_its_top_and_no_reply_box(system: System) -> None:
    number = await system.open(ANNA)
    await system.close(KATARZYNA, number)
    page = (await (await system.browser(ANNA, language="pl")).get(f"/tickets/{number}")).text
    actions = page.index("Działania związane ze zgłoszeniem")
    assert actions < page.index('id="timeline"')
    assert f'href="/tickets/{number}/reopen"' in page
    assert f'href="/help?follows={number}"' in page
    assert "/reply" not in page


async def test_a_reply_to_a_ticket_closed_a_moment_ago_is_not_lost(system: System) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    form = {"text": "But it is empty again.", "command_id": await _command(james, f"/tickets/{number}")}
    await system.close(KATARZYNA, number)
    answer = await james.post(f"/tickets/{number}/reply", data=form)
    assert answer.status_code == 409
    assert "Your reply was not sent" in answer.text
    assert ">But it is empty again.</textarea>" in answer.text
    reopened = await james.post(f"/tickets/{number}/reopen", data=form)
    assert "But it is empty again." in reopened.text
    assert (await system.ticket(number)).status.value == "open"


async def test_a_link_to_reopen_changes_nothing_until_the_form_is_sent(system: System) -> None:
    number = await system.open(ANNA)
    await system.close(KATARZYNA, number)
    james = await system.browser(JAMES)
    command = await _command(james, f"/tickets/{number}/reopen")
    assert (await system.ticket(number)).status.value == "closed"
    for _ in range(2):
        answer = await james.post(
            f"/tickets/{number}/reopen", data={"text": "Not solved.", "command_id": command}
        )
        assert answer.url.path == f"/tickets/{number}"
    assert (await system.ticket(number)).revision == 3
    assert "is open" in (await james.get(f"/tickets/{number}/reopen")).text


async def test_closing_takes_a_reason(system: System) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    for reason in ("", "declined", "<script>"):
        refused = await james.post(f"/tickets/{number}/close", data={"reason": reason, "note": "Kept"})
        assert refused.status_code == 422
        assert "Choose why the ticket is closed." in refused.text
        assert ">Kept</textarea>" in refused.text
    page = await james.post(
        f"/tickets/{number}/close", data={"reason": "solved", "note": "", "command_id": new_id()}
    )
    assert "Ticket actions" in page.text
    assert (await system.ticket(number)).closing is not None


async def test_whoever_may_not_see_a_ticket_can_do_nothing_to_it(system: System) -> None:
    number = await system.open(ANNA)
    olivia = await system.browser(OLIVIA)
    for path, form in (
        ("reply", {"text": "Mine now", "command_id": new_id()}),
        ("close", {"reason": "solved", "command_id": new_id()}),
        ("reopen", {"text": "Mine now", "command_id": new_id()}),
    ):
        assert (await olivia.post(f"/tickets/{number}/{path}", data=form)).status_code == 404
    assert (await system.ticket(number)).revision == 1
