"""A full and valid document of every request: what the tests bend."""

from __future__ import annotations

from typing import Any, Final

from contracts.tickets import requests

Document = dict[str, Any]

NUMBER: Final = "4830291741"

_COMMAND: Final[Document] = {
    "command_id": "c-1",
    "account": "acme",
    "actor": {"kind": "member", "id": "p-1"},
    "via": "portal",
    "correlation_id": "r-1",
}
_CHANGE: Final[Document] = {**_COMMAND, "number": NUMBER}

FULL: Final[dict[type[Any], Document]] = {
    requests.OpenTicket: {
        **_COMMAND,
        "title": "Rezerwacja zniknęła",
        "message": "Dzień dobry",
        "topic": "booking",
        "questionnaire": "https://casetrail.example/q|1",
        "answers": [{"link_id": "1", "question": "Which?", "values": ["This", "That"]}],
        "identifiers": [{"kind": "merchant-id", "value": "88"}],
        "follows": NUMBER,
    },
    requests.ReplyToTicket: {**_CHANGE, "text": "Dziękuję"},
    requests.CloseTicket: {**_CHANGE, "reason": "solved", "note": "Done"},
    requests.ReopenTicket: {**_CHANGE, "reason": "Not done"},
    requests.GetTicket: {
        "at_least": 1,
        "number": NUMBER,
        "account": "acme",
        "as_of_time": "2026-11-20T09:00:00Z",
    },
    requests.TicketHistory: {
        "at_least": 1,
        "number": NUMBER,
        "account": "acme",
        "after_revision": 1,
        "limit": 5,
    },
    requests.ListTickets: {
        "at_least": 1,
        "account": "acme",
        "status": "open",
        "topic": "booking",
        "number": NUMBER,
        "identifier": {"kind": "merchant-id", "value": "88"},
        "words": "rezerw*",
        "limit": 5,
        "before": 9,
    },
    requests.LookUp: {"at_least": 1, "value": "88", "account": "acme", "limit": 5},
}

Path = tuple[str | int, ...]


def paths(value: object, path: Path = ()) -> list[Path]:
    """The path of every value in the document, the document's own first."""
    found = [path]
    if isinstance(value, dict):
        found += [inner for key in value for inner in paths(value[key], (*path, key))]
    if isinstance(value, list):
        found += [inner for index, item in enumerate(value) for inner in paths(item, (*path, index))]
    return found


def replaced(value: Any, path: Path, new: object) -> Any:
    """The document with another value at the path, which may be a new field."""
    if not path:
        return new
    first, *rest = path
    if isinstance(value, list):
        return [replaced(item, tuple(rest), new) if at == first else item for at, item in enumerate(value)]
    return {**value, first: replaced(value.get(first), tuple(rest), new)}
