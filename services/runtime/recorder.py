"""The `eventsourcing` library at the edge: where a replica keeps events, and how an aggregate is loaded.

The library numbers what it records by SQLite's rowid. Here the rowid of an event *is* its position in the
stream, so that "notification id", "tracking id" and position are one number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar, cast

from eventsourcing.application import AggregateNotFoundError, Repository
from eventsourcing.persistence import EventStore, JSONTranscoder, Mapper, StoredEvent, Tracking
from eventsourcing.sqlite import SQLiteCursor, SQLiteDatastore, SQLiteProcessRecorder

FactT = TypeVar("FactT")
StateT = TypeVar("StateT")

_ROWS_AT_ONCE: Final = 200


class Document(NamedTuple):
    """An event as it stands in the log: where, of what, the exact bytes, and what they parse to."""

    position: int
    subject: str
    revision: int
    type: str
    payload: bytes
    content: dict[str, Any]


def insert_rows(cursor: SQLiteCursor, into: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert rows of the same width, hundreds with each statement; `into` is `table (columns)`.

    `executemany` would take and give back Python's global lock for every row, and with an event loop busy in
    another thread each of these hand-overs can take milliseconds.
    """
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        marks = f"({', '.join('?' * len(some[0]))})"
        values = [value for row in some for value in row]
        cursor.execute(f"INSERT INTO {into} VALUES {', '.join([marks] * len(some))}", values)  # noqa: S608


class View(Protocol):
    """The local picture of a log: tables that are written in the same transaction as the events.

    `version` names the file: change it whenever `tables` or what `apply` writes changes, and every replica
    is built anew from the log.
    """

    version: str
    tables: Sequence[str]

    def apply(self, cursor: SQLiteCursor, documents: Sequence[Document]) -> None:
        """Take in events, in the order of the log."""


class PositionRecorder(SQLiteProcessRecorder):
    """Records events under their positions, with the view and the position reached, in one transaction."""

    def __init__(self, datastore: SQLiteDatastore, view: View, stream: str) -> None:
        self._view = view
        self._stream = stream
        super().__init__(datastore)

    def construct_create_table_statements(self) -> list[str]:
        return [*super().construct_create_table_statements(), *self._view.tables]

    def record(self, documents: Sequence[Document], *, position: int) -> None:
        """All of it or nothing: the events, what the view makes of them, the position now reached."""
        with self.datastore.get_connection(commit=True) as connection:
            # The log has the truth: a power cut may cost the replica, but a crash of ours never corrupts it.
            # Said each time, because each connection of the pool has its own.
            connection.cursor().execute("PRAGMA synchronous=NORMAL")
            with connection.transaction(commit=True) as cursor:
                insert_rows(
                    cursor,
                    "stored_events (rowid, originator_id, originator_version, topic, state)",
                    [(d.position, d.subject, d.revision, d.type, d.payload) for d in documents],
                )
                self._view.apply(cursor, documents)
                self._insert_tracking(cursor, Tracking(self._stream, position))

    def position(self) -> int:
        """The position of the last event recorded; 0 before the first."""
        return self.max_tracking_id(self._stream) or 0


@dataclass(frozen=True, slots=True)
class Recorded(Generic[FactT]):
    """A fact as the library hands it to a projector."""

    originator_id: str
    originator_version: int
    fact: FactT


class TagMapper(Mapper[str], Generic[FactT]):
    """Maps stored events by their CloudEvents type tag, never by a Python path.

    `read` knows every version of every tag and turns older ones into today's facts (upcasting).
    """

    def __init__(self, read: Callable[[str, bytes], FactT]) -> None:
        super().__init__(JSONTranscoder())
        self._read = read

    def to_domain_event(self, stored_event: StoredEvent) -> Recorded[FactT]:
        return Recorded(
            originator_id=str(stored_event.originator_id),
            originator_version=stored_event.originator_version,
            fact=self._read(stored_event.topic, stored_event.state),
        )


class Aggregates(Generic[StateT, FactT]):
    """Loads an aggregate's state from its recorded facts, as it stands or as it stood at a revision."""

    def __init__(
        self,
        recorder: PositionRecorder,
        read: Callable[[str, bytes], FactT],
        evolve: Callable[[StateT | None, FactT], StateT],
    ) -> None:
        self._evolve = evolve
        self._repository: Repository[str] = Repository(EventStore(TagMapper(read), recorder))

    def load(self, aggregate_id: str, *, revision: int | None = None) -> StateT | None:
        """None if there is no fact of it."""
        try:
            return cast(
                "StateT",
                self._repository.get(aggregate_id, version=revision, projector_func=self._project),
            )
        except AggregateNotFoundError:
            return None

    def _project(self, state: Any, recorded: Iterable[Any]) -> Any:
        for event in recorded:
            state = self._evolve(state, event.fact)
        return state
