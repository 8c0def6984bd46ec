"""Sessions in a real bucket: found by their key alone, ended for good, and gone in time."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from contracts.access.people import person_id
from contracts.subjects import SESSIONS
from services.signin.attempts import Attempts
from services.signin.bucket import bucket
from services.signin.failures import AttemptUnknown
from services.signin.sessions import Sessions
from tests.signin.clock import MovableClock
from tests.signin.conftest import KEY

JAN, OLIVIA = person_id("jan@example.com"), person_id("olivia@example.com")
IDLE, ABSOLUTE = timedelta(minutes=30), timedelta(hours=12)


@pytest.fixture
def sessions(js: JetStreamContext, clock: MovableClock) -> Sessions:
    return Sessions(js, idle=IDLE, absolute=ABSOLUTE, clock=clock)


async def _revision(js: JetStreamContext) -> int:
    return (await js.stream_info(f"KV_{SESSIONS}")).state.last_seq


async def test_a_session_is_found_by_its_key(sessions: Sessions) -> None:
    key = await sessions.begin(JAN, email="jan@example.com", name="Jan Nowak", language="pl")
    found = await sessions.find(key)
    assert found is not None
    assert (found.person, found.email, found.name, found.language) == (
        JAN,
        "jan@example.com",
        "Jan Nowak",
        "pl",
    )


async def test_the_bucket_does_not_hold_what_opens_a_session(
    sessions: Sessions, js: JetStreamContext
) -> None:
    key = await sessions.begin(JAN)
    secret = key.partition(".")[2]
    (entry,) = await bucket(js).keys()
    assert entry == f"{JAN}.{hashlib.sha256(secret.encode()).hexdigest()}"
    stored = await bucket(js).get(entry)
    assert stored.value is not None
    assert secret.encode() not in stored.value
    assert await sessions.find(entry) is None


@pytest.mark.parametrize(
    "key",
    [
        "",
        ".",
        JAN,
        f"{JAN}.",
        f"{JAN}.>",
        f"{JAN}.*",
        "*." + "A" * 43,
        f"{JAN}.{'A' * 43}",
        f"{JAN}.{'A' * 44}",
    ],
)
async def test_what_is_no_key_finds_nothing_and_ends_nothing(sessions: Sessions, key: str) -> None:
    kept = await sessions.begin(JAN)
    assert await sessions.find(key) is None
    await sessions.end(key)
    assert await sessions.find(kept) is not None


async def test_a_session_that_was_ended_is_gone_and_may_be_ended_again(sessions: Sessions) -> None:
    key, other = await sessions.begin(JAN), await sessions.begin(JAN)
    await sessions.end(key)
    await sessions.end(key)
    assert await sessions.find(key) is None
    assert await sessions.find(other) is not None


async def test_ending_all_ends_those_of_one_person(sessions: Sessions) -> None:
    jans = [await sessions.begin(JAN) for _ in range(5)]
    olivias = await sessions.begin(OLIVIA)
    await sessions.end(jans[0])
    assert await sessions.end_all(JAN) == 4
    assert await sessions.end_all(JAN) == 0
    assert [await sessions.find(key) for key in jans] == [None] * 5
    assert await sessions.find(olivias) is not None


async def test_use_is_noted_once_a_minute(
    sessions: Sessions, js: JetStreamContext, clock: MovableClock
) -> None:
    key = await sessions.begin(JAN)
    written = await _revision(js)
    for _ in range(3):
        await sessions.find(key)
    assert await _revision(js) == written
    clock.advance(timedelta(seconds=61))
    await sessions.find(key)
    await sessions.find(key)
    assert await _revision(js) == written + 1


async def test_a_session_ends_when_it_is_not_used(sessions: Sessions, clock: MovableClock) -> None:
    key = await sessions.begin(JAN)
    clock.advance(IDLE - timedelta(seconds=1))
    assert await sessions.find(key) is not None
    clock.advance(IDLE)
    assert await sessions.find(key) is None


async def test_a_session_ends_in_any_case(sessions: Sessions, clock: MovableClock) -> None:
    key = await sessions.begin(JAN)
    for _ in range(36):
        clock.advance(timedelta(minutes=19))
        assert await sessions.find(key) is not None
    clock.advance(timedelta(minutes=36))
    assert await sessions.find(key) is None


async def test_a_session_in_use_that_is_ended_elsewhere_is_not_written_again(
    sessions: Sessions, js: JetStreamContext, clock: MovableClock
) -> None:
    """Requests note their use while the person signs out: none of them may bring the session back."""
    for _ in range(20):
        keys = [await sessions.begin(JAN) for _ in range(3)]
        clock.advance(timedelta(minutes=2))
        await asyncio.gather(*(sessions.find(key) for key in keys * 3), sessions.end_all(JAN))
        assert [await sessions.find(key) for key in keys] == [None] * 3


async def test_many_requests_at_once_all_see_the_session(sessions: Sessions, clock: MovableClock) -> None:
    key = await sessions.begin(JAN)
    clock.advance(timedelta(minutes=2))
    assert None not in await asyncio.gather(*(sessions.find(key) for _ in range(20)))


async def test_two_replicas_know_the_same_sessions(
    sessions: Sessions, js: JetStreamContext, clock: MovableClock
) -> None:
    other = Sessions(js, idle=IDLE, absolute=ABSOLUTE, clock=clock)
    key = await sessions.begin(JAN)
    assert await other.find(key) is not None
    await other.end(key)
    assert await sessions.find(key) is None


async def test_an_entry_that_cannot_be_understood_is_no_session(
    sessions: Sessions, js: JetStreamContext
) -> None:
    key = await sessions.begin(JAN)
    (entry,) = await bucket(js).keys()
    for value in (b"", b"{}", b'{"person": "' + OLIVIA.encode() + b'"}', b"\xff"):
        await bucket(js).put(entry, value)
        assert await sessions.find(key) is None


async def test_the_session_of_one_person_is_not_one_of_another(
    sessions: Sessions, js: JetStreamContext
) -> None:
    """Even where an entry was copied under another person's name."""
    key, _ = await sessions.begin(JAN), await sessions.begin(OLIVIA)
    secret = key.partition(".")[2]
    (entry,) = [entry for entry in await bucket(js).keys() if entry.startswith(JAN)]
    stored = await bucket(js).get(entry)
    assert stored.value is not None
    await bucket(js).put(entry.replace(JAN, OLIVIA), stored.value)
    assert await sessions.find(f"{OLIVIA}.{secret}") is None


