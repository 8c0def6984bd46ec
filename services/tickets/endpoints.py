"""The requests that the ticket service answers, and the status of each refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts.tickets import requests
from services.runtime.requests import Endpoint
from services.tickets import domain
from services.tickets.commands import Commands
from services.tickets.queries import Queries

REFUSALS: Final[Mapping[type[Exception], int]] = {domain.TicketNotFound: 404, domain.Refusal: 409}


def endpoints(commands: Commands, queries: Queries) -> list[Endpoint[Any, Any]]:
    """One per subject of the contract."""
    return [
        Endpoint(subject=requests.OPEN, request=requests.OpenTicket, handler=commands.open),
        Endpoint(subject=requests.REPLY, request=requests.ReplyToTicket, handler=commands.change),
        Endpoint(subject=requests.CLOSE, request=requests.CloseTicket, handler=commands.change),
        Endpoint(subject=requests.REOPEN, request=requests.ReopenTicket, handler=commands.change),
        Endpoint(subject=requests.GET, request=requests.GetTicket, handler=queries.get),
        Endpoint(subject=requests.HISTORY, request=requests.TicketHistory, handler=queries.history),
        Endpoint(subject=requests.LIST, request=requests.ListTickets, handler=queries.list),
        Endpoint(subject=requests.LOOKUP, request=requests.LookUp, handler=queries.lookup),
        Endpoint(subject=requests.TOPICS, request=requests.ListTopics, handler=queries.topics),
        Endpoint(subject=requests.SUBMISSION, request=requests.GetSubmission, handler=queries.submission),
    ]
