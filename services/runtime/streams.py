"""Making the streams that Casetrail needs, and telling where what exists differs. Never changes one."""

from __future__ import annotations

import json
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error as NatsError

from contracts.subjects import SESSIONS, SESSIONS_STREAM, STREAMS, Stream

_API_TIMEOUT_S: Final = 10.0
_STREAM_NOT_FOUND: Final = 10059


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


def sessions_configuration(*, replicas: int) -> dict[str, Any]:
    """The bucket of sign-ins: the newest value of each key, for a day. No log, so entries may be replaced.

    It is read from its leader only (no `allow_direct`): a follower could still know a session that was ended.
    """
    return {
        "name": SESSIONS_STREAM,
        "description": "Who is signed in, and which attempts to sign in were used",
        "subjects": [f"$KV.{SESSIONS}.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "num_replicas": replicas,
        "max_msgs": -1,
        "max_bytes": 256 << 20,  # a flood of sign-ins must not take the disk that the log needs
        "max_age": 24 * 3600 * 1_000_000_000,
        "max_msgs_per_subject": 1,
        "max_msg_size": 8 << 10,
        "duplicate_window": 5_000_000_000,
        "allow_direct": False,
        "allow_msg_ttl": True,
        "allow_rollup_hdrs": False,
        "deny_delete": True,
        "deny_purge": True,
    }


async def ensure_streams(nc: Client, *, replicas: int) -> list[str]:
    """Make what is missing; returns, in words, how streams that exist differ from what is needed.

    Raises:
        StreamsUnavailable: nobody answers (no JetStream, or no permission), or a stream was refused.
    """
    differences: list[str] = []
    for wanted in (
        *(configuration(stream, replicas=replicas) for stream in STREAMS),
        sessions_configuration(replicas=replicas),
    ):
        name = wanted["name"]
        answer = await _api(nc, f"STREAM.INFO.{name}", {})
        if answer.get("error", {}).get("err_code") == _STREAM_NOT_FOUND:
            answer = await _api(nc, f"STREAM.CREATE.{name}", wanted)
        if "error" in answer:
            raise StreamsUnavailable(f"{name}: {answer['error'].get('description', answer['error'])}")
        found = answer["config"]
        differences += [
            f"{name}: {key} is {json.dumps(found.get(key))}, it should be {json.dumps(value)}"
            for key, value in wanted.items()
            if (found.get(key) or False) != (value or False)  # the server leaves out what is false or 0
        ]
    return differences


async def stream_info(nc: Client, stream: Stream) -> dict[str, Any]:
    """What the stream's leader says of it (`STREAM.INFO`).

    Raises:
        StreamsUnavailable: it does not exist, or nobody answers.
    """
    answer = await _api(nc, f"STREAM.INFO.{stream.name}", {})
    if "error" in answer:
        raise StreamsUnavailable(f"{stream.name}: {answer['error'].get('description', answer['error'])}")
    return answer


async def _api(nc: Client, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        reply = await nc.request(f"$JS.API.{verb}", json.dumps(body).encode(), timeout=_API_TIMEOUT_S)
    except (TimeoutError, OSError, NatsError) as error:
        reason = f"{verb}: no answer, or no permission to ask ({type(error).__name__})"
        raise StreamsUnavailable(reason) from error
    answer: dict[str, Any] = json.loads(reply.data)
    return answer
