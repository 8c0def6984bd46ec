"""Which questions are asked, and what is wrong with the answers. Pure: the same answers, the same result.

Answers are text, by linkId, in a canonical spelling (`contracts.intake.requests`); the order in which they
were given plays no part. A condition on an item that is not asked itself, or has no answer, does not hold.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from contracts.access.people import NotAnAddress
from contracts.access.people import normalised as normalised_address
from contracts.intake.requests import ItemType
from contracts.text import check_body, check_line
from services.intake.questionnaire import (
    NUMBERS,
    EnableWhen,
    Item,
    Operator,
    Questionnaire,
    resolved_limit,
)

Answers = Mapping[str, tuple[str, ...]]

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,30}")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]{1,30})(?:[.,]([0-9]{1,20}))?")
_GROUPED: Final = re.compile(r"[+-]?[0-9]{1,3}(?:[ \u00a0\u202f'][0-9]{3})+(?:[.,][0-9]{1,20})?")
_GROUPS: Final = re.compile(r"[ \u00a0\u202f']")
_DAY_FIRST: Final = re.compile(r"([0-9]{1,2})[./]([0-9]{1,2})[./]([0-9]{4})")
_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ATTACHMENT: Final = re.compile(r"[a-z0-9]{26}")
_BOOLEANS: Final = frozenset({"true", "false"})

_COMPARE: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = MappingProxyType(
    {
        Operator.EQUAL: operator.eq,
        Operator.NOT_EQUAL: operator.ne,
        Operator.GREATER: operator.gt,
        Operator.LESS: operator.lt,
        Operator.GREATER_OR_EQUAL: operator.ge,
        Operator.LESS_OR_EQUAL: operator.le,
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the answer to a question. `contracts.wording.rule` has the words for the rule."""

    link_id: str
    rule: str
    data: Mapping[str, str | int] = field(default_factory=dict)


class _Wrong(Exception):
    """A single answer breaks a rule."""

    def __init__(self, rule: str, **data: str | int) -> None:
        super().__init__(rule)
        self.rule = rule
        self.data = data


# Which questions are asked


def enabled(questionnaire: Questionnaire, answers: Answers) -> frozenset[str]:
    """The linkIds of what is asked or shown, groups and displays among them."""
    return _Enabling(questionnaire, answers).all()


def kept(questionnaire: Questionnaire, answers: Answers) -> dict[str, tuple[str, ...]]:
    """The answers to questions that are asked, in the order of the document."""
    asked = enabled(questionnaire, answers)
    return {
        link_id: tuple(answers[link_id])
        for link_id, item in questionnaire.items.items()
        if link_id in asked and item.is_answered and answers.get(link_id)
    }


def dropped(questionnaire: Questionnaire, answers: Answers) -> dict[str, tuple[str, ...]]:
    """The answers to questions that are not asked any more, in the order of the document."""
    keeping = kept(questionnaire, answers)
    return {
        link_id: tuple(answers[link_id])
        for link_id, item in questionnaire.items.items()
        if item.is_answered and answers.get(link_id) and link_id not in keeping
    }


class _Enabling:
    """Decides for each item once. What depends on itself, which `lint` refuses, is not asked."""

    def __init__(self, questionnaire: Questionnaire, answers: Answers) -> None:
        self._questionnaire = questionnaire
        self._answers = answers
        self._decided: dict[str, bool] = {}

    def all(self) -> frozenset[str]:
        return frozenset(link_id for link_id in self._questionnaire.items if self._is_enabled(link_id))

    def _is_enabled(self, link_id: str) -> bool:
        decided = self._decided.get(link_id)
        if decided is None:
            self._decided[link_id] = False  # while it is being decided: the end of every cycle
            decided = self._decided[link_id] = self._decide(link_id)
        return decided

    def _decide(self, link_id: str) -> bool:
        parent = self._questionnaire.parents.get(link_id)
        if parent is not None and not self._is_enabled(parent):
            return False
        item = self._questionnaire.items[link_id]
        if not item.enable_when:
            return True
        holding = (self._holds(when) for when in item.enable_when)
        return any(holding) if item.enable_behavior == "any" else all(holding)

    def _holds(self, when: EnableWhen) -> bool:
        item = self._questionnaire.items.get(when.question)
        asked = item is not None and item.is_answered and self._is_enabled(when.question)
        values = self._answers.get(when.question, ()) if asked else ()
        if when.operator is Operator.EXISTS:
            return bool(values) == (when.answer == "true")
        return item is not None and any(_compares(item, value, when) for value in values)


