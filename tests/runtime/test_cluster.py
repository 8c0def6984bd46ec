"""The log on three servers: what a single one never does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
import pytest_asyncio
from nats.aio.client import Client

from contracts.access.roles import Permission
from contracts.envelope import Actor
from contracts.follow import Follower, Message
from contracts.subjects import ACCESS, TICKETS, ticket_events
from services.guard.guard import Guard
from services.runtime.cancel import cancel
from services.runtime.connection import connect
from services.runtime.errors import Unavailable
from services.runtime.ids import uuid7
from services.runtime.log import BATCH_FROM, Append, Conflict, Log, LogUnavailable
from services.runtime.settings import RuntimeSettings, load
from services.runtime.streams import ensure_streams, stream_info
from tests.access_log import AccessLog, member, on_server
from tests.cluster import Cluster, Node, ask, cluster_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

JAN = "jan@acme.example"
DEADLINE_S = 30.0
NO_MESSAGE = 10037


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Three servers with the streams on all of them."""
    async with cluster_in(tmp_path_factory.mktemp("cluster")) as cluster:
        setup, root = await cluster.connect("setup"), await cluster.connect()
        assert await ensure_streams(setup, replicas=3) == []
        await AccessLog(on_server(root)).account("acme", members=[JAN])
        await setup.close()
        await root.close()
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def root(cluster: Cluster) -> AsyncIterator[Client]:
    client = await cluster.connect()
    yield client
    await client.close()


@contextlib.asynccontextmanager
async def connected_to(cluster: Cluster, node: Node, user: str) -> AsyncIterator[Client]:
    """A connection that knows of this server only."""
    settings = load(RuntimeSettings, nats_url=node.url, nats_creds=cluster.creds_file(user))
    client = await connect(settings, user=user)
    yield client
    await client.close()


@contextlib.contextmanager
def frozen(*nodes: Node) -> Iterator[None]:
    for node in nodes:
        node.freeze()
    try:
        yield
    finally:
        for node in nodes:
            node.resume()


def entry(number: str, *, expected: int = 0, payload: bytes = b"{}") -> Append:
    return Append(
        subject=ticket_events("acme", number), payload=payload, message_id=uuid7(), expected=expected
    )


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - of whatever the condition looks at there is no event
            await asyncio.sleep(0.02)


async def test_setup_keeps_each_stream_on_three_servers_and_tells_where_it_is_not(cluster: Cluster) -> None:
    setup = await cluster.connect("setup")
    assert (await stream_info(setup, TICKETS))["config"]["num_replicas"] == 3
    assert await ensure_streams(setup, replicas=3) == []
    assert "TICKETS: num_replicas is 3, it should be 1" in await ensure_streams(setup, replicas=1)
    await setup.close()


async def test_an_append_that_meets_one_on_its_way_conflicts_and_both_are_not_stored(
    cluster: Cluster, root: Client
) -> None:
    """The server's error 10164, which a single one never says: there, an append is stored or it is not."""
    leader = await cluster.leader(root, TICKETS.name)
    others = [node for node in cluster.nodes if node is not leader]
    async with connected_to(cluster, leader, "root") as nc:
        with frozen(*others):  # so that nothing reaches a majority
            first = asyncio.create_task(
                Log(nc, TICKETS, timeout_s=DEADLINE_S).append(entry("1000000001", payload=b"first"))
            )
            await nc.flush()
            with pytest.raises(Conflict) as conflict:
                await Log(nc, TICKETS).append(entry("1000000001", payload=b"second"))
            assert conflict.value.position is None
        await asyncio.wait({first})
    await cluster.leader(root, TICKETS.name)
    stored = await root.jetstream().get_last_msg(TICKETS.name, ticket_events("acme", "1000000001"))
    assert stored.data == b"first"
    assert await first == stored.seq


async def test_where_the_log_ends_is_told_after_an_election_not_refused_during_it(
    cluster: Cluster, root: Client
) -> None:
    leader = await cluster.leader(root, TICKETS.name)
    (other, _) = [node for node in cluster.nodes if node is not leader]
    async with connected_to(cluster, other, "tickets") as nc:
        with frozen(leader):
            async with asyncio.timeout(20):  # an answer that was under way may still name the one before
                while (await stream_info(nc, TICKETS))["cluster"]["leader"] == leader.name:
                    pass
    await cluster.leader(root, TICKETS.name)


