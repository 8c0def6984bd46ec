"""The index of a stream in a backup: where each message stands, when it came, and what it hashes to.

    [1,"2026-11-24T10:21:02.321167Z","events.tickets.acme.7508906153","9f86d081…"]

One line for each message, compressed (gzip).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Final, NamedTuple, cast

from services.backup.archive import Archive, Member
from services.backup.errors import BackupRefused
from services.backup.manifest import StreamRecord, index_name
from services.backup.messages import Stored

_FIELDS: Final = 4
_PIECE_BYTES: Final = 64 << 10  # inflated, a thousand times as much at most
_SHORT_OF_A_SECOND: Final = timedelta(seconds=1)


class Line(NamedTuple):
    """A message as the index has it."""

    position: int
    at: str
    subject: str
    sha256: str


class IndexWriter:
    """Writes an index into a member of an archive."""

    def __init__(self, member: Member) -> None:
        self._out = gzip.GzipFile(fileobj=cast("IO[bytes]", member), mode="wb", compresslevel=6, mtime=0)
        self.messages = 0

    def add(self, message: Stored) -> None:
        """Raises OSError."""
        line = [message.position, message.at, message.subject, message.sha256]
        self._out.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        self.messages += 1

    def close(self) -> None:
        """Raises OSError."""
        self._out.close()


def lines(archive: Archive, stream: str) -> Iterator[Line]:
    """The lines of a stream's index. Raises BackupRefused: it is none, or out of order."""
    name = index_name(stream)
    before = 0
    for number, raw in enumerate(_raw_lines(archive, name), start=1):
        try:
            line = json.loads(raw)
        except ValueError:
            line = None
        if not _is_line(line):
            raise BackupRefused("backup_index_line", member=name, line=number)
        if line[0] <= before:
            raise BackupRefused(
                "backup_index_order", member=name, line=number, position=line[0], before=before
            )
        before = line[0]
        yield Line(*line)


def _is_line(line: object) -> bool:
    return (
        isinstance(line, list)
        and len(line) == _FIELDS
        and type(line[0]) is int
        and all(type(field) is str for field in line[1:])
    )


def _raw_lines(archive: Archive, name: str) -> Iterator[bytes]:
    inflate = zlib.decompressobj(wbits=31)  # gzip
    rest = b""
    try:
        for piece in archive.pieces(name, _PIECE_BYTES):
            *whole, rest = (rest + inflate.decompress(piece)).split(b"\n")
            yield from whole
    except zlib.error:
        raise BackupRefused("backup_not_gzip", member=name) from None
    if rest or not inflate.eof:
        raise BackupRefused("backup_not_gzip", member=name)


def check(record: StreamRecord, archive: Archive, *, forgets: bool) -> None:
    """That the index is that of the stream as the manifest describes it. Raises BackupRefused."""
    found, first, last = 0, 0, 0
    for line in lines(archive, record.name):
        found, first, last = found + 1, first or line.position, line.position
        if not forgets and line.position != record.first + found - 1:
            wanted = record.first + found - 1
            raise BackupRefused("backup_index_gap", member=index_name(record.name), position=wanted)
    counted = record.indexed if forgets else record.messages
    if found != counted or last > record.last or (not forgets and found and (first, last) != _ends(record)):
        raise BackupRefused(
            "backup_index_count",
            member=index_name(record.name),
            found=found,
            wanted=counted,
            last=last,
            wanted_last=record.last,
        )


def _ends(record: StreamRecord) -> tuple[int, int]:
    return record.first, record.last


class Comparison:
    """Compares what a stream holds, message by message, with the index; they come in order."""

    def __init__(
        self, stream: str, index: Iterable[Line], *, forgets: bool, max_age_ns: int, now: datetime
    ) -> None:
        self._stream = stream
        self._index = iter(index)
        self._forgets = forgets
        self._forgotten_before = now - timedelta(microseconds=max_age_ns / 1000) if max_age_ns else None
        self._next: Line | None = next(self._index, None)
        self.messages = 0

    def take(self, message: Stored) -> None:
        """The next message of the stream. Raises BackupRefused, which names the position."""
        self.messages += 1
        while self._next is not None and self._next.position < message.position:
            self._missing(self._next)
            self._next = next(self._index, None)
        if self._next is None or self._next.position > message.position:
            if self._forgets:  # gone from the log while the index was written; the snapshot has it
                return
            raise self._differs(message.position, "extra")
        line, self._next = self._next, next(self._index, None)
        for what, here, there in (
            ("subject", message.subject, line.subject),
            ("time", message.at, line.at),
            ("content", message.sha256, line.sha256),
        ):
            if here != there:
                raise self._differs(line.position, what)

    def end(self) -> None:
        """There are no more. Raises BackupRefused."""
        while self._next is not None:
            self._missing(self._next)
            self._next = next(self._index, None)

    def _missing(self, line: Line) -> None:
        if self._forgotten_before is None or _time(line.at) > self._forgotten_before + _SHORT_OF_A_SECOND:
            raise self._differs(line.position, "missing")

    def _differs(self, position: int, what: str) -> BackupRefused:
        return BackupRefused(f"restore_differs_{what}", stream=self._stream, position=position)


def _time(spelled: str) -> datetime:
    seconds, _, fraction = spelled.removesuffix("Z").partition(".")
    whole = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    return whole + timedelta(microseconds=int(fraction.ljust(6, "0")[:6] or 0))


def configured_age(config: dict[str, Any]) -> int:
    """Nanoseconds after which the stream forgets a message; 0: never."""
    return int(config.get("max_age") or 0)
