"""One running system for the tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.portal.desk import DeskSystem, desk_running
from tests.portal.system import System, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Every service but notify, and the portal."""
    async with running(tmp_path_factory.mktemp("system")) as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DeskSystem]:
    """Every service and the portal, with e-mails in both ways."""
    async with desk_running(tmp_path_factory.mktemp("desk")) as desk:
        yield desk
