"""What the composition needs before its first start: who is trusted on NATS, and keys to sign with.

    python first_start.py OPERATOR SHARED

OPERATOR gets the keys that credentials are issued with, SHARED what servers and services read: `trust.conf`,
`creds/<user>.creds`, `keys/<key>`. May be repeated; what is there stays.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

from services.credentials.nkeys import write_private
from services.credentials.operator import Operator
from services.credentials.permissions import USERS

KEYS = ("link.key", "session.key", "oidc-client.secret")
"""Of links in e-mails, of the portal's cookies; and what the development provider takes for a secret."""


def main() -> None:
    """Make it."""
    os.umask(0o077)
    operator_directory, shared = map(Path, sys.argv[1:])
    operator = Operator.kept(operator_directory / "operator")
    operator.keep_creds(shared / "creds", USERS)
    for key in KEYS:
        file = shared / "keys" / key
        if not file.exists():
            file.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(file, secrets.token_urlsafe(32) + "\n")
    trust = operator.trust
    told = {
        "operator": trust.operator,
        "system_account": trust.system_account,
        "resolver_preload": dict(trust.accounts),
    }
    text = "".join(f"{name}: {json.dumps(value)}\n" for name, value in told.items())
    (shared / "trust.conf").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
