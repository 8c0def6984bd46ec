"""Looking at e-mails that came in from the command line, and settling those that wait."""

from __future__ import annotations

import sys
from pathlib import Path

from contracts.client import Tickets, call
from contracts.notify import requests
from contracts.number import shown
from contracts.tickets.requests import GetTicket
from services.cli import arguments
from services.cli.attachment_commands import write_new
from services.cli.connect import connected
from services.cli.failures import checked, run
from services.cli.output import print_json, visible
from services.cli.words import say
from services.runtime.ids import uuid7


def list_received(
    *,
    waiting: bool,
    account: str | None,
    ticket: str | None,
    outcome: str | None,
    limit: str | None,
    before: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        query = checked(
            requests.ListReceived,
            actor=arguments.asker(actor),
            waiting=waiting,
            account=account,
            ticket=ticket,
            outcome=outcome,
            limit=limit,
            before=before,
        )
        async with connected() as nc:
            page = await call(nc, requests.RECEIVED, query, requests.ReceivedPage)
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


def show(received: str, *, actor: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        query = checked(requests.GetReceived, actor=arguments.asker(actor), received=received)
        async with connected() as nc:
            record = await call(nc, requests.RECEIVED_MAIL, query, requests.ReceivedRecord)
        if as_json:
            print_json(record)
            return
        sys.stdout.write(_line(record.mail))
        for recorded in record.events:
            data, said = recorded.event["data"], recorded.event["data"].get("content", {})
            about = [f"{key}={data[key]}" for key in ("outcome", "reason", "how") if key in data]
            about += [str(said["note"])] if "note" in said else []
            kind = str(recorded.event["type"]).split(".")[2]
            sys.stdout.write(f"   {visible(' '.join([str(recorded.event['time']), kind, *about]))}\n")
        if record.original is not None:
            _write_original(record.original)

    run(work(), as_json=as_json)


def get(received: str, *, out: str | None, actor: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        content = bytearray()
        query = checked(requests.GetRaw, actor=arguments.asker(actor), received=received)
        async with connected() as nc:
            while True:
                chunk = await call(nc, requests.RAW, query, requests.RawChunk)
                content += chunk.data
                if chunk.next_offset is None:
                    break
                query = query.model_copy(update={"offset": chunk.next_offset})
        target = Path(out or f"{query.received}.eml")
        write_new(target, bytes(content))
        if as_json:
            print_json(
                requests.ReceivedFile(name=str(target), media_type="message/rfc822", size=len(content))
            )
        else:
            sys.stdout.write(say("file_saved", name=received, file=visible(str(target))) + "\n")

    run(work(), as_json=as_json)


def put(received: str, *, ticket: str, actor: str, command_id: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""
    command_id = command_id or uuid7()

    async def work() -> None:
        query = checked(GetTicket, actor=arguments.person(actor), number=ticket)
        async with connected() as nc:
            found = await Tickets(nc).get(query)
            order = checked(
                requests.SettleMail,
                command_id=command_id,
                actor=arguments.person(actor),
                received=received,
                ticket=found.number,
                account=found.account,
            )
            settled = await call(nc, requests.SETTLE, order, requests.MailSettled)
        if as_json:
            print_json(settled)
        else:
            sys.stdout.write(say("mail_put", received=received, ticket=shown(found.number)) + "\n")

    run(work(), as_json=as_json, command_id=command_id)


def dismiss(received: str, *, actor: str | None, command_id: str | None, as_json: bool) -> None:
    """Raises typer.Exit."""
    command_id = command_id or uuid7()

    async def work() -> None:
        order = checked(
            requests.SettleMail, command_id=command_id, actor=arguments.asker(actor), received=received
        )
        async with connected() as nc:
            settled = await call(nc, requests.SETTLE, order, requests.MailSettled)
        if as_json:
            print_json(settled)
        else:
            sys.stdout.write(say("mail_dismissed", received=received) + "\n")

    run(work(), as_json=as_json, command_id=command_id)


def _line(mail: requests.ReceivedSummary) -> str:
    became = "-" if mail.outcome is None else mail.outcome.value
    why = "" if mail.reason is None else f" ({mail.reason})"
    ticket = "" if mail.ticket is None else f"  {shown(mail.ticket)}"
    waits = f"  {say('mail_waits')}" if mail.waits else ""
    at = f"{mail.received_at:%Y-%m-%d %H:%M:%S}Z"
    sender, subject = visible(mail.sender or "-"), visible(mail.subject or "")
    return f"{mail.received}  {at}  {became}{why}{ticket}  {sender}  {subject}{waits}\n"


def _write_original(original: requests.Original) -> None:
    for name, value in (
        ("From", original.sender),
        ("To", original.recipients),
        ("Subject", original.subject),
        ("Date", original.date),
    ):
        sys.stdout.write(f"   {name}: {visible(value)}\n")
    for file in original.files:
        sys.stdout.write(f"   {visible(file.name)} ({visible(file.media_type)}, {file.size} B)\n")
    for mark, text in ((" ", original.text), (">", original.folded)):
        sys.stdout.write("\n")
        for line in text.splitlines():
            sys.stdout.write(f"   |{mark}{visible(line)}\n")
    if original.is_cut:
        sys.stdout.write(say("mail_is_cut") + "\n")
