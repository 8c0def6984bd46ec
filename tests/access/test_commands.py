"""Commands over NATS: what they do, what they refuse, and that each is done once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.access import requests
from contracts.access.people import person_id
from services.links.invitations import InvitationTokens
from services.links.mail import MailTokens
from tests.access.conftest import KEY, TERMINAL, Caller, Node, agent, log_of, member, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartNode = Callable[[str], AbstractAsyncContextManager[Node]]


def tags(events: list[Any]) -> list[str]:
    return [recorded.event.type.removeprefix("casetrail.").removesuffix(".v1") for recorded in events]


async def events_about(caller: Caller) -> list[Any]:
    """The events of the caller's account and people, in the order of the log."""
    people = {person_id(caller.email(name)) for name in ("admin", "ola", "jan", "ewa")}
    return [each for each in await log_of(caller.nc) if each.event.subject in {caller.account, *people}]


# The life of an account


async def test_an_account_is_registered_and_people_join_change_roles_and_are_removed(caller: Caller) -> None:
    registered = await caller.register(
        languages=["pl", "en"], identifiers=[{"kind": "merchant", "value": "M-1"}]
    )
    assert (registered["account"], registered["revision"]) == (caller.account, 1)
    admin = await caller.join("admin", "admin")
    ola = await caller.join("ola")
    await caller.done("change_role", **caller.command(admin, person=ola["id"], role="admin"))
    removed = await caller.done("remove", **caller.command(ola, person=admin["id"]))

    assert await caller.people(ola, at_least=removed["position"]) == {"ola": ("member", "admin")}
    events = await events_about(caller)
    assert tags(events) == [
        "account.registered", "member.invited", "person.registered", "member.joined",
        "member.invited", "person.registered", "member.joined", "member.changed", "member.removed",
    ]  # fmt: skip
    account = [each.event for each in events if each.event.subject == caller.account]
    assert [event.revision for event in account] == list(range(1, 8))
    assert account[-1].actor == f"member:{ola['id']}"
    assert account[0].actor == "system:cli"
    assert account[0].data.content.name == "Przychodnia Nova"
    people = [each.event for each in events if each.event.subject != caller.account]
    assert {event.account for event in people} == {"platform"}
    assert {event.source for event in account} == {"/casetrail/access"}


async def test_an_account_is_registered_once(caller: Caller) -> None:
    await caller.register()
    assert (await caller.refused("register", **caller.command(name="Other"))).code == "account_is_taken"


@pytest.mark.parametrize("reserved", ["platform", person_id("ola@example.com")])
async def test_what_stands_in_events_of_people_is_no_accounts_id(caller: Caller, reserved: str) -> None:
    command = {**caller.command(name="Platform"), "account": reserved}
    assert (await caller.refused("register", **command)).code == "account_is_taken"


async def test_what_there_is_to_know_of_an_account_is_changed(caller: Caller) -> None:
    await caller.register(languages=["pl"])
    changed = await caller.done("change", **caller.command(name="Nova Medica", languages=["en"]))
    page = await caller.done("list", actor=TERMINAL, words="MEDICA", at_least=changed["position"])
    mine = [each for each in page["accounts"] if each["account"] == caller.account]
    assert [(each["name"], each["languages"]) for each in mine] == [("Nova Medica", ["en"])]
    again = await caller.refused("change", **caller.command(name="Nova Medica", languages=["en"]))
    assert again.code == "nothing_to_change"


# Invitations


async def test_a_link_shows_what_it_is_for_and_is_accepted_once(caller: Caller) -> None:
    await caller.register()
    invited = await caller.invite("ola", "admin")
    shown = await caller.done("invitation", token=invited["token"], at_least=invited["position"])
    assert (shown["account"], shown["account_name"]) == (caller.account, "Przychodnia Nova")
    assert (shown["email"], shown["role"], shown["status"]) == (caller.email("ola"), "admin", "open")
    assert shown["expires_at"] == invited["expires_at"]

    joined = await caller.accept("ola", invited["token"], display_name="Ola Żak", language="pl")
    assert (joined["person"], joined["role"]) == (person_id(caller.email("ola")), "admin")
    shown = await caller.done("invitation", token=invited["token"], at_least=joined["position"])
    assert shown["status"] == "accepted"
    again = caller.of_person(member(caller.email("ola")), token=invited["token"])
    assert (await caller.refused("accept", **again)).code == "invitation_not_open"
    me = await caller.done("whoami", actor=member(caller.email("ola")), at_least=joined["position"])
    assert (me["display_name"], me["language"], me["email"]) == ("Ola Żak", "pl", caller.email("ola"))
    assert me["memberships"] == [
        {"account": caller.account, "account_name": "Przychodnia Nova", "role": "admin"}
    ]


