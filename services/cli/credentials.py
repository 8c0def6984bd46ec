"""`casetrail credentials ...`: the options of each command. What they do is in credentials_commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="credentials",
    help="Give other systems a way in, list who has one, and take it back.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_MAY = ("subscribe", "read", "write")


def _may() -> list[str]:
    return list(_MAY)


Account = Annotated[str, typer.Option(help="The account whose system it is.")]
Actor = Annotated[
    str | None,
    typer.Option(
        "--as", metavar="PERSON", help="Who acts: agent:ola@desk.example; left out: the operator's terminal."
    ),
]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--operator-keys",
        metavar="DIR",
        envvar="CASETRAIL_NATS_OPERATOR_KEYS",
        help="Directory of the operator's keys; left out: that of the system that runs here.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, on one line.")]


@app.command("create")
def create(
    account: Account,
    may: Annotated[
        list[str],
        typer.Option(
            autocompletion=_may,
            metavar="|".join(_MAY),
            help="Follow the account's events, read tickets, write on them. May be repeated.",
        ),
    ],
    actor: Actor = None,
    name: Annotated[str, typer.Option(help="What the system is called within the account.")] = "systems",
    out: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where they go; - for standard output.")
    ] = None,
    operator_keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Issue NATS credentials for a system of an account: a file that nobody else reads, and no copy is kept.

    The file is ACCOUNT_NAME.creds unless --out says otherwise; one that exists is not overwritten.
    """
    from services.cli import credentials_commands

    credentials_commands.create(
        account=account, name=name, may=may, actor=actor, out=out, keys=operator_keys, as_json=as_json
    )


@app.command("list")
def list_(account: Account, actor: Actor = None, as_json: AsJson = False) -> None:
    """List an account's credentials, revoked ones too."""
    from services.cli import credentials_commands

    credentials_commands.list_credentials(account=account, actor=actor, as_json=as_json)


@app.command("revoke")
def revoke(
    account: Account,
    name: Annotated[str, typer.Argument(help="What the system is called within the account.")],
    actor: Actor = None,
    operator_keys: Keys = None,
    command_id: Annotated[
        str | None, typer.Option(help="Repeats a command: the same id has one effect. Left out: a new one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take a system's credentials back: it is disconnected at once, and cannot come back.

    Repeat it if it was interrupted: what was put on record is then carried out on NATS.
    """
    from services.cli import credentials_commands

    credentials_commands.revoke(
        account=account, name=name, actor=actor, keys=operator_keys, command_id=command_id, as_json=as_json
    )
