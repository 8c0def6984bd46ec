"""Opening, answering, closing and reopening tickets from the command line."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from nats.aio.client import Client

from contracts.attachments.files import MAX_ATTACHMENTS
from contracts.client import Tickets
from contracts.number import shown
from contracts.requests import Command
from contracts.tickets import requests
from services.cli import arguments, attachment_commands
from services.cli.connect import connected
from services.cli.failures import checked, malformed, run
from services.cli.output import Pages, print_json
from services.cli.words import say

TIMEOUT_S: Final = 6.0
"""How long a person is kept waiting before being told that nobody answers."""

_ACCOUNT_TO_BE_FOUND: Final = "to-be-found"
"""Stands in for the account while everything else is checked, before anybody is asked."""

CommandT = TypeVar("CommandT", bound=requests.TicketCommand)
Send = Callable[[Client, Tickets], Awaitable[requests.CommandDone]]
WithFilesT = TypeVar("WithFilesT", bound=Command)


def open_ticket(
    *,
    account: str,
    title: str,
    text: str,
    actor: str,
    topic: str | None,
    identifiers: list[str],
    follows: str | None,
    attach: list[str],
    command_id: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""
    command_id = command_id or _new_id()

    async def work() -> None:
        files = _files(attach)
        command = checked(
            requests.OpenTicket,
            command_id=command_id,
            account=account,
            actor=arguments.person(actor),
            title=title,
            message=arguments.text(text),
            topic=topic,
            identifiers=tuple(map(arguments.identifier, identifiers)),
            follows=follows,
        )

        async def send(nc: Client, tickets: Tickets) -> requests.CommandDone:
            return await tickets.open(await _with_files(nc, command, files))

        await _carry_out(send, command, "done_open", as_json=as_json)

    run(work(), as_json=as_json, command_id=command_id)


def reply(
    number: str,
    *,
    text: str,
    attach: list[str],
    actor: str,
    account: str | None,
    command_id: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""
    _change(
        requests.ReplyToTicket,
        Tickets.reply,
        "done_reply",
        lambda: {"number": number, "actor": arguments.person(actor), "text": arguments.text(text)},
        attach=attach,
        account=account,
        command_id=command_id,
        as_json=as_json,
    )


def close(
    number: str,
    *,
    reason: str,
    note: str | None,
    actor: str,
    account: str | None,
    command_id: str | None,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""
    _change(
        requests.CloseTicket,
        Tickets.close,
        "done_closed",
        lambda: {"number": number, "actor": arguments.person(actor), "reason": reason, "note": note},
        account=account,
        command_id=command_id,
        as_json=as_json,
    )


def reopen(
    number: str, *, reason: str, actor: str, account: str | None, command_id: str | None, as_json: bool
) -> None:
    """Raises typer.Exit."""
    _change(
        requests.ReopenTicket,
        Tickets.reopen,
        "done_open",
        lambda: {"number": number, "actor": arguments.person(actor), "reason": reason},
        account=account,
        command_id=command_id,
        as_json=as_json,
    )


def _change(
    model: type[CommandT],
    send: Callable[[Tickets, CommandT], Awaitable[requests.CommandDone]],
    sentence: str,
    values: Callable[[], dict[str, object]],
    *,
    attach: Sequence[str] = (),
    account: str | None,
    command_id: str | None,
    as_json: bool,
) -> None:
    command_id = command_id or _new_id()

    async def work() -> None:
        given = _ACCOUNT_TO_BE_FOUND if account is None else account
        files = _files(attach)
        command = checked(model, **values(), command_id=command_id, account=given)

        async def carry_out(nc: Client, tickets: Tickets) -> requests.CommandDone:
            found = command
            if account is None:
                ticket = await tickets.get(requests.GetTicket(actor=command.actor, number=command.number))
                found = command.model_copy(update={"account": ticket.account})
            return await send(tickets, await _with_files(nc, found, files))

        await _carry_out(carry_out, command, sentence, as_json=as_json)

    run(work(), as_json=as_json, command_id=command_id)


async def _carry_out(send: Send, command: Command, sentence: str, *, as_json: bool) -> None:
    async with connected() as nc:
        tickets = Tickets(nc, timeout_s=TIMEOUT_S)
        done = await send(nc, tickets)
        if as_json:
            # The ticket right after this command: the same however often, and whenever, it is repeated.
            ticket = await tickets.get(
                requests.GetTicket(
                    actor=command.actor,
                    number=done.number,
                    as_of_revision=done.revision,
                    at_least=done.position,
                )
            )
            print_json(ticket, {"command_id": command.command_id, "event_id": done.event_id})
            return
    made = say("made", revision=done.revision, position=done.position, command_id=command.command_id)
    Pages(datetime.now(UTC)).done(say(sentence, number=shown(done.number)), made)


def _files(attach: Sequence[str]) -> dict[str, bytes]:
    """What is to be attached, read before anybody is asked anything. Raises Failure."""
    if len(attach) > MAX_ATTACHMENTS:
        raise malformed("--attach", "too_many_files", count=len(attach), limit=MAX_ATTACHMENTS)
    return {file: attachment_commands.read(file, "--attach") for file in attach}


async def _with_files(nc: Client, command: WithFilesT, files: dict[str, bytes]) -> WithFilesT:
    """The command with the files, which are uploaded now. Raises RequestFailed."""
    if not files:
        return command
    uploaded = await attachment_commands.upload(
        nc, files, account=command.account, actor=command.actor, command_id=command.command_id
    )
    return command.model_copy(update={"attachments": tuple(each.id for each in uploaded)})


def _new_id() -> str:
    return str(uuid.uuid4())
