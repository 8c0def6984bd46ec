"""The questionnaires: a documented subset of FHIR R5 Questionnaire, with Casetrail's own additions.

Names are FHIR's where FHIR has the thing (https://hl7.org/fhir/R5/questionnaire.html). There is no expression
language: which questions are asked is decided by `enableWhen` alone, so that a file can be checked before it
is used. What a single item must satisfy is checked here; what items must satisfy together is `lint`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from contracts.access.people import LanguageTag
from contracts.attachments.files import MAX_ATTACHMENTS
from contracts.intake.requests import MAX_VALUES, ItemType
from contracts.text import Code, Line, ShortLine, check_body

MAX_DEPTH: Final = 5
MAX_ITEMS: Final = 200
MAX_OPTIONS: Final = 100
MAX_TEXT_CHARACTERS: Final = 16_000
"""Of an answer in several lines: with four bytes a character it still fits into a ticket's text."""

DEFAULT_LENGTHS: Final = {
    ItemType.STRING: 200,
    ItemType.TEXT: 5_000,
    ItemType.URL: 1_000,
    ItemType.EMAIL: 254,
}
"""Characters that an answer may have where the questionnaire does not say."""

_RELATIVE_DATE: Final = re.compile(r"today(?:([+-])([0-9]{1,4})([dmy]))?")

LongText = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(check_body)]
Localized = dict[LanguageTag, Line]
LocalizedText = dict[LanguageTag, LongText]
Terms = dict[LanguageTag, Annotated[tuple[Line, ...], Field(max_length=200)]]
Count = Annotated[int, Field(ge=0, le=MAX_VALUES)]
Version = Annotated[ShortLine, StringConstraints(pattern=r"^[^|\s]+$")]
Url = Annotated[ShortLine, StringConstraints(pattern=r"^https?://[^|\s]+$")]


class _Written(BaseModel):
    """Part of a file that a person writes: a field that is not known is an error."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        hide_input_in_errors=True,
    )


class Status(StrEnum):
    """Whether a questionnaire is offered (FHIR PublicationStatus)."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


class Operator(StrEnum):
    """How a condition compares (FHIR QuestionnaireItemOperator)."""

    EXISTS = "exists"
    EQUAL = "="
    NOT_EQUAL = "!="
    GREATER = ">"
    LESS = "<"
    GREATER_OR_EQUAL = ">="
    LESS_OR_EQUAL = "<="


ORDERING: Final = frozenset(
    {Operator.GREATER, Operator.LESS, Operator.GREATER_OR_EQUAL, Operator.LESS_OR_EQUAL}
)

ANSWERED: Final = frozenset(ItemType) - {ItemType.GROUP, ItemType.DISPLAY}
NUMBERS: Final = frozenset({ItemType.INTEGER, ItemType.DECIMAL})
ORDERED: Final = NUMBERS | {ItemType.DATE}
WITH_LENGTH: Final = frozenset(DEFAULT_LENGTHS)


