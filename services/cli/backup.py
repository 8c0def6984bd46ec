"""`casetrail backup` and `casetrail restore`: their options. What they do is in backup_commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, on one line.")]


def backup(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|DIR", help="The file; or a directory, in which it is named by the time."
        ),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Read the file through afterwards, as `restore --check` does.")
    ] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Of the backups in DIR keep only the newest N, this one among them."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write everything that the running system keeps into one file, which is there whole or not at all.

    In it: the logs, drafts, files and e-mails. Not in it: keys and credentials, and who is signed in.
    """
    from services.cli import backup_commands

    backup_commands.backup(target, check=check, keep=keep, as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `casetrail backup` has written.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, help="Into a new embedded system, which does not run yet."
        ),
    ] = None,
    operator_keys: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="CASETRAIL_NATS_OPERATOR_KEYS",
            help="The operator's keys of CASETRAIL_NATS_URL: makes credentials for this one restore.",
        ),
    ] = None,
    replicas: Annotated[
        int,
        typer.Option(
            min=1, max=5, envvar="CASETRAIL_STREAM_REPLICAS", help="Servers that keep a copy of each stream."
        ),
    ] = 1,
    check: Annotated[bool, typer.Option("--check", help="Only look the file through.")] = False,
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="Restore into a NATS server made for it, compare, and remove both."),
    ] = False,
    fingerprint: Annotated[
        str | None, typer.Option(metavar="SHA-256", help="What the backup's fingerprint must be.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty system: the same messages, positions and times, each compared.

    The services start after it; into a system that holds anything nothing is restored.
    """
    from services.cli import backup_commands

    backup_commands.restore(
        file,
        data=data,
        operator_keys=operator_keys,
        replicas=replicas,
        check=check,
        rehearse=rehearse,
        fingerprint=fingerprint,
        as_json=as_json,
    )
