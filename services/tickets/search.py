"""Reading the picture: lists, words, identifiers, counts. Every list is in descending order of opening.

A ticket is found by words when each stands somewhere in it, in whichever of its texts. The index knows
texts, so the words' tickets are intersected here: each word in turn is asked for its next ticket at or
below the one wanted, until all agree (a leapfrog join; each step is one look into the index).
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from sqlite3 import Row
from typing import Any, Final, Protocol

from eventsourcing.sqlite import SQLiteCursor

from services.runtime.folding import fold_for_index, fold_identifier
from services.tickets.view import ALL_ACCOUNTS, REVISION_BITS, search_token

MAX_WORDS: Final = 12
MAX_STEPS: Final = 5000
"""Looks into the index for one page; a page that needs more ends early, and the next goes on from there."""

_TEXTS_AT_ONCE: Final = 64
_SMALL_ACCOUNT: Final = 2000  # tickets
_REVISIONS: Final = (1 << REVISION_BITS) - 1
_NEWEST: Final = (1 << 62) >> REVISION_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a ticket must be to stand in a list; None: anything."""

    account: str | None = None
    status: str | None = None
    topic: str | None = None
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
    """What is left of the looks that one page may take, and the ticket at which they ran out."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.ran_out_at: int | None = None


def split_words(text: str) -> tuple[str, ...]:
    """The words to search for, folded, each once; `rezerw*` asks for a beginning."""
    words = (
        word
        for word in fold_for_index(text).lower().split()
        if any(character.isalnum() for character in word)
    )
    return tuple(dict.fromkeys(words))


def page(cursor: SQLiteCursor, wanted: Filter, *, before: int | None, limit: int) -> Page:
    """The newest `limit` tickets that pass the filter and were opened before position `before`."""
    if wanted.words:
        return _page_by_words(cursor, wanted, before=before, limit=limit)
    conditions, values = _conditions(wanted)
    if before is not None:
        conditions.append("opened_position < ?")
        values.append(before)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    cursor.execute(
        f"SELECT * FROM tickets {where} ORDER BY opened_position DESC LIMIT ?",  # noqa: S608  # our own columns
        (*values, limit + 1),
    )
    rows = cursor.fetchall()
    more = len(rows) > limit
    return Page(rows[:limit], rows[limit - 1]["opened_position"] if more else None)


def _conditions(wanted: Filter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    for column in ("account", "status", "topic", "number"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if wanted.identifier is not None:
        kind = "" if wanted.identifier_kind is None else " AND kind = ?"
        conditions.append(
            f"opened_position IN (SELECT opened_position FROM identifiers WHERE value = ?{kind})"  # noqa: S608
        )
        values.append(fold_identifier(wanted.identifier))
        if wanted.identifier_kind is not None:
            values.append(wanted.identifier_kind)
    return conditions, values


def _page_by_words(cursor: SQLiteCursor, wanted: Filter, *, before: int | None, limit: int) -> Page:
    conditions, values = _conditions(wanted)
    statement = f"SELECT * FROM tickets WHERE {' AND '.join(['opened_position = ?', *conditions])}"  # noqa: S608
    steps = Steps(MAX_STEPS)
    words = [_word(cursor, word, wanted.account, steps) for word in wanted.words]
    rows: list[Row] = []
    newest = _NEWEST if before is None else min(_NEWEST, before - 1)
    for key in _in_all(words, newest, steps):
        cursor.execute(statement, (key, *values))
        row = cursor.fetchone()
        if row is not None:
            rows.append(row)
        if len(rows) > limit:
            return Page(rows[:limit], rows[limit - 1]["opened_position"])
    return Page(rows, None if steps.ran_out_at is None else steps.ran_out_at + 1)


class _Word(Protocol):
    def at_or_below(self, key: int) -> int | None:
        """The newest ticket with the word whose key is not above this one."""


class _Exact:
    """Asks the index for some dozens of texts at a time: where a word is frequent, one look serves many."""

    def __init__(self, cursor: SQLiteCursor, match: str, steps: Steps) -> None:
        self._cursor = cursor
        self._match = match
        self._steps = steps
        self._keys: list[int] = []  # descending; all that there are from the first down to the last
        self._next = 0

    def at_or_below(self, key: int) -> int | None:
        while self._next < len(self._keys):
            if self._keys[self._next] <= key:
                return self._keys[self._next]
            self._next += 1
        self._steps.left -= 1
        self._cursor.execute(
            "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid <= ? ORDER BY rowid DESC LIMIT ?",
            (self._match, key << REVISION_BITS | _REVISIONS, _TEXTS_AT_ONCE),
        )
        self._keys = [row["rowid"] >> REVISION_BITS for row in self._cursor.fetchall()]
        self._next = 0
        return self._keys[0] if self._keys else None


class _AllAtOnce:
    """All tickets of a word, for what the index cannot give from the newest on: see `_word`."""

    def __init__(self, cursor: SQLiteCursor, match: str) -> None:
        cursor.execute(
            f"SELECT DISTINCT rowid >> {REVISION_BITS} AS key FROM texts WHERE texts MATCH ? ORDER BY rowid",  # noqa: S608
            (match,),
        )
        self._keys = [row["key"] for row in cursor.fetchall()]

    def at_or_below(self, key: int) -> int | None:
        found = bisect.bisect_right(self._keys, key)
        return self._keys[found - 1] if found else None


def _word(cursor: SQLiteCursor, word: str, account: str | None, steps: Steps) -> _Word:
    """How to look for a word.

    A beginning can only be had all at once, and so is any word of an account with few tickets, which lie far
    apart in the index. In a large account the word alone is looked for, and the rows are left to decide.
    """
    beginning = word.endswith("*")
    quoted = '"' + word.rstrip("*").replace('"', '""') + '"' + ("*" if beginning else "")
    match = f"words : {quoted}"
    small = account is not None and sum(counts(cursor, account).values()) <= _SMALL_ACCOUNT
    if account is not None and (beginning or small):
        match = f'account : "{search_token(account)}" AND {match}'
    return _AllAtOnce(cursor, match) if beginning or small else _Exact(cursor, match, steps)


def _in_all(words: Sequence[_Word], newest: int, steps: Steps) -> Iterator[int]:
    """The tickets in which every word stands, newest first, as far as the steps go."""
    wanted, agreed, turn = newest, 0, 0
    while (found := words[turn].at_or_below(wanted)) is not None:
        agreed = agreed + 1 if found == wanted else 1
        wanted = found
        if agreed == len(words):
            yield wanted
            wanted, agreed = wanted - 1, 0
        turn = (turn + 1) % len(words)
        if steps.left <= 0:
            steps.ran_out_at = wanted
            return


def by_identifier(cursor: SQLiteCursor, value: str, account: str | None, limit: int) -> Sequence[Row]:
    """Tickets with an identifier of this value, with its `kind`, newest first."""
    of_account = "" if account is None else "AND account = ?"
    cursor.execute(
        f"SELECT tickets.*, identifiers.kind FROM identifiers JOIN tickets USING (opened_position) "  # noqa: S608
        f"WHERE value = ? {of_account} ORDER BY opened_position DESC LIMIT ?",
        (fold_identifier(value), *(() if account is None else (account,)), limit),
    )
    return list(cursor.fetchall())


def counts(cursor: SQLiteCursor, account: str | None) -> dict[str, int]:
    """How many tickets there are of each status; a status without a ticket may be missing."""
    cursor.execute("SELECT status, tickets FROM counts WHERE account = ?", (account or ALL_ACCOUNTS,))
    return {row["status"]: row["tickets"] for row in cursor.fetchall()}
