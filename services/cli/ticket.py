"""`casetrail ticket ...`: the options of each command. What they do is in ticket_commands and ticket_queries.

Options are plain text here and are checked by the contract's own models, so that every broken rule is
told in the same words, in the person's language, and as JSON where that was asked for.
"""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="ticket",
    help="Open, answer, close, reopen and show tickets.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_REASONS = ("solved", "no_answer", "duplicate", "declined")


def _reasons() -> list[str]:
    return list(_REASONS)


def _statuses() -> list[str]:
    return ["open", "closed"]


Number = Annotated[str, typer.Argument(help="The ticket's number, such as 483-029-1741.")]
Account = Annotated[str | None, typer.Option(help="Of this account only.")]
CommandAccount = Annotated[str | None, typer.Option(help="The ticket's account; looked up when left out.")]
Actor = Annotated[
    str,
    typer.Option(
        "--as", metavar="PERSON", help="Who acts: jan@acme.example (a member), agent:ola@desk.example."
    ),
]
Attach = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help="A file that comes with it, at most 10 MiB. May be repeated."),
]
Asker = Annotated[
    str | None,
    typer.Option(
        "--as", metavar="PERSON", help="Who asks; left out: this terminal, which as the operator's sees all."
    ),
]
CommandId = Annotated[
    str | None, typer.Option(help="Repeats a command: the same id has one effect. Left out: a new one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, on one line.")]


@app.command("open")
def open_(
    account: Annotated[str, typer.Option(help="The account whose ticket it is.")],
    title: Annotated[str, typer.Option(help="In a line, at most 200 characters.")],
    text: Annotated[str, typer.Option(help="The first message; - reads standard input.")],
    actor: Actor,
    topic: Annotated[str | None, typer.Option(help="What it is about, a word such as payouts.")] = None,
    identifier: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=VALUE", help="By what it can be found: merchant=M-77. May be repeated."),
    ] = None,
    follows: Annotated[str | None, typer.Option(metavar="NUMBER", help="The ticket it follows up.")] = None,
    attach: Attach = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Open a ticket."""
    from services.cli import ticket_commands

    ticket_commands.open_ticket(
        account=account,
        title=title,
        text=text,
        actor=actor,
        topic=topic,
        identifiers=identifier or [],
        follows=follows,
        attach=attach or [],
        command_id=command_id,
        as_json=as_json,
    )


@app.command("reply")
def reply(
    number: Number,
    text: Annotated[str, typer.Option(help="The reply; - reads standard input.")],
    actor: Actor,
    attach: Attach = None,
    account: CommandAccount = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Answer on an open ticket."""
    from services.cli import ticket_commands

    ticket_commands.reply(
        number,
        text=text,
        attach=attach or [],
        actor=actor,
        account=account,
        command_id=command_id,
        as_json=as_json,
    )


@app.command("close")
def close(
    number: Number,
    reason: Annotated[
        str, typer.Option(autocompletion=_reasons, metavar="|".join(_REASONS), help="Why it is closed.")
    ],
    actor: Actor,
    note: Annotated[str | None, typer.Option(help="What there is to say about it.")] = None,
    account: CommandAccount = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Close an open ticket."""
    from services.cli import ticket_commands

    ticket_commands.close(
        number, reason=reason, note=note, actor=actor, account=account, command_id=command_id, as_json=as_json
    )


@app.command("reopen")
def reopen(
    number: Number,
    reason: Annotated[str, typer.Option(help="Why it is opened again.")],
    actor: Actor,
    account: CommandAccount = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Open a closed ticket again."""
    from services.cli import ticket_commands

    ticket_commands.reopen(
        number, reason=reason, actor=actor, account=account, command_id=command_id, as_json=as_json
    )


@app.command("show")
def show(
    number: Number,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As it stood then: 2026-11-20T10:02:32Z, 2h."),
    ] = None,
    revision: Annotated[str | None, typer.Option(metavar="N", help="As it stood after N events.")] = None,
    position: Annotated[
        str | None, typer.Option(metavar="P", help="As it stood at position P of the log.")
    ] = None,
    account: Account = None,
    actor: Asker = None,
    as_json: AsJson = False,
) -> None:
    """Show a ticket with its whole thread, as it stands or as it stood."""
    from services.cli import ticket_queries

    ticket_queries.show(
        number,
        as_of=as_of,
        revision=revision,
        position=position,
        account=account,
        actor=actor,
        as_json=as_json,
    )


@app.command("history")
def history(number: Number, account: Account = None, actor: Asker = None, as_json: AsJson = False) -> None:
    """List a ticket's events."""
    from services.cli import ticket_queries

    ticket_queries.history(number, account=account, actor=actor, as_json=as_json)


@app.command("list")
def list_(
    account: Account = None,
    status: Annotated[
        str | None, typer.Option(autocompletion=_statuses, metavar="open|closed", help="Of this status only.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Of this topic only.")] = None,
    identifier: Annotated[
        str | None, typer.Option(metavar="[KIND=]VALUE", help="With this identifier: merchant=M-77, or M-77.")
    ] = None,
    number: Annotated[str | None, typer.Option(help="With this number.")] = None,
    words: Annotated[
        str | None, typer.Option(help="In which every word stands somewhere; rezerw* for its beginning.")
    ] = None,
    limit: Annotated[str | None, typer.Option(metavar="N", help="At most so many, 50 by default.")] = None,
    before: Annotated[str | None, typer.Option(metavar="P", help="The next page, as told.")] = None,
    actor: Asker = None,
    as_json: AsJson = False,
) -> None:
    """List tickets, the newest first. All filters hold at once."""
    from services.cli import ticket_queries

    ticket_queries.list_tickets(
        account=account,
        status=status,
        topic=topic,
        identifier=identifier,
        number=number,
        words=words,
        limit=limit,
        before=before,
        actor=actor,
        as_json=as_json,
    )


@app.command("lookup")
def lookup(
    value: Annotated[str, typer.Argument(help="A number, a reference ID or any other identifier.")],
    account: Account = None,
    actor: Asker = None,
    as_json: AsJson = False,
) -> None:
    """Find tickets by whatever one holds in hands.

    Ten digits, however they are separated, are looked up as a ticket number and as any other identifier. If
    the check digit shows that they cannot be a ticket number, that is said; with nothing found by them, the
    exit code is then 2 instead of 4.
    """
    from services.cli import ticket_queries

    ticket_queries.lookup(value, account=account, actor=actor, as_json=as_json)
