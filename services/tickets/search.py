"""Reading the picture: lists, words, identifiers, counts. Lists are in descending order of opening, but for
that of who waits longest.

Each filter, and each word, is asked for its newest ticket at or below the one wanted, until all agree (a
leapfrog join): what is rare makes the others jump, so that little is read that no page shows. A word is in
a ticket when it stands in any of its texts; the words of a question may stand in different ones.

What one page may take is bounded. A page that needs more ends early, with fewer tickets or none, and says
where the next one goes on.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from sqlite3 import Row
from typing import Any, Final, Protocol

from eventsourcing.sqlite import SQLiteCursor

from services.runtime.folding import fold_for_index, fold_identifier
from services.tickets.view import ALL_ACCOUNTS, ALL_TOPICS, COUNTED, REVISION_BITS

MAX_WORDS: Final = 12
MAX_STEPS: Final = 500
"""What one page may take, in units of about 20 microseconds."""

_WORD_STEPS: Final = 4
_MATERIALISING_STEPS: Final = 300
_KEYS_AT_ONCE: Final = 64
_TEXTS_AT_ONCE: Final = 10_000
_MAX_ENDINGS: Final = 64

_NARROWEST, _FIRST, _WIDEST = 16, 128, 4096
"""Windows, in positions of the log: where others make a word jump, a narrow one will do."""

_REVISIONS: Final = (1 << REVISION_BITS) - 1
_MARKS: Final = re.compile(r"[\u0300-\u036f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a ticket must be to stand in a list; None: anything."""

    account: str | None = None
    status: str | None = None
    topic: str | None = None
    unanswered: bool = False
    number: str | None = None
    identifier: str | None = None
    identifier_kind: str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of `tickets`, and where the next page begins; None: there is none."""

    rows: Sequence[Row]
    next_before: int | None


class Steps:
    """What is left of the steps that one page may take, and the ticket at which they ran out."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.ran_out_at: int | None = None


def split_words(text: str) -> tuple[str, ...]:
    """The words to search for, folded, each once; `rezerw*` asks for a beginning."""
    words = (word for word in fold_for_index(text).split() if any(map(str.isalnum, word)))
    return tuple(dict.fromkeys(words))


def page(cursor: SQLiteCursor, wanted: Filter, *, before: int | None, limit: int) -> Page:
    """The newest tickets that pass the filter and were opened before position `before`: `limit` or fewer.

    Only a page without `next_before` is the last; any other may be short, even empty.
    """
    cursor.execute("SELECT max(opened_position) FROM tickets")
    newest = cursor.fetchone()[0]
    if newest is None:
        return Page((), None)
    if before is not None:
        newest = min(newest, before - 1)
    steps = Steps(MAX_STEPS)
    keys = list(islice(_in_all(_sources(cursor, wanted, steps), newest, steps), limit + 1))
    rows = _rows(cursor, keys[:limit])
    if len(keys) > limit:
        return Page(rows, keys[limit - 1])
    return Page(rows, None if steps.ran_out_at is None else steps.ran_out_at + 1)


def longest_unanswered(
    cursor: SQLiteCursor, *, account: str | None, topic: str | None, after: int | None, limit: int
) -> tuple[Sequence[Row], int | None]:
    """The open tickets that wait for an answer since after position `after`, who waits longest first.

    The second is what the next page comes after; None: there is none.
    """
    # An account has few that wait; a topic may have most of all. The plus keeps SQLite from its index.
    given = {"account": account, "topic" if account is None else "+topic": topic}
    equal = {column: value for column, value in given.items() if value is not None}
    conditions = " AND ".join([*(f"{column} = ?" for column in equal), "unanswered_position > ?"])
    cursor.execute(
        f"SELECT * FROM tickets WHERE {conditions} ORDER BY unanswered_position LIMIT ?",  # noqa: S608
        (*equal.values(), after or 0, limit + 1),
    )
    rows = list(cursor.fetchall())
    return rows[:limit], rows[limit - 1]["unanswered_position"] if len(rows) > limit else None


def _rows(cursor: SQLiteCursor, keys: Sequence[int]) -> Sequence[Row]:
    cursor.execute(
        f"SELECT * FROM tickets WHERE opened_position IN ({', '.join('?' * len(keys))}) "  # noqa: S608
        "ORDER BY opened_position DESC",
        keys,
    )
    return list(cursor.fetchall())


class _Source(Protocol):
    def at_or_below(self, key: int) -> int | None:
        """The newest of its tickets whose key is not above this one. Keys asked for never rise."""


