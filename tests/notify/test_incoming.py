"""The rules of an e-mail that came in, as tables; each is asked twice, to show that nothing is done twice."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce

import pytest
from pydantic_core import to_json

from services.notify import incoming_events
from services.notify.incoming import (
    FOR_PEOPLE,
    BeginSettling,
    Delivery,
    GiveUpSettling,
    Handle,
    Handled,
    Incoming,
    IncomingCommand,
    IncomingFact,
    IncomingNotFound,
    Intent,
    IsBeingSettled,
    IsSettled,
    NeedsNobody,
    Outcome,
    Received,
    Result,
    Settle,
    Settled,
    Settlement,
    Settling,
    Take,
    Unsettled,
    decide,
    evolve,
)
from services.notify.outgoing import Refusal
from services.notify.sorting import Candidate, Clues, NoReply, number_in, sorted_out, too_many
from services.notify.threading import ReplyTo
from services.runtime.ids import uuid7
from tests.notify.letters import NUMBER

START = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
DELIVERY = Delivery(
    id="01939f6c-1de7-7c1e-8f6b-1d4c5f8a9b0c",
    sender="anna@acme.example",
    recipient="reply+x@casetrail.example",
    helo="mx.example",
    peer="127.0.0.1",
    size=3,
    sha256="a" * 64,
)
RESULT = Result(
    outcome=Outcome.REPLIED,
    reason="address",
    key="k",
    text_sha256="b" * 64,
    account="acme",
    ticket=NUMBER,
    person="pabc",
    capacity="member",
    event="e1",
    sender="anna@acme.example",
    subject="Re: Zażółć",
    note="dmarc=pass",
)
WAITING = Result(outcome=Outcome.UNASSIGNED, reason="no_ticket")
DISMISSED = Settlement(how="dismissed", by_kind="agent", by="pola")
APPENDED = Settlement(how="appended", by_kind="agent", by="pola", account="acme", ticket=NUMBER, event="e2")


def received() -> Received:
    return Received(command_id="take", at=START, delivery=DELIVERY)


def handled(result: Result = RESULT) -> Handled:
    return Handled(command_id="handle", at=START, result=result)


def settled(settlement: Settlement = DISMISSED) -> Settled:
    return Settled(command_id="settle", at=START, settlement=settlement)


INTENT = Intent(by_kind="agent", by="pola", account="acme", ticket=NUMBER)


def settling(intent: Intent = INTENT) -> Settling:
    return Settling(command_id="begin", at=START, intent=intent)


def unsettled() -> Unsettled:
    return Unsettled(command_id="begin.end", at=START, reason="ticket_is_closed")


def mail(*facts: IncomingFact) -> Incoming | None:
    return reduce(evolve, facts, None)


@pytest.mark.parametrize(
    ("given", "command", "then"),
    [
        ([], Take(id="take", at=START, delivery=DELIVERY), received()),
        ([received()], Handle(id="handle", at=START, result=RESULT), handled()),
        ([received(), handled(WAITING)], Settle(id="settle", at=START, settlement=DISMISSED), settled()),
        (
            [received(), handled(WAITING)],
            Settle(id="settle", at=START, settlement=APPENDED),
            settled(APPENDED),
        ),
        ([received(), handled(WAITING)], BeginSettling(id="begin", at=START, intent=INTENT), settling()),
        (
            [received(), handled(WAITING), settling()],
            Settle(id="settle", at=START, settlement=APPENDED),
            settled(APPENDED),
        ),
        (
            [received(), handled(WAITING), settling()],
            GiveUpSettling(id="begin.end", at=START, reason="ticket_is_closed"),
            unsettled(),
        ),
        (
            [received(), handled(WAITING), settling(), unsettled()],
            Settle(id="settle", at=START, settlement=DISMISSED),
            settled(),
        ),
    ],
)
def test_what_a_command_does(given: list[IncomingFact], command: IncomingCommand, then: IncomingFact) -> None:
    assert decide(command, mail(*given)) == (then,)
    assert decide(command, mail(*given, then)) == ()


@pytest.mark.parametrize(
    ("given", "command", "refusal"),
    [
        ([], Handle(id="h", at=START, result=RESULT), IncomingNotFound),
        ([], Settle(id="s", at=START, settlement=DISMISSED), IncomingNotFound),
        ([received()], Settle(id="s", at=START, settlement=DISMISSED), NeedsNobody),
        ([received(), handled()], Settle(id="s", at=START, settlement=DISMISSED), NeedsNobody),
        (
            [received(), handled(WAITING), settling()],
            Settle(id="another", at=START, settlement=DISMISSED),
            IsBeingSettled,
        ),
        (
            [received(), handled(WAITING), settling()],
            BeginSettling(id="another", at=START, intent=INTENT),
            IsBeingSettled,
        ),
        (
            [received(), handled(WAITING)],
            GiveUpSettling(id="begin.end", at=START, reason="ticket_is_closed"),
            NeedsNobody,
        ),
        (
            [received(), handled(WAITING), settled()],
            Settle(id="another", at=START, settlement=DISMISSED),
            IsSettled,
        ),
    ],
)
def test_what_is_refused(given: list[IncomingFact], command: IncomingCommand, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        decide(command, mail(*given))


@pytest.mark.parametrize("outcome", Outcome)
def test_what_waits_for_people_waits_until_it_is_settled(outcome: Outcome) -> None:
    waiting = mail(received(), handled(Result(outcome=outcome, reason="why")))
    assert waiting is not None
    assert waiting.waits_for_people == (outcome in FOR_PEOPLE)
    done = evolve(waiting, settled())
    assert not done.waits_for_people


@pytest.mark.parametrize(
    "fact", [received(), handled(), handled(WAITING), settling(), unsettled(), settled(), settled(APPENDED)]
)
def test_a_fact_is_the_same_after_it_was_on_record(fact: IncomingFact) -> None:
    state = evolve(None if isinstance(fact, Received) else mail(received()), fact)
    event = incoming_events.event(fact, state, event_id=uuid7(), traceparent=None)
    read = incoming_events.read_fact(event["type"], to_json(event))
    assert read == fact


TO_ANNA = ReplyTo(NUMBER, "anna")


def clues(**changes: object) -> Clues:
    known: dict[str, object] = {
        "addressed": TO_ANNA, "referred": None, "subject": "Re: x", "sender": "anna", "automatic": None,
        "checked": "pass",
    }  # fmt: skip
    return Clues(**(known | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "then"),
    [
        (clues(), Candidate(NUMBER, "anna", "address")),
        (clues(addressed=None, referred=NUMBER), Candidate(NUMBER, "anna", "reference")),
        (
            clues(addressed=None, subject=f"[{NUMBER[:3]}-{NUMBER[3:6]}-{NUMBER[6:]}] x"),
            Candidate(NUMBER, "anna", "number"),
        ),
        # the address before the reference before the number
        (clues(referred="1112223334"), Candidate(NUMBER, "anna", "address")),
        (clues(checked="none"), Candidate(NUMBER, "anna", "address")),
        (clues(checked="none", sender="eve"), NoReply(Outcome.QUARANTINED, "sender_not_checked")),
        (
            clues(checked="none", addressed=None, referred=NUMBER),
            NoReply(Outcome.QUARANTINED, "sender_not_checked"),
        ),
        (clues(checked="fail"), NoReply(Outcome.QUARANTINED, "sender_check_failed")),
        (clues(sender=None), NoReply(Outcome.QUARANTINED, "no_sender")),
        (clues(automatic="auto_submitted", checked="fail"), NoReply(Outcome.IGNORED, "auto_submitted")),
        (clues(addressed=None), NoReply(Outcome.UNASSIGNED, "no_ticket", answerable=True)),
    ],
)
def test_what_an_e_mail_is(given: Clues, then: Candidate | NoReply) -> None:
    assert sorted_out(given) == then


@pytest.mark.parametrize("subject", ["[111-222-3333] x", "111-222-3334", f"{NUMBER}", "[a]", ""])
def test_only_a_number_as_our_e_mails_carry_it_counts(subject: str) -> None:
    assert number_in(subject) is None


def test_people_write_less_than_programs_that_answer_each_other() -> None:
    assert not too_many(29)
    assert too_many(30)
