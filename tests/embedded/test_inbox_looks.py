"""The pages of the development mailbox in a real browser: they fit, can be read, work, and run no script.

With CASETRAIL_SCREENSHOTS set to a folder, a picture of each page is kept there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from contracts.wording import LANGUAGES, Language
from services.embedded.inbox.answer import Server
from services.embedded.inbox.app import application
from services.notify.compose import compose
from tests.browser import chromium
from tests.embedded.inboxes import ANNA, plain, put, rich
from tests.notify.letters import envelope, every_kind
from tests.notify.servers import MailDouble, mail_server
from tests.signin.serving import served

Scheme = Literal["light", "dark"]

HOSTILE: Final = """<!doctype html><meta http-equiv="refresh" content="0;url=/people/anna@acme.example">
<p id="said">harmless</p>
<script>document.getElementById('said').textContent = 'it ran'; top.location = '/'</script>
<img src="x" onerror="document.getElementById('said').textContent = 'it ran'">
<img src="http://127.0.0.1:PORT/tracker.png"><link rel="stylesheet" href="http://127.0.0.1:PORT/a.css">
<iframe src="/"></iframe><form action="/write" method="post"><button id="send">x</button></form>
<a id="out" href="/style.css" target="_blank">a link</a>"""

# Of each element with words of its own: its colour, the ground under it, and how far it reaches.
_SEEN: Final = """() => {
  const rgb = value => (value.match(/[\\d.]+/g) || []).map(Number);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const seen = [];
  for (const e of document.body.querySelectorAll('*')) {
    const own = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join('');
    if (!own || !e.checkVisibility({checkOpacity: true})) continue;
    const style = getComputedStyle(e);
    seen.push({own, ink: rgb(style.color).slice(0, 3), ground: ground(e), size: parseFloat(style.fontSize),
               right: e.getBoundingClientRect().right});
  }
  return {seen, width: document.documentElement.scrollWidth, window: window.innerWidth};
}"""


@dataclass(frozen=True, slots=True)
class _Mailbox:
    origin: str
    listener: MailDouble
    mails: dict[str, str]
    elsewhere: list[str]
    """Who connected to the server that the hostile mail would have the browser ask."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mailbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Mailbox]:
    directory = tmp_path_factory.mktemp("mail")
    elsewhere: list[str] = []

    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        elsewhere.append(str(writer.get_extra_info("peername")))
        writer.close()

    trap = await asyncio.start_server(connected, "127.0.0.1", 0)
    mails = _filled(directory, HOSTILE.replace("PORT", str(trap.sockets[0].getsockname()[1])))
    async with trap, mail_server() as double:
        listener = Server(host="127.0.0.1", port=double.port)
        async with served(lambda _origin: application(directory, listener)) as origin:
            yield _Mailbox(origin, double, mails, elsewhere)


def _filled(directory: Path, hostile: str) -> dict[str, str]:
    """A mailbox as the notify service fills it, and some mails that it would not send; ids by name."""
    mails: dict[str, str] = {}
    for minute, (name, update) in enumerate(every_kind("pl").items()):
        to = replace(envelope("pl"), message_id=f"<{minute}@mail.example>")
        mails[name] = put(directory, bytes(compose(update, to)), minute=minute)
    long_word = "Donaudampfschifffahrtsgesellschaft" * 12
    message = rich(f"<p>{long_word}</p>", f"{long_word}\nhttps://example.com/{long_word}", subject=long_word)
    message.add_attachment(b"x" * 123_456, maintype="text", subtype="csv", filename=f"{long_word[:150]}.csv")
    mails["long"] = put(directory, message.as_bytes(), minute=100)
    mails["text"] = put(directory, plain("Hello,\r\n\r\nonly text."), minute=101)
    mails["hostile"] = put(directory, rich(hostile).as_bytes(), minute=102)
    put(directory, plain("Hi", subject="Welcome"), person="james.carter@acme-clinic.example")
    return mails