def _in_all(sources: Sequence[_Source], newest: int, steps: Steps) -> Iterator[int]:
    """The tickets of which every source has each, newest first, as far as the steps go."""
    wanted = newest
    while steps.left > 0:  # each round gets on by one ticket at least, so the pages come to an end
        for source in sources:
            found = source.at_or_below(wanted)
            if found is None:
                return
            if found < wanted:
                wanted = found
                break  # the cheapest come first, and are asked first how far that takes them
        else:
            yield wanted
            wanted -= 1
    steps.ran_out_at = wanted


def _sources(cursor: SQLiteCursor, wanted: Filter, steps: Steps) -> list[_Source]:
    of_account = {} if wanted.account is None else {"account": wanted.account}
    narrowing = {"topic": wanted.topic, "status": wanted.status}
    filters = [{**of_account, name: value} for name, value in narrowing.items() if value is not None]
    if wanted.number is not None:
        filters.append({"number": wanted.number})
    sources: list[_Source] = [_tickets(cursor, each, steps) for each in filters]
    if wanted.unanswered:
        sources.append(_Listed(cursor, _keys_of("tickets", {}, "unanswered_position > 0"), steps))
    if wanted.account is not None and wanted.topic is None and wanted.status is None:
        sources.append(_tickets(cursor, of_account, steps))
    if wanted.identifier is not None:
        value = {"value": fold_identifier(wanted.identifier)}
        kind = {} if wanted.identifier_kind is None else {"kind": wanted.identifier_kind}
        sources.append(_Listed(cursor, _keys_of("identifiers", {**value, **kind}), steps))
    words = [_word(cursor, word, steps) for word in wanted.words]
    return [*sources, *words] or [_tickets(cursor, {}, steps)]


@dataclass(frozen=True, slots=True)
class _Statement:
    """Gives keys in descending order, to be executed with `values`, the highest key and how many."""

    sql: str
    values: tuple[Any, ...]
    at_once: int
    steps: int


def _keys_of(table: str, equal: dict[str, str], *more: str) -> _Statement:
    conditions = " AND ".join([*(f"{column} = ?" for column in equal), *more, "opened_position <= ?"])
    return _Statement(
        f"SELECT opened_position FROM {table} WHERE {conditions} ORDER BY opened_position DESC LIMIT ?",  # noqa: S608
        tuple(equal.values()),
        _KEYS_AT_ONCE,
        1,
    )


def _tickets(cursor: SQLiteCursor, equal: dict[str, str], steps: Steps) -> _Listed:
    return _Listed(cursor, _keys_of("tickets", equal), steps)


class _Listed:
    """What an index gives from the newest on, some dozens at a time."""

    def __init__(self, cursor: SQLiteCursor, statement: _Statement, steps: Steps) -> None:
        self._cursor = cursor
        self._statement = statement
        self._steps = steps
        self._keys: list[int] = []  # descending; all that there are from the first down to the last
        self._next = 0
        self._more = True

    def at_or_below(self, key: int) -> int | None:
        while self._next < len(self._keys):
            if self._keys[self._next] <= key:
                return self._keys[self._next]
            self._next += 1
        if not self._more:
            return None
        statement = self._statement
        if self._keys:  # what every page has to begin with leaves it all its steps
            self._steps.left -= statement.steps
        self._cursor.execute(statement.sql, (*statement.values, key, statement.at_once))
        self._keys = [row[0] for row in self._cursor.fetchall()]
        self._next = 0
        self._more = len(self._keys) == statement.at_once
        return self._keys[0] if self._keys else None


