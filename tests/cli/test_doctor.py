"""`casetrail doctor` beside a healthy system, and beside many that are not."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig

from contracts.dead_letters import (
    DELIVERIES_HEADER,
    LETTER_HEADER,
    POSITION_HEADER,
    REASON_HEADER,
    letter_id,
)
from contracts.subjects import RESTORING, dead_letter
from services.cli import words
from services.cli.doctor_around import (
    look_at_credentials,
    look_at_monitoring,
    look_at_readiness,
    look_at_services,
    look_at_the_identity_provider,
    look_at_the_mail_server,
)
from services.cli.doctor_findings import Finding, State
from services.cli.doctor_log import look_at_the_log
from services.credentials.operator import Operator
from services.credentials.permissions import USERS
from services.embedded.catalogue import CATALOGUE
from services.embedded.nats_server import NatsServer
from services.runtime.streams import ensure_streams
from tests.cli.conftest import Casetrail, System
from tests.notify.servers import mail_server

EVERY = tuple(entry.name for entry in CATALOGUE)


def problems(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings if finding.state is State.PROBLEM]


async def looked(nc: Client, *, replicas: int | None = None, services: Sequence[str] = ()) -> list[Finding]:
    return [finding async for finding in look_at_the_log(nc, replicas=replicas, services=services)]


@pytest.fixture
async def nc(nats_server: NatsServer) -> AsyncIterator[Client]:
    """Of a server with our streams."""
    client = await nats.connect(nats_server.url)
    await ensure_streams(client, replicas=1)
    yield client
    await client.close()


def test_a_healthy_system_has_nothing_wrong(system: System, casetrail: Casetrail) -> None:
    told = casetrail.having(CASETRAIL_LANG="pl")("doctor", "--json").object
    wrong = {finding["code"] for finding in told["findings"] if finding["state"] == "problem"}
    assert wrong <= {"dead_letters", "dead_mails"}, "what other tests have left behind"
    assert told["ok"] is (not wrong)
    done = casetrail("doctor")
    assert done.code == (1 if wrong else 0)
    assert ("Nothing is wrong." in done.out) is (not wrong)
    codes = {finding["code"] for finding in told["findings"]}
    assert codes >= {"nats_fine", "jetstream", "streams", "consumers", "creds", "readiness"}
    assert {f["data"]["service"] for f in told["findings"] if f["code"] == "service"} == {
        "access", "attachments", "intake", "notify", "tickets",
    }  # fmt: skip
    assert "JetStream jest włączony" in {finding["message"] for finding in told["findings"]}


def test_where_nothing_runs_that_is_what_is_wrong(nowhere: Casetrail) -> None:
    done = nowhere("doctor", "--json")
    assert done.code == 1
    (wrong,) = [finding for finding in done.object["findings"] if finding["state"] == "problem"]
    assert wrong["code"] == "nats"
    assert "CASETRAIL_NATS_URL" in wrong["fix"]
    elsewhere = nowhere.having(CASETRAIL_NATS_URL="nats://127.0.0.1:1")("doctor")
    assert elsewhere.code == 1
    assert "cannot be reached" in elsewhere.out


async def test_a_log_as_it_should_be(nc: Client) -> None:
    assert problems(await looked(nc, replicas=1)) == []


async def remove_a_stream(nc: Client) -> None:
    await nc.jetstream().delete_stream("INTAKE")


async def begin_a_restore(nc: Client) -> None:
    await nc.jetstream().add_stream(name=RESTORING.name, subjects=list(RESTORING.subjects))


async def change_a_stream(nc: Client) -> None:
    js = nc.jetstream()
    config = (await js.stream_info("KV_LIMITS")).config
    await js.update_stream(config.evolve(max_bytes=1 << 20))


async def fill_a_stream(nc: Client) -> None:
    await change_a_stream(nc)
    for number in range(1000):
        await nc.publish(f"$KV.LIMITS.a.{number}", b"x" * 900)
    await nc.jetstream().publish("$KV.LIMITS.last", b"")


async def give_up_an_event(nc: Client) -> None:
    headers = {
        LETTER_HEADER: letter_id("tickets", "tickets-submissions", "INTAKE", 1),
        POSITION_HEADER: "1",
        DELIVERIES_HEADER: "3",
        REASON_HEADER: "why",
    }
    await nc.jetstream().publish(dead_letter("tickets", "INTAKE"), b"", headers=headers)


async def have_nobody_take_events(nc: Client) -> None:
    js = nc.jetstream()
    await js.pull_subscribe("events.tickets.*.*", durable="notify-updates", stream="TICKETS")
    await js.publish("events.tickets.acme.1", b"{}")


async def fail_at_an_event(nc: Client) -> None:
    js = nc.jetstream()
    subscription = await js.pull_subscribe("events.tickets.*.*", durable="notify-updates", stream="TICKETS")
    await js.publish("events.tickets.acme.1", b"{}")
    for _ in range(2):
        (message,) = await subscription.fetch(1, timeout=2)
        await message.nak()
    await subscription.fetch(1, timeout=2)
    inbox = nc.new_inbox()  # it goes on asking
    await nc.subscribe(inbox)
    asked = json.dumps({"batch": 1, "expires": 20_000_000_000}).encode()
    await nc.publish("$JS.API.CONSUMER.MSG.NEXT.TICKETS.notify-updates", asked, reply=inbox)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (remove_a_stream, "stream_missing"),
        (begin_a_restore, "restoring"),
        (change_a_stream, "stream_differs"),
        (fill_a_stream, "stream_full"),
        (give_up_an_event, "dead_letters"),
        (have_nobody_take_events, "nobody_takes"),
        (fail_at_an_event, "redelivers"),
    ],
)
async def test_what_is_wrong_with_the_log_is_told_with_its_fix(
    nc: Client, spoil: Callable[[Client], Any], code: str
) -> None:
    await spoil(nc)
    found = await looked(nc)
    assert code in problems(found)
    for finding in found:
        if finding.state is State.PROBLEM:
            assert finding.fix


async def test_a_consumer_that_does_not_exist_is_missed(nc: Client) -> None:
    await have_nobody_take_events(nc)
    found = await looked(nc, services=EVERY)
    missing = {str(f.data["consumer"]) for f in found if f.code == "consumer_missing"}
    of_notify = {"notify-interests", "notify-invitations", "notify-received"}
    assert missing == {"attachments-keeper", "tickets-submissions", *of_notify}
    assert "consumers" not in {finding.code for finding in found}
    few = await looked(nc, services=("tickets",))
    assert [str(f.data["consumer"]) for f in few if f.code == "consumer_missing"] == ["tickets-submissions"]


async def test_one_that_stands_still_is_seen_behind_hundreds_of_others(nc: Client) -> None:
    await have_nobody_take_events(nc)
    js = nc.jetstream()
    config = ConsumerConfig(inactive_threshold=600, mem_storage=True)
    for turn in range(260):  # more than a page of the server's list
        await js.add_consumer("TICKETS", config.evolve(name=f"acme-systems-{turn}"))
    assert "nobody_takes" in problems(await looked(nc))


async def test_too_few_copies_are_told(nc: Client) -> None:
    found = await looked(nc, replicas=3)
    assert set(problems(found)) == {"stream_differs"}
    assert all("num_replicas is 1, it should be 3" in f.sentence for f in found if f.state is State.PROBLEM)


async def test_a_service_that_does_not_answer_or_is_of_another_version_is_named(nc: Client) -> None:
    from nats.micro import add_service

    services = [await add_service(nc, name="tickets", version=version) for version in ("1.0.0", "1.0.1")]
    services.append(await add_service(nc, name="notify", version="1.0.0"))
    found = [finding async for finding in look_at_services(nc, "1.0.1", EVERY)]
    told = {str(finding.data["service"]): finding.code for finding in found}
    assert told == {
        "access": "service_missing",
        "attachments": "service_missing",
        "intake": "service_missing",
        "tickets": "versions_differ",
        "notify": "version_other",
    }
    for service in services:
        await service.stop()


def test_credentials_that_expire_are_told_in_time(tmp_path: Path) -> None:
    operator = Operator.kept(tmp_path / "operator")
    now = datetime.now(UTC)
    for name, days in (("never", None), ("far", 100), ("soon", 3), ("gone", -1)):
        expires = None if days is None else now + timedelta(days=days, hours=1)
        operator.issue(name, USERS["cli"], expires=expires).write(tmp_path / f"{name}.creds")
    (tmp_path / "broken.creds").write_text("no creds")
    found = {Path(str(f.data.get("file", ""))).stem: f.code for f in look_at_credentials(
        sorted(tmp_path.glob("*.creds")), now)}  # fmt: skip
    assert found == {"soon": "creds_expire", "gone": "creds_expired", "broken": "creds_unreadable"}
    (fine,) = look_at_credentials([tmp_path / "never.creds", tmp_path / "far.creds"], now)
    assert (fine.state, fine.data["count"]) == (State.FINE, 2)


async def answering(body: object, status: str = "200 OK") -> asyncio.Server:
    """An HTTP server with one answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        content = json.dumps(body).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + content)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


