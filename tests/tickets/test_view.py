"""The view of a replica against the events themselves: whatever happens, both tell the same."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from eventsourcing.sqlite import SQLiteDatastore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from contracts.envelope import Via
from contracts.number import derive_number
from contracts.tickets import requests
from services.runtime.digest import digest
from services.runtime.folding import fold
from services.runtime.ids import uuid7
from services.runtime.recorder import Document, PositionRecorder
from services.tickets import domain, queries, search, translate
from services.tickets.view import COUNTED, TicketsView
from tests.tickets.scenarios import closed, minute, opened, reopened, replied
from tests.tickets.test_translate import facts

ACCOUNTS = ("acme", "acme-clinic", "globex")
NUMBERS = tuple(derive_number("x", str(n)) for n in range(12))

steps = st.lists(st.tuples(st.sampled_from(NUMBERS), facts), min_size=1, max_size=25)


def made_to_follow(
    moves: list[tuple[str, domain.TicketFact]],
) -> Iterator[tuple[str, str, domain.TicketFact]]:
    """The facts as a valid log: each ticket is opened first, and closed and reopened in turn."""
    tickets: dict[str, domain.Ticket] = {}
    for at, (number, fact) in enumerate(moves):
        ticket = tickets.get(number)
        account = domain.AccountId(ACCOUNTS[NUMBERS.index(number) % len(ACCOUNTS)])
        wanted = replace(fact, at=minute(at), command_id=domain.CommandId(f"c{at}"))
        match wanted:
            case domain.Opened():
                wanted = replace(wanted, number=domain.TicketNumber(number), account=account)
                fits = ticket is None
            case domain.Replied() | domain.Closed():
                fits = ticket is not None and ticket.status is domain.Status.OPEN
            case domain.Reopened():
                fits = ticket is not None and ticket.status is domain.Status.CLOSED
        if fits:
            tickets[number] = domain.evolve(ticket, wanted)
            yield number, account, wanted


def documents_of(moves: list[tuple[str, domain.TicketFact]]) -> list[Document]:
    """As a replica reads them; positions have gaps, as with messages that are no events."""
    revisions: dict[str, int] = {}
    documents = []
    for index, (number, account, fact) in enumerate(made_to_follow(moves), start=1):
        revisions[number] = revisions.get(number, 0) + 1
        circumstances = translate.Circumstances(
            event_id=uuid7(), via=Via.API, correlation_id="c", traceparent=None
        )
        event = translate.event(
            fact, number=number, account=account, revision=revisions[number], circumstances=circumstances
        )
        raw = translate.payload(event)
        documents.append(Document(3 * index, number, revisions[number], event["type"], raw, from_json(raw)))
    return documents


@contextlib.contextmanager
def recorded(documents: list[Document], sizes: list[int]) -> Iterator[tuple[SQLiteDatastore, Path]]:
    """A replica's file with these events, written in transactions of these sizes, over and over."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "replica.sqlite"
        datastore = SQLiteDatastore(str(path), originator_id_type="text")
        recorder = PositionRecorder(datastore, TicketsView(), "TICKETS")
        recorder.create_table()
        start, turn = 0, 0
        while start < len(documents):
            some = documents[start : start + sizes[turn % len(sizes)]]
            recorder.record(some, position=some[-1].position)
            start, turn = start + len(some), turn + 1
        yield datastore, path
        datastore.close()


def pictured(documents: list[Document], number: str) -> requests.Ticket:
    return translate.ticket(
        [translate.recorded(each.position, each.payload) for each in documents if each.subject == number]
    )


unhurried = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
sizes = st.lists(st.integers(1, 30), min_size=1, max_size=4)


@given(steps, sizes)
@unhurried
def test_a_row_tells_what_the_events_tell(
    moves: list[tuple[str, domain.TicketFact]], sizes: list[int]
) -> None:
    documents = documents_of(moves)
    with recorded(documents, sizes) as (datastore, _), datastore.transaction(commit=False) as cursor:
        shown = search.page(cursor, search.Filter(), before=None, limit=100).rows
        opened = {each.subject for each in documents}
        assert {row["number"] for row in shown} == opened
        for row in shown:
            ticket = pictured(documents, row["number"])
            summary = queries._summary(row)
            assert summary.model_dump() == {
                name: value
                for name, value in ticket.model_dump().items()
                if name in type(summary).model_fields
            }
            for identifier in ticket.identifiers:
                found = search.by_identifier(cursor, [identifier.value], ticket.account, 100)
                assert ticket.number in [match["number"] for match in found]
        for account in (None, *ACCOUNTS):
            tickets = [pictured(documents, number) for number in opened]
            expected = {
                status: sum(t.status == status and account in (None, t.account) for t in tickets)
                for status in ("open", "closed")
            } | {
                "unanswered": sum(
                    t.unanswered_since is not None and account in (None, t.account) for t in tickets
                )
            }
            counted = search.counts(cursor, account)
            assert {status: counted.get(status, 0) for status in expected} == expected
            of_topics: dict[str, Counter[str]] = {}
            for ticket in (each for each in tickets if account in (None, each.account)):
                of_topic = of_topics.setdefault(ticket.topic, Counter())
                of_topic[ticket.status.value] += 1
                of_topic["unanswered"] += ticket.unanswered_since is not None
            assert {
                row["topic"]: {status: row[status] for status in COUNTED}
                for row in search.topics(cursor, account, 100)
            } == {topic: {status: each[status] for status in COUNTED} for topic, each in of_topics.items()}


