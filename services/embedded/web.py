"""The ports that browsers reach, and what a service with pages is told of them and of signing in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.embedded.identity import issuer
from services.embedded.key_files import key_file
from services.embedded.ports import HOST, PortTaken, ReservedPort, is_taken

DEFAULT_PORT: Final = 8080
_CLIENT_FILE: Final = "CASETRAIL_OIDC_CLIENT_SECRET_FILE"


def url(port: int) -> str:
    """The address of a service with pages on this machine."""
    return f"http://{HOST}:{port}"


class WebPorts:
    """A port for each of the services that have pages; the first one gets the one that was asked for."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._reserved: list[ReservedPort] = []
        self.ports: dict[str, int] = {}

    def reserve(self, first: int) -> None:
        """Find them. Raises PortTaken."""
        for name in self._names:
            if not self.ports and first:
                if is_taken(first):
                    raise PortTaken(first, "the portal", "--port")
                self.ports[name] = first
            else:
                self._reserved.append(ReservedPort())
                self.ports[name] = self._reserved[-1].number

    def release(self) -> None:
        """Give them back."""
        for port in self._reserved:
            port.release()

    @property
    def first(self) -> str:
        """The address that people are told; that of the default port where there are no pages."""
        return url(next(iter(self.ports.values()), DEFAULT_PORT))


def environment(port: int, identity_port: int | None, keys: Path) -> dict[str, str]:
    """The settings of a service with pages. What the environment says of signing in comes first.

    `keys` is where the client secret is, which the development provider takes whatever it is.
    """
    listening = {"CASETRAIL_PORTAL_PORT": str(port), "CASETRAIL_PORTAL_HOST": HOST}
    if identity_port is None or os.environ.get("CASETRAIL_OIDC_ISSUER"):
        return listening
    return listening | {
        "CASETRAIL_ENV": "development",
        "CASETRAIL_OIDC_DEVELOPMENT": "true",
        "CASETRAIL_OIDC_ISSUER": issuer(identity_port),
        _CLIENT_FILE: str(key_file(keys, _CLIENT_FILE)),
        "CASETRAIL_PUBLIC_URL": os.environ.get("CASETRAIL_PUBLIC_URL") or url(port),
    }
