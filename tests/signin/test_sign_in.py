"""Signing in and out with the development provider, a process of its own, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from nats.aio.client import Client

from contracts.access.people import person_id
from services.embedded.demo import PEOPLE, DemoPerson
from services.embedded.nats_server import NatsServer
from tests.signin.clock import MovableClock
from tests.signin.conftest import StartPortal
from tests.signin.steps import OWN_PAGE, choose, sign_in, to_provider, until, whoami

ANNA = "anna.kowalska@acme-clinic.example"
OLIVIA = "olivia.bennett@nova-bookings.example"


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.email)
async def test_everybody_of_the_demonstration_can_sign_in(
    dev_portal: str, browser: httpx2.AsyncClient, person: DemoPerson
) -> None:
    await sign_in(browser, dev_portal, person.email, "/tickets?status=open")
    session = await whoami(browser, dev_portal)
    assert session is not None
    assert session["person"] == person_id(person.email)
    assert session["email"] == person.email
    assert session["name"] == person.name
    assert session["language"] == person.language


async def test_the_provider_is_asked_with_pkce_a_state_and_a_nonce(
    dev_portal: str, browser: httpx2.AsyncClient
) -> None:
    first, second = [parse_qs(urlsplit(await to_provider(browser, dev_portal)).query) for _ in range(2)]
    assert first["response_type"] == ["code"]
    assert first["code_challenge_method"] == ["S256"]
    assert first["redirect_uri"] == [f"{dev_portal}/sign-in/callback"]
    for secret in ("state", "nonce", "code_challenge"):
        assert len(first[secret][0]) >= 43
        assert first[secret] != second[secret]


async def test_what_the_browser_keeps_of_an_attempt_has_neither_nonce_nor_verifier(
    dev_portal: str, browser: httpx2.AsyncClient
) -> None:
    query = parse_qs(urlsplit(await to_provider(browser, dev_portal)).query)
    kept = bytes.fromhex(browser.cookies["casetrail-sign-in"].split(".")[0]).decode()
    assert query["state"][0] in kept
    assert query["nonce"][0] not in kept
    assert kept.count('"') == 4  # the state and the way back are all the text that there is


async def test_nobody_is_signed_in_without_a_session(dev_portal: str, browser: httpx2.AsyncClient) -> None:
    assert await whoami(browser, dev_portal) is None


async def test_the_session_cookie_is_kept_from_scripts_and_other_sites(
    dev_portal: str, browser: httpx2.AsyncClient
) -> None:
    callback = await choose(browser, await to_provider(browser, dev_portal), ANNA)
    cookies: SimpleCookie = SimpleCookie()
    for header in (await browser.get(callback)).headers.get_list("set-cookie"):
        cookies.load(header)
    session, attempt = cookies["casetrail"], cookies["casetrail-sign-in"]
    assert (session["httponly"], session["samesite"], session["path"]) == (True, "lax", "/")
    assert not session["domain"]
    assert not session["max-age"]
    assert attempt["max-age"] == "0"


async def test_signing_out_ends_the_session_here_and_no_other(
    dev_portal: str, browser: httpx2.AsyncClient, other_browser: httpx2.AsyncClient
) -> None:
    await sign_in(browser, dev_portal, ANNA)
    await sign_in(other_browser, dev_portal, ANNA)
    kept = browser.cookies["casetrail"]
    out = await browser.post(f"{dev_portal}/sign-out", headers=OWN_PAGE)
    assert (out.status_code, out.headers["location"]) == (303, f"{dev_portal}/sign-out")
    assert "casetrail" not in browser.cookies
    browser.cookies.set("casetrail", kept)
    assert await whoami(browser, dev_portal) is None
    assert await whoami(other_browser, dev_portal) is not None


async def test_signing_out_everywhere_ends_all_sessions_of_the_person_only(
    dev_portal: str, browser: httpx2.AsyncClient, other_browser: httpx2.AsyncClient
) -> None:
    async with httpx2.AsyncClient() as olivias:
        await sign_in(browser, dev_portal, ANNA)
        await sign_in(other_browser, dev_portal, ANNA)
        await sign_in(olivias, dev_portal, OLIVIA)
        await browser.post(f"{dev_portal}/sign-out-everywhere", headers=OWN_PAGE)
        assert await whoami(browser, dev_portal) is None
        assert await whoami(other_browser, dev_portal) is None
        assert await whoami(olivias, dev_portal) is not None


@pytest.mark.parametrize("path", ["/sign-out", "/sign-out-everywhere"])
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "the portal's"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {},
    ],
    ids=str,
)
async def test_another_site_cannot_sign_anybody_out(
    dev_portal: str, browser: httpx2.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    await sign_in(browser, dev_portal, ANNA)
    if headers.get("origin") == "the portal's":
        headers = headers | {"origin": dev_portal}
    refused = await browser.post(f"{dev_portal}{path}", headers=headers)
    assert refused.status_code == 403
    assert "did not come from a page of ours" in refused.text
    assert await whoami(browser, dev_portal) is not None


async def test_a_browser_without_fetch_metadata_is_believed_by_its_origin(
    dev_portal: str, browser: httpx2.AsyncClient
) -> None:
    await sign_in(browser, dev_portal, ANNA)
    await browser.post(f"{dev_portal}/sign-out", headers={"origin": dev_portal})
    assert await whoami(browser, dev_portal) is None


async def test_nobody_is_signed_out_by_a_link(dev_portal: str, browser: httpx2.AsyncClient) -> None:
    await sign_in(browser, dev_portal, ANNA)
    asked = await browser.get(f"{dev_portal}/sign-out")
    assert "Zalogowano jako Anna Kowalska." in asked.text
    assert (await browser.get(f"{dev_portal}/sign-out-everywhere")).status_code == 405
    assert await whoami(browser, dev_portal) is not None


async def test_signing_in_makes_a_new_key_and_ends_the_session_before(
    dev_portal: str, browser: httpx2.AsyncClient, other_browser: httpx2.AsyncClient
) -> None:
    await sign_in(browser, dev_portal, OLIVIA)
    planted = browser.cookies["casetrail"]
    other_browser.cookies.set("casetrail", planted, domain="127.0.0.1")
    await sign_in(other_browser, dev_portal, ANNA)
    assert other_browser.cookies["casetrail"] != planted
    anna = await whoami(other_browser, dev_portal)
    assert anna is not None
    assert anna["email"] == ANNA
    assert await whoami(browser, dev_portal) is None  # who planted it has nothing any more


async def test_a_session_ends_after_half_an_hour_without_a_request(
    dev_portal: str, browser: httpx2.AsyncClient, clock: MovableClock
) -> None:
    await sign_in(browser, dev_portal, ANNA)
    for _ in range(3):
        clock.advance(timedelta(minutes=28))
        assert await whoami(browser, dev_portal) is not None
    clock.advance(timedelta(minutes=31))
    assert await whoami(browser, dev_portal) is None


async def test_a_session_ends_after_twelve_hours_in_any_case(
    dev_portal: str, browser: httpx2.AsyncClient, clock: MovableClock
) -> None:
    await sign_in(browser, dev_portal, ANNA)
    for _ in range(35):
        clock.advance(timedelta(minutes=20))
        assert await whoami(browser, dev_portal) is not None
    clock.advance(timedelta(minutes=20))
    assert await whoami(browser, dev_portal) is None


async def test_sessions_outlive_the_broker_and_the_service(
    start_portal: StartPortal, identity: str, browser: httpx2.AsyncClient, nats_server: NatsServer
) -> None:
    async with start_portal(identity) as origin:
        await sign_in(browser, origin, ANNA)
        key = browser.cookies["casetrail"]
    await nats_server.kill()
    await nats_server.start_again()
    async with start_portal(identity) as origin, httpx2.AsyncClient(cookies={"casetrail": key}) as later:
        session = await whoami(later, origin)
    assert session is not None
    assert session["email"] == ANNA


async def test_without_the_broker_nobody_is_let_in_or_told_to_be_signed_out(
    dev_portal: str, browser: httpx2.AsyncClient, nats_server: NatsServer, nats_client: Client
) -> None:
    await sign_in(browser, dev_portal, ANNA)
    callback = await choose(browser, await to_provider(browser, dev_portal), OLIVIA)
    await nats_server.kill()
    refused = await browser.get(callback)
    assert refused.status_code == 503
    still_in = await browser.post(f"{dev_portal}/sign-out", headers=OWN_PAGE)
    assert still_in.status_code == 503
    assert "You are still signed in" in still_in.text
    assert "casetrail" in browser.cookies
    await nats_server.start_again()
    await until(lambda: nats_client.is_connected)


async def test_an_address_that_the_provider_has_not_verified_is_refused(
    dev_portal: str, browser: httpx2.AsyncClient
) -> None:
    callback = await choose(browser, await to_provider(browser, dev_portal), "mallory")
    refused = await browser.get(callback)
    assert refused.status_code == 403
    assert "has not verified your e-mail address" in refused.text
    assert await whoami(browser, dev_portal) is None


async def test_who_denies_at_the_provider_is_told_so_and_can_try_again(
    dev_portal: str, browser: httpx2.AsyncClient
) -> None:
    provider_url = await to_provider(browser, dev_portal, "/tickets?status=open")
    denied = await browser.post(provider_url, data={"action": "deny"})
    back = f"{denied.headers['location']}&state={parse_qs(urlsplit(provider_url).query)['state'][0]}"
    told = await browser.get(back, headers={"accept-language": "pl,en;q=0.8"})
    assert told.status_code == 400
    assert "Logowanie zostało przerwane." in told.text
    assert 'href="/sign-in?return_to=%2Ftickets%3Fstatus%3Dopen"' in told.text


@pytest.mark.parametrize(
    ("language", "words"),
    [("pl-PL,pl;q=0.9", "Zacznij od nowa."), ("de,en;q=0.5", "Please start again."), ("", "Please start")],
)
async def test_the_pages_speak_the_language_of_the_browser_and_load_nothing(
    dev_portal: str, browser: httpx2.AsyncClient, language: str, words: str
) -> None:
    page = await browser.get(
        f"{dev_portal}/sign-in/callback?state=x&code=y", headers={"accept-language": language}
    )
    assert page.status_code == 400
    assert words in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "same-origin"
