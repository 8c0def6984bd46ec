"""`casetrail interest ...`: the options of each command."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="interest",
    help="Interest forms of companies that are no partners yet.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Link = Annotated[str, typer.Argument(metavar="LINK", help="Of the e-mail, or the token in it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, on one line.")]


@app.command("show")
def show(link: Link, as_json: AsJson = False) -> None:
    """Show what a confirmation link is about. Nothing changes by it."""
    from services.cli import interest_commands

    interest_commands.show(link, as_json=as_json)


@app.command("confirm")
def confirm(link: Link, as_json: AsJson = False) -> None:
    """Confirm an interest, as its sender does by the link: it becomes a ticket of the new partners."""
    from services.cli import interest_commands

    interest_commands.confirm(link, as_json=as_json)
