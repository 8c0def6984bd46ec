"""Questionnaires to and from FHIR R5 JSON (https://hl7.org/fhir/R5/questionnaire.html).

Export writes what FHIR has in FHIR's own way: translations, limits and help texts as the standard extensions.
What FHIR has no word for stands in extensions below `EXTENSIONS`. Import reads that back, and the
Questionnaires of others, R4's `choice` included, as far as they stay within the subset. What is outside it
is named: nothing that could change what is asked is left out silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from contracts.intake.requests import ItemType
from services.intake.questionnaire import (
    EnableWhen,
    Item,
    Operator,
    Questionnaire,
    load_document,
)

EXTENSIONS: Final = "https://casetrail.example/fhir/StructureDefinition"

_HL7: Final = "http://hl7.org/fhir/StructureDefinition"
_TRANSLATION: Final = f"{_HL7}/translation"
_MIN_LENGTH: Final = f"{_HL7}/minLength"
_LIMITS: Final = {"minValue": f"{_HL7}/minValue", "maxValue": f"{_HL7}/maxValue"}
_OCCURS: Final = {
    "minOccurs": f"{_HL7}/questionnaire-minOccurs",
    "maxOccurs": f"{_HL7}/questionnaire-maxOccurs",
}
_ITEM_CONTROL: Final = f"{_HL7}/questionnaire-itemControl"
_ITEM_CONTROLS: Final = "http://hl7.org/fhir/questionnaire-item-control"

_TO_FHIR: Final[Mapping[ItemType, str]] = MappingProxyType(
    {kind: kind.value for kind in ItemType} | {ItemType.CHOICE: "coding", ItemType.EMAIL: "string"}
)
_FROM_FHIR: Final[Mapping[str, str]] = MappingProxyType(
    {kind.value: kind.value for kind in ItemType if kind is not ItemType.EMAIL} | {"coding": "choice"}
)
_ANSWER: Final[Mapping[ItemType, str]] = MappingProxyType(
    {
        ItemType.BOOLEAN: "answerBoolean",
        ItemType.INTEGER: "answerInteger",
        ItemType.DECIMAL: "answerDecimal",
        ItemType.DATE: "answerDate",
        ItemType.CHOICE: "answerCoding",
    }
)
_DESCRIPTIVE: Final = frozenset(
    {
        "id", "meta", "text", "implicitRules", "name", "date", "publisher", "contact", "useContext",
        "jurisdiction", "purpose", "copyright", "copyrightLabel", "approvalDate", "lastReviewDate",
        "effectivePeriod", "experimental", "subjectType", "identifier", "code", "derivedFrom",
        "versionAlgorithmString", "versionAlgorithmCoding",
    }
)  # fmt: skip
"""What tells of a Questionnaire and changes nothing that it asks."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Something that this subset does not have. `path` is FHIRPath-like: `item[2].initial`."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


class OutsideTheSubset(Exception):
    """A FHIR Questionnaire that cannot be asked here as it stands; `outside` names each reason."""

    def __init__(self, outside: tuple[Outside, ...]) -> None:
        super().__init__("\n".join(map(str, outside)))
        self.outside = outside


@dataclass(frozen=True, slots=True)
class Imported:
    """A questionnaire out of FHIR, and what of its description it could not keep."""

    questionnaire: Questionnaire
    left_out: tuple[Outside, ...]


# Export


def export(questionnaire: Questionnaire) -> dict[str, Any]:
    """The FHIR R5 Questionnaire, as the object that its JSON is. Numbers are `Decimal` where they may be."""
    exporting = _Exporting(questionnaire)
    return exporting.whole()


