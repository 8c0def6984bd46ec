"""Signing in and out in a real browser, over https, without scripts."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import Browser, BrowserContext, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.browser import chromium
from tests.signin.conftest import StartPortal
from tests.signin.serving import served
from tests.signin.steps import choose, to_provider

ANNA = "anna.kowalska@acme-clinic.example"
MALLORY = "olivia.bennett@nova-bookings.example"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate of this machine, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "portal.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest.fixture
async def https_portal(start_portal: StartPortal, identity: str, certificate: Path) -> AsyncIterator[str]:
    """A portal as production has it, but for the development provider; its origin."""
    async with start_portal(identity, certificate=certificate) as origin:
        yield origin


async def _person(browser: Browser, *, scripts: bool = False, locale: str = "pl-PL") -> BrowserContext:
    return await browser.new_context(ignore_https_errors=True, java_script_enabled=scripts, locale=locale)


async def _sign_in(person: BrowserContext, origin: str, email: str = ANNA) -> Page:
    page = await person.new_page()
    await page.goto(f"{origin}/sign-in?return_to=/tickets")
    await page.get_by_role("button", name=email).click()
    await page.wait_for_url(f"{origin}/tickets")
    return page


async def _session(person: BrowserContext, origin: str) -> dict[str, Any] | None:
    page = await person.new_page()
    answer = await page.goto(f"{origin}/tickets")
    assert answer is not None
    found: dict[str, Any] | None = json.loads(await answer.text())
    await page.close()
    return found


async def test_a_person_signs_in_and_out_again_without_scripts(browser: Browser, https_portal: str) -> None:
    anna = await _person(browser)
    page = await _sign_in(anna, https_portal)
    session = await _session(anna, https_portal)
    assert session is not None
    assert session["name"] == "Anna Kowalska"

    await page.goto(f"{https_portal}/sign-out")
    await expect(page.get_by_text("Zalogowano jako Anna Kowalska.")).to_be_visible()
    await page.get_by_role("button", name="Wyloguj się w tej przeglądarce").click()
    await expect(page.get_by_role("heading", name="Wylogowano")).to_be_visible()
    assert await anna.cookies(https_portal) == []
    assert await _session(anna, https_portal) is None

    await page.get_by_role("link", name="Zaloguj się").click()
    await expect(page.get_by_role("button", name=ANNA)).to_be_visible()


async def test_the_browser_keeps_the_session_to_itself(browser: Browser, https_portal: str) -> None:
    anna = await _person(browser, scripts=True)
    page = await _sign_in(anna, https_portal)
    (cookie,) = await anna.cookies(https_portal)  # and none is left of the attempt
    assert cookie["name"] == "__Host-casetrail"
    assert cookie["secure"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert (cookie["domain"], cookie["path"]) == ("127.0.0.1", "/")
    assert cookie["expires"] == -1
    assert await page.evaluate("document.cookie") == ""


async def test_signing_out_everywhere_ends_the_session_in_another_browser(
    browser: Browser, https_portal: str
) -> None:
    laptop, telephone = await _person(browser), await _person(browser, locale="en-GB")
    page = await _sign_in(laptop, https_portal)
    await _sign_in(telephone, https_portal)
    await page.goto(f"{https_portal}/sign-out")
    await page.get_by_role("button", name="Wyloguj się wszędzie").click()
    await expect(page.get_by_role("heading", name="Wylogowano")).to_be_visible()
    assert await _session(telephone, https_portal) is None
    left = await telephone.new_page()
    await left.goto(f"{https_portal}/sign-out")
    await expect(left.get_by_role("heading", name="You are signed out")).to_be_visible()


async def test_a_page_elsewhere_cannot_sign_a_person_out(
    browser: Browser, https_portal: str, certificate: Path
) -> None:
    async def trap(_request: Request) -> Response:
        form = f'<form method="post" action="{https_portal}/sign-out"><button>Win a prize</button></form>'
        return HTMLResponse(f"<!doctype html><title>Trap</title>{form}")

    def application(_origin: str) -> Starlette:
        return Starlette(routes=[Route("/", trap)])

    anna = await _person(browser, locale="en-GB")
    page = await _sign_in(anna, https_portal)
    async with served(application, certificate=certificate) as elsewhere:
        await page.goto(elsewhere)
        await page.get_by_role("button", name="Win a prize").click()
        await expect(page.get_by_text("did not come from a page of ours")).to_be_visible()
    assert await _session(anna, https_portal) is not None


async def test_a_link_of_another_sign_in_signs_nobody_in(browser: Browser, https_portal: str) -> None:
    """Mallory sends Anna the end of a sign-in of her own: Anna would work in Mallory's name."""
    async with httpx2.AsyncClient(verify=False) as mallory:  # its certificate is its own
        link = await choose(mallory, await to_provider(mallory, https_portal), MALLORY)
    anna = await _person(browser, locale="en-GB")
    page = await anna.new_page()
    await page.goto(link)
    await expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
    assert await _session(anna, https_portal) is None
