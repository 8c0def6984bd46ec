"""The interest form on a real server: from a stranger's first look at it to one submission in the log."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
import pytest
import pytest_asyncio

from contracts.intake.requests import PendingInterest
from contracts.reference import is_reference
from contracts.subjects import INTERESTS, LIMITS
from services.embedded.nats_server import NatsServer
from services.intake.interest_settings import InterestSettings
from services.intake.links import InterestTokens
from services.intake.pending import PendingInterests
from services.runtime.settings import SettingsInvalid, load
from services.runtime.streams import ensure_streams
from tests.access_log import AccessLog, on_server
from tests.conftest import SecuredNats
from tests.intake.interest_node import ACCOUNT, ANSWERS, CANONICAL, FORM, KEY, Node, Stranger, publish

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartNode = Callable[[], AbstractAsyncContextManager[Node]]
StartSystem = Callable[..., AbstractAsyncContextManager[Node]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsServer]:
    """With the account of new partners, and the form."""
    server = await NatsServer.start(tmp_path_factory.mktemp("nats"))
    nc = await nats.connect(server.url)
    await ensure_streams(nc, replicas=1)
    await AccessLog(on_server(nc)).account(ACCOUNT)
    await publish(nc)
    await nc.close()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    nc = await nats.connect(server.url)
    directory = tmp_path_factory.mktemp("node") / "replica"
    async with Node(nc, directory, interest_in_all=1000).running() as node:
        yield node
    await nc.close()


@pytest.fixture
def stranger(node: Node) -> Stranger:
    return Stranger(node)


@pytest.fixture
def start_node(node: Node, tmp_path: Path) -> StartNode:
    """Another replica on the same server, for the length of a block; callers reach either of them."""

    @contextlib.asynccontextmanager
    async def start() -> AsyncIterator[Node]:
        async with Node(node.nc, tmp_path / "other").running() as other:
            other.clock.at = node.clock.at
            yield other

    return start


@pytest.fixture
def a_system(tmp_path: Path) -> StartSystem:
    """A server and a replica of its own, for the length of a block."""

    @contextlib.asynccontextmanager
    async def start(
        *, account: str | None = ACCOUNT, form: dict[str, Any] | None = FORM, **settings: Any
    ) -> AsyncIterator[Node]:
        server = await NatsServer.start(tmp_path / "nats")
        nc = await nats.connect(server.url)
        try:
            await ensure_streams(nc, replicas=1)
            if account is not None:
                await AccessLog(on_server(nc)).account(account)
            await publish(nc, form or {**FORM, "url": "https://casetrail.example/questionnaires/other"})
            async with Node(nc, tmp_path / "replica", **settings).running() as node:
                yield node
        finally:
            await nc.close()
            await server.stop()

    return start


# The whole way


async def test_the_form_comes_whole_and_in_the_persons_language(stranger: Stranger) -> None:
    form = await stranger.done("interest_form", language="pl")
    assert (form["questionnaire"], form["title"]) == (CANONICAL, "Zostań partnerem")
    assert [item["link_id"] for item in form["items"]] == [item["linkId"] for item in FORM["item"]]
    assert [child["text"] for child in form["items"][1]["items"]] == ["E-mail", "NIP"]
    assert [option["text"] for option in form["items"][2]["options"]] == [
        "Przychodnia",
        "Serwis rezerwacyjny",
    ]
    assert len(form["token"]) <= 512
    assert (await stranger.done("interest_form", language="de"))["title"] == "Become a partner"


async def test_an_interest_that_is_confirmed_is_one_submission(
    stranger: Stranger, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = await stranger.filled_in(language="pl")
    noted = await stranger.done("express_interest", **sent)
    reference = noted["reference"]
    assert is_reference(reference)
    waiting = await stranger.kept(reference)
    assert (waiting.email, waiting.confirmed, waiting.language) == (stranger.email, False, "pl")
    assert waiting.expires_at - waiting.at == timedelta(days=7)
    assert await stranger.submissions(waiting.submission) == []

    shown = await stranger.done("show_interest", token=waiting.token, language="en")
    assert (shown["reference"], shown["confirmed"]) == (reference, False)
    assert {each["link_id"]: each["values"] for each in shown["answers"]}["kind"] == ["A clinic"]
    assert await stranger.submissions(waiting.submission) == [], "a link that is opened changes nothing"

    confirmed = await stranger.done("confirm_interest", token=waiting.token)
    assert (confirmed["reference"], confirmed["submission"]) == (reference, waiting.submission)
    (event,) = await stranger.submissions(waiting.submission)
    assert (event.account, event.actor, event.via.value) == (ACCOUNT, "system:intake", "portal")
    assert (event.revision, event.subject, event.time) == (1, waiting.submission, stranger.node.clock.at)
    data = event.data
    assert (data.questionnaire, data.topic, data.language) == (CANONICAL, "new-partner", "pl")
    assert data.content.title == "Nowy partner: Przychodnia Łąkowa"
    assert data.content.message == "We would like to offer\nour appointments."
    assert [(each.kind, each.value) for each in data.content.identifiers] == [
        ("reference", reference),
        ("email", stranger.email),
        ("vat", "PL5260250274"),
    ]
    assert [(each.question, each.values) for each in data.content.answers][:3] == [
        ("Firma", ("Przychodnia Łąkowa",)),
        ("E-mail", (stranger.email,)),
        ("NIP", ("PL5260250274",)),
    ]
    logged = capsys.readouterr().out
    for personal in (stranger.email, stranger.address, "Łąkowa", "appointments"):
        assert personal not in logged


async def test_once_it_is_confirmed_the_bucket_knows_nothing_of_the_person(stranger: Stranger) -> None:
    token = await stranger.express()
    confirmed = await stranger.done("confirm_interest", token=token)
    js = stranger.node.nc.jetstream()
    raw = (await js.get_last_msg(f"KV_{INTERESTS}", f"$KV.{INTERESTS}.{confirmed['reference']}")).data or b""
    assert b"lakowa" not in raw.lower()
    assert "Łąkowa".encode() not in raw
    assert PendingInterest.model_validate_json(raw).confirmed
    shown = await stranger.done("show_interest", token=token, language="en")
    assert shown == {"reference": confirmed["reference"], "confirmed": True, "answers": []}


# Once, however often and wherever it dies


async def test_a_repeated_form_is_the_same_interest_and_counted_once(stranger: Stranger) -> None:
    sent = await stranger.filled_in()
    first = await stranger.done("express_interest", **sent)
    before = await stranger.entries()
    for _ in range(8):  # more than an address may send
        assert await stranger.done("express_interest", **sent) == first
    assert await stranger.entries() == before
    stranger.node.clock += 25 * 3600  # even though the form is too old by now
    assert await stranger.done("express_interest", **sent) == first


async def test_a_form_sent_many_times_at_once_is_one_interest(
    stranger: Stranger, start_node: StartNode
) -> None:
    sent = await stranger.filled_in(after_s=60)
    before = await stranger.entries()
    async with start_node() as other:
        other.clock.at = stranger.node.clock.at
        answers = await asyncio.gather(*(stranger.done("express_interest", **sent) for _ in range(10)))
    assert {answer["reference"] for answer in answers} == {answers[0]["reference"]}
    assert await stranger.entries() == before + 1


async def test_a_second_confirmation_is_the_same_answer(stranger: Stranger) -> None:
    token = await stranger.express()
    first = await stranger.done("confirm_interest", token=token)
    assert await stranger.done("confirm_interest", token=token) == first
    assert len(await stranger.submissions(first["submission"])) == 1


async def test_a_process_that_dies_before_it_marks_the_entry_is_made_up_for(stranger: Stranger) -> None:
    noted = await stranger.done("express_interest", **await stranger.filled_in())
    found = await PendingInterests(stranger.node.nc.jetstream()).find(noted["reference"])
    assert found is not None
    position = await stranger.node.interests._append(found.interest)  # and here it dies
    assert not (await stranger.kept(noted["reference"])).confirmed

    stranger.node.clock += 60
    confirmed = await stranger.done("confirm_interest", token=found.interest.token)
    assert confirmed["position"] == position
    assert (await stranger.kept(noted["reference"])).confirmed
    assert len(await stranger.submissions(confirmed["submission"])) == 1


async def test_replicas_that_confirm_at_once_append_one_submission(
    stranger: Stranger, start_node: StartNode
) -> None:
    token = await stranger.express()
    async with start_node() as other:
        other.clock.at = stranger.node.clock.at
        answers = await asyncio.gather(*(stranger.done("confirm_interest", token=token) for _ in range(20)))
    assert [answer for answer in answers if answer != answers[0]] == []
    assert len(await stranger.submissions(answers[0]["submission"])) == 1


# Programs


@pytest.mark.parametrize(
    ("after_s", "code"),
    [
        (0, "interest_too_fast"),
        (2.9, "interest_too_fast"),
        (-30, "interest_too_fast"),
        (3, None),
        (24 * 3600, None),
        (24 * 3600 + 1, "interest_form_void"),
    ],
)
async def test_a_form_is_sent_neither_too_fast_nor_too_late(
    stranger: Stranger, after_s: float, code: str | None
) -> None:
    sent = await stranger.filled_in(after_s=after_s)
    status, answer = await stranger.ask("express_interest", **sent)
    assert answer.get("code") == code
    assert (status is None) == (code is None)


async def test_who_fills_in_what_nobody_sees_is_answered_politely_and_nothing_is_kept(
    stranger: Stranger,
) -> None:
    before = await stranger.entries()
    for _ in range(10):  # nor counted: it takes nothing away from people
        sent = await stranger.filled_in(website="https://spam.example")
        noted = await stranger.done("express_interest", **sent)
        assert noted.keys() == {"reference", "expires_at"}
        assert is_reference(noted["reference"])
    assert await stranger.entries() == before
    await stranger.express()


@pytest.mark.parametrize(
    "token", ["x", "x.y", InterestTokens(KEY + "!").of_form(CANONICAL, datetime.now(UTC))]
)
async def test_a_form_that_was_not_handed_out_here_is_void(stranger: Stranger, token: str) -> None:
    refused = await stranger.refused("express_interest", **await stranger.filled_in() | {"token": token})
    assert (refused.code, refused.status) == ("interest_form_void", 409)


async def test_a_form_of_a_questionnaire_that_is_not_published_is_void(stranger: Stranger) -> None:
    token = InterestTokens(KEY).of_form(CANONICAL.replace("1.0", "0.9"), stranger.node.clock.at)
    refused = await stranger.refused("express_interest", **await stranger.filled_in() | {"token": token})
    assert refused.code == "interest_form_void"


# Limits


async def test_an_address_sends_five_an_hour(stranger: Stranger) -> None:
    stranger.node.clock.next_hour()
    for number in range(5):
        await stranger.express(answers={**ANSWERS, "address": [f"n{number}.{stranger.email}"]})
    neighbour = stranger.address.removesuffix("::1") + ":ffff::2"  # of the same /64
    sent = await stranger.filled_in(address=neighbour, answers={**ANSWERS, "address": [f"x{stranger.email}"]})
    before = await stranger.entries()
    assert (await stranger.refused("express_interest", **sent)).code == "interest_too_often"
    assert await stranger.entries() == before
    stranger.node.clock += 3600
    assert (await stranger.done("express_interest", **sent))["reference"]


async def test_an_e_mail_address_is_written_to_three_times_an_hour(stranger: Stranger) -> None:
    stranger.node.clock.next_hour()
    spellings = [stranger.email, stranger.email.upper(), f" {stranger.email} "]
    for number, spelling in enumerate(spellings):
        await stranger.express(address=f"198.51.100.{number}", answers={**ANSWERS, "address": [spelling]})
    refused = await stranger.refused("express_interest", **await stranger.filled_in())
    assert refused.code == "interest_too_often"


async def test_only_so_many_are_taken_in_all(a_system: StartSystem) -> None:
    async with a_system(interest_in_all=3) as node:
        node.clock.next_hour()
        for _ in range(3):
            await Stranger(node).express()
        last = Stranger(node)
        assert (await last.refused("express_interest", **await last.filled_in())).code == "interest_too_often"


async def test_what_comes_from_one_address_takes_nothing_from_the_others(a_system: StartSystem) -> None:
    async with a_system(interest_in_all=6, interest_per_email=100) as node:
        node.clock.next_hour()
        flooding = Stranger(node)
        for _ in range(5):
            await flooding.express()
        for _ in range(5):
            await flooding.refused("express_interest", **await flooding.filled_in())
        await Stranger(node).express()


async def test_where_nothing_can_be_counted_nothing_is_taken(a_system: StartSystem) -> None:
    async with a_system() as node:
        stranger = Stranger(node)
        await node.nc.jetstream().delete_stream(f"KV_{LIMITS}")
        refused = await stranger.refused("express_interest", **await stranger.filled_in())
        assert (refused.kind, refused.status) == ("unavailable", 503)
        assert await stranger.entries() == 0


# Open or closed


async def test_without_the_account_of_new_partners_nothing_is_taken(a_system: StartSystem) -> None:
    async with a_system(account=None) as node:
        stranger = Stranger(node)
        for name, body in (
            ("interest_form", {"language": "pl"}),
            ("express_interest", await a_form_of_before(stranger)),
        ):
            refused = await stranger.refused(name, **body)
            assert (refused.code, refused.status) == ("interest_closed", 409)
        await AccessLog(on_server(node.nc)).account(ACCOUNT)
        await stranger.express()


async def test_without_a_form_nothing_is_taken(a_system: StartSystem) -> None:
    async with a_system(form=None) as node:
        refused = await Stranger(node).refused("interest_form", language="pl")
        assert refused.code == "interest_closed"


async def a_form_of_before(stranger: Stranger) -> dict[str, Any]:
    """A filled-in form that was handed out while it was open."""
    token = InterestTokens(KEY).of_form(CANONICAL, stranger.node.clock.at - timedelta(seconds=60))
    return {
        "command_id": uuid.uuid4().hex,
        "token": token,
        "language": "en",
        "answers": {**ANSWERS, "address": [stranger.email]},
        "address": stranger.address,
    }


# Answers


async def test_every_answer_that_is_wrong_is_named_and_nothing_is_kept(stranger: Stranger) -> None:
    before = await stranger.entries()
    wrong = {"address": ["no address"], "kind": ["site"], "traffic": ["many"]}
    for _ in range(6):  # nor counted
        refused = await stranger.refused("express_interest", **await stranger.filled_in(answers=wrong))
        assert refused.kind == "malformed"
        assert {broken.field: broken.rule for broken in refused.fields} == {
            "answers.company": "answer_needed",
            "answers.address": "answer_not_an_email",
            "answers.traffic": "answer_not_a_whole_number",
        }
    assert await stranger.entries() == before
    await stranger.express()


async def test_what_is_not_asked_is_not_kept(stranger: Stranger) -> None:
    answers = {**ANSWERS, "traffic": ["7"], "logo": ["a" * 26], "unknown": ["x"], "contact": ["x"]}
    sent = await stranger.filled_in(answers=answers | {"address": [stranger.email], "wish": ["  "]})
    kept = await stranger.kept((await stranger.done("express_interest", **sent))["reference"])
    assert kept.answers.keys() == {"company", "address", "vat", "kind"}


async def test_without_words_of_its_own_the_ticket_says_what_it_is(stranger: Stranger) -> None:
    answers = {key: value for key, value in ANSWERS.items() if key != "wish"} | {"address": [stranger.email]}
    token = await stranger.express(language="pl", answers=answers)
    confirmed = await stranger.done("confirm_interest", token=token)
    (event,) = await stranger.submissions(confirmed["submission"])
    assert event.data.content.message == "Firma chce zostać partnerem. Jej odpowiedzi znajdują się poniżej."


async def test_a_company_of_a_long_name_and_address_is_taken_too(stranger: Stranger) -> None:
    email = f"ewa@{'x' * 60}.{'y' * 60}.{uuid.uuid4().hex}.example"
    answers = {**ANSWERS, "company": ["Łąka " * 40], "address": [email]}
    confirmed = await stranger.done("confirm_interest", token=await stranger.express(answers=answers))
    (event,) = await stranger.submissions(confirmed["submission"])
    content = event.data.content
    assert len(content.title) <= 200
    assert content.title.endswith("…")
    assert [each.kind for each in content.identifiers] == ["reference", "vat"]
    assert email in [value for answer in content.answers for value in answer.values]


@pytest.mark.parametrize("address", ["unix", "198.51.100.7:4711", "example.com"])
async def test_a_network_address_that_is_none_is_named(stranger: Stranger, address: str) -> None:
    refused = await stranger.refused("express_interest", **await stranger.filled_in(address=address))
    assert [(each.field, each.rule) for each in refused.fields] == [("address", "network_address_shape")]


# Links


@pytest.mark.parametrize("name", ["show_interest", "confirm_interest"])
async def test_a_link_that_is_not_ours_is_void(stranger: Stranger, name: str) -> None:
    language = {"language": "pl"} if name == "show_interest" else {}
    form = (await stranger.done("interest_form", language="pl"))["token"]
    never_kept = InterestTokens(KEY).of_confirmation("R-0000-0000-0000")
    for token in ("x", form, never_kept):
        refused = await stranger.refused(name, token=token, **language)
        assert (refused.code, refused.status) == ("interest_link_void", 404)


async def test_a_link_is_void_after_a_week_unless_it_was_used(stranger: Stranger) -> None:
    used, unused = await stranger.express(), await stranger.express()
    confirmed = await stranger.done("confirm_interest", token=used)
    stranger.node.clock += 7 * 24 * 3600
    assert await stranger.done("confirm_interest", token=used) == confirmed
    assert (await stranger.refused("confirm_interest", token=unused)).code == "interest_link_void"
    assert (await stranger.refused("show_interest", token=unused, language="en")).code == "interest_link_void"


# As it is run


async def test_the_users_of_the_system_may_do_all_of_it_and_need_nothing_else(
    secured_nats: SecuredNats, tmp_path: Path
) -> None:
    root = await secured_nats.connect("root")
    await AccessLog(on_server(root)).account(ACCOUNT)
    await publish(root)
    async with Node(await secured_nats.connect("intake"), tmp_path / "replica").running() as node:
        stranger = Stranger(node, asking=await secured_nats.connect("cli"), looking=root)
        token = await stranger.express()
        confirmed = await stranger.done("confirm_interest", token=token)
        assert len(await stranger.submissions(confirmed["submission"])) == 1
    assert secured_nats.violations == []


async def test_without_a_key_nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CASETRAIL_LINK_KEY_FILE", raising=False)
    with pytest.raises(SettingsInvalid, match="CASETRAIL_LINK_KEY_FILE"):
        load(InterestSettings)
    short = tmp_path / "short.key"
    short.write_text("short")
    settings = load(InterestSettings, link_key_file=short)
    with pytest.raises(SettingsInvalid, match="at least 32 characters"):
        settings.link_key()
