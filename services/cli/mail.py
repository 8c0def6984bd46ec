"""`casetrail mail ...`: the options of each command."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli import mail_received

app = typer.Typer(
    name="mail",
    help="E-mails: what was sent to whom, when, with what answer; send again what was given up.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
dead = typer.Typer(
    name="dead",
    help="E-mails that were given up: refused for good, tried for days, or come back.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(dead)
app.add_typer(mail_received.app)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, on one line.")]
As = Annotated[
    str | None, typer.Option("--as", help="Who asks: agent:ola@desk.example. Unset: this terminal.")
]
Limit = Annotated[str | None, typer.Option(metavar="N", help="At most so many, 200 at most.")]
Before = Annotated[str | None, typer.Option(metavar="POSITION", help="The next page, as the last one says.")]


@app.command("list")
def list_(
    account: Annotated[str | None, typer.Option(help="Only about this account.")] = None,
    ticket: Annotated[str | None, typer.Option(help="Only about this ticket.")] = None,
    person: Annotated[str | None, typer.Option(help="Only to this person: address or id.")] = None,
    state: Annotated[str | None, typer.Option(metavar="waiting|sending|sent|dead")] = None,
    limit: Limit = None,
    before: Before = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """List e-mails, newest first."""
    from services.cli import mail_commands

    mail_commands.list_mails(
        account=account,
        ticket=ticket,
        person=person,
        state=state,
        limit=limit,
        before=before,
        actor=actor,
        as_json=as_json,
    )


@app.command("show")
def show(
    mail: Annotated[str, typer.Argument(metavar="MAIL", help="Its id, or the reference ID that it shows.")],
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Show an e-mail: to whom, why, every attempt with the server's answer, and what it says."""
    from services.cli import mail_commands

    mail_commands.show(mail, actor=actor, as_json=as_json)


@app.command("send-test")
def send_test(
    email: Annotated[str, typer.Argument(metavar="ADDRESS")],
    language: Annotated[str, typer.Option(help="pl or en.")] = "en",
    actor: As = None,
    command_id: Annotated[str | None, typer.Option(help="To repeat a command safely.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send an e-mail that shows that e-mails arrive, and wait for what the mail server says."""
    from services.cli import mail_commands

    mail_commands.send_test(email, language=language, actor=actor, command_id=command_id, as_json=as_json)


@dead.command("list")
def dead_list(limit: Limit = None, before: Before = None, actor: As = None, as_json: AsJson = False) -> None:
    """List the e-mails that were given up, newest first."""
    from services.cli import mail_commands

    mail_commands.list_mails(state="dead", limit=limit, before=before, actor=actor, as_json=as_json)


@dead.command("retry")
def dead_retry(
    mails: Annotated[list[str], typer.Argument(metavar="MAIL...", help="Ids, as the list shows them.")],
    actor: As = None,
    command_id: Annotated[str | None, typer.Option(help="To repeat a command safely.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send e-mails that were given up once more."""
    from services.cli import mail_commands

    mail_commands.retry(mails, actor=actor, command_id=command_id, as_json=as_json)


@app.command("wish")
def wish(
    tickets: Annotated[str, typer.Option(metavar="all|mine|none", help="Of which tickets e-mails come.")],
    actor: Annotated[str, typer.Option("--as", help="Whose wish it is: jan@acme.example.")],
    own: Annotated[bool, typer.Option("--own", help="Also of what the person does itself.")] = False,
    command_id: Annotated[str | None, typer.Option(help="To repeat a command safely.")] = None,
    as_json: AsJson = False,
) -> None:
    """Choose which e-mails a person gets about tickets."""
    from services.cli import mail_wishes

    mail_wishes.wish(tickets=tickets, own=own, actor=actor, command_id=command_id, as_json=as_json)


@app.command("stop")
def stop(
    link: Annotated[str, typer.Argument(metavar="LINK", help="Of an e-mail, or the token in it.")],
    as_json: AsJson = False,
) -> None:
    """Send no more e-mails about tickets to whom the link was made for, as List-Unsubscribe does."""
    from services.cli import mail_wishes

    mail_wishes.stop(link, as_json=as_json)