async def test_only_who_was_invited_can_accept_and_nobody_else_becomes_known(caller: Caller) -> None:
    await caller.register()
    token = (await caller.invite("ola"))["token"]
    for actor in (member(caller.email("jan")), agent(caller.email("ola"))):
        refused = await caller.refused("accept", **caller.of_person(actor, token=token))
        assert (refused.code, refused.status) == ("invitation_for_another", 403)


async def test_the_same_address_in_another_spelling_is_the_same_person(caller: Caller) -> None:
    await caller.register()
    token = (await caller.invite("ola"))["token"]
    shouted = caller.email("OLA").upper()
    await caller.done("accept", **caller.of_person(member(shouted), token=token))
    again = caller.command(email=f" {shouted} ")
    assert (await caller.refused("invite", **again)).code == "already_member"


def _other_signature(token: str) -> str:
    """The last character but one is another: of the last one, base64 leaves two bits unread."""
    return token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]


@pytest.mark.parametrize("bend", [_other_signature, lambda t: "x" + t, lambda t: "ł"])
async def test_a_forged_link_is_worth_nothing(caller: Caller, bend: Callable[[str], str]) -> None:
    await caller.register()
    forged = bend((await caller.invite("ola"))["token"])
    ola = caller.of_person(member(caller.email("ola")), token=forged)
    assert (await caller.refused("accept", **ola)).code == "invitation_not_found"
    assert (await caller.refused("invitation", token=forged)).status == 404


async def test_a_new_invitation_of_the_same_person_replaces_the_one_before(caller: Caller) -> None:
    await caller.register()
    first = await caller.invite("ola", "admin")
    second = await caller.invite("ola", "member")
    assert await caller.people(at_least=second["position"]) == {"ola": ("invited", "member")}
    ola = member(caller.email("ola"))
    refused = await caller.refused("accept", **caller.of_person(ola, token=first["token"]))
    assert refused.code == "invitation_not_open"
    shown = await caller.done("invitation", token=first["token"], at_least=second["position"])
    assert shown["status"] == "replaced"
    assert (await caller.accept("ola", second["token"]))["role"] == "member"


async def test_an_invitation_that_was_withdrawn_cannot_be_accepted(caller: Caller) -> None:
    await caller.register()
    invited = await caller.invite("ola")
    withdrawn = await caller.done("withdraw", **caller.command(invitation=invited["invitation"]))
    ola = caller.of_person(member(caller.email("ola")), token=invited["token"])
    assert (await caller.refused("accept", **ola)).code == "invitation_not_open"
    again = caller.command(invitation=invited["invitation"])
    assert (await caller.refused("withdraw", **again)).code == "invitation_not_open"
    unknown = caller.command(invitation=new_id())
    assert (await caller.refused("withdraw", **unknown)).code == "invitation_not_found"
    assert await caller.people(at_least=withdrawn["position"]) == {}


async def test_an_invitation_expires(caller: Caller, start_node: StartNode) -> None:
    await caller.register()
    invited = await caller.invite("ola", valid_days=2)
    request = requests.AcceptInvitation.model_validate_json(
        json.dumps(caller.of_person(member(caller.email("ola")), token=invited["token"]))
    )
    expires_at = datetime.fromisoformat(invited["expires_at"])
    assert expires_at - datetime.fromisoformat(invited["at"]) == timedelta(days=2)
    async with start_node("late") as node:
        node.commands._now = node.queries._now = lambda: expires_at
        with pytest.raises(Exception, match="invitation_expired"):
            await node.commands.accept(request)
        shown = await node.queries.invitation(requests.ShowInvitation(token=invited["token"]))
        assert shown.status is requests.InvitationStatus.EXPIRED
        node.commands._now = lambda: expires_at - timedelta(microseconds=1)
        assert (await node.commands.accept(request)).account == caller.account


# Who may


async def test_members_see_their_people_and_administrators_manage_them(caller: Caller) -> None:
    admin = await caller.with_admin()
    ola = await caller.join("ola")
    assert set(await caller.people(ola)) == {"admin", "ola"}
    for name, body in (
        ("invite", {"email": caller.email("jan")}),
        ("remove", {"person": admin["id"]}),
        ("change_role", {"person": ola["id"], "role": "admin"}),
        ("withdraw", {"invitation": new_id()}),
        ("register", {"name": "Mine"}),
        ("change", {"name": "Mine"}),
        ("create_credential", {"name": "sync", "public_key": "U" + "A" * 55, "may": ["read"]}),
        ("revoke_credential", {"name": "sync"}),
    ):
        refused = await caller.refused(name, **caller.command(ola, **body))
        assert (name, refused.code, refused.status) == (name, "not_permitted", 403)
    assert (await caller.invite("jan", actor=admin))["role"] == "member"
    for name in ("register", "change"):
        assert (await caller.refused(name, **caller.command(admin, name="Mine"))).code == "not_permitted"


