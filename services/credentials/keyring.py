"""The keys and credentials of a deployment, in one directory that its operator keeps.

    operator/                 who is trusted; signs. In no Secret, no image: keep it as a root key is kept
    creds/<user>.creds        what each service, `setup`, `backup` and `cli` prove themselves with
    keys/link.key             signs the links in e-mails
    keys/session.key          signs the cookies of who signed in
    retired/<user>            public keys of credentials that were replaced and still work
    auth.conf                 what nats-server includes: operator, accounts, resolver. Nothing secret

`init` makes what is missing and touches nothing else. To replace credentials without an interruption:
`rotate` (the new ones are valid at once, and so are the old), hand the file out, and when every process has
it, `retire` (the old ones are cut off at once). `casetrail up` keeps its data directory in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from services.credentials.creds import Creds, creds_file
from services.credentials.nkeys import write_private
from services.credentials.operator import Operator
from services.credentials.permissions import Permissions, Zone


class Found(StrEnum):
    """What became of a file."""

    MADE = "made"
    KEPT = "kept"
    OUTDATED = "outdated"
    """Kept, but this version gives the user other permissions: it is to be rotated."""


class Keyring:
    """The directory. Several processes may read it; one changes it at a time."""

    def __init__(self, directory: Path, operator: Operator) -> None:
        self.directory = directory
        self.operator = operator
        self.creds = directory / "creds"
        self._retired = directory / "retired"

    @classmethod
    def init(cls, directory: Path, users: Mapping[str, Permissions]) -> tuple[Keyring, dict[str, Found]]:
        """Make what is missing; returns what became of each file. Raises TrustInvalid, OSError."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {"operator": Found.KEPT if (directory / "operator").exists() else Found.MADE}
        keyring = cls(directory, Operator.kept(directory / "operator"))
        keyring.creds.mkdir(mode=0o700, exist_ok=True)
        for user, permissions in users.items():
            path = creds_file(keyring.creds, user)
            found[f"creds/{path.name}"] = keyring._keep(path, user, permissions)
        return keyring, found

    @classmethod
    def read(cls, directory: Path) -> Keyring:
        """One that was made before. Raises TrustInvalid, OSError."""
        return cls(directory, Operator(directory / "operator"))

    def _keep(self, path: Path, user: str, permissions: Permissions) -> Found:
        if not path.exists():
            self.operator.issue(user, permissions).write(path)
            return Found.MADE
        return Found.KEPT if self.operator.says(path, user, permissions) else Found.OUTDATED

    def rotate(self, user: str, permissions: Permissions) -> Creds:
        """New credentials in the user's file. Those before stay valid, and are on the list to be retired.

        Raises TrustInvalid, CredsInvalid (the file that is there is none of ours), OSError.
        """
        path = creds_file(self.creds, user)
        if path.exists():  # on the list before the file is gone: none is forgotten
            self._retired.mkdir(mode=0o700, exist_ok=True)
            with (self._retired / user).open("a", encoding="ascii") as file:
                file.write(Creds.read(path, user).public_key + "\n")
        creds = self.operator.issue(user, permissions)
        creds.write(path)
        return creds

    def to_retire(self, user: str) -> list[str]:
        """Public keys of credentials that were replaced and still work.

        Those in the user's file are none of them, though an interrupted `rotate` put them on the list.
        Raises CredsInvalid, OSError.
        """
        listed, present = self._retired / user, creds_file(self.creds, user)
        if not listed.exists():
            return []
        in_use = Creds.read(present, user).public_key if present.exists() else None
        return [key for key in listed.read_text(encoding="ascii").split() if key != in_use]

    def retire(self, user: str, zone: Zone) -> str | None:
        """The account's JWT, in which none of them is valid, for the servers; None: there is none to retire.

        Call `forget` once a server has taken it. May be repeated. Raises TrustInvalid, CredsInvalid, OSError.
        """
        token = None
        for key in self.to_retire(user):
            token = self.operator.revoke(key, zone)
        return token

    def forget(self, user: str) -> None:
        """They were retired."""
        (self._retired / user).unlink(missing_ok=True)

    def write_server_configuration(self, *, accounts_directory: str) -> Path:
        """Write `auth.conf`; `accounts_directory` is where the server keeps what it is told of accounts."""
        trust = self.operator.trust
        path = self.directory / _AUTH
        content = server_configuration(
            trust.operator, trust.system_account, trust.accounts, accounts_directory=accounts_directory
        )
        write_private(path, content)
        return path


_AUTH: Final = "auth.conf"
MAX_CONTROL_LINE: Final = 16 << 10
"""Bytes; a user's credentials, with all its subjects, are in one line. The server's default is 4 KiB."""


def server_configuration(
    operator: str, system_account: str, accounts: Mapping[str, str], *, accounts_directory: str
) -> str:
    """What nats-server includes. It is public: JWTs say who is trusted, and prove nobody."""
    resolver: dict[str, Any] = {"type": "full", "dir": accounts_directory, "allow_delete": False}
    parts: dict[str, Any] = {
        "max_control_line": MAX_CONTROL_LINE,
        "operator": operator,
        "system_account": system_account,
        "resolver": resolver,
        "resolver_preload": dict(accounts),
    }
    return "".join(f"{name}: {json.dumps(value, indent=2)}\n" for name, value in parts.items())
