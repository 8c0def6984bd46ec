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


Directory = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        file_okay=False,
        help="Where the keys and credentials are kept; left out: of the system that runs here.",
    ),
]
Kubernetes = Annotated[
    bool, typer.Option("--kubernetes", help="Print them as Secrets, for `kubectl apply -f -`.")
]
Namespace = Annotated[str | None, typer.Option(help="Of the Secrets.")]
SigningKey = Annotated[
    str | None,
    typer.Option(
        metavar="SERVICES|OUTSIDE",
        help="The key that signs credentials of this NATS account: of our services, or of who only asks.",
    ),
]


@app.command("init")
def init(
    directory: Annotated[
        Path,
        typer.Option(
            "--dir", metavar="DIR", file_okay=False, help="Where the keys and credentials are kept."
        ),
    ] = Path("casetrail-credentials"),
    kubernetes: Kubernetes = False,
    namespace: Namespace = None,
    accounts_directory: Annotated[
        str, typer.Option(metavar="DIR", help="Where nats-server keeps what it is told of accounts.")
    ] = "/data/accounts",
    as_json: AsJson = False,
) -> None:
    """Make the operator, accounts, users and keys of a deployment, as files that nobody else reads.

    What is there is kept: it may be repeated, and after an upgrade tells whose credentials to rotate.
    """
    from services.cli import credentials_keys

    credentials_keys.init(
        directory,
        kubernetes=kubernetes,
        namespace=namespace,
        accounts_directory=accounts_directory,
        as_json=as_json,
    )


@app.command("rotate")
def rotate(
    users: Annotated[
        list[str] | None, typer.Argument(metavar="[USER]...", help="As in creds/USER.creds.")
    ] = None,
    signing_key: SigningKey = None,
    directory: Directory = None,
    kubernetes: Kubernetes = False,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Replace credentials of our own users, or a signing key and with it those of all its users.

    The new ones work at once, and so do the old ones until `casetrail credentials retire`: hand the new ones
    out first. A service reads its file again whenever it connects.
    """
    from services.cli import credentials_keys

    credentials_keys.rotate(
        users or [],
        signing_key=signing_key,
        directory=directory,
        kubernetes=kubernetes,
        namespace=namespace,
        as_json=as_json,
    )


@app.command("retire")
def retire(
    users: Annotated[
        list[str] | None, typer.Argument(metavar="[USER]...", help="Whose were rotated.")
    ] = None,
    signing_key: SigningKey = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """End the old credentials after a rotation: whoever still uses them is disconnected at once.

    A process whose file was replaced comes back with the new ones.

    Of a signing key: all that earlier keys of this account signed, those of other systems in OUTSIDE too.
    """
    from services.cli import credentials_keys

    credentials_keys.retire(users or [], signing_key=signing_key, directory=directory, as_json=as_json)


@app.command("push")
def push(directory: Directory = None, as_json: AsJson = False) -> None:
    """Tell the running NATS servers what the accounts have now; after an upgrade, and a start without it."""
    from services.cli import credentials_keys

    credentials_keys.push(directory=directory, as_json=as_json)
