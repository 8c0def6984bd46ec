"""A service as a process that tests start, kill, and have killed at a write."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.faults.conftest import READY_WITHIN_S


class Process:
    """A service as a process of its own, which keeps its replica between its lives."""

    def __init__(
        self, name: str, url: str, directory: Path, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.name = name
        self._directory = directory / name
        self._log = directory / f"{name}.log"
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("CASETRAIL_")},
            "CASETRAIL_NATS_URL": url,
            "CASETRAIL_DATA_DIR": str(self._directory),
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *dying: str) -> None:
        """Returns when it answers requests. `dying`: at which write, as `dying.main` takes it."""
        program = f"from services.{self.name}.app import main; raise SystemExit(main())"
        if self.name == "notify":
            program = f"from tests.faults.dying import impatient; impatient(); {program}"
        arguments = [program]
        if dying:
            arguments = ["from tests.faults.dying import main; main()", self.name, *dying]
        begin = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", *arguments, env=self._environment, stderr=output
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while b'"service.ready"' not in self._log.read_bytes()[begin:]:
            assert self._process.returncode is None, self.said()
            assert time.monotonic() < deadline, self.said()
            await asyncio.sleep(0.02)

    async def died(self) -> None:
        """Returns when it has killed itself."""
        assert self._process is not None
        async with asyncio.timeout(READY_WITHIN_S):
            assert await self._process.wait() == -9, self.said()

    async def kill(self) -> None:
        """As a crash."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def said(self) -> str:
        return self._log.read_text()[-4000:]

    def faults(self) -> list[str]:
        """What it logged as its own fault, in all its lives."""
        lines = self._log.read_text().splitlines()
        return [line for line in lines if '"request.failed"' in line or '"service.failed"' in line]
