"""The rules of an account and of a person, as tables: what each command does in each state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeVar

import pytest

from services.access import account, person
from services.access.account import Role
from services.access.domain import (
    AccountId,
    Actor,
    Capacity,
    Command,
    CommandId,
    CommandIdReused,
    Fact,
    Refusal,
)
from tests.access.scenarios import (
    ACCOUNT,
    ADMIN,
    JAN,
    KEY,
    OLA,
    OPERATOR,
    appointed,
    by,
    given,
    invited,
    joined,
    known,
    member,
    minute,
    registered,
    replay,
)

CommandT = TypeVar("CommandT", bound=Command)
FactT = TypeVar("FactT", bound=Fact)

NOW: Final = 10
PROFILE: Final = account.Profile(name="Nova", languages=("pl",), identifiers=(account.Identifier("m", "1"),))
WITH_ADMIN: Final = (registered(), *member(ADMIN, Role.ADMIN))
WITH_OLA: Final = (*WITH_ADMIN, *member(OLA))


def command(kind: type[CommandT], actor: Actor = by(ADMIN), **rest: Any) -> CommandT:  # noqa: B008  # a constant
    return kind(id=CommandId("c-1"), by=actor, at=minute(NOW), **rest)


def fact(kind: type[FactT], actor: Actor = by(ADMIN), **rest: Any) -> FactT:  # noqa: B008  # a constant
    return kind(command_id=CommandId("c-1"), by=actor, at=minute(NOW), **rest)


REGISTER: Final = command(account.Register, OPERATOR, account=ACCOUNT, profile=PROFILE)
CHANGE: Final = command(account.Change, OPERATOR, profile=PROFILE)
INVITE: Final = command(
    account.Invite,
    invitation=account.InvitationId("new"),
    person=JAN,
    email="jan@example.com",
    role=Role.MEMBER,
    valid_for=timedelta(days=7),
)
WITHDRAW: Final = command(account.Withdraw, invitation=account.InvitationId(f"i-{OLA}"))
JOIN: Final = command(account.Join, by(OLA), invitation=account.InvitationId(f"i-{OLA}"))
PROMOTE: Final = command(account.ChangeRole, person=OLA, role=Role.ADMIN)
DEMOTE: Final = command(account.ChangeRole, person=ADMIN, role=Role.MEMBER)
REMOVE: Final = command(account.Remove, person=OLA)
REMOVE_ADMIN: Final = command(account.Remove, person=ADMIN)
CREATE: Final = command(
    account.CreateCredential, OPERATOR, name="sync", public_key=KEY, may=(account.May.READ,)
)
REVOKE: Final = command(account.RevokeCredential, OPERATOR, name="sync")

CREATED: Final = account.CredentialCreated(
    command_id=CommandId("past-key"),
    by=OPERATOR,
    at=minute(3),
    name="sync",
    public_key=KEY,
    may=(account.May.READ,),
)
REVOKED: Final = account.CredentialRevoked(
    command_id=CommandId("past-no-key"), by=OPERATOR, at=minute(4), name="sync", public_key=KEY
)
WITHDRAWN: Final = account.Withdrawn(
    command_id=CommandId("past-w"),
    by=OPERATOR,
    at=minute(3),
    invitation=account.InvitationId(f"i-{OLA}"),
    person=OLA,
)
REMOVED: Final = account.Removed(command_id=CommandId("past-r"), by=OPERATOR, at=minute(3), person=OLA)


@pytest.mark.parametrize(
    ("past", "asked", "comes"),
    [
        ((), REGISTER, fact(account.Registered, OPERATOR, account=ACCOUNT, profile=PROFILE)),
        (WITH_ADMIN, CHANGE, fact(account.Changed, OPERATOR, profile=PROFILE)),
        (
            WITH_ADMIN,
            INVITE,
            fact(
                account.Invited,
                invitation=account.InvitationId("new"),
                person=JAN,
                email="jan@example.com",
                role=Role.MEMBER,
                expires_at=minute(NOW) + timedelta(days=7),
            ),
        ),
        (
            (*WITH_ADMIN, invited(OLA)),
            WITHDRAW,
            fact(account.Withdrawn, invitation=account.InvitationId(f"i-{OLA}"), person=OLA),
        ),
        (
            (*WITH_ADMIN, invited(OLA, Role.ADMIN)),
            JOIN,
            fact(
                account.Joined,
                by(OLA),
                invitation=account.InvitationId(f"i-{OLA}"),
                person=OLA,
                role=Role.ADMIN,
            ),
        ),
        (WITH_OLA, PROMOTE, fact(account.RoleChanged, person=OLA, role=Role.ADMIN)),
        (WITH_OLA, REMOVE, fact(account.Removed, person=OLA)),
        ((*WITH_ADMIN, *member(OLA, Role.ADMIN)), REMOVE_ADMIN, fact(account.Removed, person=ADMIN)),
        (
            (*WITH_ADMIN, *member(OLA, Role.ADMIN)),
            DEMOTE,
            fact(account.RoleChanged, person=ADMIN, role=Role.MEMBER),
        ),
        (
            WITH_ADMIN,
            CREATE,
            fact(account.CredentialCreated, OPERATOR, name="sync", public_key=KEY, may=(account.May.READ,)),
        ),
        (
            (*WITH_ADMIN, CREATED),
            REVOKE,
            fact(account.CredentialRevoked, OPERATOR, name="sync", public_key=KEY),
        ),
        ((*WITH_OLA, REMOVED), replace(INVITE, person=OLA), None),
        ((*WITH_ADMIN, invited(OLA), WITHDRAWN), replace(INVITE, person=OLA), None),
        ((*WITH_ADMIN, CREATED, REVOKED), replace(CREATE, public_key="UOTHER"), None),
    ],
)  # fmt: skip
def test_what_is_allowed_happens_and_happens_once(past: tuple[Any, ...], asked: Any, comes: Any) -> None:
    if comes is None:  # only that it happens
        comes = account.decide(asked, replay(past))[0]
    given(*past).when(asked).then(comes)


@pytest.mark.parametrize(
    ("past", "asked", "reason", "data"),
    [
        *(
            ((), asked, account.AccountNotFound, {})
            for asked in (CHANGE, INVITE, WITHDRAW, JOIN, PROMOTE, REMOVE, CREATE, REVOKE)
        ),
        (WITH_ADMIN, REGISTER, account.AccountIsTaken, {}),
        ((), replace(REGISTER, account=AccountId("platform")), account.AccountIsTaken, {}),
        ((), replace(REGISTER, account=AccountId("pxaw34vbtz6xlki4")), account.AccountIsTaken, {}),
        (
            (*WITH_ADMIN, fact(account.Changed, profile=PROFILE)), replace(CHANGE, id=CommandId("c-2")),
            account.NothingToChange, {},
        ),
        (WITH_OLA, replace(INVITE, person=OLA), account.AlreadyMember, {}),
        (WITH_ADMIN, WITHDRAW, account.InvitationNotFound, {}),
        (WITH_OLA, WITHDRAW, account.InvitationNotOpen, {}),
        ((*WITH_ADMIN, invited(OLA), WITHDRAWN), WITHDRAW, account.InvitationNotOpen, {}),
        (WITH_ADMIN, JOIN, account.InvitationNotFound, {}),
        ((*WITH_ADMIN, invited(OLA), WITHDRAWN), JOIN, account.InvitationNotOpen, {}),
        ((*WITH_ADMIN, invited(OLA), invited(OLA, name="newer")), JOIN, account.InvitationNotOpen, {}),
        (WITH_OLA, JOIN, account.InvitationNotOpen, {}),
        ((*WITH_ADMIN, invited(OLA)), replace(JOIN, by=by(JAN)), account.InvitationForAnother, {}),
        (
            (*WITH_ADMIN, invited(OLA)), replace(JOIN, by=Actor(Capacity.AGENT, OLA)),
            account.InvitationForAnother, {},
        ),
        ((*WITH_ADMIN, invited(OLA)), replace(JOIN, at=minute(61)), account.InvitationExpired, {}),
        (WITH_ADMIN, PROMOTE, account.NotAMember, {}),
        (WITH_OLA, replace(PROMOTE, role=Role.MEMBER), account.HasRoleAlready, {"role": "member"}),
        (WITH_OLA, DEMOTE, account.LastAdmin, {}),
        (WITH_OLA, REMOVE_ADMIN, account.LastAdmin, {}),
        (WITH_ADMIN, REMOVE, account.NotAMember, {}),
        ((*WITH_OLA, REMOVED), REMOVE, account.NotAMember, {}),
        (
            (*WITH_ADMIN, CREATED), replace(CREATE, public_key="UOTHER"),
            account.CredentialExists, {"name": "sync"},
        ),
        ((*WITH_ADMIN, CREATED, REVOKED), CREATE, account.CredentialExists, {"name": "sync"}),
        (WITH_ADMIN, REVOKE, account.CredentialNotFound, {"name": "sync"}),
        ((*WITH_ADMIN, CREATED, REVOKED), REVOKE, account.CredentialNotFound, {"name": "sync"}),
    ],
)  # fmt: skip
def test_what_is_forbidden_is_refused_by_its_reason(
    past: tuple[Any, ...], asked: Any, reason: type[Refusal], data: dict[str, Any]
) -> None:
    given(*past).when(asked).refused(reason, **data)


def test_an_invitation_is_good_until_the_moment_it_expires() -> None:
    just_in_time = replace(JOIN, at=minute(61) - timedelta(microseconds=1))
    assert account.decide(just_in_time, replay((*WITH_ADMIN, invited(OLA))))


@pytest.mark.parametrize("asked", [CHANGE, INVITE, CREATE])
def test_a_full_account_takes_nobody_new_and_still_loses_people(asked: Any) -> None:
    full = replace(replay(WITH_OLA), revision=account.MAX_REVISION)
    with pytest.raises(account.AccountIsFull):
        account.decide(asked, full)
    assert account.decide(REMOVE, full)
    assert account.decide(PROMOTE, full)


def test_a_command_id_that_said_something_else_is_refused() -> None:
    done = (*WITH_ADMIN, *account.decide(INVITE, replay(WITH_ADMIN)))
    later = replace(INVITE, at=minute(99), invitation=account.InvitationId("another"))
    assert account.decide(later, replay(done)) == ()
    for other in (
        replace(INVITE, email="x@example.com"),
        replace(INVITE, role=Role.ADMIN),
        replace(INVITE, by=by(OLA)),
        replace(INVITE, valid_for=timedelta(days=1)),
        replace(REMOVE, id=INVITE.id),
    ):
        given(*done).when(other).refused(CommandIdReused, command_id="c-1")


def test_time_never_runs_backwards_on_an_account() -> None:
    (removed,) = account.decide(replace(REMOVE, at=minute(-60)), replay(WITH_OLA))
    assert removed.at == minute(2)


def test_a_log_that_cannot_be_is_not_read() -> None:
    impossible: list[list[Any]] = [
        [joined(OLA)],
        [registered(), registered()],
        [appointed(person.Role.AGENT)],
        [known(), known()],
    ]
    for facts in impossible:
        with pytest.raises(ValueError, match="log"):
            replay(facts)


# People

IDENTITY: Final = person.Identity("https://id.example", "248")
LINK: Final = command(person.Link, by(OLA), identity=IDENTITY)
APPOINT: Final = command(person.Appoint, OPERATOR, role=person.Role.AGENT)
DISMISS: Final = command(person.Dismiss, OPERATOR, role=person.Role.AGENT)
RENAME: Final = command(person.Change, by(OLA), profile=person.Profile("Aleksandra", "en"))


@pytest.mark.parametrize(
    ("past", "asked", "comes"),
    [
        ((known(),), LINK, fact(person.Linked, by(OLA), identity=IDENTITY)),
        ((known(),), APPOINT, fact(person.Appointed, OPERATOR, role=person.Role.AGENT)),
        (
            (known(), appointed(person.Role.AGENT)),
            DISMISS,
            fact(person.Dismissed, OPERATOR, role=person.Role.AGENT),
        ),
        ((known(),), RENAME, fact(person.Changed, by(OLA), profile=person.Profile("Aleksandra", "en"))),
    ],
)  # fmt: skip
def test_what_may_happen_to_a_person_happens_once(past: tuple[Any, ...], asked: Any, comes: Any) -> None:
    given(*past).when(asked).then(comes)


@pytest.mark.parametrize(
    ("past", "asked", "reason", "data"),
    [
        *(((), asked, person.PersonNotFound, {}) for asked in (LINK, APPOINT, DISMISS, RENAME)),
        ((known(),), DISMISS, person.HasNotTheRole, {"role": "agent"}),
        ((known(), appointed(person.Role.AGENT)), APPOINT, person.HasRoleAlready, {"role": "agent"}),
        ((known(),), replace(RENAME, profile=person.Profile("Ola", "pl")), person.NothingToChange, {}),
        (
            (known(), fact(person.Linked, identity=IDENTITY)), replace(APPOINT),
            CommandIdReused, {"command_id": "c-1"},
        ),
    ],
)  # fmt: skip
def test_what_may_not_happen_to_a_person_is_refused(
    past: tuple[Any, ...], asked: Any, reason: type[Refusal], data: dict[str, Any]
) -> None:
    given(*past).when(asked).refused(reason, **data)


def test_a_person_is_registered_by_the_first_who_needs_it() -> None:
    register = command(
        person.Register, by(OLA), person=OLA, email="ola@example.com", profile=person.Profile("Ola")
    )
    (made,) = person.decide(register, None)
    with pytest.raises(person.IsKnown):
        person.decide(register, replay([made]))
    assert person.decide(
        replace(APPOINT, id=register.id), replay([made])
    )  # its command goes on with its own id


def test_an_identity_that_is_linked_is_told_with_the_revision_that_linked_it() -> None:
    past = (known(), appointed(person.Role.AGENT), fact(person.Linked, by(OLA), identity=IDENTITY))
    with pytest.raises(person.IsLinked) as linked:
        person.decide(replace(LINK, id=CommandId("c-2")), replay(past))
    assert linked.value.revision == 3


@pytest.mark.parametrize("asked", [LINK, APPOINT, RENAME])
def test_a_full_person_can_still_be_dismissed(asked: Any) -> None:
    full = replace(replay((known(), appointed(person.Role.AGENT))), revision=person.MAX_REVISION)
    with pytest.raises(person.PersonIsFull):
        person.decide(replace(asked, role=person.Role.AUDITOR) if asked is APPOINT else asked, full)
    assert person.decide(DISMISS, full)
