"""`casetrail doctor`: everything is looked at, one thing after the other, and told."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from services.cli import doctor_around as around
from services.cli.connect import CONNECT_WITHIN_S, USER, settings, silence
from services.cli.doctor_findings import Finding, State, fine, problem
from services.cli.doctor_log import look_at_the_log
from services.cli.exit_codes import ExitCode
from services.cli.failures import Failure, malformed, run
from services.cli.output import WIDTH_OF_A_PIPE, print_json
from services.cli.words import say
from services.embedded.catalogue import CATALOGUE
from services.embedded.running import Running, find_running
from services.runtime.connection import BrokerUnavailable, connect
from services.runtime.settings import RuntimeSettings, SettingsInvalid

_STYLES = {State.FINE: "green", State.PROBLEM: "bold red", State.UNSEEN: "dim"}


def examine(*, monitors: list[str], replicas: int | None, without: list[str], as_json: bool) -> None:
    """Raises typer.Exit."""
    problems = 0
    services = [entry.name for entry in CATALOGUE if entry.name not in without]

    async def work() -> None:
        nonlocal problems
        every = [entry.name for entry in CATALOGUE]
        for name in without:
            if name not in every:
                raise malformed("--without", "no_such_service", service=name, services=", ".join(every))
        found = []
        width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_PIPE
        out = Console(highlight=False, markup=False, emoji=False, width=width, soft_wrap=True)
        async for finding in _look(monitors, replicas, services):
            found.append(finding)
            if not as_json:
                _show(out, finding)
        problems = sum(finding.state is State.PROBLEM for finding in found)
        if as_json:
            print_json({"ok": not problems, "findings": [_told(finding) for finding in found]})
        else:
            out.print(Text(say("doctor_sum" if problems else "doctor_well", n=problems), "bold"))

    run(work(), as_json=as_json)
    raise typer.Exit(ExitCode.FAULT if problems else ExitCode.DONE)


async def _look(
    monitors: list[str], replicas: int | None, services: Collection[str]
) -> AsyncIterator[Finding]:
    silence()
    running = None if os.environ.get("CASETRAIL_NATS_URL") else find_running()
    async for finding in _look_over_nats(replicas, services):
        yield finding
    async for finding in around.look_at_monitoring(monitors):
        yield finding
    async for finding in around.look_at_readiness({} if running is None else running.services):
        yield finding
    for finding in around.look_at_credentials(_credentials(running), datetime.now(UTC)):
        yield finding
    yield await around.look_at_the_mail_server()
    yield await around.look_at_the_identity_provider()


async def _look_over_nats(replicas: int | None, services: Collection[str]) -> AsyncIterator[Finding]:
    try:
        found: RuntimeSettings = settings()
        nc = await connect(found, user=USER, wait_s=CONNECT_WITHIN_S)
    except (BrokerUnavailable, SettingsInvalid) as error:
        yield problem("nats", reason=str(error))
        return
    except Failure as failure:
        yield problem("nats", reason=failure.reply.message)
        return
    try:
        yield fine("nats_fine", url=", ".join(found.nats_servers))
        async for finding in look_at_the_log(nc, replicas=replicas, services=services):
            yield finding
        async for finding in around.look_at_services(nc, version("casetrail"), services):
            yield finding
        yield await around.look_at_dead_mails(nc)
    finally:
        await nc.close()


def _credentials(running: Running | None) -> list[Path]:
    """Those in the environment, and all of an embedded system."""
    named = os.environ.get("CASETRAIL_NATS_CREDS")
    if named:
        return [Path(named)]
    return [] if running is None else sorted(Path(running.cli_creds_file).parent.glob("*.creds"))


def _show(out: Console, finding: Finding) -> None:
    line = Text(f"{say(f'doctor_{finding.state.value}'):<9}", _STYLES[finding.state])
    line.append(finding.sentence, "")
    out.print(line)
    if finding.fix is not None:
        out.print(Text(f"         {finding.fix}"))


def _told(finding: Finding) -> dict[str, object]:
    told: dict[str, object] = {
        "state": finding.state.value,
        "code": finding.code,
        "message": finding.sentence,
        "data": finding.data,
    }
    return told if finding.fix is None else {**told, "fix": finding.fix}