def texts_of(content: dict[str, Any]) -> list[str]:
    return [
        text
        for text in (
            content.get("title"), content.get("message"), content.get("text"), content.get("note"),
            content.get("reason"),
            *(value for answer in content.get("answers", ()) for value in answer["values"]),
            *(identifier["value"] for identifier in content.get("identifiers", ())),
            *(attachment["name"] for attachment in content.get("attachments", ())),
        )
        if text
    ]  # fmt: skip


@given(steps, sizes)
@unhurried
def test_every_word_of_every_text_finds_its_ticket_and_all_of_them_together_do(
    moves: list[tuple[str, domain.TicketFact]], sizes: list[int]
) -> None:
    documents = documents_of(moves)
    with recorded(documents, sizes) as (datastore, _), datastore.transaction(commit=False) as cursor:
        for each in documents:
            account = each.content["account"]
            said = " ".join(texts_of(each.content["data"]["content"]))
            words = search.split_words(said)[: search.MAX_WORDS]
            beginnings = tuple(f"{word[:3]}*" for word in words if word[:3].isalnum())
            for asked in (words, *((word,) for word in words), beginnings):
                if not asked:
                    continue
                wanted = search.Filter(account=account, words=asked)
                found = search.page(cursor, wanted, before=None, limit=100).rows
                assert each.subject in [row["number"] for row in found], (asked, said)
                assert {row["account"] for row in found} == {account}


TOPICS = ("bookings", "payments")
WORDS = ("rezerwacja", "rezerwacje", "rezygnacja", "Gość", "ość", "r", "rano", "Łódź", "12", "w")

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
openings: st.SearchStrategy[domain.TicketFact] = st.builds(
    lambda text, topic, identifiers: replace(
        opened(), title="x", message=text, topic=topic, identifiers=identifiers,
        questionnaire=None, answers=(), follows=None,
    ),
    texts,
    st.sampled_from(TOPICS),
    st.lists(
        st.builds(domain.Identifier, st.sampled_from(["merchant", "reference"]), st.sampled_from("ab")),
        max_size=2,
    ).map(tuple),
)  # fmt: skip
later: st.SearchStrategy[domain.TicketFact] = st.one_of(
    texts.map(lambda text: replied(text=text)),
    texts.map(lambda text: replace(closed(), note=text)),
    texts.map(lambda text: replace(reopened(), reason=text)),
)
logs = st.builds(
    lambda first, second, before, after: [
        *zip(NUMBERS[:6], first, strict=True), *before, *zip(NUMBERS[6:], second, strict=True), *after
    ],
    st.tuples(*[openings] * 6),
    st.tuples(*[openings] * 6),
    st.lists(st.tuples(st.sampled_from(NUMBERS[:6]), later), max_size=20),
    st.lists(st.tuples(st.sampled_from(NUMBERS), later), max_size=20),
)  # fmt: skip
questions = st.lists(
    st.sampled_from([*WORDS, "rez*", "re*", "r*", "rezerwacj*", "goś*", "o*", "ł*", "łó*", "1*", "nic*"]),
    max_size=3,
).map(lambda words: search.split_words(" ".join(words)))
filters = st.builds(search.Filter, words=questions) | st.builds(
    search.Filter,
    account=st.none() | st.sampled_from(ACCOUNTS),
    status=st.sampled_from([None, "open", "closed"]),
    topic=st.none() | st.sampled_from(TOPICS),
    unanswered=st.booleans(),
    number=st.none() | st.none() | st.sampled_from(NUMBERS),
    identifier=st.sampled_from([None, None, "a", "B"]),
    identifier_kind=st.sampled_from([None, "merchant"]),
    words=questions,
)
narrow: dict[str, Any] = {
    "_KEYS_AT_ONCE": 2, "_TEXTS_AT_ONCE": 2, "_MAX_ENDINGS": 2, "_NARROWEST": 1, "_FIRST": 3, "_WIDEST": 6,
}  # fmt: skip


