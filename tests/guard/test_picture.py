"""The picture that the access log makes, without a server: each fact gives and takes what it says."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import from_json

from contracts.access.roles import MemberRole, Permission, PlatformRole, SystemMay
from contracts.envelope import Actor
from contracts.registry import EVENTS
from services.guard.picture import AccountUnknown, EventUnknown, NotPermitted, Picture
from services.runtime.errors import Refused
from tests.access_log import AccessLog, agent, member, system

READ, REPLY, MANAGE = Permission.TICKET_READ, Permission.TICKET_REPLY, Permission.PEOPLE_MANAGE


@pytest.fixture
def picture() -> Picture:
    return Picture()


@pytest.fixture
def log(picture: Picture) -> AccessLog:
    """A log whose events the picture takes in as they are said."""

    async def append(_subject: str, payload: bytes) -> int:
        picture.apply(from_json(payload))
        return 0

    return AccessLog(append)


def may(picture: Picture, actor: dict[str, str], account: str | None, permission: Permission) -> bool:
    try:
        picture.check(Actor.model_validate(actor), account, permission)
    except Refused:
        return False
    return True


async def test_a_member_has_access_from_joining_until_it_is_removed(picture: Picture, log: AccessLog) -> None:
    jan = member("jan@acme.example")
    await log.account("acme")
    assert not may(picture, jan, "acme", READ)
    await log.joined("acme", "jan@acme.example")
    assert may(picture, jan, "acme", READ)
    await log.removed("acme", "jan@acme.example")
    assert not may(picture, jan, "acme", READ)
    await log.joined("acme", "jan@acme.example")
    assert may(picture, jan, "acme", READ)


async def test_a_removal_takes_one_account_and_leaves_the_others(picture: Picture, log: AccessLog) -> None:
    for account in ("acme", "globex"):
        await log.account(account, members=["jan@acme.example"])
    await log.removed("acme", "jan@acme.example")
    assert not may(picture, member("jan@acme.example"), "acme", READ)
    assert may(picture, member("jan@acme.example"), "globex", READ)


async def test_an_account_is_known_from_its_registration_on(picture: Picture, log: AccessLog) -> None:
    assert not picture.knows("acme")
    await log.account("acme")
    assert picture.knows("acme")
    assert not picture.knows("globex")


async def test_a_changed_role_gives_and_takes_its_difference(picture: Picture, log: AccessLog) -> None:
    jan = member("jan@acme.example")
    await log.account("acme", members=["jan@acme.example"])
    assert not may(picture, jan, "acme", MANAGE)
    await log.changed("acme", "jan@acme.example", MemberRole.ADMIN)
    assert may(picture, jan, "acme", MANAGE)
    await log.changed("acme", "jan@acme.example", MemberRole.MEMBER)
    assert not may(picture, jan, "acme", MANAGE)


async def test_platform_roles_add_up_and_are_taken_one_by_one(picture: Picture, log: AccessLog) -> None:
    ola = agent("ola@desk.example")
    await log.account("acme")
    await log.appointed("ola@desk.example", PlatformRole.AGENT)
    await log.appointed("ola@desk.example", PlatformRole.AUDITOR)
    assert may(picture, ola, "acme", REPLY)
    assert may(picture, ola, None, Permission.AUDIT_READ)
    await log.dismissed("ola@desk.example", PlatformRole.AGENT)
    assert not may(picture, ola, "acme", REPLY)
    assert may(picture, ola, None, Permission.AUDIT_READ)
    await log.dismissed("ola@desk.example", PlatformRole.AUDITOR)
    assert not may(picture, ola, None, Permission.AUDIT_READ)


async def test_a_revoked_name_is_free_for_another_key(picture: Picture, log: AccessLog) -> None:
    old, new = "U" + "A" * 55, "U" + "B" * 55
    sync = system("acme", "sync")
    await log.account("acme")
    await log.credential("acme", "sync", SystemMay.READ, public_key=old)
    assert may(picture, sync, "acme", READ)
    await log.revoked("acme", "sync", public_key=old)
    assert not may(picture, sync, "acme", READ)
    await log.credential("acme", "sync", SystemMay.WRITE, public_key=new)
    await log.revoked("acme", "sync", public_key=old)  # of the one before
    assert may(picture, sync, "acme", REPLY)


async def test_a_credential_is_worth_nothing_in_another_account(picture: Picture, log: AccessLog) -> None:
    for account in ("acme", "globex"):
        await log.account(account)
    await log.credential("acme", "sync", SystemMay.READ, SystemMay.WRITE, SystemMay.SUBSCRIBE)
    with pytest.raises(AccountUnknown):
        picture.check(Actor.model_validate(system("acme", "sync")), "globex", READ)


async def test_a_role_that_this_version_does_not_know_gives_nothing(picture: Picture, log: AccessLog) -> None:
    await log.account("acme")
    person = member("jan@acme.example")
    picture.apply(_event("casetrail.member.joined.v1", "acme", person=person["id"], role="archivist"))
    with pytest.raises(NotPermitted):
        picture.check(Actor.model_validate(person), "acme", READ)


def test_an_event_that_this_version_does_not_know_is_not_passed_over(picture: Picture) -> None:
    with pytest.raises(EventUnknown, match=r"casetrail\.member\.suspended\.v1"):
        picture.apply(_event("casetrail.member.suspended.v1", "acme", person="p1"))


@pytest.mark.parametrize("tag", [tag for tag, model in EVENTS.items() if ".access." in model.__module__])
def test_every_event_of_access_is_known_here(picture: Picture, tag: str) -> None:
    """A new event of the contract must be given its line in the picture, also if it gives nobody anything."""
    picture.apply(_event("casetrail.account.registered.v1", "acme"))
    everything = {"person": "p1", "role": "member", "name": "sync", "public_key": "U", "may": []}
    picture.apply(_event(tag, "acme", **everything))


def _event(tag: str, account: str, **data: Any) -> dict[str, Any]:
    return {"type": tag, "account": account, "subject": account, "data": data}
