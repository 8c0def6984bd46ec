"""The `casetrail` command.

Each command lives in a module of its own, and imports what is slow to import when it runs: `--help` and
shell completion answer at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from services.cli.access import app as access
from services.cli.attachment import app as attachment
from services.cli.backup import backup, restore
from services.cli.credentials import app as credentials
from services.cli.dead import app as dead
from services.cli.doctor import doctor
from services.cli.events import events
from services.cli.exit_codes import ExitCode
from services.cli.interest import app as interest
from services.cli.mail import app as mail
from services.cli.questionnaire import app as questionnaire
from services.cli.serve import serve
from services.cli.setup import setup
from services.cli.ticket import app as ticket
from services.cli.up import up

app = typer.Typer(
    name="casetrail",
    help="Partner support whose every ticket is rebuilt from an append-only log.",
    epilog="Exit codes: 0 done, 1 a fault of ours, 2 wrong usage, 3 refused by a rule, 4 not found, "
    "5 unavailable, 130 ended by Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich would take most of the time that help takes
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up)
app.command("serve")(serve)
app.command("setup")(setup)
app.command("doctor")(doctor)
app.command("backup")(backup)
app.command("restore")(restore)
app.add_typer(ticket)
app.add_typer(attachment)
app.add_typer(questionnaire)
app.add_typer(interest)
app.add_typer(access)
app.add_typer(credentials)
app.add_typer(mail)
app.add_typer(dead)
app.command("events")(events)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"casetrail {version('casetrail')}")
        except PackageNotFoundError:
            typer.echo("casetrail (not installed, run from its sources)")
        raise typer.Exit


@app.callback()
def casetrail(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command; the app's help stands above."""


def run() -> None:
    """Run the command that the arguments name, and end the process with its exit code."""
    try:
        app()
    except Exception as error:  # the edge: a person gets one line, not a stack trace
        if sys.flags.dev_mode:
            raise
        typer.echo(f"casetrail: {type(error).__name__}: {error}", err=True)
        typer.echo("This is a fault of ours. `python -X dev -m services.cli.main` shows where.", err=True)
        sys.exit(ExitCode.FAULT)


if __name__ == "__main__":
    run()
