"""What `casetrail credentials` shows to people. Never a secret."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.access.requests import Credential
from services.cli.moments import spelled
from services.cli.output import WIDTH_OF_A_PIPE, Pages
from services.cli.words import say


def show_done(sentence: str, more: str) -> None:
    """That a command was carried out."""
    Pages(datetime.now(UTC)).done(sentence, more)


def show_credentials(credentials: Sequence[Credential]) -> None:
    """A line for each, the oldest first."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_PIPE
    out = Console(highlight=False, markup=False, emoji=False, width=width)
    if not credentials:
        out.print(say("no_credentials"))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("name", "user", "may", "status", "created"):
        table.add_column(say(column), overflow="fold")
    for each in credentials:
        revoked = each.revoked_at is not None
        table.add_row(
            each.name,
            each.user,
            ", ".join(each.may),
            Text(say("revoked" if revoked else "alive"), "yellow" if revoked else "green"),
            spelled(each.created_at),
        )
    out.print(table)