def _compares(item: Item, value: str, when: EnableWhen) -> bool:
    try:
        left, right = _comparable(item, value), _comparable(item, when.answer)
    except (ValueError, InvalidOperation):  # an answer with a problem of its own
        return False
    return _COMPARE[when.operator](left, right)


def _comparable(item: Item, value: str) -> Decimal | date | str:
    if item.type in NUMBERS:
        return Decimal(value)
    return date.fromisoformat(value) if item.type is ItemType.DATE else value


# What a person typed


def normalised(
    item: Item, values: Sequence[str], *, today: date
) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """The answers in their canonical spelling, and what is wrong with them as answers to this question.

    An empty answer is none. An answer that cannot be understood stays as it was typed.
    """
    found: list[str] = []
    wrong: list[Problem] = []
    for value in values:
        typed = _trimmed(item, value)
        if not typed:
            continue
        try:
            typed = _canonical(item, typed, today)
        except _Wrong as broken:
            wrong.append(Problem(item.link_id, broken.rule, broken.data))
        if typed not in found or item.type not in _ONCE:
            found.append(typed)
    return tuple(found), (*wrong, *_miscounted(item, len(found)))


def problems(
    questionnaire: Questionnaire,
    answers: Answers,
    *,
    today: date,
    only: Collection[str] | None = None,
) -> tuple[Problem, ...]:
    """What stands in the way of submitting these answers, in the order of the document.

    `only` the questions of these linkIds. Answers to what is not asked are in nobody's way: they are dropped.
    """
    asked = enabled(questionnaire, answers)
    return tuple(
        problem
        for link_id, item in questionnaire.items.items()
        if link_id in asked and item.is_answered and (only is None or link_id in only)
        for problem in normalised(item, answers.get(link_id, ()), today=today)[1]
    )


_ONCE: Final = frozenset({ItemType.CHOICE, ItemType.ATTACHMENT})


def _trimmed(item: Item, value: str) -> str:
    if item.type is ItemType.TEXT:
        return value.replace("\r\n", "\n").replace("\r", "\n").strip()
    return " ".join(value.split()) if item.type is ItemType.STRING else value.strip()


def _miscounted(item: Item, count: int) -> Iterator[Problem]:
    if count == 0 and item.required:
        rule = _NEEDED.get(item.type, "answer_needed")
        yield Problem(item.link_id, rule)
    elif 0 < count < item.least:
        yield Problem(item.link_id, "answer_too_few", {"count": count, "limit": item.least})
    elif count > item.most:
        yield Problem(item.link_id, "answer_too_many", {"count": count, "limit": item.most})


_NEEDED: Final = MappingProxyType(
    {
        ItemType.CHOICE: "answer_choose",
        ItemType.BOOLEAN: "answer_choose",
        ItemType.ATTACHMENT: "answer_attach",
    }
)


def is_file_id(value: str) -> bool:
    """Whether it could be the id of an attachment; whether there is one, only the store knows."""
    return bool(_ATTACHMENT.fullmatch(value))


