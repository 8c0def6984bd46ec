"""The connection of a command: to the system that the environment names, else to the one that runs here."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import structlog
from nats.aio.client import Client

from contracts.errors import ErrorKind
from services.cli.failures import failed
from services.credentials.creds import creds_file
from services.embedded.running import find_running
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings, load

USER: Final = "cli"
CONNECT_WITHIN_S: Final = 2.0

_URL: Final = "CASETRAIL_NATS_URL"
_CREDENTIALS: Final = ("CASETRAIL_NATS_CREDS", "CASETRAIL_NATS_NKEY_SEED_FILE")


@contextlib.asynccontextmanager
async def connected(user: str = USER) -> AsyncIterator[Client]:
    """A connection for the time of the command, as this NATS user or as the environment says.

    Raises:
        Failure: nothing runs here, and the environment names no other place.
        BrokerUnavailable: nobody answers there within two seconds.
        SettingsInvalid: a setting of the environment is wrong.
    """
    silence()
    nc = await connect(settings(user), user=user, wait_s=CONNECT_WITHIN_S)
    try:
        yield nc
    finally:
        await nc.close()


def settings(user: str = USER) -> RuntimeSettings:
    """How the system is reached, and as whom. Raises Failure, SettingsInvalid."""
    if os.environ.get(_URL):
        return load(RuntimeSettings)
    running = find_running()
    if running is None:
        raise failed(ErrorKind.UNAVAILABLE, 503, "nobody_runs")
    found: dict[str, Any] = {"nats_url": running.nats_url}
    if not any(os.environ.get(variable) for variable in _CREDENTIALS):
        creds = creds_file(Path(running.cli_creds_file).parent, user)
        found |= {"nats_creds": creds, "nats_inbox_user": user}
    return load(RuntimeSettings, **found)


def silence() -> None:
    """What a service logs of its connection is told to a person by the outcome of the command alone."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("nats").setLevel(logging.CRITICAL)
