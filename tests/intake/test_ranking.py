"""What partners type, and the questionnaire that fits."""

from __future__ import annotations

import pytest

from services.intake.ranking import Ranking
from services.intake.source import parse, shipped
from tests.intake.forms import form, item

RANKING = Ranking([each for each in map(parse, shipped()) if each.topic != "new-partner"])

SENTENCES = [
    # English
    ("Our product feed was rejected, validation says field missing", "integration"),
    ("your api returns 500 since this morning", "integration"),
    ("sftp upload fails", "integration"),
    ("we need a new token for the sandbox", "integration"),
    ("time outs when you call our booking server", "integration"),
    ("how do I rotate our certificate", "integration"),
    ("webhooks are not being called", "integration"),
    ("Patients see slots that don't exist", "availability"),
    ("double booking yesterday at 10", "availability"),
    ("appointments are shifted by one hour", "availability"),
    ("patient cancelled but the visit is still there", "availability"),
    ("no free appointments are shown for Dr Nowak", "availability"),
    ("a booking never arrived in our calendar", "availability"),
    ("clinic matched with wrong listing", "content"),
    ("duplicate listings on the map", "content"),
    ("please update our address, we moved", "content"),
    ("old prices are displayed", "content"),
    ("wrong photo of the place", "content"),
    ("can't log in", "access"),
    ("please remove a user who left the company", "access"),
    ("invitation expired", "access"),
    ("who is the administrator of our account", "access"),
    ("we do not receive notification e-mails", "access"),
    ("I want to complain, nobody answers", "complaint"),
    ("wrong invoice for November", "complaint"),
    ("we were charged twice and want a refund", "complaint"),
    # Polish, as it is typed: inflected, without diacritics, with slips
    ("plik z dostępnością odrzucony, błąd walidacji", "integration"),
    ("wasze API zwraca błąd 500", "integration"),
    ("nie możemy wgrać plików przez sftp", "integration"),
    ("potrzebujemy nowego tokenu do srodowiska testowego", "integration"),
    ("serwer rezerwacji nie odpowiada, przekroczony limit czasu", "integration"),
    ("wymiana certyfikatu", "integration"),
    ("webhooki nie przychodzą", "integration"),
    ("pacjenci widza terminy ktorych nie ma", "availability"),
    ("podwojna rezerwacja wczoraj", "availability"),
    ("wizyty przesuniete o godzine", "availability"),
    ("odwołana wizyta wciąż widoczna w kalendarzu", "availability"),
    ("brak wolnych terminów do dermatologa", "availability"),
    ("rezerwacje do nas nie docierają", "availability"),
    ("placowka przypisana do zlej wizytowki", "content"),
    ("zduplikowane wizytówki na mapie", "content"),
    ("zmienilismy adres placowki", "content"),
    ("nieaktualny cennik", "content"),
    ("złe zdjęcie przychodni", "content"),
    ("nie moge sie zalogowac", "access"),
    ("prosze usunac uzytkownika, odszedl z firmy", "access"),
    ("zaproszenie wygaslo", "access"),
    ("kto jest administratorem naszego konta", "access"),
    ("nie dostajemy powiadomień mailem", "access"),
    ("skladam reklamacje, nikt nie odpowiada", "complaint"),
    ("błędna faktura za listopad", "complaint"),
    ("naliczono nam oplate dwukrotnie, prosimy o zwrot", "complaint"),
    # slips and fragments
    ("rezrwacje nie dzialaja", "availability"),
    ("avalability feed", "integration"),
    ("fakturra", "complaint"),
    ("certyfkat wygasł", "integration"),
    ("zaprosznie dla nowej osoby", "access"),
    ("invoce wrong", "complaint"),
]

UNSEEN = [
    # Not used to choose the keywords: written after them, and none was changed for their sake.
    ("HTTP 403 when posting the merchants file", "integration"),
    ("which JSON fields are mandatory for services", "integration"),
    ("nasz programista pyta o dokumentację API", "integration"),
    ("błąd schematu XML", "integration"),
    ("the calendar shows wrong opening times for Saturday", "availability"),
    ("pacjentka zapisała się, a u nas nic nie ma", "availability"),
    ("przełożenie wizyty nie działa", "availability"),
    ("overbooked slots in Kraków", "availability"),
    ("our logo is outdated", "content"),
    ("placówka oznaczona jako zamknięta", "content"),
    ("opis usługi zawiera błąd", "content"),
    ("new colleague needs access", "access"),
    ("zmiana hasła nie działa", "access"),
    ("escalate to your manager please", "complaint"),
    ("prowizja policzona nieprawidłowo", "complaint"),
]


def first(text: str) -> str:
    return RANKING.offers(text)[0].questionnaire.topic


@pytest.mark.parametrize(("text", "topic"), SENTENCES)
def test_what_partners_type_finds_the_questionnaire(text: str, topic: str) -> None:
    assert first(text) == topic, [(o.questionnaire.topic, o.score, o.words) for o in RANKING.offers(text)]


def test_sentences_that_were_not_looked_at_find_it_too() -> None:
    assert [text for text, topic in UNSEEN if first(text) != topic] == []


def test_something_else_is_always_offered_last() -> None:
    for text, _ in SENTENCES + UNSEEN:
        offers = RANKING.offers(text)
        assert len(offers) == 6
        assert offers[-1].questionnaire.topic == "other"
        scores = [offer.score for offer in offers[:-1]]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("text", ["", "   ", "???", "qwertyuiop", "pomoc", "💥" * 50, "a" * 5000, "\x00"])
def test_what_says_nothing_offers_everything_in_its_own_order(text: str) -> None:
    offers = RANKING.offers(text)
    assert [offer.score for offer in offers] == [0.0] * len(offers)
    assert all(offer.words == () for offer in offers)


def test_an_offer_tells_the_words_that_made_it() -> None:
    offer = RANKING.offers("Dzień dobry, nasza faktura jest błędna")[0]
    assert offer.words == ("faktura", "błędna")


def test_a_word_that_few_have_says_more_than_one_that_all_have() -> None:
    common, rare = (
        form(item("a"), url=f"https://q.example/{name}", topic=name, keywords={"en": ["visit", *words]})
        for name, words in (("common", []), ("rare", ["xylophone"]))
    )
    assert [o.questionnaire.topic for o in Ranking([common, rare]).offers("visit xylophone")] == [
        "rare",
        "common",
    ]
    assert [o.questionnaire.topic for o in Ranking([common, rare]).offers("visit")] == ["common", "rare"]
