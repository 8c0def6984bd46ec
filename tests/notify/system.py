"""Tickets and notify on one NATS server, with a mail server double: what a person does, and what arrives."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import nats
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from contracts import subjects
from contracts.errors import STATUS_HEADER
from contracts.notify.events import AnyNotifyEvent, parse_notify_event
from services.embedded.key_files import key_file
from services.embedded.nats_server import NatsServer
from services.notify.app import notify
from services.notify.settings import NotifySettings
from services.runtime.settings import load
from tests.access_log import AccessLog
from tests.intake.conftest import context
from tests.notify.servers import MailDouble
from tests.tickets.conftest import Caller

BEN: Final = "ben@acme.example"


@dataclass
class System:
    """One account on one server; `caller` acts as Jan, or as Ola with `actor=AGENT`."""

    server: NatsServer
    nc: Client
    access: AccessLog
    caller: Caller
    directory: Path

    async def open(self, **more: Any) -> str:
        """The number of a ticket that Jan opened."""
        return str((await self.caller.open(**more))["number"])

    @contextlib.asynccontextmanager
    async def notify(
        self,
        mail: MailDouble | int,
        name: str = "n",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        **settings: Any,
    ) -> AsyncIterator[None]:
        """Runs a replica of the service until the end of the block."""
        client = await nats.connect(self.server.url)
        port = mail if isinstance(mail, int) else mail.port
        loaded = load(
            NotifySettings,
            **{
                "data_dir": self.directory / name,
                "smtp_host": "127.0.0.1",
                "smtp_port": port,
                "smtp_tls": "none",
                "mail_from": "support@casetrail.example",
                "public_url": "https://support.example/",
                "link_key_file": key_file(self.directory, "link"),
                **settings,
            },
        )
        try:
            async with notify(context(client, loaded, "notify"), now):
                yield
        finally:
            await client.close()

    async def done(self, name: str, **body: Any) -> dict[str, Any]:
        """What notify answers to the operator's terminal."""
        raw = json.dumps({"actor": {"kind": "system", "id": "cli"}, **body}).encode()
        reply = await self.nc.request(subjects.system_request("cli", "notify", name), raw, timeout=5)
        assert STATUS_HEADER not in (reply.headers or {}), reply.data
        answer: dict[str, Any] = json.loads(reply.data)
        return answer

    async def events(self, subject: str) -> list[AnyNotifyEvent]:
        """What is on record of it (a filter), in order."""
        js = self.nc.jetstream()
        found: list[AnyNotifyEvent] = []
        sequence = 1
        with contextlib.suppress(NotFoundError):
            while True:
                message = await js.get_msg(subjects.NOTIFY.name, sequence, subject=subject, next=True)
                found.append(parse_notify_event(message.data or b""))
                sequence = int(message.seq or 0) + 1
        return found

    async def mails_of(self, number: str) -> dict[str, list[str]]:
        """By mail, the last words of the types of its events; of the mails about a ticket."""
        every = await self.events("events.notify.mails.*")
        ours = {e.subject for e in every if getattr(e.data, "ticket", None) == number}
        found: dict[str, list[str]] = {mail: [] for mail in ours}
        for event in every:
            if event.subject in ours:
                found[event.subject].append(event.type.split(".")[2])
        return found


async def until(condition: Any, *, within_s: float = 15) -> Any:
    """What the condition (an async function) gives, once that is true."""
    async with asyncio.timeout(within_s):
        while not (found := await condition()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the log is asked: nothing here could wake us
        return found


def to(mail: MailDouble, address: str) -> list[EmailMessage]:
    """What arrived for somebody, in order."""
    return [message for recipient, message in mail.taken if recipient == address]


def text(message: EmailMessage) -> str:
    """The text part."""
    part = message.get_body(("plain",))
    return "" if part is None else str(part.get_content())


async def account(server: NatsServer, caller: Caller, access: AccessLog, directory: Path) -> System:
    """An account with Jan, who acts, and Ben; and Ola, an agent."""
    await access.joined(caller.account, BEN)
    return System(server, caller.nc, access, caller, directory)
