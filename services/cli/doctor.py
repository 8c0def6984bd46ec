"""`casetrail doctor`: its options. What it looks at is in doctor_commands."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    monitor: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            envvar="CASETRAIL_NATS_MONITOR_URL",
            help="Monitoring address of a NATS server (http://nats-0:8222): only there are its fsync and its "
            "disk to be seen. May be repeated.",
        ),
    ] = None,
    replicas: Annotated[
        int | None,
        typer.Option(
            min=1, max=5, envvar="CASETRAIL_STREAM_REPLICAS", help="Servers that should keep each stream."
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVICE", help="A service that you do not run. May be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, on one line.")] = False,
) -> None:
    """Say what is wrong, and what to do about it. Exit code 0: nothing is; 1: something.

    It reads, and changes nothing. As the user `cli`; sign-in and mail server are asked where the environment
    names them (CASETRAIL_OIDC_ISSUER, CASETRAIL_SMTP_HOST).
    """
    from services.cli import doctor_commands

    doctor_commands.examine(monitors=monitor or [], replicas=replicas, without=without or [], as_json=as_json)
