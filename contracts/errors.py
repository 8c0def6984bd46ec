"""What a service answers when it does not do what was asked.

Four kinds, each with its status in `Nats-Service-Error-Code` (NATS ADR-32; the numbers are HTTP's):

    refused      a rule said no           409, 404 (no such thing here), 403 (may not)
    malformed    it does not parse        400, with the fields and the rules that they break
    unavailable  try again, same command  503, nothing is known to have happened
    internal     a fault of ours          500, logged there
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

STATUS_HEADER: Final = "Nats-Service-Error-Code"


class ErrorKind(StrEnum):
    """What the caller can do about it: nothing, mend the request, send it again, tell us."""

    REFUSED = "refused"
    MALFORMED = "malformed"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class FieldError(BaseModel):
    """One field that breaks one rule."""

    model_config = ConfigDict(frozen=True)

    field: Annotated[str, Field(description="Path from the top, dots between; empty: the whole document")]
    rule: str
    message: Annotated[
        str,
        Field(
            description="In English, of an answer to a questionnaire in the draft's language; "
            "`contracts.wording` has all of them"
        ),
    ]
    data: dict[str, str | int | float | bool] = {}


class ErrorReply(BaseModel):
    """The payload of every answer that has a `Nats-Service-Error-Code`."""

    model_config = ConfigDict(frozen=True)

    kind: ErrorKind
    status: int
    code: Annotated[str, Field(description="Stable name of the reason: ticket_is_closed")]
    message: Annotated[str, Field(description="In English; `contracts.wording` has the other languages")]
    data: dict[str, str | int | float | bool] = {}
    fields: tuple[FieldError, ...] = ()
