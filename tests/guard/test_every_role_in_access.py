"""Every role against every request of the access service, in its own account, in another's, and over all."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from contracts import wording
from contracts.access.people import person_id
from contracts.access.requests import SERVICE
from contracts.errors import ErrorReply
from contracts.registry import REQUESTS
from contracts.subjects import ACCESS
from services.access.app import AccessSettings
from services.access.app import access as compose
from services.runtime.health import Health
from services.runtime.service import Context
from services.runtime.settings import load
from services.runtime.streams import stream_info
from tests.access_log import member
from tests.guard.conftest import ACME, GLOBEX, PEOPLE, World, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

OK, HIDDEN, NO, UNKNOWN = "ok", "account_not_found", "not_permitted", "person_not_found"

ON_ACCOUNT: Final = ("change", "create_credential", "revoke_credential")
ON_PEOPLE: Final = ("invite", "withdraw", "change_role", "remove")
OVER_ALL: Final = ("register", "appoint", "dismiss")
OF_ONESELF: Final = ("accept", "link", "change_person", "invitation", "stop_mail")
"""Not a matter of roles: the invited person accepts, a person changes itself, a link shows what it is
for, and the link in an e-mail ends e-mails."""

# For each in acme, and then in globex: changing the account, managing people, seeing people, seeing systems.
IN_ACCOUNTS: Final[dict[str, tuple[tuple[str, str, str, str], tuple[str, str, str, str]]]] = {
    "member of acme": ((NO, NO, OK, NO), (HIDDEN,) * 4),
    "admin of acme": ((NO, OK, OK, OK), (HIDDEN,) * 4),
    "member of globex": ((HIDDEN,) * 4, (NO, NO, OK, NO)),
    "agent": ((NO, NO, OK, NO),) * 2,
    "auditor": ((NO, NO, OK, OK),) * 2,
    "operator": ((OK,) * 4,) * 2,
    "agent as a member": ((HIDDEN,) * 4,) * 2,
    "member as an agent": ((HIDDEN,) * 4,) * 2,
    "stranger": ((HIDDEN,) * 4,) * 2,
    "writing system of acme": ((HIDDEN, HIDDEN, NO, NO), (HIDDEN,) * 4),
    "reading system of acme": ((HIDDEN, HIDDEN, NO, NO), (HIDDEN,) * 4),
    "subscribing system of acme": ((HIDDEN,) * 4,) * 2,
    "revoked system of acme": ((HIDDEN,) * 4,) * 2,
    "terminal": ((OK,) * 4,) * 2,
}
# For each: registering accounts and appointing, admitting accounts, listing them, asking what another may,
# asking who it is.
EVERYWHERE: Final[dict[str, tuple[str, str, str, str, str]]] = {
    "member of acme": (NO, NO, OK, NO, OK),
    "admin of acme": (NO, NO, OK, NO, OK),
    "member of globex": (NO, NO, OK, NO, OK),
    "agent": (NO, OK, OK, NO, OK),
    "auditor": (NO, NO, OK, OK, OK),
    "operator": (OK, OK, OK, OK, OK),
    "agent as a member": (NO, NO, OK, NO, OK),
    "member as an agent": (NO, NO, NO, NO, OK),
    "stranger": (NO, NO, OK, NO, UNKNOWN),
    "writing system of acme": (NO, NO, NO, NO, UNKNOWN),
    "reading system of acme": (NO, NO, NO, NO, UNKNOWN),
    "subscribing system of acme": (NO, NO, NO, NO, UNKNOWN),
    "revoked system of acme": (NO, NO, NO, NO, UNKNOWN),
    "terminal": (OK, OK, OK, OK, UNKNOWN),
}
SEES: Final = {
    "member of acme": [ACME],
    "member of globex": [GLOBEX],
    "stranger": [],
    "agent as a member": [],
}

WORDS: Final = {
    NO: ("You may not do that here.", "Nie masz tu do tego uprawnień."),
    HIDDEN: ("There is no account {account} here.", "Nie ma tu konta {account}."),
    UNKNOWN: ("This person is not known here.", "Ta osoba nie jest tu znana."),
}
STATUS: Final = {NO: "403", HIDDEN: "404", UNKNOWN: "404"}


def _cases() -> Iterator[tuple[str, str, str, str]]:
    for who, accounts in IN_ACCOUNTS.items():
        for account, outcomes in zip((ACME, GLOBEX), accounts, strict=True):
            groups = (ON_ACCOUNT, ON_PEOPLE, ("people",), ("list_credentials",))
            for group, outcome in zip(groups, outcomes, strict=True):
                for name in group:
                    yield who, name, account, outcome
    for who, everywhere in EVERYWHERE.items():
        names = (OVER_ALL, ("admit",), ("list",), ("permissions",), ("whoami",))
        for group, outcome in zip(names, everywhere, strict=True):
            for name in group:
                yield who, name, "", outcome


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def access(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """The access service, as the user that it has in the system."""
    directory = tmp_path_factory.mktemp("access")
    key = directory / "links.key"
    key.write_text("the key of these tests, long enough to be one")
    registry = CollectorRegistry()
    context = Context(
        settings=load(AccessSettings, data_dir=directory, link_key_file=key),
        nc=await world.connect("access"),
        health=Health(registry),
        registry=registry,
        user="access",
        version="1.0.0",
        failed=asyncio.get_running_loop().create_future(),
    )
    async with compose(context):
        yield


async def _ask(world: World, who: str, name: str, body: dict[str, Any]) -> tuple[str | None, Any]:
    return await world.ask(PEOPLE[who], name, service="access", **body)


async def _done(world: World, who: str, name: str, /, **body: Any) -> dict[str, Any]:
    status, answer = await _ask(world, who, name, body)
    assert status is None, answer
    assert isinstance(answer, dict)
    return answer


async def _body(world: World, name: str, account: str) -> dict[str, Any]:
    """A request that would be carried out for whoever may."""
    email, command = f"{new_id()}@new.example", {"command_id": new_id()}
    in_account = {"account": account}

    async def invited() -> dict[str, Any]:
        invite = {"account": account, "email": email, "command_id": new_id()}
        return await _done(world, "operator", "invite", **invite)

    match name:
        case "change":
            return in_account | command | {"name": f"Name {new_id()}"}
        case "create_credential" | "revoke_credential":
            name_of_it = f"s{new_id()[:12]}"
            about = {"name": name_of_it}
            public_key = "U" + base64.b32encode(secrets.token_bytes(35)).decode()[:55]
            created = about | {"public_key": public_key, "may": ["read"]}
            if name == "create_credential":
                return in_account | command | created
            await _done(world, "operator", "create_credential", **in_account, command_id=new_id(), **created)
            return in_account | command | about
        case "invite":
            return in_account | command | {"email": email}
        case "withdraw":
            return in_account | command | {"invitation": (await invited())["invitation"]}
        case "change_role" | "remove":
            accept = {"command_id": new_id(), "token": (await invited())["token"]}
            status, _ = await world.ask(member(email), "accept", service="access", **accept)
            assert status is None
            person = {"person": person_id(email)}
            return in_account | command | person | ({"role": "admin"} if name == "change_role" else {})
        case "register":
            return {"account": f"a{new_id()[:12]}", "name": "New"} | command
        case "admit":
            return {"account": f"a{new_id()[:12]}", "name": "New", "email": email} | command
        case "appoint":
            return command | {"email": email, "role": "auditor"}
        case "dismiss":
            appointed = {"email": email, "role": "auditor", "command_id": new_id()}
            return command | {
                "person": (await _done(world, "operator", "appoint", **appointed))["person"],
                "role": "auditor",
            }
        case "permissions":
            return {"person": person_id("max@globex.example"), "account": GLOBEX, "limit": 1}
        case _:
            return in_account if account else {}


async def _last_position(world: World) -> int:
    return int((await stream_info(world.root, ACCESS))["state"]["last_seq"])


@pytest.mark.parametrize(
    ("who", "name", "account", "outcome"),
    [pytest.param(*case, id=f"{case[0]}, {case[1]} in {case[2] or 'all'}: {case[3]}") for case in _cases()],
)
async def test_a_role_may_do_what_the_table_says(
    world: World, access: None, who: str, name: str, account: str, outcome: str
) -> None:
    if (who, name) == ("member of globex", "permissions"):
        outcome = OK  # which is about that person itself
    body = await _body(world, name, account)
    before = await _last_position(world)
    status, answer = await _ask(world, who, name, body)
    written = await _last_position(world) - before
    if outcome == OK:
        assert status is None, answer
        assert bool(written) == ("command_id" in body)
        return
    assert not written, "refused, and yet something was written"
    refused = ErrorReply.model_validate(answer)
    assert (refused.kind, refused.code, status) == ("refused", outcome, STATUS[outcome])
    english, polish = (sentence.format_map({"account": account}) for sentence in WORDS[outcome])
    assert refused.message == english
    assert wording.refusal(refused.code, refused.data, "pl") == polish


@pytest.mark.parametrize("who", SEES)
async def test_a_person_is_listed_its_own_accounts_only(world: World, access: None, who: str) -> None:
    page = await _done(world, who, "list")
    assert [summary["account"] for summary in page["accounts"]] == SEES[who]


LITERAL: Final[dict[str, dict[str, Any]]] = {
    "change": {"name": "x"},
    "invite": {"email": "x@new.example"},
    "withdraw": {"invitation": "x"},
    "change_role": {"person": "p1", "role": "admin"},
    "remove": {"person": "p1"},
    "create_credential": {"name": "x", "public_key": "U" + "A" * 55, "may": ["read"]},
    "revoke_credential": {"name": "x"},
    "people": {},
    "list_credentials": {},
}


@pytest.mark.parametrize("name", LITERAL)
@pytest.mark.parametrize("who", [who for who, (_, globex) in IN_ACCOUNTS.items() if globex == (HIDDEN,) * 4])
async def test_an_account_of_others_answers_as_if_it_did_not_exist(
    world: World, access: None, who: str, name: str
) -> None:
    """The same request before and after there is such an account: the complete replies are compared."""
    account = f"a{new_id()[:12]}"
    body = {"account": account, **LITERAL[name]}
    if name in (*ON_ACCOUNT, *ON_PEOPLE):
        body["command_id"] = "the-same-each-time"
    before = await world.send(PEOPLE[who], name, service="access", **body)
    registered = {"account": account, "name": "New", "command_id": new_id()}
    done = await _done(world, "operator", "register", **registered)
    await _done(world, "operator", "people", account=account, at_least=done["position"])
    after = await world.send(PEOPLE[who], name, service="access", **body)
    assert (after.headers, after.data) == (before.headers, before.data)
    assert ErrorReply.model_validate_json(after.data).code == HIDDEN


async def test_the_tables_name_everybody_and_every_request() -> None:
    """Nobody is left out here: a query of access without an actor does not even parse."""
    assert IN_ACCOUNTS.keys() == EVERYWHERE.keys() == PEOPLE.keys() - {"nobody"}
    known = {subject.rpartition(".")[2] for subject, entry in REQUESTS.items() if entry.service == SERVICE}
    assert {name for _, name, _, _ in _cases()} | {*OF_ONESELF} == known
