"""What is wrong with a questionnaire as a whole: found before anybody has to answer it.

`source.parse` says what is wrong with a single part. Here stands what parts must be to one another: names
that nobody has, conditions that cannot hold or come too early, texts that a language lacks. Each finding has
the line of the part that should be changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from contracts.intake.requests import ItemType
from services.intake.evaluator import normalised
from services.intake.questionnaire import (
    MAX_DEPTH,
    MAX_ITEMS,
    ORDERED,
    ORDERING,
    EnableWhen,
    Item,
    Operator,
    Questionnaire,
    resolved_limit,
)
from services.intake.source import Finding, Location, Source, SourceInvalid, parse

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_SOME_DAY: Final = date(2026, 1, 15)


def lint(source: Source) -> tuple[Finding, ...]:
    """Everything that is wrong, in the order of the lines; nothing: the questionnaire can be published."""
    try:
        questionnaire = parse(source)
    except SourceInvalid as invalid:
        return invalid.findings
    return tuple(sorted(set(_Linting(source, questionnaire).findings())))


class _Linting:
    """Looks through one questionnaire."""

    def __init__(self, source: Source, questionnaire: Questionnaire) -> None:
        self._source = source
        self._questionnaire = questionnaire
        self._places: dict[int, Location] = dict(_places(questionnaire.item, ("item",)))
        self._order = {item.link_id: at for at, (item, _) in enumerate(questionnaire.walk())}

    def findings(self) -> Iterator[Finding]:
        yield from self._texts()
        yield from self._titles()
        seen: dict[str, Item] = {}
        for item, _ in self._questionnaire.walk():
            place = self._places[id(item)]
            if item.link_id in seen:
                yield self._at(
                    (*place, "linkId"), "link_id_twice", f"linkId {item.link_id} stands here twice"
                )
                continue
            seen[item.link_id] = item
            yield from self._limits(item, place)
            yield from self._options(item, place)
            yield from self._conditions(item, place)
        if len(seen) > MAX_ITEMS:
            yield self._at(
                ("item",), "too_many_items", f"has {len(seen)} items, at most {MAX_ITEMS} are possible"
            )

    # Texts

    def _texts(self) -> Iterator[Finding]:
        questionnaire = self._questionnaire
        whole: dict[Location, Mapping[str, object] | None] = {
            ("title",): questionnaire.title,
            ("description",): questionnaire.description,
            ("ticketTitle",): questionnaire.ticket_title,
            ("keywords",): questionnaire.keywords or None,
            ("examples",): questionnaire.examples or None,
        }
        for item, _ in questionnaire.walk():
            place = self._places[id(item)]
            whole[(*place, "text")] = item.text
            whole[(*place, "help")] = item.help
            for at, option in enumerate(item.answer_option):
                whole[(*place, "answerOption", at, "text")] = option.text
        wanted = set(questionnaire.languages)
        for location, texts in whole.items():
            if texts is None:
                continue
            for missing in sorted(wanted - set(texts)):
                yield self._at(
                    location, "translation_missing", f"{_spelled(location)} has no text in {missing}"
                )
            for unknown in sorted(set(texts) - wanted):
                message = f"{_spelled(location)} has a text in {unknown}, which languages does not name"
                yield self._at(location, "language_unknown", message)

    def _titles(self) -> Iterator[Finding]:
        questionnaire = self._questionnaire
        for language, title in (questionnaire.ticket_title or {}).items():
            for name in _PLACEHOLDER.findall(title):
                if not self._is_question(name):
                    message = f"names {name!r}, which is no question"
                    yield self._at(("ticketTitle", language), "question_unknown", message)
        message_item = questionnaire.message_item
        if message_item is not None and not self._is_question(message_item):
            message = f"names {message_item!r}, which is no question"
            yield self._at(("messageItem",), "question_unknown", message)

    def _is_question(self, link_id: str) -> bool:
        item = self._questionnaire.items.get(link_id)
        return item is not None and item.is_answered

    # Items

    def _limits(self, item: Item, place: Location) -> Iterator[Finding]:
        if len([part for part in place if part == "item"]) > MAX_DEPTH:
            message = f"is nested more than {MAX_DEPTH} levels deep"
            yield self._at(place, "too_deep", message)
        if item.min_length is not None and item.min_length > item.longest:
            message = f"minLength {item.min_length} is more than the longest answer of {item.longest}"
            yield self._at((*place, "minLength"), "limits_cross", message)
        if item.least > item.most:
            message = f"needs {item.least} answers and takes {item.most}"
            yield self._at((*place, "minOccurs"), "limits_cross", message)
        if item.type in ORDERED and item.min_value is not None and item.max_value is not None:
            low, high = (
                resolved_limit(item.type, limit, _SOME_DAY) for limit in (item.min_value, item.max_value)
            )
            if low > high:  # type: ignore[operator]  # both are numbers, or both are dates
                message = f"minValue {item.min_value} is more than maxValue {item.max_value}"
                yield self._at((*place, "minValue"), "limits_cross", message)

    def _options(self, item: Item, place: Location) -> Iterator[Finding]:
        codes: set[str] = set()
        texts: set[tuple[str, str]] = set()
        for at, option in enumerate(item.answer_option):
            where = (*place, "answerOption", at)
            if option.code in codes:
                yield self._at(
                    (*where, "code"), "option_twice", f"the option {option.code} stands here twice"
                )
            codes.add(option.code)
            for language, text in option.text.items():
                if (language, text.casefold()) in texts:
                    message = f"two options are called {text!r} in {language}"
                    yield self._at((*where, "text"), "option_twice", message)
                texts.add((language, text.casefold()))
        if item.repeats and item.answer_option and item.least > len(codes):
            message = f"needs {item.least} answers, and has {len(codes)} to choose from"
            yield self._at((*place, "minOccurs"), "limits_cross", message)

    # Conditions

    def _conditions(self, item: Item, place: Location) -> Iterator[Finding]:
        sound = True
        for at, when in enumerate(item.enable_when):
            where = (*place, "enableWhen", at)
            wrong = self._wrong_with(item, when)
            if wrong is not None:
                sound = False
                yield self._at(where, *wrong)
        if sound and item.enable_behavior != "any" and (never := self._contradiction(item)) is not None:
            yield self._at((*place, "enableWhen"), "never_asked", f"{item.link_id} is never asked: {never}")

    def _wrong_with(self, item: Item, when: EnableWhen) -> tuple[str, str] | None:
        asked = self._questionnaire.items.get(when.question)
        name = f"the condition on {when.question!r}"
        if asked is None:
            return "question_unknown", f"{name}: no item has this linkId"
        if asked.link_id == item.link_id or self._is_within(asked.link_id, item.link_id):
            return "condition_on_itself", f"{name}: {item.link_id} cannot depend on itself"
        if not asked.is_answered:
            return "condition_on_no_question", f"{name}: a {asked.type.value} has no answer"
        if self._depends_on(asked.link_id, item.link_id, frozenset()):
            return "condition_cycle", f"{name}: it depends on {item.link_id} itself"
        if self._order[asked.link_id] > self._order[item.link_id]:
            return "condition_on_later_item", f"{name}: it is asked after {item.link_id}"
        return self._wrong_answer(asked, when, name)

    def _wrong_answer(self, asked: Item, when: EnableWhen, name: str) -> tuple[str, str] | None:
        if when.operator is Operator.EXISTS:
            if asked.required and when.answer == "false" and not self._may_be_hidden(asked.link_id):
                return "never_asked", f"{name}: it always has an answer"
            return None
        if when.operator in ORDERING and asked.type not in ORDERED:
            return "operator_of_numbers", f"{name}: {when.operator.value} is for numbers and dates only"
        if asked.type is ItemType.ATTACHMENT:
            return "condition_on_file", f"{name}: of a file it can only be asked whether it exists"
        spelled, wrong = normalised(asked, [when.answer], today=_SOME_DAY)
        of_value = [problem for problem in wrong if problem.rule != "answer_too_few"]
        if of_value or spelled != (when.answer,):
            return "answer_impossible", f"{name}: {when.answer!r} can never be its answer"
        return None

    def _is_within(self, link_id: str, group: str) -> bool:
        parent = self._questionnaire.parents.get(link_id)
        return parent is not None and (parent == group or self._is_within(parent, group))

    def _may_be_hidden(self, link_id: str | None) -> bool:
        while link_id is not None:
            if self._questionnaire.items[link_id].enable_when:
                return True
            link_id = self._questionnaire.parents.get(link_id)
        return False

    def _depends_on(self, link_id: str, other: str, seen: frozenset[str]) -> bool:
        if link_id in seen or link_id not in self._questionnaire.items:
            return False
        named = {when.question for when in self._questionnaire.items[link_id].enable_when}
        if parent := self._questionnaire.parents.get(link_id):
            named.add(parent)
        return other in named or any(self._depends_on(each, other, seen | {link_id}) for each in named)

    def _contradiction(self, item: Item) -> str | None:
        """Why what must hold for the item to be asked cannot hold together; of simple cases only."""
        wanted: dict[str, set[str]] = {}
        for when in self._all_that_must_hold(item.link_id, frozenset()):
            asked = self._questionnaire.items.get(when.question)
            if asked is None or asked.repeats:
                continue
            if when.operator is Operator.EQUAL:
                wanted.setdefault(when.question, set()).add(when.answer)
            elif when.operator is Operator.EXISTS and when.answer == "false":
                wanted.setdefault(when.question, set()).add("")
        for question, answers in wanted.items():
            if len(answers) > 1:
                spelled = " and ".join(answer or "nothing" for answer in sorted(answers))
                return f"{question} would have to be {spelled}"
        for when in self._all_that_must_hold(item.link_id, frozenset()):
            if when.operator is Operator.NOT_EQUAL and wanted.get(when.question) == {when.answer}:
                return f"{when.question} would have to be {when.answer} and not {when.answer}"
        return None

    def _all_that_must_hold(self, link_id: str, seen: frozenset[str]) -> Iterator[EnableWhen]:
        if link_id in seen or link_id not in self._questionnaire.items:
            return
        item = self._questionnaire.items[link_id]
        if len(item.enable_when) == 1 or item.enable_behavior == "all":
            for when in item.enable_when:
                yield when
                if when.operator is not Operator.EXISTS or when.answer == "true":
                    yield from self._all_that_must_hold(when.question, seen | {link_id})
        if parent := self._questionnaire.parents.get(link_id):
            yield from self._all_that_must_hold(parent, seen | {link_id})

    def _at(self, location: Location, code: str, message: str) -> Finding:
        return self._source.finding(location, code, message)


def _places(items: tuple[Item, ...], location: Location) -> Iterator[tuple[int, Location]]:
    for at, item in enumerate(items):
        yield id(item), (*location, at)
        yield from _places(item.item, (*location, at, "item"))


def _spelled(location: Location) -> str:
    return ".".join(map(str, location))
