"""Making the streams that Casetrail needs, and telling where what exists differs. Never changes one."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from contracts.subjects import (
    ATTACHMENTS,
    DRAFTS,
    INTERESTS,
    LIMITS,
    MAIL,
    READ_MARKS,
    RESTORING,
    SESSIONS,
    STREAMS,
    UPLOADS,
    Stream,
    bucket_stream,
    object_stream,
)

_API_TIMEOUT_S: Final = 10.0
_INFO_WITHIN_S: Final = 9.0
"""Longer than a cluster takes to elect a stream's leader (4 to 9 s), shorter than a request may take."""
_ASK_AGAIN_S: Final = 0.5
_FORMING_S: Final = 60.0
_STREAM_NOT_FOUND: Final = 10059
_NO_PEERS: Final = 10005
_NOT_NOW: Final = 503


class StreamsUnavailable(Exception):
    """JetStream did not answer, or refused to make a stream; the message says why."""


def configuration(stream: Stream, *, replicas: int) -> dict[str, Any]:
    """A stream that only grows: nothing can be deleted, purged, aged or rolled up.

    A short duplicate window is enough, since every append names the last sequence that it has seen.
    """
    return {
        "name": stream.name,
        "description": stream.description,
        "subjects": list(stream.subjects),
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "num_replicas": replicas,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "max_msgs_per_subject": -1,
        "max_msg_size": -1,
        "duplicate_window": 5_000_000_000,
        "allow_atomic": True,
        "allow_direct": True,
        "allow_rollup_hdrs": False,
        "deny_delete": True,
        "deny_purge": True,
    }


_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S


def bucket_configurations(*, replicas: int) -> list[dict[str, Any]]:
    """The key-value buckets (NATS ADR-8): the newest value of each key, for a while. No logs: values may go.

    They are read from their leader only (no `allow_direct`): a follower could still know a session that was
    ended. Those that strangers can fill have a limit, so that a flood does not take the disk of the log.
    """
    return [
        {
            "name": bucket_stream(bucket),
            "description": description,
            "subjects": [f"$KV.{bucket}.>"],
            "storage": "file",
            "retention": "limits",
            "discard": "new",
            "num_replicas": replicas,
            "max_msgs": -1,
            "max_bytes": max_bytes,
            "max_age": max_age_s * 1_000_000_000,
            "max_msgs_per_subject": 1,
            "max_msg_size": max_msg_size,
            "duplicate_window": 5_000_000_000,
            "allow_direct": False,
            "allow_msg_ttl": True,
            "allow_rollup_hdrs": False,
            "deny_delete": True,
            "deny_purge": True,
        }
        for bucket, description, max_age_s, max_bytes, max_msg_size in (
            (
                SESSIONS,
                "Who is signed in, and which attempts to sign in were used",
                _DAY_S,
                256 << 20,
                8 << 10,
            ),
            (READ_MARKS, "Up to where people have read their tickets", 400 * _DAY_S, 1 << 30, 32 << 10),
            (DRAFTS, "Questionnaires that are being answered", 30 * _DAY_S, -1, 768 << 10),
            (INTERESTS, "Interest forms that wait for their confirmation", 7 * _DAY_S, 256 << 20, 512 << 10),
            (LIMITS, "Counters for what needs no sign-in", _HOUR_S, 64 << 20, 1 << 10),
        )
    ]


def object_store_configurations(*, replicas: int) -> list[dict[str, Any]]:
    """The object stores (NATS ADR-20), to which nothing is ever written twice: no roll-ups, no deletions."""
    return [
        {
            "name": object_stream(store),
            "description": description,
            "subjects": [f"$O.{store}.C.>", f"$O.{store}.M.>"],
            "storage": "file",
            "retention": "limits",
            "discard": "new",
            "num_replicas": replicas,
            "max_msgs": -1,
            "max_bytes": -1,
            "max_age": max_age_s * 1_000_000_000,
            "max_msgs_per_subject": -1,
            "max_msg_size": -1,
            "duplicate_window": 120_000_000_000,
            "allow_direct": False,
            "allow_rollup_hdrs": False,
            "deny_delete": True,
            "deny_purge": True,
        }
        for store, description, max_age_s in (
            (UPLOADS, "Attachments as they were uploaded; those of tickets are copied", 40 * _DAY_S),
            (ATTACHMENTS, "Attachments of tickets", 0),
            (MAIL, "E-mails as they came in", 0),
        )
    ]


def every_configuration(*, replicas: int) -> list[dict[str, Any]]:
    """What Casetrail needs, each as the server is told of it."""
    return [
        *(configuration(stream, replicas=replicas) for stream in STREAMS),
        *bucket_configurations(replicas=replicas),
        *object_store_configurations(replicas=replicas),
    ]


