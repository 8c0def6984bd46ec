"""What a service that people sign in to needs on NATS, as a user who otherwise may nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from contracts.access.people import person_id
from contracts.subjects import OUTSIDE_DOMAIN, SESSIONS, SESSIONS_STREAM, inbox_prefix
from services.credentials.creds import creds_file
from services.credentials.operator import Operator
from services.credentials.permissions import USERS, Permissions, Zone
from services.embedded.nats_server import NatsServer
from services.runtime.streams import ensure_streams
from services.signin.attempts import Attempts
from services.signin.sessions import Sessions, utc_now
from tests.signin.conftest import KEY

JAN = person_id("jan@example.com")
API = f"$JS.{OUTSIDE_DOMAIN}.API"
SIGNING_IN = Permissions(
    zone=Zone.OUTSIDE,
    publish=(
        f"$KV.{SESSIONS}.>",
        f"{API}.STREAM.INFO.{SESSIONS_STREAM}",
        f"{API}.STREAM.MSG.GET.{SESSIONS_STREAM}",
    ),
    subscribe=(f"{inbox_prefix('portal')}.>",),
)


@pytest.fixture
async def portal_user(tmp_path: Path) -> AsyncIterator[Client]:
    """A connection with those permissions, to a server with the streams as `setup` makes them."""
    operator = Operator.kept(tmp_path / "operator")
    operator.keep_creds(tmp_path / "creds", {**USERS, "portal": SIGNING_IN})
    server = await NatsServer.start(tmp_path / "nats", trust=operator.trust)
    clients = [
        await nats.connect(
            server.url,
            user_credentials=str(creds_file(tmp_path / "creds", user)),
            inbox_prefix=inbox_prefix(user),
        )
        for user in ("setup", "portal")
    ]
    assert await ensure_streams(clients[0], replicas=1) == []
    yield clients[1]
    for client in clients:
        await client.close()
    await server.stop()


async def test_three_subjects_are_all_that_signing_in_needs(portal_user: Client) -> None:
    js = portal_user.jetstream(domain=OUTSIDE_DOMAIN)
    sessions = Sessions(js, idle=timedelta(minutes=30), absolute=timedelta(hours=12))
    attempts = Attempts(js, keys=[KEY])
    await attempts.use(attempts.start("/", utc_now()))
    keys = [await sessions.begin(JAN) for _ in range(3)]
    assert await sessions.find(keys[0]) is not None
    await sessions.end(keys[0])
    assert await sessions.find(keys[0]) is None
    assert await sessions.end_all(JAN) == 2
    assert await sessions.find(keys[1]) is None
