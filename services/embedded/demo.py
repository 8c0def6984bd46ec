"""The people of the demonstration: two accounts of partners, and two people of the platform; and the account
of those who are no partners yet, which has no people of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.access.roles import MemberRole, PlatformRole
from contracts.wording import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoAccount:
    """A partner's account, or the platform's own for new partners."""

    id: str
    name: str
    languages: tuple[Language, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPerson:
    """Somebody who can sign in with the development provider, under the address."""

    email: str
    name: str
    language: Language
    account: str | None = None
    role: MemberRole | PlatformRole


ACCOUNTS: Final = (
    DemoAccount(id="acme-clinic", name="Acme Clinic", languages=("pl", "en")),
    DemoAccount(id="nova-bookings", name="Nova Bookings", languages=("en", "pl")),
    DemoAccount(id="new-partners", name="New partners", languages=("en", "pl")),
)

PEOPLE: Final = (
    DemoPerson(
        email="anna.kowalska@acme-clinic.example",
        name="Anna Kowalska",
        language="pl",
        account="acme-clinic",
        role=MemberRole.ADMIN,
    ),
    DemoPerson(
        email="james.carter@acme-clinic.example",
        name="James Carter",
        language="en",
        account="acme-clinic",
        role=MemberRole.MEMBER,
    ),
    DemoPerson(
        email="olivia.bennett@nova-bookings.example",
        name="Olivia Bennett",
        language="en",
        account="nova-bookings",
        role=MemberRole.ADMIN,
    ),
    DemoPerson(
        email="piotr.wisniewski@nova-bookings.example",
        name="Piotr Wiśniewski",
        language="pl",
        account="nova-bookings",
        role=MemberRole.MEMBER,
    ),
    DemoPerson(
        email="katarzyna.zielinska@casetrail.example",
        name="Katarzyna Zielińska",
        language="pl",
        role=PlatformRole.AGENT,
    ),
    DemoPerson(
        email="daniel.brooks@casetrail.example",
        name="Daniel Brooks",
        language="en",
        role=PlatformRole.AUDITOR,
    ),
)