async def test_who_is_of_another_account_is_told_that_there_is_none(caller: Caller, nc: Any) -> None:
    await caller.with_admin()
    stranger = await Caller(nc).with_admin()
    unknown = f"a{new_id()[:12]}"
    for account in (caller.account, unknown):
        for name, body in (
            ("invite", {"email": caller.email("jan"), "command_id": new_id()}),
            ("remove", {"person": stranger["id"], "command_id": new_id()}),
            ("people", {}),
            ("list_credentials", {}),
        ):
            refused = await caller.refused(name, account=account, actor=stranger, **body)
            assert (name, refused.code, refused.status) == (name, "account_not_found", 404)
            assert refused.data == {"account": account}


async def test_operators_manage_accounts_and_auditors_change_nothing(caller: Caller) -> None:
    operator = await caller.appoint("jan", "operator")
    auditor = await caller.appoint("ewa", "auditor")
    assert (await caller.refused("register", **caller.command(auditor, name="Nova"))).code == "not_permitted"
    await caller.done("register", **caller.command(operator, name="Nova"))
    invited = await caller.invite("ola", "admin", actor=operator)
    await caller.accept("ola", invited["token"])
    for name, body in (
        ("invite", {"email": caller.email("x")}),
        ("remove", {"person": person_id(caller.email("ola"))}),
    ):
        assert (await caller.refused(name, **caller.command(auditor, **body))).code == "not_permitted"
    assert await caller.people(auditor) == {"ola": ("member", "admin")}


async def test_who_is_dismissed_manages_nothing_from_the_next_command_on(
    caller: Caller, start_node: StartNode
) -> None:
    """Also at a replica that has not heard of it."""
    operator = await caller.appoint("jan", "operator")
    command = requests.RegisterAccount.model_validate_json(json.dumps(caller.command(operator, name="Nova")))
    async with start_node("behind") as node:
        await node.pause()
        dismissing = caller.of_person(TERMINAL, person=operator["id"], role="operator")
        await caller.done("dismiss", **dismissing)
        deciding = asyncio.create_task(node.commands.change_account(command))
        node.resume()
        with pytest.raises(Exception, match="not_permitted"):
            await deciding


async def test_platform_roles_are_no_memberships_and_memberships_no_platform_roles(caller: Caller) -> None:
    await caller.appoint("jan", "operator")
    await caller.with_admin()
    as_member = caller.command(member(caller.email("jan")), email=caller.email("ola"))
    assert (await caller.refused("invite", **as_member)).code == "account_not_found"
    as_agent = caller.command(agent(caller.email("admin")), email=caller.email("ola"))
    assert (await caller.refused("invite", **as_agent)).code == "account_not_found"


@pytest.mark.parametrize("user", ["cli2", "access", "acme_sync"])
async def test_only_the_terminal_itself_speaks_for_the_terminal(caller: Caller, user: str) -> None:
    body = caller.of_person(TERMINAL, email=caller.email("jan"), role="operator")
    raw = json.dumps(body).encode()
    for subject in ("requests.access.appoint", f"systems.{user}.access.appoint"):
        reply = await caller.nc.request(subject, raw, timeout=5)
        assert json.loads(reply.data)["code"] == "actor_not_yours"


# The last administrator


async def test_the_last_administrator_is_neither_removed_nor_demoted(caller: Caller) -> None:
    admin = await caller.with_admin()
    for actor in (admin, TERMINAL):
        for name, body in (("remove", {}), ("change_role", {"role": "member"})):
            command = caller.command(actor, person=admin["id"], **body)
            assert (await caller.refused(name, **command)).code == "last_admin"
    ola = await caller.join("ola", "admin")
    await caller.done("remove", **caller.command(admin, person=admin["id"]))
    assert (await caller.refused("remove", **caller.command(ola, person=ola["id"]))).code == "last_admin"


