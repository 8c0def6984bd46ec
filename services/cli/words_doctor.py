"""What `casetrail doctor` says: what is, and under `..._fix` what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from contracts.wording import Wording

DOCTOR: Final[Mapping[str, Wording]] = {
    "doctor_fine": Wording("fine", "dobrze"),
    "doctor_problem": Wording("PROBLEM", "PROBLEM"),
    "doctor_unseen": Wording("unseen", "nie widać"),
    "doctor_well": Wording("Nothing is wrong.", "Wszystko w porządku."),
    "doctor_sum": Wording("Problems: {n}.", "Problemy: {n}."),
    # NATS and the log
    "doctor_nats": Wording("NATS cannot be reached: {reason}", "Nie można połączyć się z NATS: {reason}"),
    "doctor_nats_fix": Wording(
        "Is it running, is CASETRAIL_NATS_URL its address, does CASETRAIL_NATS_CREDS name the file of `cli`?",
        "Czy działa, czy CASETRAIL_NATS_URL to jego adres, czy CASETRAIL_NATS_CREDS wskazuje plik `cli`?",
    ),
    "doctor_nats_fine": Wording("NATS answers at {url}", "NATS odpowiada pod {url}"),
    "doctor_server": Wording("nats-server {version}", "nats-server {version}"),
    "doctor_server_old": Wording(
        "nats-server {version} is too old: {oldest} is the oldest that will do",
        "nats-server {version} jest za stary: najstarszy odpowiedni to {oldest}",
    ),
    "doctor_server_old_fix": Wording(
        "Upgrade NATS, one server after the other.", "Zaktualizuj NATS, serwer po serwerze."
    ),
    "doctor_jetstream": Wording("JetStream is on", "JetStream jest włączony"),
    "doctor_no_jetstream": Wording(
        "JetStream does not answer: {reason}", "JetStream nie odpowiada: {reason}"
    ),
    "doctor_no_jetstream_fix": Wording(
        "Is it enabled on the servers, do most of them run, and does `auth.conf` there come from "
        "`casetrail credentials init` of this version? Else: `casetrail credentials push`.",
        "Czy jest włączony na serwerach, czy większość z nich działa i czy `auth.conf` pochodzi z "
        "`casetrail credentials init` tej wersji? Jeśli nie: `casetrail credentials push`.",
    ),
    "doctor_clock_fine": Wording("the clocks agree", "zegary są zgodne"),
    "doctor_clock_unknown": Wording("the server tells no time", "serwer nie podaje czasu"),
    "doctor_clock": Wording(
        "this clock and that of the NATS server are {seconds} s apart",
        "ten zegar i zegar serwera NATS różnią się o {seconds} s",
    ),
    "doctor_clock_fix": Wording(
        "Have both machines follow a time server (chrony, systemd-timesyncd).",
        "Zsynchronizuj oba komputery z serwerem czasu (chrony, systemd-timesyncd).",
    ),
    "doctor_account_full": Wording(
        "of the {what} that the NATS account may use, {used} of {limit} bytes are used",
        "z limitu konta NATS ({what}) użyto {used} z {limit} bajtów",
    ),
    "doctor_account_full_fix": Wording(
        "Raise the limit of the account; nothing of the log can be deleted.",
        "Podnieś limit konta; z dziennika nic nie można usunąć.",
    ),
    "doctor_restoring": Wording(
        "a restore was begun and has not ended", "przywracanie rozpoczęto i nie zakończono"
    ),
    "doctor_restoring_fix": Wording(
        "Run `casetrail restore` again; until then what is there is not whole.",
        "Uruchom ponownie `casetrail restore`; do tego czasu dane nie są kompletne.",
    ),
    "doctor_streams": Wording("all {count} streams are there", "są wszystkie strumienie ({count})"),
    "doctor_stream_missing": Wording("the stream {stream} is missing", "brakuje strumienia {stream}"),
    "doctor_stream_missing_fix": Wording(
        "`casetrail setup` makes what is missing. If it was there before: do not, and restore a backup.",
        "`casetrail setup` utworzy brakujące. Jeśli strumień był: nie rób tego, przywróć kopię zapasową.",
    ),
    "doctor_stream_differs": Wording("{what}", "{what}"),
    "doctor_stream_differs_fix": Wording(
        "Somebody changed it, or it is of another version. Change it back with `nats stream edit`, "
        "as the administrator of NATS.",
        "Ktoś to zmienił albo pochodzi z innej wersji. Przywróć przez `nats stream edit` "
        "jako administrator NATS.",
    ),
    "doctor_no_leader": Wording(
        "{stream} has no leader: nothing can be written", "{stream} nie ma lidera: nie można nic zapisać"
    ),
    "doctor_no_leader_fix": Wording(
        "More than half of its servers must run: start those that do not.",
        "Musi działać ponad połowa jego serwerów: uruchom pozostałe.",
    ),
    "doctor_replica_offline": Wording(
        "{stream}: the copy on {server} is offline", "{stream}: kopia na {server} jest niedostępna"
    ),
    "doctor_replica_offline_fix": Wording(
        "Start that server; one more failure and nothing can be written.",
        "Uruchom ten serwer; przy kolejnej awarii nie będzie można nic zapisać.",
    ),
    "doctor_replica_lags": Wording(
        "{stream}: the copy on {server} is {lag} messages behind",
        "{stream}: kopia na {server} jest opóźniona o {lag} wiadomości",
    ),
    "doctor_replica_lags_fix": Wording(
        "It catches up by itself. If it does not: look at that server's disk and network.",
        "Nadrobi sama. Jeśli nie: sprawdź dysk i sieć tego serwera.",
    ),
    "doctor_stream_full": Wording("{stream} is {percent} % full", "{stream} jest zapełniony w {percent} %"),
    "doctor_stream_full_fix": Wording(
        "It empties by itself with time. Who fills it? `casetrail events` and the services' logs tell.",
        "Z czasem opróżni się sam. Kto go zapełnia? Powiedzą `casetrail events` i logi usług.",
    ),
    # those who work through the log
    "doctor_consumers": Wording(
        "all {count} subscribers get on with their work", "wszyscy subskrybenci ({count}) pracują"
    ),
    "no_such_service": Wording(
        "there is no service {service}; there are {services}", "nie ma usługi {service}; są: {services}"
    ),
    "doctor_consumer_missing": Wording(
        "{stream} has no consumer {consumer}: nobody handles these events",
        "{stream} nie ma konsumenta {consumer}: nikt nie obsługuje tych zdarzeń",
    ),
    "doctor_consumer_missing_fix": Wording(
        "Start the service that it is named after: it makes it. None is lost: it begins where it has to.",
        "Uruchom usługę, od której ma nazwę: utworzy go. Nic nie ginie: zacznie tam, gdzie trzeba.",
    ),
    "doctor_nobody_takes": Wording(
        "{consumer} on {stream}: {pending} events wait, and nobody takes them",
        "{consumer} na {stream}: {pending} zdarzeń czeka i nikt ich nie odbiera",
    ),
    "doctor_nobody_takes_fix": Wording(
        "Start the service that it is named after.", "Uruchom usługę, od której ma nazwę."
    ),
    "doctor_redelivers": Wording(
        "{consumer} on {stream}: {times} events failed and are tried again",
        "{consumer} na {stream}: {times} zdarzeń nie udało się obsłużyć, będą ponowione",
    ),
    "doctor_redelivers_fix": Wording(
        "The service's log says why (`event.failed`). What keeps failing becomes a dead letter.",
        "Log usługi mówi dlaczego (`event.failed`). Co wciąż się nie udaje, trafi do martwych listów.",
    ),
    "doctor_stalls": Wording(
        "{consumer} on {stream}: {pending} events wait, and none was done in two seconds",
        "{consumer} na {stream}: {pending} zdarzeń czeka i żadne nie zostało obsłużone w dwie sekundy",
    ),
    "doctor_stalls_fix": Wording(
        "Look at the log of the service that it is named after; a restart is safe.",
        "Sprawdź log usługi, od której ma nazwę; restart jest bezpieczny.",
    ),
    "doctor_lags": Wording(
        "{consumer} on {stream}: {pending} events wait",
        "{consumer} na {stream}: {pending} zdarzeń czeka",
    ),
    "doctor_lags_fix": Wording(
        "It catches up by itself. If that takes too long: more processes of the service.",
        "Nadrobi sam. Jeśli trwa to za długo: więcej procesów usługi.",
    ),
    "doctor_dead_letters": Wording(
        "{count} events were given up (dead letters)", "porzucone zdarzenia (martwe listy): {count}"
    ),
    "doctor_dead_letters_fix": Wording(
        "`casetrail dead list` says which and why; when the fault is mended, `casetrail dead retry`.",
        "`casetrail dead list` powie które i dlaczego; po usunięciu usterki `casetrail dead retry`.",
    ),
    "doctor_no_dead_letters": Wording("no event was given up", "żadne zdarzenie nie zostało porzucone"),
    "doctor_dead_unreadable": Wording(
        "dead letters cannot be read: {reason}", "nie można odczytać martwych listów: {reason}"
    ),
    "doctor_dead_unreadable_fix": Wording("Use the credentials of `cli`.", "Użyj danych logowania `cli`."),
    # the services
    "doctor_service": Wording(
        "{service} {version}: {count} answer", "{service} {version}: odpowiada {count}"
    ),
    "doctor_service_missing": Wording("{service} does not answer", "{service} nie odpowiada"),
    "doctor_service_missing_fix": Wording(
        "Start it: `casetrail serve {service}`. If it runs: its `/readyz` says what it waits for.",
        "Uruchom: `casetrail serve {service}`. Jeśli działa, jej `/readyz` powie, na co czeka.",
    ),
    "doctor_versions_differ": Wording(
        "{service} runs in different versions: {versions}", "{service} działa w różnych wersjach: {versions}"
    ),
    "doctor_versions_differ_fix": Wording(
        "During an upgrade that is so for a while. Afterwards: restart the older ones.",
        "Podczas aktualizacji przez chwilę tak bywa. Potem: uruchom ponownie starsze.",
    ),
    "doctor_version_other": Wording(
        "{service} is {version}, this command {own}", "{service} ma wersję {version}, to polecenie {own}"
    ),
    "doctor_version_other_fix": Wording("Upgrade the older of both.", "Zaktualizuj starsze z nich."),
    "doctor_not_ready": Wording("{service} is not ready: {reason}", "{service} nie jest gotowa: {reason}"),
    "doctor_not_ready_fix": Wording(
        "It becomes ready by itself when the reason is gone; its log says more.",
        "Będzie gotowa, gdy przyczyna zniknie; więcej w jej logu.",
    ),
    "doctor_readiness": Wording("{count} processes were asked by /readyz", "zapytano /readyz: {count}"),
    "doctor_dead_mails": Wording("{count} e-mails were given up", "porzucone e-maile: {count}"),
    "doctor_dead_mails_fix": Wording(
        "`casetrail mail dead list` says why; `casetrail mail dead retry` sends them again.",
        "`casetrail mail dead list` powie dlaczego; `casetrail mail dead retry` wyśle je ponownie.",
    ),
    "doctor_no_dead_mails": Wording("no e-mail was given up", "żaden e-mail nie został porzucony"),
    "doctor_mails_unseen": Wording("e-mails that were given up: {reason}", "porzucone e-maile: {reason}"),
    # around
    "doctor_creds": Wording(
        "no credentials expire within two weeks ({count} looked at)",
        "żadne dane logowania nie wygasają w ciągu dwóch tygodni (sprawdzono {count})",
    ),
    "doctor_creds_expire": Wording("{file} expires in {days} days", "{file} wygasa za {days} dni"),
    "doctor_creds_expire_fix": Wording(
        "`casetrail credentials rotate`, and hand the new file out.",
        "`casetrail credentials rotate`, a potem przekaż nowy plik.",
    ),
    "doctor_creds_expired": Wording("{file} has expired", "{file}: dane logowania wygasły"),
    "doctor_creds_expired_fix": Wording(
        "`casetrail credentials rotate`, and hand the new file out.",
        "`casetrail credentials rotate`, a potem przekaż nowy plik.",
    ),
    "doctor_creds_unreadable": Wording(
        "{file} is no credentials file, or cannot be read", "{file} to nie plik z danymi logowania"
    ),
    "doctor_creds_unreadable_fix": Wording(
        "`casetrail credentials init` makes those that are missing.",
        "`casetrail credentials init` utworzy brakujące.",
    ),
    "doctor_sync": Wording(
        "{url} syncs every write: what is acknowledged is on disk",
        "{url} zapisuje na dysk od razu: co potwierdzone, jest na dysku",
    ),
    "doctor_sync_off": Wording(
        "{url} syncs only every {seconds:g} s: a power failure loses what was acknowledged",
        "{url} zapisuje na dysk co {seconds:g} s: przy awarii zasilania zginie to, co potwierdzone",
    ),
    "doctor_sync_off_fix": Wording(
        "Set `sync_interval: always` under `jetstream` in its configuration, and restart it.",
        "Ustaw `sync_interval: always` w sekcji `jetstream` jego konfiguracji i uruchom go ponownie.",
    ),
    "doctor_sync_unseen": Wording(
        "whether NATS syncs every write: only its monitoring tells (--monitor http://nats:8222)",
        "czy NATS zapisuje od razu na dysk: powie tylko jego monitoring (--monitor http://nats:8222)",
    ),
    "doctor_monitor": Wording("{url} does not answer: {reason}", "{url} nie odpowiada: {reason}"),
    "doctor_monitor_fix": Wording(
        "Set `http: 8222` on the server, and reach it from here, by a port-forward if need be.",
        "Ustaw `http: 8222` na serwerze i zapewnij do niego dostęp, w razie potrzeby przez port-forward.",
    ),
    "doctor_server_without_jetstream": Wording(
        "{url} is a server without JetStream", "{url} to serwer bez JetStream"
    ),
    "doctor_server_without_jetstream_fix": Wording(
        "Enable `jetstream` in its configuration.", "Włącz `jetstream` w jego konfiguracji."
    ),
    "doctor_disk_full": Wording(
        "{url}: {percent} % of its JetStream {what} is used", "{url}: użyto {percent} % ({what}) JetStream"
    ),
    "doctor_disk_full_fix": Wording(
        "Enlarge the volume and `max_file_store` (or the memory) before it is full: then nothing is written.",
        "Powiększ wolumen i `max_file_store` (albo pamięć), zanim się zapełni: potem nic nie zapisze.",
    ),
    "doctor_smtp": Wording(
        "the mail server {host}:{port} does not answer: {reason}",
        "serwer poczty {host}:{port} nie odpowiada: {reason}",
    ),
    "doctor_smtp_fix": Wording(
        "E-mails wait meanwhile, nothing is lost. Is the address right, does a firewall stand between?",
        "E-maile czekają, nic nie ginie. Czy adres jest dobry, czy nie blokuje zapora?",
    ),
    "doctor_smtp_fine": Wording(
        "the mail server {host}:{port} greets", "serwer poczty {host}:{port} odpowiada"
    ),
    "doctor_smtp_unseen": Wording(
        "the mail server: CASETRAIL_SMTP_HOST is not set here",
        "serwer poczty: CASETRAIL_SMTP_HOST nie jest tu ustawione",
    ),
    "doctor_oidc": Wording(
        "the identity provider {issuer} does not answer as it should: {reason}",
        "dostawca tożsamości {issuer} nie odpowiada, jak powinien: {reason}",
    ),
    "doctor_oidc_fix": Wording(
        "Nobody can sign in; who is signed in stays so. CASETRAIL_OIDC_ISSUER is spelled as there.",
        "Nikt się nie zaloguje; zalogowani pozostają. CASETRAIL_OIDC_ISSUER musi brzmieć jak tam.",
    ),
    "doctor_oidc_fine": Wording(
        "the identity provider {issuer} answers", "dostawca tożsamości {issuer} odpowiada"
    ),
    "doctor_oidc_unseen": Wording(
        "the identity provider: CASETRAIL_OIDC_ISSUER is not set here",
        "dostawca tożsamości: CASETRAIL_OIDC_ISSUER nie jest tu ustawione",
    ),
}
