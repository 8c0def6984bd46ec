"""The events of intake, version 1: questionnaires as they were published, and what was submitted.

How to change this file: see the rules of evolution in `contracts/__init__.py`. A submission has one event,
and the ticket service opens a ticket from it. Events of questionnaires have `platform` as their account.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter

from contracts.access.people import LanguageTag
from contracts.attachments.files import MAX_ATTACHMENTS, Attachment, Sha256
from contracts.envelope import Actor, Envelope, Published
from contracts.number import TicketNumber
from contracts.text import Body, Code, ShortLine, Title
from contracts.tickets.events import MAX_ANSWERS, MAX_IDENTIFIERS, Answer, Identifier

QuestionnaireId = Annotated[str, Field(pattern="^[a-z0-9]{26}$")]
"""Follows from `url|version`: safe as a token of a subject."""

Canonical = Annotated[ShortLine, Field(description="url|version, as in FHIR")]


class QuestionnairePublished(Published):
    """A version of a questionnaire as it stays: what was answered can always be read with it."""

    questionnaire: Canonical
    sha256: Annotated[Sha256, Field(description="Of the document as canonical JSON, but for its status")]
    document: Annotated[dict[str, Any], Field(description="The questionnaire in Casetrail's own format")]


class QuestionnaireRetired(Published):
    """A version is not offered any more. Drafts that were begun with it may still be submitted."""

    questionnaire: Canonical


class SubmittedContent(Published):
    """What may be personal in a submission."""

    title: Title
    message: Body
    identifiers: Annotated[tuple[Identifier, ...], Field(max_length=MAX_IDENTIFIERS)] = ()
    answers: Annotated[tuple[Answer, ...], Field(max_length=MAX_ANSWERS)] = ()
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=MAX_ATTACHMENTS)] = ()


class Submitted(Published):
    """Somebody answered a questionnaire and asked for a ticket."""

    questionnaire: Canonical
    topic: Code
    language: LanguageTag
    submitted_by: Actor
    follows: Annotated[TicketNumber | None, Field(description="The ticket that this one follows up")] = None
    content: SubmittedContent


class QuestionnairePublishedV1(Envelope):
    """Event: a version of a questionnaire may be answered from now on."""

    type: Literal["casetrail.questionnaire.published.v1"] = "casetrail.questionnaire.published.v1"
    data: QuestionnairePublished


class QuestionnaireRetiredV1(Envelope):
    """Event: a version of a questionnaire is not offered any more."""

    type: Literal["casetrail.questionnaire.retired.v1"] = "casetrail.questionnaire.retired.v1"
    data: QuestionnaireRetired


class SubmittedV1(Envelope):
    """Event: somebody asked for a ticket. The envelope's subject is the submission's id."""

    type: Literal["casetrail.submission.submitted.v1"] = "casetrail.submission.submitted.v1"
    data: Submitted


AnyIntakeEvent = QuestionnairePublishedV1 | QuestionnaireRetiredV1 | SubmittedV1
IntakeEvent = Annotated[AnyIntakeEvent, Field(discriminator="type")]


class RecordedIntakeEvent(NamedTuple):
    """An event and where it stands in the log."""

    position: int
    event: AnyIntakeEvent


_ADAPTER: Final[TypeAdapter[AnyIntakeEvent]] = TypeAdapter(
    IntakeEvent, config=ConfigDict(hide_input_in_errors=True)
)


def parse_intake_event(payload: bytes | str) -> AnyIntakeEvent:
    """The event in a message's payload.

    Raises:
        pydantic.ValidationError: not an event of intake that this version of the contract knows.
    """
    return _ADAPTER.validate_json(payload)
