"""Showing accounts, people, and who may do what from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from contracts.access import requests
from contracts.client import call
from contracts.requests import Answered, Sent
from services.cli import access_output, arguments
from services.cli.access_commands import named
from services.cli.connect import connected
from services.cli.failures import checked, malformed, run
from services.cli.moments import parse_moment, spelled
from services.cli.output import print_json
from services.cli.ticket_commands import TIMEOUT_S
from services.cli.words import say

AnswerT = TypeVar("AnswerT", bound=Answered)


def list_accounts(
    *, words: str | None, limit: str | None, after: str | None, actor: str | None, as_json: bool
) -> None:
    """Raises typer.Exit."""
    _ask(
        requests.LIST,
        lambda: checked(
            requests.ListAccounts, actor=arguments.asker(actor), words=words, limit=limit, after=after
        ),
        requests.AccountPage,
        access_output.accounts,
        as_json=as_json,
    )


def people(*, account: str, limit: str | None, after: str | None, actor: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""
    _ask(
        requests.PEOPLE,
        lambda: checked(
            requests.ListPeople, actor=arguments.asker(actor), account=account, limit=limit, after=after
        ),
        requests.PeoplePage,
        access_output.people,
        as_json=as_json,
    )


def whoami(*, actor: str, as_json: bool) -> None:
    """Raises typer.Exit."""
    _ask(
        requests.WHOAMI,
        lambda: checked(requests.WhoAmI, actor=arguments.person(actor)),
        requests.Person,
        access_output.person,
        as_json=as_json,
    )


def permissions(
    *,
    person: str | None,
    account: str | None,
    as_of: str | None,
    position: str | None,
    limit: str | None,
    after: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""

    def query() -> requests.EffectivePermissions:
        if as_of is not None and position is not None:
            raise malformed("--position", "only_one_of", options="--as-of, --position")
        return checked(
            requests.EffectivePermissions,
            actor=arguments.asker(actor),
            person=None if person is None else named("--person", person),
            account=account,
            as_of_position=position,
            as_of_time=None if as_of is None else _moment(as_of, quiet=as_json),
            limit=limit,
            after=after,
        )

    _ask(requests.PERMISSIONS, query, requests.GrantPage, access_output.grants, as_json=as_json)


def _ask(
    subject: str,
    query: Callable[[], Sent],
    answer_type: type[AnswerT],
    show: Callable[[AnswerT], None],
    *,
    as_json: bool,
) -> None:
    async def work() -> None:
        asked = query()
        async with connected() as nc:
            answer = await call(nc, subject, asked, answer_type, timeout_s=TIMEOUT_S)
        if as_json:
            print_json(answer)
        else:
            show(answer)

    run(work(), as_json=as_json)


def _moment(typed: str, *, quiet: bool) -> datetime:
    """The moment; the person is told which zone was taken when none was named."""
    moment = parse_moment("--as-of", typed, datetime.now(UTC))
    if moment.assumed and not quiet:
        sys.stderr.write(say("time_read_as", option="--as-of", time=spelled(moment.at)) + "\n")
    return moment.at
