"""What a request did, told by what came into the streams and buckets."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from nats.js import JetStreamContext

from contracts.subjects import DRAFTS, INTERESTS, STREAMS, bucket_stream

BUCKETS: Final = {bucket_stream(DRAFTS): "draft", bucket_stream(INTERESTS): "interest"}
BY_ITSELF: Final = ("update", "mail.queued", "mail.sending", "mail.sent", "mail.deferred", "mail.dead")
"""What notify does after events, at its own time."""
WITHIN_S: Final = 15


@dataclass(frozen=True, slots=True)
class Effects:
    """What came into the streams and buckets since a moment."""

    js: JetStreamContext
    since: dict[str, int]

    async def found(self) -> list[str]:
        """Their kinds, sorted, without what follows at its own time."""
        kinds: list[str] = []
        for stream, before in self.since.items():
            last = (await self.js.stream_info(stream)).state.last_seq
            if stream in BUCKETS:  # which keep the last entry only
                kinds += [BUCKETS[stream]] * (last - before)
                continue
            for position in range(before + 1, last + 1):
                message = await self.js.get_msg(stream, position)
                kinds.append(_kind(message.data or b""))
        return sorted(each for each in kinds if not each.startswith(BY_ITSELF))

    async def until(self, expected: list[str]) -> list[str]:
        """What is there, once it is as much as is expected: a service may do its part a moment later."""
        async with asyncio.timeout(WITHIN_S):
            while Counter(expected) - Counter(found := await self.found()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # nothing here could wake us
        return found


def _kind(document: bytes) -> str:
    told: dict[str, Any] = json.loads(document)
    return str(told["type"]).removeprefix("casetrail.").rpartition(".")[0]


async def effects_from_now(js: JetStreamContext) -> Effects:
    """Those of what is done from now on."""
    kept = [*(stream.name for stream in STREAMS), *BUCKETS]
    return Effects(js, {name: (await js.stream_info(name)).state.last_seq for name in kept})
