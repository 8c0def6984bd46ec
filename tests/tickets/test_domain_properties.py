"""Any sequence of commands keeps the rules of a ticket, alone and between replicas that lag behind."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from services.tickets.domain import (
    MAX_REVISION,
    Answer,
    Attachment,
    Capacity,
    Close,
    Closed,
    CloseReason,
    CommandId,
    CommandIdReused,
    Identifier,
    NumberIsTaken,
    Open,
    Opened,
    Person,
    Refusal,
    Reopen,
    Reopened,
    Replied,
    Reply,
    ReplyId,
    Status,
    Ticket,
    TicketCommand,
    TicketFact,
    TicketIsAlreadyClosed,
    TicketIsClosed,
    TicketIsFull,
    TicketIsOpen,
    TicketNotFound,
    TicketNumber,
    decide,
    evolve,
)
from tests.tickets.scenarios import (
    ACCOUNT,
    NUMBER,
    OTHER_ACCOUNT,
    closed,
    opened,
    opened_with_replies,
    replay,
    reply,
    sent_again,
)

# No deadline and no check of speed: the processor is shared, and time is not what these tests are about.
UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Any Unicode, lone surrogates too; and characters that could blur where one field ends and the next begins.
texts = st.text(st.characters(exclude_categories=()), max_size=20) | st.text(r"""'",\() x""", max_size=6)
moments = st.datetimes(timezones=st.just(UTC))
people = st.builds(Person, st.sampled_from(Capacity), st.sampled_from(["ola", "jan"]))
accounts = st.sampled_from([ACCOUNT, ACCOUNT, ACCOUNT, OTHER_ACCOUNT])
answers = st.lists(st.builds(Answer, texts, texts, st.lists(texts, max_size=2).map(tuple)), max_size=2)
identifiers = st.lists(st.builds(Identifier, texts, texts), max_size=2)
# What is said of a file follows from its id.
attachments = st.lists(
    st.sampled_from("abc").map(
        lambda letter: Attachment(letter * 26, f"{letter}.png", "image/png", 7, letter)
    ),
    max_size=2,
)
# Few enough that a sequence meets the same one again.
command_ids = st.integers(1, 40).map(lambda number: CommandId(f"command-{number}"))

opens = st.builds(
    Open,
    id=command_ids,
    account=accounts,
    by=people,
    at=moments,
    number=st.just(NUMBER),
    title=texts,
    message=texts,
    topic=texts,
    questionnaire=st.none() | texts,
    answers=answers.map(tuple),
    identifiers=identifiers.map(tuple),
    follows=st.none() | st.just(TicketNumber("1200000008")),
    attachments=attachments.map(tuple),
)
submitted_opens = st.builds(replace, opens, submission=st.sampled_from(["first", "second"]))
replies = st.builds(
    Reply,
    id=command_ids,
    account=accounts,
    by=people,
    at=moments,
    reply_id=texts.map(ReplyId),
    text=texts,
    attachments=attachments.map(tuple),
)
closes = st.builds(
    Close,
    id=command_ids,
    account=accounts,
    by=people,
    at=moments,
    reason=st.sampled_from(CloseReason),
    note=st.none() | texts,
)
reopens = st.builds(Reopen, id=command_ids, account=accounts, by=people, at=moments, reason=texts)


