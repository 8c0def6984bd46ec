"""Any sequence of commands keeps the rules of an account and of a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.access import account, person
from services.access.account import Role
from services.access.domain import AccountId, Actor, Capacity, CommandId, PersonId, Refusal
from tests.access.scenarios import minute

# No deadline and no check of speed: the processor is shared, and time is not what these tests are about.
UNHURRIED: Final = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])

PEOPLE: Final = [PersonId(name) for name in ("ada", "ola", "jan")]

# Few of each, so that a sequence meets the same one again.
command_ids = st.integers(1, 60).map(lambda number: CommandId(f"command-{number}"))
people = st.sampled_from(PEOPLE)
actors = st.builds(Actor, st.sampled_from([Capacity.MEMBER, Capacity.AGENT]), people)
times = st.integers(0, 300).map(minute)
invitations = st.integers(1, 12).map(lambda number: account.InvitationId(f"invitation-{number}"))
names = st.sampled_from(["a", "b"])


def commands(kind: type[Any], **rest: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, id=command_ids, by=actors, at=times, **rest)


profiles = st.builds(account.Profile, name=names)
joins = commands(account.Join, invitation=invitations)
account_commands = st.one_of(
    commands(account.Register, account=st.just(AccountId("clinic")), profile=profiles),
    commands(account.Change, profile=profiles),
    commands(
        account.Invite,
        invitation=invitations,
        person=people,
        email=people.map(lambda who: f"{who}@example.com"),
        role=st.sampled_from(Role),
        valid_for=st.sampled_from([timedelta(hours=1), timedelta(days=7)]),
    ),
    commands(account.Withdraw, invitation=invitations),
    joins,
    joins,
    commands(account.ChangeRole, person=people, role=st.sampled_from(Role)),
    commands(account.Remove, person=people),
    commands(
        account.CreateCredential,
        name=names,
        public_key=st.sampled_from(["U1", "U2", "U3"]),
        may=st.just((account.May.READ,)),
    ),
    commands(account.RevokeCredential, name=names),
)
person_profiles = st.builds(person.Profile, st.none() | names, st.none() | names)
person_commands = st.one_of(
    commands(
        person.Register, person=st.just(PersonId("ola")), email=st.just("o@x.pl"), profile=person_profiles
    ),
    commands(person.Change, profile=person_profiles),
    commands(person.Link, identity=st.builds(person.Identity, names, names)),
    commands(person.Appoint, role=st.sampled_from(person.Role)),
    commands(person.Dismiss, role=st.sampled_from(person.Role)),
)


def live(domain: Any, asked: list[Any]) -> tuple[list[Any], list[Any]]:
    """The facts that the commands made, and the commands that made them."""
    state, facts, made = None, [], []
    for command in asked:
        try:
            new = domain.decide(command, state)
        except Refusal:
            continue
        assert len(new) <= 1
        for fact in new:
            state = domain.evolve(state, fact)
            facts.append(fact)
            made.append(command)
    return facts, made


def unique_invitations(asked: list[Any]) -> list[Any]:
    """The edges never give an id to two invitations."""
    seen: set[str] = set()
    kept = []
    for command in asked:
        if isinstance(command, account.Invite):
            if command.invitation in seen:
                continue
            seen.add(command.invitation)
        kept.append(command)
    return kept


@UNHURRIED
@given(st.lists(account_commands, max_size=60).map(unique_invitations))
def test_an_account_never_loses_its_last_administrator(asked: list[Any]) -> None:
    state, had_one = None, False
    for fact in live(account, asked)[0]:
        state = account.evolve(state, fact)
        has_one = Role.ADMIN in state.members.values()
        assert has_one or not had_one
        had_one = has_one
        assert not set(state.members) & set(state.invitations)
        still_open = {invitation.id for invitation in state.invitations.values()}
        assert not still_open & state.settled
        assert set(state.credentials.values()) <= state.keys


@UNHURRIED
@given(st.lists(account_commands, max_size=40).map(unique_invitations))
def test_whoever_is_a_member_was_invited_in_that_role_and_accepted_in_time(asked: list[Any]) -> None:
    facts, _ = live(account, asked)
    invited = {fact.invitation: fact for fact in facts if isinstance(fact, account.Invited)}
    settled: set[str] = set()
    for fact in facts:
        if isinstance(fact, account.Joined):
            invitation = invited[fact.invitation]
            assert fact.by == Actor(Capacity.MEMBER, invitation.person)
            assert (fact.person, fact.role) == (invitation.person, invitation.role)
            assert fact.at < invitation.expires_at
            assert fact.invitation not in settled
        if isinstance(fact, account.Joined | account.Withdrawn):
            settled.add(fact.invitation)


@UNHURRIED
@given(
    st.lists(account_commands, max_size=40).map(unique_invitations), st.lists(person_commands, max_size=40)
)
def test_commands_sent_again_change_nothing_and_facts_replay_to_the_same_state(
    of_account: list[Any], of_person: list[Any]
) -> None:
    for domain, asked in ((account, of_account), (person, of_person)):
        facts, made = live(domain, asked)
        state: Any = reduce(domain.evolve, facts, None)
        assert state == reduce(domain.evolve, facts, None)
        assert [fact.at for fact in facts] == sorted(fact.at for fact in facts)
        for command in made:
            if isinstance(command, person.Register):
                continue  # is part of another command, whose repetition needs no second one
            assert domain.decide(command, state) == ()
            assert domain.decide(replace(command, at=datetime(2030, 1, 1, tzinfo=UTC)), state) == ()


@UNHURRIED
@given(st.lists(person_commands, max_size=40))
def test_a_person_has_the_roles_that_were_given_and_not_taken(asked: list[Any]) -> None:
    state, roles = None, set[person.Role]()
    for fact in live(person, asked)[0]:
        state = person.evolve(state, fact)
        if isinstance(fact, person.Appointed):
            roles.add(fact.role)
        if isinstance(fact, person.Dismissed):
            roles.remove(fact.role)
        assert state.roles == roles
