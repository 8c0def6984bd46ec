"""Every page against WCAG 2.2 AA, by axe and by the keyboard: both languages, wide, narrow, light, dark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page

from tests.browser import chromium
from tests.portal.desk import DeskSystem
from tests.portal.gallery import PEOPLE, Sight, furnished, sights

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900), pytest.mark.pages]

RULES: Final = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    }
}
WAYS: Final[tuple[dict[str, Any], ...]] = (
    {"language": "en", "viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    {"language": "pl", "viewport": {"width": 375, "height": 740}, "color_scheme": "dark"},
)

_NEXT: Final = """() => {
    const e = document.activeElement;
    if (!e || e === document.body) return null;
    const box = e.getBoundingClientRect();
    const shows = style => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0
        || style.boxShadow !== 'none';
    const seen = shows(getComputedStyle(e)) || shows(getComputedStyle(e, '::after')) || e.tagName === 'IFRAME'
        || e.matches('input[type=radio], input[type=checkbox], input[type=file]');
    e.dataset.reached = '1';
    return { what: e.outerHTML.slice(0, 120), seen, there: box.width > 0 && box.height > 0 };
}"""
_LEFT: Final = """() => [...document.querySelectorAll(
        'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
    .filter(e => !e.disabled && e.tabIndex >= 0 && !e.dataset.reached
        && e.checkVisibility({visibilityProperty: true})
        && !(e.type === 'radio'
            && document.querySelector(`input[name="${CSS.escape(e.name)}"][data-reached]`)))
    .map(e => e.outerHTML.slice(0, 120))"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chrome() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pages(desk: DeskSystem) -> list[Sight]:
    return await sights(desk.system, await furnished(desk))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way['language']}-{way['color_scheme']}")
async def test_no_page_breaks_a_rule(
    desk: DeskSystem, chrome: Browser, pages: list[Sight], way: dict[str, Any]
) -> None:
    broken: list[str] = []
    for who, email in PEOPLE.items():
        context = await desk.system.person(chrome, email, **way)
        page = await context.new_page()
        for sight in (each for each in pages if each.who == who):
            await page.goto(sight.path)
            broken += [f"{sight.name}: {problem}" for problem in await _problems(page)]
        await context.close()
    assert "\n".join(broken) == ""


async def _problems(page: Page) -> list[str]:
    found = (await Axe().run(page, options=RULES)).response["violations"]
    problems = [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found]
    width = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if width > 0:
        problems.append(f"is {width} pixels wider than the window")
    return problems


async def test_everything_is_reached_by_the_keyboard_and_shows_that_it_is(
    desk: DeskSystem, chrome: Browser, pages: list[Sight]
) -> None:
    missed: list[str] = []
    for who, email in PEOPLE.items():
        context = await desk.system.person(chrome, email, viewport={"width": 1280, "height": 900})
        page = await context.new_page()
        for sight in (each for each in pages if each.who == who):
            await page.goto(sight.path)
            missed += [f"{sight.name}: {problem}" for problem in await _missed(page)]
        await context.close()
    assert "\n".join(missed) == ""


async def _missed(page: Page) -> list[str]:
    problems: list[str] = []
    ends = 0  # a page may begin in its middle: at an error
    for _ in range(300):
        await page.keyboard.press("Tab")
        at = await page.evaluate(_NEXT)
        if at is None:
            ends += 1
            if ends == 2:
                break
            continue
        if not at["seen"]:
            problems.append(f"shows no focus: {at['what']}")
    else:
        problems.append("the keyboard does not come to an end")
    return problems + [f"not reached: {each}" for each in await page.evaluate(_LEFT)]
