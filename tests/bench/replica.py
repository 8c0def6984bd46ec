"""Following, rebuilding and reading a replica of a large log."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from contracts import subjects
from contracts.access.requests import TERMINAL
from contracts.envelope import ActorKind, Via
from contracts.follow import Follower
from contracts.number import derive_number
from contracts.requests import SentActor
from contracts.tickets import requests
from services.guard.guard import Guard
from services.runtime.recorder import Aggregates
from services.runtime.replica import Replica
from services.tickets import domain, translate
from services.tickets.queries import Queries
from services.tickets.view import TicketsView
from tests.access_log import AccessLog, on_server
from tests.bench.system import append_batch, broker

EVENTS_PER_TICKET = 5
ACCOUNTS = 500
ASKER = SentActor(kind=ActorKind.SYSTEM, id=TERMINAL)
CLOSED_EVERY = 50
RARE_TOPIC_EVERY = 1000
CLOSED = requests.TicketStatus.CLOSED
BATCH = 1000
WORDS = [
    "rezerwacja", "wizyta", "błąd", "pacjent", "kalendarz", "integracja", "klinika", "dostępność", "termin",
    "grafik", "lekarz", "kod", "token", "usługa", "płatność", "faktura", "adres", "telefon", "umowa",
    "dokument", "system", "serwer", "odpowiedź", "żądanie", "Łódź", "opinia",
]  # fmt: skip


async def run(directory: Path, events: int) -> None:
    """Fill a log, then print what following it, rebuilding from it and reading the replica take."""
    async with broker(directory) as (_, nc):
        began = time.perf_counter()
        numbers = await fill(nc, events)
        print(f"a log of {events:,} events of {len(numbers):,} tickets, made in {_since(began):.0f} s")
        raw = await _ordered_consumer(nc, events)
        follow = await _follow(nc, events)
        replica, rebuild = await _rebuild(nc, directory, events)
        print(f"ordered consumer of nats-py, counting only  {raw:9,.0f} events/s")
        print(
            f"follow                                      {follow:9,.0f} events/s   ratio {follow / raw:.2f}"
        )
        print(f"rebuild of the replica, all tables          {rebuild:9,.0f} events/s   aim 30,000")
        guard = Guard(nc, user="bench", max_age_s=60)
        guarding = asyncio.create_task(guard.run())
        await guard.caught_up()
        await _reads(nc, replica, guard, numbers)
        guarding.cancel()
        await asyncio.gather(guarding, return_exceptions=True)
        replica.close()


async def fill(nc: Client, events: int, taken: set[str] | None = None) -> list[str]:
    """Append the events of tickets; returns their numbers. `taken` are those of tickets that are there."""
    taken = set() if taken is None else taken
    begin = len(taken)
    chance = random.Random(7 + begin)
    numbers: list[str] = []
    batch: list[tuple[str, bytes]] = []
    end = begin + events // EVENTS_PER_TICKET
    for ticket in range(begin, end):
        account = f"account-{chance.randrange(ACCOUNTS)}"
        number = next(
            n
            for attempt in range(9)
            if (n := derive_number(account, f"bench-{ticket}", attempt)) not in taken
        )
        taken.add(number)
        numbers.append(number)
        batch += _ticket(chance, account, number, ticket)
        if len(batch) >= BATCH or ticket == end - 1:
            await append_batch(nc, batch)
            batch = []
    return numbers


def _ticket(chance: random.Random, account: str, number: str, ticket: int) -> list[tuple[str, bytes]]:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=ticket)
    person = domain.Person(domain.Capacity.MEMBER, "jan")

    def text() -> str:
        return " ".join(chance.choices(WORDS, k=25)) + f" nr{ticket}"

    facts: list[domain.TicketFact] = [
        domain.Opened(
            command_id=domain.CommandId(f"bench-{ticket}"),
            at=at,
            number=domain.TicketNumber(number),
            account=domain.AccountId(account),
            opened_by=person,
            title="Rezerwacje nie docierają",
            message=text(),
            topic="bookings" if ticket % RARE_TOPIC_EVERY else "rare",
            identifiers=(domain.Identifier("merchant", f"M-{ticket}"),),
        )
    ]
    closing = ticket % CLOSED_EVERY == 0
    facts += [
        domain.Replied(
            command_id=domain.CommandId(f"r{turn}"),
            at=at,
            reply_id=domain.ReplyId(f"{ticket}-{turn}"),
            author=person,
            text=text(),
        )
        for turn in range(EVENTS_PER_TICKET - 1 - closing)
    ]
    if closing:
        facts.append(
            domain.Closed(
                command_id=domain.CommandId("close"),
                at=at,
                closed_by=person,
                reason=domain.CloseReason.SOLVED,
                note=text(),
            )
        )
    subject = subjects.ticket_events(account, number)
    return [
        (subject, translate.payload(_event(fact, account, number, revision)))
        for revision, fact in enumerate(facts, start=1)
    ]


def _event(fact: domain.TicketFact, account: str, number: str, revision: int) -> dict[str, object]:
    circumstances = translate.Circumstances(
        event_id=str(uuid.uuid4()), via=Via.PORTAL, correlation_id="bench", traceparent=None
    )
    return translate.event(
        fact, number=number, account=account, revision=revision, circumstances=circumstances
    )


async def _ordered_consumer(nc: Client, events: int) -> float:
    done = asyncio.Event()
    seen = 0

    async def count(_: Msg) -> None:
        nonlocal seen
        seen += 1
        if seen == events:
            done.set()

    began = time.perf_counter()
    subscription = await nc.jetstream().subscribe(
        subjects.TICKETS.subjects[0],
        stream=subjects.TICKETS.name,
        ordered_consumer=True,
        cb=count,
        config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL),
    )
    await done.wait()
    rate = events / _since(began)
    await subscription.unsubscribe()
    return rate


async def _follow(nc: Client, events: int) -> float:
    follower = Follower(nc, subjects.TICKETS.name, subjects.TICKETS.subjects[0], names=["bench-follow"])
    began = time.perf_counter()
    async for _ in follower.batches():
        if follower.position == events:
            break
    return events / _since(began)


async def _rebuild(nc: Client, directory: Path, events: int) -> tuple[Replica, float]:
    replica = Replica(nc, subjects.TICKETS, TicketsView(), directory / "replica", user="bench")
    began = time.perf_counter()
    following = asyncio.create_task(replica.run())
    waiting = asyncio.create_task(replica.wait_for(events, timeout_s=3600))
    done, _ = await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
    await done.pop()
    rate = events / _since(began)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    return replica, rate


async def _reads(nc: Client, replica: Replica, guard: Guard, numbers: list[str]) -> None:
    queries = Queries(replica, guard)
    tickets: Aggregates[domain.Ticket, domain.TicketFact] = Aggregates(
        replica.recorder, translate.read_fact, domain.evolve
    )
    chance = random.Random(11)
    print(f"\nreads at {len(numbers):,} tickets             median ms   p99 ms")

    async def load() -> None:
        tickets.load(chance.choice(numbers))

    await _timed("state of a ticket from the replica", load)

    def listing(**filters: Any) -> Callable[[], Awaitable[object]]:
        async def ask() -> object:
            return await queries.list(requests.ListTickets(actor=ASKER, **filters))

        return ask

    account = f"account-{chance.randrange(ACCOUNTS)}"
    await AccessLog(on_server(nc)).account(account)
    await _timed("list: all, 50 newest", listing())
    oldest = {"order": requests.TicketOrder.OLDEST_UNANSWERED}
    await _timed("list: who waits longest, all", listing(**oldest))
    await _timed("list: who waits longest, a rare topic", listing(**oldest, topic="rare"))
    await _timed("list: who waits longest, of an account", listing(**oldest, account=account))
    await _timed("list: unanswered, newest", listing(unanswered=True))
    await _timed("list: of an account, open", listing(account=account, status=requests.TicketStatus.OPEN))
    await _timed("list: a rare topic", listing(topic="rare"))
    await _timed("list: a rare topic, closed", listing(topic="rare", status=CLOSED))

    async def topics() -> None:
        await queries.topics(requests.ListTopics(actor=ASKER))

    await _timed("topics of all tickets, with counts", topics)
    await _timed("search: a word of most tickets", listing(words="rezerwacja"))
    await _timed("search: the same, closed", listing(words="rezerwacja", status=CLOSED))
    await _timed("search: the same, a rare topic", listing(words="rezerwacja", topic="rare"))
    await _timed(
        "search: the same, of an account, closed",
        listing(words="rezerwacja", account=account, status=CLOSED),
    )
    await _timed("search: three words of most tickets", listing(words="rezerwacja lodz platnosc"))
    await _timed("search: a word of one ticket", listing(words=f"nr{len(numbers) // 2}"))
    await _timed("search: a rare and a common word", listing(words=f"rezerwacja nr{len(numbers) // 2}"))
    await _timed(
        "search: three words in an account", listing(words="rezerwacja lodz platnosc", account=account)
    )
    await _timed("search: a word's beginning, in an account", listing(words="rezerw*", account=account))
    await _timed("search: a word's beginning, over all", listing(words="rezerw*"))
    await _timed("search: a letter, over all", listing(words="r*"))
    await _timed("search: two beginnings, closed", listing(words="rezerw* pla*", status=CLOSED))

    async def look_up() -> None:
        await queries.lookup(requests.LookUp(actor=ASKER, value=f"m-{chance.randrange(len(numbers))}"))

    await _timed("look-up of an identifier", look_up)


async def _timed(name: str, act: Callable[[], Awaitable[object]], times: int = 200) -> None:
    await act()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await act()
        taken.append(_since(began) * 1e3)
    taken.sort()
    print(f"{name:42s} {statistics.median(taken):9.2f} {taken[int(times * 0.99)]:8.2f}")


def _since(began: float) -> float:
    return time.perf_counter() - began
