"""Compares what is published now with everything ever committed: `python -m contracts.compatibility`.

Three promises, each checked against every version of every file under `published/` in the git history:

    forwards   what was written then, a reader of today understands, and knows every field of it
    backwards  what is written today, a reader of then understands
    presence   nothing that was published goes away

Requests keep the first and the last: services are upgraded before their callers. Events, answers and the
error reply keep all three, because both versions of a service answer while an upgrade is rolled out.

`jsoncompat` decides whether every document of one schema is one of another. To it, an open object may
hold anything under a name that is not known yet, so that adding any field would break. Here a writer
writes the fields of its schema only, and so a schema is closed where it stands for the writer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import jsoncompat

PUBLISHED: Final = Path(__file__).parent / "published"

Schema = dict[str, Any]

_MAPS: Final = ("properties", "$defs")
_LISTS: Final = ("anyOf", "oneOf")
_SINGLE: Final = ("items", "additionalProperties")

# jsoncompat passes over these. Whether one pattern allows what another did cannot be decided; so they stay.
_UNCOMPARED: Final = ("pattern", "format")


class NoHistory(Exception):
    """There is nothing to compare with: no git, no commit yet, or a shallow clone."""


class Version(NamedTuple):
    """A file as it was committed once. `content` is None where that commit removed it."""

    path: str
    commit: str
    content: bytes | None


def _git(folder: Path, *arguments: str) -> bytes:
    git = shutil.which("git")
    if git is None:
        raise NoHistory("git is not installed")
    done = subprocess.run([git, "-C", str(folder), *arguments], capture_output=True, check=False)
    if done.returncode != 0:
        raise NoHistory(done.stderr.decode(errors="replace").strip())
    return done.stdout


def versions(folder: Path) -> Iterator[Version]:
    """Every distinct version of every file under the folder that HEAD descends from, newest first.

    Raises:
        NoHistory: git cannot tell them all.
    """
    if _git(folder, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise NoHistory("the clone is shallow: fetch the whole history")
    if not _git(folder, "rev-list", "--max-count=1", "--all").strip():
        raise NoHistory("nothing was committed yet")
    # -m: a merge may bring a version of its own; --no-renames: a file that moved was removed here.
    log = _git(
        folder, "log", "-m", "--full-history", "--no-renames", "--raw", "--no-abbrev",
        "--relative", "--format=commit %H", "--", ".",
    )  # fmt: skip
    commit, seen = "", set()
    for line in filter(None, log.decode().splitlines()):
        if not line.startswith(":"):
            commit = line.removeprefix("commit ")
            continue
        change, path = line.split("\t")
        *_, blob, status = change.split()
        if (path, blob) not in seen:
            seen.add((path, blob))
            yield Version(path, commit, None if status == "D" else _git(folder, "cat-file", "blob", blob))


def problems(folder: Path = PUBLISHED) -> list[str]:
    """One line per promise that what is published in the folder does not keep.

    Raises:
        NoHistory: there is nothing to compare with.
    """
    found: dict[str, None] = {}  # in order, and each once: several old versions may say the same
    for version in versions(folder):
        file = folder / version.path
        if not file.is_file():
            found[f"{version.path}: was published and is gone"] = None
        elif version.content is not None and version.content != file.read_bytes():
            for problem in compare(version.path, json.loads(version.content), json.loads(file.read_bytes())):
                found[f"{version.path}: {problem} (compared with {version.commit[:12]})"] = None
    return list(found)


def compare(path: str, old: Schema, new: Schema) -> list[str]:
    """What stands against `new` being published under this path, where `old` was before."""
    if path == "subjects.json":
        return list(_lost_names(old, new))
    is_request = path.startswith("requests/")
    found = list(_changed_keywords(old, new, may_drop=is_request))
    for promise in (_FORWARDS,) if is_request else (_FORWARDS, _BACKWARDS):
        try:
            if not promise.holds(old, new):
                found.append(f"{_where(promise, old, new)}: {promise.broken}")
        except ValueError as error:  # a keyword that jsoncompat does not know
            found.append(f"cannot be compared: {error}")
    return found


class _Promise(NamedTuple):
    role: jsoncompat.RoleLiteral
    close_old: bool
    broken: str

    def holds(self, old: Schema, new: Schema) -> bool:
        before, after = _comparable(old, closed=self.close_old), _comparable(new, closed=True)
        return jsoncompat.check_compat(json.dumps(before), json.dumps(after), self.role)


# Forwards, today's reader stands closed as well: a field that it does not know any more is a broken promise.
_FORWARDS: Final = _Promise("deserializer", True, "what was written then is not understood wholly now")
_BACKWARDS: Final = _Promise("serializer", False, "what is written now is not understood by readers of then")


def _comparable(schema: Any, *, closed: bool) -> Any:
    """The schema as jsoncompat is to see it; closed: no field but those that are named."""
    if not isinstance(schema, dict):
        return schema
    # It takes an $id for a reference that it would have to fetch.
    seen = {key: value for key, value in schema.items() if key not in {"$id", "$schema"}}
    for key in _MAPS:
        if key in seen:
            seen[key] = {name: _comparable(value, closed=closed) for name, value in seen[key].items()}
    for key in _SINGLE:
        if key in seen:
            seen[key] = _comparable(seen[key], closed=closed)
    for key in _LISTS:
        # It cannot prove that variants exclude each other; ours do, by the constant in `type`.
        if key in seen:
            seen["anyOf"] = [_comparable(value, closed=closed) for value in seen.pop(key)]
    if closed and "properties" in seen:
        seen["additionalProperties"] = False
    return seen


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def _parts(old: Schema, new: Schema) -> Iterator[tuple[str, Schema, Schema]]:
    """The parts that two schemas have in common, one level down."""
    for name, before in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield name, before, new["properties"][name]
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        yield "[]", old["items"], new["items"]
    for key in _LISTS:
        for index, (before, after) in enumerate(zip(old.get(key, ()), new.get(key, ()), strict=False)):
            yield f"({index})", before, after


def _where(promise: _Promise, old: Schema, new: Schema) -> str:
    """The path of the innermost part that breaks the promise by itself."""
    path: list[str] = []
    before, after, seen = old, new, set[str]()
    while True:
        before, after = _resolved(before, old), _resolved(after, new)
        for name, one, other in _parts(before, after):
            reference = str(one.get("$ref"))
            inner = one | {"$defs": old.get("$defs", {})}, other | {"$defs": new.get("$defs", {})}
            if reference not in seen and not promise.holds(*inner):
                path.append(name)
                seen |= {reference} - {"None"}
                before, after = one, other
                break
        else:
            return ".".join(path) or "the document"


def _changed_keywords(
    old: Schema, new: Schema, *, may_drop: bool, path: str = "", roots: tuple[Schema, Schema] | None = None,
    seen: frozenset[tuple[str, str]] = frozenset(),
) -> Iterator[str]:  # fmt: skip
    roots = roots or (old, new)
    reference = (str(old.get("$ref")), str(new.get("$ref")))
    if reference != ("None", "None"):
        if reference in seen:
            return
        seen |= {reference}
    old, new = _resolved(old, roots[0]), _resolved(new, roots[1])
    for keyword in _UNCOMPARED:
        before, after = old.get(keyword), new.get(keyword)
        if before != after and not (may_drop and after is None):
            yield f"{path or 'the document'}: {keyword} was {before!r} and is {after!r}"
    for name, one, other in _parts(old, new):
        inner = f"{path}.{name}" if path else name
        yield from _changed_keywords(one, other, may_drop=may_drop, path=inner, roots=roots, seen=seen)


def _lost_names(old: Schema, new: Schema) -> Iterator[str]:
    for table in ("streams", "events", "requests"):
        for name, before in old.get(table, {}).items():
            after = new.get(table, {}).get(name)
            if after is None:
                yield f"{table}.{name} was published and is gone"
                continue
            for key in ("subjects", "schema", "request", "answer"):
                if before.get(key) != after.get(key):
                    yield f"{table}.{name}.{key} was {before.get(key)!r} and is {after.get(key)!r}"


def main() -> int:
    """The command; returns its exit code."""
    try:
        found = problems()
    except NoHistory as reason:
        # A check that silently checks nothing is worse than none, where it is the gate.
        gate = os.environ.get("CI") == "true"
        sys.stderr.write(f"{'nothing to compare with' if gate else 'skipped'}: {reason}\n")
        return 1 if gate else 0
    sys.stderr.writelines(f"{problem}\n" for problem in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
