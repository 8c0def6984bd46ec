"""A service that kills itself (SIGKILL) at one write, for tests of what is left of it.

    python -c "from tests.faults.dying import main; main()" <service> <subject> <words> before|after

`impatient()` is for whoever cannot wait until a claim of notify, or the handling of an e-mail, has run out.

`before`: the write does not leave the process. `after`: it is on disk, and nobody hears of it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from datetime import timedelta
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg


def impatient() -> None:
    """Have claims on e-mails run out after two seconds, and what was in hand come again after twelve."""
    for name in ("outgoing", "view"):
        module = importlib.import_module(f"services.notify.{name}")
        vars(module)["CLAIM_LASTS"] = timedelta(seconds=2)
    vars(importlib.import_module("services.notify.handling"))["TIMEOUT_S"] = 2.0


def main() -> None:
    """Run the service until it writes `words` to a subject that begins with `subject`."""
    service, subject, words, when = sys.argv[1:]
    if service == "notify":
        impatient()
    request = Client.request

    async def dying(client: Client, to: str, payload: bytes = b"", *others: Any, **more: Any) -> Msg:
        is_it = to.startswith(subject) and words.encode() in payload
        if is_it and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        reply = await request(client, to, payload, *others, **more)
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)
        return reply

    setattr(Client, "request", dying)  # noqa: B010 - what mypy knows as a method
    raise SystemExit(importlib.import_module(f"services.{service}.app").main())
