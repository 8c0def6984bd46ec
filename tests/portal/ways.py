"""In which ways people walk their journeys, and the words that they look for on the way.

The Polish words are spelled out here as the pages should show them: a wrong translation is found by whoever
does not find them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pytest

from contracts.wording import Language
from tests.portal.system import ACME, ANNA, JAMES, OLIVIA

FEATURES: Final = tuple(f"M{number}" for number in range(1, 15))
"""What a person can do, as the mission counts it."""

TestT = TypeVar("TestT", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A language, a browser with scripts or without, and the width of its window in pixels."""

    language: Language
    scripts: bool = True
    width: int = 1280

    def __str__(self) -> str:
        return f"{self.language}{'' if self.scripts else '-without-scripts'}-{self.width}"

    def say(self, english: str) -> str:
        """What a page says, in the language of this way."""
        return english if self.language == "en" else POLISH[english]

    @property
    def browser(self) -> dict[str, Any]:
        """The options of a Playwright context."""
        return {"java_script_enabled": self.scripts, "viewport": {"width": self.width, "height": 800}}

    @property
    def admin(self) -> str:
        """An administrator of `account` who speaks the language."""
        return {"en": OLIVIA, "pl": ANNA}[self.language]

    @property
    def account(self) -> str:
        return {"en": "nova-bookings", "pl": ACME}[self.language]

    @property
    def colleague(self) -> str:
        """Another person of the account."""
        return {"en": "piotr.wisniewski@nova-bookings.example", "pl": JAMES}[self.language]


EVERY_DAY: Final = (Way(language="en"), Way(language="pl"))
ALSO: Final = (Way(language="en", width=375), Way(language="pl", scripts=False))
"""Those that are walked with the tests of all pages."""


def walks(*features: str) -> Callable[[TestT], TestT]:
    """A journey through these features, in every way: the test gets `way`."""
    assert set(features) <= set(FEATURES)
    ways = [*EVERY_DAY, *(pytest.param(each, marks=pytest.mark.pages) for each in ALSO)]

    def marked(test: TestT) -> TestT:
        walked_by: TestT = pytest.mark.parametrize("way", ways, ids=str)(pytest.mark.walks(*features)(test))
        return walked_by

    return marked


def walked(tests: Iterable[object]) -> set[str]:
    """The features that journeys among these go through, which is in every way."""
    marks = [mark for test in tests for mark in getattr(test, "pytestmark", ()) if mark.name == "walks"]
    return {feature for mark in marks for feature in mark.args}


POLISH: Final = {
    # A new partner
    "Fill in the interest form": "Wypełnij formularz zgłoszenia zainteresowania",
    "Name of the company": "Nazwa firmy",
    "Country": "Kraj",
    "Your name": "Imię i nazwisko",
    "Work e-mail": "Służbowy adres e-mail",
    "What would you like to do with us?": "Co chcecie z nami zrobić?",
    "A booking site or app": "Serwis lub aplikacja do rezerwacji",
    "Fewer than 1,000": "Mniej niż 1000",
    "No": "Nie",
    "Send": "Wyślij",
    "That was very fast.": "To było bardzo szybko.",
    "Check your mailbox": "Sprawdź skrzynkę e-mail",
    "Confirm": "Potwierdź",
    "Your request has reached us": "Twoje zgłoszenie do nas dotarło",
    "New partners": "Nowi partnerzy",
    # Asking for help
    "Open a new ticket": "Otwórz nowe zgłoszenie",
    "How can we help?": "Jak możemy pomóc?",
    "Start": "Rozpocznij",
    "Something else": "Inna sprawa",
    "Account and access": "Konto i dostęp",
    "What would you like to happen?": "Co chcesz osiągnąć?",
    "It can wait": "Może poczekać",
    "It should be settled in the next days": "Trzeba ją załatwić w najbliższych dniach",
    "Is there a day by which you need an answer?": "Czy jest dzień, do którego potrzebujesz odpowiedzi?",
    "Reference ID or number of an earlier ticket": (
        "Identyfikator referencyjny lub numer wcześniejszego zgłoszenia"
    ),
    "Somebody should lose access": "Ktoś ma stracić dostęp",
    "Has the person left the company?": "Czy ta osoba odeszła z firmy?",
    "How far do you get?": "Na którym etapie pojawia się problem?",
    "Save and come back later": "Zapisz i wróć później",
    "Your draft is saved.": "Szkic jest zapisany.",
    "Continue": "Dalej",
    "Change": "Zmień",
    "How urgent is it?": "Jak pilna jest ta sprawa?",
    "Discard": "Odrzuć",
    "The draft was discarded.": "Szkic został odrzucony.",
    "Submit": "Prześlij",
    "Your ticket is": "Numer zgłoszenia:",
    "Reference ID": "Identyfikator referencyjny",
    "Merchant ID": "Identyfikator sprzedawcy",
    # The history, and a ticket
    "All tickets": "Wszystkie zgłoszenia",
    "Search tickets": "Szukaj zgłoszeń",
    "Search": "Szukaj",
    "Found by its number:": "Znaleziono po numerze:",
    "Found by its identifier:": "Znaleziono po identyfikatorze:",
    "Found by the reference ID of an e-mail:": "Znaleziono po identyfikatorze referencyjnym e-maila:",
    "No tickets found": "Nie znaleziono zgłoszeń",
    "Open": "Otwarte",
    "Closed": "Zamknięte",
    "Your reply": "Twoja odpowiedź",
    "Send reply": "Wyślij odpowiedź",
    "by e-mail": "e-mailem",
    "has just closed this ticket": "zgłoszenie zostało właśnie zamknięte",
    "Your reply was not sent: the ticket was closed while you were writing": (
        "Odpowiedź nie została wysłana: zgłoszenie zamknięto, gdy ją pisano"
    ),
    "Reopen with this text": "Otwórz ponownie z tym tekstem",
    "Open a new ticket about this": "Otwórz nowe zgłoszenie w tej sprawie",
    "About your ticket": "W sprawie zgłoszenia",
    "This ticket is closed and takes no replies.": "To zgłoszenie jest zamknięte i nie przyjmuje odpowiedzi.",
    "Ticket actions": "Działania związane ze zgłoszeniem",
    "Reopen": "Otwórz ponownie",
    "Why should it be opened again?": "Dlaczego ma zostać otwarte ponownie?",
    "opened the ticket again": "zgłoszenie otwarte ponownie",
    "This page does not exist here": "Nie ma tu takiej strony",
    # People
    "People": "Użytkownicy",
    "Invite somebody": "Zaproś osobę",
    "E-mail address": "Adres e-mail",
    "Send invitation": "Wyślij zaproszenie",
    "The invitation is on its way.": "Zaproszenie jest w drodze.",
    "Sign in and accept": "Zaloguj się i przyjmij",
    "Accept the invitation": "Przyjmij zaproszenie",
    "Change role": "Zmień rolę",
    "Administrator": "Administrator",
    "The role was changed.": "Rola została zmieniona.",
    "Remove": "Usuń",
    "The person was removed": "Osoba została usunięta",
    # The desk
    "Unanswered": "Bez odpowiedzi",
    "All accounts": "Wszystkie konta",
    "Topic": "Kategoria",
    "Close this ticket": "Zamknij to zgłoszenie",
    "The same as another ticket": "To samo co inne zgłoszenie",
    "Note (optional)": "Notatka (opcjonalnie)",
    "Close ticket": "Zamknij zgłoszenie",
    "closed the ticket": "zgłoszenie zamknięte",
}