@dataclass
class Writer:
    """Appends revision after revision to one ticket, as commands do: look, decide, append."""

    log: Log
    root: Client
    number: str
    acknowledged: dict[str, int]

    async def write(self, revisions: int) -> None:
        for revision in range(revisions):
            text = f"{self.number} {revision}"
            while text not in self.acknowledged:
                last = await self.last()
                if last is not None and last[1] == text:
                    self.acknowledged[text] = last[0]
                elif last is not None:
                    await self.append(text, expected=last[0])

    async def last(self) -> tuple[int, str] | None:
        """Position and text of the last revision, of position 0 if there is none; None: nobody says."""
        subject = ticket_events("acme", self.number)
        answer = await ask(self.root, f"STREAM.MSG.GET.{TICKETS.name}", {"last_by_subj": subject})
        if answer.get("error", {}).get("err_code") == NO_MESSAGE:
            return 0, ""
        if "message" not in answer:
            return None
        message = answer["message"]
        return message["seq"], base64.b64decode(message["data"]).decode()

    async def append(self, text: str, *, expected: int) -> None:
        with contextlib.suppress(Conflict, LogUnavailable):
            position = await self.log.append(entry(self.number, expected=expected, payload=text.encode()))
            self.acknowledged[text] = position


async def test_writers_outlive_leaders_and_each_event_stands_once(cluster: Cluster, root: Client) -> None:
    numbers, revisions = [f"20000000{n}" for n in range(10, 10 + 2 * BATCH_FROM)], 30
    log = Log(root, TICKETS, timeout_s=2.0)
    acknowledged: dict[str, int] = {}
    writers = [Writer(log, root, number, acknowledged) for number in numbers]
    writing = asyncio.gather(*(writer.write(revisions) for writer in writers))
    for part in (1, 2, 3):
        enough = part * len(numbers) * revisions // 4
        await eventually(partial(lambda enough: len(acknowledged) > enough, enough))
        await cluster.depose(root, TICKETS.name)
        await cluster.leader(root, TICKETS.name)
    async with asyncio.timeout(DEADLINE_S):
        await writing
    stored = [message for message in await everything(root) if message.subject.split(".")[-1] in numbers]
    assert {message.payload.decode(): message.position for message in stored} == acknowledged
    assert len(stored) == len(numbers) * revisions
    for number in numbers:
        texts = [message.payload.decode() for message in stored if message.subject.endswith(number)]
        assert texts == [f"{number} {revision}" for revision in range(revisions)]


async def test_a_guard_whose_server_is_cut_off_from_the_others_decides_nothing(
    cluster: Cluster, root: Client
) -> None:
    """Its consumer may well be on that server, and alive: it only has nothing new to say any more."""
    leader = await cluster.leader(root, ACCESS.name)
    (node, _) = [node for node in cluster.nodes if node is not leader]
    async with connected_to(cluster, node, "tickets") as nc:
        guard, running = await guard_served_by(node, nc, root)
        jan = Actor.model_validate(member(JAN))
        try:
            guard.check(jan, "acme", Permission.TICKET_READ)
            with frozen(*(other for other in cluster.nodes if other is not node)):
                await eventually(partial(refuses, guard, jan))
            await eventually(lambda: not refuses(guard, jan))
        finally:
            await cancel([running])
    await cluster.leader(root, ACCESS.name)


def refuses(guard: Guard, actor: Actor) -> bool:
    try:
        guard.check(actor, "acme", Permission.TICKET_READ)
    except Unavailable:
        return True
    return False


async def guard_served_by(node: Node, nc: Client, root: Client) -> tuple[Guard, asyncio.Task[None]]:
    """A guard whose consumer is on this server: the cluster puts it on any."""
    while True:
        before = await consumers(root)
        guard = Guard(nc, user="tickets", max_age_s=2.0)
        running = asyncio.create_task(guard.run())
        await guard.caught_up()
        (mine,) = set(await consumers(root)) - set(before)
        if (await ask(root, f"CONSUMER.INFO.{ACCESS.name}.{mine}"))["cluster"]["leader"] == node.name:
            return guard, running
        await cancel([running])


async def consumers(root: Client) -> list[str]:
    names: list[str] = (await ask(root, f"CONSUMER.NAMES.{ACCESS.name}"))["consumers"]
    return names


async def everything(root: Client) -> list[Message]:
    """All messages of the log, in order."""
    last = (await stream_info(root, TICKETS))["state"]["last_seq"]
    follower = Follower(root, TICKETS.name, TICKETS.filter, names=["everything"])
    messages: list[Message] = []
    async with contextlib.aclosing(follower.batches()) as batches:
        async for batch in batches:
            messages += batch.messages
            if messages and messages[-1].position >= last:
                break
    return messages
