"""Three real nats-servers as a cluster, whose nodes can be killed, frozen and started again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import nats
import nats.errors
from nats.aio.client import Client

from contracts.subjects import inbox_prefix
from services.credentials.creds import creds_file
from services.credentials.operator import Operator, Trust
from services.credentials.permissions import USERS, Permissions, Zone
from services.embedded.child import Child
from services.embedded.nats_server import configuration, find_binary
from services.embedded.ports import HOST, ReservedPort

SIZE: Final = 3
READY_WITHIN_S: Final = 60.0
ROOT: Final = Permissions(zone=Zone.SERVICES, publish=(">",), subscribe=(">",))


class Node:
    """One nats-server of a cluster. Its name is what its peers know it by, so it keeps it."""

    def __init__(self, name: str, directory: Path, trust: Trust) -> None:
        self.name = name
        self._directory = directory
        self._trust = trust
        self._port, self._route = ReservedPort(), ReservedPort()
        self._said: deque[str] = deque(maxlen=200)
        self._child: Child | None = None
        self._frozen = False

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self._port.number}"

    @property
    def route(self) -> str:
        return f"nats://{HOST}:{self._route.number}"

    def said(self) -> str:
        """Its last lines."""
        return "\n".join(self._said)

    async def start(self, routes: list[str]) -> None:
        """Start it, or start it again on what it kept; does not wait until it is ready."""
        self._directory.mkdir(parents=True, exist_ok=True)
        settings = {
            **configuration(self._directory, port=self._port.number, name=self.name, trust=self._trust),
            "cluster": {
                "name": "casetrail",
                "listen": f"{HOST}:{self._route.number}",
                "routes": routes,
            },
        }
        path = self._directory / "nats.conf"
        path.write_text(json.dumps(settings), encoding="utf-8")
        self._child = await Child.start([find_binary(), "-c", path], on_line=self._said.append)

    async def kill(self) -> None:
        """As a crash of the machine."""
        if self._child is not None:
            self.resume()
            await self._child.kill()

    async def stop(self) -> None:
        """In order, as Kubernetes asks: it hands over what it leads first."""
        assert self._child is not None
        await self._child.stop(grace_s=20)

    def freeze(self) -> None:
        """It does nothing any more, and its connections stay open."""
        assert self._child is not None
        os.kill(self._child.pid, signal.SIGSTOP)
        self._frozen = True

    def resume(self) -> None:
        """It goes on where it was, not knowing that time has passed."""
        if self._frozen and self._child is not None:
            os.kill(self._child.pid, signal.SIGCONT)
        self._frozen = False

    def release(self) -> None:
        self._port.release()
        self._route.release()


class Cluster:
    """Three nodes with the users of the system and `root`, who may do anything where the log is."""

    def __init__(self, directory: Path) -> None:
        operator = Operator.kept(directory / "operator")
        self._creds = directory / "creds"
        operator.keep_creds(self._creds, {**USERS, "root": ROOT})
        self.nodes = [Node(f"nats-{n}", directory / f"nats-{n}", operator.trust) for n in range(SIZE)]

    @property
    def urls(self) -> str:
        """As `CASETRAIL_NATS_URL` takes them."""
        return ",".join(node.url for node in self.nodes)

    def creds_file(self, user: str) -> Path:
        return creds_file(self._creds, user)

    def settings(self, user: str) -> dict[str, str]:
        """What a process of that user is told of NATS, in its environment."""
        return {
            "CASETRAIL_NATS_URL": self.urls,
            "CASETRAIL_NATS_CREDS": str(self.creds_file(user)),
            "CASETRAIL_NATS_INBOX_USER": user,
        }

    async def start(self, node: Node) -> None:
        await node.start([other.route for other in self.nodes])

    async def connect(self, user: str = "root") -> Client:
        """A connection as that user to whichever node answers; the caller closes it."""
        return await nats.connect(
            [node.url for node in self.nodes],
            name=user,
            user_credentials=str(self.creds_file(user)),
            inbox_prefix=inbox_prefix(user),
            connect_timeout=1,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
            error_cb=_ignore,
        )

    async def leader(self, nc: Client, stream: str) -> Node:
        """The node that leads the stream, once there is one that its peers have caught up with."""
        async with asyncio.timeout(READY_WITHIN_S):
            while True:
                about = await ask(nc, f"STREAM.INFO.{stream}")
                group = about.get("cluster", {})
                current = [peer for peer in group.get("replicas", ()) if peer.get("current")]
                if group.get("leader") and len(current) == SIZE - 1:
                    return next(node for node in self.nodes if node.name == group["leader"])
                await asyncio.sleep(0.05)

    async def depose(self, nc: Client, stream: str) -> None:
        """Have another node lead the stream."""
        answer = await ask(nc, f"STREAM.LEADER.STEPDOWN.{stream}")
        assert answer.get("success"), answer

    async def stop(self) -> None:
        for node in self.nodes:
            await node.kill()
            node.release()


@contextlib.asynccontextmanager
async def cluster_in(directory: Path) -> AsyncIterator[Cluster]:
    """A cluster that has a leader, without streams."""
    cluster = Cluster(directory)
    try:
        for node in cluster.nodes:
            await cluster.start(node)
        await _until_it_has_a_leader(cluster)
        yield cluster
    finally:
        await cluster.stop()


async def ask(nc: Client, verb: str, body: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """The answer of the JetStream API; empty if there is none within a second."""
    try:
        reply = await nc.request(f"$JS.API.{verb}", json.dumps(dict(body)).encode(), timeout=1.0)
    except (nats.errors.Error, TimeoutError):
        return {}
    answer: dict[str, Any] = json.loads(reply.data)
    return answer


async def _until_it_has_a_leader(cluster: Cluster) -> None:
    async with asyncio.timeout(READY_WITHIN_S):
        while True:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                nc = await cluster.connect()
                break
            await asyncio.sleep(0.05)
        try:
            while True:
                answer = await ask(nc, "INFO")
                if answer and "error" not in answer:
                    return
                await asyncio.sleep(0.05)
        finally:
            await nc.close()


async def _ignore(_error: Exception) -> None:
    """Nodes come and go here."""
