"""Run a program that the kernel kills when the process that started it dies, however that died.

Started by path with `python -I -S tether.py PARENT_PID PROGRAM ARGUMENT...`, so it imports the standard
library only. It then becomes the program (exec): same pid, nothing in between. A `preexec_fn` would do
the same with less, but runs Python between fork and exec, which can deadlock beside threads.

The parent, to the kernel, is the thread that started us: call from one that lives as long as the process.

Outside Linux there is no such signal: the program is run untethered. What then holds is the data lock,
which the children inherit: the next `casetrail up` is refused for as long as one of them lives.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(parent_pid: int, program: list[str]) -> None:
    """Become the program, tethered to the parent. Raises OSError when it cannot be run."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before we asked
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606  (no shell is what is wanted)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