def _paths(mails: dict[str, str]) -> dict[str, str]:
    paths = {"people": "/", "inbox": f"/people/{ANNA}", "write": f"/write?from={ANNA}", "problem": "/none"}
    for name in ("replied-member", "long", "text"):
        paths |= {
            f"{name}-{shown}": f"/mails/{mails[name]}?show={shown}" for shown in ("html", "text", "source")
        }
    return paths


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_fits_the_window_and_can_be_read(
    browser: Browser, mailbox: _Mailbox, language: Language, width: int, scheme: Scheme
) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        locale={"en": "en-GB", "pl": "pl-PL"}[language],
    )
    try:
        page = await context.new_page()
        for name, path in _paths(mailbox.mails).items():
            await page.goto(mailbox.origin + path)
            await _keep_picture(page, f"{name}-{language}-{width}-{scheme}")
            assert await page.evaluate("document.documentElement.lang") == language
            _check(name, await page.evaluate(_SEEN))
    finally:
        await context.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_script_in_a_mail_does_not_run_and_nothing_is_loaded(
    browser: Browser, mailbox: _Mailbox
) -> None:
    context = await browser.new_context()
    try:
        page = await context.new_page()
        for path in ("", "/body"):  # in its frame, and in a window of its own
            at = f"{mailbox.origin}/mails/{mailbox.mails['hostile']}{path}"
            await page.goto(at, wait_until="networkidle")
            frame = page.frames[-2] if path == "" else page.main_frame
            assert await frame.locator("#said").inner_text() == "harmless"
            await frame.locator("#send").click()
            assert page.url == at
        assert mailbox.elsewhere == []
    finally:
        await context.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_link_in_a_mail_opens_a_window_of_its_own(browser: Browser, mailbox: _Mailbox) -> None:
    context = await browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(f"{mailbox.origin}/mails/{mailbox.mails['hostile']}")
        async with page.expect_popup() as opened:
            await page.frame_locator("iframe").locator("#out").click()
        popup = await opened.value
        await popup.wait_for_load_state()
        assert popup.url == f"{mailbox.origin}/style.css"
        assert await popup.evaluate("window.opener") is None
    finally:
        await context.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_somebody_answers_from_their_inbox_without_javascript(
    browser: Browser, mailbox: _Mailbox, tmp_path: Path
) -> None:
    file = tmp_path / "zażółć.txt"
    file.write_text("in a file", encoding="utf-8")
    context = await browser.new_context(java_script_enabled=False, locale="pl-PL")
    try:
        page = await context.new_page()
        await page.goto(mailbox.origin)
        await page.get_by_role("link", name=ANNA).click()
        await page.get_by_role("link", name="Plik oferty jest odrzucany").first.click()
        await page.get_by_label("Treść").fill("Dziękuję,\nto działa.")
        await page.get_by_label("Pliki").set_input_files(file)
        mailbox.listener.data.append("550 5.7.1 It is closed")
        await page.get_by_role("button", name="Wyślij").click()
        await _keep_picture(page, "refused")
        assert await page.get_by_role("heading").inner_text() == "Serwer odrzucił wiadomość"
        assert await page.locator("pre").inner_text() == "550 5.7.1 It is closed"
        assert await page.get_by_label("Treść").input_value() == "Dziękuję,\nto działa."
        await page.get_by_label("Pliki").set_input_files(file)
        await page.get_by_role("button", name="Wyślij").click()
        await _keep_picture(page, "sent")
        assert await page.get_by_role("heading").inner_text() == "Serwer przyjął wiadomość"
        assert (await page.locator("pre").inner_text()).startswith("250 ")
    finally:
        await context.close()
    recipient, message = mailbox.listener.taken[-1]
    assert recipient.startswith("reply+")
    assert message["From"] == ANNA
    text = message.get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n").startswith("Dziękuję,\nto działa.\n\nW dniu ")
    (attached,) = list(message.iter_attachments())
    assert (attached.get_filename(), attached.get_payload(decode=True)) == ("zażółć.txt", b"in a file")


def _check(name: str, told: dict[str, Any]) -> None:
    assert told["width"] <= told["window"], f"{name}: it must be scrolled sideways"
    assert len(told["seen"]) >= 4
    for each in told["seen"]:
        assert each["right"] <= told["window"], f"{name}: {each['own'][:40]!r} is cut off"
        ratio = _contrast(each["ink"], each["ground"])
        assert ratio >= 4.5, f"{name}: {each['own'][:40]!r} has a contrast of {ratio:.1f} (WCAG 2.2, 1.4.3)"
        assert each["size"] >= 13, f"{name}: {each['own'][:40]!r} is too small"


def _contrast(ink: list[float], ground: list[float]) -> float:
    lighter, darker = sorted((_luminance(ink), _luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: list[float]) -> float:
    """WCAG 2.2, relative luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


async def _keep_picture(page: Page, name: str) -> None:
    if folder := os.environ.get("CASETRAIL_SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
