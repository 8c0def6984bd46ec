"""An attempt to sign in: from the moment that a browser is sent to the provider until it comes back.

Nothing is stored for a visitor who only starts. The browser carries the attempt in a signed cookie, and with
it the proof that the one who comes back is the one who left (RFC 6749, section 10.12). The nonce and the
PKCE verifier follow from its state by our key, so that they stand in no browser at all.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nats.js import JetStreamContext
from nats.js.errors import KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from services.signin.bucket import bucket
from services.signin.failures import AttemptUnknown

LASTS: Final = timedelta(minutes=10)
_MARKER: Final = "attempt"
"""First token of the keys of used attempts; no person's id, which begins with `p`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What was sent to the provider, to be compared with what comes back."""

    state: str
    nonce: str
    code_verifier: str
    return_to: str
    started_at: datetime  # UTC


class Attempts:
    """Starts attempts, knows them again, and lets each be used once."""

    def __init__(self, js: JetStreamContext, *, keys: Sequence[str]) -> None:
        self._kv: KeyValue = bucket(js)
        self._key = keys[-1].encode()

    def start(self, return_to: str, now: datetime) -> Attempt:
        """A new one, which no one can guess."""
        return self._attempt(secrets.token_urlsafe(32), return_to, now)

    def to_cookie(self, attempt: Attempt) -> str:
        """What the browser keeps of it; to be signed."""
        kept = [attempt.state, attempt.return_to, int(attempt.started_at.timestamp())]
        return json.dumps(kept, separators=(",", ":")).encode().hex()

    def find(self, cookie: str | None, state: str, now: datetime) -> Attempt:
        """The attempt that the browser has kept, if it is the one that `state` came back for.

        `cookie` is what `to_cookie` made, its signature checked.

        Raises:
            AttemptUnknown: there is none, it is another one, or it is too old.
        """
        if cookie is None:
            raise AttemptUnknown("not started in this browser")
        kept, return_to, started = json.loads(bytes.fromhex(cookie))
        if not hmac.compare_digest(kept.encode(), state.encode()):
            raise AttemptUnknown("state: of another attempt")
        attempt = self._attempt(kept, return_to, datetime.fromtimestamp(started, UTC))
        if now - attempt.started_at >= LASTS:
            raise AttemptUnknown("too old")
        return attempt

    async def use(self, attempt: Attempt) -> None:
        """Let this be its only use, over all replicas.

        Raises:
            AttemptUnknown: it was used before.
            nats.errors.Error: the broker does not say.
        """
        digest = hashlib.sha256(attempt.state.encode()).hexdigest()
        try:
            await self._kv.create(f"{_MARKER}.{digest}", b"", msg_ttl=2 * LASTS.total_seconds())
        except KeyWrongLastSequenceError:
            raise AttemptUnknown("used before") from None

    def _attempt(self, state: str, return_to: str, started_at: datetime) -> Attempt:
        return Attempt(
            state=state,
            nonce=self._derived("nonce", state),
            code_verifier=self._derived("verifier", state),
            return_to=return_to,
            started_at=started_at,
        )

    def _derived(self, purpose: str, state: str) -> str:
        # 64 characters: RFC 7636 wants 43 to 128 for a verifier.
        return hmac.new(self._key, f"casetrail.{purpose}.{state}".encode(), hashlib.sha256).hexdigest()
