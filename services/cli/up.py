"""`casetrail up`: the whole embedded system in one command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.cli.exit_codes import ExitCode


class LogFormat(StrEnum):
    """As the setting CASETRAIL_LOG_FORMAT of a service."""

    CONSOLE = "console"
    JSON = "json"


def up(
    data: Annotated[
        Path,
        typer.Option(envvar="CASETRAIL_DATA", file_okay=False, help="Directory that is kept between runs."),
    ] = Path(".casetrail"),
    nats_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the NATS server; 0 takes a free one.")
    ] = 4222,
    identity_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the development sign-in; 0 takes a free one.")
    ] = 9400,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the portal; 0 takes a free one.")
    ] = 8080,
    replicas: Annotated[int, typer.Option(min=1, max=16, help="Processes of each service.")] = 1,
    log_format: Annotated[LogFormat, typer.Option(help="How services log.")] = LogFormat.CONSOLE,
) -> None:
    """Run NATS and every service here, until Ctrl-C. A second Ctrl-C kills at once what is still stopping."""
    import asyncio

    from services.credentials.operator import TrustInvalid
    from services.embedded.lock import DataInUse
    from services.embedded.nats_server import ServerDidNotStart
    from services.embedded.ports import PortTaken
    from services.embedded.up import Options, SetupFailed, run_up

    options = Options(
        data=data,
        nats_port=nats_port,
        identity_port=identity_port,
        portal_port=port,
        replicas=replicas,
        log_format=log_format.value,
    )
    try:
        asyncio.run(run_up(options))
    except (DataInUse, PortTaken) as error:
        typer.echo(f"casetrail up: {error}", err=True)
        raise typer.Exit(ExitCode.USAGE) from None
    except (ServerDidNotStart, SetupFailed, TrustInvalid, OSError) as error:
        typer.echo(f"casetrail up: {error}", err=True)
        raise typer.Exit(ExitCode.FAULT) from None
