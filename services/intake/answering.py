"""Taking in the answers to a page, and what a draft says as a whole: pure, but for whose a file is.

A page may ask more once it is answered: then it comes again with what is new on it, and nobody is told off
for questions that were not there to be answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from contracts import wording
from contracts.attachments.files import MAX_ATTACHMENTS, Attachment
from contracts.errors import FieldError
from contracts.intake.requests import MAX_SENT_BYTES, AnswerShown, ItemType, Problem
from contracts.wording import LANGUAGES, Language
from services.intake import content, evaluator, pages
from services.intake.evaluator import Answers, is_file_id
from services.intake.questionnaire import Questionnaire, localized
from services.runtime.errors import Malformed, RequestInvalid

FindUpload = Callable[[str], Awaitable[Attachment | None]]
"""The file of this id, if the person whose draft it is has uploaded it for the account."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers of a draft after a page was answered, and the page to go on with; None: the review."""

    answers: dict[str, tuple[str, ...]]
    page: str | None


async def answer_page(
    questionnaire: Questionnaire,
    before: Answers,
    page: str,
    sent: Mapping[str, Sequence[str]],
    *,
    language: str,
    today: date,
    find_upload: FindUpload,
) -> Answered:
    """Take in what was sent for a page. Questions that were asked there and are left out have no answer.

    Raises:
        Malformed: there is no such page now, or the draft would become too long.
        RequestInvalid: names every question of the page whose answer is not as it should be.
    """
    shown = pages.page_of(pages.pages(questionnaire, before), page)
    if shown is None:
        raise Malformed("page", "answer_not_asked")
    on_page = [link_id for link_id, of in questionnaire.pages.items() if of == page]
    strangers = [
        evaluator.Problem(link_id, "answer_not_asked")
        for link_id in sent
        if link_id not in on_page or not questionnaire.items[link_id].is_answered
    ]
    if strangers:
        raise RequestInvalid(field_errors(questionnaire, strangers, language))
    answered = {*sent, *shown.asked}
    answers = dict(before) | {
        link_id: evaluator.normalised(questionnaire.items[link_id], sent.get(link_id, ()), today=today)[0]
        for link_id in answered
    }
    answers = {link_id: values for link_id, values in answers.items() if values}
    problems = [*evaluator.problems(questionnaire, answers, today=today, only=answered)]
    problems += await _of_files(questionnaire, answers, answered, find_upload)
    if problems:
        raise RequestInvalid(field_errors(questionnaire, problems, language))
    check_size(answers)
    return Answered(answers, _next(questionnaire, answers, page, answered))


def _next(questionnaire: Questionnaire, answers: Answers, page: str, answered: set[str]) -> str | None:
    found = pages.pages(questionnaire, answers)
    same = pages.page_of(found, page)
    if same is not None and not answered.issuperset(same.asked):
        return page
    following = pages.after(questionnaire, found, page)
    return None if following is None else following.link_id


async def files(
    questionnaire: Questionnaire, answers: Answers, find_upload: FindUpload
) -> dict[str, Attachment]:
    """The files that the answers to what is asked name, by their ids; those that are gone are left out."""
    found: dict[str, Attachment] = {}
    for link_id, values in evaluator.kept(questionnaire, answers).items():
        if questionnaire.items[link_id].type is ItemType.ATTACHMENT:
            for value in values:
                attachment = await find_upload(value)
                if attachment is not None:
                    found[value] = attachment
    return found


async def problems(
    questionnaire: Questionnaire, answers: Answers, *, today: date, find_upload: FindUpload
) -> list[evaluator.Problem]:
    """What stands in the way of submitting these answers."""
    found = [*evaluator.problems(questionnaire, answers, today=today)]
    return found + await _of_files(questionnaire, answers, set(questionnaire.items), find_upload)


async def _of_files(
    questionnaire: Questionnaire, answers: Answers, only: set[str], find_upload: FindUpload
) -> list[evaluator.Problem]:
    found: list[evaluator.Problem] = []
    count = 0
    for link_id, values in evaluator.kept(questionnaire, answers).items():
        if questionnaire.items[link_id].type is not ItemType.ATTACHMENT:
            continue
        count += len(values)
        known = [is_file_id(value) and await find_upload(value) is not None for value in values]
        if link_id in only and not all(known) and all(map(is_file_id, values)):
            found.append(evaluator.Problem(link_id, "answer_not_a_file"))
        if count > MAX_ATTACHMENTS:
            data = {"count": count, "limit": MAX_ATTACHMENTS}
            found.append(evaluator.Problem(link_id, "answer_too_many_files", data))
    return found


def check_size(answers: Answers) -> None:
    """Raises Malformed: a ticket could not hold so much."""
    size = sum(len(text.encode()) for values in answers.values() for text in values)
    if size > MAX_SENT_BYTES:
        raise Malformed("answers", "answers_too_long", {"size": size, "limit": MAX_SENT_BYTES})


def field_errors(
    questionnaire: Questionnaire, found: Sequence[evaluator.Problem], language: str
) -> tuple[FieldError, ...]:
    """The problems as a caller is told of them: in the draft's language, `item` being the question."""
    return tuple(
        FieldError(
            field=f"answers.{problem.link_id}",
            rule=problem.rule,
            message=wording.rule(problem.rule, problem.data, spoken(language)),
            data={**problem.data, "item": _question(questionnaire, problem.link_id, language)},
        )
        for problem in found
    )


def problems_shown(
    questionnaire: Questionnaire, found: Sequence[evaluator.Problem], language: str
) -> tuple[Problem, ...]:
    """The problems as the review shows them."""
    return tuple(
        Problem(
            link_id=problem.link_id,
            page=questionnaire.pages[problem.link_id],
            question=_question(questionnaire, problem.link_id, language),
            rule=problem.rule,
            data=dict(problem.data),
        )
        for problem in found
    )


def dropped_shown(
    questionnaire: Questionnaire, answers: Answers, language: str, names: Mapping[str, str]
) -> tuple[AnswerShown, ...]:
    """The answers that the ticket will not have, in words."""
    return tuple(
        AnswerShown(
            link_id=link_id,
            page=questionnaire.pages[link_id],
            question=localized(questionnaire.items[link_id].text, language),
            values=tuple(
                names.get(value) or content.in_words(questionnaire.items[link_id], value, language)
                for value in values
            ),
        )
        for link_id, values in evaluator.dropped(questionnaire, answers).items()
    )


def spoken(language: str) -> Language:
    """The language that rules have words in: the wanted one, or English."""
    return next((each for each in LANGUAGES if each == language), "en")


def _question(questionnaire: Questionnaire, link_id: str, language: str) -> str:
    item = questionnaire.items.get(link_id)
    return link_id if item is None else localized(item.text, language)
