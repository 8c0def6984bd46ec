"""Service processes and a broker that can be killed, and writers that do not give up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nats
import nats.errors
import pytest
from nats.aio.client import Client

from contracts.errors import STATUS_HEADER
from contracts.follow import Follower, Message
from contracts.subjects import TICKETS, request
from services.embedded.nats_server import NatsServer
from services.runtime.connection import connect, keep_alive
from services.runtime.settings import RuntimeSettings, load
from services.runtime.streams import ensure_streams, stream_info
from tests.access_log import AccessLog, member, on_server

JAN = "jan@acme.example"

READY_WITHIN_S = 30.0
DONE_WITHIN_S = 50.0
ATTEMPT_S = 3.0

Document = dict[str, Any]


class Service:
    """The ticket service as a process of its own, which keeps its replica between its lives."""

    def __init__(self, url: str, directory: Path, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self._settings = {"CASETRAIL_NATS_URL": url, **settings}
        self.directory = directory
        self._process: asyncio.subprocess.Process | None = None
        self._log = directory.with_suffix(".log")

    async def start(self) -> None:
        """Returns when it answers requests."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")},
            **self._settings,
            "CASETRAIL_DATA_DIR": str(self.directory),
        }
        begin = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                "from services.tickets.app import main; raise SystemExit(main())",
                env=environment,
                stderr=output,
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while b'"service.ready"' not in self._log.read_bytes()[begin:]:
            assert self._process.returncode is None, self.said()
            assert time.monotonic() < deadline, self.said()
            await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """As a crash."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """In order; it must not have failed."""
        assert self._process is not None
        self._process.terminate()
        async with asyncio.timeout(10):
            assert await self._process.wait() == 0, self.said()

    def said(self) -> str:
        return self._log.read_text()[-4000:]

    def faults(self) -> list[str]:
        """What it logged as its own fault, in all its lives."""
        lines = self._log.read_text().splitlines()
        return [line for line in lines if '"request.failed"' in line or '"service.failed"' in line]

    @property
    def replica(self) -> Path:
        (path,) = self.directory.glob("*.sqlite")
        return path


@dataclass
class Writers:
    """Sends commands, and remembers what became of each."""

    nc: Client
    acknowledged: dict[str, Document] = field(default_factory=dict)
    """By command id: the answer."""
    unanswered: set[str] = field(default_factory=set)
    """Command ids that were given up."""
    attempts: Counter[str] = field(default_factory=Counter)

    @property
    def retries(self) -> int:
        return sum(self.attempts.values()) - len(self.attempts)

    async def send(self, name: str, command: Document, *, persist: bool = True) -> Document | None:
        """The answer; sent again until there is one, unless told to give up after the first silence."""
        command_id = command["command_id"]
        body = json.dumps(command).encode()
        deadline = time.monotonic() + DONE_WITHIN_S
        while True:
            self.attempts[command_id] += 1
            answer = await self._attempt(name, body)
            if answer is not None:
                self._note(command_id, answer)
                return answer
            if not persist:
                self.unanswered.add(command_id)
                return None
            assert time.monotonic() < deadline, f"no answer in {DONE_WITHIN_S:g} s"
            await asyncio.sleep(random.uniform(0.01, 0.1))

    async def _attempt(self, name: str, body: bytes) -> Document | None:
        try:
            reply = await self.nc.request(request("tickets", name), body, timeout=ATTEMPT_S)
        except (nats.errors.Error, TimeoutError):
            return None
        answer: Document = json.loads(reply.data)
        status = (reply.headers or {}).get(STATUS_HEADER)
        assert status in (None, "503"), answer
        return answer if status is None else None

    def _note(self, command_id: str, answer: Document) -> None:
        before = self.acknowledged.setdefault(command_id, answer)
        assert before == answer, "the same command was answered otherwise before"

    async def more_acknowledged(self, count: int) -> None:
        """Returns when so many more commands were answered."""
        enough = len(self.acknowledged) + count
        deadline = time.monotonic() + READY_WITHIN_S
        while len(self.acknowledged) < enough:
            assert time.monotonic() < deadline, f"{enough - len(self.acknowledged)} are still to come"
            await asyncio.sleep(0.001)

    async def open(self, count: int) -> list[str]:
        """The numbers of new tickets."""
        answers = await asyncio.gather(
            *(self.send("open", command(f"open-{n}", title="x", message="x")) for n in range(count))
        )
        return [answer["number"] for answer in answers if answer is not None]


def command(command_id: str, **more: Any) -> Document:
    return {"command_id": command_id, "account": "acme", "actor": member(JAN), **more}


class Watcher:
    """Follows the log as another system does; remembers each message in the order in which it came."""

    def __init__(self, nc: Client) -> None:
        self.seen: list[Message] = []
        self.lost = 0
        self._nc = nc
        self._watching = asyncio.create_task(self._watch())

    def _note_loss(self, _reason: str) -> None:
        self.lost += 1

    async def _watch(self) -> None:
        follower = Follower(
            self._nc, TICKETS.name, TICKETS.subjects[0], names=["watcher-1"], on_lost=self._note_loss
        )
        async with contextlib.aclosing(follower.batches()) as batches:
            async for batch in batches:
                self.seen += batch.messages

    async def saw_everything(self) -> list[Message]:
        """All messages of the log, of which it must have seen each exactly once, in order."""
        last = int((await stream_info(self._nc, TICKETS))["state"]["last_seq"])
        async with asyncio.timeout(READY_WITHIN_S):
            while not self.seen or self.seen[-1].position < last:
                assert not self._watching.done(), self._watching
                await asyncio.sleep(0.02)
        assert [message.position for message in self.seen] == list(range(1, last + 1))
        return self.seen

    async def stop(self) -> None:
        while not self._watching.done():
            self._watching.cancel()
            await asyncio.wait([self._watching], timeout=1)


def check_log(messages: Iterable[Message], writers: Writers) -> int:
    """Nothing acknowledged is lost or doubled, and each ticket has one order; returns how many events."""
    revisions: dict[str, int] = {}
    places: dict[str, tuple[int, int, str]] = {}
    for message in messages:
        event = json.loads(message.payload)
        assert message.subject.endswith(f".{event['subject']}")
        revisions[event["subject"]] = revisions.get(event["subject"], 0) + 1
        assert event["revision"] == revisions[event["subject"]], "a gap or a repeat of revisions"
        assert event["commandid"] not in places, "a command had two effects"
        places[event["commandid"]] = (message.position, event["revision"], event["id"])
    for command_id, answer in writers.acknowledged.items():
        assert command_id in places, f"{command_id} was acknowledged, and is lost"
        told = (answer["position"], answer["revision"], answer["event_id"])
        assert places[command_id] == told, f"{command_id} was told another place"
    strangers = set(places) - set(writers.acknowledged) - writers.unanswered
    assert not strangers, "events of nobody"
    return len(places)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A server that syncs every write, with the streams."""
    server = await NatsServer.start(tmp_path / "nats")
    nc = await nats.connect(server.url)
    await ensure_streams(nc, replicas=1)
    await AccessLog(on_server(nc)).account("acme", members=[JAN])
    await nc.close()
    yield server
    await server.kill()


@pytest.fixture
async def nc(broker: NatsServer) -> AsyncIterator[Client]:
    """The connection of the writers, which comes back after every outage."""
    client = await connect(load(RuntimeSettings, nats_url=broker.url), user="writers")
    keeping = asyncio.create_task(keep_alive(client))
    yield client
    while not keeping.done():
        keeping.cancel()
        await asyncio.wait([keeping], timeout=1)
    await client.close()


@pytest.fixture
async def services(broker: NatsServer, tmp_path: Path) -> AsyncIterator[Callable[[str], Service]]:
    """Makes a service on the directory of this name; killed with the test."""
    made: list[Service] = []

    def make(name: str) -> Service:
        made.append(Service(broker.url, tmp_path / name))
        return made[-1]

    yield make
    for service in made:
        await service.kill()


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[..., None]:
    """Prints one line of numbers, whatever is captured."""
    began = time.monotonic()

    def tell(**numbers: object) -> None:
        words = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in numbers.items())
        with capsys.disabled():
            sys.stdout.write(f"\n{request.node.name}: {words}, {time.monotonic() - began:.1f} s\n")

    return tell
