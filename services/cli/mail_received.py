"""`casetrail mail received ...`: the options of each command."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="received",
    help="E-mails that came in: what became of each, and those that wait for somebody to look at them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, on one line.")]
As = Annotated[
    str | None, typer.Option("--as", help="Who asks: agent:ola@desk.example. Unset: this terminal.")
]
Received = Annotated[str, typer.Argument(metavar="RECEIVED", help="Its id, as the list shows it.")]
CommandId = Annotated[str | None, typer.Option(help="To repeat a command safely.")]


@app.command("list")
def list_(
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for somebody.")] = False,
    account: Annotated[str | None, typer.Option(help="Only about this account.")] = None,
    ticket: Annotated[str | None, typer.Option(help="Only about this ticket.")] = None,
    outcome: Annotated[str | None, typer.Option(help="replied, refused, quarantined, unassigned...")] = None,
    limit: Annotated[str | None, typer.Option(metavar="N", help="At most so many, 200 at most.")] = None,
    before: Annotated[str | None, typer.Option(metavar="POSITION", help="The next page.")] = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """List e-mails that came in, newest first."""
    from services.cli import mail_received_commands

    mail_received_commands.list_received(
        waiting=waiting,
        account=account,
        ticket=ticket,
        outcome=outcome,
        limit=limit,
        before=before,
        actor=actor,
        as_json=as_json,
    )


@app.command("show")
def show(received: Received, actor: As = None, as_json: AsJson = False) -> None:
    """Show an e-mail that came in: what it says, and what became of it."""
    from services.cli import mail_received_commands

    mail_received_commands.show(received, actor=actor, as_json=as_json)


@app.command("get")
def get(
    received: Received,
    out: Annotated[str | None, typer.Option(metavar="FILE", help="Unset: RECEIVED.eml.")] = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Save an e-mail as it came in, byte by byte."""
    from services.cli import mail_received_commands

    mail_received_commands.get(received, out=out, actor=actor, as_json=as_json)


@app.command("put")
def put(
    received: Received,
    ticket: Annotated[str, typer.Option(help="The number of the ticket.")],
    actor: Annotated[str, typer.Option("--as", help="The agent who does it: agent:ola@desk.example.")],
    command_id: CommandId = None,
    as_json: AsJson = False,
) -> None:
    """Put an e-mail that waits on a ticket, as a reply of the agent that says whom it is from."""
    from services.cli import mail_received_commands

    mail_received_commands.put(received, ticket=ticket, actor=actor, command_id=command_id, as_json=as_json)


@app.command("dismiss")
def dismiss(
    received: Received, actor: As = None, command_id: CommandId = None, as_json: AsJson = False
) -> None:
    """Take an e-mail that waits off the list; it is kept."""
    from services.cli import mail_received_commands

    mail_received_commands.dismiss(received, actor=actor, command_id=command_id, as_json=as_json)