async def test_two_administrators_who_remove_each_other_leave_one(
    caller: Caller, start_node: StartNode
) -> None:
    """At two replicas, at the same moment."""
    one, two = await caller.with_admin(), await caller.join("ola", "admin")
    commands = [
        requests.RemoveMember.model_validate_json(json.dumps(caller.command(actor, person=other["id"])))
        for actor, other in ((one, two), (two, one))
    ]
    async with start_node("one") as first, start_node("two") as second:
        outcomes = await asyncio.gather(
            *(
                node.commands.change_account(command)
                for node, command in zip((first, second), commands, strict=True)
            ),
            return_exceptions=True,
        )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert [str(each) for each in refused] == ["account_not_found"]  # who was removed first sees nothing
    assert len(await caller.people()) == 1


# Once, however often


async def test_a_repeated_command_has_the_same_answer_and_no_effect(caller: Caller) -> None:
    sent: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    async def send(name: str, /, **body: Any) -> dict[str, Any]:
        sent.append((name, body, await caller.done(name, **body)))
        return sent[-1][2]

    await send("register", **caller.command(name="Nova"))
    invited = await send("invite", **caller.command(email=caller.email("admin"), role="admin"))
    admin = member(caller.email("admin"))
    await send("accept", **caller.of_person(admin, token=invited["token"], display_name="Ada"))
    ola = await send("invite", **caller.command(admin, email=caller.email("ola"), role="admin"))
    await send("accept", **caller.of_person(member(caller.email("ola")), token=ola["token"]))
    jan = await send("invite", **caller.command(admin, email=caller.email("jan")))
    await send("withdraw", **caller.command(admin, invitation=jan["invitation"]))
    await send("change", **caller.command(name="Nova 2"))
    key = "U" + "B" * 55
    await send("create_credential", **caller.command(name="sync", public_key=key, may=["read"]))
    await send("revoke_credential", **caller.command(name="sync"))
    await send("change_role", **caller.command(admin, person=ola["person"], role="member"))
    await send("change_role", **caller.command(admin, person=ola["person"], role="admin"))
    await send("appoint", **caller.of_person(TERMINAL, email=caller.email("ewa"), role="operator"))
    ewa = agent(caller.email("ewa"))
    await send("change_person", **caller.of_person(ewa, display_name="Ewa"))
    linked = caller.of_person(
        member(caller.email("ewa")), issuer="https://id", provider_subject=new_id(), email=caller.email("ewa")
    )
    await send("link", **linked)
    await send("dismiss", **caller.of_person(ewa, person=ewa["id"], role="operator"))  # by the person itself
    await send("remove", **caller.command(admin, person=admin["id"]))  # by the person itself

    last = await caller.last_position()
    for name, body, answer in reversed(sent):
        assert await caller.done(name, **body) == answer
    assert await caller.last_position() == last


async def test_a_command_id_does_not_do_a_second_thing(caller: Caller) -> None:
    await caller.register()
    invitation = caller.command(email=caller.email("ola"))
    await caller.done("invite", **invitation)
    for other in ({"email": caller.email("jan")}, {"role": "admin"}, {"valid_days": 3}):
        refused = await caller.refused("invite", **{**invitation, **other})
        assert refused.code == "command_id_reused"


async def test_a_command_sent_many_times_at_once_has_one_effect(caller: Caller) -> None:
    await caller.register()
    invitation = caller.command(email=caller.email("ola"))
    answers = await asyncio.gather(*(caller.done("invite", **invitation) for _ in range(20)))
    assert answers == [answers[0]] * 20
    accepting = caller.of_person(member(caller.email("ola")), token=answers[0]["token"])
    answers = await asyncio.gather(*(caller.done("accept", **accepting) for _ in range(20)))
    assert answers == [answers[0]] * 20
    assert tags(await events_about(caller)).count("member.joined") == 1
    assert tags(await events_about(caller)).count("person.registered") == 1


async def test_removing_twice_is_told_clearly(caller: Caller) -> None:
    admin = await caller.with_admin()
    ola = await caller.join("ola")
    removal = caller.command(admin, person=ola["id"])
    removed = await caller.done("remove", **removal)
    again = await caller.refused("remove", **caller.command(admin, person=ola["id"]))
    assert (again.code, again.status) == ("not_a_member", 409)
    assert await caller.done("remove", **removal) == removed
    role = caller.command(admin, person=ola["id"], role="admin")
    assert (await caller.refused("change_role", **role)).code == "not_a_member"
    back = await caller.join("ola")
    assert back == ola


# People


