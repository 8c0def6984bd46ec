"""What our e-mails say, in every language. Names stand after colons, where Polish does not inflect them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from contracts.access.roles import MemberRole
from contracts.tickets.events import CloseReason
from contracts.wording import LANGUAGES, Language, Wording
from services.notify.updates import What, Why

HEADINGS: Final[Mapping[What, Wording]] = {
    What.OPENED: Wording("New ticket", "Nowe zgłoszenie"),
    What.REPLIED: Wording("New reply", "Nowa odpowiedź"),
    What.CLOSED: Wording("Ticket closed", "Zgłoszenie zamknięte"),
    What.REOPENED: Wording("Ticket reopened", "Zgłoszenie otwarte ponownie"),
}
BY: Final[Mapping[What, Wording]] = {
    What.OPENED: Wording("Opened by: {author}", "Utworzone przez: {author}"),
    What.REPLIED: Wording("Written by: {author}", "Autor odpowiedzi: {author}"),
    What.CLOSED: Wording("Closed by: {author}", "Zamknięte przez: {author}"),
    What.REOPENED: Wording("Reopened by: {author}", "Otwarte ponownie przez: {author}"),
}
NEXT: Final[Mapping[What, Wording]] = {
    What.OPENED: Wording(
        "To add something, simply answer this e-mail, or write in the portal.",
        "Aby coś dodać, po prostu odpowiedz na tę wiadomość albo napisz w portalu.",
    ),
    What.REPLIED: Wording(
        "To reply, simply answer this e-mail, or write in the portal.",
        "Aby odpowiedzieć, po prostu odpisz na tę wiadomość albo napisz w portalu.",
    ),
    What.CLOSED: Wording(
        "A closed ticket takes no replies, not even by e-mail. If something is still open, reopen it. "
        "If it is about something else, open a new ticket.",
        "Zamknięte zgłoszenie nie przyjmuje odpowiedzi, także przez e-mail. "
        "Jeśli sprawa nie jest załatwiona, otwórz je ponownie. "
        "Jeśli chodzi o coś innego, utwórz nowe zgłoszenie.",
    ),
    What.REOPENED: Wording(
        "The ticket takes replies again: answer this e-mail, or write in the portal.",
        "Zgłoszenie znów przyjmuje odpowiedzi: odpisz na tę wiadomość albo napisz w portalu.",
    ),
}
_WRITE_THERE: Final = Wording(
    "To reply, open the ticket with the link above. Answers to this e-mail are not read.",
    "Aby odpowiedzieć, otwórz zgłoszenie powyższym odnośnikiem. Odpowiedzi na tę wiadomość nie są czytane.",
)
NEXT_WITHOUT_ANSWER: Final[Mapping[What, Wording]] = {
    What.OPENED: _WRITE_THERE,
    What.REPLIED: _WRITE_THERE,
    What.REOPENED: _WRITE_THERE,
}
NEXT_OF_AGENT: Final[Mapping[What, Wording]] = {
    What.OPENED: Wording(
        "To reply to the partner, answer this e-mail, or open the ticket at the support desk.",
        "Aby odpowiedzieć partnerowi, odpisz na tę wiadomość albo otwórz zgłoszenie w panelu wsparcia.",
    ),
    What.REPLIED: Wording(
        "Your answer to this e-mail goes to the partner. You can also write at the support desk.",
        "Twoja odpowiedź na tę wiadomość trafi do partnera. Możesz też napisać w panelu wsparcia.",
    ),
    What.CLOSED: Wording(
        "A closed ticket takes no replies. Reopen it at the support desk if there is more to do.",
        "Zamknięte zgłoszenie nie przyjmuje odpowiedzi. "
        "Jeśli zostało coś do zrobienia, otwórz je ponownie w panelu wsparcia.",
    ),
    What.REOPENED: Wording(
        "The partner waits for an answer: answer this e-mail, or open the ticket at the support desk.",
        "Partner czeka na odpowiedź: odpisz na tę wiadomość albo otwórz zgłoszenie w panelu wsparcia.",
    ),
}
REASONS: Final[Mapping[CloseReason, Wording]] = {
    CloseReason.SOLVED: Wording("solved", "rozwiązane"),
    CloseReason.NO_ANSWER: Wording("no answer came", "brak odpowiedzi"),
    CloseReason.DUPLICATE: Wording("another ticket is about the same", "tej sprawy dotyczy inne zgłoszenie"),
    CloseReason.DECLINED: Wording("not something that we can do", "nie możemy tego zrobić"),
}
ROLES: Final[Mapping[MemberRole, Wording]] = {
    MemberRole.MEMBER: Wording("member", "użytkownik"),
    MemberRole.ADMIN: Wording("administrator", "administrator"),
}
WHYS: Final[Mapping[Why, Wording]] = {
    Why.MEMBER: Wording(
        "You get this e-mail because you have access to this account's tickets.",
        "Otrzymujesz tę wiadomość, ponieważ masz dostęp do zgłoszeń tego konta.",
    ),
    Why.INVOLVED: Wording(
        "You get this e-mail because you have written on this ticket.",
        "Otrzymujesz tę wiadomość, ponieważ brałeś lub brałaś udział w tym zgłoszeniu.",
    ),
    Why.AGENT: Wording(
        "You get this e-mail because you work at the support desk.",
        "Otrzymujesz tę wiadomość, ponieważ pracujesz w zespole wsparcia.",
    ),
    Why.ASKED: Wording(
        "You get this e-mail because you want to be told of what you do yourself.",
        "Otrzymujesz tę wiadomość, ponieważ chcesz wiedzieć także o tym, co robisz samodzielnie.",
    ),
}

TICKET: Final = Wording("Ticket {number}", "Zgłoszenie {number}")
ACCOUNT: Final = Wording("Account", "Konto")
REASON: Final = Wording("Reason", "Powód")
ROLE: Final = Wording("Role", "Rola")
INVITED_BY: Final = Wording("Invited by", "Kto zaprasza")
GOOD_UNTIL: Final = Wording("Good until", "Ważne do")
REFERENCE_TO_QUOTE: Final = Wording("Your reference ID", "Twój identyfikator referencyjny")
ATTACHMENTS: Final = Wording("Attachments (to be found at the ticket)", "Załączniki (dostępne w zgłoszeniu)")
ANSWERS: Final = Wording("Answers", "Odpowiedzi na pytania")
YOUR_TEXT: Final = Wording("Your text", "Twój tekst")
REFERENCE: Final = Wording("Reference ID of this e-mail", "Identyfikator referencyjny tej wiadomości")
PREFERENCES: Final = Wording("Choose which e-mails you get", "Wybierz, które wiadomości chcesz otrzymywać")

OPEN_TICKET: Final = Wording("Open the ticket", "Otwórz zgłoszenie")
REOPEN: Final = Wording("Reopen the ticket", "Otwórz ponownie")
NEW_TICKET: Final = Wording("Open a new ticket", "Utwórz nowe zgłoszenie")
OPEN_PORTAL: Final = Wording("Go to the portal", "Przejdź do portalu")

CONFIRM_SUBJECT: Final = Wording("Please confirm your request", "Potwierdź swoje zgłoszenie")
CONFIRM: Final = Wording("Confirm the request", "Potwierdź zgłoszenie")
CONFIRM_ASKED: Final = Wording(
    "Somebody has filled in our form for new partners with this e-mail address. If it was you, open the link "
    "and confirm it there. Only then does it reach our team.",
    "Ktoś wypełnił nasz formularz dla nowych partnerów, podając ten adres e-mail. Jeśli to Ty, otwórz "
    "odnośnik i potwierdź zgłoszenie. Dopiero wtedy trafi ono do naszego zespołu.",
)
CONFIRM_IGNORE: Final = Wording(
    "If it was not you, do nothing: without a confirmation the form is deleted.",
    "Jeśli to nie Ty, nie rób nic: bez potwierdzenia formularz zostanie usunięty.",
)

RECEIVED_SUBJECT: Final = Wording("We have received your request", "Otrzymaliśmy Twoje zgłoszenie")
RECEIVED: Final = Wording(
    "Thank you for your interest. Your request has reached our team, who will write to you at this address.",
    "Dziękujemy za zainteresowanie. Zgłoszenie trafiło do naszego zespołu, który napisze na ten adres.",
)
RECEIVED_QUOTE: Final = Wording(
    "Please quote the reference ID whenever you ask about it.",
    "W każdym pytaniu o tę sprawę podaj identyfikator referencyjny.",
)

INVITED_SUBJECT: Final = Wording("Invitation to the account {account}", "Zaproszenie do konta {account}")
INVITED: Final = Wording(
    "You are invited to an account in the partner portal. There you see its tickets, reply to them and open "
    "new ones. Sign in with this e-mail address to accept.",
    "Otrzymujesz zaproszenie do konta w portalu dla partnerów. Zobaczysz w nim zgłoszenia konta, odpowiesz "
    "na nie i utworzysz nowe. Aby przyjąć zaproszenie, zaloguj się tym adresem e-mail.",
)
ACCEPT: Final = Wording("See the invitation", "Zobacz zaproszenie")
INVITED_IGNORE: Final = Wording(
    "If you did not expect this, do nothing: an invitation that nobody accepts ends by itself.",
    "Jeśli to zaproszenie Cię dziwi, nie rób nic: nieprzyjęte zaproszenie wygasa samo.",
)

REFUSED: Final = Wording("Your reply was not added", "Odpowiedź nie została dodana")
REFUSED_WHY: Final = Wording(
    "Ticket {number} is closed and takes no replies. Nothing is lost: your text stands below. "
    "You can reopen the ticket, or open a new one about it.",
    "Zgłoszenie {number} jest zamknięte i nie przyjmuje odpowiedzi. Nic nie zginęło: "
    "Twój tekst jest poniżej. Możesz otworzyć je ponownie albo utworzyć nowe zgłoszenie w tej sprawie.",
)
REFUSED_NEXT: Final = Wording(
    "Then send your text there. An answer to this e-mail is not added to the ticket either.",
    "Następnie prześlij tam swój tekst. Odpowiedź na tę wiadomość również nie trafi do zgłoszenia.",
)

UNASSIGNED: Final = Wording("We could not assign your e-mail", "Nie udało się przypisać Twojej wiadomości")
UNASSIGNED_WHY: Final = Wording(
    "Your e-mail has arrived, but we could not tell which ticket it is about. It is kept, and our team will "
    "look at it.",
    "Wiadomość dotarła, ale nie wiemy, którego zgłoszenia dotyczy. "
    "Zachowaliśmy ją, a nasz zespół ją obejrzy.",
)
UNASSIGNED_NEXT: Final = Wording(
    "It is faster to answer the latest e-mail of your ticket, from the address that it was sent to, "
    "or to write in the portal.",
    "Szybciej będzie odpowiedzieć na ostatnią wiadomość o zgłoszeniu z adresu, na który przyszła, "
    "albo napisać w portalu.",
)

ADDRESS_FAILS: Final = Wording("E-mails come back", "Wiadomości wracają")
ADDRESS_FAILS_WHY: Final = Wording(
    "The e-mail address of somebody on this ticket takes no e-mails any more. Nothing else is sent to it "
    "until somebody sends a mail that came back again.",
    "Adres e-mail osoby z tego zgłoszenia nie przyjmuje już wiadomości. Nic więcej na niego nie wyślemy, "
    "dopóki ktoś nie wyśle ponownie wiadomości, która wróciła.",
)
ADDRESS_FAILS_NEXT: Final = Wording(
    "The ticket itself is not touched: the person still sees it in the portal. Reach them another way.",
    "Samo zgłoszenie się nie zmieniło: ta osoba nadal widzi je w portalu. Skontaktuj się z nią inaczej.",
)
PERSON: Final = Wording("Person", "Osoba")
STATUS: Final = Wording("What its mail server said", "Odpowiedź jej serwera poczty")
NO_TEXT: Final = Wording("(No text, only attachments.)", "(Bez tekstu, tylko załączniki.)")
FILES_LEFT: Final = Wording(
    "[Not taken over from the e-mail, which is kept whole: {files}]",
    "[Nie przeniesiono z wiadomości, która jest zachowana w całości: {files}]",
)
WHOLE_TEXT: Final = Wording(
    "[The text is longer than a reply can be; all of it is in the attachment {file}.]",
    "[Tekst jest dłuższy, niż mieści odpowiedź; całość jest w załączniku {file}.]",
)
REST_IS_KEPT: Final = Wording(
    "[This is its beginning. Your whole e-mail is kept.]",
    "[To jest jej początek. Cała wiadomość jest zachowana.]",
)
BY_EMAIL_FROM: Final = Wording(
    "E-mail from {sender}, received {at}:", "Wiadomość od {sender}, otrzymana {at}:"
)

TEST: Final = Wording("Test e-mail", "Wiadomość testowa")
TEST_SAYS: Final = Wording(
    "If you can read this, e-mails of Casetrail reach you. There is nothing for you to do.",
    "Jeśli to czytasz, wiadomości z Casetrail do Ciebie docierają. Nie musisz nic robić.",
)

_UNITS: Final = Wording("B KB MB", "B kB MB")
_MONTHS: Final = Wording(
    "January February March April May June July August September October November December",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
)


def spoken(language: str) -> Language:
    """The language that we have words in: the wanted one, or English."""
    return next((each for each in LANGUAGES if each == language), "en")


def said(wording: Wording, language: Language, **values: str) -> str:
    """The sentence in this language, with its values."""
    return (wording.pl if language == "pl" else wording.en).format(**values)


def size(size_bytes: int, language: Language) -> str:
    """`1.4 MB`, `1,4 MB`: thousands of bytes, as file managers count."""
    bytes_, thousands, millions = said(_UNITS, language).split()
    if size_bytes < 1000:
        return f"{size_bytes} {bytes_}"
    if size_bytes < 999_500:
        return f"{size_bytes / 1000:.0f} {thousands}"
    number = f"{size_bytes / 1_000_000:.1f}"
    return f"{number.replace('.', ',') if language == 'pl' else number} {millions}"


def moment(at: datetime, language: Language) -> str:
    """`24 November 2026, 14:05 UTC`. `at` is in UTC."""
    month = said(_MONTHS, language).split()[at.month - 1]
    return f"{at.day} {month} {at.year}, {at:%H:%M} UTC"
