"""The access service, as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from services.embedded.nats_server import NatsServer
from tests.signin.conftest import ROOT


@contextlib.asynccontextmanager
async def access_service(nats_server: NatsServer, directory: Path) -> AsyncIterator[None]:
    """It answers while the body runs. The streams must be there."""
    key = directory / "link.key"
    key.write_text("k" * 43 + "\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.cli.main",
        "serve",
        "access",
        cwd=ROOT,
        env=env
        | {
            "CASETRAIL_NATS_URL": nats_server.url,
            "CASETRAIL_LINK_KEY_FILE": str(key),
            "CASETRAIL_DATA_DIR": str(directory / "access"),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    said: list[str] = []
    try:
        while line := (await process.stderr.readline()).decode():
            said.append(line)
            if json.loads(line)["event"] == "service.ready":
                break
        else:
            raise AssertionError("".join(said))
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()
