"""What the page of the development mailbox says, in every language of Casetrail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Final

from contracts.wording import LANGUAGES, Language, Wording

WORDS: Final[Mapping[str, Wording]] = {
    "mailbox": Wording("Development mailbox", "Skrzynka deweloperska"),
    "nothing_leaves": Wording(
        "No e-mail leaves this machine.", "Żadna wiadomość nie opuszcza tego komputera."
    ),
    "people": Wording("People", "Osoby"),
    "no_mails": Wording(
        "Nothing was sent yet. An e-mail appears here as soon as Casetrail has sent it; "
        "then load this page again.",
        "Nic jeszcze nie wysłano. Wiadomość pojawi się tutaj, gdy tylko Casetrail ją wyśle; "
        "wczytaj wtedy tę stronę ponownie.",
    ),
    "older_left_out": Wording(
        "Only the newest {number} e-mails are shown.", "Pokazano tylko {number} najnowszych wiadomości."
    ),
    "inbox": Wording("Inbox", "Odebrane"),
    "write": Wording("Write an e-mail", "Napisz wiadomość"),
    "answer": Wording("Answer", "Odpowiedz"),
    "conversation": Wording("In this conversation", "W tej rozmowie"),
    "sender": Wording("From", "Od"),
    "recipient": Wording("To", "Do"),
    "copies": Wording("Cc", "Kopia"),
    "reply_to": Wording("Answers go to", "Odpowiedzi trafiają do"),
    "subject": Wording("Subject", "Temat"),
    "date": Wording("Date", "Data"),
    "no_subject": Wording("(no subject)", "(brak tematu)"),
    "no_sender": Wording("(no sender)", "(brak nadawcy)"),
    "show_html": Wording("As the reader sees it", "Tak, jak widzi ją odbiorca"),
    "show_text": Wording("Text", "Tekst"),
    "show_source": Wording("Source", "Źródło"),
    "view": Wording("View", "Widok"),
    "html_of": Wording("The HTML of the e-mail", "HTML wiadomości"),
    "own_window": Wording("Open in a window of its own", "Otwórz w osobnym oknie"),
    "download": Wording("Download the whole e-mail", "Pobierz całą wiadomość"),
    "source_cut": Wording("Only its beginning is shown here.", "Pokazano tylko jej początek."),
    "empty": Wording("This e-mail has no text.", "Ta wiadomość nie ma tekstu."),
    "attachments": Wording("Attachments", "Załączniki"),
    "text": Wording("Your text", "Treść"),
    "quote": Wording("Quote the e-mail below the answer", "Zacytuj wiadomość pod odpowiedzią"),
    "files": Wording("Files (optional)", "Pliki (opcjonalnie)"),
    "send": Wording("Send", "Wyślij"),
    "real_smtp": Wording(
        "It goes by SMTP to {host}:{port}, as from any mail program.",
        "Zostanie wysłana przez SMTP do {host}:{port}, jak z programu pocztowego.",
    ),
    "nothing_takes_answers": Wording(
        "Nothing takes answers here: CASETRAIL_MAILBOX_ANSWERS_HOST and CASETRAIL_MAILBOX_ANSWERS_PORT "
        "name the server that does.",
        "Nic tu nie przyjmuje odpowiedzi: serwer, który je przyjmuje, wskazują "
        "CASETRAIL_MAILBOX_ANSWERS_HOST i CASETRAIL_MAILBOX_ANSWERS_PORT.",
    ),
    "sent": Wording("The server took the e-mail", "Serwer przyjął wiadomość"),
    "not_sent": Wording("The server refused the e-mail", "Serwer odrzucił wiadomość"),
    "not_sent_now": Wording(
        "The server did not take the e-mail for now", "Serwer na razie nie przyjął wiadomości"
    ),
    "nobody_there": Wording("The server did not answer", "Serwer nie odpowiedział"),
    "it_said": Wording("It said", "Odpowiedź serwera"),
    "nothing_lost": Wording(
        "Your text is below; you can send it again. Files have to be chosen again.",
        "Twój tekst jest poniżej; możesz wysłać go ponownie. Pliki trzeba wybrać jeszcze raz.",
    ),
    "back": Wording("Back", "Wróć"),
    "back_to_people": Wording("To all people", "Do wszystkich osób"),
    "wrong_address": Wording(
        "is no e-mail address such as jan@acme.example, in ASCII",
        "nie jest adresem ASCII takim jak jan@acme.example",
    ),
    "needed": Wording("is needed", "jest wymagane"),
    "problem": Wording("That did not work", "To się nie udało"),
    "not_there": Wording("There is no such page or e-mail here.", "Nie ma tu takiej strony ani wiadomości."),
    "not_from_here": Wording(
        "The request did not come from a page of this mailbox, so nothing was sent.",
        "Żądanie nie pochodziło ze strony tej skrzynki, więc nic nie zostało wysłane.",
    ),
    "malformed": Wording(
        "The form did not arrive whole, so nothing was sent.",
        "Formularz nie dotarł w całości, więc nic nie zostało wysłane.",
    ),
    "too_large": Wording(
        "The form with its files is larger than {limit} MiB, so nothing was sent.",
        "Formularz z plikami jest większy niż {limit} MiB, więc nic nie zostało wysłane.",
    ),
    "not_so": Wording("This page cannot be used in that way.", "Tej strony nie można użyć w ten sposób."),
    "unreadable": Wording(
        "The directory of the e-mails cannot be read.", "Nie można odczytać katalogu z wiadomościami."
    ),
}

_MONTHS: Final[Mapping[Language, tuple[str, ...]]] = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "pl": ("sty", "lut", "mar", "kwi", "maj", "cze", "lip", "sie", "wrz", "paź", "lis", "gru"),
}


def spoken(language: Language) -> SimpleNamespace:
    """All words in one language, by name."""
    return SimpleNamespace(**{name: said(name, language) for name in WORDS})


def said(name: str, language: Language, **data: object) -> str:
    """One of the words, with the data filled in."""
    sentence = WORDS[name][LANGUAGES.index(language)]
    return sentence.format(**data) if data else sentence


def mails(number: int, language: Language) -> str:
    """`1 e-mail`, `3 e-mails`. Polish would have three forms, but those of `wiadomość` are two."""
    if language == "en":
        return f"{number} e-mail" if number == 1 else f"{number} e-mails"
    return f"{number} wiadomość" if number == 1 else f"{number} wiadomości"


def moment(at: datetime, language: Language) -> str:
    """`3 Nov 2026, 14:02`, in the time zone of this machine."""
    local = at.astimezone()
    return f"{local.day} {_MONTHS[language][local.month - 1]} {local.year}, {local:%H:%M}"


def size(octets: int, language: Language) -> str:
    """`1.4 MB`, as mail clients count: a thousand thousand."""
    if octets < 1000:
        return f"{octets} B"
    value, unit = (octets / 1e3, "kB") if octets < 1e6 else (octets / 1e6, "MB")
    number = f"{value:.0f}" if value >= 10 else f"{value:.1f}"
    return f"{number.replace('.', ',') if language == 'pl' else number} {unit}"
