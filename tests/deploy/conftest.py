"""Where there is no Docker engine, container tests are skipped with the reason; in CI they fail."""

from __future__ import annotations

import os

import pytest

from tests.deploy.composition import engine_is_there
from tests.deploy.rendered import RESOURCES, TOOLS

# testcontainers would start a container that cleans up, from an image that cannot be pulled everywhere, and
# look for published ports elsewhere than on this machine.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
os.environ.setdefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine answers."""
    if engine_is_there():
        return
    reason = "no Docker engine answers (`make docker` as root starts one)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def tools() -> None:
    """helm and the others are there."""
    if (TOOLS / "helm").exists() and (RESOURCES.parent / "node_modules").exists():
        return
    reason = "no helm here, or not all that `make chart` installs"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
