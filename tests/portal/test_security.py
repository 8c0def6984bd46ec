"""What holds for every page: headers, requests of other sites, sizes, strangers, failures."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from services.portal.security import RateLimit
from tests.portal.system import ANNA, JAMES, System, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_pages_run_nothing_but_ours_and_stay_private(system: System) -> None:
    james = await system.browser(JAMES)
    for path in ("/tickets", "/", "/missing", "/sign-out"):
        answer = await james.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "no-store" in answer.headers["cache-control"]
        assert "<script>" not in answer.text
        assert " style=" not in answer.text
        assert " onclick" not in answer.text


async def test_assets_are_kept_for_good_and_small_on_the_way(system: System) -> None:
    stranger = await system.browser()
    page = (await stranger.get("/")).text
    path = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = await stranger.get(path)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert "GDS Transport" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {},
    ],
)
async def test_what_another_site_sends_is_refused(system: System, headers: dict[str, str]) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES, own_page=False)
    for path in (f"/tickets/{number}/reply", "/language", "/account"):
        answer = await james.post(path, data={"text": "forged", "command_id": new_id()}, headers=headers)
        assert answer.status_code == 403
    assert (await system.ticket(number)).revision == 1


async def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(system: System) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    said = await james.post("/language", data={"return_to": "x" * 600_000})
    assert said.status_code == 413

    async def unsaid() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536

    streamed = await james.post(
        f"/tickets/{number}/close",
        content=unsaid(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert streamed.status_code == 413


async def test_texts_that_look_like_markup_are_texts(system: System) -> None:
    nasty = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"
    number = await system.open(ANNA, title=nasty, message=nasty)
    james = await system.browser(JAMES)
    for path in (f"/tickets/{number}", "/tickets", f"/tickets/{number}/close"):
        page = (await james.get(path)).text
        assert "<script>alert" not in page
        assert "<img" not in page
    found = (await james.get("/tickets", params={"q": nasty})).text
    assert "<script>alert" not in found


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/tickets/1",
        "/tickets/%00",
        "/tickets/4830291741x",
        "/tickets/../../etc/passwd",
        "/assets/x",
    ],
)
async def test_what_is_not_there_is_told_in_the_persons_language_and_leads_on(
    system: System, path: str
) -> None:
    answer = await (await system.browser(ANNA, language="pl")).get(path)
    assert answer.status_code == 404
    if not path.startswith("/assets"):
        assert "Nie ma tu takiej strony" in answer.text
        assert re.search(r'class="places__link" href="/tickets"[^>]*>Zgłoszenia</a>', answer.text)


async def test_a_page_that_takes_no_forms_says_so(system: System) -> None:
    answer = await (await system.browser(ANNA)).post("/tickets")
    assert answer.status_code == 405
    assert "Traceback" not in answer.text


async def test_a_language_that_was_chosen_stays(system: System) -> None:
    stranger = await system.browser()
    answer = await stranger.post("/language", data={"language": "pl", "return_to": "/?x=1"})
    assert answer.url == f"{system.origin}/?x=1"
    assert "Jesteś partnerem" in answer.text
    away = await stranger.post("/language", data={"language": "pl", "return_to": "//elsewhere.example"})
    assert away.url == f"{system.origin}/"


async def test_scripts_of_a_page_are_told_that_nobody_is_signed_in_any_more(system: System) -> None:
    number = await system.open(ANNA)
    james = await system.browser(JAMES)
    await james.post("/sign-out-everywhere")
    james.follow_redirects = False
    script = {"sec-fetch-mode": "same-origin"}
    assert (await james.get(f"/tickets/{number}/live", headers=script)).status_code == 401
    assert (await james.get(f"/tickets/{number}")).status_code == 303


async def test_signing_in_is_counted_for_strangers() -> None:
    now = [0.0]
    limit = RateLimit(3, lambda: now[0])
    assert [limit.lets("2001:db8::1"), limit.lets("2001:db8::2"), limit.lets("2001:db8::3")] == [True] * 3
    assert not limit.lets("2001:db8::4")
    assert limit.lets("2001:db8:1::4")
    now[0] = 20.0
    assert limit.lets("2001:db8::4")
    assert not limit.lets("2001:db8::4")


async def test_too_much_of_a_stranger_is_told(system: System) -> None:
    async with httpx2.AsyncClient(
        base_url=system.origin, headers={"x-forwarded-for": "192.0.2.7"}
    ) as stranger:
        answers = [(await stranger.get("/sign-in")).status_code for _ in range(70)]
    assert answers[0] == 303
    assert answers[-1] == 429
