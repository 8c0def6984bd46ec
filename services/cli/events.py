"""`casetrail events`: its options. What it does is in events_stream."""

from __future__ import annotations

from typing import Annotated

import typer

_KINDS = ("opened", "replied", "closed", "reopened")


def _kinds() -> list[str]:
    return list(_KINDS)


def events(
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the first event.")] = False,
    position: Annotated[
        str | None, typer.Option(metavar="N", help="Begin after this position of the log.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Begin then: 2026-11-20T10:02:32Z, 2026-11-20, 2h."),
    ] = None,
    account: Annotated[str | None, typer.Option(help="Of this account only.")] = None,
    ticket: Annotated[str | None, typer.Option(metavar="NUMBER", help="Of this ticket only.")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=_kinds, metavar="|".join(_KINDS), help="Of this kind only. May be repeated."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new events.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Errors as JSON too; events are JSON in any case.")
    ] = False,
) -> None:
    """Print every event as a line of JSON: {"position": N, "event": <the CloudEvent, as it is in the log>}.

    Without a place to begin: what happens from now on, until Ctrl-C. To resume, pass the last position that
    was printed with --position: nothing is left out and nothing repeated, whatever the broker goes through.
    """
    from services.cli import events_stream

    events_stream.print_events(
        from_start=from_start,
        position=position,
        since=since,
        account=account,
        ticket=ticket,
        kinds=kind,
        follow=follow,
        as_json=as_json,
    )