async def test_an_attempt_is_used_once_over_all_replicas(js: JetStreamContext, clock: MovableClock) -> None:
    replicas = [Attempts(js, keys=[KEY]) for _ in range(10)]
    attempt = replicas[0].start("/", clock())
    outcomes = await asyncio.gather(*(each.use(attempt) for each in replicas), return_exceptions=True)
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, AttemptUnknown) for outcome in outcomes) == 9


async def test_a_used_attempt_leaves_the_bucket_by_itself(
    js: JetStreamContext, nats_client: Client, clock: MovableClock
) -> None:
    attempts = Attempts(js, keys=[KEY])
    await attempts.use(attempts.start("/", clock()))
    raw = await js.get_last_msg(f"KV_{SESSIONS}", f"$KV.{SESSIONS}.attempt.>")
    assert raw.headers is not None
    assert raw.headers["Nats-TTL"] == "1200"


async def test_starting_an_attempt_writes_nothing(js: JetStreamContext, clock: MovableClock) -> None:
    before = await _revision(js)
    Attempts(js, keys=[KEY]).start("/", clock())
    assert await _revision(js) == before


async def test_the_nonce_and_the_verifier_follow_from_our_key(
    js: JetStreamContext, clock: MovableClock
) -> None:
    ours, theirs = Attempts(js, keys=[KEY]), Attempts(js, keys=[KEY[::-1]])
    attempt = ours.start("/tickets", clock())
    found = ours.find(ours.to_cookie(attempt), attempt.state, clock())
    assert (found.nonce, found.code_verifier, found.return_to) == (
        attempt.nonce,
        attempt.code_verifier,
        "/tickets",
    )
    other = theirs.find(ours.to_cookie(attempt), attempt.state, clock())
    assert other.nonce != attempt.nonce
    assert other.code_verifier != attempt.code_verifier
    assert attempt.nonce != attempt.code_verifier
