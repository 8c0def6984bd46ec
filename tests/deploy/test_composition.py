"""The whole system in containers: three NATS servers, two replicas of each service, load and trouble."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import httpx2
import lxml.html  # type: ignore[import-untyped]
import pytest
from nats.aio.client import Client

from contracts.follow import Follower, FollowError, Message
from contracts.subjects import OUTSIDE_DOMAIN, TICKETS, consumer_names
from services.runtime.connection import connect, keep_alive
from services.runtime.settings import RuntimeSettings, load
from services.runtime.streams import stream_info
from tests.access_log import member
from tests.deploy.composition import NODES, OTHERS, SERVICES, Composition, until
from tests.faults.conftest import Document, Writers, check_log
from tests.signin.steps import OWN_PAGE, sign_in

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

ANNA, KATARZYNA = "anna.kowalska@acme-clinic.example", "katarzyna.zielinska@casetrail.example"
WRITERS, PAUSED_S = 16, 12


@pytest.fixture(scope="module")
def composition(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    """Running, and ready."""
    composition = Composition(tmp_path_factory.mktemp("composition"))
    try:
        composition.up()
        yield composition
    finally:
        composition.down()


@pytest.fixture
async def nc(composition: Composition, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A connection of the operator's terminal that comes back after every outage."""
    for name, value in composition.settings().items():
        monkeypatch.setenv(name, value)
    client = await connect(load(RuntimeSettings), user="cli")
    keeping = asyncio.create_task(keep_alive(client))
    yield client
    while not keeping.done():
        keeping.cancel()
        await asyncio.wait([keeping], timeout=1)
    await client.close()


def test_every_container_runs_as_the_chart_has_it(composition: Composition) -> None:
    running = composition.containers()
    assert len(running) == len(NODES) + 2 * len(SERVICES) + len(OTHERS)
    for container in running:
        host, config = container.attrs["HostConfig"], container.attrs["Config"]
        assert config["User"] == "10001:10001", container.name
        assert host["ReadonlyRootfs"], container.name
        assert host["Memory"] >= 128 << 20, container.name
        assert host["CapDrop"] == ["ALL"], container.name
        assert not host["Privileged"], container.name
        assert "no-new-privileges:true" in host["SecurityOpt"], container.name
        uids = {row[0] for row in container.top(ps_args="-eo uid,pid")["Processes"]}
        assert uids == {"10001"}, container.name
        assert container.attrs["RestartCount"] == 0, container.logs(tail=20)


def test_a_service_can_write_nothing_but_its_replica(composition: Composition) -> None:
    container = composition.containers("tickets")[0]
    for place, code in (("/opt/casetrail/x", 1), ("/etc/x", 1), ("/run/casetrail/x", 1), ("/data/x", 0)):
        assert container.exec_run(["sh", "-c", f"echo > {place}"]).exit_code == (2 if code else 0), place
    for tool in ("cc", "gcc", "make", "pip", "pip3"):
        assert container.exec_run(["sh", "-c", f"command -v {tool}"]).exit_code != 0, tool


def test_a_ticket_goes_through_its_life_on_the_command_line(composition: Composition) -> None:
    number = opened(composition, "Calendar stays empty")
    by_agent = f"agent:{KATARZYNA}"
    composition.cli("ticket", "reply", number, "--text", "Your token expired.", "--as", by_agent)
    composition.cli("ticket", "close", number, "--reason", "solved", "--as", by_agent)
    refused = composition.cli("ticket", "reply", number, "--text", "It is empty again.", "--as", ANNA, code=3)
    assert "is closed and takes no replies" in refused
    composition.cli("ticket", "reopen", number, "--reason", "It is empty again.", "--as", ANNA)
    shown = composition.cli("ticket", "show", number)
    assert re.findall(r"^(\d+)  (\w+)", shown, re.MULTILINE) == [
        ("1", "opened"), ("2", "replied"), ("3", "closed"), ("4", "reopened"),
    ]  # fmt: skip


async def test_a_ticket_goes_through_its_life_in_the_portal(composition: Composition) -> None:
    """Anna works on one replica of the portal, the agent on the other."""
    number = opened(composition, "Bookings come twice")
    async with signed_in(composition, ANNA) as anna, signed_in(composition, KATARZYNA) as katarzyna:
        katarzyna.base_url = httpx2.URL(composition.second_portal_url)
        page = f"/tickets/{number.replace('-', '')}"
        desk = f"/desk{page}"
        assert "Bookings come twice" in (await anna.get("/tickets")).text
        for browser, action, fields in (
            (katarzyna, f"{desk}/reply", {"text": "Since which day?"}),
            (anna, f"{page}/reply", {"text": "Since Monday."}),
            (katarzyna, f"{desk}/close", {"reason": "solved"}),
            (anna, f"{page}/reopen", {"text": "It is as it was."}),
        ):
            sent = await browser.post(action, data={"command_id": str(uuid.uuid4()), **fields})
            assert sent.status_code == 200, sent.text
    shown = composition.cli("ticket", "show", number)
    assert re.findall(r"^(\d+)  (\w+)", shown, re.MULTILINE) == [
        ("1", "opened"), ("2", "replied"), ("3", "replied"), ("4", "closed"), ("5", "reopened"),
    ]  # fmt: skip