def _canonical(item: Item, typed: str, today: date) -> str:
    """Raises _Wrong."""
    match item.type:
        case ItemType.STRING | ItemType.TEXT:
            return _text(item, typed)
        case ItemType.BOOLEAN:
            if typed not in _BOOLEANS:
                raise _Wrong("answer_choose")
            return typed
        case ItemType.INTEGER | ItemType.DECIMAL:
            return _number(item, typed, today)
        case ItemType.DATE:
            return _date(item, typed, today)
        case ItemType.CHOICE:
            if typed not in item.options:
                raise _Wrong("answer_not_an_option")
            return typed
        case ItemType.URL:
            return _url(item, typed)
        case ItemType.EMAIL:
            return _email(item, typed)
        case ItemType.ATTACHMENT:
            if not is_file_id(typed):
                raise _Wrong("answer_not_a_file")
            return typed
        case _:
            raise _Wrong("answer_not_asked")


def _text(item: Item, typed: str) -> str:
    try:
        check_body(typed) if item.type is ItemType.TEXT else check_line(typed)
    except PydanticCustomError as error:
        context: dict[str, Any] = dict(error.context or {})
        rule = "answer_character" if error.type == "text_control_character" else "answer_too_long"
        raise _Wrong(rule, **context) from None
    if len(typed) > item.longest:
        raise _Wrong("answer_too_long", size=len(typed), limit=item.longest)
    if item.min_length is not None and len(typed) < item.min_length:
        raise _Wrong("answer_too_short", size=len(typed), limit=item.min_length)
    return typed


def _number(item: Item, typed: str, today: date) -> str:
    plain = unicodedata.normalize("NFKC", typed) if not typed.isascii() else typed
    plain = plain.replace("\u2212", "-")
    if _GROUPED.fullmatch(typed):
        plain = _GROUPS.sub("", typed)
    shape = _INTEGER if item.type is ItemType.INTEGER else _DECIMAL
    if not shape.fullmatch(plain):
        whole = item.type is ItemType.INTEGER
        raise _Wrong("answer_not_a_whole_number" if whole else "answer_not_a_number")
    number = Decimal(plain.replace(",", "."))
    _check_limits(item, number, today, ("answer_too_small", "answer_too_large"))
    spelled = format(number, "f")
    spelled = spelled.rstrip("0").rstrip(".") if "." in spelled else spelled
    return "0" if spelled in {"-0", "+0"} else spelled


def _date(item: Item, typed: str, today: date) -> str:
    day_first = _DAY_FIRST.fullmatch(typed)
    try:
        if day_first is not None:
            day, month, year = map(int, day_first.groups())
            found = date(year, month, day)
        elif _ISO_DATE.fullmatch(typed):
            found = date.fromisoformat(typed)
        else:
            raise _Wrong("answer_not_a_date")
    except ValueError:
        raise _Wrong("answer_not_a_date") from None
    _check_limits(item, found, today, ("answer_too_early", "answer_too_late"))
    return found.isoformat()


def _check_limits(item: Item, found: Any, today: date, rules: tuple[str, str]) -> None:
    for limit, rule, is_beyond in (
        (item.min_value, rules[0], operator.lt),
        (item.max_value, rules[1], operator.gt),
    ):
        if limit is None:
            continue
        bound = resolved_limit(item.type, limit, today)
        if is_beyond(found, bound):
            raise _Wrong(rule, limit=str(bound))


def _url(item: Item, typed: str) -> str:
    whole = typed if "://" in typed or ":" in typed.split("/")[0] else f"https://{typed}"
    try:
        parts = urlsplit(whole)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _Wrong("answer_not_a_url") from None
    if parts.scheme not in {"http", "https"} or host is None or "." not in host or parts.username is not None:
        raise _Wrong("answer_not_a_url")
    if any(character.isspace() for character in whole):
        raise _Wrong("answer_not_a_url")
    return _text(item, whole)


def _email(item: Item, typed: str) -> str:
    try:
        normalised_address(typed)
    except NotAnAddress:
        raise _Wrong("answer_not_an_email") from None
    return _text(item, typed)
