"""The envelope of every event: CloudEvents 1.0 in structured JSON mode.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md. The whole
document is one message's payload, so that a replay, an export and a hash are all over the same bytes.
Extension attributes have lower-case names without separators, as the specification demands. Nothing
personal stands in the envelope: names, addresses and texts are under `data.content` only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_snake
from pydantic_core import PydanticCustomError

from contracts.text import AccountId, CommandId, PersonId

CONTENT_TYPE: Final = "application/cloudevents+json"


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with exactly six digits of seconds, so that text order is time order."""
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # year 1 or 9999, and an offset that leads out of it
        raise PydanticCustomError(
            "time_out_of_range", "must be between the years 1 and 9999 in UTC"
        ) from error


Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(_in_utc),
    PlainSerializer(
        format_time, return_type=Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    ),
]
"""A moment in UTC, to the microsecond."""

TraceParent = Annotated[str, Field(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]
"""W3C Trace Context, level 1."""


class Via(StrEnum):
    """The way by which something came in."""

    PORTAL = "portal"
    EMAIL = "email"
    DESK = "desk"
    API = "api"


class ActorKind(StrEnum):
    """In which capacity somebody acts."""

    MEMBER = "member"  # a person of a partner's account
    AGENT = "agent"  # a support agent of the platform
    SYSTEM = "system"  # a program


class Published(BaseModel):
    """A model that stands in the log. Readers ignore fields that they do not know."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Actor(Published):
    """Who did something. The id is a pseudonym; the access log knows the person."""

    kind: ActorKind
    id: PersonId


class Envelope(Published):
    """The attributes that every event has; a concrete event adds `type` and `data`."""

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=64, description="UUIDv7; also the Nats-Msg-Id")]
    source: Annotated[str, Field(min_length=1, max_length=128, description="The service that decided it")]
    subject: Annotated[str, Field(min_length=1, max_length=64, description="What it happened to")]
    time: Timestamp
    datacontenttype: Literal["application/json"] = "application/json"
    account: AccountId
    revision: Annotated[int, Field(ge=1, description="1, 2, 3... per subject, without gaps")]
    actor: Annotated[str, Field(pattern=r"^[a-z]+:.{1,64}$", description="<kind>:<id>")]
    via: Via
    commandid: CommandId
    correlationid: Annotated[str, Field(min_length=1, max_length=64)]
    traceparent: TraceParent | None = None


def schema_name(model: type[BaseModel]) -> str:
    """The name under which a model's JSON Schema is published."""
    return to_snake(model.__name__).replace("_", "-")
