"""Child processes that never outlive us, with their output handed on line by line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

TETHER: Final = Path(__file__).with_name("tether.py")
LONGEST_LINE: Final = 1 << 20  # bytes; a longer line is handed on in pieces


class Child:
    """A running process in a session of its own, so that Ctrl-C in the terminal reaches only us.

    It and whatever it started are gone once `wait`, `stop` or `kill` has returned. If we are killed
    ourselves, the kernel kills it (Linux only, see tether.py).
    """

    def __init__(self, process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        self._process = process
        self._output = asyncio.create_task(self._read(on_line))

    @classmethod
    async def start(
        cls,
        program: Sequence[str | Path],
        *,
        on_line: Callable[[str], None],
        env: Mapping[str, str] | None = None,
        inherit: Sequence[int] = (),
    ) -> Child:
        """Start a program given by its full path; `inherit` are file descriptors that it keeps open."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", TETHER, str(os.getpid()), *program,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
            pass_fds=inherit,
            start_new_session=True,
        )  # fmt: skip
        return cls(process, on_line)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal number when a signal ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait until it has ended and all its output was handed on; returns the exit code."""
        code = await self._process.wait()
        self._signal_group(signal.SIGKILL)  # what it started itself; also closes the pipe they share
        await asyncio.shield(self._output)
        return code

    async def stop(self, *, grace_s: float) -> int:
        """SIGTERM, and SIGKILL after the grace; returns the exit code."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            return await asyncio.wait_for(self.wait(), grace_s)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """SIGKILL to it and everything that it started; returns the exit code."""
        self.kill_at_once()
        return await self.wait()

    def kill_at_once(self) -> None:
        """As `kill`, without waiting for its end."""
        if self._process.returncode is None:
            self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self._process.pid, number)

    async def _read(self, on_line: Callable[[str], None]) -> None:
        assert self._process.stdout is not None  # we asked for a pipe  # noqa: S101
        rest = b""
        while chunk := await self._process.stdout.read(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                on_line(line.decode(errors="replace"))
        if rest:
            on_line(rest.decode(errors="replace"))
