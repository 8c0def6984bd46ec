"""Two servers as `casetrail up` starts them, of operators of their own: one that works, one that is empty."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from contracts.subjects import (
    ACCESS,
    DRAFTS,
    INTAKE,
    INTERESTS,
    MAIL,
    NOTIFY,
    TICKETS,
    UPLOADS,
    bucket_stream,
)
from services.backup.archive import reading
from services.backup.check import checked
from services.backup.restore import restore_backup
from services.backup.take import take_backup
from services.credentials.operator import Operator
from services.credentials.permissions import RESTORE_USER, RESTORE_USER_NAME, USERS
from services.embedded.nats_server import NatsServer
from services.files.store import FileStore
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings, load
from tests.conftest import TEST_USERS, SecuredNats

EVENTS = 1200
"""More than the server hands out at once."""

StartEmpty = Callable[[], AbstractAsyncContextManager["SecuredNats"]]


def quiet(stream: str, *, messages: int, of: int) -> None:
    """Progress that nobody looks at."""


async def fill(nc: Client) -> None:
    """Something in every kind of stream: events, values of which older ones are gone, files in pieces."""
    js = nc.jetstream()
    for number in range(EVENTS):
        event = json.dumps({"n": number, "text": "zażółć" * (number % 50)}, ensure_ascii=False).encode()
        headers = {"Nats-Msg-Id": f"event-{number}"}
        publish = js.publish if number == EVENTS - 1 else nc.publish  # the last is acknowledged after all
        await publish(f"events.tickets.acme.{number % 300}", event, headers=headers)
    await js.publish("events.access.account.acme", b'{"account": "acme"}')
    await js.publish("events.intake.submissions.acme.s1", b'{"submission": "s1"}')
    await js.publish("events.notify.mails.m1", b'{"mail": "m1"}', headers={"Traceparent": "00-ab-cd-01"})
    for value in (b"first", b"second", b"third"):
        await js.publish(f"$KV.{DRAFTS}.ann.acme.d1", value)
    await js.publish(f"$KV.{DRAFTS}.ann.acme.d2", b"")  # without content
    await FileStore(nc, UPLOADS).write("file", "nuid1", b"\x00\xff" * (600 << 10), {"upload": "{}"})
    await FileStore(nc, MAIL).write("mail", "nuid2", b"From: ann", {})


async def contents(nc: Client) -> dict[str, list[tuple[object, ...]]]:
    """Every message of what a backup holds: position, time, subject, headers, payload."""
    js = nc.jetstream()
    found: dict[str, list[tuple[object, ...]]] = {}
    names = [stream.name for stream in (TICKETS, ACCESS, INTAKE, NOTIFY)]
    buckets = [bucket_stream(DRAFTS), bucket_stream(INTERESTS)]
    for stream in (*names, *buckets, "OBJ_UPLOADS", "OBJ_ATTACHMENTS", "OBJ_MAIL", "DEAD_LETTERS"):
        state = (await js.stream_info(stream)).state
        found[stream] = [("ends", state.last_seq, state.messages)]
        for position in range(max(1, state.first_seq), state.last_seq + 1):
            with contextlib.suppress(NotFoundError):
                message = await js.get_msg(stream, position)
                found[stream].append((position, message.time, message.subject, message.hdrs, message.data))
    return found


@pytest.fixture
def start_empty(tmp_path: Path) -> StartEmpty:
    """Starts a server on which nothing is, with an operator and users of its own."""

    @contextlib.asynccontextmanager
    async def start() -> AsyncIterator[SecuredNats]:
        operator = Operator.kept(tmp_path / "empty-operator")
        operator.keep_creds(tmp_path / "empty-creds", {**USERS, **TEST_USERS})
        creds = tmp_path / "empty-creds" / f"{RESTORE_USER_NAME}.creds"
        operator.issue(RESTORE_USER_NAME, RESTORE_USER).write(creds)
        server = await NatsServer.start(tmp_path / "empty-nats", trust=operator.trust)
        async with contextlib.AsyncExitStack() as clients:
            yield SecuredNats(server, operator, tmp_path / "empty-creds", clients)
        await server.stop()

    return start


@contextlib.asynccontextmanager
async def user(secured: SecuredNats, name: str) -> AsyncIterator[Client]:
    """A connection as the runtime makes it, which parses headers when somebody looks."""
    settings = load(RuntimeSettings, nats_url=secured.server.url, nats_creds=secured.creds_file(name))
    nc = await connect(settings, user=name)
    try:
        yield nc
    finally:
        await nc.close()


async def anybody(server: NatsServer) -> Client:
    """A connection, as the runtime makes it, to a server where anyone may do anything."""
    return await connect(load(RuntimeSettings, nats_url=server.url), user="anybody")


async def backed_up(secured: SecuredNats, path: Path) -> str:
    """Takes a backup as its user; returns the fingerprint."""
    async with user(secured, "backup") as nc:
        _, fingerprint = await take_backup(nc, path, progress=quiet)
    return fingerprint


async def restored(secured: SecuredNats, path: Path, *, fingerprint: str | None = None) -> None:
    """Checks a backup and restores it as its user. Raises BackupError."""
    with reading(path) as archive:
        manifest, _ = checked(archive, fingerprint=fingerprint)
        async with user(secured, RESTORE_USER_NAME) as nc:
            await restore_backup(nc, archive, manifest, replicas=1, progress=quiet)
