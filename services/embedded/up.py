"""The embedded system: nats-server, the streams, and every service of the catalogue, under one process.

    up ── nats-server            started first, ended last
       ├─ setup                  makes missing streams, ends
       ├─ identity               the development provider; not in production
       ├─ mailbox                the development mail server and its page; CASETRAIL_SMTP_HOST names another
       └─ serve NAME             one process per service and replica; the portal is told of the provider

Each is started again when it dies. On Linux the kernel kills them all when this process is killed;
elsewhere the data lock, which they inherit, keeps a second `up` away until they have been ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from services.credentials.creds import creds_file
from services.credentials.operator import Operator
from services.credentials.permissions import USERS, Zone
from services.embedded.announce import summary
from services.embedded.catalogue import CATALOGUE, ServiceEntry
from services.embedded.child import Child
from services.embedded.identity import NAME as IDENTITY
from services.embedded.inbox.answer import VOUCHES_AS
from services.embedded.keep import keep_running
from services.embedded.key_files import key_file
from services.embedded.lock import data_lock
from services.embedded.mailbox import NAME as MAILBOX
from services.embedded.nats_server import NatsServer
from services.embedded.output import Output
from services.embedded.ports import HOST, PortTaken, ReservedPort, is_taken
from services.embedded.running import DATA_VARIABLE, Running, publish, withdraw
from services.embedded.service_process import ServiceProcess
from services.embedded.web import WebPorts, environment

STOP_WITHIN_S: Final = 5.0
REMIND_EVERY_S: Final = 10.0
CASETRAIL: Final = (sys.executable, "-m", "services.cli.main")


def operator_directory(data: Path) -> Path:
    """Where the keys are that credentials are issued with; only `up` and `casetrail credentials` read it."""
    return data / "operator"


class SetupFailed(Exception):
    """The streams could not be made; `setup` has said why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `casetrail up` is told. Port 0 takes a free one; without an identity port nobody can sign in."""

    data: Path
    nats_port: int
    replicas: int
    log_format: str
    identity_port: int | None = None
    portal_port: int = 0


async def run_up(
    options: Options,
    *,
    catalogue: Sequence[ServiceEntry] = CATALOGUE,
    serve: Sequence[str] = (*CASETRAIL, "serve"),
) -> None:
    """Run the system until SIGINT, SIGTERM or SIGHUP; a second one kills at once what is still stopping.

    `serve` followed by the name of a service is the program that runs it.
    Raises DataInUse, PortTaken, ServerDidNotStart, SetupFailed, TrustInvalid, OSError.
    """
    os.umask(0o077)  # tickets are nobody else's business
    options.data.mkdir(parents=True, exist_ok=True)
    async with data_lock(options.data) as lock:
        system = _System(options, catalogue, serve, lock)
        stop = _listen_for_signals(system)
        run = asyncio.create_task(system.run(), name="run")
        asked = asyncio.create_task(stop.wait(), name="asked")
        try:
            await asyncio.wait({run, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            run.cancel()
            await asyncio.wait({run, asked})
            await system.stop()
        if not run.cancelled():
            run.result()


def _listen_for_signals(system: _System) -> asyncio.Event:
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            system.kill_at_once()
        stop.set()

    under_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for number in (signal.SIGINT, signal.SIGTERM, *([] if under_nohup else [signal.SIGHUP])):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return stop


class _System:
    """The processes of one `up`."""

    def __init__(
        self, options: Options, catalogue: Sequence[ServiceEntry], serve: Sequence[str], lock: int
    ) -> None:
        self._options = options
        self._data = options.data.resolve()
        self._creds = self._data / "creds"
        self._lock = lock
        self._serve = serve
        self._entries = {
            entry.name if number == 1 else f"{entry.name}-{number}": entry
            for entry in catalogue
            for number in range(1, options.replicas + 1)
        }
        self._out = Output(
            [
                "nats",
                "setup",
                *([IDENTITY] if self._has_identity else []),
                *([MAILBOX] if self._has_mailbox else []),
                *self._entries,
                "up",
            ],
            stream=sys.stdout,
            on_closed=partial(os.kill, os.getpid(), signal.SIGTERM),
        )
        self._nats: NatsServer | None = None
        self._setup: Child | None = None
        self._introducing: Child | None = None
        self._services: list[ServiceProcess] = []
        self._identity_port: int | None = None
        self._reserved: ReservedPort | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._web = WebPorts([name for name, entry in self._entries.items() if entry.has_pages])
        self._mail: dict[str, str] = {}
        self._mail_port: ReservedPort | None = None
        self._inbox_port: ReservedPort | None = None
        self._answers_port: ReservedPort | None = None

    async def run(self) -> None:
        """Start everything in its order, announce it, keep it running until cancelled."""
        try:
            operator = Operator.kept(operator_directory(self._data))
            operator.keep_creds(self._creds, USERS)
            self._adopt_earlier_log(operator.account_key(Zone.SERVICES))
            self._nats = await NatsServer.start(
                self._data / "nats",
                port=self._options.nats_port,
                trust=operator.trust,
                on_line=self._nats_said,
                inherit=[self._lock],
            )
            self._keep("nats", self._nats)
            await self._make_streams(self._nats.url)
            if self._has_identity:
                await self._start_identity(self._options.identity_port or 0)
            self._web.reserve(self._options.portal_port)
            if self._has_mailbox:
                await self._start_mailbox()
            for name, entry in self._entries.items():
                await self._start_service(name, entry, self._nats.url)
            await self._wait_until_ready()
            if self._has_identity:
                await self._introduce(self._nats.url)
            self._announce(self._nats.url)
            await asyncio.gather(*self._keepers)
        finally:
            for keeper in self._keepers:
                keeper.cancel()
            if self._keepers:
                await asyncio.wait(self._keepers)

    async def stop(self) -> None:
        """End the services, then nats-server, so that they can finish what they were answering."""
        withdraw(self._data)
        if self._nats or self._services:
            self._out.line("up", "stopping")
        running = [child.stop(grace_s=0) for child in (self._setup, self._introducing) if child]
        await asyncio.gather(*running, *(service.stop(grace_s=STOP_WITHIN_S) for service in self._services))
        for reserved in (self._reserved, self._mail_port, self._inbox_port, self._answers_port):
            if reserved:
                reserved.release()
        self._web.release()
        if self._nats:
            await self._nats.stop()
            self._out.line("up", "stopped")

    def kill_at_once(self) -> None:
        """For the impatient. `stop` still waits for the ends."""
        for process in (self._nats, self._setup, self._introducing, *self._services):
            if process:
                process.kill_at_once()

    def _adopt_earlier_log(self, account: str) -> None:
        """The log of a version whose NATS accounts had no keys, by which the server stores it."""
        stored = self._data / "nats" / "jetstream"
        earlier = stored / Zone.SERVICES.value
        if earlier.is_dir() and not (stored / account).exists():
            earlier.rename(stored / account)

    def _nats_said(self, line: str) -> None:
        if " [INF] " not in line:  # a banner and what we say ourselves
            self._out.line("nats", line)

    def _env(self, user: str, nats_url: str) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_NATS_")}
        ours.pop(DATA_VARIABLE, None)
        return ours | {
            "CASETRAIL_NATS_URL": nats_url,
            "CASETRAIL_NATS_CREDS": str(creds_file(self._creds, user)),
            "CASETRAIL_NATS_INBOX_USER": user,
            "CASETRAIL_LOG_FORMAT": self._options.log_format,
            "PYTHONUNBUFFERED": "1",
        }

    def _requests_creds(self, entry: ServiceEntry) -> dict[str, str]:
        if entry.requests_user is None:
            return {}
        return {"CASETRAIL_REQUESTS_CREDS": str(creds_file(self._creds, entry.requests_user))}

    async def _make_streams(self, nats_url: str) -> None:
        self._setup = await Child.start(
            [*CASETRAIL, "setup"],
            env=self._env("setup", nats_url),
            on_line=partial(self._out.line, "setup"),
            inherit=[self._lock],
        )
        code = await self._setup.wait()
        if code == 1:
            self._out.line("up", "the streams differ as told above; going on with them as they are")
        elif code != 0:
            raise SetupFailed(f"the streams could not be made (exit code {code} of `casetrail setup`)")

    async def _start_service(self, name: str, entry: ServiceEntry, nats_url: str) -> None:
        directory = self._data / "services" / name
        directory.mkdir(parents=True, exist_ok=True)
        service = ServiceProcess(
            name,
            [*self._serve, entry.name],
            env=self._env(entry.nats_user, nats_url)
            | {"CASETRAIL_DATA_DIR": str(directory)}
            | {setting: str(key_file(self._data / "keys", setting)) for setting in entry.keys}
            | self._requests_creds(entry)
            | (self._mail if entry.does_mail else {})
            | (self._web_environment(name) if entry.has_pages else {}),
            on_line=partial(self._out.line, name),
            inherit=[self._lock],
        )
        self._services.append(service)
        await service.start_again()
        self._keep(name, service)

    def _web_environment(self, name: str) -> dict[str, str]:
        return environment(self._web.ports[name], self._identity_port, self._data / "keys")

    @property
    def _has_identity(self) -> bool:
        """What lets anybody sign in as anybody is refused in production, here as everywhere."""
        return self._options.identity_port is not None and os.environ.get("CASETRAIL_ENV") != "production"

    async def _start_identity(self, port: int) -> None:
        if port == 0:
            self._reserved = ReservedPort()
            port = self._reserved.number
        elif is_taken(port):
            raise PortTaken(port, "the development sign-in", "--identity-port")
        self._identity_port = port
        env = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
        service = ServiceProcess(
            IDENTITY,
            [sys.executable, "-m", "services.embedded.identity"],
            env=env
            | {
                "CASETRAIL_ENV": "development",
                "CASETRAIL_IDENTITY_PORT": str(port),
                "CASETRAIL_LOG_FORMAT": self._options.log_format,
                "PYTHONUNBUFFERED": "1",
            },
            on_line=partial(self._out.line, IDENTITY),
            inherit=[self._lock],
        )
        self._services.append(service)
        await service.start_again()
        self._keep(IDENTITY, service)

    @property
    def _has_mailbox(self) -> bool:
        """Where nothing says which server takes e-mails, ours does; in production something must say so."""
        wanted = any(entry.does_mail for entry in self._entries.values())
        named = os.environ.get("CASETRAIL_SMTP_HOST")
        return wanted and not named and os.environ.get("CASETRAIL_ENV") != "production"

    async def _start_mailbox(self) -> None:
        self._mail_port, self._inbox_port, self._answers_port = ReservedPort(), ReservedPort(), ReservedPort()
        self._mail = {
            "CASETRAIL_SMTP_HOST": HOST,
            "CASETRAIL_SMTP_PORT": str(self._mail_port.number),
            "CASETRAIL_SMTP_TLS": "none",
            "CASETRAIL_MAIL_IN_HOST": HOST,
            "CASETRAIL_MAIL_IN_PORT": str(self._answers_port.number),
            "CASETRAIL_MAIL_IN_TRUSTED": VOUCHES_AS,
            "CASETRAIL_MAIL_FROM": os.environ.get("CASETRAIL_MAIL_FROM") or "support@casetrail.example",
            "CASETRAIL_PUBLIC_URL": os.environ.get("CASETRAIL_PUBLIC_URL") or self._web.first,
        }
        env = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
        service = ServiceProcess(
            MAILBOX,
            [sys.executable, "-m", "services.embedded.mailbox"],
            env=env
            | {
                "CASETRAIL_ENV": "development",
                "CASETRAIL_DATA_DIR": str(self._data / "mail"),
                "CASETRAIL_MAILBOX_PORT": str(self._mail_port.number),
                "CASETRAIL_MAILBOX_HTTP_PORT": str(self._inbox_port.number),
                "CASETRAIL_MAILBOX_ANSWERS_HOST": HOST,
                "CASETRAIL_MAILBOX_ANSWERS_PORT": str(self._answers_port.number),
                "CASETRAIL_LOG_FORMAT": self._options.log_format,
                "PYTHONUNBUFFERED": "1",
            },
            on_line=partial(self._out.line, MAILBOX),
            inherit=[self._lock],
        )
        self._services.append(service)
        await service.start_again()
        self._keep(MAILBOX, service)

    async def _introduce(self, nats_url: str) -> None:
        """Make the people of the development provider known; without, they sign in and may do nothing."""
        self._introducing = await Child.start(
            [sys.executable, "-m", "services.embedded.introduce"],
            env=self._env("cli", nats_url),
            on_line=partial(self._out.line, IDENTITY),
            inherit=[self._lock],
        )
        await self._introducing.wait()

    def _keep(self, name: str, process: NatsServer | ServiceProcess) -> None:
        say = partial(self._out.line, name)
        self._keepers.append(asyncio.create_task(keep_running(process, say=say), name=f"keep {name}"))

    async def _wait_until_ready(self) -> None:
        waiting = {asyncio.create_task(service.ready(), name=service.name) for service in self._services}
        try:
            while waiting:
                _, waiting = await asyncio.wait(waiting, timeout=REMIND_EVERY_S)
                for task in waiting:
                    self._out.line(task.get_name(), "is not ready yet")
        finally:
            for task in waiting:
                task.cancel()

    def _announce(self, nats_url: str) -> None:
        services = {service.name: service.health_url for service in self._services}
        publish(
            self._data,
            Running(
                pid=os.getpid(),
                nats_url=nats_url,
                cli_creds_file=str(creds_file(self._creds, "cli")),
                operator=str(operator_directory(self._data)),
                services=services,
            ),
        )
        addresses = {"nats": nats_url} | {name: f"{url}/readyz" for name, url in services.items()}
        if self._identity_port is not None:
            addresses["sign-in"] = f"http://{HOST}:{self._identity_port} (development: anybody as anybody)"
        if self._inbox_port is not None:
            page = f"http://{HOST}:{self._inbox_port.number}"
            addresses["mail"] = f"{page} (development: nothing is delivered)"
        portal = self._web.first if self._web.ports else None
        if portal is not None:
            addresses["portal"] = portal
        self._out.plain(summary(self._options.data, addresses, portal))
