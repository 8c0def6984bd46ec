"""Whom a real server lets in, and how soon somebody who is revoked hears nothing any more."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest
from nats.aio.client import Client, RawCredentials

from contracts.follow import Follower, FollowError
from contracts.subjects import OUTSIDE_DOMAIN, TICKETS, consumer_names, inbox_prefix, ticket_events
from services.credentials import jwt
from services.credentials.creds import Creds
from services.credentials.nkeys import KeyKind, KeyPair
from services.credentials.operator import Operator
from services.credentials.permissions import Permissions, Zone, subscriber
from services.credentials.push import NotTaken, push_account
from services.runtime.connection import BrokerUnavailable
from services.runtime.settings import RuntimeSettings, load
from tests.conftest import ACME, GLOBEX, SecuredNats
from tests.credentials.let_in import is_let_in, until

USER = "acme_sync"
MAY = subscriber(USER, ACME)
GONE_WITHIN_S = 1.0


@pytest.fixture
def operator(secured_nats: SecuredNats) -> Operator:
    return secured_nats.operator


@pytest.fixture
async def clients() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def connect(nats_: SecuredNats, creds: Creds, clients: AsyncExitStack, **callbacks: Any) -> Client:
    """A connection with these credentials, closed with the test."""

    async def quiet(_: Exception) -> None:
        """What is refused is seen by what happens."""

    client = await nats.connect(
        nats_.server.url,
        user_credentials=RawCredentials(creds.text()),
        inbox_prefix=inbox_prefix(creds.user),
        **{"error_cb": quiet, **callbacks},
    )
    clients.push_async_callback(client.close)
    return client


async def refused(nats_: SecuredNats, creds: Creds) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "creds"
        creds.write(file)
        return not await is_let_in(nats_.server.url, creds.user, file)


def signed_by(path: Path, kind: KeyKind) -> KeyPair:
    return KeyPair.read(path, kind)


def claims_of(creds: Creds) -> dict[str, Any]:
    text = creds.jwt.split(".")[1]
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return content


Forge = Callable[[Operator, Creds, Path], Creds]


def _of(creds: Creds, token: str, key: KeyPair | None = None) -> Creds:
    return Creds(user=creds.user, jwt=token, key=key or creds.key)


def _now() -> int:
    return int(time.time())


def _signed_by_nobody_known(_operator: Operator, creds: Creds, _keys: Path) -> Creds:
    return _of(creds, jwt.encode(claims_of(creds), KeyPair.new(KeyKind.ACCOUNT), issued_at=_now()))


def _signed_by_the_user(_operator: Operator, creds: Creds, _keys: Path) -> Creds:
    return _of(creds, jwt.encode(claims_of(creds), creds.key, issued_at=_now()))


def _signed_by_another_operators_account(_operator: Operator, creds: Creds, keys: Path) -> Creds:
    return Operator.kept(keys.with_name("other")).issue(creds.user, MAY)


def _more_permissions(_operator: Operator, creds: Creds, _keys: Path) -> Creds:
    header, _, signature = creds.jwt.split(".")
    claims = claims_of(creds)
    claims["nats"]["pub"] = {"allow": [">"]}
    text = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return _of(creds, f"{header}.{text}.{signature}")


def _into_the_account_of_the_log(operator: Operator, creds: Creds, keys: Path) -> Creds:
    claims = claims_of(creds)
    claims["nats"]["issuer_account"] = operator.account_key(Zone.SERVICES)
    outside = signed_by(keys / "OUTSIDE.nk", KeyKind.ACCOUNT)
    return _of(creds, jwt.encode(claims, outside, issued_at=_now()))


def _into_the_servers_own_account(operator: Operator, creds: Creds, keys: Path) -> Creds:
    claims = claims_of(creds)
    claims["nats"]["issuer_account"] = operator.account_key(Zone.SYSTEM)
    services = signed_by(keys / "SERVICES.nk", KeyKind.ACCOUNT)
    return _of(creds, jwt.encode(claims, services, issued_at=_now()))


def _a_stolen_jwt_without_its_key(_operator: Operator, creds: Creds, _keys: Path) -> Creds:
    return _of(creds, creds.jwt, KeyPair.new(KeyKind.USER))


def _a_bearer_token(_operator: Operator, creds: Creds, keys: Path) -> Creds:
    claims = claims_of(creds)
    claims["nats"]["bearer_token"] = True
    outside = signed_by(keys / "OUTSIDE.nk", KeyKind.ACCOUNT)
    return _of(creds, jwt.encode(claims, outside, issued_at=_now()), KeyPair.new(KeyKind.USER))


def _expired(operator: Operator, _creds: Creds, _keys: Path) -> Creds:
    return operator.issue(USER, MAY, expires=datetime.now(UTC) - timedelta(seconds=2))


FORGERIES: tuple[Forge, ...] = (
    _signed_by_nobody_known,
    _signed_by_the_user,
    _signed_by_another_operators_account,
    _more_permissions,
    _into_the_account_of_the_log,
    _into_the_servers_own_account,
    _a_stolen_jwt_without_its_key,
    _a_bearer_token,
    _expired,
)


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__.strip("_"))
async def test_what_we_did_not_issue_is_refused(
    secured_nats: SecuredNats, operator: Operator, tmp_path: Path, clients: AsyncExitStack, forge: Forge
) -> None:
    creds = operator.issue(USER, MAY)
    assert await refused(secured_nats, forge(operator, creds, tmp_path / "operator"))
    await connect(secured_nats, creds, clients)  # the test can fail


async def test_nobody_gets_in_without_credentials(secured_nats: SecuredNats) -> None:
    assert not await is_let_in(secured_nats.server.url, USER, None)


async def test_a_connection_ends_when_its_credentials_expire(
    secured_nats: SecuredNats, operator: Operator, clients: AsyncExitStack
) -> None:
    creds = operator.issue(USER, MAY, expires=datetime.now(UTC) + timedelta(seconds=2))
    closed = asyncio.Event()

    async def on_closed() -> None:
        closed.set()

    await connect(secured_nats, creds, clients, closed_cb=on_closed)
    async with asyncio.timeout(5):
        await closed.wait()
        while not await refused(secured_nats, creds):  # the server counts in whole seconds
            pass


async def test_nobody_but_the_operator_changes_an_account(
    secured_nats: SecuredNats, operator: Operator, tmp_path: Path, clients: AsyncExitStack
) -> None:
    creds = operator.issue(USER, MAY)
    other = Operator.kept(tmp_path / "other")
    settings = load(RuntimeSettings, nats_url=secured_nats.server.url)
    with pytest.raises(BrokerUnavailable, match="Authorization Violation"):
        await push_account(other, other.revoke(creds.public_key), settings, wait_s=1)

    root = await secured_nats.connect("root")  # may do anything, but in another account
    revoked = operator.revoke(creds.public_key)
    with pytest.raises(nats.errors.NoRespondersError):
        await root.request("$SYS.REQ.CLAIMS.UPDATE", revoked.encode(), timeout=2)
    await connect(secured_nats, creds, clients)


class Listener:
    """Follows the events of an account, and notes when it saw each of them."""

    def __init__(self, nc: Client, account: str, user: str) -> None:
        self.seen: list[tuple[int, float]] = []
        self.lost: list[str] = []
        self._follower = Follower(
            nc,
            TICKETS.name,
            ticket_events(account, ">"),
            names=consumer_names(user),
            domain=OUTSIDE_DOMAIN,
            on_lost=self.lost.append,
        )

    async def run(self) -> None:
        async for batch in self._follower.batches():
            self.seen += ((int(message.payload), time.perf_counter()) for message in batch.messages)


async def test_who_is_revoked_hears_nothing_any_more_and_nobody_else_notices(
    secured_nats: SecuredNats,
    operator: Operator,
    clients: AsyncExitStack,
    record_property: Callable[[str, object], None],
) -> None:
    revoked, other = (
        operator.issue(USER, MAY),
        operator.issue("globex_sync", subscriber("globex_sync", GLOBEX)),
    )
    log = await secured_nats.connect("tickets")
    acme = Listener(await connect(secured_nats, revoked, clients), ACME, USER)
    globex = Listener(await connect(secured_nats, other, clients), GLOBEX, "globex_sync")
    published = 0

    async def publish() -> None:
        nonlocal published
        while True:
            published += 1
            for account in (ACME, GLOBEX):
                await log.publish(ticket_events(account, "4830291746"), str(published).encode())
            await until(keeps_up)

    def keeps_up() -> bool:
        return published - len(globex.seen) < 100

    async with asyncio.TaskGroup() as tasks:
        publishing, following, listening = map(
            tasks.create_task, (publish(), globex.run(), _until_closed(acme))
        )
        await until(lambda: len(acme.seen) > 100 and len(globex.seen) > 100)
        settings = load(RuntimeSettings, nats_url=secured_nats.server.url)
        began = time.perf_counter()
        await push_account(operator, operator.revoke(revoked.public_key), settings, wait_s=5)
        taken = time.perf_counter()
        then = published
        await listening  # its connection is closed for good
        await until(lambda: globex.seen[-1][0] > then + 100)
        publishing.cancel()
        await until(lambda: globex.seen[-1][0] >= published - 1)
        following.cancel()

    last = acme.seen[-1][1]
    record_property("seconds from the revocation to the last event", round(last - began, 4))
    record_property("seconds from the revocation to its confirmation", round(taken - began, 4))
    assert last - began < GONE_WITHIN_S
    assert acme.seen[-1][0] <= then
    numbers = [number for number, _ in globex.seen]
    assert numbers == list(range(1, len(numbers) + 1))
    assert globex.lost == []
    assert await refused(secured_nats, revoked)


async def _until_closed(listener: Listener) -> None:
    with pytest.raises(FollowError, match="closed"):
        await listener.run()


async def test_who_is_revoked_stays_out_when_the_server_is_started_again(
    secured_nats: SecuredNats, operator: Operator, tmp_path: Path, clients: AsyncExitStack
) -> None:
    pushed, only_kept = operator.issue(USER, MAY), operator.issue("acme_other", MAY)
    settings = load(RuntimeSettings, nats_url=secured_nats.server.url)
    await push_account(operator, operator.revoke(pushed.public_key), settings, wait_s=5)
    # With what it was first told: the server keeps what it was told later.
    await secured_nats.server.kill()
    await secured_nats.server.start_again()
    assert await refused(secured_nats, pushed)

    # Revoked while no server ran, which is then told at its start, even without what it had kept.
    await secured_nats.server.stop()
    operator.revoke(only_kept.public_key)
    for kept in (secured_nats.server.directory / "accounts").iterdir():
        kept.unlink()
    again = await type(secured_nats.server).start(
        secured_nats.server.directory,
        port=secured_nats.server.port,
        trust=Operator.kept(tmp_path / "operator").trust,
    )
    try:
        assert await refused(secured_nats, pushed)
        assert await refused(secured_nats, only_kept)
        client = await connect(secured_nats, operator.issue(USER, MAY), clients)
        await client.close()
    finally:
        await again.stop()


async def test_a_revocation_that_no_server_takes_is_told_and_kept(
    secured_nats: SecuredNats, operator: Operator
) -> None:
    creds = operator.issue(USER, MAY)
    token = operator.revoke(creds.public_key)
    with pytest.raises(NotTaken):
        await push_account(
            operator, token[:-8], load(RuntimeSettings, nats_url=secured_nats.server.url), wait_s=5
        )
    assert not await refused(secured_nats, creds)
    await push_account(operator, token, load(RuntimeSettings, nats_url=secured_nats.server.url), wait_s=5)
    assert await refused(secured_nats, creds)


async def test_no_permission_means_nothing(
    secured_nats: SecuredNats, operator: Operator, clients: AsyncExitStack
) -> None:
    nothing = Permissions(zone=Zone.OUTSIDE, publish=(), subscribe=())
    errors: list[str] = []

    async def note(error: Exception) -> None:
        errors.append(str(error))

    client = await connect(secured_nats, operator.issue("nobody", nothing), clients, error_cb=note)
    await client.publish("requests.tickets.get", b"")
    await client.subscribe("a")
    await until(lambda: len(errors) == 2)
    assert all("permissions violation" in error for error in errors)
