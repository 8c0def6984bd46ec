"""The development mail server: a process that takes every e-mail over SMTP and keeps it as a file.

    <data>/mail/<moment>-<recipient>.eml

It passes nothing on, listens on this machine only unless told otherwise, and does not start in production.
A page shows each person's inbox (`services.embedded.inbox`); what is answered there goes to the server that
takes answers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
import uuid
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from prometheus_client import CollectorRegistry
from pydantic import Field, ValidationInfo, field_validator

from services.embedded.inbox.answer import Server
from services.embedded.inbox.app import application
from services.embedded.inbox.mails import DELIVERED_TO, name_part
from services.embedded.inbox.serving import served
from services.embedded.ports import HOST
from services.runtime import logs
from services.runtime.health import Health
from services.runtime.settings import RuntimeSettings, SettingsInvalid, load

NAME: Final = "mailbox"
MAX_BYTES: Final = 25 << 20

log = structlog.get_logger()


class MailboxSettings(RuntimeSettings):
    """The settings of the development mail server. It does not use NATS."""

    env: Literal["production", "development"] = Field(
        default="production", description="The mail server starts only if this is `development`."
    )
    mailbox_host: str = Field(
        default=HOST,
        min_length=1,
        description="Address that it listens on: another than this machine's own only inside a container.",
    )
    mailbox_port: int = Field(default=0, ge=0, le=65535, description="SMTP port.")
    mailbox_http_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port of the page of the inboxes; 0 takes any free one and logs it.",
    )
    mailbox_answers_host: str | None = Field(
        default=None, description="SMTP server that takes what is answered on the page; unset: nothing does."
    )
    mailbox_answers_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of `CASETRAIL_MAILBOX_ANSWERS_HOST`."
    )

    @field_validator("env")
    @classmethod
    def _not_in_production(cls, env: str) -> str:
        if env == "production":
            raise ValueError("the development mail server delivers nothing and is refused in production")
        return env

    @field_validator("mailbox_answers_port")
    @classmethod
    def _port_with_host(cls, port: int | None, info: ValidationInfo) -> int | None:
        if (port is None) != (info.data.get("mailbox_answers_host") is None):
            raise ValueError("is given together with CASETRAIL_MAILBOX_ANSWERS_HOST, or neither is")
        return port

    @property
    def answers(self) -> Server | None:
        """The server that takes answers, if there is one."""
        if self.mailbox_answers_host is None or self.mailbox_answers_port is None:
            return None
        return Server(host=self.mailbox_answers_host, port=self.mailbox_answers_port)


class Keeper:
    """What aiosmtpd asks what to do with a mail."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail, once for each recipient, on disk before the answer."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        for recipient in envelope.rcpt_tos:
            traced = _trace(recipient, envelope.mail_from or "") + content
            file = await asyncio.to_thread(keep, self._directory, recipient, traced)
            log.info("mailbox.kept", file=str(file), size=len(content))
        return "250 2.0.0 Kept"


def keep(directory: Path, recipient: str, content: bytes) -> Path:
    """Write the mail as a file of its own, whole or not at all. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{name_part(recipient)}.eml"
    partial_file = directory / f".{uuid.uuid4().hex}"
    with partial_file.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return partial_file.rename(directory / name)


def _trace(recipient: str, sender: str) -> bytes:
    """The envelope, in the headers that a server puts above a mail when it delivers it (RFC 5321, 4.4)."""
    whom, who = (address.encode("utf-8", "replace") for address in (recipient, sender))
    lines = (DELIVERED_TO + whom, b"Return-Path: <" + who + b">")
    return b"".join(line + b"\r\n" for line in lines if not re.search(rb"[\x00-\x1f\x7f]", line))


def main() -> int:
    """Run until told to stop; returns the exit code: 2, it may not or cannot start."""
    try:
        settings = load(MailboxSettings)
        logs.configure(settings.log_format, settings.log_level, NAME)
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's: a line for every command
        os.umask(0o077)
        asyncio.run(_run(settings))
    except SettingsInvalid as invalid:
        sys.stderr.write(f"casetrail {NAME} cannot start:\n{invalid}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"casetrail {NAME} cannot start: {error}\n")
        return 2
    return 0


async def _run(settings: MailboxSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    smtp = partial(
        SMTP, Keeper(settings.data_dir), data_size_limit=MAX_BYTES, enable_SMTPUTF8=True, hostname="localhost"
    )
    server = await loop.create_server(smtp, settings.mailbox_host, settings.mailbox_port, reuse_address=True)
    health = Health(CollectorRegistry())
    health.add_check(NAME, _well)
    try:
        async with served(
            application(settings.data_dir, settings.answers),
            settings.mailbox_http_port,
            host=settings.mailbox_host,
        ) as page:
            await health.start(settings.health_host, settings.health_port)
            log.info(
                "service.ready",
                port=server.sockets[0].getsockname()[1],
                page=f"http://{settings.mailbox_host}:{page}",
                directory=str(settings.data_dir),
            )
            await stop.wait()
    finally:
        server.close()
        await health.stop()
    log.info("service.stopped")


async def _well() -> str | None:
    return None


if __name__ == "__main__":
    sys.exit(main())
