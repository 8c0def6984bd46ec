"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

_AGAIN_S: Final = 0.1


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Return once the tasks have ended, in whichever way; their results and errors are dropped.

    `asyncio.wait_for` of Python 3.11, which nats-py uses throughout, swallows a cancellation that comes at
    the same moment as what it waits for. So they are cancelled for as long as they go on.
    """
    tasks = set(tasks)
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at, so that nothing complains that nobody did
