"""Choosing from the command line which e-mails a person gets."""

from __future__ import annotations

import sys

from contracts.access import requests
from contracts.client import call
from services.cli import arguments
from services.cli.connect import connected
from services.cli.failures import checked, run
from services.cli.interest_commands import token_in
from services.cli.output import print_json
from services.cli.words import say
from services.runtime.ids import uuid7


def wish(*, tickets: str, own: bool, actor: str, command_id: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""
    command_id = command_id or uuid7()

    async def work() -> None:
        who = arguments.person(actor)
        wanted = checked(requests.SentMailPreferences, tickets=tickets, own=own)
        query = checked(requests.WhoAmI, actor=who)
        async with connected() as nc:
            known = await call(nc, requests.WHOAMI, query, requests.Person)
            command = checked(
                requests.ChangePerson,
                command_id=command_id,
                actor=who,
                display_name=known.display_name,
                language=known.language,
                mail=wanted.model_dump(mode="json"),
            )
            done = await call(nc, requests.CHANGE_PERSON, command, requests.PersonDone)
        if as_json:
            print_json(done)
        else:
            sys.stdout.write(say("mail_wished", tickets=tickets) + "\n")

    run(work(), as_json=as_json, command_id=command_id)


def stop(link: str, *, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        command = checked(requests.StopMail, command_id=uuid7(), token=token_in(link))
        async with connected() as nc:
            done = await call(nc, requests.STOP_MAIL, command, requests.MailStopped)
        if as_json:
            print_json(done)
        else:
            sys.stdout.write(say("mail_stopped", email=done.email) + "\n")

    run(work(), as_json=as_json)
