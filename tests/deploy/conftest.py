"""Where there is no Docker engine, container tests are skipped with the reason; in CI they fail."""

from __future__ import annotations

import os

import pytest

from tests.deploy.composition import engine_is_there


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine answers."""
    if engine_is_there():
        return
    reason = "no Docker engine answers (`make docker` as root starts one)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
