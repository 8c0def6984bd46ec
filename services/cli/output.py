"""What a command shows: one JSON object for machines, calm text for people.

Colours only on a terminal, and not when NO_COLOR is set (no-color.org): that is rich's own rule.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, assert_never

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.attachments.files import MEDIA_TYPES, Attachment
from contracts.envelope import Envelope
from contracts.number import shown
from contracts.tickets import events as wire
from contracts.tickets import requests
from services.cli.words import say

WIDTH_OF_A_PIPE: Final = 160
NARROW: Final = 80
"""Columns below which a list leaves out what one can do without."""


_BIDI_CONTROLS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text, with characters that reorder others shown as `<U+202E>`: nobody's title spoofs a terminal."""
    return _BIDI_CONTROLS.sub(lambda found: f"<U+{ord(found.group()):04X}>", text)


def print_json(*parts: BaseModel | Mapping[str, object]) -> None:
    """One object with the fields of all parts, on one line; fields without a value are left out."""
    whole: dict[str, object] = {}
    for part in parts:
        whole |= part.model_dump(mode="json", exclude_none=True) if isinstance(part, BaseModel) else part
    sys.stdout.write(json.dumps(whole, ensure_ascii=False) + "\n")


class Pages:
    """Text for people, on standard output. `now` is what relative times are told from."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_PIPE
        self._out = Console(highlight=False, markup=False, emoji=False, width=width)

    def done(self, sentence: str, made: str) -> None:
        """That a command was carried out."""
        self._out.print(Text(sentence, "bold"), Text(made, "dim"), sep="\n")

    def ticket(self, ticket: requests.Ticket, thread: Sequence[requests.RecordedDocument]) -> None:
        """A ticket with its whole thread."""
        heading = Text(shown(ticket.number), "bold")
        heading.append(f"  {say(ticket.status)}", _status_style(ticket.status))
        heading.append(f"  {ticket.account}  {say('revision')} {ticket.revision}", "dim")
        self._out.print(heading, Text(visible(ticket.title), "bold"), sep="\n")
        about = [
            f"{say('topic')} {ticket.topic}",
            *(visible(f"{i.kind} {i.value}") for i in ticket.identifiers),
        ]
        if ticket.follows is not None:
            about.append(f"{say('follows')} {shown(ticket.follows)}")
        self._out.print(Text(" · ".join(about), "dim"))
        for recorded in thread:
            self._entry(recorded)

    def _entry(self, recorded: requests.RecordedDocument) -> None:
        entry = _entry(recorded)
        heading = Text(f"\n{entry.revision}  ", "dim")
        heading.append(entry.what, "bold")
        heading.append(f"  {entry.who}")
        heading.append(f"  {self._when(entry.at)}", "dim")
        self._out.print(heading)
        for text in entry.texts:
            self._indented(text)

    def _indented(self, text: str) -> None:
        if self._out.is_terminal:
            self._out.print(Padding(Text(text), (0, 0, 0, 3)))
        else:  # for another program, lines stay as they were written
            self._out.print(Text("\n".join(f"   {line}" for line in text.splitlines())), soft_wrap=True)

    def history(self, page: requests.HistoryPage) -> None:
        """A ticket's events, a line each."""
        self._out.print(Text(shown(page.number), "bold"), Text(page.account, "dim"))
        table = self._table("revision", "what", "who", "time", "position")
        for recorded in page.events:
            entry = _entry(recorded)
            table.add_row(
                str(entry.revision), entry.what, entry.who, self._when(entry.at), str(recorded.position)
            )
        self._out.print(table)

    def list(self, page: requests.TicketPage) -> None:
        """A page of tickets."""
        if page.tickets:
            self._tickets([(None, ticket) for ticket in page.tickets])
        else:
            self._out.print(say("no_tickets"))
        self._out.print(Text(say("counts", open=page.counts.open, closed=page.counts.closed), "dim"))
        if page.next_before is not None:
            self._out.print(Text(say("next_page", before=page.next_before), "dim"))

    def matches(self, matches: Iterable[requests.Match]) -> None:
        """Tickets that were looked up."""
        self._tickets([(match.kind or say("number"), match.ticket) for match in matches])

    def _tickets(self, rows: Sequence[tuple[str | None, requests.TicketSummary]]) -> None:
        wide = self._out.width >= NARROW
        looked_up = any(found_as is not None for found_as, _ in rows)
        table = self._table(
            "number",
            "status",
            *(["account"] if wide else []),
            "title",
            *(["replies"] if wide else []),
            *(["found_as"] if looked_up else []),
            "updated",
        )
        for found_as, ticket in rows:
            table.add_row(
                shown(ticket.number),
                Text(say(ticket.status), _status_style(ticket.status)),
                *([ticket.account] if wide else []),
                Text(visible(ticket.title)),
                *([str(ticket.replies)] if wide else []),
                *([found_as or ""] if looked_up else []),
                self._when(ticket.updated_at) if wide else self._ago(ticket.updated_at),
            )
        self._out.print(table)

    def _table(self, *columns: str) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for column in columns:
            table.add_column(say(column), overflow="fold", no_wrap=column == "number")
        return table

    def _when(self, at: datetime) -> str:
        return f"{at.astimezone():%Y-%m-%d %H:%M:%S} ({self._ago(at)})"

    def _ago(self, at: datetime) -> str:
        minutes = int((self._now - at.astimezone(UTC)).total_seconds() // 60)
        hours, days = minutes // 60, minutes // 1440
        if minutes < 1:
            return say("now")
        if hours < 1:
            return say("minutes_ago", n=minutes)
        if days < 1:
            return say("hours_ago", n=hours)
        return say("day_ago") if days == 1 else say("days_ago", n=days)


class _Entry(NamedTuple):
    """An event as people read it."""

    revision: int
    what: str
    who: str
    at: datetime
    texts: Sequence[str] = ()


def _entry(recorded: requests.RecordedDocument) -> _Entry:
    try:
        event = wire.parse_ticket_event(to_json(recorded.event))
    except ValidationError:  # newer than this program: who, when, and its type are told all the same
        envelope = Envelope.model_validate(recorded.event)
        what, who = visible(str(recorded.event["type"])), visible(envelope.actor)
        return _Entry(envelope.revision, what, who, envelope.time)
    match event:
        case wire.OpenedV1(data=opened):
            answers = [_answer(each) for each in opened.content.answers]
            files = _files(opened.content.attachments)
            what, texts = say("opened"), [opened.content.message, *answers, *files]
        case wire.RepliedV1(data=replied):
            files = _files(replied.content.attachments)
            what, texts = say("replied"), [replied.content.text, *files]
        case wire.ClosedV1(data=closed):
            what, texts = f"{say('closed')}: {say(closed.reason)}", [closed.content.note or ""]
        case wire.ReopenedV1(data=reopened):
            what, texts = say("reopened"), [reopened.content.reason]
        case _:
            assert_never(event)
    return _Entry(
        event.revision, what, visible(event.actor), event.time, [visible(text) for text in texts if text]
    )


def _answer(answer: wire.Answer) -> str:
    """In one line after its question; several values, or a longer text, below it."""
    if len(answer.values) == 1 and len(answer.values[0].splitlines()) == 1:
        return f"{answer.question}: {answer.values[0]}"
    values = ("\n    ".join(value.splitlines()) for value in answer.values)
    return "\n".join((f"{answer.question}:", *(f"  - {value}" for value in values)))


def _files(attachments: Sequence[Attachment]) -> list[str]:
    """A line for each file, with the id under which it is saved."""
    return [
        say(
            "file_attached",
            name=each.name,
            type=MEDIA_TYPES.get(each.media_type, each.media_type),
            size=_size(each.size),
            id=each.id,
        )
        for each in attachments
    ]


def _size(size: int) -> str:
    """Bytes as people read them."""
    if size < 1024:
        return f"{size} B"
    return f"{size / 1024:.0f} KiB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MiB"


def _status_style(status: requests.TicketStatus) -> str:
    return "green" if status is requests.TicketStatus.OPEN else "yellow"