def _answer_text(value: object) -> object:
    """What YAML makes of an answer, as answers are spelled everywhere: text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | date) else value


class EnableWhen(_Written):
    """A condition on the answer to another item."""

    question: ShortLine
    operator: Operator = Operator.EQUAL
    answer: Annotated[str, Field(min_length=1, max_length=1_000)]

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, written: object) -> object:
        if isinstance(written, dict) and "answer" in written:
            return {**written, "answer": _answer_text(written["answer"])}
        return written

    @model_validator(mode="after")
    def _exists_or_not(self) -> EnableWhen:
        if self.operator is Operator.EXISTS and self.answer not in {"true", "false"}:
            raise PydanticCustomError("exists_answer", "with the operator exists, answer is true or false")
        return self


class AnswerOption(_Written):
    """One of the answers that a choice has."""

    code: Code
    text: Localized


class Item(_Written):
    """A question, a group of items, or a text."""

    link_id: Annotated[ShortLine, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    type: ItemType
    text: Localized
    help: LocalizedText | None = None
    required: bool = False
    repeats: bool = False
    min_length: Annotated[int, Field(ge=1, le=MAX_TEXT_CHARACTERS)] | None = None
    max_length: Annotated[int, Field(ge=1, le=MAX_TEXT_CHARACTERS)] | None = None
    min_value: ShortLine | None = None
    max_value: ShortLine | None = None
    min_occurs: Count | None = None
    max_occurs: Annotated[Count, Field(ge=1)] | None = None
    identifier: Code | None = None
    answer_option: Annotated[tuple[AnswerOption, ...], Field(max_length=MAX_OPTIONS)] = ()
    enable_when: Annotated[tuple[EnableWhen, ...], Field(max_length=20)] = ()
    enable_behavior: Literal["all", "any"] | None = None
    item: Annotated[tuple[Item, ...], Field(max_length=MAX_ITEMS)] = ()

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, written: object) -> object:
        if not isinstance(written, dict):
            return written
        limits = {"minValue", "maxValue", "min_value", "max_value"}
        return {key: _answer_text(value) if key in limits else value for key, value in written.items()}

    @model_validator(mode="after")
    def _fits_its_type(self) -> Item:
        for broken, rule, message in self._misfits():
            if broken:
                raise PydanticCustomError(rule, message)
        return self

    def _misfits(self) -> Iterator[tuple[bool, Any, Any]]:
        kind = self.type
        yield kind is not ItemType.GROUP and bool(self.item), "only_groups_nest", "only a group has items"
        yield kind is ItemType.GROUP and not self.item, "group_is_empty", "a group has at least one item"
        yield (
            (kind is ItemType.CHOICE) != bool(self.answer_option),
            "options_of_choices",
            "a choice has answerOption, and nothing else has",
        )
        yield (
            kind not in ANSWERED and (self.required or self.repeats or self.identifier is not None),
            "not_answered",
            "a group or display is not answered: it has no required, repeats or identifier",
        )
        yield (
            kind not in WITH_LENGTH and (self.min_length or self.max_length) is not None,
            "length_of_text",
            "only string, text, url and email have minLength and maxLength",
        )
        yield (
            kind not in ORDERED and (self.min_value or self.max_value) is not None,
            "value_of_number",
            "only integer, decimal and date have minValue and maxValue",
        )
        yield (
            not self.repeats and (self.min_occurs is not None or self.max_occurs is not None),
            "occurs_of_repeats",
            "only an item that repeats has minOccurs and maxOccurs",
        )
        yield (
            len(self.enable_when) > 1 and self.enable_behavior is None,
            "behavior_needed",
            "more than one condition needs enableBehavior: all or any",
        )
        yield (
            kind is ItemType.BOOLEAN and self.repeats,
            "boolean_repeats",
            "a boolean has one answer",
        )
        for limit in (self.min_value, self.max_value):
            yield (
                kind in ORDERED and limit is not None and not is_limit(kind, limit),
                "limit_shape",
                "a limit is a number, or for a date 2026-11-24, today, today-30d, today+6m, today+1y",
            )

    @property
    def is_answered(self) -> bool:
        """Whether it is a question."""
        return self.type in ANSWERED

    @property
    def longest(self) -> int:
        """Characters that an answer may have."""
        return self.max_length or DEFAULT_LENGTHS.get(self.type, 200)

    @property
    def most(self) -> int:
        """How many answers it may have."""
        if not self.repeats:
            return 1
        return self.max_occurs or (MAX_ATTACHMENTS if self.type is ItemType.ATTACHMENT else MAX_VALUES)

    @property
    def least(self) -> int:
        """How many answers it needs."""
        return max(self.min_occurs or 0, 1 if self.required else 0)

    @cached_property
    def options(self) -> dict[str, AnswerOption]:
        """Its options by their codes."""
        return {option.code: option for option in self.answer_option}


class Questionnaire(_Written):
    """A version of a questionnaire. Once it is published it never changes."""

    url: Url
    version: Version
    status: Status
    languages: Annotated[tuple[LanguageTag, ...], Field(min_length=1, max_length=10)]
    title: Localized
    description: Localized
    topic: Code
    keywords: Terms = Field(default_factory=dict)
    examples: Terms = Field(default_factory=dict)
    ticket_title: Annotated[
        Localized | None, Field(description="With {linkId} where an answer goes; else what was typed first")
    ] = None
    message_item: Annotated[
        ShortLine | None,
        Field(description="Its answer is the ticket's message, where nothing was typed"),
    ] = None
    item: Annotated[tuple[Item, ...], Field(min_length=1, max_length=MAX_ITEMS)]

    @property
    def canonical(self) -> str:
        """`url|version`, as FHIR spells a version of something."""
        return f"{self.url}|{self.version}"

    @cached_property
    def items(self) -> dict[str, Item]:
        """Every item by its linkId, in the order of the document. Of two with the same one, the first."""
        found: dict[str, Item] = {}
        for item, _ in self.walk():
            found.setdefault(item.link_id, item)
        return found

    @cached_property
    def parents(self) -> dict[str, str]:
        """The group that an item stands in, by the item's linkId; top-level items are not there."""
        return {item.link_id: parent.link_id for item, parent in self.walk() if parent is not None}

    @cached_property
    def pages(self) -> dict[str, str]:
        """The top-level item below which an item stands, by the item's linkId."""
        found: dict[str, str] = {}
        for item, parent in self.walk():
            found[item.link_id] = item.link_id if parent is None else found[parent.link_id]
        return found

    @cached_property
    def depended_on(self) -> frozenset[str]:
        """The linkIds that conditions name."""
        return frozenset(when.question for item in self.items.values() for when in item.enable_when)

    def walk(self) -> Iterator[tuple[Item, Item | None]]:
        """Every item with the group that it stands in, in the order of the document."""
        waiting: list[tuple[Item, Item | None]] = [(item, None) for item in reversed(self.item)]
        while waiting:
            item, parent = waiting.pop()
            yield item, parent
            waiting += [(child, item) for child in reversed(item.item)]

    def document(self) -> dict[str, Any]:
        """The questionnaire as it is written into a file or the log."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {
            "status": self.status.value
        }


def load_document(document: object) -> Questionnaire:
    """The questionnaire that a document describes.

    Raises:
        pydantic.ValidationError: it does not; each error names where.
    """
    return Questionnaire.model_validate(document)


def localized(text: dict[str, str], language: str) -> str:
    """The text in the language, or in the first that it has."""
    return text.get(language) or next(iter(text.values()))


def is_limit(kind: ItemType, limit: str) -> bool:
    """Whether this can be a limit of such an item."""
    try:
        resolved_limit(kind, limit, date(2000, 1, 1))
    except ValueError:
        return False
    return True


def resolved_limit(kind: ItemType, limit: str, today: date) -> Decimal | date:
    """What the limit is today.

    Raises:
        ValueError: it is none for this type.
    """
    if kind is not ItemType.DATE:
        try:
            number = Decimal(limit)
        except InvalidOperation:
            raise ValueError(limit) from None
        if not number.is_finite():
            raise ValueError(limit)
        return number
    relative = _RELATIVE_DATE.fullmatch(limit)
    if relative is None:
        return date.fromisoformat(limit)
    sign, count, unit = relative.groups()
    if sign is None:
        return today
    by = int(count) if sign == "+" else -int(count)
    if unit == "d":
        return today + timedelta(days=by)
    month = today.month - 1 + by * (12 if unit == "y" else 1)
    year, month = today.year + month // 12, month % 12 + 1
    for day in (today.day, 30, 29, 28):
        try:
            return date(year, month, day)
        except ValueError:
            continue
    raise ValueError(limit)
