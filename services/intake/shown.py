"""Drafts and pages as callers see them: in the draft's language, with what was answered so far. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.attachments.files import Attachment
from contracts.intake import requests
from contracts.intake.requests import ItemType
from services.intake import content, pages
from services.intake.drafts import Draft, Kept
from services.intake.evaluator import Answers
from services.intake.questionnaire import Item, Questionnaire, localized


def page(
    questionnaire: Questionnaire,
    answers: Answers,
    link_id: str | None,
    language: str,
    files: Mapping[str, Attachment],
) -> requests.ShownPage | None:
    """The page with this item, or where it is gone the one after it; None: there is none, so the review."""
    if link_id is None or link_id not in questionnaire.items:
        return None
    found = pages.pages(questionnaire, answers)
    at = questionnaire.pages[link_id]
    wanted = pages.page_of(found, at) or pages.after(questionnaire, found, at)
    if wanted is None:
        return None
    return requests.ShownPage(
        link_id=wanted.link_id,
        item=_item(wanted.item, wanted.shown, answers, language, files, questionnaire.depended_on),
        number=found.index(wanted) + 1,
        of=len(found),
    )


def _item(
    item: Item,
    showing: frozenset[str],
    answers: Answers,
    language: str,
    files: Mapping[str, Attachment],
    depended_on: frozenset[str],
) -> requests.ShownItem:
    values = answers.get(item.link_id, ())
    return content.shown_item(item, language).model_copy(
        update={
            "values": values,
            "others_depend": item.link_id in depended_on,
            "attachments": tuple(files[value] for value in values if value in files)
            if item.type is ItemType.ATTACHMENT
            else (),
            "items": tuple(
                _item(child, showing, answers, language, files, depended_on)
                for child in item.item
                if child.link_id in showing
            ),
        }
    )


def draft(
    kept: Kept, questionnaire: Questionnaire, at: str | None, files: Mapping[str, Attachment]
) -> requests.DraftShown:
    """The draft with one of its pages."""
    return requests.DraftShown(
        **_summary(kept.draft, kept.revision, questionnaire),
        page=page(questionnaire, kept.draft.answers, at, kept.draft.language, files),
    )


def summary(kept: Kept, questionnaire: Questionnaire) -> requests.DraftSummary:
    """The draft as one line of a list."""
    return requests.DraftSummary(**_summary(kept.draft, kept.revision, questionnaire))


def review(
    kept: Kept,
    questionnaire: Questionnaire,
    *,
    ticket_title: str,
    answers: tuple[requests.AnswerShown, ...],
    dropped: tuple[requests.AnswerShown, ...],
    problems: tuple[requests.Problem, ...],
) -> requests.DraftReview:
    """The draft for a last look."""
    return requests.DraftReview(
        **_summary(kept.draft, kept.revision, questionnaire),
        ticket_title=ticket_title,
        answers=answers,
        dropped=dropped,
        problems=problems,
    )


def _summary(draft: Draft, revision: int, questionnaire: Questionnaire) -> dict[str, Any]:
    return {
        "draft": draft.draft,
        "account": draft.account,
        "revision": revision,
        "questionnaire": draft.questionnaire,
        "title": localized(questionnaire.title, draft.language),
        "topic": questionnaire.topic,
        "language": draft.language,
        "message": draft.message,
        "started_at": draft.started_at,
        "updated_at": draft.updated_at,
        "expires_at": draft.expires_at,
        "follows": draft.follows,
    }
