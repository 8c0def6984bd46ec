"""Looking at e-mails from the command line, and having them sent again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, Final

from contracts.access.people import person_id
from contracts.client import call
from contracts.notify import requests
from contracts.number import shown
from services.cli import arguments
from services.cli.connect import connected
from services.cli.failures import checked, malformed, run
from services.cli.output import print_json, visible
from services.cli.words import say
from services.runtime.ids import uuid7

_WAIT_S: Final = 20.0
_LOOK_EVERY_S: Final = 0.2


def list_mails(
    *,
    account: str | None = None,
    ticket: str | None = None,
    person: str | None = None,
    state: str | None = None,
    limit: str | None,
    before: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        query = checked(
            requests.ListMails,
            actor=arguments.asker(actor),
            account=account,
            ticket=ticket,
            person=None if person is None else _person(person),
            state=state,
            limit=limit,
            before=before,
        )
        async with connected() as nc:
            page = await call(nc, requests.MAILS, query, requests.MailPage)
        if as_json:
            print_json(page)
            return
        for mail in page.mails:
            sys.stdout.write(_line(mail))
        if not page.mails:
            sys.stdout.write(say("mails_none") + "\n")
        if page.next_before is not None:
            sys.stdout.write(say("more_mails", before=page.next_before) + "\n")

    run(work(), as_json=as_json)


def show(mail: str, *, actor: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        query = checked(requests.GetMail, actor=arguments.asker(actor), mail=mail)
        async with connected() as nc:
            record = await call(nc, requests.MAIL, query, requests.MailRecord)
        if as_json:
            print_json(record)
            return
        found = record.mail
        sys.stdout.write(_line(found))
        about = shown(found.ticket) if found.ticket else "-"
        sys.stdout.write(say("mail_about", kind=found.kind, why=found.why, ticket=about) + "\n")
        for recorded in record.events:
            sys.stdout.write(f"   {_event(recorded.event)}\n")
        if record.text is not None:
            sys.stdout.write("\n")
            for line in record.text.splitlines():
                sys.stdout.write(f"   | {visible(line)}\n")

    run(work(), as_json=as_json)


def send_test(email: str, *, language: str, actor: str | None, command_id: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""
    command_id = command_id or uuid7()

    async def work() -> None:
        order = checked(
            requests.SendTest,
            command_id=command_id,
            actor=arguments.asker(actor),
            email=email,
            language=language,
        )
        async with connected() as nc:
            done = await call(nc, requests.TEST, order, requests.MailDone)
            query = requests.GetMail.model_validate(
                {"actor": arguments.asker(actor), "mail": done.mail, "at_least": done.position}, strict=False
            )
            loop = asyncio.get_running_loop()
            deadline = loop.time() + _WAIT_S
            while True:
                record = await call(nc, requests.MAIL, query, requests.MailRecord)
                if record.mail.answer is not None or loop.time() > deadline:
                    break
                await asyncio.sleep(_LOOK_EVERY_S)
        if as_json:
            print_json(record)
        else:
            sys.stdout.write(_line(record.mail))

    run(work(), as_json=as_json, command_id=command_id)


def retry(mails: Sequence[str], *, actor: str | None, command_id: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""
    command_id = command_id or uuid7()

    async def work() -> None:
        orders = [
            checked(requests.ReviveMail, command_id=command_id, actor=arguments.asker(actor), mail=mail)
            for mail in mails
        ]
        async with connected() as nc:
            for order in orders:
                done = await call(nc, requests.REVIVE, order, requests.MailDone)
                if as_json:
                    print_json(done)
                else:
                    sys.stdout.write(say("mail_revived", mail=done.mail) + "\n")

    run(work(), as_json=as_json, command_id=command_id)


def _person(typed: str) -> str:
    if "@" not in typed:
        return typed
    try:
        return person_id(typed)
    except ValueError:
        raise malformed("--person", "person_address") from None


def _line(mail: requests.MailSummary) -> str:
    answer = "" if mail.answer is None else f"  {mail.code or ''} {visible(mail.answer)}".rstrip()
    bounced = f"  {say('mail_bounced')}" if mail.bounced else ""
    at = f"{mail.queued_at:%Y-%m-%d %H:%M:%S}Z"
    state = f"{mail.state.value:<7}"
    return f"{mail.mail}  {mail.reference}  {at}  {state}  {visible(mail.email)}{answer}{bounced}\n"


def _event(event: dict[str, Any]) -> str:
    data, said = event["data"], event["data"].get("content", {})
    about = [f"{key}={data[key]}" for key in ("attempt", "code", "until", "hard", "status") if key in data]
    if data.get("may_repeat"):
        about.append("may_repeat")
    if "answer" in said:
        about.append(str(said["answer"]))
    return visible(" ".join([str(event["time"]), str(event["type"]).split(".")[2], *about]))
