"""`casetrail attachment ...`: the options of each command."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="attachment",
    help="Upload files for messages, and get them back.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Account = Annotated[str, typer.Option(help="The account whose file it is.")]
Actor = Annotated[
    str, typer.Option("--as", metavar="PERSON", help="Who acts: jan@acme.example, agent:ola@desk.example.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, on one line.")]


@app.command("put")
def put(
    file: Annotated[str, typer.Argument(metavar="FILE", help="At most 10 MiB.")],
    account: Account,
    actor: Actor,
    as_json: AsJson = False,
) -> None:
    """Upload a file. `ticket open` and `ticket reply` do it by themselves with --attach."""
    from services.cli import attachment_commands

    attachment_commands.put(file, account=account, actor=actor, as_json=as_json)


@app.command("get")
def get(
    attachment: Annotated[str, typer.Argument(metavar="ID", help="As `ticket show` has it.")],
    account: Account,
    actor: Actor,
    out: Annotated[str | None, typer.Option(metavar="FILE", help="Left out: the file's own name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Save a file. One that is there already is not overwritten."""
    from services.cli import attachment_commands

    attachment_commands.get(attachment, account=account, actor=actor, out=out, as_json=as_json)
