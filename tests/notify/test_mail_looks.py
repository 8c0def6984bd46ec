"""Every e-mail in a real browser: both languages, light and dark, narrow and wide.

With CASETRAIL_SCREENSHOTS set to a folder, a picture of each is kept there.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from contracts.wording import LANGUAGES, Language
from services.notify.compose import compose
from services.notify.updates import Update, What
from tests.browser import chromium
from tests.notify.letters import envelope, every_kind, news

Scheme = Literal["light", "dark"]

# Of each element with words of its own: its colour, that of the ground under it, the size of its letters, and
# how far they reach: what sticks out of the card is cut off there, so the page itself is no wider for it.
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
    const words = document.createRange();
    words.selectNodeContents(e);
    seen.push({own, ink: rgb(style.color).slice(0, 3), ground: ground(e),
               size: parseFloat(style.fontSize), right: words.getBoundingClientRect().right});
  }
  return {seen, width: document.documentElement.scrollWidth, window: window.innerWidth,
          h: document.documentElement.lang, links: [...document.links].map(a => a.href)};
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_kind_fits_the_window_and_can_be_read(
    browser: Browser, language: Language, width: int, scheme: Scheme
) -> None:
    asked: list[str] = []
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=True
    )
    try:
        page = await context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        for name, update in _letters(language).items():
            await page.set_content(_html(update, language))
            await _keep_picture(page, f"{name}-{language}-{width}-{scheme}")
            _check(name, await page.evaluate(_SEEN), language)
    finally:
        await context.close()
    assert asked == [], "an e-mail loads nothing"


def _letters(language: Language) -> dict[str, Update]:
    long_word = "Donaudampfschifffahrtsgesellschaft" * 12
    return every_kind(language) | {
        "long-words": news(
            What.REPLIED, language, title=long_word, author=long_word, text=f"https://example.com/{long_word}"
        )
    }


def _html(update: Update, language: Language) -> str:
    body = compose(update, envelope(language)).get_body(("html",))
    assert body is not None
    return str(body.get_content())


def _check(name: str, told: dict[str, Any], language: Language) -> None:
    assert told["width"] <= told["window"], f"{name}: it must be scrolled sideways"
    assert told["h"] == language
    assert len(told["seen"]) >= 4
    for each in told["seen"]:
        assert each["right"] <= told["window"], f"{name}: {each['own']!r} is cut off"
        ratio = _contrast(each["ink"], each["ground"])
        assert ratio >= 4.5, f"{name}: {each['own']!r} has a contrast of {ratio:.1f} (WCAG 2.2, 1.4.3)"
        assert each["size"] >= 13, f"{name}: {each['own']!r} is too small"
    assert all(link.startswith("https://") for link in told["links"])


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