class _Matching:
    """The tickets of what the index of words finds at once, read in windows.

    Going down from the newest, FTS5 walks over all that it skips, but upwards it jumps. So a window of
    positions is read upwards, and only where it is empty is the index asked what comes next below.
    """

    def __init__(self, cursor: SQLiteCursor, match: str, steps: Steps, cost: int) -> None:
        self._cursor = cursor
        self._match = match
        self._steps = steps
        self._cost = cost
        self._window = _FIRST
        self._keys: list[int] = []  # descending; all that there are from the first down to `_floor`
        self._next = 0
        self._floor: int | None = None

    def at_or_below(self, key: int) -> int | None:
        while self._next < len(self._keys):
            if self._keys[self._next] <= key:
                return self._keys[self._next]
            self._next += 1
        if self._floor is not None:
            if self._floor <= key:
                key = self._floor - 1
                self._window = min(self._window * 2, _WIDEST)
            else:
                self._window = max(self._window // 2, _NARROWEST)
        self._next = 0
        self._floor = key - self._window + 1
        self._keys = self._between(self._floor, key) or self._below(self._floor)
        if not self._keys:
            self._floor = 0
            return None
        self._floor = min(self._floor, self._keys[-1])
        return self._keys[0]

    def _between(self, low: int, high: int) -> list[int]:
        self._steps.left -= self._cost
        self._cursor.execute(
            "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid BETWEEN ? AND ?",
            (self._match, low << REVISION_BITS, high << REVISION_BITS | _REVISIONS),
        )
        return [row[0] >> REVISION_BITS for row in reversed(self._cursor.fetchall())]

    def _below(self, key: int) -> list[int]:
        self._steps.left -= 2 * self._cost
        self._cursor.execute(
            "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT 1",
            (self._match, key << REVISION_BITS),
        )
        return [row[0] >> REVISION_BITS for row in self._cursor.fetchall()]


def _word(cursor: SQLiteCursor, word: str, steps: Steps) -> _Source:
    """How to look for a word.

    Of a beginning, the index gives the tickets in order only when it has two letters: those are indexed too.
    Any other is looked for as one of the words that begin so; when these are too many, all its texts are
    gathered by the index, as often as a page asks it.
    """
    if not word.endswith("*"):
        return _Matching(cursor, f"words : {_quoted(word)}", steps, _WORD_STEPS)
    beginning = word.rstrip("*")
    endings = _endings(cursor, beginning)
    if endings is None:
        match = f"words : {_quoted(beginning)}*"
        statement = _Statement(
            f"SELECT rowid >> {REVISION_BITS} FROM texts WHERE texts MATCH ? "  # noqa: S608
            f"AND rowid <= (? << {REVISION_BITS} | {_REVISIONS}) ORDER BY rowid DESC LIMIT ?",
            (match,),
            _TEXTS_AT_ONCE,
            _MATERIALISING_STEPS,
        )
        return _Listed(cursor, statement, steps)
    match = f"words : ({' OR '.join(endings or [_quoted(beginning)])})"
    return _Matching(cursor, match, steps, _WORD_STEPS + len(endings))


def _endings(cursor: SQLiteCursor, beginning: str) -> list[str] | None:
    """What to ask the index for instead of the beginning; None: it is no plain word, or there is too much."""
    # As FTS5 itself would fold it: so it does all Latin letters whose base is ASCII.
    plain = _MARKS.sub("", unicodedata.normalize("NFD", beginning))
    if not (plain.isascii() and plain.isalnum()):
        return None
    if len(plain) == 2:
        return [f"{_quoted(plain)}*"]
    # For this transaction only, which leaves no table behind.
    cursor.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab (main, texts, instance)"
    )
    endings: list[str] = []
    start = plain
    while True:
        cursor.execute("SELECT term FROM temp.vocabulary WHERE term >= ? LIMIT 1", (start,))
        row = cursor.fetchone()
        if row is None or not row[0].startswith(plain):
            return endings
        if len(endings) == _MAX_ENDINGS:
            return None
        term = row[0]
        if len(plain) == 1 and len(term) > 1:
            endings.append(f"{_quoted(term[:2])}*")
            start = term[:2] + "\U0010ffff"
        else:
            endings.append(_quoted(term))
            start = term + "\x01"  # the next: none has a character below


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def by_identifier(
    cursor: SQLiteCursor, values: Sequence[str], account: str | None, limit: int
) -> Sequence[Row]:
    """Tickets with an identifier of one of these values, with its `kind`, newest first."""
    of_account = "" if account is None else "AND account = ?"
    found: dict[tuple[int, str], Row] = {}
    for value in values:  # one by one, each in the order of the index, which stops at the limit
        cursor.execute(
            f"SELECT tickets.*, identifiers.kind FROM identifiers JOIN tickets USING (opened_position) "  # noqa: S608
            f"WHERE value = ? {of_account} ORDER BY opened_position DESC LIMIT ?",
            (fold_identifier(value), *(() if account is None else (account,)), limit),
        )
        found |= {(row["opened_position"], row["kind"]): row for row in cursor.fetchall()}
    newest = sorted(found.values(), key=lambda row: int(row["opened_position"]), reverse=True)
    return newest[:limit]


def counts(cursor: SQLiteCursor, account: str | None) -> dict[str, int]:
    """How many tickets there are of each status, and unanswered; what no ticket has may be missing."""
    cursor.execute(
        "SELECT status, tickets FROM counts WHERE account = ? AND topic = ?",
        (account or ALL_ACCOUNTS, ALL_TOPICS),
    )
    return {row["status"]: row["tickets"] for row in cursor.fetchall()}


def topics(cursor: SQLiteCursor, account: str | None, limit: int) -> Sequence[Row]:
    """The topics with most open tickets, and their `open`, `closed` and `unanswered`."""
    counted = ", ".join(f"sum(iif(status = '{each}', tickets, 0)) AS {each}" for each in COUNTED)
    cursor.execute(
        f"SELECT topic, {counted} FROM counts WHERE account = ? AND topic != ? "  # noqa: S608
        "GROUP BY topic ORDER BY open DESC, topic LIMIT ?",
        (account or ALL_ACCOUNTS, ALL_TOPICS, limit),
    )
    return list(cursor.fetchall())
