"""News of tickets, as pages wait for them."""

from __future__ import annotations

import pytest

from services.portal.live import News
from tests.portal.system import ACME, System

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_whoever_waits_for_news_is_let_go_when_the_process_ends(system: System) -> None:
    news = News(system.cli, user="cli")
    waiting = news.of(ACME)
    assert await anext(waiting) == 0
    news.close()
    assert [position async for position in waiting] == []
    assert [position async for position in news.of(ACME)] == [], "nor is anybody kept who comes later"
