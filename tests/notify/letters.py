"""E-mails of every kind, as the tests want them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from typing import Final

from contracts.access.people import person_id
from contracts.access.roles import MemberRole
from contracts.number import derive_number
from contracts.reference import derive_reference
from contracts.tickets.events import CloseReason
from contracts.wording import Language
from services.notify.compose import Envelope
from services.notify.threading import ReplyAddresses, message_id
from services.notify.updates import (
    AddressFails,
    Answered,
    File,
    InterestConfirmation,
    InterestReceived,
    Invitation,
    ReplyRefused,
    Test,
    TicketNews,
    Unassigned,
    Update,
    What,
    Why,
)

KEY: Final = "the key of these tests, long enough to be one"
DOMAIN: Final = "mail.example"
EMAIL: Final = "anna.kowalska@acme-clinic.example"
NUMBER: Final = derive_number("acme", "a command")
REFERENCE: Final = derive_reference("an e-mail")
PORTAL: Final = "https://portal.example"
NOW: Final = datetime(2026, 11, 24, 9, 5, tzinfo=UTC)
ADDRESSES: Final = ReplyAddresses(KEY, DOMAIN)

TEXTS: Final[dict[Language, str]] = {
    "en": "Hello,\n\nthe feed is rejected since Monday, with this answer:\n\n"
    "    HTTP 422  price < 0 & currency missing\n\n"
    "The log is at https://status.example/logs?run=20261123&level=error (for two weeks).\n\n"
    "Best regards\nAnna",
    "pl": "Dzień dobry,\n\nod poniedziałku plik oferty jest odrzucany z odpowiedzią:\n\n"
    "    HTTP 422  price < 0 & brak waluty\n\n"
    "Dziennik: https://status.example/logs?run=20261123&level=error (przez dwa tygodnie).\n\n"
    "Pozdrawiam\nAnna",
}
TITLES: Final[dict[Language, str]] = {
    "en": "Our product feed is rejected since Monday",
    "pl": "Plik oferty jest odrzucany od poniedziałku",
}


def envelope(language: Language = "en") -> Envelope:
    """To Anna, who gets all e-mails of the account."""
    return Envelope(
        sender=Address("Casetrail", addr_spec=f"support@{DOMAIN}"),
        email=EMAIL,
        message_id=message_id("event 1", EMAIL, DOMAIN),
        reference=REFERENCE,
        language=language,
        at=NOW,
        reply_to=ADDRESSES.address(NUMBER, person_id(EMAIL)),
        preferences=f"{PORTAL}/preferences?token=abc.def-ghi_jkl",
    )


def news(what: What, language: Language = "en", **changes: object) -> TicketNews:
    """Something happened to Anna's ticket."""
    closed = what is What.CLOSED
    told = TicketNews(
        what=what,
        number=NUMBER,
        title=TITLES[language],
        account="Acme Clinic",
        author="Anna Kowalska",
        link=f"{PORTAL}/tickets/{NUMBER}",
        text=TEXTS[language],
        files=(File("odpowiedź serwera.pdf", 1_430_000), File("feed.csv", 48_210)) if not closed else (),
        answers=(Answered("Which area?", ("Product feed",)),) if what is What.OPENED else (),
        reason=CloseReason.SOLVED if closed else None,
        reopen_link=f"{PORTAL}/tickets/{NUMBER}/reopen" if closed else None,
        new_ticket_link=f"{PORTAL}/tickets/new?follows={NUMBER}" if closed else None,
    )
    return replace(told, **changes)  # type: ignore[arg-type]


def every_kind(language: Language) -> dict[str, Update]:
    """One of each, by name."""
    told: dict[str, Update] = {}
    for what in What:
        told[f"{what.value}-member"] = news(what, language)
        told[f"{what.value}-agent"] = news(what, language, why=Why.AGENT)
    return told | {
        "interest-confirmation": InterestConfirmation(
            link=f"{PORTAL}/interest/confirm?token=abc.def", until=NOW + timedelta(days=7)
        ),
        "interest-received": InterestReceived(interest=derive_reference("an interest")),
        "invitation": Invitation(
            account="Acme Clinic",
            invited_by="Jan Nowak",
            role=MemberRole.ADMIN,
            link=f"{PORTAL}/invitation?token=abc.def",
            expires=NOW + timedelta(days=14),
        ),
        "reply-refused": ReplyRefused(
            number=NUMBER,
            title=TITLES[language],
            text=TEXTS[language],
            reopen_link=f"{PORTAL}/tickets/{NUMBER}/reopen",
            new_ticket_link=f"{PORTAL}/tickets/new?follows={NUMBER}",
        ),
        "unassigned": Unassigned(portal_link=PORTAL),
        "address-fails": AddressFails(
            number=NUMBER,
            title=TITLES[language],
            account="Acme Clinic",
            person=f"Anna Kowalska <{EMAIL}>",
            status="5.1.1",
            link=f"{PORTAL}/desk/tickets/{NUMBER}",
        ),
        "test": Test(portal_link=PORTAL),
    }
