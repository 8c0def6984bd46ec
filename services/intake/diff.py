"""What changed between two versions of a questionnaire, in words for whoever reviews the change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.intake.questionnaire import Item, Questionnaire

_ALONE: Final = frozenset({"item", "linkId"})
_OF_THE_WHOLE: Final = frozenset({"item", "status"})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `where` is a linkId, or empty for the questionnaire as a whole."""

    where: str
    what: str
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        place = self.where or "questionnaire"
        if self.before is None and self.after is None:
            return f"{place}: {self.what}"
        return f"{place}: {self.what}: {_or_nothing(self.before)} -> {_or_nothing(self.after)}"


def diff(before: Questionnaire, after: Questionnaire) -> tuple[Change, ...]:
    """The differences, of the whole first, then item by item in the order of the new version."""
    return tuple(_differences(before, after))


def _differences(before: Questionnaire, after: Questionnaire) -> Iterator[Change]:
    old, new = before.document(), after.document()
    yield from _of_fields("", old, new, _OF_THE_WHOLE)
    for link_id, item in after.items.items():
        earlier = before.items.get(link_id)
        if earlier is None:
            yield Change(link_id, f"new {item.type.value}")
            continue
        if before.parents.get(link_id) != after.parents.get(link_id):
            groups = before.parents.get(link_id), after.parents.get(link_id)
            yield Change(link_id, "moved to another group", *groups)
        yield from _of_fields(link_id, _document(earlier), _document(item), _ALONE)
    for link_id in before.items:
        if link_id not in after.items:
            yield Change(link_id, "removed")
    if _order(before, after) != _order(after, before):
        yield Change("", "the items are in another order")


def _of_fields(
    where: str, before: Mapping[str, Any], after: Mapping[str, Any], but_for: frozenset[str]
) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if name in but_for or old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from (
                Change(where, f"{name}.{key}", _spelled(old.get(key)), _spelled(new.get(key)))
                for key in dict.fromkeys((*old, *new))
                if old.get(key) != new.get(key)
            )
        elif name == "answerOption":
            yield from _of_options(where, old or [], new or [])
        else:
            yield Change(where, name, _spelled(old), _spelled(new))


def _of_options(where: str, before: list[Any], after: list[Any]) -> Iterator[Change]:
    old = {option["code"]: option["text"] for option in before}
    new = {option["code"]: option["text"] for option in after}
    for code in dict.fromkeys((*old, *new)):
        if code not in old:
            yield Change(where, f"new option {code}")
        elif code not in new:
            yield Change(where, f"option {code} removed")
        elif old[code] != new[code]:
            yield Change(where, f"option {code}", _spelled(old[code]), _spelled(new[code]))
    if [code for code in old if code in new] != [code for code in new if code in old]:
        yield Change(where, "the options are in another order")


def _order(first: Questionnaire, second: Questionnaire) -> list[str]:
    return [link_id for link_id in first.items if link_id in second.items]


def _document(item: Item) -> dict[str, Any]:
    return item.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _spelled(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_spelled(each)}" for key, each in value.items())
    if isinstance(value, list):
        return "; ".join(str(_spelled(each)) for each in value)
    return str(value)


def _or_nothing(value: str | None) -> str:
    return "nothing" if value is None else repr(value)
