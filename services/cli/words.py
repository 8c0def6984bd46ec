"""What the command line says in its own words, in every language of Casetrail.

Refusals and broken rules have theirs in `contracts.wording`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from contracts.wording import Language, Wording
from services.cli.words_doctor import DOCTOR
from services.cli.words_operating import OPERATING

LANGUAGE_VARIABLES: Final = ("CASETRAIL_LANG", "LC_ALL", "LC_MESSAGES", "LANG")

SENTENCES: Final[Mapping[str, Wording]] = {
    **DOCTOR,
    **OPERATING,
    # unavailable
    "nobody_runs": Wording(
        "No Casetrail is running here. Start it with `casetrail up`, "
        "or say with CASETRAIL_NATS_URL where it runs.",
        "Casetrail tu nie działa. Uruchom go poleceniem `casetrail up` "
        "albo wskaż w CASETRAIL_NATS_URL, gdzie działa.",
    ),
    "no_connection": Wording(
        "{reason}. If it does not run: `casetrail up` starts it.",
        "{reason}. Jeśli nie działa, uruchomi go `casetrail up`.",
    ),
    "credentials_refused": Wording(
        "NATS refused the credentials: {reason}. CASETRAIL_NATS_NKEY_SEED_FILE or CASETRAIL_NATS_CREDS "
        "names those of a user that it knows.",
        "NATS odrzucił dane logowania: {reason}. CASETRAIL_NATS_NKEY_SEED_FILE albo CASETRAIL_NATS_CREDS "
        "wskazuje dane użytkownika, którego zna.",
    ),
    "check_service": Wording(
        "If it does not run: `casetrail up` starts it.",
        "Jeśli nie działa, uruchomi ją `casetrail up`.",
    ),
    "cannot_follow": Wording(
        "The log cannot be followed: {reason}. If it does not run: `casetrail up` starts it.",
        "Nie można odczytać dziennika: {reason}. Jeśli nie działa, uruchomi go `casetrail up`.",
    ),
    "repeat": Wording(
        "To repeat it safely, add: --command-id {command_id}",
        "Aby bezpiecznie powtórzyć, dodaj: --command-id {command_id}",
    ),
    # e-mails
    "mails_none": Wording("There is no such e-mail.", "Nie ma takich wiadomości."),
    "more_mails": Wording("There are more: --before {before}", "Jest ich więcej: --before {before}"),
    "mail_about": Wording(
        "   {kind}, because: {why}; ticket {ticket}", "   {kind}, ponieważ: {why}; zgłoszenie {ticket}"
    ),
    "mail_bounced": Wording("(came back)", "(wróciła)"),
    "mail_revived": Wording("{mail} will be sent again.", "{mail} zostanie wysłana ponownie."),
    "mail_waits": Wording("(waits for somebody)", "(czeka na kogoś)"),
    "mail_put": Wording(
        "{received} stands on ticket {ticket} now.", "{received} jest teraz w zgłoszeniu {ticket}."
    ),
    "mail_dismissed": Wording(
        "{received} does not wait any more. It is kept.", "{received} już nie czeka. Pozostaje zachowana."
    ),
    "mail_is_cut": Wording(
        "   There is more of it: casetrail mail received get",
        "   Jest jej więcej: casetrail mail received get",
    ),
    "mail_wished": Wording(
        "E-mails about tickets from now on: {tickets}.", "Wiadomości o zgłoszeniach od teraz: {tickets}."
    ),
    "mail_stopped": Wording(
        "There will be no more e-mails about tickets to {email}.",
        "Na adres {email} nie będą już wysyłane wiadomości o zgłoszeniach.",
    ),
    # wrong usage
    "settings_invalid": Wording("A setting is wrong. {reason}", "Błędne ustawienie. {reason}"),
    "person_address": Wording(
        "holds no e-mail address: a person is named as jan@acme.example or agent:ola@desk.example",
        "nie zawiera adresu e-mail: osobę podaje się jako jan@acme.example albo agent:ola@desk.example",
    ),
    "another_system": Wording(
        "names another system: this terminal is system:{user}, and every system speaks for itself",
        "wskazuje inny system: ten terminal to system:{user}, a każdy system występuje we własnym imieniu",
    ),
    "person_kind": Wording(
        "begins with {kind}:, known are member:, agent: and system:",
        "zaczyna się od {kind}:, znane są member:, agent: i system:",
    ),
    "identifier_shape": Wording(
        "must be KIND=VALUE, such as merchant=M-77",
        "musi mieć postać RODZAJ=WARTOŚĆ, na przykład merchant=M-77",
    ),
    "not_utf8": Wording(
        "is not valid UTF-8: byte {at} is 0x{byte}", "nie jest poprawnym UTF-8: bajt {at} to 0x{byte}"
    ),
    "input_too_long": Wording(
        "is longer than {limit} bytes in UTF-8", "jest dłuższe niż {limit} bajtów w UTF-8"
    ),
    "time_shape": Wording(
        "{value} is not a time. Known are 2026-11-20T10:02:32Z; in local time 2026-11-20 10:02 and "
        "2026-11-20; and 45s, 30m, 2h, 3d, 1w for so long ago",
        "{value} nie oznacza czasu. Znane są 2026-11-20T10:02:32Z; w czasie lokalnym 2026-11-20 10:02 "
        "i 2026-11-20; oraz 45s, 30m, 2h, 3d, 1w jako tyle czasu temu",
    ),
    "beyond_the_end": Wording(
        "is beyond the end of the log, whose last position is {last}",
        "wykracza poza koniec dziennika, którego ostatnia pozycja to {last}",
    ),
    "only_one_of": Wording("only one of {options} can be given", "można podać tylko jedno z: {options}"),
    "file_exists": Wording(
        "{file} is there already; it is not overwritten", "{file} już istnieje; nie zostanie zastąpiony"
    ),
    "file_not_writable": Wording("{file} cannot be written: {reason}", "nie można zapisać {file}: {reason}"),
    # questionnaires
    "questionnaires_sound": Wording(
        "{count} looked at, nothing is wrong.", "Sprawdzono: {count}. Wszystko w porządku."
    ),
    "questionnaires_same": Wording("They are the same.", "Są takie same."),
    "questionnaire_unsound": Wording("It cannot be used:\n{findings}", "Nie można go użyć:\n{findings}"),
    "questionnaire_outside": Wording(
        "{count} things in it are outside what Casetrail can ask; they are named above.",
        "Liczba elementów, których Casetrail nie obsługuje: {count}. Wymieniono je powyżej.",
    ),
    "no_questionnaires": Wording(
        "{directory} holds no questionnaires ({names})", "{directory} nie zawiera kwestionariuszy ({names})"
    ),
    "file_not_readable": Wording("{file} cannot be read: {reason}", "nie można odczytać {file}: {reason}"),
    "not_json": Wording("{file} is not valid JSON: {reason}", "{file} nie jest poprawnym JSON: {reason}"),
    "left_out": Wording("left out: {what}", "pominięto: {what}"),
    "item_required": Wording("needed", "wymagane"),
    "item_repeats": Wording("up to {most}", "do {most}"),
    "item_identifier": Wording("identifier {kind}", "identyfikator {kind}"),
    "condition_and": Wording("and", "i"),
    "condition_or": Wording("or", "lub"),
    "asked_if": Wording("asked if {conditions}", "pytanie, jeśli {conditions}"),
    "walk_how": Wording(
        "Enter alone leaves a question out, < goes back, several answers are separated by |, Ctrl-D ends.",
        "Sam Enter pomija pytanie, < wraca, kilka odpowiedzi rozdziela się znakiem |, Ctrl-D kończy.",
    ),
    "walk_page": Wording("Page {number} of {of}", "Strona {number} z {of}"),
    "walk_no_files": Wording(
        "(files cannot be uploaded here: Enter)", "(tutaj nie można przesłać plików: Enter)"
    ),
    "walk_message": Wording("What was typed first", "To, co wpisano na początku"),
    "walk_review": Wording("The ticket would say:", "W zgłoszeniu byłoby:"),
    "walk_dropped": Wording(
        "not asked any more, dropped: {question}", "już bez znaczenia, odrzucone: {question}"
    ),
    # the interest form
    "interest_waits": Wording(
        "The interest {reference} waits for its confirmation.",
        "Zgłoszenie zainteresowania {reference} czeka na potwierdzenie.",
    ),
    "interest_is_confirmed": Wording(
        "The interest {reference} is confirmed.", "Zgłoszenie zainteresowania {reference} jest potwierdzone."
    ),
    "link_without_token": Wording(
        "holds no token: give the link of the e-mail as it is",
        "nie zawiera tokenu: podaj odnośnik z wiadomości bez zmian",
    ),
    # files
    "file_too_large": Wording(
        "{file} has {size} bytes, at most {limit} are possible",
        "{file} ma {size} bajtów, możliwych jest najwyżej {limit}",
    ),
    "too_many_files": Wording(
        "{count} files are too many, at most {limit} are possible",
        "{count} plików to za dużo, możliwych jest najwyżej {limit}",
    ),
    "file_empty": Wording("{file} is empty", "{file} jest pusty"),
    "file_attached": Wording("file {name}, {type}, {size} ({id})", "plik {name}, {type}, {size} ({id})"),
    "file_sent": Wording("{name}: attachment {id}", "{name}: załącznik {id}"),
    "file_saved": Wording("{name} is in {file}.", "{name} jest w pliku {file}."),
    # credentials of other systems
    "no_operator_keys": Wording(
        "No Casetrail is running here whose keys could be used. "
        "Name the directory of the operator's keys with --operator-keys.",
        "Nie działa tu Casetrail, którego kluczy można by użyć. "
        "Wskaż katalog kluczy operatora opcją --operator-keys.",
    ),
    "operator_keys_invalid": Wording(
        "The operator's keys cannot be used. {reason}", "Nie można użyć kluczy operatora. {reason}"
    ),
    "credentials_not_cut_off": Wording(
        "The revocation is on record, but NATS has not taken it: {reason}. Repeat the command.",
        "Unieważnienie jest zapisane, ale NATS go nie przyjął: {reason}. Powtórz polecenie.",
    ),
    "credentials_created": Wording(
        "The credentials of {user} are in {file}. Nobody has a copy.",
        "Poświadczenia dla {user} są w pliku {file}. Nikt nie ma ich kopii.",
    ),
    "credentials_hint": Wording(
        "Connect with this file and the inbox prefix {inbox}.",
        "Do połączenia użyj tego pliku i prefiksu skrzynki {inbox}.",
    ),
    "credentials_revoked": Wording(
        "{user} is disconnected and cannot come back.", "{user} jest rozłączony i nie może wrócić."
    ),
    "no_credentials": Wording("No credentials.", "Brak poświadczeń."),
    "alive": Wording("valid", "ważne"),
    "revoked": Wording("revoked", "unieważnione"),
    "name": Wording("name", "nazwa"),
    "may": Wording("may", "uprawnienia"),
    "created": Wording("created", "utworzono"),
    "user": Wording("NATS user", "użytkownik NATS"),
    # accounts and people
    "exactly_one_of": Wording(
        "exactly one of {options} is needed", "potrzebne jest dokładnie jedno z: {options}"
    ),
    "done_register": Wording("The account {account} is registered.", "Konto {account} jest zarejestrowane."),
    "done_admit": Wording(
        "{name} has the account {account}, and {email} is invited as its administrator.",
        "{name} ma konto {account}, a {email} ma zaproszenie jako jego administrator.",
    ),
    "needed_without_ticket": Wording(
        "is needed, or --ticket NUMBER of the interest form, which has it",
        "jest potrzebne albo --ticket NUMER formularza zgłoszenia zainteresowania, który to zawiera",
    ),
    "not_in_ticket": Wording(
        "is needed: the ticket does not say it", "jest potrzebne: zgłoszenie tego nie zawiera"
    ),
    "done_invite": Wording("{email} is invited to {account}.", "Zaproszono {email} do konta {account}."),
    "to_accept": Wording(
        "To accept: casetrail access accept --as {email} --token {token}",
        "Aby przyjąć: casetrail access accept --as {email} --token {token}",
    ),
    "done_accept": Wording("You have access to {account}.", "Masz dostęp do konta {account}."),
    "done_withdraw": Wording(
        "The invitation to {account} is withdrawn.", "Zaproszenie do konta {account} jest wycofane."
    ),
    "done_role": Wording(
        "{person} is now {role} in {account}.", "{person} ma teraz rolę {role} w koncie {account}."
    ),
    "done_remove": Wording(
        "{person} has no access to {account} any more.", "{person} nie ma już dostępu do konta {account}."
    ),
    "done_appoint": Wording("{person} is now {role}.", "{person} ma teraz rolę: {role}."),
    "done_dismiss": Wording("{person} is no longer {role}.", "{person} nie ma już roli: {role}."),
    "no_accounts": Wording("No accounts.", "Brak kont."),
    "no_people": Wording("No people.", "Brak użytkowników."),
    "no_grants": Wording("Nobody may do anything.", "Nikt nie ma uprawnień."),
    "members": Wording("members", "użytkownicy"),
    "languages": Wording("languages", "języki"),
    "identifiers": Wording("identifiers", "identyfikatory"),
    "email": Wording("e-mail", "adres e-mail"),
    "role": Wording("role", "rola"),
    "person": Wording("person", "osoba"),
    "since": Wording("since", "od"),
    "permissions": Wording("permissions", "uprawnienia"),
    "platform": Wording("platform", "platforma"),
    "every_account": Wording("every account", "każde konto"),
    "is_member": Wording("has access", "ma dostęp"),
    "invited_until": Wording("invited until {at}", "zaproszenie do {at}"),
    "member": Wording("member", "użytkownik"),
    "admin": Wording("administrator", "administrator konta"),
    "agent": Wording("support agent", "pracownik wsparcia"),
    "auditor": Wording("auditor", "audytor"),
    "operator": Wording("platform operator", "operator platformy"),
    "subscribe": Wording("subscribe", "subskrypcja"),
    "read": Wording("read", "odczyt"),
    "write": Wording("write", "zapis"),
    "next_page_after": Wording("More: --after {after}", "Dalej: --after {after}"),
    # found or not
    "nothing_found": Wording("Nothing is known by {value}.", "Nic nie jest znane jako {value}."),
    "number_mistyped": Wording(
        "{value} cannot be a ticket number: a digit is wrong, or two are swapped.",
        "{value} nie może być numerem zgłoszenia: jedna cyfra jest błędna albo dwie są zamienione.",
    ),
    "only_an_identifier": Wording(
        "As a ticket number {value} would be wrong: a digit is wrong, or two are swapped. "
        "It was found as another identifier.",
        "Jako numer zgłoszenia {value} byłby błędny: jedna cyfra jest błędna albo dwie są zamienione. "
        "Znaleziono go jako inny identyfikator.",
    ),
    # dead letters
    "dead_none": Wording("There are no dead letters.", "Nie ma porzuconych zdarzeń."),
    "dead_letter": Wording(
        "{letter}  {service} gave up on position {position} of {stream} ({subscriber}), {at}, "
        "deliveries: {deliveries}",
        "{letter}  {service} porzuca pozycję {position} strumienia {stream} ({subscriber}), {at}, "
        "liczba prób: {deliveries}",
    ),
    "dead_settled": Wording(
        "{letter}  {service} gave up on position {position} of {stream} ({subscriber}), {at}; "
        "it was retried since",
        "{letter}  {service} porzuca pozycję {position} strumienia {stream} ({subscriber}), {at}; "
        "od tego czasu ponowiono",
    ),
    "dead_handled": Wording(
        "{letter}  handled by {subscriber}.",
        "{letter}  obsłużone przez {subscriber}.",
    ),
    "dead_gone": Wording(
        "{letter}  not in {stream} any more: nothing is left to be done.",
        "{letter}  nie ma go już w strumieniu {stream}: nic nie zostało do zrobienia.",
    ),
    "dead_failed": Wording(
        "{letter}  failed again: {reason}",
        "{letter}  znów się nie udało: {reason}",
    ),
    "dead_nobody": Wording(
        "{letter}  {service} has no subscriber {subscriber} any more.",
        "{letter}  {service} nie ma już subskrybenta {subscriber}.",
    ),
    "dead_not_all": Wording(
        "Still dead letters: {letters}.",
        "Nadal porzucone: {letters}.",
    ),
    "dead_unknown": Wording(
        "There is no dead letter {letter}: `casetrail dead list` shows those that there are.",
        "Nie ma porzuconego zdarzenia {letter}: `casetrail dead list` pokazuje istniejące.",
    ),
    "dead_unreachable": Wording(
        "The dead letters cannot be reached: no answer, or no permission ({reason}).",
        "Nie można dotrzeć do porzuconych zdarzeń: brak odpowiedzi albo uprawnień ({reason}).",
    ),
    # the log
    "history_gap": Wording(
        "The history has a gap before position {position}: ticket {number} has revision {found} there, "
        "expected was {expected}.",
        "W historii jest luka przed pozycją {position}: zgłoszenie {number} ma tam wersję {found}, "
        "oczekiwano {expected}.",
    ),
    "not_an_event": Wording(
        "Position {position} is skipped: what stands there is not an event.",
        "Pozycja {position} została pominięta: to, co tam jest, nie jest zdarzeniem.",
    ),
    "time_read_as": Wording("{option} is read as {time}", "{option} odczytano jako {time}"),
    "type_the_text": Wording("Type the text, and Ctrl-D to end it:", "Wpisz tekst, zakończ Ctrl-D:"),
    # what was done
    "done_open": Wording("Ticket {number} is open.", "Zgłoszenie {number} jest otwarte."),
    "done_closed": Wording("Ticket {number} is closed.", "Zgłoszenie {number} jest zamknięte."),
    "done_reply": Wording("The reply is on ticket {number}.", "Odpowiedź jest w zgłoszeniu {number}."),
    "made": Wording(
        "revision {revision}, position {position}, command {command_id}",
        "wersja {revision}, pozycja {position}, polecenie {command_id}",
    ),
    # lists and threads
    "number": Wording("number", "numer"),
    "account": Wording("account", "konto"),
    "status": Wording("status", "stan"),
    "title": Wording("title", "tytuł"),
    "replies": Wording("replies", "odpowiedzi"),
    "updated": Wording("last event", "ostatnie zdarzenie"),
    "found_as": Wording("found as", "znalezione jako"),
    "revision": Wording("revision", "wersja"),
    "position": Wording("position", "pozycja"),
    "time": Wording("time", "czas"),
    "who": Wording("who", "kto"),
    "what": Wording("what", "co"),
    "topic": Wording("topic", "temat"),
    "follows": Wording("follows up", "nawiązuje do"),
    "open": Wording("open", "otwarte"),
    "closed": Wording("closed", "zamknięte"),
    "opened": Wording("opened", "otwarcie"),
    "replied": Wording("replied", "odpowiedź"),
    "reopened": Wording("reopened", "ponowne otwarcie"),
    "solved": Wording("solved", "rozwiązane"),
    "no_answer": Wording("no answer", "brak odpowiedzi"),
    "duplicate": Wording("duplicate", "duplikat"),
    "declined": Wording("declined", "odmowa"),
    "counts": Wording("{open} open, {closed} closed in all", "razem: otwarte {open}, zamknięte {closed}"),
    "next_page": Wording("More: --before {before}", "Dalej: --before {before}"),
    "no_tickets": Wording("No tickets.", "Brak zgłoszeń."),
    "now": Wording("just now", "przed chwilą"),
    "minutes_ago": Wording("{n} min ago", "{n} min temu"),
    "hours_ago": Wording("{n} h ago", "{n} godz. temu"),
    "day_ago": Wording("1 day ago", "1 dzień temu"),
    "days_ago": Wording("{n} days ago", "{n} dni temu"),
}


def language() -> Language:
    """The person's language: that of the first variable of the environment that is set, else English."""
    for variable in LANGUAGE_VARIABLES:
        if value := os.environ.get(variable):
            return "pl" if value.lower().split("_")[0].split(".")[0] == "pl" else "en"
    return "en"


def say(name: str, /, **values: object) -> str:
    """A sentence in the person's language."""
    text: str = getattr(SENTENCES[name], language())
    return text.format_map(values)
