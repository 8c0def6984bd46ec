"""What people do, step by step, over plain HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2

OWN_PAGE = {"sec-fetch-site": "same-origin"}


async def to_provider(browser: httpx2.AsyncClient, origin: str, return_to: str = "/") -> str:
    """Ask to sign in; the address that the provider is to be visited at."""
    sent = await browser.get(f"{origin}/sign-in", params={"return_to": return_to})
    assert sent.status_code == 303, sent.text
    return sent.headers["location"]


async def choose(browser: httpx2.AsyncClient, provider_url: str, email: str) -> str:
    """Say who one is to the development provider; the address that it sends back to."""
    chosen = await browser.post(provider_url, data={"sub": email})
    assert chosen.status_code == 302, chosen.text
    return chosen.headers["location"]


async def forged(browser: httpx2.AsyncClient, provider_url: str) -> str:
    """Visit the forging provider; the address that it sends back to."""
    return (await browser.get(provider_url)).headers["location"]


async def sign_in(browser: httpx2.AsyncClient, origin: str, email: str, return_to: str = "/") -> None:
    """The whole way, with the development provider."""
    callback = await choose(browser, await to_provider(browser, origin, return_to), email)
    back = await browser.get(callback)
    assert back.status_code == 303, back.text
    assert back.headers["location"] == f"{origin}{return_to}"


async def whoami(browser: httpx2.AsyncClient, origin: str) -> dict[str, Any] | None:
    """The session; None when nobody is signed in."""
    answer = await browser.get(f"{origin}/")
    assert answer.status_code in {200, 401}
    found: dict[str, Any] | None = answer.json()
    return found


async def until(condition: Callable[[], bool], *, within_s: float = 10) -> None:
    """Wait for something that happens by itself."""
    async with asyncio.timeout(within_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)
