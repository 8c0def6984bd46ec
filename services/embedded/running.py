"""Finding the embedded system that runs: what `casetrail up` tells other commands about itself."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from services.embedded.lock import is_alive, is_held

DATA_VARIABLE: Final = "CASETRAIL_DATA"
DEFAULT_DATA: Final = Path(".casetrail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A system that is up. `operator` is the directory of the keys that credentials are issued with;
    `services` has the health address of each service (`http://host:port`)."""

    pid: int
    nats_url: str
    cli_creds_file: str
    operator: str
    services: dict[str, str]


def publish(data: Path, running: Running) -> None:
    """Tell others; they see the whole of it or nothing."""
    handle, temporary = tempfile.mkstemp(dir=data)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(running), file, indent=2)
    Path(temporary).rename(_path(data))


def withdraw(data: Path) -> None:
    """Take it back. May be repeated."""
    _path(data).unlink(missing_ok=True)


def find_running(start: Path | None = None) -> Running | None:
    """The system of the data directory that CASETRAIL_DATA names, else of the nearest `.casetrail`.

    Nearest: in `start` (the working directory by default), then in its parents. What a system that was
    killed has left behind is not believed.
    """
    for data in _candidates(start or Path.cwd()):
        if (running := _running(data)) is not None:
            return running
    return None


def is_nearest(data: Path) -> bool:
    """Whether the system of `data`, which is up, is the one that commands in the working directory find
    when CASETRAIL_DATA is not set."""
    for candidate in _nearest(Path.cwd()):
        if _running(candidate) is not None:
            return candidate.resolve() == data.resolve()
    return False


def _candidates(start: Path) -> Iterator[Path]:
    if named := os.environ.get(DATA_VARIABLE):
        yield Path(named)
    else:
        yield from _nearest(start)


def _nearest(start: Path) -> Iterator[Path]:
    yield from (directory / DEFAULT_DATA for directory in (start, *start.resolve().parents))


def _running(data: Path) -> Running | None:
    running = _read(data)
    return running if running is not None and is_alive(running.pid) and is_held(data) else None


def _read(data: Path) -> Running | None:
    try:
        return Running(**json.loads(_path(data).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # none, unreadable, or of another version
        return None


def _path(data: Path) -> Path:
    return data / "up.json"