@contextlib.asynccontextmanager
async def http(body: object, status: str = "200 OK") -> AsyncIterator[str]:
    server = await answering(body, status)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("body", "code", "state"),
    [
        ({"config": {"sync_always": True, "max_storage": 100}, "storage": 10}, ["sync"], State.FINE),
        ({"config": {"sync_interval": 120_000_000_000}}, ["sync_off"], State.PROBLEM),
        (
            {"config": {"sync_always": True, "max_storage": 100}, "storage": 81},
            ["sync", "disk_full"],
            State.PROBLEM,
        ),
        ({"disabled": True}, ["server_without_jetstream"], State.PROBLEM),
        ([], ["monitor"], State.PROBLEM),
    ],
)
async def test_what_only_a_servers_monitoring_tells(body: object, code: list[str], state: State) -> None:
    async with http(body) as url:
        found = [finding async for finding in look_at_monitoring([url])]
    assert [finding.code for finding in found] == code
    assert found[-1].state is state
    assert found[-1].sentence


async def test_the_real_monitoring_is_understood(tmp_path: Path) -> None:
    """What our own server says of itself."""
    from services.embedded import nats_server

    original = nats_server.configuration
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            nats_server,
            "configuration",
            lambda *given, **named: {**original(*given, **named), "http": "127.0.0.1:-1"},
        )
        server = await NatsServer.start(tmp_path)
    try:
        (ports,) = await asyncio.to_thread(lambda: list(tmp_path.glob("*.ports")))
        url = json.loads(ports.read_text())["monitoring"][0]
        assert [finding.code async for finding in look_at_monitoring([url])] == ["sync"]
    finally:
        await server.stop()


