"""Questions of a questionnaire as fields of a form: what was typed into them, what is wrong with it. Pure.

A question's field is called `a-` and its linkId; with `f-` files are chosen, `u-` names those that are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from contracts import wording
from contracts.client import Malformed
from contracts.errors import FieldError
from contracts.intake.requests import MAX_VALUES, ItemType, ShownItem
from services.portal import forms, uploads
from services.portal.forms import Problems
from services.portal.uploads import Uploaded

_NOT_ANSWERED: Final = frozenset({ItemType.GROUP, ItemType.DISPLAY})
_MANY_LINES: Final = frozenset(
    {ItemType.STRING, ItemType.INTEGER, ItemType.DECIMAL, ItemType.DATE, ItemType.URL, ItemType.EMAIL}
)


@dataclass(slots=True)
class Filled:
    """What stands in the fields, by linkId. Questions in `more` have one more empty field than they need."""

    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: dict[str, list[Uploaded]] = field(default_factory=dict)
    more: set[str] = field(default_factory=set)

    @classmethod
    def kept(cls, items: Iterable[ShownItem]) -> Filled:
        """As it was answered before."""
        filled = cls()
        for item in asked(items):
            if item.type is ItemType.ATTACHMENT:
                filled.files[item.link_id] = [Uploaded(file.id, file.name) for file in item.attachments]
            else:
                filled.values[item.link_id] = item.values
        return filled

    @classmethod
    def typed(cls, form: FormData, items: Iterable[ShownItem]) -> Filled:
        """As somebody sent it. Files that were chosen are not among it: `chosen` has them."""
        filled = cls()
        for item in asked(items):
            if item.type is ItemType.ATTACHMENT:
                filled.files[item.link_id] = uploads.kept(forms.texts(form, f"u-{item.link_id}"))
            else:
                texts = forms.texts(form, f"a-{item.link_id}")[:MAX_VALUES]
                filled.values[item.link_id] = tuple(text.replace("\r\n", "\n") for text in texts)
        return filled

    def answers(self) -> dict[str, tuple[str, ...]]:
        """What is to be answered with it: nothing that is empty."""
        said = {
            link_id: tuple(each for each in texts if each.strip()) for link_id, texts in self.values.items()
        }
        attached = {link_id: tuple(file.id for file in files) for link_id, files in self.files.items()}
        return {link_id: values for link_id, values in {**said, **attached}.items() if values}

    def rows(self, item: ShownItem) -> list[str]:
        """A text for each field of a question: those that were typed, and the empty ones that it needs."""
        texts = [each for each in self.values.get(item.link_id, ()) if each.strip()]
        if not item.repeats:
            return texts[:1] or [""]
        wanted = len(texts) + 1 if item.link_id in self.more or not texts else len(texts)
        return texts + [""] * (min(max(wanted, item.min_occurs or 1), most(item)) - len(texts))


def asked(items: Iterable[ShownItem]) -> Iterator[ShownItem]:
    """The questions among items and in their groups, in the order of the document."""
    for item in items:
        yield from asked(item.items)
        if item.type not in _NOT_ANSWERED:
            yield item


def has_rows(item: ShownItem) -> bool:
    """Whether several answers stand in fields of their own, rather than in one list to choose from."""
    return item.repeats and item.type in _MANY_LINES


def most(item: ShownItem) -> int:
    """How many answers a question takes."""
    return min(item.max_occurs or MAX_VALUES, MAX_VALUES) if item.repeats else 1


def chosen(form: FormData, items: Iterable[ShownItem]) -> dict[str, Sequence[UploadFile]]:
    """The files that were chosen now, by linkId."""
    return {
        item.link_id: found
        for item in asked(items)
        if item.type is ItemType.ATTACHMENT and (found := forms.files(form, f"f-{item.link_id}"))
    }


def hangs_on_change(items: Iterable[ShownItem], filled: Filled) -> bool:
    """Whether an answer on which other questions hang is another one than before."""
    answers = filled.answers()
    return any(
        item.others_depend and tuple(answers.get(item.link_id, ())) != item.values for item in asked(items)
    )


def add_broken(problems: Problems, malformed: Malformed, items: Iterable[ShownItem]) -> None:
    """What the service says of answers, each at its question; what is of no question here, of the form."""
    questions = {item.link_id: item for item in asked(items)}
    for broken in malformed.reply.fields:
        item = questions.get(broken.field.removeprefix("answers."))
        if item is not None:
            problems.add(item.link_id, told(item.text, broken.rule, broken.data, problems))
        else:
            problems.add("", _of_none(broken, problems))


def add_invalid(problems: Problems, invalid: ValidationError, items: Iterable[ShownItem]) -> None:
    """Answers that are none by the contract, such as one of a megabyte."""
    questions = {item.link_id: item for item in asked(items)}
    for error in invalid.errors(include_url=False, include_input=False):
        where = error["loc"][1] if len(error["loc"]) > 1 else ""
        item = questions.get(str(where))
        text = item.text if item is not None else ""
        problems.add(
            "" if item is None else item.link_id, told(text, error["type"], error.get("ctx", {}), problems)
        )


def told(question: str, rule: str, data: Mapping[str, object], problems: Problems) -> str:
    """A sentence about the answer to a question."""
    words = wording.rule(rule, data, problems.language)
    if not question:
        return f"{words[:1].upper()}{words[1:]}."
    if question.rstrip()[-1:] in {"?", ".", "!"}:
        return f"{question.rstrip()} {words[:1].upper()}{words[1:]}."
    return f"{question}: {words}."


def _of_none(broken: FieldError, problems: Problems) -> str:
    return told(str(broken.data.get("item", "")), broken.rule, broken.data, problems)
