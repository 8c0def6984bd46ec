"""What a submission says, out of a questionnaire and the answers to it. Pure.

Everything here is in one language, as the person read and typed it, and fits the limits of the contract.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from pydantic_core import PydanticCustomError

from contracts.intake.requests import AnswerShown, ItemType, ShownItem, ShownOption
from contracts.text import MAX_TITLE_CHARACTERS, check_line
from contracts.tickets.events import MAX_IDENTIFIERS
from services.intake.domain import Answer, Identifier
from services.intake.evaluator import Answers, kept
from services.intake.questionnaire import Item, Questionnaire, localized

MAX_IDENTIFIER_CHARACTERS: Final = 128

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z0-9_.-]+)\}")
_BOOLEANS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"true": {"en": "Yes", "pl": "Tak"}, "false": {"en": "No", "pl": "Nie"}}
)


def shown_item(item: Item, language: str) -> ShownItem:
    """A question or a group, whole, as somebody is asked who has not answered anything yet."""
    return ShownItem(
        link_id=item.link_id,
        type=item.type,
        text=localized(item.text, language),
        help=None if item.help is None else localized(item.help, language),
        required=item.required,
        repeats=item.repeats,
        options=tuple(
            ShownOption(code=option.code, text=localized(option.text, language))
            for option in item.answer_option
        ),
        min_length=item.min_length,
        max_length=item.max_length,
        min_value=item.min_value,
        max_value=item.max_value,
        min_occurs=item.min_occurs,
        max_occurs=item.max_occurs,
        identifier=item.identifier,
        items=tuple(shown_item(each, language) for each in item.item),
    )


def those_asked(
    items: Iterable[ShownItem], asked: Collection[str], depended_on: Collection[str]
) -> tuple[ShownItem, ...]:
    """Those of the items, and of what is in them, that are asked; no group without a question."""
    found = (
        item.model_copy(
            update={
                "items": those_asked(item.items, asked, depended_on),
                "others_depend": item.link_id in depended_on,
            }
        )
        for item in items
        if item.link_id in asked
    )
    return tuple(item for item in found if item.items or item.type is not ItemType.GROUP)


def answers_shown(form: Questionnaire, answers: Answers, language: str) -> tuple[AnswerShown, ...]:
    """The answers to what is asked, in words, in the order of the document."""
    return tuple(
        AnswerShown(
            link_id=link_id,
            page=form.pages[link_id],
            question=localized(form.items[link_id].text, language),
            values=tuple(in_words(form.items[link_id], value, language) for value in values),
        )
        for link_id, values in kept(form, answers).items()
    )


def recorded_answers(form: Questionnaire, answers: Answers, language: str) -> tuple[Answer, ...]:
    """The same, as a ticket keeps them."""
    return tuple(
        Answer(each.link_id, each.question, each.values) for each in answers_shown(form, answers, language)
    )


def in_words(item: Item, value: str, language: str) -> str:
    """An answer as people read it: a choice by its text."""
    match item.type:
        case ItemType.CHOICE if value in item.options:
            return localized(item.options[value].text, language)
        case ItemType.BOOLEAN if value in _BOOLEANS:
            return localized(dict(_BOOLEANS[value]), language)
        case _:
            return value


def identifiers(form: Questionnaire, answers: Answers, *first: Identifier) -> tuple[Identifier, ...]:
    """`first`, and the answers that are identifiers; each once, and those that an identifier can hold."""
    asked = (
        Identifier(kind, value)
        for link_id, values in kept(form, answers).items()
        if (kind := form.items[link_id].identifier) is not None
        for value in values
        if _can_identify(value)
    )
    return tuple(dict.fromkeys((*first, *asked)))[:MAX_IDENTIFIERS]


def _can_identify(value: str) -> bool:
    try:
        check_line(value)
    except PydanticCustomError:
        return False
    return len(value) <= MAX_IDENTIFIER_CHARACTERS


def ticket_title(form: Questionnaire, answers: Answers, language: str, *, otherwise: str) -> str:
    """The questionnaire's title for tickets with the answers in it, or `otherwise`. In one line, cut."""
    if form.ticket_title is None:
        return cut(otherwise)
    said = {each.link_id: ", ".join(each.values) for each in answers_shown(form, answers, language)}
    template = localized(form.ticket_title, language)
    return cut(_PLACEHOLDER.sub(lambda found: said.get(found[1], ""), template)) or cut(otherwise)


def cut(text: str) -> str:
    """One line of at most as many characters as a title may have; what is too long ends with a whole word."""
    line = " ".join(text.split())
    if len(line) <= MAX_TITLE_CHARACTERS:
        return line
    words, _, _ = line[:MAX_TITLE_CHARACTERS].rpartition(" ")
    whole = len(words) >= MAX_TITLE_CHARACTERS // 2  # else one word is most of it
    return f"{words if whole else line[: MAX_TITLE_CHARACTERS - 1].rstrip()}…"


def first_line(message: str) -> str:
    """The first line of a message that says anything."""
    return next((line for line in message.splitlines() if line.strip()), message)
