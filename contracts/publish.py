"""Writes out what is published of the contracts: `python -m contracts.publish`.

    published/events/<type tag>.json          what stands in the log
    published/requests/<service>.<name>.json  what a caller sends
    published/answers/<service>.<name>.json   what a service answers
    published/error-reply.json                what it answers instead
    published/subjects.json                   streams, events and requests, and which schema is whose

JSON Schema 2020-12, one self-contained file each. With `--check` nothing is written: files that differ
from the models are named, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from contracts import subjects
from contracts.errors import ErrorReply
from contracts.registry import EVENTS, REQUESTS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED: Final = Path(__file__).parent / "published"

Schema = dict[str, Any]


class _Sent(GenerateJsonSchema):
    """What a service accepts: exactly the model."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # a title that only repeats the field's name

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> Schema:
        union = super().tagged_union_schema(schema)
        union.pop("discriminator", None)  # a keyword of OpenAPI; the constants tell the variants apart
        return union


class _Written(_Sent):
    """What services write, without null (`exclude_none`), and what readers must be open for."""

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        written = super().model_schema(schema)
        written["additionalProperties"] = True
        return written

    def field_is_required(self, field: Any, total: bool) -> bool:
        # Defaults are always written too, but to call them required would forbid ever adding one.
        return super().field_is_required(field, total) or _innermost(field["schema"])["type"] == "literal"

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        written = super().default_schema(schema)
        default = written.get("default")
        if "const" in written or default is None:
            written.pop("default", None)
        elif isinstance(default, dict):
            written["default"] = {name: value for name, value in default.items() if value is not None}
        return written

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Schema:
        return self.generate_inner(schema["schema"])


def _innermost(schema: Any) -> Any:
    return _innermost(schema["schema"]) if schema["type"] == "default" else schema


def _schema(model: type[BaseModel], urn: str, generator: type[GenerateJsonSchema]) -> Schema:
    return {"$schema": DIALECT, "$id": urn} | model.model_json_schema(schema_generator=generator)


def _urn(path: str) -> str:
    return "urn:casetrail:schema:" + path.removesuffix(".json").replace("/", ":")


def _event_path(tag: str) -> str:
    return f"events/{tag}.json"


def _subjects() -> Schema:
    return {
        "streams": {
            stream.name: {"subjects": list(stream.subjects), "description": stream.description}
            for stream in subjects.STREAMS
        },
        "events": {tag: {"schema": _urn(_event_path(tag))} for tag in EVENTS},
        "requests": {
            subject: {
                "request": _urn(f"requests/{request.published_as(request.asks)}"),
                "answer": _urn(f"answers/{request.published_as(request.answers)}"),
                "refusals": sorted(request.refusals),
            }
            for subject, request in REQUESTS.items()
        },
        "refusal": _urn("error-reply"),
    }


def documents() -> Mapping[str, bytes]:
    """Everything that is published: the bytes of each file, by its path under `published/`."""
    found: dict[str, Schema] = {"subjects.json": _subjects()}
    written: dict[str, type[BaseModel]] = {"error-reply.json": ErrorReply}
    written |= {_event_path(tag): model for tag, model in EVENTS.items()}
    for request in REQUESTS.values():
        written[f"answers/{request.published_as(request.answers)}.json"] = request.answers
        path = f"requests/{request.published_as(request.asks)}.json"
        found[path] = _schema(request.asks, _urn(path), _Sent)
    found |= {path: _schema(model, _urn(path), _Written) for path, model in written.items()}
    return {path: _bytes(found[path]) for path in sorted(found)}


def _bytes(document: Schema) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def differences(folder: Path = PUBLISHED) -> list[str]:
    """The paths that are missing, differ from the models, or stand there without a model."""
    expected = documents()
    present = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.json")}
    return sorted(path for path in expected.keys() | present if expected.get(path) != present.get(path))


def write(folder: Path = PUBLISHED) -> list[str]:
    """Bring the folder up to date; returns the paths that it changed.

    A file without a model stays: whether something published may go is not decided here.
    """
    changed = []
    for path, content in documents().items():
        file = folder / path
        if file.is_file() and file.read_bytes() == content:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        changed.append(path)
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m contracts.publish", description="Publish the contracts.")
    parser.add_argument("--check", action="store_true", help="change nothing; name what differs")
    if parser.parse_args(arguments).check:
        different = differences()
        sys.stderr.writelines(f"{path}: differs from the models\n" for path in different)
        return 1 if different else 0
    sys.stdout.writelines(f"{path}: written\n" for path in write())
    return 0


if __name__ == "__main__":
    sys.exit(main())