async def test_an_identity_is_linked_once_and_stays_with_its_person(caller: Caller) -> None:
    identity = {"issuer": "https://id.example", "provider_subject": new_id()}

    def sign_in(name: str) -> dict[str, Any]:
        return caller.of_person(member(caller.email(name)), email=caller.email(name), **identity)

    first = await caller.done("link", **sign_in("ola"))
    assert first["person"] == person_id(caller.email("ola"))
    assert await caller.done("link", **sign_in("ola")) == first
    assert await caller.done("link", **sign_in("jan")) == first  # the address changed at the provider
    assert tags(await events_about(caller)) == ["person.registered", "person.linked"]
    refused = await caller.refused("link", **{**sign_in("jan"), "actor": member(caller.email("ola"))})
    assert refused.code == "not_permitted"


async def test_roles_for_the_platform_are_given_and_taken(caller: Caller) -> None:
    operator = await caller.appoint("jan", "operator")
    giving = caller.of_person(operator, email=caller.email("ola"), role="agent", display_name="Ola")
    await caller.done("appoint", **giving)
    again = caller.of_person(operator, email=caller.email("ola"), role="agent")
    assert (await caller.refused("appoint", **again)).code == "has_role_already"
    ola = agent(caller.email("ola"))
    promoted = caller.of_person(ola, email=caller.email("ola"), role="operator")
    assert (await caller.refused("appoint", **promoted)).code == "not_permitted"
    taken = await caller.done("dismiss", **caller.of_person(operator, person=ola["id"], role="agent"))
    me = await caller.done("whoami", actor=ola, at_least=taken["position"])
    assert me.get("platform_roles") == []
    twice = caller.of_person(operator, person=ola["id"], role="agent")
    assert (await caller.refused("dismiss", **twice)).code == "has_not_the_role"
    nobody = caller.of_person(operator, person=person_id(caller.email("nobody")), role="agent")
    assert (await caller.refused("dismiss", **nobody)).status == 404


async def test_nobody_becomes_known_by_an_appointment_that_is_refused(caller: Caller) -> None:
    refused = await caller.refused(
        "appoint", **caller.of_person(agent(caller.email("ola")), email=caller.email("ola"), role="operator")
    )
    assert refused.code == "not_permitted"


# Systems


async def test_credentials_are_recorded_listed_and_revoked(caller: Caller) -> None:
    await caller.register()
    key = "U" + "C" * 55
    made = await caller.done(
        "create_credential", **caller.command(name="sync", public_key=key, may=["subscribe", "read"])
    )
    assert (made["user"], made["public_key"]) == (f"{caller.account}_sync", key)
    clashes: list[dict[str, Any]] = [
        {"name": "sync", "public_key": "U" + "D" * 55},
        {"name": "other", "public_key": key},
    ]
    for clash in clashes:
        refused = await caller.refused("create_credential", **caller.command(may=["read"], **clash))
        assert refused.code == "credential_exists"
    revoked = await caller.done("revoke_credential", **caller.command(name="sync"))
    assert revoked["public_key"] == key
    again = await caller.refused("revoke_credential", **caller.command(name="sync"))
    assert (again.code, again.status) == ("credential_not_found", 404)
    page = await caller.done(
        "list_credentials", account=caller.account, actor=TERMINAL, at_least=revoked["position"]
    )
    (listed,) = page["credentials"]
    assert (listed["name"], listed["may"], listed["created_at"]) == (
        "sync",
        ["subscribe", "read"],
        made["at"],
    )
    assert listed["revoked_at"] == revoked["at"]
    assert datetime.fromisoformat(listed["revoked_at"]) <= datetime.now(UTC)


async def test_the_link_in_an_email_ends_emails_and_does_nothing_else(caller: Caller) -> None:
    await caller.register()
    ewa = member(caller.email("ewa"))
    invited = await caller.invite("ewa")
    await caller.done("accept", **caller.of_person(ewa, token=invited["token"], display_name="Ewa"))
    token = MailTokens(KEY).token(ewa["id"])
    done = await caller.done("stop_mail", command_id=new_id(), token=token)
    assert done["email"] == caller.email("ewa")
    last = await caller.last_position()
    assert await caller.done("stop_mail", command_id=new_id(), token=token) == done
    assert await caller.last_position() == last
    known = await caller.done("whoami", actor=ewa)
    assert (known["mail"], known["display_name"]) == ({"tickets": "none", "own": False}, "Ewa")
    changed = caller.of_person(ewa, display_name="Ewa L.")
    await caller.done("change_person", **changed)
    assert (await caller.done("whoami", actor=ewa))["mail"]["tickets"] == "none"
    for forged in ("x", token[:-1], InvitationTokens(KEY).token("acme", "i")):
        refused = await caller.refused("stop_mail", command_id=new_id(), token=forged)
        assert refused.code == "link_void"
