from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from services.runtime.health import Health
from services.runtime.settings import SettingsInvalid


async def get(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    head, body = answer.split("\r\n\r\n", 1)
    return int(head.split()[1]), body


async def ready(port: int) -> tuple[int, dict[str, Any]]:
    status, body = await get(port, "/readyz")
    answer = json.loads(body)
    return status, {check["name"]: (check["ok"], check["reason"]) for check in answer["checks"]}


async def is_fine() -> str | None:
    return None


async def is_behind() -> str | None:
    return "12 events behind"


async def never_answers() -> str | None:
    await asyncio.Event().wait()
    return None


async def fails() -> str | None:
    raise ConnectionError("gone")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def health(registry: CollectorRegistry) -> AsyncIterator[Health]:
    health = Health(registry, check_timeout_s=0.2)
    yield health
    await health.stop()


async def test_a_service_that_has_no_check_yet_lives_and_is_not_ready(health: Health) -> None:
    port = await health.start("127.0.0.1", 0)
    assert await get(port, "/livez") == (200, "ok\n")
    assert await ready(port) == (503, {})


async def test_readiness_says_which_check_fails_and_why(health: Health) -> None:
    health.add_check("nats", is_fine)
    health.add_check("replica", is_behind)
    port = await health.start("127.0.0.1", 0)
    assert await ready(port) == (503, {"nats": (True, None), "replica": (False, "12 events behind")})
    assert (await get(port, "/livez"))[0] == 200


async def test_checks_that_hang_or_fail_are_reasons_and_hold_up_nothing(health: Health) -> None:
    for name in ("one", "two", "three", "four"):
        health.add_check(name, never_answers)
    health.add_check("broken", fails)
    health.add_check("nats", is_fine)
    port = await health.start("127.0.0.1", 0)
    began = time.monotonic()
    status, checks = await ready(port)
    assert time.monotonic() - began < 0.75, "they run one after the other"
    assert status == 503
    assert checks["one"] == (False, "no answer within 0.2 s")
    assert checks["broken"] == (False, "ConnectionError: gone")
    assert checks["nats"] == (True, None)


async def test_metrics_are_those_of_the_registry(health: Health, registry: CollectorRegistry) -> None:
    Counter("requests", "Requests.", ["outcome"], registry=registry).labels("ok").inc(3)
    port = await health.start("127.0.0.1", 0)
    status, body = await get(port, "/metrics")
    assert status == 200
    assert 'requests_total{outcome="ok"} 3.0' in body.splitlines()


async def test_a_check_cannot_replace_another(health: Health) -> None:
    health.add_check("nats", is_fine)
    with pytest.raises(ValueError, match="nats"):
        health.add_check("nats", is_behind)


async def test_a_taken_port_is_told_with_its_setting(health: Health) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsInvalid, match=f"CASETRAIL_HEALTH_PORT: '{port}'.*in use"):
            await health.start("127.0.0.1", port)


async def test_an_unknown_host_is_told_with_its_setting(health: Health) -> None:
    with pytest.raises(SettingsInvalid, match="CASETRAIL_HEALTH_HOST: 'not a host'"):
        await health.start("not a host", 0)


@pytest.mark.parametrize("path", [None, "/livez", "/readyz"], ids=["silent", "kept alive", "under way"])
async def test_it_stops_at_once_with_connections_open(health: Health, path: str | None) -> None:
    entered = asyncio.Event()

    async def under_way() -> str | None:
        entered.set()
        return await never_answers()

    patient = Health(CollectorRegistry(), check_timeout_s=30)
    patient.add_check("slow", under_way)
    port = await patient.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if path:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        await (entered.wait() if path == "/readyz" else reader.readuntil(b"ok\n"))
    began = time.monotonic()
    await patient.stop()
    assert time.monotonic() - began < 0.5
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    with contextlib.suppress(ConnectionError):  # a request under way is cut off
        await writer.wait_closed()


async def test_signals_are_left_to_the_service(health: Health) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    await get(await health.start("127.0.0.1", 0), "/livez")
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_stopping_twice_is_harmless(health: Health) -> None:
    await health.start("127.0.0.1", 0)
    await health.stop()
    await health.stop()
