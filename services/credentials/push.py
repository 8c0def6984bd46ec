"""Telling running servers of a changed account, so that who was revoked is disconnected at once."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from nats.errors import Error as NatsError

from services.credentials.operator import Operator
from services.credentials.permissions import ACCOUNTS_USER, ACCOUNTS_USER_NAME
from services.runtime.connection import connect
from services.runtime.settings import RuntimeSettings

_UPDATE: Final = "$SYS.REQ.CLAIMS.UPDATE"
_ANSWER_S: Final = 5.0
_VALID_FOR: Final = timedelta(minutes=1)


class NotTaken(Exception):
    """No server confirmed the account; `str()` says why. It is kept: pushing it again is safe."""


async def push_account(
    operator: Operator, account_jwt: str, settings: RuntimeSettings, *, wait_s: float
) -> None:
    """Have the servers take an account's JWT; returns when one has. The others of a cluster hear it too.

    While one does, a request from outside may find nobody (seen once in 28,000, over 300 accounts taken);
    `contracts.client.call` asks again. Nothing that is being followed is lost or repeated.
    Of the settings, addresses and TLS hold; the credentials are made here, for this once.
    Raises BrokerUnavailable, SettingsInvalid, NotTaken.
    """
    with tempfile.TemporaryDirectory() as directory:  # 0700
        creds = Path(directory) / "creds"
        operator.issue(ACCOUNTS_USER_NAME, ACCOUNTS_USER, expires=datetime.now(UTC) + _VALID_FOR).write(creds)
        own = {"nats_creds": creds, "nats_nkey_seed_file": None, "nats_inbox_user": None}
        nc = await connect(settings.model_copy(update=own), user=ACCOUNTS_USER_NAME, wait_s=wait_s)
    try:
        answer = json.loads((await nc.request(_UPDATE, account_jwt.encode(), timeout=_ANSWER_S)).data)
    except (NatsError, TimeoutError) as error:
        raise NotTaken(f"no server confirmed it ({type(error).__name__})") from None
    finally:
        await nc.close()
    if answer.get("data", {}).get("code") != 200:
        raise NotTaken(str(answer.get("error", {}).get("description", "the server refused it")))
