"""The NATS KV bucket of sign-ins."""

from __future__ import annotations

from typing import Final

from nats.js import JetStreamContext
from nats.js.kv import KeyValue

from contracts.subjects import SESSIONS, SESSIONS_STREAM

PREFIX: Final = f"$KV.{SESSIONS}."


def bucket(js: JetStreamContext) -> KeyValue:
    """The bucket, read from its leader: a follower that lags could still know a session that was ended."""
    return KeyValue(name=SESSIONS, stream=SESSIONS_STREAM, pre=PREFIX, js=js, direct=False)
