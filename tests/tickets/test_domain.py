"""The rules of a ticket, as tables: what each command does to a ticket in each state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias

import pytest

from services.tickets.domain import (
    MAX_REVISION,
    Answer,
    Capacity,
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
    Reopened,
    Replied,
    Status,
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
    AGENT,
    ATTACHMENTS,
    MEMBER,
    NUMBER,
    OTHER_ACCOUNT,
    close,
    closed,
    given,
    minute,
    open_submitted,
    open_ticket,
    opened,
    opened_from_submission,
    opened_with_replies,
    reopen,
    reopened,
    replay,
    replied,
    reply,
)

Outcome: TypeAlias = type[Opened] | type[Replied] | type[Closed] | type[Reopened] | type[Refusal]

FULL: Final = opened_with_replies(MAX_REVISION - 1)
ALMOST_FULL: Final = FULL[:-1]

STATES: Final[dict[str, tuple[TicketFact, ...]]] = {
    "no ticket": (),
    "open": (opened(),),
    "closed": (opened(), closed()),
    "reopened": (opened(), closed(), reopened()),
    "one more fits": ALMOST_FULL,
    "closed, one more fits": (*ALMOST_FULL[:-1], closed()),
    "full": FULL,
    "full by its closing": (*ALMOST_FULL, closed()),
    "full, then closed": (*FULL, closed()),
}

# What new commands do, by state: the kind of fact that is added, or the refusal.
OUTCOMES: Final[dict[str, tuple[Outcome, Outcome, Outcome, Outcome]]] = {
    # state                   open           reply           close                  reopen
    "no ticket":             (Opened,        TicketNotFound, TicketNotFound,        TicketNotFound),
    "open":                  (NumberIsTaken, Replied,        Closed,                TicketIsOpen),
    "closed":                (NumberIsTaken, TicketIsClosed, TicketIsAlreadyClosed, Reopened),
    "reopened":              (NumberIsTaken, Replied,        Closed,                TicketIsOpen),
    "one more fits":         (NumberIsTaken, Replied,        Closed,                TicketIsOpen),
    "closed, one more fits": (NumberIsTaken, TicketIsClosed, TicketIsAlreadyClosed, Reopened),
    "full":                  (NumberIsTaken, TicketIsFull,   Closed,                TicketIsOpen),
    "full by its closing":   (NumberIsTaken, TicketIsClosed, TicketIsAlreadyClosed, TicketIsFull),
    "full, then closed":     (NumberIsTaken, TicketIsClosed, TicketIsAlreadyClosed, TicketIsFull),
}  # fmt: skip

NEW: Final[tuple[tuple[TicketCommand, TicketFact], ...]] = (
    (open_ticket("new"), opened("new")),
    (reply("new"), replied("new")),
    (close("new"), closed("new")),
    (reopen("new"), reopened("new")),
)

CELLS: Final = [
    pytest.param(state, command, fact, outcome, id=f"{type(command).__name__}, {state}")
    for state, outcomes in OUTCOMES.items()
    for (command, fact), outcome in zip(NEW, outcomes, strict=True)
]


@pytest.mark.parametrize(("state", "command", "fact", "outcome"), CELLS)
def test_a_new_command_does_what_the_table_says(
    state: str, command: TicketCommand, fact: TicketFact, outcome: Outcome
) -> None:
    scenario = given(*STATES[state]).when(command)
    if issubclass(outcome, Refusal):
        scenario.refused(outcome)
    else:
        assert type(fact) is outcome
        scenario.then(fact)


def test_the_table_has_every_state() -> None:
    assert OUTCOMES.keys() == STATES.keys()


# The limit


def test_a_full_ticket_names_its_limit() -> None:
    assert given(*FULL).when(reply("new")).refused(TicketIsFull).data == {"limit": MAX_REVISION}
    full_and_closed = given(*FULL, closed())
    assert full_and_closed.when(reopen("new")).refused(TicketIsFull).data == {"limit": MAX_REVISION}


def test_a_ticket_never_outgrows_its_limit_by_more_than_a_close() -> None:
    ticket = given(*FULL, closed()).ticket
    assert ticket is not None
    assert ticket.revision == MAX_REVISION + 1
    for command, _ in NEW:
        with pytest.raises(Refusal):
            decide(command, ticket)


# The same command again

LONG_LIFE: Final = (
    opened("open-1"),
    replied("reply-1"),
    closed("close-1"),
    reopened("reopen-1"),
    replied("reply-2"),
    closed("close-2"),
    reopened("reopen-2"),
)


LONG_LIFE_COMMANDS: Final = (
    open_ticket("open-1"),
    reply("reply-1"),
    close("close-1"),
    reopen("reopen-1"),
    reply("reply-2"),
    close("close-2"),
    reopen("reopen-2"),
)


@pytest.mark.parametrize(
    ("command", "facts"),
    [
        pytest.param(command, LONG_LIFE[:revision], id=f"{command.id} at revision {revision}")
        for made, command in enumerate(LONG_LIFE_COMMANDS, start=1)
        for revision in range(made, len(LONG_LIFE) + 1)
    ],
)
def test_a_repeated_command_has_no_second_effect_whatever_happened_since(
    command: TicketCommand, facts: tuple[TicketFact, ...]
) -> None:
    given(*facts).when(command).then()


@pytest.mark.parametrize(
    ("facts", "command"),
    [
        ((opened(), replied(), closed()), reply()),
        ((opened(), closed(), reopened()), close()),
        ((opened(), closed(), reopened()), reopen()),
        ((opened(), closed(), reopened(), closed("again")), reopen()),
        ((opened(), closed()), open_ticket()),
        (FULL, reply("reply-1", text="1.")),
        (FULL, reply(f"reply-{MAX_REVISION - 1}", text=f"{MAX_REVISION - 1}.")),
        ((*FULL, closed()), open_ticket()),
    ],
    ids=[
        "a reply to what is closed by now",
        "a close of what was reopened",
        "a reopening of what is open",
        "a reopening of what was closed again",
        "an opening of what is closed by now",
        "the first reply to what is full by now",
        "the reply that filled it",
        "the opening of what is full and closed",
    ],
)
def test_a_repeat_is_told_from_a_new_command_before_any_rule_is_asked(
    facts: tuple[TicketFact, ...], command: TicketCommand
) -> None:
    given(*facts).when(command).then()


# A command id with other content

REUSED: Final[dict[str, tuple[tuple[TicketFact, ...], TicketCommand]]] = {
    "an opening with another title": ((opened(),), replace(open_ticket(), title="Other")),
    "an opening with another message": ((opened(),), replace(open_ticket(), message="Other")),
    "an opening with another topic": ((opened(),), replace(open_ticket(), topic="other")),
    "an opening without its questionnaire": ((opened(),), replace(open_ticket(), questionnaire=None)),
    "an opening with another answer": (
        (opened(),),
        replace(open_ticket(), answers=(Answer("since", "Since when?", ("today", "7:41")),)),
    ),
    "an opening with two answers in one": (
        (opened(),),
        replace(open_ticket(), answers=(Answer("since", "Since when?", ("today', '7:40",)),)),
    ),
    "an opening with one identifier less": (
        (opened(),),
        replace(open_ticket(), identifiers=(Identifier("merchant", "M-17"),)),
    ),
    "an opening with its identifiers in another order": (
        (opened(),),
        replace(open_ticket(), identifiers=open_ticket().identifiers[::-1]),
    ),
    "an opening that follows another ticket": (
        (opened(),),
        replace(open_ticket(), follows=TicketNumber("1200000016")),
    ),
    "an opening with one file less": (
        (opened(),),
        replace(open_ticket(), attachments=open_ticket().attachments[1:]),
    ),
    "an opening by somebody else": ((opened(),), replace(open_ticket(), by=Person(Capacity.MEMBER, "ewa"))),
    "a reply with another text": ((opened(), replied()), replace(reply(), text="Już działa")),
    "a reply with another file": ((opened(), replied()), replace(reply(), attachments=ATTACHMENTS[1:])),
    "a reply without its file": ((opened(), replied()), replace(reply(), attachments=())),
    "a reply with one more space": ((opened(), replied(text="Tak.")), reply(text="Tak. ")),
    "a reply with the same look in another Unicode form": (
        (opened(), replied(text="Zażółć")),
        reply(text="Zaz\u0307ółć"),
    ),
    "a reply by somebody else": ((opened(), replied()), replace(reply(), by=AGENT)),
    "a reply in another capacity": (
        (opened(), replied()),
        replace(reply(), by=Person(Capacity.AGENT, MEMBER.id)),
    ),
    "a close for another reason": ((opened(), closed()), replace(close(), reason=CloseReason.DECLINED)),
    "a close without its note": ((opened(), closed()), replace(close(), note=None)),
    "a close with an empty note instead of none": (
        (opened(), replace(closed(), note=None)),
        replace(close(), note=""),
    ),
    "a close by somebody else": ((opened(), closed()), replace(close(), by=MEMBER)),
    "a reopening for another reason": (
        (opened(), closed(), reopened()),
        replace(reopen(), reason="Jednak nie."),
    ),
    "a reopening by somebody else": ((opened(), closed(), reopened()), replace(reopen(), by=AGENT)),
    "a reply with the opening's id": ((opened("same"),), reply("same")),
    "a close with the opening's id": ((opened("same"),), close("same")),
    "a reopening with the opening's id": ((opened("same"), closed()), reopen("same")),
    "a close with a reply's id": ((opened(), replied("same")), close("same")),
    "a reopening with a reply's id": ((opened(), replied("same"), closed()), reopen("same")),
    "a reply with a close's id": ((opened(), closed("same"), reopened()), reply("same")),
    "a reopening with a close's id": ((opened(), closed("same")), reopen("same")),
    "a reply with a reopening's id and words": (
        (opened(), closed(), reopened("same")),
        reply("same", text=reopened().reason),
    ),
    "a close with a reopening's id": ((opened(), closed(), reopened("same")), close("same")),
    "another reply on a closed ticket": ((opened(), replied("same"), closed()), reply("same", text="Other")),
    "another reply on a full ticket": (FULL, reply("reply-7", text="Other")),
    "another reopening of an open ticket": (
        (opened(), closed(), reopened("same")),
        replace(reopen("same"), reason="Other"),
    ),
}


@pytest.mark.parametrize(("facts", "command"), REUSED.values(), ids=REUSED.keys())
def test_a_command_id_is_not_taken_for_something_else(
    facts: tuple[TicketFact, ...], command: TicketCommand
) -> None:
    assert given(*facts).when(command).refused(CommandIdReused).data == {"command_id": command.id}


@pytest.mark.parametrize(
    "text",
    ["", " Tak.\n", "\r\n\t", "\x00", "Zażółć", "Zaz\u0307o\u0301łć", "🧑🏽‍⚕️", "\u202eאבג", "\ud800", "','"],
    ids=ascii,
)
def test_a_text_is_kept_to_the_last_character(text: str) -> None:
    given(opened()).when(reply(text=text)).then(replied(text=text))


# Accounts


@pytest.mark.parametrize("state", STATES.keys())
@pytest.mark.parametrize("command_id", ["new", "open", "close", "reopen", "reply-1"])
@pytest.mark.parametrize("make", [reply, close, reopen])
def test_another_account_cannot_tell_a_ticket_from_none(
    make: Callable[[str], TicketCommand], command_id: str, state: str
) -> None:
    command = replace(make(command_id), account=OTHER_ACCOUNT)
    without_a_ticket = given().when(command).refused(TicketNotFound)
    refusal = given(*STATES[state]).when(command).refused(TicketNotFound)
    assert (refusal.args, refusal.data, str(refusal)) == (
        without_a_ticket.args,
        without_a_ticket.data,
        str(without_a_ticket),
    )
    assert refusal.data == {}


@pytest.mark.parametrize(
    "command",
    [
        open_ticket("new"),
        replace(open_ticket(), account=OTHER_ACCOUNT),
        replace(open_ticket("new"), account=OTHER_ACCOUNT),
        open_ticket("reply"),
        open_ticket("close"),
    ],
    ids=[
        "another command of the account",
        "the same command id of another account",
        "another command of another account",
        "a command id that made a reply",
        "a command id that made a close",
    ],
)
def test_a_number_belongs_to_the_command_that_opened_it(command: TicketCommand) -> None:
    assert given(opened(), replied(), closed()).when(command).refused(NumberIsTaken).data == {}


def test_a_repeated_opening_finds_its_ticket_under_a_later_derivation_of_its_number() -> None:
    number = TicketNumber("7700000001")
    first = replace(opened(), number=number)
    given(first).when(replace(open_ticket(), number=number)).then()


# Files and submissions


def test_a_repeat_is_known_by_the_ids_of_its_files() -> None:
    unknown = tuple(replace(each, name="", media_type="", size=0, sha256="") for each in ATTACHMENTS)
    given(opened()).when(replace(open_ticket(), attachments=unknown)).then()
    given(opened(), replied()).when(replace(reply(), attachments=unknown[:1])).then()


def test_a_submission_opens_one_ticket() -> None:
    given().when(open_submitted()).then(opened_from_submission())


@pytest.mark.parametrize(
    "said",
    [
        {"follows": None},
        {"follows": TicketNumber("1200000016")},
        {"attachments": ()},
        {"answers": ()},
        {"topic": "other"},
    ],
    ids=str,
)
def test_a_submission_that_is_read_otherwise_by_another_version_has_its_ticket_all_the_same(
    said: dict[str, Any],
) -> None:
    given(opened_from_submission(), closed()).when(replace(open_submitted(), **said)).then()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (opened(open_submitted().id), open_submitted()),
        (opened_from_submission(), open_ticket(open_submitted().id)),
        (replace(opened_from_submission(), submission="another"), open_submitted()),
        (replace(opened_from_submission(), account=OTHER_ACCOUNT), open_submitted()),
    ],
    ids=["that was used by a request", "that a request uses", "of another submission", "of another account"],
)
def test_the_command_id_of_a_submission_takes_its_number_from_nobody(first: Opened, second: Open) -> None:
    assert given(first).when(second).refused(NumberIsTaken).data == {}


# Time


@pytest.mark.parametrize(
    ("facts", "command", "fact"),
    [
        ((opened(at=5),), reply(at=3), replied(at=5)),
        ((opened(at=5),), reply(at=5), replied(at=5)),
        ((opened(at=5),), reply(at=6), replied(at=6)),
        ((opened(at=5), replied("a", at=9)), close(at=8), closed(at=9)),
        ((opened(at=5), replied("a", at=9)), close(at=10), closed(at=10)),
        ((opened(at=5), closed(at=9)), reopen(at=0), reopened(at=9)),
        ((opened(at=5), closed(at=9)), reopen(at=10), reopened(at=10)),
    ],
)
def test_time_never_goes_back_within_a_ticket(
    facts: tuple[TicketFact, ...], command: TicketCommand, fact: TicketFact
) -> None:
    given(*facts).when(command).then(fact)


def test_a_ticket_opens_at_the_time_of_its_command() -> None:
    given().when(open_ticket(at=-7)).then(opened(at=-7))


def test_the_time_of_a_repeat_does_not_matter() -> None:
    given(opened(at=5), replied(at=6)).when(reply(at=-100)).then()
    given(opened(at=5), replied(at=6)).when(open_ticket(at=-100)).then()


# What the facts make of a ticket


def test_a_ticket_is_what_its_facts_say() -> None:
    ticket = replay((opened(at=1), replied(at=2), closed(at=3), reopened(at=4)))

    assert ticket is not None
    assert (ticket.number, ticket.account) == (NUMBER, ACCOUNT)
    assert (ticket.status, ticket.revision, ticket.updated_at) == (Status.OPEN, 4, minute(4))
    assert {command_id: done.revision for command_id, done in ticket.done.items()} == {
        "open": 1,
        "reply": 2,
        "close": 3,
        "reopen": 4,
    }


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ((opened(),), Status.OPEN),
        ((opened(), replied()), Status.OPEN),
        ((opened(), closed()), Status.CLOSED),
        ((opened(), closed(), reopened()), Status.OPEN),
        ((opened(), closed(), reopened(), closed("again")), Status.CLOSED),
    ],
)
def test_the_status_follows_from_the_facts(facts: tuple[TicketFact, ...], status: Status) -> None:
    ticket = given(*facts).ticket
    assert ticket is not None
    assert ticket.status is status


def test_an_earlier_picture_of_a_ticket_stays_as_it_was() -> None:
    before = evolve(None, opened())
    after = evolve(before, replied(at=1))

    assert (before.revision, list(before.done)) == (1, ["open"])
    assert (after.revision, list(after.done)) == (2, ["open", "reply"])


def test_what_a_ticket_remembers_cannot_be_edited() -> None:
    ticket = evolve(None, opened())
    with pytest.raises(TypeError):
        ticket.done[CommandId("forged")] = ticket.done[CommandId("open")]  # type: ignore[index]


@pytest.mark.parametrize("fact", [replied(), closed(), reopened()], ids=lambda fact: type(fact).__name__)
def test_a_log_that_does_not_begin_with_an_opening_is_an_error(fact: TicketFact) -> None:
    with pytest.raises(ValueError, match="does not begin with its opening"):
        evolve(None, fact)


def test_a_log_with_a_second_opening_is_an_error() -> None:
    with pytest.raises(ValueError, match=f"{NUMBER} is opened twice"):
        evolve(evolve(None, opened()), opened("another"))


# Refusals


def test_the_codes_of_refusals_are_stable() -> None:
    assert {refusal.__name__: refusal.code for refusal in Refusal.__subclasses__()} == {
        "TicketNotFound": "ticket_not_found",
        "TicketIsClosed": "ticket_is_closed",
        "TicketIsAlreadyClosed": "ticket_is_already_closed",
        "TicketIsOpen": "ticket_is_open",
        "TicketIsFull": "ticket_is_full",
        "CommandIdReused": "command_id_reused",
        "NumberIsTaken": "number_is_taken",
    }
