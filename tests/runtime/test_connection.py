from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nkeys  # type: ignore[import-untyped]
import pytest
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from services.runtime.connection import BrokerUnavailable, connect, is_alive, keep_alive
from services.runtime.settings import RuntimeSettings, SettingsInvalid, load

if TYPE_CHECKING:
    from tests.runtime.conftest import Eventually, NatsServer

_USER_SEED = 20 << 3


def new_seed() -> tuple[str, str]:
    """A fresh user seed and its public key."""
    from nacl.signing import SigningKey

    seed = nkeys.encode_seed(bytes(SigningKey.generate()), _USER_SEED)
    return seed.decode(), nkeys.from_seed(bytearray(seed)).public_key.decode()


@asynccontextmanager
async def connected(server: NatsServer, user: str = "tester", **settings: Any) -> AsyncIterator[Client]:
    nc = await connect(load(RuntimeSettings, nats_url=server.url, **settings), user=user)
    try:
        yield nc
    finally:
        await nc.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_the_inbox_is_scoped_by_the_user(nats_server: NatsServer) -> None:
    async with connected(nats_server, "tickets") as nc:
        assert nc.new_inbox().startswith("_INBOX.tickets.")
    async with connected(nats_server, "tickets", nats_inbox_user="other") as nc:
        assert nc.new_inbox().startswith("_INBOX.other.")


async def test_no_broker_is_an_error_that_names_the_address_and_not_the_password() -> None:
    port = free_port()
    settings = load(RuntimeSettings, nats_url=f"nats://admin:hunter2@127.0.0.1:{port}")
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable) as error, capture_logs() as logged:
        await connect(settings, user="tester", wait_s=0.5)
    assert 0.4 < time.monotonic() - began < 3
    assert f"127.0.0.1:{port}" in str(error.value)
    assert "hunter2" not in str(error.value) + str(logged)
    assert [line["event"] for line in logged] == ["nats.unreachable"]


async def test_a_broker_that_starts_later_is_waited_for(nats_server: NatsServer) -> None:
    nats_server.stop()
    connecting = asyncio.create_task(
        connect(load(RuntimeSettings, nats_url=nats_server.url), user="tester", wait_s=15)
    )
    await asyncio.sleep(0)
    nats_server.start()
    nc = await connecting
    assert await is_alive(nc, 2)
    await nc.close()


async def test_of_several_servers_one_that_works_is_found(nats_server: NatsServer) -> None:
    settings = load(RuntimeSettings, nats_url=f"nats://127.0.0.1:{free_port()},{nats_server.url}")
    nc = await connect(settings, user="tester", wait_s=5)
    assert await is_alive(nc, 2)
    await nc.close()


async def test_a_restart_of_the_broker_is_survived_and_logged_once_each(
    nats_server: NatsServer, eventually: Eventually
) -> None:
    with capture_logs() as logged:
        async with connected(nats_server) as nc:
            answers = await nc.subscribe("ping")
            nats_server.stop()
            await eventually(lambda: not nc.is_connected, "the loss is seen")
            assert not await is_alive(nc, 1)
            nats_server.start()
            await eventually(lambda: nc.is_connected, "the connection is back")
            assert await is_alive(nc, 2)
            await nc.publish("ping", b"after")
            assert (await answers.next_msg(5)).data == b"after"
    events = [line["event"] for line in logged]
    for event in ("nats.connected", "nats.disconnected", "nats.reconnected", "nats.closed"):
        assert events.count(event) == 1, events


async def test_the_broker_is_found_again_quickly(nats_server: NatsServer, eventually: Eventually) -> None:
    async with connected(nats_server) as nc:
        nats_server.stop()
        await eventually(lambda: not nc.is_connected, "the loss is seen")
        nats_server.start()
        began = time.monotonic()
        await eventually(lambda: nc.is_connected, "the connection is back")
        assert time.monotonic() - began < 2.5