async def test_nobody_at_an_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = "http://127.0.0.1:1"
    assert [f.code async for f in look_at_monitoring([nobody])] == ["monitor"]
    assert [f.code async for f in look_at_monitoring([])] == ["sync_unseen"]
    assert [f.code async for f in look_at_readiness({"tickets": nobody})] == ["not_ready", "readiness"]
    monkeypatch.delenv("CASETRAIL_SMTP_HOST", raising=False)
    assert (await look_at_the_mail_server()).state is State.UNSEEN
    monkeypatch.setenv("CASETRAIL_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("CASETRAIL_SMTP_PORT", "1")
    assert (await look_at_the_mail_server()).code == "smtp"
    assert (await look_at_the_identity_provider()).state is State.UNSEEN
    monkeypatch.setenv("CASETRAIL_OIDC_ISSUER", nobody)
    assert (await look_at_the_identity_provider()).code == "oidc"


async def test_a_mail_server_and_an_identity_provider_that_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with mail_server() as mail:
        monkeypatch.setenv("CASETRAIL_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("CASETRAIL_SMTP_PORT", str(mail.port))
        assert (await look_at_the_mail_server()).code == "smtp_fine"
    async with http({"issuer": "https://other.example"}) as url:
        monkeypatch.setenv("CASETRAIL_OIDC_ISSUER", url)
        assert (await look_at_the_identity_provider()).code == "oidc"
    checks = [{"name": "replica", "ok": False, "reason": "catching up"}]
    async with http({"ready": False, "checks": checks}, "503 Service Unavailable") as url:
        not_ready, _ = [finding async for finding in look_at_readiness({"tickets": url})]
        assert not_ready.data == {"service": "tickets", "reason": "replica: catching up"}


@pytest.mark.parametrize("name", [name for name in words.SENTENCES if name.startswith("doctor_")])
def test_every_sentence_is_there_in_both_languages(name: str) -> None:
    wording = words.SENTENCES[name]
    assert wording.en
    assert wording.pl
    if name.endswith("_fix"):
        assert name.removesuffix("_fix") in words.SENTENCES
