"""What refusals and broken rules say to a person, in every language of Casetrail.

One table from code to wording; the codes are stable, the words may be improved at any time. `{name}` is
filled from the error's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from contracts.number import shown

Language = Literal["en", "pl"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "pl")


class Wording(NamedTuple):
    """The same sentence in each language."""

    en: str
    pl: str


REFUSALS: Final[Mapping[str, Wording]] = {
    "ticket_not_found": Wording(
        "There is no ticket {number} here.",
        "Nie ma tu zgłoszenia {number}.",
    ),
    "ticket_is_closed": Wording(
        "Ticket {number} is closed and takes no replies. You can reopen it, or open a new ticket about it.",
        "Zgłoszenie {number} jest zamknięte i nie przyjmuje odpowiedzi. "
        "Możesz otworzyć je ponownie albo utworzyć nowe zgłoszenie w tej sprawie.",
    ),
    "ticket_is_already_closed": Wording(
        "Ticket {number} is closed already.",
        "Zgłoszenie {number} jest już zamknięte.",
    ),
    "ticket_is_open": Wording(
        "Ticket {number} is open; only a closed ticket can be reopened.",
        "Zgłoszenie {number} jest otwarte; ponownie otworzyć można tylko zgłoszenie zamknięte.",
    ),
    "ticket_is_full": Wording(
        "Ticket {number} has {limit} events and takes no more replies. Please open a new ticket about it.",
        "Zgłoszenie {number} ma już {limit} zdarzeń i nie przyjmuje odpowiedzi. "
        "Utwórz nowe zgłoszenie w tej sprawie.",
    ),
    "ticket_not_opened_yet": Wording(
        "The ticket is not open yet. Nothing is lost: it will be there in a moment.",
        "Zgłoszenie nie jest jeszcze otwarte. Nic nie zginęło: pojawi się za chwilę.",
    ),
    "attachment_not_found": Wording(
        "There is no attachment {attachment} here.",
        "Nie ma tu załącznika {attachment}.",
    ),
    "attachment_infected": Wording(
        "The file {name} was not taken: the virus scanner found something in it.",
        "Plik {name} nie został przyjęty: skaner antywirusowy coś w nim znalazł.",
    ),
    "attachment_type_not_allowed": Wording(
        "The file {name} is not of a type that is taken. Taken are: {allowed}.",
        "Plik {name} nie jest dozwolonego typu. Przyjmowane są: {allowed}.",
    ),
    "upload_too_much": Wording(
        "This account has uploaded {limit} MiB within an hour, which is as much as it may. Try again later.",
        "To konto przesłało w ciągu godziny {limit} MiB, czyli tyle, ile może. Spróbuj ponownie później.",
    ),
    "upload_out_of_order": Wording(
        "The file {name} did not arrive in order. Please upload it again.",
        "Plik {name} nie dotarł we właściwej kolejności. Prześlij go ponownie.",
    ),
    "questionnaire_not_found": Wording(
        "There is no questionnaire {questionnaire} to be answered.",
        "Nie ma kwestionariusza {questionnaire}, który można by wypełnić.",
    ),
    "draft_not_found": Wording(
        "There is no such draft here. It may have been discarded, or not been touched for too long.",
        "Nie ma tu takiego szkicu. Mógł zostać odrzucony albo zbyt długo nikt do niego nie wracał.",
    ),
    "draft_changed": Wording(
        "The draft was changed meanwhile, perhaps in another window. Nothing was overwritten.",
        "Szkic został w międzyczasie zmieniony, być może w innym oknie. Niczego nie nadpisano.",
    ),
    "draft_is_submitted": Wording(
        "This was submitted already.",
        "To zgłoszenie zostało już przesłane.",
    ),
    "too_many_drafts": Wording(
        "You have {limit} drafts already. Submit or discard one of them first.",
        "Masz już {limit} szkiców. Najpierw prześlij albo odrzuć jeden z nich.",
    ),
    "interest_closed": Wording(
        "Requests of new partners are not taken here at the moment.",
        "Zgłoszenia nowych partnerów nie są tu obecnie przyjmowane.",
    ),
    "interest_form_void": Wording(
        "This form is too old. Please open it again; what you have typed can be copied over.",
        "Ten formularz jest zbyt stary. Otwórz go ponownie; wpisany tekst możesz skopiować.",
    ),
    "interest_too_fast": Wording(
        "That was very fast. Please wait a few seconds and send the form again.",
        "To było bardzo szybko. Odczekaj kilka sekund i wyślij formularz ponownie.",
    ),
    "interest_too_often": Wording(
        "Too many requests were sent. Please try again in an hour.",
        "Wysłano zbyt wiele zgłoszeń. Spróbuj ponownie za godzinę.",
    ),
    "interest_link_void": Wording(
        "This link is not valid, or not any more. Please fill in the form again.",
        "Ten odnośnik jest nieprawidłowy albo stracił ważność. Wypełnij formularz ponownie.",
    ),
    "ticket_did_not_exist": Wording(
        "Ticket {number} has no state at that point: it was opened later, or has fewer events.",
        "Zgłoszenie {number} nie ma stanu w tym punkcie: otwarto je później albo ma mniej zdarzeń.",
    ),
    "followed_ticket_not_found": Wording(
        "There is no ticket {number} here that this one could follow up.",
        "Nie ma tu zgłoszenia {number}, do którego to mogłoby nawiązywać.",
    ),
    "not_permitted": Wording(
        "You may not do that here.",
        "Nie masz tu do tego uprawnień.",
    ),
    "actor_missing": Wording(
        "The request does not say who asks.",
        "Żądanie nie podaje, kto pyta.",
    ),
    "actor_not_yours": Wording(
        "Whoever sent this may not speak for {actor}.",
        "Nadawca nie może występować w imieniu {actor}.",
    ),
    "account_missing": Wording(
        "Say which account; only the platform's own people may ask for all of them.",
        "Podaj konto; o wszystkie naraz mogą pytać tylko osoby z platformy.",
    ),
    "account_not_found": Wording(
        "There is no account {account} here.",
        "Nie ma tu konta {account}.",
    ),
    "account_is_taken": Wording(
        "The id {account} is taken; choose another one.",
        "Identyfikator {account} jest już zajęty; wybierz inny.",
    ),
    "account_is_full": Wording(
        "The account {account} has as many as it may have: {limit}.",
        "Konto {account} osiągnęło dozwolony limit: {limit}.",
    ),
    "nothing_to_change": Wording(
        "It is like that already; nothing was changed.",
        "Tak już jest; nic nie zostało zmienione.",
    ),
    "already_member": Wording(
        "This person is a member of {account} already.",
        "Ta osoba jest już użytkownikiem konta {account}.",
    ),
    "not_a_member": Wording(
        "This person is not a member of {account}.",
        "Ta osoba nie jest użytkownikiem konta {account}.",
    ),
    "last_admin": Wording(
        "This is the last administrator of {account}. Make somebody else an administrator first.",
        "To ostatni administrator konta {account}. Najpierw nadaj tę rolę komuś innemu.",
    ),
    "has_role_already": Wording(
        "This person has the role {role} already.",
        "Ta osoba ma już rolę {role}.",
    ),
    "has_not_the_role": Wording(
        "This person does not have the role {role}.",
        "Ta osoba nie ma roli {role}.",
    ),
    "person_not_found": Wording(
        "This person is not known here.",
        "Ta osoba nie jest tu znana.",
    ),
    "person_is_full": Wording(
        "There are {limit} changes of this person already, and there can be no more.",
        "Dane tej osoby zmieniono już {limit} razy i więcej zmian nie jest możliwych.",
    ),
    "mail_not_found": Wording("There is no such e-mail.", "Nie ma takiej wiadomości."),
    "mail_not_dead": Wording(
        "This e-mail was not given up, so there is nothing to send again.",
        "Tej wiadomości nie uznano za niedoręczalną, więc nie ma czego wysyłać ponownie.",
    ),
    "mail_needs_nobody": Wording(
        "This e-mail does not wait for anybody.",
        "Ta wiadomość na nikogo nie czeka.",
    ),
    "mail_is_being_settled": Wording(
        "Somebody else is putting this e-mail on a ticket right now.",
        "Ktoś inny właśnie umieszcza tę wiadomość w zgłoszeniu.",
    ),
    "mail_is_settled": Wording(
        "Somebody has dealt with this e-mail already.",
        "Ktoś już zajął się tą wiadomością.",
    ),
    "reference_not_found": Wording(
        "There is no e-mail with the reference ID {reference} here.",
        "Nie ma tu wiadomości o identyfikatorze referencyjnym {reference}.",
    ),
    "link_void": Wording(
        "This link is not one of ours, or it is not whole. Please copy all of it from the e-mail.",
        "Ten odnośnik nie pochodzi od nas albo jest niekompletny. Skopiuj go w całości z wiadomości.",
    ),
    "invitation_not_found": Wording(
        "There is no such invitation. Check that the whole link was copied.",
        "Nie ma takiego zaproszenia. Sprawdź, czy skopiowano cały odnośnik.",
    ),
    "invitation_not_open": Wording(
        "This invitation was used, withdrawn or replaced by a newer one.",
        "To zaproszenie zostało już wykorzystane, wycofane albo zastąpione nowszym.",
    ),
    "invitation_expired": Wording(
        "This invitation has expired. Ask for a new one.",
        "To zaproszenie wygasło. Poproś o nowe.",
    ),
    "invitation_for_another": Wording(
        "This invitation is for another e-mail address than the one you are signed in with.",
        "To zaproszenie jest dla innego adresu e-mail niż ten, z którym jesteś zalogowany.",
    ),
    "credential_exists": Wording(
        "The account {account} has a credential {name} already. Revoke it first, or choose another name.",
        "Konto {account} ma już poświadczenie {name}. Najpierw je unieważnij albo wybierz inną nazwę.",
    ),
    "credential_not_found": Wording(
        "The account {account} has no credential {name}.",
        "Konto {account} nie ma poświadczenia {name}.",
    ),
    "command_id_reused": Wording(
        "The command id {command_id} was used before for something else; nothing was done.",
        "Identyfikator polecenia {command_id} został już użyty do czegoś innego; nic nie zrobiono.",
    ),
}

UNAVAILABLE: Final[Mapping[str, Wording]] = {
    "unavailable": Wording(
        "The service cannot answer right now. Please try again; nothing is done twice.",
        "Usługa chwilowo nie odpowiada. Spróbuj ponownie; nic nie zostanie wykonane dwa razy.",
    ),
    "busy": Wording(
        "The service has too much to do right now. Please try again in a moment; nothing was done.",
        "Usługa jest chwilowo przeciążona. Spróbuj ponownie za chwilę; nic nie zostało wykonane.",
    ),
    "access_unknown": Wording(
        "Who may do what cannot be told right now. Please try again in a moment; nothing was done.",
        "Nie można teraz ustalić uprawnień. Spróbuj ponownie za chwilę; nic nie zostało wykonane.",
    ),
    "event_unknown": Wording(
        "There is something here that only a newer version of the service understands. "
        "Please try again later.",
        "Jest tu coś, co rozumie dopiero nowsza wersja usługi. Spróbuj ponownie później.",
    ),
    "scanner_unavailable": Wording(
        "Files cannot be checked for viruses right now, so none are taken. Please try again in a moment.",
        "Nie można teraz sprawdzić plików pod kątem wirusów, więc żadne nie są przyjmowane. "
        "Spróbuj ponownie za chwilę.",
    ),
    "draft_unknown": Wording(
        "This draft was last changed by a newer version of the service. Please try again later.",
        "Ten szkic zmieniła ostatnio nowsza wersja usługi. Spróbuj ponownie później.",
    ),
    "replica_behind": Wording(
        "The latest changes have not arrived here yet. Please try again in a moment.",
        "Najnowsze zmiany jeszcze tu nie dotarły. Spróbuj ponownie za chwilę.",
    ),
}

INTERNAL: Final = Wording(
    "Something went wrong on our side; it has been logged.",
    "Coś poszło nie tak po naszej stronie; zapisaliśmy to w dzienniku.",
)

MALFORMED: Final = Wording(
    "The request is not as it must be.",
    "Żądanie ma niewłaściwą postać.",
)

RULES: Final[Mapping[str, Wording]] = {
    "missing": Wording("is missing", "brakuje"),
    "extra_forbidden": Wording("is not a field that is known here", "nie jest znanym tu polem"),
    "json_invalid": Wording(
        "is not valid JSON in UTF-8: {error}", "nie jest poprawnym JSON w UTF-8: {error}"
    ),
    "too_large": Wording(
        "is {size} bytes long, at most {limit} are allowed",
        "ma {size} bajtów, dozwolone jest najwyżej {limit}",
    ),
    "text_blank": Wording(
        "must not be empty or only white space", "nie może być puste ani składać się z samych odstępów"
    ),
    "text_control_character": Wording(
        "contains the control character U+{code_point} at character {at}, which is not allowed here",
        "zawiera niedozwolony znak sterujący U+{code_point} na pozycji {at}",
    ),
    "text_too_long": Wording(
        "is {size} bytes long in UTF-8, at most {limit} are allowed",
        "ma {size} bajtów w UTF-8, dozwolone jest najwyżej {limit}",
    ),
    "string_too_long": Wording(
        "is longer than {max_length} characters", "jest dłuższe niż {max_length} znaków"
    ),
    "string_too_short": Wording(
        "is shorter than {min_length} characters", "jest krótsze niż {min_length} znaków"
    ),
    "string_pattern_mismatch": Wording("does not match {pattern}", "nie pasuje do wzorca {pattern}"),
    "account_id_shape": Wording(
        "must be an account id: 2 to 32 small letters a-z, digits and -, the first a letter or a digit",
        "musi być identyfikatorem konta: od 2 do 32 małych liter a-z, cyfr i znaków -, "
        "na początku litera albo cyfra",
    ),
    "person_id_shape": Wording(
        "must be an id: at most 64 letters a-z and A-Z, digits, - and _, the first a letter or a digit",
        "musi być identyfikatorem: najwyżej 64 litery a-z i A-Z, cyfry, znaki - i _, "
        "na początku litera albo cyfra",
    ),
    "command_id_shape": Wording(
        "must be an id: at most 64 letters a-z and A-Z, digits and . _ : -, the first a letter or a digit",
        "musi być identyfikatorem: najwyżej 64 litery a-z i A-Z, cyfry i znaki . _ : -, "
        "na początku litera albo cyfra",
    ),
    "code_shape": Wording(
        "must be a word of at most 64 small letters a-z, digits, - and _, the first a letter or a digit",
        "musi być słowem z najwyżej 64 małych liter a-z, cyfr, znaków - i _, na początku litera albo cyfra",
    ),
    "string_type": Wording("must be text", "musi być tekstem"),
    "string_unicode": Wording("must be valid Unicode", "musi być poprawnym tekstem Unicode"),
    "int_type": Wording("must be a whole number", "musi być liczbą całkowitą"),
    "int_parsing": Wording("must be a whole number", "musi być liczbą całkowitą"),
    "bool_type": Wording("must be true or false", "musi być prawdą albo fałszem"),
    "enum": Wording("must be {expected}", "musi mieć jedną z wartości: {expected}"),
    "greater_than_equal": Wording("must be at least {ge}", "musi wynosić co najmniej {ge}"),
    "less_than_equal": Wording("must be at most {le}", "musi wynosić najwyżej {le}"),
    "less_than": Wording("must be less than {lt}", "musi być mniejsze niż {lt}"),
    "too_long": Wording(
        "has {actual_length} entries, at most {max_length} are allowed",
        "ma {actual_length} pozycji, dozwolone jest najwyżej {max_length}",
    ),
    "too_short": Wording(
        "has {actual_length} entries, at least {min_length} are needed",
        "ma {actual_length} pozycji, potrzeba co najmniej {min_length}",
    ),
    "tuple_type": Wording("must be a list", "musi być listą"),
    "dict_type": Wording("must be an object", "musi być obiektem"),
    "model_type": Wording("must be an object", "musi być obiektem"),
    "datetime_parsing": Wording("must be a date and time (RFC 3339)", "musi być datą i godziną (RFC 3339)"),
    "datetime_from_date_parsing": Wording(
        "must be a date and time (RFC 3339)", "musi być datą i godziną (RFC 3339)"
    ),
    "not_in_this_order": Wording(
        "takes no {name} in the order {order}", "nie przyjmuje {name} w kolejności {order}"
    ),
    "datetime_type": Wording("must be a date and time (RFC 3339)", "musi być datą i godziną (RFC 3339)"),
    "time_out_of_range": Wording(
        "must be between the years 1 and 9999 in UTC", "musi przypadać między rokiem 1 a 9999 w UTC"
    ),
    "timezone_aware": Wording("must name its time zone", "musi podawać strefę czasową"),
    # answers to questions of a questionnaire
    "answer_needed": Wording("needs an answer", "wymaga odpowiedzi"),
    "answer_choose": Wording("choose one of the answers", "wybierz jedną z odpowiedzi"),
    "answer_attach": Wording("needs a file", "wymaga załączenia pliku"),
    "answer_too_few": Wording(
        "has {count} answers, at least {limit} are needed",
        "ma {count} odpowiedzi, potrzeba co najmniej {limit}",
    ),
    "answer_too_many": Wording(
        "has {count} answers, at most {limit} are possible",
        "ma {count} odpowiedzi, możliwych jest najwyżej {limit}",
    ),
    "answer_too_long": Wording(
        "is {size} characters long, at most {limit} are possible",
        "ma {size} znaków, możliwych jest najwyżej {limit}",
    ),
    "answer_too_short": Wording(
        "is {size} characters long, at least {limit} are needed",
        "ma {size} znaków, potrzeba co najmniej {limit}",
    ),
    "answer_character": Wording(
        "contains the control character U+{code_point} at character {at}",
        "zawiera znak sterujący U+{code_point} na pozycji {at}",
    ),
    "answer_not_an_option": Wording(
        "is none of the answers to choose from", "nie jest żadną z odpowiedzi do wyboru"
    ),
    "answer_not_a_whole_number": Wording(
        "must be a whole number, such as 12", "musi być liczbą całkowitą, na przykład 12"
    ),
    "answer_not_a_number": Wording(
        "must be a number, such as 12 or 3.5", "musi być liczbą, na przykład 12 albo 3,5"
    ),
    "answer_too_small": Wording("must be at least {limit}", "musi wynosić co najmniej {limit}"),
    "answer_too_large": Wording("must be at most {limit}", "musi wynosić najwyżej {limit}"),
    "answer_not_a_date": Wording(
        "must be a date, such as 24.11.2026 or 2026-11-24",
        "musi być datą, na przykład 24.11.2026 albo 2026-11-24",
    ),
    "answer_too_early": Wording("must not be before {limit}", "nie może przypadać przed {limit}"),
    "answer_too_late": Wording("must not be after {limit}", "nie może przypadać po {limit}"),
    "answer_not_a_url": Wording(
        "must be the address of a web page, such as https://example.com",
        "musi być adresem strony internetowej, na przykład https://example.com",
    ),
    "answer_not_an_email": Wording(
        "must be an e-mail address, such as jan@example.com",
        "musi być adresem e-mail, na przykład jan@example.com",
    ),
    "answer_not_a_file": Wording(
        "names a file that was not uploaded here", "wskazuje plik, którego tu nie przesłano"
    ),
    "answer_too_many_files": Wording(
        "brings it to {count} files, at most {limit} are possible in all",
        "daje razem {count} plików, możliwych jest łącznie najwyżej {limit}",
    ),
    "answer_not_asked": Wording("is not a question of this page", "nie jest pytaniem z tej strony"),
    "attachment_id_shape": Wording(
        "must be the id of an attachment: 26 small letters a-z and digits",
        "musi być identyfikatorem załącznika: 26 małych liter a-z i cyfr",
    ),
    "attachment_not_uploaded": Wording(
        "names a file that you have not uploaded for this account: {attachment}",
        "wskazuje plik, którego nie przesłano dla tego konta: {attachment}",
    ),
    "chunk_beyond_the_end": Wording(
        "ends at byte {end} of a file of {size} bytes",
        "kończy się na bajcie {end} pliku o długości {size} bajtów",
    ),
    "chunk_after": Wording(
        "is 0 for the first chunk, and for no other", "wynosi 0 dla pierwszej części i tylko dla niej"
    ),
    "chunk_size": Wording(
        "has {size} bytes, it must have between 1 and {limit}",
        "ma {size} bajtów, musi mieć od 1 do {limit}",
    ),
    "reference_shape": Wording(
        "must be a reference ID, such as R-7K3M-9QX2-81FG",
        "musi być identyfikatorem referencyjnym, na przykład R-7K3M-9QX2-81FG",
    ),
    "reference_check_character": Wording(
        "is not a reference ID: a character of {reference} is wrong or two are swapped",
        "nie jest identyfikatorem referencyjnym: w {reference} jest błędny znak albo dwa są zamienione",
    ),
    "bytes_type": Wording("must be text in base 64", "musi być tekstem w base 64"),
    "network_address_shape": Wording(
        "must be an address of IPv4 or IPv6, without a port",
        "musi być adresem IPv4 lub IPv6, bez portu",
    ),
    "base64_decode": Wording("is not base 64", "nie jest zapisane w base 64"),
    "number_shape": Wording(
        "must be a ticket number: ten digits, such as 483-029-1741",
        "musi być numerem zgłoszenia: dziesięć cyfr, na przykład 483-029-1741",
    ),
    "number_check_digit": Wording(
        "is not a ticket number: a digit of {number} is wrong or two are swapped",
        "nie jest numerem zgłoszenia: w {number} jest błędna cyfra albo dwie są zamienione",
    ),
    "answers_too_long": Wording(
        "has answers of {size} bytes in all, at most {limit} are allowed",
        "zawiera odpowiedzi o łącznej długości {size} bajtów, dozwolone jest najwyżej {limit}",
    ),
    "as_of_more_than_one": Wording(
        "names more than one of as_of_revision, as_of_position and as_of_time",
        "podaje więcej niż jedno z: as_of_revision, as_of_position, as_of_time",
    ),
    "ticket_and_account": Wording(
        "must be given together with the ticket, or neither",
        "musi być podane razem ze zgłoszeniem albo wcale",
    ),
    "email_shape": Wording(
        "must be an e-mail address, such as jan@example.com",
        "musi być adresem e-mail, na przykład jan@example.com",
    ),
    "person_or_account": Wording("names neither a person nor an account", "nie podaje ani osoby, ani konta"),
    "as_of_position_and_time": Wording(
        "names both as_of_position and as_of_time", "podaje zarówno as_of_position, jak i as_of_time"
    ),
    "too_many_words": Wording(
        "has {count} words, at most {limit} are allowed", "ma {count} słów, dozwolone jest najwyżej {limit}"
    ),
    "no_words": Wording("has no word to search for", "nie zawiera słowa do wyszukania"),
}

_OTHER_RULE: Final = Wording("is not valid", "jest niepoprawne")


def _fill(wording: Wording, language: Language, data: Mapping[str, object]) -> str:
    try:
        return getattr(wording, language).format_map(data)  # type: ignore[no-any-return]
    except KeyError:  # an older service sent less than the sentence needs
        return str(getattr(wording, language))


def refusal(code: str, data: Mapping[str, object], language: Language = "en") -> str:
    """The sentence for an error's code."""
    wording = REFUSALS.get(code) or UNAVAILABLE.get(code)
    if wording is None:
        wording = MALFORMED if code == "malformed" else INTERNAL
    if "number" in data:
        data = {**data, "number": shown(str(data["number"]))}
    return _fill(wording, language, data)


def rule(code: str, data: Mapping[str, object], language: Language = "en") -> str:
    """The words for a broken rule; the name of the field stands before them."""
    if language == "pl" and "expected" in data:  # pydantic joins what it expects in English
        data = {**data, "expected": str(data["expected"]).replace(" or ", " lub ")}
    return _fill(RULES.get(code, _OTHER_RULE), language, data)
