"""Backup and restore from the command line: where to, as whom, and how far it is."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from nats.aio.client import Client
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table

from contracts.errors import ErrorKind
from services.backup.archive import reading
from services.backup.check import checked
from services.backup.keeping import keep_if_whole, keep_newest, name_of, remove_interrupted
from services.backup.manifest import Manifest
from services.backup.restore import restore_backup
from services.backup.take import Progress, take_backup
from services.cli.connect import connected, silence
from services.cli.failures import failed, malformed, run
from services.cli.output import WIDTH_OF_A_PIPE, print_json
from services.cli.words import say
from services.credentials.operator import Operator, TrustInvalid
from services.credentials.permissions import RESTORE_USER, RESTORE_USER_NAME
from services.embedded.lock import DataInUse, data_lock
from services.embedded.nats_server import NatsServer, find_binary
from services.embedded.up import operator_directory
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings, load
from services.runtime.streams import StreamsUnavailable, ensure_streams

USER: Final = "backup"
_VALID_FOR: Final = timedelta(hours=24)
_CONNECT_WITHIN_S: Final = 10.0


def backup(target: Path, *, check: bool, keep: int | None, as_json: bool) -> None:
    """Raises typer.Exit."""

    is_directory = target.is_dir()
    file = target / name_of(datetime.now(UTC)) if is_directory else target

    async def work() -> None:
        if keep is not None and not is_directory:
            raise malformed("--keep", "keep_needs_directory", file=str(target))
        try:
            async with connected(USER) as nc:
                with _progress(as_json=as_json) as progress:
                    manifest, fingerprint = await take_backup(nc, file, progress=progress)
            if check:
                keep_if_whole(file, fingerprint)
            size = file.stat().st_size
            gone = [] if keep is None else keep_newest(target, keep)
            gone += remove_interrupted(target) if is_directory else []
        except FileExistsError:
            raise malformed("FILE", "file_exists", file=str(file)) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise failed(
                ErrorKind.INTERNAL, 500, "backup_not_written", file=str(file), reason=reason
            ) from None
        if as_json:
            about = {"file": str(file), "size": size, "fingerprint": fingerprint, "checked": check}
            print_json({**about, "removed": [str(path) for path in gone], **_told(manifest)})
            return
        _show(manifest)
        messages = sum(record.messages for record in manifest.streams)
        sys.stdout.write(say("backup_done", file=file, messages=messages, size=size) + "\n")
        sys.stdout.write(say("backup_print", fingerprint=fingerprint) + "\n")
        for path in gone:
            sys.stdout.write(say("backup_removed", file=path) + "\n")

    run(work(), as_json=as_json)


def restore(
    file: Path,
    *,
    data: Path | None,
    operator_keys: Path | None,
    replicas: int,
    check: bool,
    rehearse: bool,
    fingerprint: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        if (data is not None) + check + rehearse > 1:
            raise failed(ErrorKind.MALFORMED, 400, "restore_one_place")
        silence()
        with contextlib.ExitStack() as stack:
            try:
                archive = stack.enter_context(reading(file))
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise failed(
                    ErrorKind.MALFORMED, 400, "backup_not_read", file=str(file), reason=reason
                ) from None
            manifest, found = checked(archive, fingerprint=fingerprint)
            if not check:
                if rehearse or data is not None:
                    _has_a_server()
                progress = stack.enter_context(_progress(as_json=as_json))
                target = _rehearsal() if rehearse else _target(data, operator_keys)
                async with target as nc:
                    await restore_backup(nc, archive, manifest, replicas=replicas, progress=progress)
                    await _complete(nc, replicas)
        if as_json:
            restored = "nowhere" if check else "rehearsal" if rehearse else "system"
            print_json({"file": str(file), "fingerprint": found, "restored": restored, **_told(manifest)})
            return
        _show(manifest)
        messages = sum(record.messages for record in manifest.streams)
        how = "restore_checked" if check else "restore_rehearsed" if rehearse else "restore_done"
        sys.stdout.write(say(how, file=file, messages=messages) + "\n")

    run(work(), as_json=as_json)


def _has_a_server() -> None:
    """Raises Failure: there is none on this machine, as in the image."""
    try:
        find_binary()
    except FileNotFoundError as error:
        raise failed(ErrorKind.MALFORMED, 400, "restore_no_server", reason=str(error)) from None


async def _complete(nc: Client, replicas: int) -> None:
    """What no backup holds. Raises Failure."""
    try:
        await ensure_streams(nc, replicas=replicas)
    except StreamsUnavailable as error:
        raise failed(ErrorKind.UNAVAILABLE, 503, "no_connection", reason=str(error)) from None


def _target(data: Path | None, operator_keys: Path | None) -> contextlib.AbstractAsyncContextManager[Client]:
    if data is not None:
        os.umask(0o077)
        data.mkdir(parents=True, exist_ok=True)
        return _embedded(data)
    if not os.environ.get("CASETRAIL_NATS_URL"):
        raise failed(ErrorKind.MALFORMED, 400, "restore_where")
    return _server(operator_keys)


@contextlib.asynccontextmanager
async def _embedded(data: Path) -> AsyncIterator[Client]:
    """The NATS server of an embedded system, run for the time of the restore, with the keys that it keeps.

    An fsync for each message would take most of the time: there is one at the end, before it is told done.
    """
    try:
        async with data_lock(data) as lock:
            operator = Operator.kept(operator_directory(data))
            server = await NatsServer.start(data / "nats", trust=operator.trust, inherit=[lock], syncs=False)
            try:
                async with _as_restorer(operator, load(RuntimeSettings, nats_url=server.url)) as nc:
                    yield nc
            finally:
                await server.stop()
            os.sync()
    except DataInUse as error:
        raise failed(ErrorKind.REFUSED, 409, "restore_data_in_use", reason=str(error)) from None


@contextlib.asynccontextmanager
async def _server(operator_keys: Path | None) -> AsyncIterator[Client]:
    settings = load(RuntimeSettings)
    if operator_keys is None:  # as whomever the environment names
        nc = await connect(settings, user=RESTORE_USER_NAME, wait_s=_CONNECT_WITHIN_S)
        try:
            yield nc
        finally:
            await nc.close()
        return
    try:
        operator = Operator(operator_keys)
    except (TrustInvalid, OSError) as error:
        raise failed(ErrorKind.MALFORMED, 400, "operator_keys_invalid", reason=str(error)) from None
    async with _as_restorer(operator, settings) as nc:
        yield nc


@contextlib.asynccontextmanager
async def _as_restorer(operator: Operator, settings: RuntimeSettings) -> AsyncIterator[Client]:
    """A connection with credentials that are made for it, and gone with it."""
    with tempfile.TemporaryDirectory() as directory:  # 0700
        creds = Path(directory) / "creds"
        operator.issue(RESTORE_USER_NAME, RESTORE_USER, expires=datetime.now(UTC) + _VALID_FOR).write(creds)
        own = {"nats_creds": creds, "nats_nkey_seed_file": None, "nats_inbox_user": None}
        nc = await connect(settings.model_copy(update=own), user=RESTORE_USER_NAME, wait_s=_CONNECT_WITHIN_S)
        try:
            yield nc
        finally:
            await nc.close()


@contextlib.asynccontextmanager
async def _rehearsal() -> AsyncIterator[Client]:
    with tempfile.TemporaryDirectory(prefix="casetrail-rehearsal-") as directory:
        server = await NatsServer.start(Path(directory), syncs=False)
        try:
            nc = await connect(load(RuntimeSettings, nats_url=server.url, nats_creds=None), user="rehearsal")
            try:
                yield nc
            finally:
                await nc.close()
        finally:
            await server.stop()


@contextlib.contextmanager
def _progress(*, as_json: bool) -> Iterator[Progress]:
    """Bars on standard error, where a person sees them."""

    def silent(stream: str, *, messages: int, of: int) -> None:
        """Nobody looks."""

    if as_json or not sys.stderr.isatty():
        yield silent
        return
    columns = (TextColumn("{task.description:<15}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stream: str, *, messages: int, of: int) -> None:
            if stream not in tasks:
                tasks[stream] = bars.add_task(stream, total=None)
            bars.update(tasks[stream], completed=messages, total=of)

        yield show


def _told(manifest: Manifest) -> dict[str, Any]:
    streams: Sequence[dict[str, Any]] = [
        {"name": record.name, "messages": record.messages, "first": record.first, "last": record.last}
        for record in manifest.streams
    ]
    times = {"began_at": manifest.began_at.isoformat(), "ended_at": manifest.ended_at.isoformat()}
    return {**times, "streams": streams}


def _show(manifest: Manifest) -> None:
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_PIPE
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(say("stream"))
    for column in ("messages", "positions"):
        table.add_column(say(column), justify="right")
    for record in manifest.streams:
        table.add_row(record.name, str(record.messages), f"{record.first}-{record.last}")
    Console(highlight=False, markup=False, emoji=False, width=width).print(table)
