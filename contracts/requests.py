"""What all requests to services have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.envelope import Actor, Via
from contracts.text import AccountId, CommandId

Position = Annotated[int, Field(ge=0, lt=2**63)]
"""A sequence of a JetStream stream; 0 is before the first event."""


class Sent(BaseModel):
    """A model that a caller sends: types are strict, and a field that is not known is an error.

    What was sent is kept out of error texts, here and in all models: these end up in logs.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Answered(BaseModel):
    """A model that a service answers: callers ignore fields that they do not know."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class SentActor(Actor, Sent):  # the last one's configuration holds: strict, no unknown fields
    """Who acts, as a caller says it."""


class Command(Sent):
    """Asks for a change. The same `command_id` again has the same answer, and one effect."""

    command_id: CommandId
    account: AccountId
    actor: SentActor
    via: Via = Via.API
    correlation_id: CommandId | None = None


class Query(Sent):
    """Asks for a picture that holds at least everything up to a position of the log.

    `actor` came after the first queries, so the model does without it; the services refuse who does not say
    who asks (`actor_missing`).
    """

    actor: SentActor | None = None
    at_least: Position = 0
