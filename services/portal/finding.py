"""Finding a ticket by anything that a person may hold in hands, in any spelling."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.client import NotFound
from contracts.notify import requests as notify
from contracts.reference import is_reference
from contracts.requests import SentActor
from contracts.tickets import requests
from contracts.tickets.requests import FoundAs, TicketSummary
from services.portal.site import Visit


@dataclass(frozen=True, slots=True)
class Found:
    """Tickets that what was typed names exactly, and as what."""

    tickets: tuple[TicketSummary, ...] = ()
    by_reference: bool = False
    by_identifier: bool = False
    number_mistyped: bool = False


async def find(visit: Visit, value: str, account: str | None, actor: SentActor | None = None) -> Found:
    """The tickets with this number, identifier, or with an e-mail of this reference ID.

    Raises:
        RequestFailed: as `Visit.ask`.
    """
    actor = actor or visit.actor()
    query = requests.LookUp(actor=actor, value=value, account=account, at_least=visit.at_least("tickets"))
    result = await visit.ask(requests.LOOKUP, query, requests.LookUpResult)
    by_reference = False
    if not result.matches and is_reference(value):
        number = await _of_mail(visit, value, account, actor)
        if number is not None:
            query = query.model_copy(update={"value": number})
            result = await visit.ask(requests.LOOKUP, query, requests.LookUpResult)
            by_reference = True
    tickets = {match.ticket.number: match.ticket for match in result.matches}
    return Found(
        tickets=tuple(tickets.values()),
        by_reference=by_reference,
        by_identifier=any(match.found_as is FoundAs.IDENTIFIER for match in result.matches),
        number_mistyped=result.number_mistyped,
    )


async def _of_mail(visit: Visit, reference: str, account: str | None, actor: SentActor) -> str | None:
    """The ticket that an e-mail was about, by the reference ID that stands in it."""
    query = notify.FindReference(actor=actor, reference=reference, account=account)
    try:
        return (await visit.ask(notify.FIND, query, notify.FoundReference)).ticket
    except NotFound:
        return None
