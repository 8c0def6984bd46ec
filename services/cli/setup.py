"""`casetrail setup`: makes the streams that are missing, and tells where others differ."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.exit_codes import ExitCode


def setup(
    replicas: Annotated[
        int,
        typer.Option(
            min=1,
            max=5,
            envvar="CASETRAIL_STREAM_REPLICAS",
            help="Servers that keep a copy of each stream: 1, or 3 in a cluster.",
        ),
    ] = 1,
) -> None:
    """Make the streams that are missing; never changes one. Exit code 1: some differ, as printed."""
    import asyncio

    from services.runtime.connection import BrokerUnavailable
    from services.runtime.settings import SettingsInvalid
    from services.runtime.streams import StreamsUnavailable

    try:
        differences = asyncio.run(_ensure(replicas))
    except SettingsInvalid as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.USAGE) from None
    except (BrokerUnavailable, StreamsUnavailable) as error:
        typer.echo(f"casetrail setup: {error}", err=True)
        raise typer.Exit(ExitCode.UNAVAILABLE) from None
    for difference in differences:
        typer.echo(difference)
    raise typer.Exit(ExitCode.FAULT if differences else ExitCode.DONE)


async def _ensure(replicas: int) -> list[str]:
    from services.runtime import logs
    from services.runtime.connection import connect
    from services.runtime.settings import RuntimeSettings, load
    from services.runtime.streams import ensure_streams

    settings = load(RuntimeSettings)
    logs.configure(settings.log_format, settings.log_level, "setup")
    nc = await connect(settings, user="setup")
    try:
        return await ensure_streams(nc, replicas=replicas)
    finally:
        await nc.close()
