"""Streams on a real server: made where they are missing, never changed where they are not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from contracts.subjects import BUCKETS, OBJECT_STORES, STREAMS, TICKETS, bucket_stream, object_stream
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings, load
from services.runtime.streams import StreamsUnavailable, configuration, ensure_streams, stream_info
from tests.runtime.conftest import NatsServer


async def test_missing_streams_are_made_as_they_should_be_and_found_so_again(nc: Client) -> None:
    assert await ensure_streams(nc, replicas=1) == []
    made = await stream_info(nc, TICKETS)
    assert await ensure_streams(nc, replicas=1) == []
    assert await stream_info(nc, TICKETS) | {"ts": None} == made | {"ts": None}
    assert {made["config"][key] for key in ("deny_delete", "deny_purge", "allow_atomic")} == {True}


async def test_several_may_make_them_at_once(nc: Client) -> None:
    found = await asyncio.gather(*(ensure_streams(nc, replicas=1) for _ in range(5)))
    assert found == [[]] * 5


async def test_nothing_can_be_taken_out_of_the_log(nc: Client) -> None:
    await ensure_streams(nc, replicas=1)
    js = nc.jetstream()
    ack = await js.publish("events.tickets.acme.7", b"x")
    for attempt in (js.delete_msg(TICKETS.name, ack.seq), js.purge_stream(TICKETS.name)):
        with pytest.raises(APIError):
            await attempt
    with pytest.raises(NatsError):
        await js.publish("events.tickets.acme.7", b"x", headers={"Nats-Rollup": "sub"})
    assert (await stream_info(nc, TICKETS))["state"]["messages"] == 1


async def test_differences_are_told_and_left_alone(nc: Client) -> None:
    other = {**configuration(TICKETS, replicas=1), "max_age": 10**12, "deny_delete": False}
    await nc.request(f"$JS.API.STREAM.CREATE.{TICKETS.name}", json.dumps(other).encode(), timeout=5)
    for _ in range(2):
        assert sorted(await ensure_streams(nc, replicas=1)) == [
            "TICKETS: deny_delete is false, it should be true",
            "TICKETS: max_age is 1000000000000, it should be 0",
        ]
    names = json.loads((await nc.request("$JS.API.STREAM.NAMES", b"{}", timeout=5)).data)["streams"]
    assert sorted(names) == sorted(
        [
            *(stream.name for stream in STREAMS),
            *map(bucket_stream, BUCKETS),
            *map(object_stream, OBJECT_STORES),
        ]
    )


async def test_a_stream_that_the_server_refuses_is_named(nc: Client) -> None:
    with pytest.raises(StreamsUnavailable, match=r"TICKETS: .*replicas"):
        await ensure_streams(nc, replicas=3)


async def test_a_stream_that_does_not_exist_has_no_information(nc: Client) -> None:
    with pytest.raises(StreamsUnavailable, match="TICKETS: stream not found"):
        await stream_info(nc, TICKETS)


async def test_a_server_without_jetstream_is_told_apart_from_an_empty_one(
    start_nats: Callable[..., NatsServer],
) -> None:
    server = start_nats(jetstream={"enabled": False})
    settings: RuntimeSettings = load(RuntimeSettings, nats_url=server.url)
    client = await connect(settings, user="tester")
    with pytest.raises(StreamsUnavailable, match=r"STREAM\.INFO\.\w+: no answer"):
        await ensure_streams(client, replicas=1)
    await client.close()


async def test_a_closed_connection_is_no_answer(nats_server: NatsServer) -> None:
    client = await nats.connect(nats_server.url)
    await client.close()
    with pytest.raises(StreamsUnavailable, match="ConnectionClosedError"):
        await ensure_streams(client, replicas=1)
