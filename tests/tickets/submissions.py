"""Submissions as intake puts them on record, and what became of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from nats.aio.client import Client

from contracts.attachments.files import Attachment
from contracts.intake.events import SubmittedV1
from contracts.subjects import TICKETS, submission_events
from contracts.tickets.events import OpenedV1, parse_ticket_event
from tests.tickets.conftest import MEMBER, new_id

WITHIN_S: Final = 20.0


def submitted(account: str, **more: Any) -> SubmittedV1:
    """A submission; `more` goes into its data."""
    content = {
        "title": "Rezerwacje nie docierają",
        "message": "Od wczoraj nic.",
        "answers": [{"link_id": "since", "question": "Od kiedy?", "values": ["wczoraj", "7:40"]}],
        "identifiers": [{"kind": "merchant", "value": "M-77"}],
        **more.pop("content", {}),
    }
    data = {
        "questionnaire": "https://casetrail.example/q/integration|1.0",
        "topic": "integration",
        "language": "pl",
        "submitted_by": MEMBER,
        "content": content,
        **more,
    }
    by = data["submitted_by"]
    document = {
        "id": new_id(), "source": "/casetrail/intake", "subject": new_id()[:26],
        "time": datetime.now(UTC).isoformat(), "account": account, "revision": 1,
        "actor": f"{by['kind']}:{by['id']}", "via": "portal", "commandid": new_id(),
        "correlationid": "corr-of-draft", "type": "casetrail.submission.submitted.v1", "data": data,
    }  # fmt: skip
    return SubmittedV1.model_validate_json(json.dumps(document, default=Attachment.model_dump))


async def put_on_record(nc: Client, event: SubmittedV1) -> int:
    """As intake does it; returns the position."""
    subject = submission_events(event.account, event.subject)
    return (await nc.jetstream().publish(subject, event.model_dump_json(exclude_none=True).encode())).seq


async def openings(nc: Client, account: str) -> list[OpenedV1]:
    """Of the account, as they stand in the log."""
    js = nc.jetstream()
    about = await js.stream_info(TICKETS.name, subjects_filter=f"events.tickets.{account}.*")
    found = []
    for subject in about.state.subjects or {}:
        event = parse_ticket_event(
            (await js.get_msg(TICKETS.name, subject=subject, seq=1, next=True)).data or b""
        )
        assert isinstance(event, OpenedV1)
        found.append(event)
    return found


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for it. Raises TimeoutError."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)
