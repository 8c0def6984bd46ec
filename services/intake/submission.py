"""The submission that a draft becomes. Pure, but for the date of today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final

from pydantic_core import to_json

from contracts.attachments.files import Attachment
from contracts.intake.requests import AnswerShown
from contracts.number import is_number, shown
from contracts.reference import is_reference, parse_reference
from services.intake import content, domain
from services.intake.drafts import Draft
from services.intake.questionnaire import Questionnaire
from services.runtime.errors import Malformed

MAX_SUBMISSION_BYTES: Final = 850 * 1024
"""As JSON: with what an event says beside it, it still fits into a message of 1 MiB."""

REFERENCE: Final = "reference"
"""The kind of identifier under which a person quotes an earlier e-mail or ticket."""


def today() -> date:
    """The date in UTC, by which dates are compared."""
    return datetime.now(UTC).date()


def command_id(draft: str) -> str:
    """The id under which a draft is submitted, by whichever request: there is one submission of it."""
    return f"submit.{draft}"


def submitted(
    draft: Draft, questionnaire: Questionnaire, files: Mapping[str, Attachment], *, at: datetime
) -> domain.Submitted:
    """What goes on record. The draft must have no problems."""
    language, answers = draft.language, draft.answers
    names = {each.id: each.name for each in files.values()}
    said = worded(content.answers_shown(questionnaire, answers, language), names)
    found = content.identifiers(questionnaire, answers)
    return domain.Submitted(
        command_id=command_id(draft.draft),
        at=at,
        id=draft.draft,
        account=draft.account,
        questionnaire=draft.questionnaire,
        topic=questionnaire.topic,
        language=language,
        by=domain.Actor(draft.actor.kind.value, draft.actor.id),
        title=content.ticket_title(
            questionnaire, answers, language, otherwise=content.first_line(draft.message)
        ),
        message=draft.message,
        answers=tuple(domain.Answer(each.link_id, each.question, each.values) for each in said),
        identifiers=tuple(
            dict.fromkeys(domain.Identifier(each.kind, _spelled(each.kind, each.value)) for each in found)
        ),
        attachments=tuple(
            domain.Attachment(each.id, each.name, each.media_type, each.size, each.sha256)
            for each in files.values()
        ),
        follows=draft.follows,
    )


def check_fits(fact: domain.Submitted) -> None:
    """Raises Malformed: with its questions it is too long for an event."""
    size = len(to_json(fact))
    if size > MAX_SUBMISSION_BYTES:
        raise Malformed("answers", "answers_too_long", {"size": size, "limit": MAX_SUBMISSION_BYTES})


def worded(answers: Iterable[AnswerShown], names: Mapping[str, str]) -> tuple[AnswerShown, ...]:
    """The answers with the names of files in place of their ids."""
    return tuple(
        each.model_copy(update={"values": tuple(names.get(value, value) for value in each.values)})
        for each in answers
    )


def _spelled(kind: str, value: str) -> str:
    """A reference ID or ticket number as it is shown, however it was typed; anything else as it was typed."""
    if kind != REFERENCE:
        return value
    if is_reference(value):
        return parse_reference(value)
    return shown(value) if is_number(value) else value
