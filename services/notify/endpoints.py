"""The requests that notify answers, and the status of each refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts.notify import requests
from services.notify import incoming, outgoing
from services.notify.orders import Orders
from services.notify.queries import Queries
from services.notify.received_queries import ReceivedQueries
from services.notify.settling import Settling
from services.runtime.requests import Endpoint

REFUSALS: Final[Mapping[type[Exception], int]] = {
    outgoing.MailNotFound: 404,
    incoming.IncomingNotFound: 404,
    outgoing.Refusal: 409,
}


def endpoints(
    queries: Queries, orders: Orders, received: ReceivedQueries, settling: Settling
) -> list[Endpoint[Any, Any]]:
    """One per subject of the contract."""
    return [
        Endpoint(subject=requests.MAILS, request=requests.ListMails, handler=queries.mails),
        Endpoint(subject=requests.MAIL, request=requests.GetMail, handler=queries.mail),
        Endpoint(subject=requests.FIND, request=requests.FindReference, handler=queries.find),
        Endpoint(subject=requests.REVIVE, request=requests.ReviveMail, handler=orders.revive),
        Endpoint(subject=requests.TEST, request=requests.SendTest, handler=orders.send_test),
        Endpoint(subject=requests.RECEIVED, request=requests.ListReceived, handler=received.mails),
        Endpoint(subject=requests.RECEIVED_MAIL, request=requests.GetReceived, handler=received.mail),
        Endpoint(subject=requests.ORIGINAL, request=requests.GetOriginal, handler=received.original),
        Endpoint(subject=requests.RAW, request=requests.GetRaw, handler=received.raw),
        Endpoint(subject=requests.SETTLE, request=requests.SettleMail, handler=settling.settle),
    ]
