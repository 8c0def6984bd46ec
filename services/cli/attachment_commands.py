"""Uploading and saving files from the command line."""

from __future__ import annotations

import hashlib
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from nats.aio.client import Client

from contracts.attachments.files import MAX_ATTACHMENT_BYTES, Attachment
from contracts.attachments.requests import DownloadAttachment, UploadChunk
from contracts.client import Attachments
from contracts.errors import ErrorKind
from contracts.requests import SentActor
from services.cli import arguments
from services.cli.connect import connected
from services.cli.failures import checked, failed, malformed, run
from services.cli.output import print_json, visible
from services.cli.words import say

TIMEOUT_S = 40.0
"""For a chunk: a virus scanner may take its time over the last one."""


def put(file: str, *, account: str, actor: str, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        content = read(file, "FILE")
        who = SentActor.model_validate(arguments.person(actor), strict=False)
        checked(
            UploadChunk,
            upload="u",
            account=account,
            actor=arguments.person(actor),
            name=_name(file),
            size=len(content),
            data="AA==",
        )
        async with connected() as nc:
            (done,) = await upload(
                nc, {file: content}, account=account, actor=who, command_id=str(uuid.uuid4())
            )
        if as_json:
            print_json(done)
        else:
            sys.stdout.write(f"{say('file_sent', name=visible(done.name), id=done.id)}\n")

    run(work(), as_json=as_json)


def get(attachment: str, *, account: str, actor: str, out: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        query = checked(
            DownloadAttachment, attachment=attachment, account=account, actor=arguments.person(actor)
        )
        async with connected() as nc:
            client = Attachments(nc, timeout_s=TIMEOUT_S)
            found, content = await client.download(attachment, account=account, actor=query.actor)
        target = Path(out or found.name)
        write_new(target, content)
        if as_json:
            print_json(found, {"file": str(target)})
        else:
            sys.stdout.write(f"{say('file_saved', name=visible(found.name), file=visible(str(target)))}\n")

    run(work(), as_json=as_json)


async def upload(
    nc: Client, files: dict[str, bytes], *, account: str, actor: SentActor, command_id: str
) -> Sequence[Attachment]:
    """The files, in their order. With the same command id they are the same files. Raises RequestFailed."""
    client = Attachments(nc, timeout_s=TIMEOUT_S)
    return [
        await client.upload(
            _name(file), content, upload=_upload_id(command_id, at, content), account=account, actor=actor
        )
        for at, (file, content) in enumerate(files.items())
    ]


def read(file: str, option: str) -> bytes:
    """The file's bytes. Raises Failure: it cannot be read, is empty, or too large."""
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(MAX_ATTACHMENT_BYTES + 1)
            size = opened.seek(0, 2) if opened.seekable() else len(content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise failed(ErrorKind.MALFORMED, 400, "file_not_readable", file=file, reason=reason) from None
    if not content:
        raise malformed(option, "file_empty", file=file)
    if len(content) > MAX_ATTACHMENT_BYTES:
        raise malformed(option, "file_too_large", file=file, size=size, limit=MAX_ATTACHMENT_BYTES)
    return content


def write_new(target: Path, content: bytes) -> None:
    """Raises Failure: it is there already, or cannot be written."""
    try:
        with target.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise malformed("--out", "file_exists", file=str(target)) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise malformed("--out", "file_not_writable", file=str(target), reason=reason) from None


def _name(file: str) -> str:
    return Path(file).name[:128]


def _upload_id(command_id: str, at: int, content: bytes) -> str:
    """Another content is another file, even if a command id is used twice."""
    return hashlib.sha256(f"{command_id}\0{at}\0".encode() + content).hexdigest()[:40]
