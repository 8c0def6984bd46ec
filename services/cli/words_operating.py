"""What the command line says about running Casetrail: backup and restore, credentials, `casetrail doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from contracts.wording import Wording

OPERATING: Final[Mapping[str, Wording]] = {
    # backup: what is wrong with one
    "backup_is_none": Wording("{file} is no backup.", "{file} nie jest kopią zapasową."),
    "backup_truncated": Wording(
        "{file} is cut off: it ends within or right after {member}.",
        "{file} jest ucięty: kończy się w trakcie {member} albo zaraz po nim.",
    ),
    "backup_goes_on": Wording(
        "{file} has something behind its end: it was altered.",
        "{file} ma coś za swoim końcem: został zmieniony.",
    ),
    "backup_damaged_after": Wording(
        "{file} is damaged right after {member}.", "{file} jest uszkodzony zaraz za {member}."
    ),
    "backup_twice": Wording("{file} holds {member} twice.", "{file} zawiera {member} dwa razy."),
    "backup_member_missing": Wording("The backup has no {member}.", "W kopii zapasowej brakuje {member}."),
    "backup_member_unknown": Wording(
        "The backup holds {member}, which does not belong into it.",
        "Kopia zapasowa zawiera {member}, które do niej nie należy.",
    ),
    "backup_order": Wording(
        "The backup is out of order: {member} stands where {wanted} belongs.",
        "Kopia zapasowa ma złą kolejność: {member} stoi na miejscu {wanted}.",
    ),
    "backup_altered": Wording(
        "{member} in the backup was altered: its SHA-256 is not the one on record.",
        "{member} w kopii zapasowej zmieniono: SHA-256 nie zgadza się z zapisanym.",
    ),
    "backup_size": Wording(
        "{member} in the backup has {found} bytes, it should have {wanted}.",
        "{member} w kopii zapasowej ma {found} bajtów, powinno mieć {wanted}.",
    ),
    "backup_manifest": Wording(
        "{member} does not describe a backup of Casetrail.",
        "{member} nie opisuje kopii zapasowej Casetrail.",
    ),
    "backup_format": Wording(
        "The backup has the format {found}, this version reads {wanted}.",
        "Kopia zapasowa ma format {found}, ta wersja czyta {wanted}.",
    ),
    "backup_fingerprint": Wording(
        "This is another backup: its fingerprint is {found}, not {wanted}.",
        "To inna kopia zapasowa: jej odcisk to {found}, a nie {wanted}.",
    ),
    "backup_config": Wording(
        "The backup mixes up streams: what it calls {stream} is the snapshot of another one.",
        "Kopia zapasowa miesza strumienie: to, co nazywa {stream}, jest kopią innego.",
    ),
    "backup_not_gzip": Wording(
        "{member} in the backup is no whole gzip file.",
        "{member} w kopii zapasowej nie jest całym plikiem gzip.",
    ),
    "backup_index_line": Wording(
        "{member}, line {line}: no position, time, subject and SHA-256.",
        "{member}, wiersz {line}: to nie pozycja, czas, temat i SHA-256.",
    ),
    "backup_index_order": Wording(
        "{member}, line {line}: position {position} comes after {before}.",
        "{member}, wiersz {line}: pozycja {position} następuje po {before}.",
    ),
    "backup_index_gap": Wording(
        "{member}: position {position} is missing.", "{member}: brakuje pozycji {position}."
    ),
    "backup_index_count": Wording(
        "{member} lists {found} messages up to position {last}; there should be {wanted}, "
        "up to {wanted_last}.",
        "{member} wymienia {found} wiadomości do pozycji {last}; powinno być {wanted}, do {wanted_last}.",
    ),
    # backup: what is in the way
    "backup_is_written": Wording(
        "{file} is being written by another backup.", "{file} jest właśnie zapisywany przez inną kopię."
    ),
    "backup_unreadable": Wording(
        "{stream} could not be read to its end: {reason}. There is no backup; try again.",
        "Nie udało się odczytać {stream} do końca: {reason}. Kopii zapasowej nie ma; spróbuj ponownie.",
    ),
    "backup_gap": Wording(
        "{stream}: position {position} does not come. There is no backup; `casetrail doctor` looks further.",
        "{stream}: pozycja {position} nie nadchodzi. Kopii zapasowej nie ma; "
        "`casetrail doctor` sprawdzi więcej.",
    ),
    "backup_not_written": Wording(
        "The backup could not be written to {file}: {reason}. Nothing of it was left there.",
        "Nie udało się zapisać kopii zapasowej do {file}: {reason}. Nic po niej nie zostało.",
    ),
    "keep_needs_directory": Wording(
        "{file} is no directory; old backups are only removed from one.",
        "{file} nie jest katalogiem; stare kopie usuwa się tylko z katalogu.",
    ),
    "backup_removed": Wording("Removed: {file}", "Usunięto: {file}"),
    "backup_not_read": Wording("{file} cannot be read: {reason}.", "Nie można odczytać {file}: {reason}."),
    # restore
    "restore_no_server": Wording(
        "There is no nats-server here to restore into: {reason}",
        "Nie ma tu serwera NATS, do którego można odtworzyć: {reason}",
    ),
    "restore_where": Wording(
        "Say where to: --data DIR (a new embedded system), CASETRAIL_NATS_URL (a NATS server), "
        "or --check or --rehearse.",
        "Podaj dokąd: --data DIR (nowy system wbudowany), CASETRAIL_NATS_URL (serwer NATS) "
        "albo --check lub --rehearse.",
    ),
    "restore_one_place": Wording(
        "--data, --check and --rehearse exclude one another.", "--data, --check i --rehearse wykluczają się."
    ),
    "restore_data_in_use": Wording(
        "{reason}. A restore needs a directory in which nothing runs.",
        "{reason}. Przywracanie wymaga katalogu, w którym nic nie działa.",
    ),
    "restore_not_empty": Wording(
        "The system is not empty: {stream} holds {messages} messages, up to position {position}. "
        "A backup is restored into an empty one, before its services first start.",
        "System nie jest pusty: {stream} zawiera {messages} wiadomości, do pozycji {position}. "
        "Kopię zapasową przywraca się do pustego, zanim usługi pierwszy raz wystartują.",
    ),
    "restore_written_since": Wording(
        "A restore was interrupted here, and {stream} was written to since (position {position}). "
        "Nothing is cleared away; look at it first.",
        "Przywracanie zostało tu przerwane, a do {stream} coś potem zapisano (pozycja {position}). "
        "Nic nie zostanie usunięte; najpierw to sprawdź.",
    ),
    "restore_older_server": Wording(
        "The backup was made with nats-server {wanted}; {found} is older and may not read it.",
        "Kopię zapasową zrobiono z nats-server {wanted}; {found} jest starszy i może jej nie odczytać.",
    ),
    "restore_failed": Wording(
        "NATS did not take {stream}: {reason}. Nothing was restored.",
        "NATS nie przyjął {stream}: {reason}. Nic nie zostało przywrócone.",
    ),
    "restore_ends": Wording(
        "{stream} ends at position {position} after the restore, it should end at {wanted}. "
        "It was removed again.",
        "{stream} kończy się po przywróceniu na pozycji {position}, a powinien na {wanted}. "
        "Został z powrotem usunięty.",
    ),
    "restore_differs_subject": Wording(
        "{stream}, position {position}: the subject is not the one in the index. It was removed again.",
        "{stream}, pozycja {position}: temat jest inny niż w indeksie. Strumień został z powrotem usunięty.",
    ),
    "restore_differs_time": Wording(
        "{stream}, position {position}: the time is not the one in the index. It was removed again.",
        "{stream}, pozycja {position}: czas jest inny niż w indeksie. Strumień został z powrotem usunięty.",
    ),
    "restore_differs_content": Wording(
        "{stream}, position {position}: the content is not the one in the index. It was removed again.",
        "{stream}, pozycja {position}: treść jest inna niż w indeksie. Strumień został z powrotem usunięty.",
    ),
    "restore_differs_extra": Wording(
        "{stream}, position {position}: the index knows of no such message. It was removed again.",
        "{stream}, pozycja {position}: indeks nie zna takiej wiadomości. "
        "Strumień został z powrotem usunięty.",
    ),
    "restore_differs_missing": Wording(
        "{stream}, position {position}: the message is in the index, and not in the snapshot. "
        "It was removed again.",
        "{stream}, pozycja {position}: wiadomość jest w indeksie, ale nie w kopii. "
        "Strumień został z powrotem usunięty.",
    ),
    # backup and restore: how it went
    "backup_done": Wording(
        "{file} is a whole backup: {messages} messages, {size} bytes.",
        "{file} to cała kopia zapasowa: {messages} wiadomości, {size} bajtów.",
    ),
    "backup_print": Wording(
        "fingerprint {fingerprint}: keep it elsewhere, `casetrail restore --fingerprint` compares it",
        "odcisk {fingerprint}: zachowaj go gdzie indziej, `casetrail restore --fingerprint` go porówna",
    ),
    "restore_checked": Wording(
        "{file} is whole: {messages} messages. Nothing was restored.",
        "{file} jest cały: {messages} wiadomości. Nic nie przywrócono.",
    ),
    "restore_rehearsed": Wording(
        "{file} was restored into a server of its own, compared, and removed: {messages} messages.",
        "{file} przywrócono do osobnego serwera, porównano i usunięto: {messages} wiadomości.",
    ),
    "restore_done": Wording(
        "{file} is restored and compared: {messages} messages. The services can be started.",
        "{file} przywrócono i porównano: {messages} wiadomości. Można uruchomić usługi.",
    ),
    "stream": Wording("stream", "strumień"),
    "messages": Wording("messages", "wiadomości"),
    "positions": Wording("positions", "pozycje"),
    # credentials of our own services
    "keys_made": Wording("made", "utworzono"),
    "keys_kept": Wording("kept", "bez zmian"),
    "keys_outdated": Wording("outdated", "nieaktualne"),
    "keys_to_rotate": Wording(
        "This version gives other permissions: casetrail credentials rotate {users}",
        "Ta wersja daje inne uprawnienia: casetrail credentials rotate {users}",
    ),
    "keys_written": Wording("written", "zapisano"),
    "keys_hint": Wording(
        "{operator} can make any credentials: keep it where no service runs, and in a safe place besides.",
        "{operator} pozwala utworzyć dowolne dane logowania: trzymaj go tam, gdzie nie działa żadna usługa, "
        "i dodatkowo w bezpiecznym miejscu.",
    ),
    "keys_rotated": Wording(
        "{user}: the new credentials are in {file}; those before still work.",
        "{user}: nowe dane logowania są w {file}; poprzednie nadal działają.",
    ),
    "keys_then_retire": Wording(
        "When every process has them: casetrail credentials retire {what}",
        "Gdy każdy proces je ma: casetrail credentials retire {what}",
    ),
    "keys_retired": Wording(
        "{user}: what was replaced before is void ({n}).", "{user}: poprzednie są nieważne ({n})."
    ),
    "keys_none_to_retire": Wording(
        "{user}: nothing was replaced before.", "{user}: nic nie było wcześniej zastąpione."
    ),
    "keys_signing_retired": Wording(
        "{zone}: only what the present key signed is valid.",
        "{zone}: ważne jest tylko to, co podpisał obecny klucz.",
    ),
    "keys_pushed": Wording(
        "The servers know the accounts as they are now.", "Serwery znają konta w obecnej postaci."
    ),
    "keys_not_taken": Wording(
        "It is kept, but no NATS server has taken it: {reason}. Repeat the command.",
        "Zapisano, ale żaden serwer NATS tego nie przyjął: {reason}. Powtórz polecenie.",
    ),
    "keys_where": Wording(
        "Say with --dir where the keys and credentials are kept.",
        "Podaj w --dir, gdzie są klucze i dane logowania.",
    ),
    "keys_zone": Wording("it is SERVICES or OUTSIDE", "to SERVICES albo OUTSIDE"),
    "keys_or_users": Wording(
        "is of all users of an account: name none", "dotyczy wszystkich użytkowników konta: nie podawaj ich"
    ),
    "keys_no_user": Wording("name at least one of {users}", "podaj co najmniej jednego z: {users}"),
    "keys_unknown_user": Wording(
        "there is no user {user}; there is: {users}", "nie ma użytkownika {user}; są: {users}"
    ),
}
