"""A deployment as an operator makes it: `credentials init`, a server that includes its `auth.conf`, `setup`,
processes of each service with their own credentials; and people who work with it all the time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nats.aio.client import Client

from contracts import client
from contracts.access import requests as access
from contracts.access.people import person_id
from contracts.envelope import ActorKind
from contracts.intake import requests as intake
from contracts.requests import SentActor
from contracts.subjects import Stream
from contracts.tickets import requests as tickets
from services.credentials.keyring import Keyring
from services.credentials.permissions import Permissions, Zone
from services.embedded.introduce import introduce
from services.embedded.nats_server import find_binary
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings, load
from tests.files.samples import PNG
from tests.notify.servers import MailDouble, mail_server

SERVICES: Final = ("access", "intake", "attachments", "tickets", "notify")
ACCOUNT: Final = "acme-clinic"
ANNA: Final = SentActor(kind=ActorKind.MEMBER, id=person_id("anna.kowalska@acme-clinic.example"))
TERMINAL: Final = SentActor(kind=ActorKind.SYSTEM, id="cli")
QUESTIONNAIRE: Final = "https://casetrail.example/questionnaires/other|1.0"
WITHIN_S: Final = 90.0
CASETRAIL: Final = (sys.executable, "-m", "services.cli.main")


async def eventually(condition: Any, what: str, *, within_s: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not in {within_s:g} s: {what}"
        await asyncio.sleep(0.02)


class Server:
    """nats-server with `auth.conf` included, as it is deployed."""

    def __init__(self, directory: Path, auth: Path) -> None:
        self._directory = directory
        directory.mkdir()
        (directory / "nats.conf").write_text(
            f'include "{os.path.relpath(auth, directory)}"\n'
            'server_name: n1\nhost: 127.0.0.1\nport: -1\nhttp: "127.0.0.1:-1"\n'
            f"ports_file_dir: {json.dumps(str(directory))}\n"
            f"jetstream {{ store_dir: {json.dumps(str(directory))}, sync_interval: always }}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        with (self._directory / "nats.log").open("ab") as log:
            command = [str(find_binary()), "-c", str(self._directory / "nats.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220
        ports = self._directory / f"nats-server_{self._process.pid}.ports"
        await eventually(lambda: ports.exists() and ports.read_text(), "a server")
        found = json.loads(ports.read_text())
        self.url, self.monitor = found["nats"][0], found["monitoring"][0]

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Replica:
    """One process of a service."""

    def __init__(self, service: str, number: int, directory: Path, env: dict[str, str]) -> None:
        self.service = service
        self._log = directory / f"{service}-{number}.log"
        self._env = {**env, "CASETRAIL_DATA_DIR": str(directory / f"{service}-{number}")}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it answers requests."""
        begin = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *CASETRAIL, "serve", self.service,
                env=self._env, stdout=output, stderr=output,
            )  # fmt: skip
        await eventually(lambda: self._is_ready(begin), f"{self.service} is ready")

    def _is_ready(self, begin: int) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.said()
        return b'"service.ready"' in self._log.read_bytes()[begin:]

    async def stop(self) -> None:
        """SIGTERM, as a rolling upgrade does; it must end in order."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await self._process.wait() == 0, self.said()

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def count(self, event: str) -> int:
        """How often it has logged this."""
        return self._log.read_text().count(f'"event": "{event}"')

    def last(self, event: str) -> dict[str, Any]:
        """The last line of the log about this."""
        lines = [line for line in self._log.read_text().splitlines() if f'"event": "{event}"' in line]
        found: dict[str, Any] = json.loads(lines[-1])
        return found

    def said(self) -> str:
        return self._log.read_text()[-3000:] if self._log.exists() else ""


@dataclass
class Deployment:
    """What runs, and how to reach it."""

    directory: Path
    keyring: Keyring
    server: Server
    mail: MailDouble
    replicas: dict[str, list[Replica]] = field(default_factory=dict)
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    """What processes of a service are told beside what all are."""
    _numbers: int = 0

    def env(self, user: str) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
        return {
            **ours,
            "CASETRAIL_NATS_URL": self.server.url,
            "CASETRAIL_NATS_CREDS": str(self.keyring.creds / f"{user}.creds"),
            "CASETRAIL_REQUESTS_CREDS": str(self.keyring.creds / "notify-requests.creds"),
            "CASETRAIL_LINK_KEY_FILE": str(self.directory / "keys" / "link.key"),
            "CASETRAIL_SMTP_HOST": "127.0.0.1",
            "CASETRAIL_SMTP_PORT": str(self.mail.port),
            "CASETRAIL_SMTP_TLS": "none",
            "CASETRAIL_MAIL_FROM": "support@casetrail.example",
            "CASETRAIL_PUBLIC_URL": "https://support.example",
            **self.settings.get(user, {}),
        }

    async def casetrail(self, *arguments: str, user: str = "cli") -> str:
        """What the command prints; it must succeed."""
        process = await asyncio.create_subprocess_exec(
            *CASETRAIL, *arguments,
            env=self.env(user), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, (out, err)
        return out.decode()

    async def scale_out(self, service: str) -> Replica:
        """One more process of a service, which answers when this returns."""
        self._numbers += 1
        replica = Replica(service, self._numbers, self.directory, self.env(service))
        self.replicas.setdefault(service, []).append(replica)
        await replica.start()
        return replica

    @contextlib.asynccontextmanager
    async def connected(self, user: str) -> AsyncIterator[Client]:
        creds = self.keyring.creds / f"{user}.creds"
        nc = await connect(load(RuntimeSettings, nats_url=self.server.url, nats_creds=creds), user=user)
        try:
            yield nc
        finally:
            await nc.close()

    @contextlib.asynccontextmanager
    async def as_root(self) -> AsyncIterator[Client]:
        """Somebody who may do anything where the log is, with credentials of now."""
        root = Permissions(zone=Zone.SERVICES, publish=(">",), subscribe=(">",))
        operator = Keyring.read(self.directory).operator
        operator.issue("root", root).write(self.keyring.creds / "root.creds")
        async with self.connected("root") as nc:
            yield nc

    @property
    def every_replica(self) -> list[Replica]:
        return [replica for replicas in self.replicas.values() for replica in replicas]


@contextlib.asynccontextmanager
async def deployed(directory: Path, *, replicas: int) -> AsyncIterator[Deployment]:
    """A deployment with so many processes of each service, and the people of the demonstration."""
    async with mail_server() as mail:
        init = ["credentials", "init", "--dir", str(directory)]
        subprocess.run(  # noqa: ASYNC221
            [*CASETRAIL, *init, "--accounts-directory", str(directory / "accounts")],
            check=True,
            capture_output=True,
        )
        server = Server(directory / "nats", directory / "auth.conf")
        deployment = Deployment(directory, Keyring.read(directory), server, mail)
        try:
            await server.start()
            await deployment.casetrail("setup", user="setup")
            await asyncio.gather(
                *(deployment.scale_out(service) for service in SERVICES for _ in range(replicas))
            )
            async with deployment.connected("cli") as nc:
                await introduce(nc)
            yield deployment
        finally:
            for replica in deployment.every_replica:
                await replica.kill()
            server.stop()


class People:
    """Who works all the time, over the client that everybody uses. A command that fails fails the test."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._over = asyncio.Event()
        self._working = [
            asyncio.create_task(work(number), name=work.__name__)
            for work in (self._tickets, self._tickets, self._files, self._drafts, self._accounts)
            for number in range(2)
        ]
        self._numbers = 0
        self.done: dict[str, object] = {}
        """By command id: the answer."""

    async def more(self, count: int) -> None:
        """Returns when so many more commands were answered."""
        enough = len(self.done) + count
        await eventually(
            lambda: len(self.done) >= enough or any(task.done() for task in self._working), "more is done"
        )
        for task in self._working:
            if task.done():
                task.result()

    async def go_home(self) -> None:
        self._over.set()
        await asyncio.gather(*self._working)

    async def _call(self, subject: str, request: Any, answer: type[Any]) -> Any:
        done = await client.call(self._nc, subject, request, answer, timeout_s=WITHIN_S)
        self.done[request.command_id] = done
        return done

    def _id(self, what: str) -> str:
        self._numbers += 1
        return f"{what}-{self._numbers}"

    async def _tickets(self, _number: int) -> None:
        while not self._over.is_set():
            opening = tickets.OpenTicket(
                command_id=self._id("open"), account=ACCOUNT, actor=ANNA, title="x", message="x"
            )
            opened = await self._call(tickets.OPEN, opening, tickets.CommandDone)
            for _ in range(4):
                reply = tickets.ReplyToTicket(
                    command_id=self._id("reply"), account=ACCOUNT, actor=ANNA, number=opened.number, text="x"
                )
                await self._call(tickets.REPLY, reply, tickets.CommandDone)

    async def _files(self, _number: int) -> None:
        files = client.Attachments(self._nc, timeout_s=WITHIN_S)
        while not self._over.is_set():
            upload = self._id("upload")
            self.done[upload] = await files.upload("a.png", PNG, upload=upload, account=ACCOUNT, actor=ANNA)

    async def _drafts(self, _number: int) -> None:
        while not self._over.is_set():
            start = intake.StartDraft(
                command_id=self._id("start"),
                account=ACCOUNT,
                actor=ANNA,
                questionnaire=QUESTIONNAIRE,
                message="x",
                language="en",
            )
            shown = await self._call(intake.START, start, intake.DraftShown)
            discard = intake.DiscardDraft(
                command_id=self._id("discard"),
                account=ACCOUNT,
                actor=ANNA,
                draft=shown.draft,
            )
            await self._call(intake.DISCARD, discard, intake.DraftDiscarded)

    async def _accounts(self, number: int) -> None:
        while not self._over.is_set():
            command_id = self._id("register")
            register = access.RegisterAccount(
                command_id=command_id, account=f"{command_id}-{number}", actor=TERMINAL, name="x"
            )
            await self._call(access.REGISTER, register, access.AccountDone)


async def command_ids(nc: Client, stream: Stream) -> list[str]:
    """Of every event of a log, in order."""
    js = nc.jetstream()
    last = (await js.stream_info(stream.name)).state.last_seq
    found = await asyncio.gather(*(js.get_msg(stream.name, position) for position in range(1, last + 1)))
    return [json.loads(message.data or b"")["commandid"] for message in found]
