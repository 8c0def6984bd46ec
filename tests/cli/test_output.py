"""What people see of events that are newer than the program."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.tickets import requests
from services.cli.output import Pages


def test_an_event_newer_than_the_program_is_told_by_its_type(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    event = {
        "specversion": "1.0", "id": "e-1", "source": "/casetrail/tickets", "subject": "4830291741",
        "time": at.isoformat(), "account": "acme", "revision": 3, "actor": "agent:ola", "via": "api",
        "commandid": "c-1", "correlationid": "c-1", "type": "casetrail.ticket.merged.v1", "data": {},
    }  # fmt: skip
    page = requests.HistoryPage(
        number="4830291741",
        account="acme",
        events=(requests.RecordedDocument(position=9, event=event),),
    )
    Pages(at).history(page)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split() == [
        "3", "casetrail.ticket.merged.v1", "agent:ola", *f"{at.astimezone():%Y-%m-%d %H:%M:%S}".split(),
        "(just", "now)", "9",
    ]  # fmt: skip
