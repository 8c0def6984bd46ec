"""Between the contract and the domain: facts become events, and back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from pydantic import ValidationError

from contracts.access.events import PLATFORM
from contracts.envelope import Via, format_time
from contracts.intake import events as wire
from services.intake import domain
from services.runtime.errors import Unavailable

SOURCE = "/casetrail/intake"

IntakeFact = domain.Published | domain.Retired | domain.Submitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What an event says beside its fact. `event_id` is a UUIDv7."""

    event_id: str
    subject: str
    revision: int
    via: Via
    actor: domain.Actor
    correlation_id: str
    traceparent: str | None


def event(fact: IntakeFact, circumstances: Circumstances) -> dict[str, Any]:
    """The event that puts the fact on record, as the JSON object that its contract describes."""
    tag, data = _type_and_data(fact)
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": circumstances.event_id,
        "source": SOURCE,
        "subject": circumstances.subject,
        "time": format_time(fact.at),
        "datacontenttype": "application/json",
        "account": fact.account if isinstance(fact, domain.Submitted) else PLATFORM,
        "revision": circumstances.revision,
        "actor": f"{circumstances.actor.kind}:{circumstances.actor.id}",
        "via": circumstances.via.value,
        "commandid": fact.command_id,
        "correlationid": circumstances.correlation_id,
        "traceparent": circumstances.traceparent,
        "type": tag,
        "data": data,
    }
    if circumstances.traceparent is None:
        del document["traceparent"]
    return document


def _type_and_data(fact: IntakeFact) -> tuple[str, dict[str, Any]]:
    match fact:
        case domain.Published():
            published = {
                "questionnaire": fact.canonical,
                "sha256": fact.sha256,
                "document": dict(fact.document),
            }
            return "casetrail.questionnaire.published.v1", published
        case domain.Retired():
            return "casetrail.questionnaire.retired.v1", {"questionnaire": fact.canonical}
        case domain.Submitted():
            return "casetrail.submission.submitted.v1", _submitted(fact)
        case _:
            assert_never(fact)


def _submitted(fact: domain.Submitted) -> dict[str, Any]:
    data: dict[str, Any] = {
        "questionnaire": fact.questionnaire,
        "topic": fact.topic,
        "language": fact.language,
        "submitted_by": {"kind": fact.by.kind, "id": fact.by.id},
    }
    if fact.follows is not None:
        data["follows"] = fact.follows
    data["content"] = {
        "title": fact.title,
        "message": fact.message,
        "identifiers": [{"kind": each.kind, "value": each.value} for each in fact.identifiers],
        "answers": [
            {"link_id": each.link_id, "question": each.question, "values": list(each.values)}
            for each in fact.answers
        ],
        "attachments": [
            {
                "id": each.id,
                "name": each.name,
                "media_type": each.media_type,
                "size": each.size,
                "sha256": each.sha256,
            }
            for each in fact.attachments
        ],
    }
    return data


# Events to facts


def read_version_fact(_tag: str, stored: bytes) -> domain.VersionFact:
    """Today's fact out of an event of any version. Raises Unavailable as `read_event`."""
    fact = _fact(read_event(stored))
    if isinstance(fact, domain.Submitted):
        raise TypeError("a submission is no fact of a questionnaire")
    return fact


def read_submission_fact(_tag: str, stored: bytes) -> domain.Submitted:
    """Today's fact out of an event of any version. Raises Unavailable as `read_event`."""
    fact = _fact(read_event(stored))
    if not isinstance(fact, domain.Submitted):
        raise TypeError("a fact of a questionnaire is no submission")
    return fact


def read_event(stored: bytes) -> wire.AnyIntakeEvent:
    """The event that was stored.

    Raises:
        Unavailable: `event_unknown`; a newer version of the service wrote it, as in a rolling upgrade.
    """
    try:
        return wire.parse_intake_event(stored)
    except ValidationError as error:
        raise Unavailable("event_unknown") from error


def _fact(event: wire.AnyIntakeEvent) -> IntakeFact:
    command_id, at = event.commandid, event.time
    match event:
        case wire.QuestionnairePublishedV1(data=published):
            return domain.Published(
                command_id=command_id,
                at=at,
                canonical=published.questionnaire,
                sha256=published.sha256,
                document=published.document,
            )
        case wire.QuestionnaireRetiredV1(data=retired):
            return domain.Retired(command_id=command_id, at=at, canonical=retired.questionnaire)
        case wire.SubmittedV1(data=data):
            content = data.content
            return domain.Submitted(
                command_id=command_id,
                at=at,
                id=event.subject,
                account=event.account,
                questionnaire=data.questionnaire,
                topic=data.topic,
                language=data.language,
                by=domain.Actor(data.submitted_by.kind.value, data.submitted_by.id),
                title=content.title,
                message=content.message,
                answers=tuple(domain.Answer(a.link_id, a.question, a.values) for a in content.answers),
                identifiers=tuple(domain.Identifier(i.kind, i.value) for i in content.identifiers),
                attachments=tuple(
                    domain.Attachment(a.id, a.name, a.media_type, a.size, a.sha256)
                    for a in content.attachments
                ),
                follows=data.follows,
            )
        case _:
            assert_never(event)
