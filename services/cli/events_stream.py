"""Printing the log as JSON lines, live if wanted, until whoever reads has had enough."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

from nats.aio.client import Client
from pydantic_core import from_json, to_json

from contracts.number import TicketNumber
from contracts.requests import Position, Sent
from contracts.subscribe import EventKind, TicketDocument, UnreadableEvent, ticket_documents
from contracts.text import AccountId
from services.cli.connect import connected
from services.cli.failures import checked, malformed, run
from services.cli.moments import parse_moment, spelled
from services.cli.words import say
from services.runtime.connection import BrokerUnavailable, keep_alive


class _Wanted(Sent):
    """The options that are checked; their names are those of the options."""

    position: Position | None = None
    account: AccountId | None = None
    ticket: TicketNumber | None = None
    kind: frozenset[EventKind] | None = None


def print_events(
    *,
    from_start: bool,
    position: str | None,
    since: str | None,
    account: str | None,
    ticket: str | None,
    kinds: list[str] | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Raises typer.Exit."""

    async def work() -> None:
        now = datetime.now(UTC)
        starts = {"--from-start": from_start or None, "--position": position, "--since": since}
        if len(given := [option for option, value in starts.items() if value is not None]) > 1:
            raise malformed(given[1], "only_one_of", options=", ".join(starts))
        wanted = checked(_Wanted, position=position, account=account, ticket=ticket, kind=kinds or None)
        moment = None if since is None else parse_moment("--since", since, now)
        if moment is not None and moment.assumed and not as_json:
            sys.stderr.write(say("time_read_as", option="--since", time=spelled(moment.at)) + "\n")
        live = follow or not given
        async with connected() as nc, _kept_alive(nc):
            documents = ticket_documents(
                nc,
                after=(wanted.position or 0) if given else None,
                since=None if moment is None else moment.at,
                account=wanted.account,
                ticket=wanted.ticket,
                kinds=wanted.kind,
                follow=live,
                on_unreadable=_tell,
            )
            async with contextlib.aclosing(documents):
                with _ended_when_nobody_reads():
                    async for document in documents:
                        sys.stdout.buffer.write(_line(document))
                        if live:
                            sys.stdout.buffer.flush()

    run(work(), as_json=as_json)


def _line(document: TicketDocument) -> bytes:
    event = document.payload
    if b"\n" in event:  # between its tokens; inside a string JSON cannot hold one
        event = to_json(from_json(event))
    return b'{"position":%d,"event":%s}\n' % (document.position, event)


def _tell(unreadable: UnreadableEvent) -> None:
    sys.stderr.write(say("not_an_event", position=unreadable.position) + "\n")


@contextlib.asynccontextmanager
async def _kept_alive(nc: Client) -> AsyncIterator[None]:
    keeper = asyncio.create_task(keep_alive(nc))
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError, BrokerUnavailable):
            await keeper


@contextlib.contextmanager
def _ended_when_nobody_reads() -> Iterator[None]:
    """Raises BrokenPipeError when the reader of a pipe goes, also while there is nothing to write."""
    loop, task, output = asyncio.get_running_loop(), asyncio.current_task(), sys.stdout.fileno()
    gone = False

    def on_gone() -> None:
        nonlocal gone
        gone = True
        loop.remove_reader(output)
        if task is not None:
            task.cancel()

    is_pipe = stat.S_ISFIFO(os.fstat(output).st_mode)
    if is_pipe:
        loop.add_reader(output, on_gone)  # a pipe's writing end turns readable when its reading end closes
    try:
        yield
    except asyncio.CancelledError:
        if not gone:
            raise
        if task is not None:
            task.uncancel()
        raise BrokenPipeError from None
    finally:
        if is_pipe:
            loop.remove_reader(output)
