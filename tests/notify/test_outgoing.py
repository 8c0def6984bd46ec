"""The rules of an e-mail to be sent, as tables; each is asked twice, to show that nothing is done twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest

from services.notify import outgoing
from services.notify.outgoing import (
    CLAIM_LASTS,
    GIVE_UP_AFTER,
    Answer,
    AttemptIsOver,
    Cause,
    Claim,
    Dead,
    Deferred,
    Letter,
    Mail,
    MailCommand,
    MailFact,
    MailNotFound,
    NotDead,
    NotDue,
    Queue,
    Queued,
    RecordAnswer,
    Refusal,
    Revive,
    Revived,
    Sending,
    Sent,
    decide,
    evolve,
    pause,
)

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LETTER = Letter(
    id="m1",
    account="platform",
    kind="interest_confirmation",
    cause=Cause(event="R-1", type="interest"),
    why="asked",
    email="ewa@lis.example",
    language="pl",
    reference="R-1",
    message_id="<m1@casetrail.example>",
)
OK, LATER, NEVER, NOTHING = (
    Answer(250, "ok"),
    Answer(451, "later"),
    Answer(550, "never"),
    Answer(None, "time-out"),
)


NOT_WRITTEN = Answer(None, "not written: Unavailable", handed_over=False)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def queued() -> Queued:
    return Queued(command_id="q", at=at(0), letter=LETTER)


def sending(attempt: int, minutes: float, *, may_repeat: bool = False) -> Sending:
    return Sending(command_id=f"c{attempt}", at=at(minutes), attempt=attempt, may_repeat=may_repeat)


def answer(attempt: int, minutes: float, said: Answer, *, is_final: bool = False) -> RecordAnswer:
    return RecordAnswer(id=f"a{attempt}", at=at(minutes), attempt=attempt, answer=said, is_final=is_final)


def deferred(attempt: int, minutes: float, until: float, said: Answer = LATER) -> Deferred:
    return Deferred(command_id=f"a{attempt}", at=at(minutes), attempt=attempt, answer=said, until=at(until))


DEAD = Dead(command_id="a1", at=at(1), attempt=1, answer=NEVER)
LASTS_MIN = CLAIM_LASTS / timedelta(minutes=1)


def mail(*facts: MailFact) -> Mail | None:
    return reduce(evolve, facts, None)


@pytest.mark.parametrize(
    ("given", "command", "then"),
    [
        ([], Queue(id="q", at=at(0), letter=LETTER), queued()),
        ([queued()], Claim(id="c1", at=at(0)), sending(1, 0)),
        ([queued(), sending(1, 0)], answer(1, 1, OK), Sent(command_id="a1", at=at(1), attempt=1, answer=OK)),
        ([queued(), sending(1, 0)], answer(1, 1, LATER), deferred(1, 1, 2)),
        ([queued(), sending(1, 0)], answer(1, 1, NOTHING), deferred(1, 1, 2, NOTHING)),
        ([queued(), sending(1, 0)], answer(1, 1, NEVER), DEAD),
        # no answer: the server may have it; not handed over: it has not
        (
            [queued(), sending(1, 0), deferred(1, 1, 2, NOTHING)],
            Claim(id="c2", at=at(2)),
            sending(2, 2, may_repeat=True),
        ),
        (
            [queued(), sending(1, 0), deferred(1, 1, 2, NOT_WRITTEN)],
            Claim(id="c2", at=at(2)),
            sending(2, 2),
        ),
        (
            [queued(), sending(1, 0)],
            answer(1, 1, NOTHING, is_final=True),
            Dead(command_id="a1", at=at(1), attempt=1, answer=NOTHING),
        ),
        ([queued(), sending(1, 0), deferred(1, 1, 2)], Claim(id="c2", at=at(2)), sending(2, 2)),
        (
            [queued(), sending(1, 0), deferred(1, 1, 2), sending(2, 2)],
            answer(2, 3, LATER),
            deferred(2, 3, 5),
        ),
        # nobody said what came of the first attempt
        ([queued(), sending(1, 0)], Claim(id="c2", at=at(LASTS_MIN)), sending(2, LASTS_MIN, may_repeat=True)),
        ([queued(), sending(1, 0), DEAD], Revive(id="r", at=at(9)), Revived(command_id="r", at=at(9))),
        (
            [queued(), sending(1, 0), DEAD, Revived(command_id="r", at=at(9))],
            Claim(id="c2", at=at(9)),
            sending(2, 9),
        ),
    ],
)  # fmt: skip
def test_what_a_command_does(given: list[MailFact], command: MailCommand, then: MailFact) -> None:
    assert decide(command, mail(*given)) == (then,)
    assert decide(command, mail(*given, then)) == ()


@pytest.mark.parametrize(
    ("given", "command", "refusal"),
    [
        ([], Claim(id="c", at=at(0)), MailNotFound),
        ([], Revive(id="r", at=at(0)), MailNotFound),
        ([queued(), sending(1, 0)], Claim(id="c2", at=at(LASTS_MIN - 0.1)), NotDue),
        ([queued(), sending(1, 0), deferred(1, 1, 2)], Claim(id="c2", at=at(1.9)), NotDue),
        (
            [queued(), sending(1, 0), Sent(command_id="a1", at=at(1), attempt=1, answer=OK)],
            Claim(id="c2", at=at(99)),
            NotDue,
        ),
        ([queued(), sending(1, 0), DEAD], Claim(id="c2", at=at(99)), NotDue),
        ([queued()], answer(1, 1, OK), AttemptIsOver),
        (
            [queued(), sending(1, 0), sending(2, LASTS_MIN, may_repeat=True)],
            answer(1, LASTS_MIN, OK),
            AttemptIsOver,
        ),
        ([queued()], Revive(id="r", at=at(0)), NotDead),
    ],
)
def test_what_is_refused(given: list[MailFact], command: MailCommand, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        decide(command, mail(*given))


def test_a_mail_that_nobody_takes_is_tried_for_days_and_then_given_up() -> None:
    facts: list[MailFact] = [queued()]
    now = START
    for attempt in range(1, 200):
        (claimed,) = decide(Claim(id=f"c{attempt}", at=now), mail(*facts))
        (result,) = decide(
            RecordAnswer(id=f"a{attempt}", at=now, attempt=attempt, answer=LATER), mail(*facts, claimed)
        )
        facts += [claimed, result]
        if isinstance(result, Dead):
            break
        assert isinstance(result, Deferred)
        assert result.until - now == pause(attempt)
        now = result.until
    assert isinstance(facts[-1], Dead)
    assert GIVE_UP_AFTER - timedelta(hours=4) <= now - START <= GIVE_UP_AFTER
    assert 20 < attempt < 40


def test_every_pause_is_as_long_as_the_one_before_or_longer() -> None:
    pauses = [pause(attempt) for attempt in range(1, 30)]
    assert pauses == sorted(pauses)
    assert outgoing.pause(1) == timedelta(minutes=1)
