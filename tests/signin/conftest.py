"""A service to sign in to, with a real NATS server and real providers behind it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from starlette.applications import Starlette

from services.runtime.settings import load
from services.runtime.streams import ensure_streams
from services.signin.mount import signing_in
from services.signin.people import PeopleInMemory
from services.signin.settings import SignInSettings
from tests.signin.clock import MovableClock
from tests.signin.forging_provider import CLIENT_SECRET, ForgingProvider
from tests.signin.portal import portal
from tests.signin.serving import served

ROOT = Path(__file__).parents[2]
KEY = "a key of the tests, long enough to be one".replace(" ", "-")

StartPortal = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
async def js(nats_client: Client) -> JetStreamContext:
    """JetStream, with the bucket of sessions."""
    assert await ensure_streams(nats_client, replicas=1) == []
    return nats_client.jetstream(timeout=2)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "session.key"
    path.write_text(f"{KEY}\n")
    return path


@pytest.fixture
def people() -> PeopleInMemory:
    return PeopleInMemory()


@pytest.fixture
def start_portal(
    js: JetStreamContext, clock: MovableClock, people: PeopleInMemory, key_file: Path, tmp_path: Path
) -> StartPortal:
    """Serves a portal that trusts the provider of this issuer; yields its origin."""
    secret_file = tmp_path / "client.secret"
    secret_file.write_text(f"{CLIENT_SECRET}\n")

    @contextlib.asynccontextmanager
    async def start(issuer: str, *, certificate: Path | None = None) -> AsyncIterator[str]:
        async with AsyncExitStack() as running:
            application = Starlette()

            def made(origin: str) -> Starlette:
                application.state.origin = origin
                return application

            origin = await running.enter_async_context(served(made, certificate=certificate))
            settings = load(
                SignInSettings,
                env="development",
                oidc_development=True,
                public_url=origin,
                oidc_issuer=issuer,
                oidc_client_secret_file=secret_file,
                session_key_file=key_file,
            )
            signin = await running.enter_async_context(signing_in(settings, js, people, clock=clock))
            application.router.routes.extend(portal(signin).routes)
            yield origin

    return start


@pytest.fixture(scope="session")
def identity() -> Iterator[str]:
    """The development provider, as a process of its own; its issuer."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
    with subprocess.Popen(
        [sys.executable, "-m", "services.embedded.identity"],
        cwd=ROOT,
        env=env | {"CASETRAIL_ENV": "development", "CASETRAIL_IDENTITY_PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")  # ends when the process does
        issuer = next((found for line in said if (found := json.loads(line).get("issuer"))), None)
        try:
            assert issuer is not None
            yield issuer
        finally:
            process.terminate()
            rest = process.stderr.read()
    assert process.returncode == 0, rest


@pytest.fixture
async def forging() -> AsyncIterator[ForgingProvider]:
    """A provider that lies as it is told."""
    provider = ForgingProvider()
    async with served(provider.application):
        yield provider


@pytest.fixture
async def dev_portal(start_portal: StartPortal, identity: str) -> AsyncIterator[str]:
    """A portal whose people sign in with the development provider; its origin."""
    async with start_portal(identity) as origin:
        yield origin


@pytest.fixture
async def forged_portal(start_portal: StartPortal, forging: ForgingProvider) -> AsyncIterator[str]:
    """A portal whose people sign in with `forging`; its origin."""
    async with start_portal(forging.issuer) as origin:
        yield origin


@pytest.fixture
async def browser() -> AsyncIterator[httpx2.AsyncClient]:
    """One browser's cookies; follows nothing by itself."""
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client


@pytest.fixture
async def other_browser() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client