async def ensure_streams(nc: Client, *, replicas: int) -> list[str]:
    """Make what is missing; returns, in words, how streams that exist differ from what is needed.

    A cluster that has only just been started, and does not know all its servers yet, is given a minute.

    Raises:
        StreamsUnavailable: nobody answers (no JetStream, or no permission), or a stream was refused; or a
            restore has not ended, and what it has not yet restored is not to be made empty.
    """
    if "error" not in await _info(nc, RESTORING.name):
        raise StreamsUnavailable("a restore is under way here, or was interrupted: `casetrail restore` again")
    differences: list[str] = []
    deadline = time.monotonic() + _FORMING_S
    for wanted in every_configuration(replicas=replicas):
        while "error" in (answer := await _ensure(nc, wanted)):
            error = answer["error"]
            forming = error.get("code") == _NOT_NOW or error.get("err_code") == _NO_PEERS
            if not forming or time.monotonic() > deadline:
                raise StreamsUnavailable(f"{wanted['name']}: {error.get('description', error)}")
            await asyncio.sleep(_ASK_AGAIN_S)
        differences += differences_of(wanted, answer["config"])
    return differences


async def _ensure(nc: Client, wanted: dict[str, Any]) -> dict[str, Any]:
    answer = await _info(nc, wanted["name"])
    if answer.get("error", {}).get("err_code") == _STREAM_NOT_FOUND:
        answer = await _api(nc, f"STREAM.CREATE.{wanted['name']}", wanted)
    return answer


def differences_of(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """In words, how a stream's configuration differs from what is needed."""
    return [
        f"{wanted['name']}: {key} is {json.dumps(found.get(key))}, it should be {json.dumps(value)}"
        for key, value in wanted.items()
        if (found.get(key) or False) != (value or False)  # the server leaves out what is false or 0
    ]


async def stream_info(nc: Client, stream: Stream, *, domain: str | None = None) -> dict[str, Any]:
    """What the stream's leader says of it (`STREAM.INFO`); while a cluster elects one, waits for it.

    A server that was frozen may take itself for the leader for a moment when it goes on, and tell what was
    true then. What it says may be older than the log, never something that the log did not hold.
    `domain`: the stream is another NATS account's.

    Raises:
        StreamsUnavailable: it does not exist, or nobody answers.
    """
    answer = await _info(nc, stream.name, domain)
    if "error" in answer:
        raise StreamsUnavailable(f"{stream.name}: {answer['error'].get('description', answer['error'])}")
    return answer


def replicated(about: dict[str, Any]) -> bool:
    """Whether, as `stream_info` told, the stream is on several servers, of which some may lag."""
    return bool(about.get("cluster", {}).get("replicas"))


async def _info(nc: Client, name: str, domain: str | None = None) -> dict[str, Any]:
    """Asks again every half second, while also waiting for earlier answers.

    A request that is sent while there is no leader is lost, not kept until there is one.
    """
    api = "$JS.API" if domain is None else f"$JS.{domain}.API"
    deadline = time.monotonic() + _INFO_WITHIN_S
    asking: set[asyncio.Task[Msg]] = set()
    try:
        while (left_s := deadline - time.monotonic()) > 0:
            if nc.is_connected or not asking:  # else they would only pile up in the connection's buffer
                asking.add(asyncio.create_task(nc.request(f"{api}.STREAM.INFO.{name}", timeout=left_s)))
            done, asking = await asyncio.wait(
                asking, timeout=min(_ASK_AGAIN_S, left_s), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                try:
                    answer: dict[str, Any] = json.loads(task.result().data)
                except (TimeoutError, OSError, NatsError) as error:
                    raise _unanswered(f"STREAM.INFO.{name}", error) from error
                if answer.get("error", {}).get("code") != _NOT_NOW:
                    return answer
            if done:
                await asyncio.sleep(min(_ASK_AGAIN_S, left_s))
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    raise _unanswered(f"STREAM.INFO.{name}", TimeoutError())


async def _api(nc: Client, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        reply = await nc.request(f"$JS.API.{verb}", json.dumps(body).encode(), timeout=_API_TIMEOUT_S)
    except (TimeoutError, OSError, NatsError) as error:
        raise _unanswered(verb, error) from error
    answer: dict[str, Any] = json.loads(reply.data)
    return answer


def _unanswered(verb: str, error: BaseException) -> StreamsUnavailable:
    return StreamsUnavailable(f"{verb}: no answer, or no permission to ask ({type(error).__name__})")
