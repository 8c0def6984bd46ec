"""Dead letters: events that a subscriber gave up on, read from their stream; its service handles them again.

A retry publishes no event again and touches no consumer: the service reads the event where it stands, handles
it, and notes that beside the letter. If the note is lost, the letter is listed still, and retried again.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Final

import nats.errors
from nats.aio.client import Client
from pydantic import Field

from contracts.client import call
from contracts.dead_letters import (
    DELIVERIES_HEADER,
    LETTER_HEADER,
    POSITION_HEADER,
    REASON_HEADER,
    RETRIED_HEADER,
    EventRetried,
    RetryEvent,
    letter_id,
    retry_request,
)
from contracts.errors import ErrorKind
from contracts.requests import Sent
from contracts.subjects import DEAD_LETTERS, OUTSIDE_DOMAIN, dead_letter
from services.cli import arguments
from services.cli.connect import connected
from services.cli.failures import Failure, checked, failed, run
from services.cli.output import print_json, visible
from services.cli.words import say

_READ_WITHIN_S: Final = 5.0
_RETRY_WITHIN_S: Final = 30.0
_NO_MESSAGE: Final = 10037


class _Wanted(Sent):
    """The arguments that are checked."""

    letters: Annotated[tuple[Annotated[int, Field(ge=1, lt=2**63)], ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter. `letter` is its number; `position` is that of the event in its stream."""

    letter: int
    service: str
    subscriber: str
    stream: str
    position: int
    deliveries: int
    reason: str
    at: str
    retried: bool = False


def show(*, every: bool, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        async with connected() as nc:
            letters = [each for each in await every_letter(nc) if every or not each.retried]
        if as_json:
            print_json({"letters": [asdict(each) for each in letters]})
            return
        for each in letters:
            sys.stdout.write(say("dead_settled" if each.retried else "dead_letter", **asdict(each)) + "\n")
            sys.stdout.write(f"   {visible(each.reason)}\n")
        if not letters:
            sys.stdout.write(say("dead_none") + "\n")

    run(work(), as_json=as_json)


def retry(wanted: Sequence[str], *, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        numbers = set(checked(_Wanted, letters=tuple(wanted)).letters)
        async with connected() as nc:
            letters = [each for each in await every_letter(nc) if each.letter in numbers]
            if unknown := numbers - {each.letter for each in letters}:
                raise failed(ErrorKind.REFUSED, 404, "dead_unknown", letter=min(unknown))
            done: list[tuple[Letter, EventRetried]] = []
            try:
                for letter in letters:
                    now = await _retried(nc, letter)
                    done.append((letter, now))
            finally:  # a service that does not answer ends the command; what was done until then is told
                if done:
                    _tell(done, as_json=as_json)
        left = [str(letter.letter) for letter, now in done if now.outcome not in ("handled", "gone")]
        if left:
            raise failed(ErrorKind.REFUSED, 409, "dead_not_all", letters=", ".join(left))

    run(work(), as_json=as_json)


async def _retried(nc: Client, letter: Letter) -> EventRetried:
    """Raises RequestFailed."""
    asked = RetryEvent.model_validate(
        {
            "actor": arguments.asker(None),
            "subscriber": letter.subscriber,
            "stream": letter.stream,
            "position": letter.position,
        },
        strict=False,
    )
    return await call(nc, retry_request(letter.service), asked, EventRetried, timeout_s=_RETRY_WITHIN_S)


def _tell(done: Sequence[tuple[Letter, EventRetried]], *, as_json: bool) -> None:
    if as_json:
        told = [{"letter": letter.letter, **now.model_dump(exclude_none=True)} for letter, now in done]
        print_json({"letters": told})
        return
    for letter, now in done:
        about = {**asdict(letter), "reason": visible(now.reason or "")}
        sys.stdout.write(say(f"dead_{now.outcome}", **about) + "\n")


async def every_letter(nc: Client) -> list[Letter]:
    """All of them, oldest first. An event that was given up twice has one letter, the number of the first.

    Raises Failure: they cannot be read.
    """
    found: dict[str, Letter] = {}
    position = 1
    while (message := await _message_from(nc, position)) is not None:
        position = int(message["seq"]) + 1
        headers = _headers(base64.b64decode(message.get("hdrs", "")))
        retried = found.get(headers.get(RETRIED_HEADER, ""))
        if retried is not None:
            found[headers[RETRIED_HEADER]] = replace(retried, retried=True)
        elif (letter := _letter(message, headers)) is not None:
            name = headers[LETTER_HEADER]
            found[name] = replace(letter, letter=found[name].letter) if name in found else letter
    return list(found.values())


async def _message_from(nc: Client, position: int) -> dict[str, Any] | None:
    """The first message at a position or after it. Raises Failure."""
    verb = f"API.STREAM.MSG.GET.{DEAD_LETTERS.name}"
    asked = json.dumps({"seq": position, "next_by_subj": DEAD_LETTERS.filter}).encode()
    try:
        try:
            reply = await nc.request(f"$JS.{OUTSIDE_DOMAIN}.{verb}", asked, timeout=_READ_WITHIN_S)
        except nats.errors.NoRespondersError:  # there is one account only, as where anyone may do anything
            reply = await nc.request(f"$JS.{verb}", asked, timeout=_READ_WITHIN_S)
    except (nats.errors.Error, TimeoutError, OSError) as error:
        raise _unreachable(type(error).__name__) from error
    answer: dict[str, Any] = json.loads(reply.data)
    if "error" not in answer:
        message: dict[str, Any] = answer["message"]
        return message
    if answer["error"].get("err_code") == _NO_MESSAGE:
        return None
    raise _unreachable(str(answer["error"].get("description")))


def _letter(message: dict[str, Any], headers: dict[str, str]) -> Letter | None:
    """None for what is none: somebody with the right to publish put it there by hand."""
    try:
        service, subscriber, stream, _ = headers[LETTER_HEADER].split(".")
        position = int(headers[POSITION_HEADER])
        genuine = letter_id(service, subscriber, stream, position) == headers[LETTER_HEADER]
        if not genuine or message["subject"] != dead_letter(service, stream):
            return None
        return Letter(
            letter=int(message["seq"]),
            service=service,
            subscriber=subscriber,
            stream=stream,
            position=position,
            deliveries=int(headers[DELIVERIES_HEADER]),
            reason=headers[REASON_HEADER],
            at=f"{message['time'][:19]}Z",
        )
    except (KeyError, ValueError):
        return None


def _headers(raw: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in raw.decode(errors="replace").split("\r\n")[1:])
    return {name.strip(): value.strip() for name, colon, value in lines if colon}


def _unreachable(reason: str) -> Failure:
    return failed(ErrorKind.UNAVAILABLE, 503, "dead_unreachable", reason=reason)
