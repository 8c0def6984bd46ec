"""Making an account of a company that asked to become a partner, from the command line."""

from __future__ import annotations

import sys
import uuid
from typing import Final, NamedTuple

from nats.aio.client import Client

from contracts.access import requests
from contracts.client import Tickets, call
from contracts.tickets import requests as ticket_requests
from services.cli import arguments
from services.cli.access_commands import tell
from services.cli.connect import connected
from services.cli.failures import checked, malformed, run
from services.cli.ticket_commands import TIMEOUT_S
from services.cli.words import say

_COMPANY: Final = "company"
"""The question of the interest form that asks for the company's name."""

_EMAIL: Final = "email"
"""The kind of the identifier that an interest form's ticket has beside its reference."""


class _Applicant(NamedTuple):
    """Who asked to become a partner."""

    name: str
    email: str


def admit(
    *,
    account: str,
    name: str | None,
    email: str | None,
    ticket: str | None,
    languages: list[str],
    actor: str | None,
    command_id: str | None,
    as_json: bool,
) -> None:
    """What is not given is read out of the ticket. Raises typer.Exit."""
    command_id = command_id or str(uuid.uuid4())

    def command(applicant: _Applicant) -> requests.AdmitAccount:
        return checked(
            requests.AdmitAccount,
            account=account,
            actor=arguments.asker(actor),
            name=applicant.name,
            languages=tuple(languages),
            email=applicant.email,
            command_id=command_id,
        )

    async def work() -> None:
        if name is not None and email is not None:
            admission = command(_Applicant(name, email))
        elif ticket is None:
            raise malformed("--name" if name is None else "--email", "needed_without_ticket")
        else:
            query = checked(ticket_requests.GetTicket, actor=arguments.asker(actor), number=ticket)
            async with connected() as nc:
                found = await _read_applicant(nc, query, name=name, email=email)
            admission = command(found)
        async with connected() as nc:
            done = await call(nc, requests.ADMIT, admission, requests.InvitationSent, timeout_s=TIMEOUT_S)
        sentence = say("done_admit", account=done.account, name=admission.name, email=admission.email)
        tell(done, sentence, command_id=command_id, as_json=as_json)
        if not as_json:  # in one line, however long: it is to be copied
            sys.stdout.write(say("to_accept", email=admission.email, token=done.token) + "\n")

    run(work(), as_json=as_json, command_id=command_id)


async def _read_applicant(
    nc: Client, query: ticket_requests.GetTicket, *, name: str | None, email: str | None
) -> _Applicant:
    """What was given goes before what the ticket says. Raises Failure if neither says it."""
    ticket = await Tickets(nc, timeout_s=TIMEOUT_S).get(query)
    if name is None:
        name = next((each.values[0] for each in ticket.answers if each.link_id == _COMPANY), None)
    if email is None:
        email = next((each.value for each in ticket.identifiers if each.kind == _EMAIL), None)
    if name is None:
        raise malformed("--name", "not_in_ticket")
    if email is None:
        raise malformed("--email", "not_in_ticket")
    return _Applicant(name, email)
