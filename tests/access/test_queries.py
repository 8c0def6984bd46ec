"""Queries over NATS: who sees what, page by page, now and at any moment that ever was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import nats
import pytest

from contracts.access import requests, roles
from contracts.access.events import RecordedAccessEvent
from contracts.access.people import person_id
from contracts.access.systems import system_user
from contracts.envelope import format_time
from services.access import account, person, translate
from services.embedded.nats_server import NatsServer
from services.runtime.digest import digest
from services.runtime.errors import Unavailable
from services.runtime.streams import ensure_streams
from tests.access.conftest import TERMINAL, Caller, Node, agent, log_of, member, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartNode = Callable[[str], AbstractAsyncContextManager[Node]]
Granted = set[tuple[str, str | None, str, frozenset[str]]]


# The log, replayed to any moment


def replayed(events: Iterable[RecordedAccessEvent], account_id: str) -> Granted:
    """Who may what in the account after these events: by the rules of the domain, not by the view."""
    accounts: dict[str, account.Account] = {}
    people: dict[str, person.Person] = {}
    may: dict[str, list[roles.SystemMay]] = {}
    for _, event in events:
        fact = translate.fact(event)
        if isinstance(fact, person.PersonFact):
            people[event.subject] = person.evolve(people.get(event.subject), fact)
            continue
        accounts[event.subject] = account.evolve(accounts.get(event.subject), fact)
        if isinstance(fact, account.CredentialCreated):
            may[fact.public_key] = [roles.SystemMay(each.value) for each in fact.may]
    granted: Granted = set()
    for who, state in people.items():
        for role in state.roles:
            given = roles.of_platform([roles.PlatformRole(role.value)])
            granted.add((who, None, role.value, given))
    found = accounts.get(account_id)
    if found is None:
        return granted
    for who, member_role in found.members.items():
        given = roles.of_member(roles.MemberRole(member_role.value))
        granted.add((who, account_id, member_role.value, given))
    for name, key in found.credentials.items():
        user = system_user(account_id, name)
        granted.add((user, account_id, " ".join(may[key]), roles.of_system(may[key])))
    return granted


async def granted(caller: Caller, **query: Any) -> Granted:
    """What `permissions` answers, page by page."""
    found: Granted = set()
    query = {"actor": TERMINAL, "limit": 3, **query}
    while True:
        page = await caller.done("permissions", **query)
        found |= {
            (
                each["person"],
                each.get("account"),
                each["role"],
                frozenset((*each["permissions"], *each.get("further", ()))),
            )
            for each in page["grants"]
        }
        if "next_after" not in page:
            return found
        query["after"] = page["next_after"]


async def test_the_log_replayed_to_any_moment_tells_who_could_do_what_then(caller: Caller) -> None:
    admin = await caller.with_admin()
    ola = await caller.join("ola")
    await caller.appoint("jan", "agent")
    key = "U" + new_id().upper().translate(str.maketrans("0189", "ABCD")).ljust(55, "A")
    await caller.done(
        "create_credential", **caller.command(name="sync", public_key=key, may=["subscribe", "write"])
    )
    await caller.done("change_role", **caller.command(admin, person=ola["id"], role="admin"))
    await caller.done("remove", **caller.command(ola, person=admin["id"]))
    await caller.done("revoke_credential", **caller.command(name="sync"))
    await caller.join("admin")
    jan = agent(caller.email("jan"))
    await caller.done("dismiss", **caller.of_person(TERMINAL, person=jan["id"], role="agent"))
    last = await caller.appoint("jan", "auditor")

    events = await log_of(caller.nc)
    mine = [
        each for each in events if caller.account in (each.event.subject, each.event.account)
        or each.event.subject == last["id"]
    ]  # fmt: skip
    for position, event in mine:
        for moment in (position - 1, position):
            expected = replayed((each for each in events if each.position <= moment), caller.account)
            if any(each.event.subject == caller.account for each in events if each.position <= moment):
                assert await granted(caller, account=caller.account, as_of_position=moment) == expected
        then = replayed((each for each in events if each.event.time <= event.time), caller.account)
        at = format_time(event.time)
        assert await granted(caller, account=caller.account, as_of_time=at) == then
    now = replayed(events, caller.account)
    assert await granted(caller, account=caller.account, at_least=events[-1].position) == now
    assert (ola["id"], caller.account, "admin", roles.MEMBERS[roles.MemberRole.ADMIN]) in now
    assert len({each for each in now if each[1] is not None}) == 2  # the system's way in is closed


async def test_everybody_may_ask_for_themselves_and_only_some_for_others(caller: Caller) -> None:
    admin = await caller.with_admin()
    ola = await caller.join("ola")
    (mine,) = (await caller.done("permissions", actor=ola, person=ola["id"]))["grants"]
    assert (mine["account"], mine["role"], mine["granted_to"]) == (caller.account, "member", "member")
    assert "people_manage" not in mine["permissions"]
    for about in ({"person": ola["id"]}, {"account": caller.account}, {"account": "nobody"}):
        assert (await caller.refused("permissions", actor=admin, **about)).code == "not_permitted"
    auditor = await caller.appoint("ewa", "auditor")
    page = await caller.done("permissions", actor=auditor, person=ola["id"], account=caller.account)
    assert [each["person"] for each in page["grants"]] == [ola["id"]]
    assert (await caller.refused("permissions", actor=auditor, account="nobody")).code == "account_not_found"


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({}, "person_or_account"),
        (
            {"person": "p", "as_of_position": 1, "as_of_time": "2026-11-20T09:00:00Z"},
            "as_of_position_and_time",
        ),
    ],
)
async def test_a_question_that_makes_no_sense_is_told_so(
    caller: Caller, more: dict[str, Any], rule: str
) -> None:
    refused = await caller.refused("permissions", actor=TERMINAL, **more)
    assert [field.rule for field in refused.fields] == [rule]


# Lists


async def listed(caller: Caller, **query: Any) -> list[str]:
    found: list[str] = []
    while True:
        page = await caller.done("list", **query)
        found += [each["account"] for each in page["accounts"]]
        if "next_after" not in page:
            return found
        query["after"] = page["next_after"]


async def test_accounts_are_listed_page_by_page_and_found_by_words(caller: Caller) -> None:
    word = new_id()
    accounts = sorted(f"a{new_id()[:12]}" for _ in range(5))
    for each in accounts:
        done = await caller.done("register", **{**caller.command(name=f"Łódzka {word}"), "account": each})
    query = {"actor": TERMINAL, "at_least": done["position"], "limit": 2}
    assert await listed(caller, words=f"LODZKA {word}", **query) == accounts
    assert await listed(caller, words=accounts[1], **query) == [accounts[1]]
    assert await listed(caller, words=new_id(), **query) == []


async def test_a_member_lists_its_own_accounts_only(caller: Caller, nc: Any) -> None:
    await Caller(nc).with_admin()
    admin = await caller.with_admin()
    assert await listed(caller, actor=admin) == [caller.account]
    assert await listed(caller, actor=member(caller.email("nobody"))) == []
    auditor = await caller.appoint("ewa", "auditor")
    assert {caller.account} < set(await listed(caller, actor=auditor))
    refused = await caller.refused("list", actor=agent(caller.email("admin")))
    assert (refused.code, refused.status) == ("not_permitted", 403)


async def test_members_are_counted(caller: Caller) -> None:
    admin = await caller.with_admin()
    ola = await caller.join("ola")
    await caller.invite("jan")
    removed = await caller.done("remove", **caller.command(admin, person=ola["id"]))
    page = await caller.done("list", actor=admin, at_least=removed["position"])
    assert [(each["members"], each["position"]) for each in page["accounts"]] == [(1, removed["position"])]


async def test_people_are_listed_page_by_page(caller: Caller) -> None:
    admin = await caller.with_admin()
    names = ["ola", "jan", "ewa", "iza"]
    await caller.join("ola")
    for name in names[1:]:
        last = await caller.invite(name, actor=admin)
    found: list[Any] = []
    after: str | None = None
    while True:
        more: dict[str, Any] = {} if after is None else {"after": after}
        page = await caller.done(
            "people", actor=admin, account=caller.account, limit=2, at_least=last["position"], **more
        )
        found += page["people"]
        if "next_after" not in page:
            break
        after = page["next_after"]
    everybody = sorted(["admin", *names], key=lambda name: person_id(caller.email(name)))
    assert [each["email"] for each in found] == [caller.email(name) for name in everybody]
    invited = {each["email"]: each for each in found if each["status"] == "invited"}
    assert set(invited) == {caller.email(name) for name in names[1:]}
    assert invited[caller.email("iza")]["invitation"] == last["invitation"]
    assert invited[caller.email("iza")]["expires_at"] == last["expires_at"]


async def test_who_is_not_known_is_told_so(caller: Caller) -> None:
    refused = await caller.refused("whoami", actor=member(caller.email("nobody")))
    assert (refused.code, refused.status) == ("person_not_found", 404)


# The replica


async def test_a_replica_that_is_made_anew_is_equal(caller: Caller, start_node: StartNode) -> None:
    await caller.with_admin()
    invited = await caller.invite("ola")
    await caller.invite("ola", "admin")
    await caller.done("link", **caller.of_person(
        member(caller.email("jan")), email=caller.email("jan"), issuer="https://id", provider_subject=new_id()
    ))  # fmt: skip
    digests = []
    for name in ("one", "two"):
        async with start_node(name) as node:
            await node.replica.wait_for(await caller.last_position())
            digests.append(digest(Path(node.replica.path)))
    assert digests[0] == digests[1]
    shown = await caller.done("invitation", token=invited["token"])
    assert shown["status"] == "replaced"


async def test_a_replica_that_is_cut_off_does_not_guess(tmp_path: Path) -> None:
    server = await NatsServer.start(tmp_path / "nats")
    nc = await nats.connect(server.url)
    await ensure_streams(nc, replicas=1)
    node = Node(nc, tmp_path / "replica")
    try:
        await node.replica.caught_up()
        query = requests.ListAccounts.model_validate({"actor": {"kind": "system", "id": "cli"}}, strict=False)
        assert (await node.queries.accounts(query)).accounts == ()
        await node.pause()
        node.replica._heard_at -= 60
        with pytest.raises(Unavailable, match="access_unknown"):
            await node.queries.accounts(query)
    finally:
        await node.stop()
        await nc.close()
        await server.stop()
