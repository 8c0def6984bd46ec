"""Whether an e-mail is from whom it says: what the trusted mail server found, or what we find ourselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.notify.incoming import Delivery
from services.notify.received.authentic import Verdict, by_trusted_server
from services.notify.received.headers import Headers
from services.notify.received.own_check import OwnCheck
from services.runtime.errors import Unavailable

WAIT_FOR_DNS: Final = timedelta(hours=1)
"""How long a name server that does not answer holds up an e-mail."""


@dataclass(frozen=True, slots=True)
class SenderChecks:
    """How senders are checked: by the servers in `trusted`, or by ourselves (`own`).

    Not by both: to us, behind another server, everything would come from its address, for which SPF may well
    vouch.
    """

    trusted: frozenset[str]
    own: OwnCheck | None

    async def check(self, raw: bytes, headers: Headers, delivery: Delivery, *, age: timedelta) -> Verdict:
        """What is known of its sender, `age` after it came in.

        Raises:
            Unavailable: `sender_unknown_yet`; name servers do not answer now.
        """
        if self.own is None:
            return by_trusted_server(headers, trusted=self.trusted)
        verdict = await self.own.check(
            raw, headers, peer=delivery.peer, helo=delivery.helo, mail_from=delivery.sender
        )
        if verdict.result == "temperror":
            if age < WAIT_FOR_DNS:
                raise Unavailable("sender_unknown_yet")
            return Verdict("none", verdict.by, verdict.details)
        return verdict
