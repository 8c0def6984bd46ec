"""`python -m tests.portal.screenshots DIRECTORY`: every page, light and dark, wide and narrow."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Final, Literal

from playwright.async_api import Browser

from services.runtime import logs
from tests.browser import chromium
from tests.portal.desk import desk_running
from tests.portal.gallery import PEOPLE, Sight, furnished, sights
from tests.portal.system import System

Scheme = Literal["light", "dark"]

WIDTHS: Final = {"wide": 1280, "narrow": 375}
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
LANGUAGES: Final = ("en", "pl")


def main() -> None:
    """Write them all."""
    parser = argparse.ArgumentParser(prog="python -m tests.portal.screenshots", description=__doc__)
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    logs.configure("console", "error", "screenshots")
    written = asyncio.run(_write(directory))
    sys.stdout.write(f"{written} pictures are in {directory}\n")


async def _write(directory: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="casetrail-screenshots-") as data:
        async with desk_running(Path(data)) as desk, chromium() as chrome:
            system = desk.system
            pages = await sights(system, await furnished(desk))
            written = 0
            for who, width, scheme, language in itertools.product(PEOPLE, WIDTHS, SCHEMES, LANGUAGES):
                ours = [sight for sight in pages if sight.who == who]
                look = f"{width}-{scheme}-{language}"
                written += await _of(system, chrome, ours, directory, look, width, scheme, language)
            return written


async def _of(
    system: System,
    chrome: Browser,
    pages: list[Sight],
    directory: Path,
    look: str,
    width: str,
    scheme: Scheme,
    language: str,
) -> int:
    if not pages:
        return 0
    context = await system.person(
        chrome,
        pages[0].email,
        language=language,
        viewport={"width": WIDTHS[width], "height": 800},
        color_scheme=scheme,
    )
    page = await context.new_page()
    for sight in pages:
        await page.goto(sight.path)
        await page.screenshot(path=directory / f"{sight.name}-{look}.png", full_page=True)
    await context.close()
    return len(pages)


if __name__ == "__main__":
    main()
