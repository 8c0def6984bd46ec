"""The submission that a confirmed interest form becomes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from contracts.envelope import ActorKind
from contracts.intake.requests import SERVICE, PendingInterest
from services.intake import content
from services.intake.domain import Actor, Identifier, Submitted
from services.intake.questionnaire import Questionnaire, localized
from services.runtime.ids import derived_id

NOBODY: Final = Actor(ActorKind.SYSTEM.value, SERVICE)
"""Whoever expressed the interest has no account, so the service itself acts."""

_NOTHING_SAID: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "A company would like to become a partner. Its answers stand below.",
        "pl": "Firma chce zostać partnerem. Jej odpowiedzi znajdują się poniżej.",
    }
)


def submission_id(reference: str) -> str:
    """Follows from the reference."""
    return derived_id("interest", reference)


def submitted(form: Questionnaire, interest: PendingInterest, *, account: str, at: datetime) -> Submitted:
    """What is put on record. The command is the interest itself, however often it is confirmed."""
    answers, language = interest.answers, interest.language
    said = () if form.message_item is None else answers.get(form.message_item, ())
    return Submitted(
        command_id=f"interest.{interest.reference}",
        at=at,
        id=interest.submission,
        account=account,
        questionnaire=interest.questionnaire,
        topic=form.topic,
        language=language,
        by=NOBODY,
        title=content.ticket_title(form, answers, language, otherwise=localized(form.title, language)),
        message=said[0] if said else localized(dict(_NOTHING_SAID), language),
        answers=content.recorded_answers(form, answers, language),
        identifiers=content.identifiers(form, answers, *_known_by(interest)),
    )


def _known_by(interest: PendingInterest) -> tuple[Identifier, ...]:
    reference, email = Identifier("reference", interest.reference), Identifier("email", interest.email)
    if len(interest.email) > content.MAX_IDENTIFIER_CHARACTERS:  # the answers have it
        return (reference,)
    return reference, email
