"""What `casetrail access` shows to people."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.access import requests
from services.cli.moments import spelled
from services.cli.output import WIDTH_OF_A_PIPE
from services.cli.words import SENTENCES, say


def accounts(page: requests.AccountPage) -> None:
    """A line for each, by id."""
    rows = [
        [
            each.account,
            each.name,
            str(each.members),
            ", ".join(each.languages),
            ", ".join(f"{identifier.kind}={identifier.value}" for identifier in each.identifiers),
        ]
        for each in page.accounts
    ]
    _table(("account", "name", "members", "languages", "identifiers"), rows, empty="no_accounts")
    _more(page.next_after)


def people(page: requests.PeoplePage) -> None:
    """A line for each member and each who is invited."""
    rows = [
        [
            each.email,
            each.display_name or "",
            say(each.role),
            say("is_member")
            if each.expires_at is None
            else say("invited_until", at=spelled(each.expires_at)),
            each.person,
        ]
        for each in page.people
    ]
    _table(("email", "name", "role", "status", "person"), rows, empty="no_people")
    _more(page.next_after)


def person(answer: requests.Person) -> None:
    """Who it is, and what it belongs to."""
    out = _console()
    name = answer.display_name or answer.email
    out.print(Text(name, "bold"), Text(f"{answer.email}  {answer.person}", "dim"), sep="\n")
    for role in answer.platform_roles:
        out.print(f"{say('platform')}: {say(role)}")
    for each in answer.memberships:
        out.print(f"{each.account} ({each.account_name}): {say(each.role)}")


def grants(page: requests.GrantPage) -> None:
    """A line for each, in the order in which they were granted."""
    rows = [
        [
            each.person,
            each.account or say("every_account"),
            ", ".join(map(_word, each.role.split())),
            spelled(each.since),
            ", ".join((*each.permissions, *each.further)),
        ]
        for each in page.grants
    ]
    _table(("person", "account", "role", "since", "permissions"), rows, empty="no_grants")
    _more(None if page.next_after is None else str(page.next_after))


def _word(role: str) -> str:
    """A role as people read it; one that is newer than this program by its name."""
    return say(role) if role in SENTENCES else role


def _console() -> Console:
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_PIPE
    return Console(highlight=False, markup=False, emoji=False, width=width)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    out = _console()
    if not rows:
        out.print(say(empty))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(say(column), overflow="fold")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _more(after: str | None) -> None:
    if after is not None:
        _console().print(Text(say("next_page_after", after=after), "dim"))
