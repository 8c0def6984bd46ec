"""What is known of a provider: fetched rarely, renewed in time, and kept while the provider is away."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from joserfc.jwk import RSAKey

from services.signin.discovery import KEPT_FOR_S, NOT_AGAIN_WITHIN_S, Discovery
from services.signin.failures import Unavailable
from tests.signin.forging_provider import ForgingProvider

CONFIGURATION, KEYS = "/.well-known/openid-configuration", "/jwks"


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def discovery(forging: ForgingProvider, seconds: Seconds) -> AsyncIterator[Discovery]:
    async with httpx2.AsyncClient() as http:
        yield Discovery(forging.issuer, http, plain_http=True, now_s=seconds)


async def test_both_are_fetched_once_and_again_after_an_hour(
    discovery: Discovery, forging: ForgingProvider, seconds: Seconds
) -> None:
    for _ in range(3):
        await discovery.keys(forging.key.kid)
    assert forging.fetched == [CONFIGURATION, KEYS]
    seconds.now += KEPT_FOR_S
    await discovery.keys(forging.key.kid)
    assert forging.fetched == [CONFIGURATION, KEYS] * 2


async def test_a_key_that_is_not_known_is_looked_for_but_not_all_the_time(
    discovery: Discovery, forging: ForgingProvider, seconds: Seconds
) -> None:
    await discovery.keys(forging.key.kid)
    new = RSAKey.generate_key(2048, auto_kid=True)
    forging.published = [new]
    for _ in range(10):
        await discovery.keys(new.kid)
    assert forging.fetched.count(KEYS) == 1
    seconds.now += NOT_AGAIN_WITHIN_S
    assert [key.kid for key in await discovery.keys(new.kid)] == [new.kid]
    assert forging.fetched.count(KEYS) == 2


async def test_what_is_known_serves_on_while_the_provider_is_away(
    discovery: Discovery, forging: ForgingProvider, seconds: Seconds
) -> None:
    known = await discovery.metadata()
    forging.metadata = {"token_endpoint": None}
    seconds.now += KEPT_FOR_S
    assert await discovery.metadata() == known
    assert await discovery.metadata() == known
    assert forging.fetched == [CONFIGURATION] * 2
    forging.metadata = {"token_endpoint": f"{forging.issuer}/token2"}
    seconds.now += NOT_AGAIN_WITHIN_S
    assert (await discovery.metadata()).token_endpoint == f"{forging.issuer}/token2"


async def test_endpoints_without_tls_are_refused_but_in_development(forging: ForgingProvider) -> None:
    async with httpx2.AsyncClient() as http:
        with pytest.raises(Unavailable, match="without TLS"):
            await Discovery(forging.issuer, http).metadata()


async def test_keys_that_cannot_be_read_are_told(discovery: Discovery, forging: ForgingProvider) -> None:
    forging.published = []
    with pytest.raises(Unavailable, match="keys cannot be read"):
        await discovery.keys(None)
