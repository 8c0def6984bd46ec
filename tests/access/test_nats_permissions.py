"""On NATS only the access service writes the access log, and only the terminal speaks for the terminal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import nats.errors
import pytest

from contracts.subjects import ACCESS, account_events, person_events, request, system_request
from services.runtime.streams import stream_info
from tests.access.conftest import TERMINAL, new_id, running
from tests.conftest import SecuredNats


async def refused_by_the_server(nats: SecuredNats, violations: int) -> None:
    """Wait until the server has refused so much."""
    async with asyncio.timeout(10):
        while len(nats.violations) < violations:  # noqa: ASYNC110  # the list is the server's to fill
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("user", ["tickets", "cli", "acme-systems", "setup"])
async def test_nobody_else_writes_the_access_log(secured_nats: SecuredNats, user: str) -> None:
    client = await secured_nats.connect(user)
    await client.publish(account_events("acme"), b"{}")
    await client.publish(person_events("p"), b"{}")
    await client.flush()
    await refused_by_the_server(secured_nats, 2)
    root = await secured_nats.connect("root")
    assert (await stream_info(root, ACCESS))["state"]["last_seq"] == 0


async def test_the_access_service_writes_its_own_log_and_changes_no_stream(secured_nats: SecuredNats) -> None:
    client = await secured_nats.connect("access")
    await client.publish("events.tickets.acme.4830291741", b"{}")
    for verb in ("UPDATE", "PURGE", "DELETE", "RESTORE"):
        await client.publish(f"$JS.API.STREAM.{verb}.{ACCESS.name}", b"{}")
    await client.flush()
    await refused_by_the_server(secured_nats, 5)
    reply = await client.request(account_events("acme"), b"{}", timeout=5)
    assert json.loads(reply.data)["seq"] == 1


async def test_another_system_cannot_appoint_anybody(secured_nats: SecuredNats, tmp_path: Path) -> None:
    command = {"command_id": new_id(), "actor": TERMINAL, "email": "x@example.com", "role": "operator"}
    body = json.dumps(command).encode()
    async with running(await secured_nats.connect("access"), tmp_path):
        system = await secured_nats.connect("acme-systems")
        for subject in (system_request("cli", "access", "appoint"), request("access", "appoint")):
            with pytest.raises(nats.errors.TimeoutError):
                await system.request(subject, body, timeout=0.5)
        assert len(secured_nats.violations) == 2
        terminal = await secured_nats.connect("cli")
        reply = await terminal.request(request("access", "appoint"), body, timeout=5)
        assert json.loads(reply.data)["code"] == "actor_not_yours"
        reply = await terminal.request(system_request("cli", "access", "appoint"), body, timeout=5)
        assert json.loads(reply.data)["revision"] == 2
