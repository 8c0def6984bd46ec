"""`casetrail serve NAME`: one service, in the foreground."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from services.embedded.catalogue import CATALOGUE


def _known(name: str) -> str:
    if all(entry.name != name for entry in CATALOGUE):
        names = ", ".join(entry.name for entry in CATALOGUE)
        raise typer.BadParameter(f"there is no service {name!r}; there is: {names}")
    return name


def _completions() -> list[tuple[str, str]]:
    return [(entry.name, entry.description) for entry in CATALOGUE]


def serve(
    name: Annotated[
        str, typer.Argument(callback=_known, autocompletion=_completions, help="The name of the service.")
    ],
) -> None:
    """Run one service against the NATS that CASETRAIL_NATS_URL names, until SIGTERM or Ctrl-C."""
    (entry,) = (entry for entry in CATALOGUE if entry.name == name)
    module, _, function = entry.run.partition(":")
    raise typer.Exit(getattr(import_module(module), function)())
