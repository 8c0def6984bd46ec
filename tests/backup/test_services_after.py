"""After a restore the services go on: replicas are made again where they must be, nothing is done twice."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from contracts.access.roles import PlatformRole
from contracts.subjects import INTAKE, NOTIFY, TICKETS, object_stream
from services.attachments.app import attachments
from services.attachments.keep import KEEPER
from services.attachments.settings import AttachmentsSettings
from services.backup.archive import reading
from services.backup.check import checked
from services.backup.restore import restore_backup
from services.backup.take import take_backup
from services.embedded.nats_server import NatsServer
from services.notify.fanout import UPDATES
from services.runtime.digest import digest
from services.runtime.settings import load
from services.runtime.streams import ensure_streams
from services.tickets.subscribers import SUBMISSIONS
from tests.access_log import AccessLog, on_server
from tests.backup.conftest import anybody, quiet
from tests.intake.conftest import context
from tests.notify.servers import MailDouble, mail_server
from tests.notify.system import BEN, System, account, to, until
from tests.tickets.conftest import AGENT, OLA, Caller, running, upload
from tests.tickets.submissions import openings, put_on_record, submitted

ACCOUNT = "acme"


@contextlib.asynccontextmanager
async def a_server(directory: Path) -> AsyncIterator[tuple[NatsServer, Client]]:
    server = await NatsServer.start(directory)
    nc = await anybody(server)
    try:
        yield server, nc
    finally:
        await nc.close()
        await server.stop()


@contextlib.asynccontextmanager
async def tickets(server: NatsServer, directory: Path) -> AsyncIterator[None]:
    client = await anybody(server)
    try:
        async with running(client, directory):
            yield
    finally:
        await client.close()


async def handled_everything(nc: Client, stream: str, consumer: str) -> None:
    """The durable consumer has had every event, and each is done with."""

    async def has() -> bool:
        with contextlib.suppress(NotFoundError):
            about = await nc.jetstream().consumer_info(stream, consumer)
            return bool(about.num_pending == 0 and about.num_ack_pending == 0)
        return False

    await until(has)


async def last(nc: Client, stream: str) -> int:
    return (await nc.jetstream().stream_info(stream)).state.last_seq


def digests(directory: Path) -> dict[str, str]:
    return {path.name: digest(path) for path in directory.glob("*.sqlite")}


async def work(server: NatsServer, nc: Client, directory: Path, mail: MailDouble) -> System:
    """Tickets by request and by submission, with a file, each told of by e-mail; then everything stops."""
    access = AccessLog(on_server(nc))
    await access.appointed(OLA, PlatformRole.AGENT)
    async with tickets(server, directory / "tickets"):
        system = await account(server, await Caller.of(nc, ACCOUNT, access), access, directory)
        async with system.notify(mail, "notify"):
            file = await upload(nc, ACCOUNT)
            number = await system.open(attachments=[file.id])
            await system.caller.reply(number, actor=AGENT)
            await put_on_record(nc, submitted(ACCOUNT))
            await handled_everything(nc, INTAKE.name, SUBMISSIONS)
            await handled_everything(nc, TICKETS.name, UPDATES)
            await mail.until(lambda: len(mail.taken) == 4)  # Ben of three events, Jan of the reply

            async def all_sent() -> bool:
                every = await system.events("events.notify.mails.*")
                return [event.type for event in every].count("casetrail.mail.sent.v1") == 4

            await until(all_sent)
    return system


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    """Of a system in which things have happened; its replicas lie in `tickets` and `notify`."""
    async with a_server(tmp_path / "nats") as (server, nc), mail_server() as mail:
        await ensure_streams(nc, replicas=1)
        system = await work(server, nc, tmp_path, mail)
        await take_backup(nc, tmp_path / "backup.tar", progress=quiet)
        shutil.copytree(tmp_path / "tickets", tmp_path / "tickets-then")
        async with tickets(server, tmp_path / "tickets"):  # what comes after the backup is lost
            await system.open(title="Later")
            await system.open(title="Later still")
            await system.caller.catch_up()
    return tmp_path / "backup.tar"


@contextlib.asynccontextmanager
async def restored(backup: Path, directory: Path) -> AsyncIterator[tuple[NatsServer, Client]]:
    async with a_server(directory) as (server, nc):
        with reading(backup) as archive:
            await restore_backup(nc, archive, checked(archive)[0], replicas=1, progress=quiet)
        assert await ensure_streams(nc, replicas=1) == []
        yield server, nc


async def test_views_are_the_same_whether_their_replicas_are_new_old_or_ahead(
    backup: Path, tmp_path: Path
) -> None:
    then = digests(tmp_path / "tickets-then")
    assert len(then) == 1
    assert digests(tmp_path / "tickets") != then
    async with restored(backup, tmp_path / "restored") as (server, nc):
        for replica in ("new", "tickets-then", "tickets"):  # the last has events that the log lost
            async with tickets(server, tmp_path / replica):
                await handled_everything(nc, INTAKE.name, SUBMISSIONS)
            assert digests(tmp_path / replica) == then, replica


async def test_a_replica_notices_another_event_where_its_last_one_was(backup: Path, tmp_path: Path) -> None:
    """The log has gone on from the backup, past the position up to which the old replica knows it."""
    async with restored(backup, tmp_path / "restored") as (server, nc):
        caller = Caller(nc, ACCOUNT, AccessLog(on_server(nc)))
        async with tickets(server, tmp_path / "new"):
            for title in ("Other", "than", "before"):
                await caller.open(title=title)
            await caller.catch_up()
        async with tickets(server, tmp_path / "tickets"):
            await handled_everything(nc, INTAKE.name, SUBMISSIONS)
        assert digests(tmp_path / "tickets") == digests(tmp_path / "new")


async def test_nobody_is_mailed_again_and_no_submission_opens_a_second_ticket(
    backup: Path, tmp_path: Path
) -> None:
    async with restored(backup, tmp_path / "restored") as (server, nc), mail_server() as mail:
        access = AccessLog(on_server(nc))
        system = System(server, nc, access, Caller(nc, ACCOUNT, access), tmp_path / "other")
        before = await last(nc, TICKETS.name), await last(nc, NOTIFY.name)
        async with tickets(server, tmp_path / "new"), system.notify(mail, "notify"):
            await handled_everything(nc, INTAKE.name, SUBMISSIONS)
            await handled_everything(nc, TICKETS.name, UPDATES)
            assert (await last(nc, TICKETS.name), await last(nc, NOTIFY.name)) == before
            assert mail.taken == []
            assert len(await openings(nc, ACCOUNT)) == 2

            number = (await openings(nc, ACCOUNT))[0].subject  # and what happens now is told of
            await system.caller.reply(number)
            await mail.until(lambda: len(to(mail, BEN)) == 1)
            assert await last(nc, TICKETS.name) == before[0] + 1


async def test_a_file_that_was_not_copied_yet_is_copied_after_the_restore(
    backup: Path, tmp_path: Path
) -> None:
    async with restored(backup, tmp_path / "restored") as (server, nc):
        assert await last(nc, object_stream("ATTACHMENTS")) == 0  # nobody ran who copies
        client = await anybody(server)
        settings = load(AttachmentsSettings, data_dir=tmp_path / "attachments")
        async with attachments(context(client, settings, "attachments")):
            await handled_everything(nc, TICKETS.name, KEEPER)
        await client.close()
        assert await last(nc, object_stream("ATTACHMENTS")) == 2