def passes(wanted: search.Filter, ticket: requests.Ticket, said: set[str]) -> bool:
    """What a filter means, said once more."""
    return (
        all(
            getattr(wanted, name) in (None, getattr(ticket, name))
            for name in ("account", "status", "topic", "number")
        )
        and not (wanted.unanswered and ticket.unanswered_since is None)
        and (
            wanted.identifier is None
            or any(
                identifier.value == fold(wanted.identifier)
                and wanted.identifier_kind in (None, identifier.kind)
                for identifier in ticket.identifiers
            )
        )
        and all(
            any(one.startswith(fold(word[:-1])) if word.endswith("*") else one == fold(word) for one in said)
            for word in wanted.words
        )
    )


@given(
    logs,
    st.lists(filters, min_size=4, max_size=12),
    st.sampled_from([1, 30, 500]),
    st.sampled_from([1, 3, 100]),
    st.sampled_from([{}, narrow]),
)
@settings(unhurried, max_examples=150)
def test_the_pages_of_any_filter_are_together_what_looking_at_every_ticket_finds(
    moves: list[tuple[str, domain.TicketFact]],
    asked: list[search.Filter],
    steps: int,
    limit: int,
    bounds: dict[str, Any],
) -> None:
    documents = documents_of(moves)
    said: dict[str, set[str]] = {}
    for each in documents:
        texts = texts_of(each.content["data"]["content"])
        said.setdefault(each.subject, set()).update(fold(word) for text in texts for word in text.split())
    tickets = [pictured(documents, number) for number in reversed(said)]
    with (
        recorded(documents, [7]) as (datastore, _),
        datastore.transaction(commit=False) as cursor,
        mock.patch.multiple(search, **{"MAX_STEPS": steps, **bounds}),
    ):
        for wanted in asked:
            found: list[str] = []
            before: int | None = None
            while True:
                page = search.page(cursor, wanted, before=before, limit=limit)
                assert len(page.rows) <= limit
                found += [row["number"] for row in page.rows]
                if page.next_before is None:
                    break
                assert before is None or page.next_before < before
                before = page.next_before
            assert found == [
                ticket.number for ticket in tickets if passes(wanted, ticket, said[ticket.number])
            ]


@given(logs, st.none() | st.sampled_from(ACCOUNTS), st.none() | st.sampled_from(TOPICS), st.integers(1, 5))
@unhurried
def test_who_waits_longest_comes_first_on_pages_that_together_have_all(
    moves: list[tuple[str, domain.TicketFact]], account: str | None, topic: str | None, limit: int
) -> None:
    documents = documents_of(moves)
    waiting = [
        (ticket.unanswered_since, ticket.number)
        for number in {each.subject for each in documents}
        if (ticket := pictured(documents, number)).unanswered_since is not None
        and account in (None, ticket.account)
        and topic in (None, ticket.topic)
    ]
    with recorded(documents, [7]) as (datastore, _), datastore.transaction(commit=False) as cursor:
        found: list[str] = []
        after: int | None = None
        while True:
            rows, after = search.longest_unanswered(
                cursor, account=account, topic=topic, after=after, limit=limit
            )
            assert len(rows) <= limit
            found += [row["number"] for row in rows]
            if after is None:
                break
    assert found == [number for _, number in sorted(waiting)]


@pytest.mark.parametrize("first", range(1, 8))
def test_no_ticket_is_left_out_where_one_window_ends_and_the_next_begins(first: int) -> None:
    opening = replace(opened(), message="rano", questionnaire=None, answers=(), follows=None)
    documents = documents_of([(number, opening) for number in NUMBERS])
    with (
        recorded(documents, [7]) as (datastore, _),
        datastore.transaction(commit=False) as cursor,
        mock.patch.multiple(search, **{**narrow, "_FIRST": first}),
    ):
        page = search.page(cursor, search.Filter(words=("rano",)), before=None, limit=100)
    assert [row["number"] for row in page.rows] == list(reversed(NUMBERS))


@given(steps, sizes, sizes)
@unhurried
def test_the_file_is_the_same_in_however_many_steps_it_was_written(
    moves: list[tuple[str, domain.TicketFact]], one: list[int], other: list[int]
) -> None:
    documents = documents_of(moves)
    with recorded(documents, one) as (_, first), recorded(documents, other) as (_, second):
        assert digest(first) == digest(second)
