"""One file that holds several: a plain tar, which `tar tf` lists, written in one pass and never half.

It is written beside its place, under `<name>.partial`, and takes its name when it is whole and on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from services.backup.errors import BackupRefused
from services.backup.manifest import FileRecord

_BLOCK: Final = tarfile.BLOCKSIZE
_END: Final = bytes(2 * _BLOCK)
_READ_BYTES: Final = 1 << 20


class Member:
    """A file that is being written into the archive."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes) -> int:
        """Raises OSError: the disk is full."""
        self._file.write(content)
        self._sha.update(content)
        self.size += len(content)
        return len(content)

    def flush(self) -> None:
        """As gzip wants it of a file."""

    @property
    def record(self) -> FileRecord:
        return FileRecord(size=self.size, sha256=self._sha.hexdigest())


class ArchiveWriter:
    """An archive that is being written."""

    def __init__(self, file: BinaryIO, *, made_at: int) -> None:
        self._file = file
        self._made_at = made_at  # Unix second

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[Member]:
        """The next file of the archive, for the time of the block. Raises OSError."""
        begin = self._file.tell()
        self._file.write(bytes(_BLOCK))
        member = Member(self._file)
        yield member
        self._file.write(bytes(-member.size % _BLOCK))
        end = self._file.tell()
        header = tarfile.TarInfo(name)
        header.size, header.mode, header.mtime = member.size, 0o600, self._made_at
        self._file.seek(begin)
        self._file.write(header.tobuf(tarfile.GNU_FORMAT))
        self._file.seek(end)


@contextlib.contextmanager
def writing(path: Path, *, made_at: int) -> Iterator[ArchiveWriter]:
    """An archive that is there, whole and on disk, once the block has ended without an error.

    Raises FileExistsError (it is never overwritten), BackupRefused (somebody else is writing it), OSError.
    """
    partial = path.with_name(f"{path.name}.partial")
    with _locked(partial) as file:
        if path.exists():  # looked at under the lock: whoever holds it is the only one to make it
            partial.unlink()
            raise FileExistsError(path)
        try:
            file.truncate(0)  # one that was interrupted
            yield ArchiveWriter(file, made_at=made_at)
            file.write(_END)
            file.flush()
            os.fsync(file.fileno())
            partial.rename(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)  # its name, too
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(partial: Path) -> Iterator[BinaryIO]:
    """The file of that name, which nobody else writes. Raises BackupRefused, OSError."""
    while True:
        with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupRefused("backup_is_written", file=str(partial)) from None
            if _is_named(partial, file):
                yield file
                return
        # Another had it, and gave it its name, between our opening and our lock: begin again.


def _is_named(path: Path, file: BinaryIO) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    return False


class Archive:
    """An archive that is there. `names` are those of its files, in their order."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        """Raises BackupRefused: it is no archive, or ends too early."""
        self.path = path
        self._file = file
        self._members = dict(self._list())

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def record(self, name: str) -> FileRecord:
        """What the file really is. Reads all of it."""
        sha = hashlib.sha256()
        for piece in self.pieces(name, _READ_BYTES):
            sha.update(piece)
        return FileRecord(size=self._members[name][1], sha256=sha.hexdigest())

    def read(self, name: str) -> bytes:
        return b"".join(self.pieces(name, _READ_BYTES))

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """The file's content, in pieces of `size` bytes. Raises BackupRefused, OSError."""
        begin, left = self._members[name]
        while left:
            self._file.seek(begin)
            piece = self._file.read(min(size, left))
            if not piece:  # cut while it was read
                raise self._ends_early(name)
            yield piece
            begin += len(piece)
            left -= len(piece)

    def _list(self) -> Iterator[tuple[str, tuple[int, int]]]:
        whole = os.fstat(self._file.fileno()).st_size
        at, before, names = 0, "", set[str]()
        while True:
            self._file.seek(at)
            block = self._file.read(_BLOCK)
            if len(block) < _BLOCK:
                raise self._ends_early(before)
            if block == bytes(_BLOCK):
                if self._file.read() != bytes(_BLOCK):
                    raise BackupRefused("backup_goes_on", file=str(self.path))
                return
            try:
                header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
            except (tarfile.HeaderError, UnicodeDecodeError):
                code = "backup_damaged_after" if before else "backup_is_none"
                raise BackupRefused(code, file=str(self.path), member=before) from None
            if at + _BLOCK + header.size > whole:
                raise self._ends_early(header.name)
            if header.name in names:
                raise BackupRefused("backup_twice", file=str(self.path), member=header.name)
            names.add(header.name)
            before = header.name
            yield header.name, (at + _BLOCK, header.size)
            padding = -header.size % _BLOCK
            at += _BLOCK + header.size + padding
            self._file.seek(at - padding)
            if self._file.read(padding).strip(b"\0"):
                raise BackupRefused("backup_damaged_after", file=str(self.path), member=before)

    def _ends_early(self, member: str) -> BackupRefused:
        if not member:
            return BackupRefused("backup_is_none", file=str(self.path), member="")
        return BackupRefused("backup_truncated", file=str(self.path), member=member)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Archive]:
    """Raises BackupRefused, OSError."""
    with path.open("rb") as file:
        yield Archive(path, file)
