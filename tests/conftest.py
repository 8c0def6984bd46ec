"""Real servers for the tests: each has a free port, a directory of its own, and ends with its test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from contracts.subjects import inbox_prefix
from services.credentials.creds import creds_file
from services.credentials.operator import Operator
from services.credentials.permissions import USERS, Permissions, Zone, subscriber
from services.embedded.nats_server import NatsServer
from services.runtime.streams import ensure_streams

os.environ.pop("COLUMNS", None)  # that of whoever runs the tests: tables have the width of a pipe

ACME, GLOBEX = "acme", "globex"
"""Two accounts, each of which has one subscriber: users `acme-systems` and `globex-systems`."""

TEST_USERS = {
    # looks at what the others did, in the NATS account that holds the log
    "root": Permissions(zone=Zone.SERVICES, publish=(">",), subscribe=(">",)),
    # may only ask, as `cli`, but stands on the wrong side
    "insider": Permissions(
        zone=Zone.SERVICES, publish=("requests.>", "$SRV.>"), subscribe=("_INBOX.insider.>",)
    ),
    f"{ACME}-systems": subscriber(f"{ACME}-systems", ACME),
    f"{GLOBEX}-systems": subscriber(f"{GLOBEX}-systems", GLOBEX),
}


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A server where anyone may do anything."""
    server = await NatsServer.start(tmp_path / "nats")
    yield server
    await server.stop()


@pytest.fixture
async def nats_client(nats_server: NatsServer) -> AsyncIterator[Client]:
    """A connection to `nats_server`."""
    client = await nats.connect(nats_server.url)
    yield client
    await client.close()


class SecuredNats:
    """A server with the users of the embedded system and `TEST_USERS`."""

    def __init__(self, server: NatsServer, operator: Operator, creds: Path, clients: AsyncExitStack) -> None:
        self.server = server
        self.operator = operator
        self.violations: list[str] = []
        """What the server refused to any client, in its own words."""
        self._creds = creds
        self._clients = clients

    def creds_file(self, user: str) -> Path:
        return creds_file(self._creds, user)

    async def connect(self, user: str) -> Client:
        """A connection as that user, closed with the test."""

        async def note(error: Exception) -> None:
            self.violations.append(str(error))

        client = await nats.connect(
            self.server.url,
            name=user,
            user_credentials=str(self.creds_file(user)),
            inbox_prefix=inbox_prefix(user),
            error_cb=note,
        )
        self._clients.push_async_callback(client.close)
        return client


@pytest.fixture
async def secured_nats(tmp_path: Path) -> AsyncIterator[SecuredNats]:
    """A server as `casetrail up` starts it, with the streams made by its user `setup`."""
    operator = Operator.kept(tmp_path / "operator")
    operator.keep_creds(tmp_path / "creds", {**USERS, **TEST_USERS})
    server = await NatsServer.start(tmp_path / "secured-nats", trust=operator.trust)
    async with AsyncExitStack() as clients:
        secured = SecuredNats(server, operator, tmp_path / "creds", clients)
        assert await ensure_streams(await secured.connect("setup"), replicas=1) == []
        yield secured
    await server.stop()
