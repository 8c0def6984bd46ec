"""Files coming in and going out, on a real server."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client

from contracts.attachments.requests import MAX_CHUNK_BYTES
from contracts.client import Attachments, RequestFailed
from contracts.requests import SentActor
from contracts.subjects import ATTACHMENTS, UPLOADS, object_stream
from services.attachments.app import attachments
from services.attachments.settings import AttachmentsSettings
from services.embedded.nats_server import NatsServer
from services.runtime.settings import load
from tests.access_log import AccessLog, member
from tests.files.clamd import Clamd, clamd
from tests.files.samples import EICAR, EXE, PDF, PNG
from tests.intake.conftest import EWA, JAN, Partner, access, context, nc, new_id, running_tickets, server

__all__ = ["access", "nc", "server"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

Start = Callable[..., AbstractAsyncContextManager[None]]


@pytest_asyncio.fixture(loop_scope="module")
async def start(server: NatsServer, tmp_path: Any) -> Start:
    """Runs a replica of the service until the end of the block."""

    @contextlib.asynccontextmanager
    async def run(**settings: Any) -> AsyncIterator[None]:
        client = await nats.connect(server.url)
        try:
            made = load(AttachmentsSettings, data_dir=tmp_path, **settings)
            async with attachments(context(client, made, "attachments")):
                yield
        finally:
            await client.close()

    return run


@pytest_asyncio.fixture(loop_scope="module")
async def jan(nc: Client, access: AccessLog) -> Partner:
    account = f"a{new_id()[:12]}"
    await access.account(account, members=[JAN, EWA])
    return Partner(nc, account, member(JAN))


def client(partner: Partner) -> Attachments:
    return Attachments(partner.nc, timeout_s=5)


def actor(partner: Partner) -> SentActor:
    return SentActor.model_validate_json(json.dumps(partner.actor))


async def chunks(nc: Client, store: str) -> int:
    return (await nc.jetstream().stream_info(object_stream(store))).state.messages


async def test_a_large_file_comes_back_as_it_was_sent(jan: Partner, start: Start) -> None:
    content = PDF + os.urandom(10 * 1024 * 1024 - len(PDF))
    async with start(), start():  # each chunk goes to whichever replica takes it
        done = await client(jan).upload(
            "raport.pdf", content, upload="u1", account=jan.account, actor=actor(jan)
        )
        assert (done.name, done.media_type, done.size) == ("raport.pdf", "application/pdf", len(content))
        assert done.sha256 == hashlib.sha256(content).hexdigest()
        described, back = await client(jan).download(done.id, account=jan.account, actor=actor(jan))
        assert back == content
        assert described == done


async def test_an_upload_is_repeated_without_a_second_file(jan: Partner, start: Start) -> None:
    async with start():
        first = await jan.upload("a.png", PNG, upload="same")
        written = await chunks(jan.nc, UPLOADS)
        assert await jan.upload("a.png", PNG, upload="same") == first
        assert await chunks(jan.nc, UPLOADS) == written
        assert (await jan.upload("a.png", PNG, upload="other"))["id"] != first["id"]
        assert (await jan.as_(member(EWA)).upload("a.png", PNG, upload="same"))["id"] != first["id"]


async def test_an_upload_goes_on_where_a_process_died(jan: Partner, start: Start) -> None:
    content = PDF + os.urandom(2 * MAX_CHUNK_BYTES)
    async with start():
        first = await jan.done("upload", "attachments", **chunk("u", "a.pdf", content, 0))
    async with start():
        again = await jan.done("upload", "attachments", **chunk("u", "a.pdf", content, 0))
        assert again == first
        second = await jan.done(
            "upload", "attachments", **chunk("u", "a.pdf", content, MAX_CHUNK_BYTES, first["position"])
        )
        last = chunk("u", "a.pdf", content, 2 * MAX_CHUNK_BYTES, second["position"])
        done = await jan.done("upload", "attachments", **last)
        assert done["attachment"]["size"] == len(content)
        assert await jan.done("upload", "attachments", **last) == done


def chunk(upload: str, name: str, content: bytes, offset: int, after: int = 0) -> dict[str, Any]:
    data = base64.b64encode(content[offset : offset + MAX_CHUNK_BYTES]).decode()
    return {
        "upload": upload,
        "name": name,
        "size": len(content),
        "offset": offset,
        "after": after,
        "data": data,
    }


async def test_chunks_out_of_order_are_refused(jan: Partner, start: Start) -> None:
    content = PDF + os.urandom(2 * MAX_CHUNK_BYTES)
    async with start():
        first = await jan.done("upload", "attachments", **chunk("u", "a.pdf", content, 0))
        other = chunk("u", "a.pdf", b"%PDF-another" + content[12:], 0)
        assert (await jan.refused("upload", "attachments", **other)).code == "upload_out_of_order"
        skipped = chunk("u", "a.pdf", content, 2 * MAX_CHUNK_BYTES, first["position"])
        assert (await jan.refused("upload", "attachments", **skipped)).code == "upload_out_of_order"
        beyond = {**chunk("v", "a.pdf", content, 0), "size": 10}
        assert [f.rule for f in (await jan.refused("upload", "attachments", **beyond)).fields] == [
            "chunk_beyond_the_end"
        ]
        misplaced = chunk("v", "a.pdf", content, MAX_CHUNK_BYTES)
        assert [f.rule for f in (await jan.refused("upload", "attachments", **misplaced)).fields] == [
            "chunk_after"
        ]


@pytest.mark.parametrize(
    ("name", "content"), [("holiday.png", EXE), ("a.txt", b"<html></html>"), ("a.png", b"\x00\x01\x02")]
)
async def test_what_is_not_taken_is_no_file(jan: Partner, start: Start, name: str, content: bytes) -> None:
    async with start():
        with pytest.raises(AssertionError) as refused:
            await jan.upload(name, content, upload="u")
        assert "attachment_type_not_allowed" in str(refused.value)
        assert name in str(refused.value)
        found = await jan.nc.jetstream().stream_info(
            object_stream(UPLOADS), subjects_filter=f"$O.{UPLOADS}.M.>"
        )
        described = (found.state.subjects or {}).values()
        assert sum(described) == len(described)


async def test_the_scanner_decides(jan: Partner, start: Start) -> None:
    async with clamd() as scanner, start(clamd_address=scanner.address, clamd_timeout_s=1):
        assert (await jan.upload("a.png", PNG))["media_type"] == "image/png"
        assert scanner.seen == [PNG]
        status, answer = await _upload(jan, "eicar.txt", EICAR, "u-eicar")
        assert (status, answer["code"]) == ("409", "attachment_infected")
        scanner.answer = None
        status, answer = await _upload(jan, "b.png", PNG, "u-hang")
        assert (status, answer["code"]) == ("503", "scanner_unavailable")
        scanner.answer = b"stream: OK\0"  # the same chunk, sent again
        status, answer = await _upload(jan, "b.png", PNG, "u-hang")
        assert status is None
        assert answer["attachment"]["name"] == "b.png"


async def test_a_scanner_that_is_away_lets_nothing_through(jan: Partner, start: Start) -> None:
    async with clamd() as gone:
        address = gone.address
    assert isinstance(gone, Clamd)
    async with start(clamd_address=address):
        status, answer = await _upload(jan, "b.png", PNG, "u")
        assert (status, answer["code"]) == ("503", "scanner_unavailable")


async def _upload(partner: Partner, name: str, content: bytes, upload: str) -> tuple[str | None, Any]:
    return await partner.ask("attachments", "upload", chunk(upload, name, content, 0))


async def test_an_account_uploads_so_much_in_an_hour(jan: Partner, start: Start) -> None:
    async with start(upload_bytes_per_hour=100):
        await jan.upload("a.png", PNG)
        status, answer = await _upload(jan, "b.png", PNG, "u")
        assert (status, answer["code"]) == ("409", "upload_too_much")


async def test_strangers_neither_upload_nor_download(jan: Partner, start: Start, access: AccessLog) -> None:
    async with start():
        mine = await jan.upload("a.png", PNG)
        stranger = jan.as_(member("nobody@elsewhere.example"))
        status, answer = await _upload(stranger, "a.png", PNG, "u")
        assert (status, answer["code"]) == ("404", "account_not_found")
        for who in (stranger, jan.as_(member(EWA))):
            refused = await who.refused("download", "attachments", attachment=mine["id"])
            assert refused.code == "attachment_not_found"
        await access.removed(jan.account, JAN)
        refused = await jan.refused("download", "attachments", attachment=mine["id"])
        assert refused.code == "attachment_not_found"


async def test_the_files_of_a_reply_are_kept_for_ever(
    jan: Partner, start: Start, server: NatsServer, tmp_path: Any
) -> None:
    connection = await nats.connect(server.url)
    async with start(), running_tickets(connection, tmp_path / "tickets"):
        opened = await jan.done("open", "tickets", command_id=new_id(), title="T", message="M")
        shot = await jan.upload("a.png", PNG)
        reply = {
            "command_id": new_id(),
            "number": opened["number"],
            "text": "See",
            "attachments": [shot["id"]],
        }
        done = await jan.done("reply", "tickets", **reply)
        ewa = jan.as_(member(EWA))
        found = await ewa.done("download", "attachments", attachment=shot["id"])
        assert base64.b64decode(found["data"]) == PNG
        kept = await jan.nc.jetstream().stream_info(
            object_stream(ATTACHMENTS), subjects_filter=f"$O.{ATTACHMENTS}.M.>"
        )
        assert list((kept.state.subjects or {}).values()) == [1]
        history = await jan.done("history", "tickets", number=opened["number"], at_least=done["position"])
        assert history["events"][1]["event"]["data"]["content"]["attachments"] == [shot]
        assert await jan.done("reply", "tickets", **reply) == done
        theirs = await ewa.upload("b.png", PNG)
        for wrong in (theirs["id"], "a" * 26):
            refused = await jan.refused(
                "reply", "tickets", **{**reply, "command_id": new_id(), "attachments": [shot["id"], wrong]}
            )
            assert [(f.field, f.rule) for f in refused.fields] == [
                ("attachments.1", "attachment_not_uploaded")
            ]
        too_many = {**reply, "command_id": new_id(), "attachments": [shot["id"]] * 11}
        assert [f.rule for f in (await jan.refused("reply", "tickets", **too_many)).fields] == ["too_long"]
    await connection.close()


async def test_the_client_says_why_not(jan: Partner, start: Start) -> None:
    async with start():
        with pytest.raises(RequestFailed, match="attachment_type_not_allowed"):
            await client(jan).upload("a.exe", EXE, upload="u", account=jan.account, actor=actor(jan))