@contextlib.asynccontextmanager
async def signed_in(composition: Composition, email: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser, by HTTP only, of somebody who has signed in."""
    here = composition.portal_url
    headers = {**OWN_PAGE, "accept-language": "en"}
    async with httpx2.AsyncClient(base_url=here, timeout=20, headers=headers) as browser:
        await sign_in(browser, here, email)
        browser.follow_redirects = True
        yield browser


def test_a_ticket_is_answered_by_mail(composition: Composition) -> None:
    number = opened(composition, "Answered from the inbox")
    composition.cli("ticket", "reply", number, "--text", "Which browser?", "--as", f"agent:{KATARZYNA}")
    here = composition.mailbox_url
    with httpx2.Client(base_url=here, headers={"origin": here}) as inbox:
        mail = partial(mail_about, inbox, "Which browser?")
        until(mail, "the agent's reply has come by mail")
        page = lxml.html.fromstring(inbox.get(mail() or "").text)
        (form,) = page.xpath("//form[contains(@action, '/answer')]")
        fields = {name: value for name, value in form.form_values() if name != "files"}
        answered = inbox.post(form.get("action"), data={**fields, "text": "Firefox, the newest."})
        assert answered.status_code == 200, answered.text
    until(lambda: "Firefox, the newest." in composition.cli("ticket", "show", number), "the answer is there")


def opened(composition: Composition, title: str) -> str:
    """The number of a new ticket of Anna's."""
    said = composition.cli(
        "ticket", "open", "--account", "acme-clinic", "--title", title, "--text", "Help", "--as", ANNA
    )
    found = re.search(r"\d{3}-\d{3}-\d{4}", said)
    assert found is not None, said
    return found[0]


def mail_about(inbox: httpx2.Client, words: str) -> str | None:
    """Where the newest mail to Anna with these words is shown; None: there is none."""
    page = lxml.html.fromstring(inbox.get(f"/people/{ANNA}").text)
    for link in page.xpath("//a[contains(@class, 'row')]/@href"):
        if words in inbox.get(f"{link}/source").text:
            return str(link)
    return None


async def test_killed_and_paused_containers_lose_nothing_and_double_nothing(
    composition: Composition, nc: Client
) -> None:
    """A service's container, and one NATS server of three, whichever it is: the others go on."""
    writers = Writers(nc)
    over = asyncio.Event()
    writing = [asyncio.create_task(write(writers, writer, over)) for writer in range(WRITERS)]
    try:
        await writers.more_acknowledged(100)
        for service in ("tickets", "access", *NODES):
            container = composition.containers(service)[0]
            await asyncio.to_thread(container.kill)
            await writers.more_acknowledged(50)
            await asyncio.to_thread(container.start)
            await writers.more_acknowledged(50)
            if service not in NODES:
                await healthy_again(composition, container)
        for service in ("tickets", *NODES):
            container = composition.containers(service)[0]
            with composition.paused(container):
                await writers.more_acknowledged(50)
                await asyncio.sleep(PAUSED_S)  # the time is the test
            await writers.more_acknowledged(50)
            if service not in NODES:
                await healthy_again(composition, container)
    finally:
        over.set()
        await asyncio.gather(*writing)
    ours = [message for message in await everything(nc) if b'"load-' in message.payload]
    assert check_log(ours, writers) == len(writers.acknowledged)
    for service in SERVICES:
        for container in composition.containers(service):
            lines = container.logs().decode().splitlines()
            assert not [line for line in lines if '"request.failed"' in line or '"service.failed"' in line]


async def write(writers: Writers, writer: int, over: asyncio.Event) -> None:
    """Opens tickets and answers them, until told to stop."""
    n = 0
    number = None
    while not over.is_set():
        n += 1
        if number is None or n % 10 == 0:
            answer = await writers.send("open", command(f"load-{writer}-{n}", title="x", message="x"))
            number = (answer or {}).get("number", number)
        else:
            await writers.send("reply", command(f"load-{writer}-{n}", number=number, text="x"))


def command(command_id: str, **more: Any) -> Document:
    return {"command_id": command_id, "account": "acme-clinic", "actor": member(ANNA), **more}


async def healthy_again(composition: Composition, container: Any) -> None:
    await asyncio.to_thread(
        until, partial(composition.healthy, container), f"{container.name} is ready again"
    )


async def everything(nc: Client) -> list[Message]:
    """All messages of the log of tickets, in order."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(FollowError):  # the servers may still be agreeing on who leads what
                return await _followed(nc)


async def _followed(nc: Client) -> list[Message]:
    follower = Follower(nc, TICKETS.name, TICKETS.filter, names=consumer_names("cli"), domain=OUTSIDE_DOMAIN)
    messages: list[Message] = []
    last = None
    async with contextlib.aclosing(follower.batches()) as batches:
        async for batch in batches:
            messages += batch.messages
            last = last or (await stream_info(nc, TICKETS, domain=OUTSIDE_DOMAIN))["state"]["last_seq"]
            if messages and messages[-1].position >= last:
                break
    return messages