def what_is_said(command: TicketCommand) -> TicketCommand:
    """The command without what is new at each try."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    if isinstance(command, Reply):
        return replace(command, at=epoch, reply_id=ReplyId(""))
    return replace(command, at=epoch)


OPENING_SAYS: Final = (
    "by",
    "title",
    "message",
    "topic",
    "questionnaire",
    "answers",
    "identifiers",
    "follows",
    "attachments",
)

FULL: Final = opened_with_replies(MAX_REVISION - 1)
LONG_HISTORIES: Final = {
    "one more fits": (FULL[:-1], replay(FULL[:-1])),
    "full": (FULL, replay(FULL)),
}


def outcome(command: TicketCommand, ticket: Ticket | None) -> tuple[TicketFact, ...] | type[Refusal]:
    """The facts that the command adds, or the reason for which it is refused."""
    try:
        return decide(command, ticket)
    except Refusal as refusal:
        return type(refusal)


class AnySequence(RuleBasedStateMachine):
    """One ticket under any commands, against the rules spelled out over what was sent and what was added."""

    sent: Bundle[TicketCommand] = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.start: Ticket | None = None
        self.ticket: Ticket | None = None
        self.before: tuple[TicketFact, ...] = ()
        self.added: list[TicketFact] = []
        self.effects: dict[CommandId, TicketCommand] = {}

    @initialize(target=sent, start=st.sampled_from(["nothing", "open", *LONG_HISTORIES]), opening=opens)
    def begins(self, start: str, opening: Open) -> TicketCommand:
        """No sequence would be long enough to reach the limit from nothing."""
        if start in LONG_HISTORIES:
            self.before, self.start = LONG_HISTORIES[start]
            self.ticket = self.start
        if start == "open":
            self.meets_the_rules(opening)
        return opening

    @rule(target=sent, command=opens | replies | closes | reopens)
    def a_command_comes(self, command: TicketCommand) -> TicketCommand:
        self.meets_the_rules(command)
        return command

    @rule(command=sent, at=moments)
    def an_earlier_command_comes_again(self, command: TicketCommand, at: datetime) -> None:
        self.meets_the_rules(sent_again(command, at=at))

    @precondition(lambda self: self.before)
    @rule(nth=st.integers(1, MAX_REVISION - 2), at=moments)
    def a_very_old_reply_comes_again(self, nth: int, at: datetime) -> None:
        assert decide(sent_again(reply(f"reply-{nth}", text=f"{nth}."), at=at), self.ticket) == ()

    def meets_the_rules(self, command: TicketCommand) -> None:
        """Decides the command, and compares with what the rules say."""
        expected = self.refusal_of(command)
        known = None if self.ticket is None else dict(self.ticket.done)

        decided = outcome(command, self.ticket)

        assert (decided if isinstance(decided, type) else None) is expected
        assert known == (None if self.ticket is None else dict(self.ticket.done))
        if isinstance(decided, tuple):
            assert len(decided) == (0 if command.id in self.effects else 1)
            for fact in decided:
                self.ticket = evolve(self.ticket, fact)
                self.added.append(fact)
                self.effects[command.id] = command

    def refusal_of(self, command: TicketCommand) -> type[Refusal] | None:
        """Which rule forbids the command, by the facts alone; None where it is allowed or was done before."""
        facts = (*self.before[:1], *self.added)
        if isinstance(command, Open):
            return self.refusal_of_opening(command, facts)
        if not (facts and isinstance(facts[0], Opened) and facts[0].account == command.account):
            return TicketNotFound
        if earlier := self.effects.get(command.id):
            return None if what_is_said(earlier) == what_is_said(command) else CommandIdReused
        is_closed = isinstance(facts[-1], Closed)
        is_full = len(self.before) + len(self.added) >= MAX_REVISION
        match command:
            case Reply():
                return TicketIsClosed if is_closed else TicketIsFull if is_full else None
            case Close():
                return TicketIsAlreadyClosed if is_closed else None
            case Reopen():
                return TicketIsOpen if not is_closed else TicketIsFull if is_full else None

    def refusal_of_opening(self, command: Open, facts: tuple[TicketFact, ...]) -> type[Refusal] | None:
        if not facts:
            return None
        earlier = self.effects.get(command.id)
        if not isinstance(earlier, Open) or earlier.account != command.account:
            return NumberIsTaken
        return None if what_is_said(earlier) == what_is_said(command) else CommandIdReused

    @invariant()
    def the_facts_make_the_ticket(self) -> None:
        assert replay(self.added, self.start) == self.ticket

    @invariant()
    def it_is_opened_once_and_first(self) -> None:
        facts = (*self.before[:1], *self.added)
        assert [nth for nth, fact in enumerate(facts) if isinstance(fact, Opened)] == [0][: len(facts)]

    @invariant()
    def revisions_have_no_gaps(self) -> None:
        if self.ticket is not None:
            count = len(self.before) + len(self.added)
            assert self.ticket.revision == len(self.ticket.done) == count <= MAX_REVISION + 1
            for revision, fact in enumerate(self.added, start=len(self.before) + 1):
                assert self.ticket.done[fact.command_id].revision == revision

    @invariant()
    def the_status_is_what_the_last_fact_left(self) -> None:
        if self.ticket is not None:
            last = (*self.before[-1:], *self.added)[-1]
            assert self.ticket.status is (Status.CLOSED if isinstance(last, Closed) else Status.OPEN)

    @invariant()
    def nothing_is_said_to_a_closed_ticket(self) -> None:
        facts = (*self.before[-1:], *self.added)
        assert not any(
            isinstance(earlier, Closed) and isinstance(later, Replied | Closed)
            for earlier, later in pairwise(facts)
        )

    @invariant()
    def time_does_not_go_back(self) -> None:
        times = [fact.at for fact in (*self.before[-1:], *self.added)]
        assert times == sorted(times)


@dataclass(slots=True)
class Replica:
    """Decides from its own picture of the log, which may be old."""

    ticket: Ticket | None = None

    @property
    def revision(self) -> int:
        return 0 if self.ticket is None else self.ticket.revision

    def follow(self, log: list[TicketFact], *, upto: int | None = None) -> None:
        """Reads on to this revision, or to the end."""
        self.ticket = replay(log[self.revision : upto], self.ticket)


@dataclass(frozen=True, slots=True)
class Append:
    """On its way to the log: what a replica decided, and how long it believed the log to be."""

    replica: Replica
    command: TicketCommand
    facts: tuple[TicketFact, ...]
    expected_length: int


class ReplicasThatLagBehind(RuleBasedStateMachine):
    """Two replicas, and a log that takes an append only at the length that its decider believed in.

    A replica that would refuse reads to the end of the log first: a refusal appends nothing, so no
    conflict would show that it was decided from an old picture.
    """

    sent: Bundle[TicketCommand] = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.log: list[TicketFact] = [opened()]
        self.replicas = (Replica(), Replica())
        self.on_their_way: list[Append] = []
        self.count = 0
        self.acknowledged: dict[CommandId, TicketCommand] = {}

    @rule(target=sent, command=replies | replies | closes | reopens)
    def a_command_is_sent(self, command: TicketCommand) -> TicketCommand:
        self.count += 1
        return replace(command, id=CommandId(f"command-{self.count}"), account=ACCOUNT)

    @rule(command=sent, replica=st.sampled_from([0, 1]), at=moments)
    def a_replica_gets_a_command(self, command: TicketCommand, replica: int, at: datetime) -> None:
        """The same command may reach both, and one of them more than once."""
        self.handle(self.replicas[replica], sent_again(command, at=at))

    @rule(replica=st.sampled_from([0, 1]), count=st.integers(1, 3))
    def a_replica_reads_on(self, replica: int, count: int) -> None:
        follower = self.replicas[replica]
        follower.follow(self.log, upto=follower.revision + count)

    @precondition(lambda self: self.on_their_way)
    @rule(which=st.integers(0, 9))
    def an_append_arrives(self, which: int) -> None:
        append = self.on_their_way.pop(which % len(self.on_their_way))
        if append.expected_length == len(self.log):
            self.log.extend(append.facts)
            self.acknowledged[append.command.id] = append.command
        else:
            append.replica.follow(self.log)
            self.handle(append.replica, append.command)

    @rule()
    def all_that_is_on_its_way_arrives(self) -> None:
        while self.on_their_way:
            self.an_append_arrives(0)
        for replica in self.replicas:
            replica.follow(self.log)
            assert replica.ticket == replay(self.log)

    def handle(self, replica: Replica, command: TicketCommand) -> None:
        decided = outcome(command, replica.ticket)
        if isinstance(decided, type):
            replica.follow(self.log)
            decided = outcome(command, replica.ticket)
        if isinstance(decided, type):
            assert command.id not in self.acknowledged
        elif decided:
            self.on_their_way.append(Append(replica, command, decided, replica.revision))
        else:
            assert command.id in self.acknowledged

    @invariant()
    def what_was_acknowledged_is_in_the_log_once_and_nothing_else_is(self) -> None:
        assert sorted(fact.command_id for fact in self.log[1:]) == sorted(self.acknowledged)

    @invariant()
    def nobodys_words_are_changed(self) -> None:
        for fact in self.log:
            if isinstance(fact, Replied):
                command = self.acknowledged[fact.command_id]
                assert isinstance(command, Reply)
                assert (fact.author, fact.text) == (command.by, command.text)

    @invariant()
    def the_log_keeps_the_rules(self) -> None:
        is_closed = False
        for fact in self.log:
            assert is_closed == isinstance(fact, Reopened) or isinstance(fact, Opened)
            is_closed = isinstance(fact, Closed)


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(UNHURRIED, max_examples=60, stateful_step_count=30)
TestReplicasThatLagBehind = ReplicasThatLagBehind.TestCase
TestReplicasThatLagBehind.settings = settings(UNHURRIED, max_examples=100, stateful_step_count=30)


@pytest.mark.parametrize(
    ("kind", "commands", "history", "field"),
    [
        *[(Open, opens, (), field) for field in OPENING_SAYS],
        *[(Reply, replies, (opened("first"),), field) for field in ("by", "text", "attachments")],
        *[(Close, closes, (opened("first"),), field) for field in ("by", "reason", "note")],
        *[(Reopen, reopens, (opened("first"), closed("second")), field) for field in ("by", "reason")],
    ],
)
@settings(UNHURRIED, max_examples=20)
@given(data=st.data())
def test_a_command_is_a_repeat_only_where_every_field_says_the_same(
    kind: type[TicketCommand],
    commands: st.SearchStrategy[TicketCommand],
    history: tuple[TicketFact, ...],
    field: str,
    data: st.DataObject,
) -> None:
    command = replace(data.draw(commands), account=ACCOUNT)
    other = data.draw(commands)
    assert type(command) is type(other) is kind
    before = replay(history)
    after = replay(decide(command, before), before)
    changed = replace(sent_again(command, at=other.at), **{field: getattr(other, field)})

    if getattr(other, field) == getattr(command, field):
        assert outcome(changed, after) == ()
    else:
        assert outcome(changed, after) is CommandIdReused


@settings(UNHURRIED, max_examples=200)
@given(command=opens | submitted_opens | replies | closes | reopens)
def test_a_fact_says_all_that_its_command_says(command: TicketCommand) -> None:
    """Field by field, under the same names but for the person's, whose name tells what they did."""
    command = replace(command, account=ACCOUNT)
    history = {Open: (), Reopen: (opened(), closed())}.get(type(command), (opened(),))
    (fact,) = decide(command, replay(history))

    by = {Opened: "opened_by", Replied: "author", Closed: "closed_by", Reopened: "reopened_by"}[type(fact)]
    assert (fact.command_id, getattr(fact, by)) == (command.id, command.by)
    for field in fields(fact):
        if field.name not in {"command_id", "at", by}:
            assert getattr(fact, field.name) == getattr(command, field.name)
    assert {field.name for field in fields(command)} - {"id", "account", "by"} <= {
        field.name for field in fields(fact)
    }
