"""`casetrail dead ...`: the options of each command. What they do is in dead_letters."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="dead",
    help="Events that a service gave up on (dead letters): see them, have them handled again.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, on one line.")]


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Those that were retried, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the dead letters that nobody has retried, oldest first: whose, which event, why."""
    from services.cli import dead_letters

    dead_letters.show(every=every, as_json=as_json)


@app.command("retry")
def retry(
    letters: Annotated[
        list[str], typer.Argument(metavar="LETTER...", help="As `casetrail dead list` numbers them.")
    ],
    as_json: AsJson = False,
) -> None:
    """Have the events handled again, after the fault is mended.

    Each is handled once more by its own service, now, and what became of it is shown. What fails again stays
    a dead letter. May be repeated: what was done has no second effect.
    """
    from services.cli import dead_letters

    dead_letters.retry(letters, as_json=as_json)
