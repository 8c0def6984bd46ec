"""One service as a process of its own, with the port on which it tells how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from services.embedded.child import Child
from services.embedded.ports import HOST, ReservedPort

ANSWER_WITHIN_S: Final = 2.0
LOOK_EVERY_S: Final = 0.05


class ServiceProcess:
    """Runs `program` with `env` and a health port that stays the same over restarts."""

    def __init__(
        self,
        name: str,
        program: Sequence[str],
        *,
        env: Mapping[str, str],
        on_line: Callable[[str], None],
        inherit: Sequence[int],
    ) -> None:
        self.name = name
        self._program = program
        self._port = ReservedPort()
        self._env = {**env, "CASETRAIL_HEALTH_PORT": str(self._port.number)}
        self._on_line = on_line
        self._inherit = inherit
        self._child: Child | None = None

    @property
    def health_url(self) -> str:
        return f"http://{HOST}:{self._port.number}"

    async def start_again(self) -> None:
        """Start the process, for the first time or after it has ended. Raises OSError."""
        self._child = await Child.start(
            self._program, env=self._env, on_line=self._on_line, inherit=self._inherit
        )

    async def wait(self) -> int:
        """Wait until it has ended; returns its exit code."""
        return await self._child.wait() if self._child else 0

    async def ready(self) -> None:
        """Wait until `/readyz` answers 200, however long that takes and however often it is restarted."""
        while True:
            if await self._is_ready():
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def stop(self, *, grace_s: float) -> None:
        """SIGTERM, and SIGKILL after the grace. It is not started any more, its port is given back."""
        if self._child:
            await self._child.stop(grace_s=grace_s)
        self._port.release()

    def kill_at_once(self) -> None:
        """SIGKILL, without waiting for its end."""
        if self._child:
            self._child.kill_at_once()

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                reader, writer = await asyncio.open_connection(HOST, self._port.number)
                try:
                    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    status = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False
        return b" 200 " in status
