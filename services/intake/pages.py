"""One thing per page: a question, or a group that belongs together. Pure, as `evaluator`.

A page is an item of the top level. One on which nothing is asked or shown now is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.intake.evaluator import Answers, enabled
from services.intake.questionnaire import Item, Questionnaire


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is now. `asked` are the linkIds of its questions, in the order of the document."""

    item: Item
    asked: tuple[str, ...]
    shown: frozenset[str]

    @property
    def link_id(self) -> str:
        return self.item.link_id


def pages(questionnaire: Questionnaire, answers: Answers) -> tuple[Page, ...]:
    """The pages to be gone through with these answers, in their order."""
    showing = enabled(questionnaire, answers)
    below: dict[str, list[str]] = {item.link_id: [] for item in questionnaire.item}
    for link_id, item in questionnaire.items.items():
        if link_id in showing and not item.item:
            below[questionnaire.pages[link_id]].append(link_id)
    return tuple(
        Page(
            item=item,
            asked=tuple(each for each in below[item.link_id] if questionnaire.items[each].is_answered),
            shown=showing,
        )
        for item in questionnaire.item
        if below[item.link_id]
    )


def page_of(found: tuple[Page, ...], link_id: str) -> Page | None:
    """The page with this linkId, if it is one of them now."""
    return next((page for page in found if page.link_id == link_id), None)


def after(questionnaire: Questionnaire, found: tuple[Page, ...], link_id: str) -> Page | None:
    """The first page that comes after the one with this linkId, which may not be there any more."""
    order = [item.link_id for item in questionnaire.item]
    later = set(order[order.index(link_id) + 1 :])
    return next((page for page in found if page.link_id in later), None)


def before(questionnaire: Questionnaire, found: tuple[Page, ...], link_id: str | None) -> Page | None:
    """The last page before the one with this linkId; None: before the review."""
    order = [item.link_id for item in questionnaire.item]
    earlier = set(order if link_id is None else order[: order.index(link_id)])
    return next((page for page in reversed(found) if page.link_id in earlier), None)