@pytest.mark.parametrize("backlog", [0, 16 * 1024 * 1024], ids=["idle", "with a full socket"])
async def test_a_frozen_broker_is_noticed_and_left(
    nats_server: NatsServer, eventually: Eventually, backlog: int
) -> None:
    async with connected(nats_server) as nc:
        watching = asyncio.create_task(keep_alive(nc, every_s=0.2, timeout_s=0.3))
        publishing: set[asyncio.Task[None]] = set()
        nats_server.stop(signal.SIGSTOP)
        try:
            for _ in range(backlog // 65536):
                publishing.add(asyncio.create_task(nc.publish("nowhere", bytes(65536))))
            assert not await is_alive(nc, 0.3)
            await eventually(lambda: not nc.is_connected, "the freeze is seen")
        finally:
            nats_server.stop(signal.SIGCONT)
        await eventually(lambda: nc.is_connected, "the connection is back")
        assert await is_alive(nc, 2)
        watching.cancel()
        await asyncio.gather(watching, *publishing, return_exceptions=True)


async def test_a_frozen_broker_does_not_hold_up_the_close(nats_server: NatsServer) -> None:
    async with connected(nats_server) as nc:
        nats_server.stop(signal.SIGSTOP)
        try:
            publishing = [asyncio.create_task(nc.publish("nowhere", bytes(65536))) for _ in range(256)]
            assert not await is_alive(nc, 0.3)
            await asyncio.wait_for(nc.close(), 3)
            assert nc.is_closed
        finally:
            nats_server.stop(signal.SIGCONT)
        for task in publishing:
            task.cancel()
        await asyncio.gather(*publishing, return_exceptions=True)


async def test_publishing_without_a_broker_is_refused_before_memory_grows(
    nats_server: NatsServer, eventually: Eventually
) -> None:
    async with connected(nats_server) as nc:
        nats_server.stop()
        await eventually(lambda: not nc.is_connected, "the loss is seen")

        async def publish_100_mb() -> None:
            for _ in range(1000):
                await nc.publish("nowhere", bytes(100_000))

        with pytest.raises(errors.OutboundBufferLimitError):
            await publish_100_mb()
        assert nc.pending_data_size < 10 * 1024 * 1024


async def test_the_right_seed_is_let_in_and_a_wrong_one_is_told(
    start_nats: Callable[..., NatsServer], tmp_path: Path
) -> None:
    seed, public = new_seed()
    other, _ = new_seed()
    server = start_nats(authorization={"users": [{"nkey": public}]})
    (tmp_path / "right.nk").write_text(f"{seed}\n")
    (tmp_path / "wrong.nk").write_text(f"{other}\n")
    async with connected(server, nats_nkey_seed_file=tmp_path / "right.nk") as nc:
        assert await is_alive(nc, 2)
    settings = load(RuntimeSettings, nats_url=server.url, nats_nkey_seed_file=tmp_path / "wrong.nk")
    with pytest.raises(BrokerUnavailable, match=r"(?i)authorization violation") as error:
        await connect(settings, user="tester", wait_s=0.5)
    assert other not in str(error.value)


@pytest.mark.parametrize("content", ["", "no seed", "SUSHORT"])
async def test_a_file_that_holds_no_seed_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.nk").write_text(content)
    with pytest.raises(SettingsInvalid, match=r"CASETRAIL_NATS_NKEY_SEED_FILE.*bad\.nk"):
        await connect(load(RuntimeSettings, nats_nkey_seed_file=tmp_path / "bad.nk"), user="tester")


async def test_a_credentials_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.creds").write_text("-----BEGIN NATS USER JWT-----\n")
    with pytest.raises(SettingsInvalid, match=r"CASETRAIL_NATS_CREDS.*bad\.creds"):
        await connect(load(RuntimeSettings, nats_creds=tmp_path / "bad.creds"), user="tester")


async def test_a_credentials_file_is_used(start_nats: Callable[..., NatsServer], tmp_path: Path) -> None:
    seed, public = new_seed()
    server = start_nats(authorization={"users": [{"nkey": public}]})
    creds = tmp_path / "user.creds"
    creds.write_text(
        f"-----BEGIN NATS USER JWT-----\nno.jwt.needed\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
    # This server knows no operator: it gets as far as refusing the JWT, so the file was read and signed with.
    with pytest.raises(BrokerUnavailable, match=r"(?i)authorization violation"):
        await connect(load(RuntimeSettings, nats_url=server.url, nats_creds=creds), user="tester", wait_s=0.5)


async def test_a_server_without_tls_is_refused_where_tls_is_asked_for(nats_server: NatsServer) -> None:
    settings = load(RuntimeSettings, nats_url=nats_server.url.replace("nats://", "tls://"))
    with pytest.raises(BrokerUnavailable, match="offers no TLS"):
        await connect(settings, user="tester", wait_s=0.5)


async def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsInvalid, match="CASETRAIL_NATS_TLS_CA"):
        await connect(load(RuntimeSettings, nats_tls_ca=tmp_path / "ca.pem"), user="tester")


async def test_what_the_server_forbids_is_logged_as_one_error(
    start_nats: Callable[..., NatsServer], eventually: Eventually
) -> None:
    server = start_nats(
        authorization={"users": [{"user": "a", "password": "b", "permissions": {"publish": "allowed"}}]}
    )
    settings = load(RuntimeSettings, nats_url=server.url.replace("//", "//a:b@"))
    with capture_logs() as logged:
        nc = await connect(settings, user="tester")
        for _ in range(2):
            await nc.publish("forbidden", b"")
        await nc.publish("also.forbidden", b"")
        # Answers come in order, and flush() is no barrier: its ping overtakes what is buffered.
        await eventually(lambda: "also.forbidden" in str(logged), "the server's answers")
        await nc.close()
    found = [line for line in logged if line["event"] == "nats.error"]
    assert [line["log_level"] for line in found] == ["error", "error"]
    assert "permissions violation" in found[0]["reason"].lower()


async def test_a_slow_consumer_is_logged_as_one_error_however_many_messages_are_dropped(
    nats_server: NatsServer, eventually: Eventually
) -> None:
    with capture_logs() as logged:
        async with connected(nats_server) as nc:
            released = asyncio.Event()

            async def wait(_message: Msg) -> None:
                await released.wait()

            await nc.subscribe("flood", cb=wait, pending_msgs_limit=1)
            for _ in range(50):
                await nc.publish("flood", b"")
            await eventually(lambda: nc.stats["in_msgs"] == 50, "all messages are read")
            released.set()
    assert [line["log_level"] for line in logged if line["event"] == "nats.slow_consumer"] == ["error"]


async def test_a_connection_that_is_closed_for_good_ends_the_watch(nats_server: NatsServer) -> None:
    async with connected(nats_server) as nc:
        watching = asyncio.create_task(keep_alive(nc, every_s=0.05, timeout_s=1))
        await nc.close()
        with pytest.raises(BrokerUnavailable):
            await asyncio.wait_for(watching, 5)
