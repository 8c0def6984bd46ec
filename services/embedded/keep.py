"""Starting again what ends, sooner or later depending on how long it had run."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

from services.embedded.nats_server import ServerDidNotStart
from services.embedded.ports import PortTaken

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
STEADY_AFTER_S: Final = 10.0  # having run for this long, it is taken to be well again


class Kept(Protocol):
    """A process that can be started again."""

    async def start_again(self) -> None: ...
    async def wait(self) -> int: ...


async def keep_running(process: Kept, *, say: Callable[[str], None]) -> NoReturn:
    """Start a process again whenever it has ended, and say so; until cancelled."""
    now = asyncio.get_running_loop().time
    pause_s = FIRST_PAUSE_S
    while True:
        began = now()
        code = await process.wait()
        if now() - began >= STEADY_AFTER_S:
            pause_s = FIRST_PAUSE_S
        say(f"ended ({_describe(code)}); starting it again in {pause_s:.1f} s")
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                await process.start_again()
                break
            except (OSError, PortTaken, ServerDidNotStart) as error:
                say(f"could not be started: {error}; trying again in {pause_s:.1f} s")


def _describe(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
