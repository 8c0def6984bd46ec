"""`python -m tests.bench [commands|replica|access|intake|notify|mail_in|portal|size|nodes] [--events N]`."""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop

from services.runtime import logs
from tests.bench import access, commands, intake, mail_in, nodes, notify, portal, replica, size

SUITES = ("commands", "replica", "access", "intake", "notify", "mail_in", "portal", "size", "nodes")


def main() -> None:
    """Run the suites named, by default all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("suite", nargs="*", choices=[*SUITES, []], help="default: all")
    parser.add_argument(
        "--events", type=int, default=1_000_000, help="length of the log of the suites replica and size"
    )
    options = parser.parse_args()
    logs.configure("console", "warning", "bench")
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    for name in options.suite or SUITES:
        with tempfile.TemporaryDirectory(prefix="casetrail-bench-") as directory:
            uvloop.run(_suite(name, Path(directory), options.events))
        print()


def _suite(name: str, directory: Path, events: int) -> Coroutine[Any, Any, None]:
    match name:
        case "commands":
            return commands.run(directory)
        case "intake":
            return intake.run(directory)
        case "notify":
            return notify.run(directory)
        case "portal":
            return portal.run(directory)
        case "mail_in":
            return mail_in.run(directory)
        case "access":
            return access.run(directory)
        case "size":
            return size.run(directory, events)
        case "nodes":
            return nodes.run(directory)
        case _:
            return replica.run(directory, events)


main()
