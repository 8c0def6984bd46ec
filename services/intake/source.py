"""Questionnaires as files: YAML or JSON, read with the line of everything that stands in them.

The files come from whoever runs the platform; still nothing in them is run, and no file can make more of
itself than it is: anchors and aliases, tags and keys that stand twice are errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from services.intake.questionnaire import Questionnaire, load_document

MAX_FILE_BYTES: Final = 512 * 1024
SUFFIXES: Final = (".yaml", ".yml", ".json")

Location = tuple[str | int, ...]

_TAGS: Final = {
    "tag:yaml.org,2002:map",
    "tag:yaml.org,2002:seq",
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:int",
    "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:bool",
    "tag:yaml.org,2002:null",
    "tag:yaml.org,2002:timestamp",
}
_MAX_NESTING: Final = 40


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong with a file, and where. `line` counts from 1."""

    file: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message} ({self.code})"


class SourceInvalid(Exception):
    """A file does not hold a questionnaire; `findings` tell why."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Source:
    """A document out of a file, with the line of each of its parts."""

    file: str
    document: Any
    lines: Mapping[Location, int] = field(repr=False)

    def line(self, location: Location) -> int:
        """The line of the part, or of the nearest part around it that the file has."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def finding(self, location: Location, code: str, message: str) -> Finding:
        """A finding at a part of the document."""
        return Finding(self.file, self.line(location), code, message)


def read_source(name: str, content: bytes) -> Source:
    """The document in a file's content.

    Raises:
        SourceInvalid: it is too long, no UTF-8, no YAML, or uses what questionnaires do not need.
    """
    if len(content) > MAX_FILE_BYTES:
        rule = f"is {len(content)} bytes long, at most {MAX_FILE_BYTES} are allowed"
        raise SourceInvalid(Finding(name, 1, "file_too_long", rule))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceInvalid(Finding(name, line, "not_utf8", "is not valid UTF-8")) from None
    reader = _Reader(name)
    try:
        if (early := _uses_aliases(text)) is not None:
            raise SourceInvalid(Finding(name, early, "yaml_alias", "has an anchor or alias (& or *)"))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        line = 1 if mark is None else mark.line + 1
        raise SourceInvalid(Finding(name, line, "not_yaml", f"is not valid YAML: {problem}")) from None
    except RecursionError:
        raise SourceInvalid(Finding(name, 1, "not_yaml", "is nested too deeply")) from None
    if node is None:
        raise SourceInvalid(Finding(name, 1, "empty", "holds nothing"))
    document = reader.read(node, ())
    return Source(name, document, reader.lines)


def parse(source: Source) -> Questionnaire:
    """The questionnaire that the document describes.

    Raises:
        SourceInvalid: each part that is not as it must be, with its line.
    """
    try:
        return load_document(source.document)
    except ValidationError as error:
        raise SourceInvalid(
            *sorted(
                source.finding(found["loc"], found["type"], _sentence(found))
                for found in error.errors(include_url=False, include_input=False)
            )
        ) from None


def read_file(path: Path) -> Source:
    """The document in a file. Raises SourceInvalid, OSError."""
    with path.open("rb") as file:
        return read_source(str(path), file.read(MAX_FILE_BYTES + 1))


def files_of(directory: Path) -> tuple[Path, ...]:
    """The questionnaires in a directory, in the order of their names. Raises OSError."""
    return tuple(
        sorted(
            path
            for path in directory.iterdir()
            if path.suffix in SUFFIXES and path.is_file() and not path.name.startswith(".")
        )
    )


def shipped() -> tuple[Source, ...]:
    """The questionnaires that Casetrail brings along, in the order of their names."""
    folder = files("services.intake") / "shipped"
    found = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(SUFFIXES)), key=lambda e: e.name
    )
    return tuple(read_source(entry.name, entry.read_bytes()) for entry in found)


def _sentence(found: Mapping[str, Any]) -> str:
    where = ".".join(map(str, found["loc"])) or "the document"
    message = str(found["msg"])
    return f"{where}: {message[:1].lower()}{message[1:]}"


def _uses_aliases(text: str) -> int | None:
    """The line of the first anchor or alias. Looked for in the tokens: composing a file could unfold them."""
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            return int(token.start_mark.line) + 1
    return None


class _Reader:
    """Makes plain values of YAML's nodes, and remembers their lines."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._values = yaml.constructor.SafeConstructor()
        self.lines: dict[Location, int] = {}

    def read(self, node: yaml.Node, location: Location) -> Any:
        """Raises SourceInvalid."""
        line = node.start_mark.line + 1
        self.lines.setdefault(location, line)
        if len(location) > _MAX_NESTING:
            raise self._invalid(line, "too_deep", "is nested too deeply")
        if node.tag not in _TAGS:
            raise self._invalid(line, "yaml_tag", f"has the tag {node.tag}, which is not allowed here")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*location, index)) for index, child in enumerate(node.value)]
        if node.tag == "tag:yaml.org,2002:timestamp":  # dates are text here, whatever YAML thinks
            return str(node.value)
        try:
            return self._values.construct_object(node)
        except (ValueError, yaml.YAMLError):
            raise self._invalid(line, "not_yaml", f"{node.value!r:.80} is not a value") from None

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._invalid(line, "yaml_key", "has a key that is no text")
            key = str(key_node.value)
            if key in found:
                raise self._invalid(line, "key_twice", f"has {key} twice")
            self.lines[(*location, key)] = line
            found[key] = self.read(value_node, (*location, key))
        return found

    def _invalid(self, line: int, code: str, message: str) -> SourceInvalid:
        return SourceInvalid(Finding(self._file, line, code, message))
