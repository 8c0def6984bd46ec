"""A digest of everything that a replica file holds: two replicas of one log at one position have the same.

So a replica can be shown to be equal to one that was built anew, or on another machine, or from a backup.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

_NOT_PART_OF_IT: Final = frozenset({"made_from"})
"""Which stream the file was read from: a log that was restored elsewhere is the same log."""


def digest(path: Path) -> str:
    """SHA-256, in hexadecimal, of all rows of all tables and of every word of every full-text index.

    The file may be in use; what is read is one committed state of it. Rows are taken in the order of their
    keys, and the words of an index (`fts5vocab`, so that one without content counts too) by word, row,
    column and offset: nothing depends on how, or in how many steps, the file came to be.

    Raises:
        sqlite3.DatabaseError: it is no SQLite file, or a damaged one.
    """
    sha = hashlib.sha256()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for table, rows in _tables(connection):
            _add(sha, (table,))
            for row in rows:
                _add(sha, row)
    return sha.hexdigest()


def _tables(connection: sqlite3.Connection) -> Iterator[tuple[str, Iterable[Any]]]:
    listed = connection.execute(
        "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ).fetchall()
    for name, kind, without_rowid in listed:
        if kind == "virtual":
            yield name, _words(connection, name)
        elif name not in _NOT_PART_OF_IT:
            yield name, _rows(connection, name, without_rowid=bool(without_rowid))


def _rows(connection: sqlite3.Connection, table: str, *, without_rowid: bool) -> Iterable[Any]:
    if not without_rowid:
        return connection.execute(f'SELECT rowid, * FROM "{table}" ORDER BY rowid')  # noqa: S608  # our own tables
    key = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table,))
    order = ", ".join(f'"{column}"' for (column,) in key)
    return connection.execute(f'SELECT * FROM "{table}" ORDER BY {order}')  # noqa: S608


def _words(connection: sqlite3.Connection, index: str) -> Iterable[Any]:
    vocabulary = f'temp."words of {index}"'
    connection.execute(f"CREATE VIRTUAL TABLE {vocabulary} USING fts5vocab(main, '{index}', 'instance')")
    return connection.execute(
        f"SELECT term, doc, col, offset FROM {vocabulary} ORDER BY term, doc, col, offset"  # noqa: S608
    )


def _add(sha: Any, row: Iterable[object]) -> None:
    """Each value with its type and length, so that no two different rows are the same bytes."""
    for value in row:
        raw = value if isinstance(value, bytes) else str(value).encode()
        sha.update(f"{type(value).__name__} {len(raw)} ".encode())
        sha.update(raw)
    sha.update(b"\n")