class _Exporting:
    def __init__(self, questionnaire: Questionnaire) -> None:
        self._questionnaire = questionnaire

    def whole(self) -> dict[str, Any]:
        questionnaire = self._questionnaire
        own: list[dict[str, Any]] = [_own("topic", "valueCode", questionnaire.topic)]
        own += [_own("language", "valueCode", language) for language in questionnaire.languages]
        titles = {language: (title,) for language, title in (questionnaire.ticket_title or {}).items()}
        own += [
            {
                "url": f"{EXTENSIONS}/{name}",
                "extension": [
                    {"url": "lang", "valueCode": language},
                    {"url": "content", "valueString": term},
                ],
            }
            for name, terms in (
                ("keyword", questionnaire.keywords),
                ("example", questionnaire.examples),
                ("ticket-title", titles),
            )
            for language, each in terms.items()
            for term in each
        ]
        if questionnaire.message_item is not None:
            own.append(_own("message-item", "valueString", questionnaire.message_item))
        return {
            "resourceType": "Questionnaire",
            "language": questionnaire.languages[0],
            "extension": own,
            "url": questionnaire.url,
            "version": questionnaire.version,
            **self._text("title", questionnaire.title),
            "status": questionnaire.status.value,
            **self._text("description", questionnaire.description),
            "item": [self._item(item) for item in questionnaire.item],
        }

    def _text(self, name: str, text: Mapping[str, str]) -> dict[str, Any]:
        first, *others = (language for language in self._questionnaire.languages if language in text)
        found: dict[str, Any] = {name: text[first]}
        if others:
            found[f"_{name}"] = {
                "extension": [
                    {
                        "url": _TRANSLATION,
                        "extension": [
                            {"url": "lang", "valueCode": language},
                            {"url": "content", "valueString": text[language]},
                        ],
                    }
                    for language in others
                ]
            }
        return found

    def _item(self, item: Item) -> dict[str, Any]:
        found: dict[str, Any] = {"linkId": item.link_id, **self._text("text", item.text)}
        found["type"] = _TO_FHIR[item.type]
        if extensions := [*_extensions(item)]:
            found["extension"] = extensions
        if item.enable_when:
            found["enableWhen"] = [self._condition(when) for when in item.enable_when]
        if item.enable_behavior is not None:
            found["enableBehavior"] = item.enable_behavior
        found |= {name: True for name in ("required", "repeats") if getattr(item, name)}
        if item.max_length is not None:
            found["maxLength"] = item.max_length
        if item.answer_option:
            found["answerConstraint"] = "optionsOnly"
            found["answerOption"] = [
                {"valueCoding": {"code": option.code, **self._text("display", option.text)}}
                for option in item.answer_option
            ]
        if children := [*self._help(item), *(self._item(child) for child in item.item)]:
            found["item"] = children
        return found

    def _help(self, item: Item) -> Iterator[dict[str, Any]]:
        if item.help is None:
            return
        control = {"coding": [{"system": _ITEM_CONTROLS, "code": "help"}]}
        yield {
            "linkId": f"{item.link_id}.help",
            **self._text("text", item.help),
            "type": "display",
            "extension": [{"url": _ITEM_CONTROL, "valueCodeableConcept": control}],
        }

    def _condition(self, when: EnableWhen) -> dict[str, Any]:
        found: dict[str, Any] = {"question": when.question, "operator": when.operator.value}
        asked = self._questionnaire.items.get(when.question)
        kind = ItemType.BOOLEAN if when.operator is Operator.EXISTS or asked is None else asked.type
        name = _ANSWER.get(kind, "answerString")
        value: Any = when.answer
        if kind is ItemType.BOOLEAN:
            value = when.answer == "true"
        elif kind is ItemType.INTEGER:
            value = int(when.answer)
        elif kind is ItemType.DECIMAL:
            value = Decimal(when.answer)
        elif kind is ItemType.CHOICE:
            value = {"code": when.answer}
        return {**found, name: value}


def _own(name: str, kind: str, value: object) -> dict[str, Any]:
    return {"url": f"{EXTENSIONS}/{name}", kind: value}


def _extensions(item: Item) -> Iterator[dict[str, Any]]:
    if item.type is ItemType.EMAIL:
        yield _own("answer-format", "valueCode", "email")
    if item.identifier is not None:
        yield _own("identifier", "valueCode", item.identifier)
    if item.min_length is not None:
        yield {"url": _MIN_LENGTH, "valueInteger": item.min_length}
    for name, count in (("minOccurs", item.min_occurs), ("maxOccurs", item.max_occurs)):
        if count is not None:
            yield {"url": _OCCURS[name], "valueInteger": count}
    for name, limit in (("minValue", item.min_value), ("maxValue", item.max_value)):
        if limit is None:
            continue
        if limit.startswith("today"):
            yield _own(f"relative-{name}", "valueString", limit)
        elif item.type is ItemType.INTEGER:
            yield {"url": _LIMITS[name], "valueInteger": int(limit)}
        else:
            kind = "valueDate" if item.type is ItemType.DATE else "valueDecimal"
            yield {"url": _LIMITS[name], kind: limit if kind == "valueDate" else Decimal(limit)}


# Import


def read(resource: object, *, topic: str = "other", language: str = "en") -> Imported:
    """The questionnaire that a FHIR Questionnaire (R5, or R4 as far as it is alike) describes.

    `topic` and `language` are for one that does not say.

    Raises:
        OutsideTheSubset: it uses what this subset does not have.
    """
    reading = _Reading(topic=topic, language=language)
    document = reading.whole(resource)
    if not reading.outside:
        try:
            return Imported(load_document(document), tuple(reading.left_out))
        except ValidationError as error:
            for found in error.errors(include_url=False, include_input=False):
                reading.refuse(_path(found["loc"]), str(found["msg"]))
    raise OutsideTheSubset(tuple(reading.outside))


