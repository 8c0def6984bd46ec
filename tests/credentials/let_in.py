"""Whether a server lets somebody in, as services and the command line are told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.runtime.connection import BrokerUnavailable, connect
from services.runtime.settings import RuntimeSettings, load

SECRET: Final = re.compile(r"S[UAO][A-Z2-7]{56}")
_REFUSED: Final = re.compile(r"Authorization Violation|Authentication (Expired|Revoked)")


async def is_let_in(url: str, user: str, creds: Path | None) -> bool:
    """With a credentials file, or with nothing. Whatever else goes wrong is raised."""
    try:
        client = await connect(load(RuntimeSettings, nats_url=url, nats_creds=creds), user=user, wait_s=0.5)
    except BrokerUnavailable as error:
        assert _REFUSED.search(str(error))  # noqa: PT017  (any other reason is not a refusal)
        assert not SECRET.search(str(error))  # noqa: PT017
        return False
    await client.close()
    return True


async def until(condition: Callable[[], object], *, within_s: float = 5) -> None:
    """Waits for a condition. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.002)