@dataclass(slots=True)
class _Reading:
    topic: str
    language: str
    outside: list[Outside] = field(default_factory=list)
    left_out: list[Outside] = field(default_factory=list)
    _languages: list[str] = field(default_factory=list)
    _kinds: dict[str, str] = field(default_factory=dict)

    def refuse(self, path: str, what: str) -> None:
        self.outside.append(Outside(path, what))

    def whole(self, resource: object) -> dict[str, Any]:
        if not isinstance(resource, dict) or resource.get("resourceType") != "Questionnaire":
            self.refuse("resourceType", "is not Questionnaire")
            return {}
        rest = dict(resource)
        rest.pop("resourceType")
        self.language = str(rest.pop("language", self.language))[:2].lower()
        self._languages = [self.language]
        document: dict[str, Any] = {
            "url": rest.pop("url", None),
            "version": str(rest.pop("version", "1")),
            "status": _or(rest.pop("status", None), "unknown", "draft"),
            "title": self._text(rest, "title", "title"),
            "topic": self.topic,
        }
        description = self._text(rest, "description", "description")
        document["description"] = description or document["title"]
        self._own_of_whole(rest.pop("extension", []), document)
        document["item"] = self._items(rest.pop("item", []), "item")
        document["languages"] = self._languages
        for name in rest:
            if name.lstrip("_") in _DESCRIPTIVE:
                self.left_out.append(Outside(name, "says nothing that is asked"))
            else:
                self.refuse(name, "is not supported")
        return {name: value for name, value in document.items() if value is not None}

    def _own_of_whole(self, extensions: Any, document: dict[str, Any]) -> None:
        for at, extension in enumerate(_list(extensions)):
            path, url = f"extension[{at}]", str(extension.get("url"))
            match url.removeprefix(f"{EXTENSIONS}/"):
                case "topic":
                    document["topic"] = extension.get("valueCode")
                case "language":
                    self._know(str(extension.get("valueCode")))
                case "keyword" | "example" | "ticket-title" as name:
                    parts = {part.get("url"): part for part in _list(extension.get("extension"))}
                    language = str(parts.get("lang", {}).get("valueCode"))
                    term = parts.get("content", {}).get("valueString")
                    if name == "ticket-title":
                        document.setdefault("ticketTitle", {})[language] = term
                    else:
                        document.setdefault(f"{name}s", {}).setdefault(language, []).append(term)
                case "message-item":
                    document["messageItem"] = extension.get("valueString")
                case _:
                    self.refuse(path, f"the extension {url} is not supported")

    def _items(self, items: Any, path: str) -> list[dict[str, Any]]:
        found = list(_list(items))
        for item in found:  # conditions name earlier questions, but the types must be known either way
            self._kinds[str(item.get("linkId"))] = str(item.get("type"))
        return [self._item(dict(item), f"{path}[{at}]") for at, item in enumerate(found)]

    def _item(self, rest: dict[str, Any], path: str) -> dict[str, Any]:
        kind = str(rest.pop("type", None))
        found: dict[str, Any] = {"linkId": rest.pop("linkId", None), "type": _FROM_FHIR.get(kind)}
        if kind not in _FROM_FHIR:
            self.refuse(f"{path}.type", f"the type {kind} is not supported")
        found["text"] = self._text(rest, "text", f"{path}.text")
        if found["text"] is None:
            self.refuse(f"{path}.text", "an item without text cannot be shown")
        for name in ("required", "repeats"):
            if rest.pop(name, False):
                found[name] = True
        found["maxLength"] = rest.pop("maxLength", None)
        found["enableBehavior"] = rest.pop("enableBehavior", None)
        if found["type"] == "choice" and rest.get("answerConstraint", "optionsOnly") != "optionsOnly":
            self.refuse(f"{path}.answerConstraint", "only optionsOnly is supported")
        rest.pop("answerConstraint", None)
        found["answerOption"] = [
            self._option(option, f"{path}.answerOption[{at}]")
            for at, option in enumerate(_list(rest.pop("answerOption", [])))
        ]
        self._extensions(rest.pop("extension", []), found, path)
        children = _list(rest.pop("item", []))
        for at, child in enumerate(children):
            if _is_help(child):
                found["help"] = self._text(dict(child), "text", f"{path}.item[{at}].text")
        found["item"] = self._items([child for child in children if not _is_help(child)], f"{path}.item")
        found["enableWhen"] = [
            self._condition(dict(when), f"{path}.enableWhen[{at}]")
            for at, when in enumerate(_list(rest.pop("enableWhen", [])))
        ]
        for name in rest:
            if name in {"id", "code", "definition"}:
                self.left_out.append(Outside(f"{path}.{name}", "says nothing that is asked"))
            else:
                self.refuse(f"{path}.{name}", "is not supported")
        return {name: value for name, value in found.items() if value not in (None, [])}

    def _option(self, option: dict[str, Any], path: str) -> dict[str, Any]:
        rest = dict(option)
        coding = rest.pop("valueCoding", None)
        if not isinstance(coding, dict):
            plain = next((rest.pop(name) for name in ("valueString", "valueInteger") if name in rest), None)
            coding = {"code": plain, "display": None if plain is None else str(plain)}
        if coding.get("system") is not None:
            self.left_out.append(Outside(f"{path}.valueCoding.system", "codes are the questionnaire's own"))
        for name in rest:
            self.refuse(f"{path}.{name}", "is not supported")
        text = self._text(dict(coding), "display", f"{path}.valueCoding.display")
        return {"code": _code(coding.get("code")), "text": text or {self.language: str(coding.get("code"))}}

    def _extensions(self, extensions: Any, found: dict[str, Any], path: str) -> None:
        names = {_MIN_LENGTH: "minLength"} | {url: name for name, url in (_LIMITS | _OCCURS).items()}
        names[f"{EXTENSIONS}/identifier"] = "identifier"
        names |= {f"{EXTENSIONS}/relative-{name}": name for name in _LIMITS}
        for at, extension in enumerate(_list(extensions)):
            url = str(extension.get("url"))
            value = next((extension[name] for name in extension if name.startswith("value")), None)
            if url in names and value is not None:
                found[names[url]] = _spelled_limit(value) if names[url] in _LIMITS else value
            elif url == f"{EXTENSIONS}/answer-format" and value == "email":
                found["type"] = "email"
            else:
                self.refuse(f"{path}.extension[{at}]", f"the extension {url} is not supported")

    def _condition(self, rest: dict[str, Any], path: str) -> dict[str, Any]:
        found: dict[str, Any] = {name: rest.pop(name, None) for name in ("question", "operator")}
        supported = {*_ANSWER.values(), "answerString"}
        name = next((name for name in rest if name in supported), None)
        for other in rest:
            if other != name:
                self.refuse(f"{path}.{other}", "is not supported")
        value = None if name is None else rest[name]
        if isinstance(value, dict):
            value = _code(value.get("code"))
        elif self._kinds.get(str(found["question"])) in {"choice", "coding"} and name == "answerString":
            value = _code(value)
        found["answer"] = value
        return found

    def _text(self, rest: dict[str, Any], name: str, path: str) -> dict[str, str] | None:
        plain, around = rest.pop(name, None), rest.pop(f"_{name}", None)
        if plain is None:
            return None
        found = {self.language: str(plain)}
        for extension in _list((around or {}).get("extension")):
            parts = {part.get("url"): part for part in _list(extension.get("extension"))}
            if extension.get("url") != _TRANSLATION or not {"lang", "content"} <= set(parts):
                self.refuse(path, f"the extension {extension.get('url')} is not supported")
                continue
            language = str(parts["lang"].get("valueCode"))[:2].lower()
            content = parts["content"].get("valueString") or parts["content"].get("valueMarkdown")
            found[language] = str(content)
            self._know(language)
        return found

    def _know(self, language: str) -> None:
        if language not in self._languages:
            self._languages.append(language)


def _list(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _or(value: Any, unwanted: str, instead: str) -> Any:
    return instead if value == unwanted else value


def _is_help(item: dict[str, Any]) -> bool:
    return item.get("type") == "display" and any(
        coding.get("code") == "help"
        for extension in _list(item.get("extension"))
        if extension.get("url") == _ITEM_CONTROL
        for coding in _list((extension.get("valueCodeableConcept") or {}).get("coding"))
    )


def _code(value: Any) -> str | None:
    """A code as codes are spelled here: small letters, digits, hyphens and underscores."""
    return None if value is None else re.sub(r"[^a-z0-9_-]+", "-", str(value).lower()).strip("-_")[:64]


def _spelled_limit(value: Any) -> str:
    """A date as it is, a number without what JSON's readers add to it (`9.0`)."""
    if not isinstance(value, float):
        return str(value)
    return str(int(value)) if value.is_integer() else str(value)


def _path(location: tuple[str | int, ...]) -> str:
    spelled = ""
    for part in location:
        spelled += f"[{part}]" if isinstance(part, int) else f".{part}" if spelled else part
    return spelled
