"""The e-mails of `samples/`, in the shape in which each client writes, and the new text of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.notify.received.segments import How


@dataclass(frozen=True, slots=True)
class Sample:
    """`samples/<name>.eml`. Each marker in `folded` stands in what is folded away; `text` is exact."""

    name: str
    client: str
    language: str
    style: str
    how: How
    text: str
    folded: tuple[str, ...] = ()


SAMPLES: Final = (
    Sample(
        "gmail-web-en-top",
        client="Gmail web",
        language="en",
        style="top",
        how=How.DELIMITER,
        text=("The new feed works, thank you.\n\nShall we close the ticket?"),
        folded=("##- Please write", "On Tue, 24 Nov", "Reference ID"),
    ),
    Sample(
        "gmail-web-pl-top",
        client="Gmail web",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text=("Dzień dobry,\n\nplik przeszedł, ale ceny są w złej walucie. Proszę o sprawdzenie."),
        folded=("##- Odpowiedź napisz", "wt., 24 lis", "Identyfikator referencyjny"),
    ),
    Sample(
        "gmail-web-pl-html-only",
        client="Gmail web, its plain part taken out by a gateway",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text=("Dzień dobry,\n\nplik przeszedł.\n\n- ceny: w złotych\n- waluta: podana"),
        folded=("##- Odpowiedź napisz", "wt., 24 lis", "Plik oferty"),
    ),
    Sample(
        "gmail-web-pl-inline",
        client="Gmail web",
        language="pl",
        style="between quotes",
        how=How.INLINE,
        text=(
            "> Autor odpowiedzi: Anna Kowalska\n"
            ">\n"
            "> Konto: Acme Clinic\n"
            ">\n"
            "> Dzień dobry,\n"
            ">\n"
            "> Czy waluta jest podana w pliku?\n\n"
            "Tak, w kolumnie G.\n\n"
            "> Od kiedy plik jest odrzucany?\n\n"
            "Od poniedziałku, około 8:00."
        ),
        folded=("##- Odpowiedź napisz", "wt., 24 lis", "Identyfikator referencyjny"),
    ),
    Sample(
        "gmail-web-en-bottom",
        client="Gmail web",
        language="en",
        style="bottom",
        how=How.DELIMITER,
        text=("It happens with every file, see the attached list.\n\nRegards\nAnna"),
        folded=("##- Please write", "wrote:"),
    ),
    Sample(
        "gmail-android-pl-wrapped",
        client="Gmail for Android",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text="Już działa, dzięki!",
        folded=("użytkownik Casetrail", "##- Odpowiedź napisz"),
    ),
    Sample(
        "gmail-web-pl-no-delimiter",
        client="Gmail web, answering an e-mail of a colleague",
        language="pl",
        style="top",
        how=How.ATTRIBUTION,
        text="Tak, to ta sama sprawa co w zeszłym tygodniu.",
        folded=("śr., 18 lis", "Widziałaś"),
    ),
    Sample(
        "gmail-old-pl",
        client="Gmail before 2018",
        language="pl",
        style="top",
        how=How.ATTRIBUTION,
        text="Dziękuję za szybką odpowiedź.",
        folded=("W dniu 24 listopada", "Proszę przysłać plik"),
    ),
    Sample(
        "gmail-signature-en",
        client="Gmail web",
        language="en",
        style="signature",
        how=How.DELIMITER,
        text="Please find the file attached.",
        folded=("+48 22 555", "Acme Clinic", "##- Please write"),
    ),
    Sample(
        "gmail-forward-en",
        client="Gmail web",
        language="en",
        style="forwarded",
        how=How.FORWARDED,
        text=(
            "Is this about our ticket?\n\n"
            "---------- Forwarded message ---------\n"
            "From: Payments <payments@bank.example>\n"
            "Date: Mon, 23 Nov 2026 at 16:20\n"
            "Subject: Your payout is on hold\n"
            "To: <anna.kowalska@acme-clinic.example>\n\n\n"
            "Your payout 88-1207 is on hold because the account holder is missing.\n\n"
            "--\n"
            "Payments team"
        ),
    ),
    Sample(
        "gmail-forward-pl-html-only",
        client="Gmail web",
        language="pl",
        style="forwarded",
        how=How.FORWARDED,
        text=(
            "Przesyłam do wiadomości.\n\n"
            "---------- Forwarded message ---------\n"
            "Od: Bank <wyplaty@bank.example>\n"
            "Date: pon., 23 lis 2026 o 16:20\n"
            "Subject: Wstrzymana wypłata\n"
            "To: <anna.kowalska@acme-clinic.example>\n\n\n"
            "Wypłata 88-1207 została wstrzymana."
        ),
    ),
    Sample(
        "outlook-desktop-en-top",
        client="Outlook for Windows",
        language="en",
        style="top",
        how=How.DELIMITER,
        text=(
            "Hello,\n\n"
            "the merchant ID is 55310. The file is produced at night.\n\n"
            "Best regards,\n"
            "Anna Kowalska"
        ),
        folded=("Sent: Tuesday", "##- Please write", "Reference ID"),
    ),
    Sample(
        "outlook-desktop-pl-top",
        client="Outlook for Windows",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text=("Dzień dobry,\n\nproszę o wydłużenie terminu do piątku.\n\nZ poważaniem\nAnna Kowalska"),
        folded=("Wysłano: wtorek", "##- Odpowiedź napisz"),
    ),
    Sample(
        "outlook-desktop-pl-html-only",
        client="Outlook for Windows",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text=("Dzień dobry,\n\nw załączeniu plik.\n\nPozdrawiam\nAnna"),
        folded=("Wysłano: wtorek", "##- Odpowiedź napisz"),
    ),
    Sample(
        "outlook-2003-pl-original",
        client="Outlook 2003, plain text",
        language="pl",
        style="top",
        how=How.HEADERS,
        text=("Witam,\n\nwaluta jest podana w złotych.\n\nAnna"),
        folded=("Wiadomość oryginalna", "Proszę o podanie waluty"),
    ),
    Sample(
        "outlook-2010-en-original",
        client="Outlook 2010, plain text",
        language="en",
        style="top",
        how=How.HEADERS,
        text="Yes, please go ahead.",
        folded=("Original Message", "May we reset"),
    ),
    Sample(
        "outlook-web-en-top",
        client="Outlook on the web",
        language="en",
        style="top",
        how=How.DELIMITER,
        text="The feed is back. Thanks a lot!",
        folded=("Sent: Tuesday", "##- Please write"),
    ),
    Sample(
        "outlook-web-pl-html-only",
        client="Outlook on the web",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text=("Dzień dobry,\n\nplik jest już poprawny."),
        folded=("Wysłane: wtorek", "##- Odpowiedź napisz"),
    ),
    Sample(
        "outlook-ios-pl",
        client="Outlook for iOS",
        language="pl",
        style="mobile footer",
        how=How.DELIMITER,
        text="Będę przy komputerze po 15.",
        folded=("Outlook dla systemu iOS", "Wysłano: wtorek", "##- Odpowiedź napisz"),
    ),
    Sample(
        "outlook-android-en-html-only",
        client="Outlook for Android",
        language="en",
        style="mobile footer",
        how=How.DELIMITER,
        text="Which column do you mean?",
        folded=("Outlook for Android", "Sent: Tuesday", "##- Please write"),
    ),
    Sample(
        "outlook-mac-en",
        client="Outlook for Mac",
        language="en",
        style="top",
        how=How.DELIMITER,
        text="Same problem on our second account (55311).",
        folded=("Date: Tuesday", "##- Please write"),
    ),
    Sample(
        "outlook-long-recipients-pl",
        client="Outlook for Windows",
        language="pl",
        style="top",
        how=How.HEADERS,
        text="Potwierdzam, wtorek nam pasuje.",
        folded=("Wysłano: poniedziałek", "Czy wtorek pasuje"),
    ),
    Sample(
        "outlook-forward-pl",
        client="Outlook for Windows",
        language="pl",
        style="forwarded",
        how=How.FORWARDED,
        text=(
            "Proszę o informację, czy to dotyczy też nas.\n\n"
            "Anna\n\n"
            "Od: Bank <wyplaty@bank.example>\n"
            "Wysłano: poniedziałek, 23 listopada 2026 16:20\n"
            "Do: Anna Kowalska <anna.kowalska@acme-clinic.example>\n"
            "Temat: Zmiana terminu wypłaty\n\n"
            "Od 1 grudnia wypłaty są we wtorki."
        ),
    ),
    Sample(
        "outlook-forward-en-html-only",
        client="Outlook on the web",
        language="en",
        style="forwarded",
        how=How.FORWARDED,
        text=(
            "See below, what should we do?\n\n"
            "From: Payments <payments@bank.example>\n"
            "Sent: Monday, November 23, 2026 4:20 PM\n"
            "To: Anna Kowalska <anna.kowalska@acme-clinic.example>\n"
            "Subject: Payout on hold\n\n"
            "Your payout 88-1207 is on hold."
        ),
    ),
    Sample(
        "outlook-web-sv",
        client="Outlook on the web",
        language="sv, a language that only the markup tells",
        style="top",
        how=How.MARKUP,
        text="The order number is 4471.",
        folded=("Avsändare", "Which order is it"),
    ),
    Sample(
        "thunderbird-en-bottom-flowed",
        client="Thunderbird",
        language="en",
        style="bottom",
        how=How.DELIMITER,
        text=(
            "The file is generated by our booking system and sent every night at two, so the next run "
            "will show whether it helped."
        ),
        folded=("On 24/11/2026", "##- Please write", "Acme Clinic"),
    ),
    Sample(
        "thunderbird-pl-bottom",
        client="Thunderbird",
        language="pl",
        style="bottom",
        how=How.DELIMITER,
        text="Dziękuję, teraz jest dobrze. Proszę zamknąć zgłoszenie.",
        folded=("pisze:", "##- Odpowiedź napisz"),
    ),
    Sample(
        "thunderbird-pl-inline",
        client="Thunderbird",
        language="pl",
        style="between quotes",
        how=How.INLINE,
        text=(
            "Dzień dobry,\n\n"
            "> Czy plik powstaje w nocy?\n\n"
            "Tak, o drugiej.\n\n"
            "> Ile ma wierszy?\n\n"
            "Około 12 tysięcy.\n\n"
            "> Pozdrawiam\n"
            "> Wsparcie\n\n"
            "Pozdrawiam\n"
            "Anna"
        ),
        folded=("##- Odpowiedź napisz", "pisze:"),
    ),
    Sample(
        "thunderbird-pl-inline-html-only",
        client="Thunderbird",
        language="pl",
        style="between quotes",
        how=How.INLINE,
        text=("> Czy plik powstaje w nocy?\n\nTak, o drugiej.\n\n> Ile ma wierszy?\n\nOkoło 12 tysięcy."),
        folded=("##- Odpowiedź napisz", "pisze:"),
    ),
    Sample(
        "thunderbird-de-top",
        client="Thunderbird",
        language="de",
        style="top",
        how=How.ATTRIBUTION,
        text="Passt, vielen Dank für die schnelle Antwort!",
        folded=("Am 24.11.26", "angekommen"),
    ),
    Sample(
        "thunderbird-forward-pl",
        client="Thunderbird",
        language="pl",
        style="forwarded",
        how=How.FORWARDED,
        text=(
            "Do wglądu.\n\n"
            "-------- Przekazana wiadomość --------\n"
            "Temat: \tZmiana cennika\n"
            "Data: \tMon, 23 Nov 2026 16:20:00 +0100\n"
            "Nadawca: \tBank <wyplaty@bank.example>\n"
            "Adresat: \tAnna <anna.kowalska@acme-clinic.example>\n\n\n\n"
            "Od stycznia opłata wynosi 2%."
        ),
    ),
    Sample(
        "thunderbird-8859-2-pl",
        client="Thunderbird",
        language="pl",
        style="bottom",
        how=How.ATTRIBUTION,
        text="Tak, żółty wskaźnik świeci się od śniadania.",
        folded=("Źródło",),
    ),
    Sample(
        "apple-mail-en-top",
        client="Apple Mail",
        language="en",
        style="top",
        how=How.DELIMITER,
        text=("Thanks, that did it.\n\nAnna"),
        folded=("On 24 Nov", "##- Please write"),
    ),
    Sample(
        "apple-mail-pl-html-only",
        client="Apple Mail",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text=("Dzień dobry,\n\nplik zawiera teraz walutę."),
        folded=("Wiadomość napisana przez", "##- Odpowiedź napisz"),
    ),
    Sample(
        "apple-mail-pl-bottom-no-delimiter",
        client="Apple Mail",
        language="pl",
        style="bottom",
        how=How.ATTRIBUTION,
        text="Tak, od wczoraj.",
        folded=("Wiadomość napisana", "Czy umowa"),
    ),
    Sample(
        "apple-mail-pl-reply-above-unquoted",
        client="Apple Mail, old",
        language="pl",
        style="top",
        how=How.ATTRIBUTION,
        text="Tak, od wczoraj.",
        folded=("Wiadomość napisana", "Czy umowa"),
    ),
    Sample(
        "ios-mail-pl",
        client="Mail on iPhone",
        language="pl",
        style="mobile footer",
        how=How.DELIMITER,
        text="Oddzwonię po południu.",
        folded=("Wysłane z iPhone", "Wiadomość napisana", "##- Odpowiedź napisz"),
    ),
    Sample(
        "ios-mail-pl-html-only",
        client="Mail on iPhone",
        language="pl",
        style="mobile footer",
        how=How.DELIMITER,
        text="Oddzwonię po południu.",
        folded=("Wysłane z iPhone", "napisał(a) w dniu", "##- Odpowiedź napisz"),
    ),
    Sample(
        "ios-mail-en",
        client="Mail on iPhone",
        language="en",
        style="mobile footer",
        how=How.DELIMITER,
        text="Not yet, tomorrow.",
        folded=("Sent from my iPhone", "##- Please write"),
    ),
    Sample(
        "ipad-mail-pl-dnia",
        client="Mail on iPad",
        language="pl",
        style="mobile footer",
        how=How.ATTRIBUTION,
        text="Podpisana.",
        folded=("Wysłane z iPada", "Dnia 24 lis", "Czy umowa"),
    ),
    Sample(
        "apple-mail-forward-pl",
        client="Apple Mail",
        language="pl",
        style="forwarded",
        how=How.FORWARDED,
        text=(
            "Czy możemy coś zrobić?\n\n"
            "> Początek przekazywanej wiadomości:\n"
            ">\n"
            "> Od: Bank <wyplaty@bank.example>\n"
            "> Temat: Wstrzymana wypłata\n"
            "> Data: 23 listopada 2026 o 16:20:00 CET\n"
            "> Do: Anna <anna.kowalska@acme-clinic.example>\n"
            ">\n"
            "> Wypłata 88-1207 została wstrzymana."
        ),
    ),
    Sample(
        "apple-mail-en-file-in-between",
        client="Apple Mail",
        language="en",
        style="a file between two texts",
        how=How.DELIMITER,
        text=("Here is the file:\n\nIt has two columns."),
        folded=("On 24 Nov", "##- Please write"),
    ),
    Sample(
        "yahoo-web-en",
        client="Yahoo Mail",
        language="en",
        style="top",
        how=How.DELIMITER,
        text=("  Hello,\nthe second file was accepted.\nAnna"),
        folded=("On Tuesday, November", "##- Please write"),
    ),
    Sample(
        "yahoo-web-pl-html-only",
        client="Yahoo Mail",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text="Wszystko działa.",
        folded=("W dniu wtorek", "##- Odpowiedź napisz"),
    ),
    Sample(
        "yahoo-android-en",
        client="Yahoo Mail for Android",
        language="en",
        style="mobile footer",
        how=How.DELIMITER,
        text="No, still the same error.",
        folded=("Yahoo Mail: Search", "On Tue, 24 Nov", "Reference ID"),
    ),
    Sample(
        "proton-en",
        client="Proton Mail",
        language="en",
        style="top",
        how=How.DELIMITER,
        text="I have sent the key.",
        folded=("Proton Mail", "November 24th", "##- Please write"),
    ),
    Sample(
        "proton-pl-html-only",
        client="Proton Mail",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text="Klucz wysłany.",
        folded=("Proton Mail", "24 listopada", "##- Odpowiedź napisz"),
    ),
    Sample(
        "wp-pl",
        client="WP Poczta",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text=("Witam,\n\nprzesyłam brakujący plik.\n\nPozdrawiam,\nAnna"),
        folded=("Dnia 24 listopada", "##- Odpowiedź napisz"),
    ),
    Sample(
        "wp-pl-html-only",
        client="WP Poczta",
        language="pl",
        style="top",
        how=How.ATTRIBUTION,
        text="Umowa jest podpisana.",
        folded=("Dnia 24 listopada", "Czy umowa"),
    ),
    Sample(
        "o2-pl",
        client="Poczta o2",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text="Ceny są już w złotych.",
        folded=("Dnia 24 listopada", "##- Odpowiedź napisz"),
    ),
    Sample(
        "o2-old-pl",
        client="go2.pl",
        language="pl",
        style="bottom",
        how=How.HEADERS,
        text="Tak, dotarł dziś rano.",
        folded=("Wiadomość Oryginalna", "Czy plik dotarł"),
    ),
    Sample(
        "onet-pl",
        client="Poczta Onet",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text=("Proszę o telefon.\n\nAnna Kowalska"),
        folded=("użytkownik Casetrail", "##- Odpowiedź napisz"),
    ),
    Sample(
        "interia-pl",
        client="Poczta Interia",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text="Dziękuję, sprawa wyjaśniona.",
        folded=("Wysłane: 10:05", "##- Odpowiedź napisz"),
    ),
    Sample(
        "interia-fm-pl-bottom",
        client="poczta.fm",
        language="pl",
        style="bottom",
        how=How.HEADERS,
        text="Tak, dotarł.",
        folded=("Nadawca:", "Czy plik dotarł"),
    ),
    Sample(
        "samsung-pl",
        client="Samsung Email",
        language="pl",
        style="mobile footer",
        how=How.DELIMITER,
        text="Jutro rano wyślę nowy plik.",
        folded=("telefonu Samsung", "Oryginalna wiadomość", "##- Odpowiedź napisz"),
    ),
    Sample(
        "samsung-en-html-only",
        client="Samsung Email",
        language="en",
        style="mobile footer",
        how=How.DELIMITER,
        text="I will send a new file tomorrow.",
        folded=("Sent from my Galaxy", "Original message", "##- Please write"),
    ),
    Sample(
        "k9-pl",
        client="K-9 Mail",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text="Zgadza się, waluta to PLN.",
        folded=("Dnia 24 listopada", "##- Odpowiedź napisz", "K-9"),
    ),
    Sample(
        "k9-en-signature-first",
        client="K-9 Mail",
        language="en",
        style="mobile footer",
        how=How.DELIMITER,
        text="Correct, the currency is PLN.",
        folded=("Please excuse my brevity", "##- Please write"),
    ),
    Sample(
        "windows-mail-pl",
        client="Poczta (Windows)",
        language="pl",
        style="mobile footer",
        how=How.DELIMITER,
        text="Dziękuję, działa.",
        folded=("dla systemu Windows", "Wysłano: wtorek", "##- Odpowiedź napisz"),
    ),
    Sample(
        "roundcube-pl-bottom",
        client="Roundcube",
        language="pl",
        style="bottom",
        how=How.DELIMITER,
        text=("Potwierdzam odbiór.\n\nAnna Kowalska"),
        folded=("napisał(a):", "##- Odpowiedź napisz"),
    ),
    Sample(
        "roundcube-en-html-top",
        client="Roundcube",
        language="en",
        style="top",
        how=How.DELIMITER,
        text="Received, thank you.",
        folded=("On 2026-11-24", "##- Please write"),
    ),
    Sample(
        "zimbra-en",
        client="Zimbra",
        language="en",
        style="top",
        how=How.HEADERS,
        text="It is 4471.",
        folded=("Original Message", "Which order"),
    ),
    Sample(
        "zimbra-pl-html-only",
        client="Zimbra",
        language="pl",
        style="top",
        how=How.HEADERS,
        text="To jest 4471.",
        folded=("Wysłane: wtorek", "Które to"),
    ),
    Sample(
        "notes-en",
        client="HCL Notes",
        language="en",
        style="top",
        how=How.HEADERS,
        text=("It is 4471.\n\nKind regards\nAnna"),
        folded=("Date:   24.11", "Which order"),
    ),
    Sample(
        "notes-web-pl",
        client="iNotes",
        language="pl",
        style="top",
        how=How.HEADERS,
        text="To jest 4471.",
        folded=("napisał(a): -----", "Które to"),
    ),
    Sample(
        "evolution-pl-bottom",
        client="Evolution",
        language="pl",
        style="bottom",
        how=How.DELIMITER,
        text="Proszę o ponowne uruchomienie importu.",
        folded=("Dnia 2026-11-24", "##- Odpowiedź napisz"),
    ),
    Sample(
        "kmail-pl-top",
        client="KMail",
        language="pl",
        style="top",
        how=How.ATTRIBUTION,
        text="Podpisana wczoraj.",
        folded=("Dnia wtorek", "Czy umowa"),
    ),
    Sample(
        "mutt-en-inline",
        client="mutt",
        language="en",
        style="between quotes",
        how=How.INLINE,
        text=("> Which order is it?\n\n4471, from Monday.\n\n> And the merchant?\n\n55310."),
        folded=("On Tue, Nov 24", "Anna"),
    ),
    Sample(
        "em-client-pl",
        client="eM Client",
        language="pl",
        style="top",
        how=How.HEADERS,
        text=("To jest 4471.\n\nAnna"),
        folded=("Wiadomość oryginalna", "Które to"),
    ),
    Sample(
        "horde-pl",
        client="Horde",
        language="pl",
        style="top",
        how=How.ATTRIBUTION,
        text="To jest 4471.",
        folded=("Cytowanie", "Które to"),
    ),
    Sample(
        "table-and-list-html-only",
        client="a program of the partner",
        language="en",
        style="HTML only",
        how=How.WHOLE,
        text=(
            "Prices\n\n"
            "These rows are rejected:\n\n"
            "Row | Price\n"
            "17 | -1.00\n"
            "18\n\n"
            "1. Row 17 is negative\n"
            "2. Row 18 is empty <https://docs.example/empty>"
        ),
    ),
    Sample(
        "plain-without-quote-pl",
        client="any",
        language="pl",
        style="no quote",
        how=How.WHOLE,
        text=(
            "Dzień dobry,\n\n"
            "Od: poniedziałku nic nie działa. Na stronie pisze:\n\n"
            "> Błąd 500\n"
            "> spróbuj później\n\n"
            "Proszę o pomoc.\n\n"
            "Anna"
        ),
    ),
    Sample(
        "only-quote-en",
        client="Gmail web",
        language="en",
        style="empty",
        how=How.EMPTY,
        text="",
        folded=("##- Please write", "On Tue"),
    ),
    Sample(
        "only-footer-pl",
        client="Mail on iPhone",
        language="pl",
        style="empty",
        how=How.EMPTY,
        text="",
        folded=("Wysłane z iPhone", "##- Odpowiedź napisz"),
    ),
    Sample(
        "nothing-at-all",
        client="any",
        language="en",
        style="empty",
        how=How.EMPTY,
        text="",
    ),
    Sample(
        "postscript-below-signature-en",
        client="Thunderbird",
        language="en",
        style="signature",
        how=How.ATTRIBUTION,
        text=("It is 4471.\n\nPS: I am away on Friday."),
        folded=("Acme Clinic", "Which order"),
    ),
    Sample(
        "delimiter-wrapped-pl",
        client="a gateway that wraps lines",
        language="pl",
        style="top",
        how=How.DELIMITER,
        text="Tak, proszę.",
        folded=("##- Odpowiedź", "zgłoszenie?"),
    ),
    Sample(
        "delimiter-unknown-language-no-prefix",
        client="a client in Icelandic",
        language="is",
        style="top",
        how=How.DELIMITER,
        text="Yes, please.",
        folded=("Þann", "Shall we close"),
    ),
    Sample(
        "quoted-with-typed-delimiter-mention",
        client="any",
        language="en",
        style="no quote",
        how=How.WHOLE,
        text=(
            'What is the line "##- Please write your answer above this line -##" for?\nMay I write below it?'
        ),
    ),
    Sample(
        "calendar-reply-pl",
        client="Outlook for Windows",
        language="pl",
        style="answer to an invitation",
        how=How.WHOLE,
        text="Będę o 10.",
    ),
    Sample(
        "winmail-dat-en",
        client="Outlook for Windows through Exchange",
        language="en",
        style="winmail.dat",
        how=How.WHOLE,
        text=("The file is attached.\n\nAnna"),
    ),
    Sample(
        "forwarded-as-attachment-pl",
        client="Thunderbird",
        language="pl",
        style="e-mail attached",
        how=How.WHOLE,
        text="W załączniku wiadomość od banku.",
    ),
    Sample(
        "smime-signed-pl",
        client="Thunderbird",
        language="pl",
        style="signed (S/MIME)",
        how=How.ATTRIBUTION,
        text="Podpisuję się pod tym.",
        folded=("Zgoda?",),
    ),
    Sample(
        "pgp-signed-en",
        client="Thunderbird",
        language="en",
        style="signed (PGP/MIME)",
        how=How.ATTRIBUTION,
        text="It is 4471.",
        folded=("Which order",),
    ),
    Sample(
        "pgp-encrypted",
        client="Thunderbird",
        language="en",
        style="encrypted (PGP/MIME)",
        how=How.EMPTY,
        text="",
    ),
    Sample(
        "smime-encrypted",
        client="Outlook for Windows",
        language="en",
        style="encrypted (S/MIME)",
        how=How.EMPTY,
        text="",
    ),
    Sample(
        "windows-1250-called-iso-8859-2",
        client="Outlook Express",
        language="pl",
        style="wrong character set",
        how=How.WHOLE,
        text="„Źródło” ścieżki jest złe – proszę o pomoc.",
    ),
    Sample(
        "windows-1250-undeclared",
        client="a script",
        language="pl",
        style="no character set",
        how=How.WHOLE,
        text="Źle działa ścieżka żądań, proszę sprawdzić.",
    ),
    Sample(
        "iso-8859-2-called-us-ascii",
        client="a script",
        language="pl",
        style="wrong character set",
        how=How.WHOLE,
        text="Źle działa ścieżka żądań, proszę sprawdzić.",
    ),
    Sample(
        "utf-8-called-iso-8859-1",
        client="a script",
        language="pl",
        style="wrong character set",
        how=How.WHOLE,
        text="Zażółć gęślą jaźń.",
    ),
    Sample(
        "windows-1250-called-iso-8859-1",
        client="an old web mail",
        language="pl",
        style="wrong character set",
        how=How.WHOLE,
        text="Proszę o wyjaśnienie, dlaczego płatność się nie powiodła.",
    ),
    Sample(
        "utf-16-html",
        client="Outlook, saved and sent again",
        language="pl",
        style="UTF-16",
        how=How.WHOLE,
        text="Zażółć gęślą jaźń.",
    ),
    Sample(
        "base64-damaged",
        client="a gateway",
        language="pl",
        style="damaged base64",
        how=How.WHOLE,
        text="Pierwsza linia, druga linia i trzeci",
    ),
    Sample(
        "quoted-printable-damaged",
        client="a gateway",
        language="pl",
        style="damaged quoted-printable",
        how=How.WHOLE,
        text="Cena: 5=ZZ złote, czyli mało, 100",
    ),
    Sample(
        "boundary-never-closed",
        client="a mail cut on the way",
        language="en",
        style="malformed",
        how=How.WHOLE,
        text="It is 4471.",
    ),
    Sample(
        "no-empty-line-after-headers",
        client="a script",
        language="en",
        style="malformed",
        how=How.WHOLE,
        text=("It is 4471, sent on Monday.\nSecond line"),
    ),
    Sample(
        "boundary-that-never-occurs",
        client="a script",
        language="en",
        style="malformed",
        how=How.WHOLE,
        text="It is 4471.",
    ),
    Sample(
        "binary-nulls",
        client="a script",
        language="en",
        style="malformed",
        how=How.WHOLE,
        text="It is 4471.\ufffd",
    ),
    Sample(
        "headers-that-crash-parsers",
        client="a fuzzer",
        language="en",
        style="malformed",
        how=How.WHOLE,
        text="It is 4471.",
    ),
    Sample(
        "gmail-ios-en",
        client="Gmail for iPhone",
        language="en",
        style="top",
        how=How.DELIMITER,
        text="Great, thanks!",
        folded=("##- Please write", "On Tue, Nov 24"),
    ),
    Sample(
        "outlook-de",
        client="Outlook für Windows",
        language="de",
        style="top",
        how=How.HEADERS,
        text=("Hallo,\n\ndie Datei ist jetzt da.\n\nViele Grüße\nAnna"),
        folded=("Gesendet", "Ist die Datei"),
    ),
    Sample(
        "huawei-pl",
        client="Huawei Email",
        language="pl",
        style="mobile footer",
        how=How.HEADERS,
        text="Sprawdzę wieczorem.",
        folded=("Huawei", "Czy plik"),
    ),
    Sample(
        "samsung-old-pl",
        client="Samsung (old)",
        language="pl",
        style="mobile footer",
        how=How.HEADERS,
        text="Tak.",
        folded=("urządzenia Samsung", "Czy plik"),
    ),
    Sample(
        "thunderbird-en-us",
        client="Thunderbird",
        language="en",
        style="bottom with greeting above",
        how=How.ATTRIBUTION,
        text=("Hi Jan,\n\n4471, of merchant 55310.\n\nAnna"),
        folded=("On 11/24/26", "Which order"),
    ),
    Sample(
        "apple-mail-en-inline",
        client="Apple Mail",
        language="en",
        style="between quotes",
        how=How.INLINE,
        text=("Hi Jan\n\n> Which order is it?\n\n4471\n\n> When was it placed?\n\nOn Monday.\n\nAnna"),
        folded=("On 24 Nov",),
    ),
    Sample(
        "outlook-forward-fw-apple",
        client="iPhone, forwarding",
        language="en",
        style="forwarded",
        how=How.FORWARDED,
        text=(
            "What is this?\n\n"
            "Begin forwarded message:\n\n"
            "> From: Bank <payout@bank.example>\n"
            "> Date: 23 November 2026 at 16:20:00 CET\n"
            "> To: anna.kowalska@acme-clinic.example\n"
            "> Subject: Payout\n"
            ">\n"
            "> Your payout is on hold."
        ),
        folded=("Sent from my iPhone",),
    ),
    Sample(
        "owa-pl-quoted-conversation",
        client="Outlook on the web",
        language="pl",
        style="top, long conversation",
        how=How.HEADERS,
        text=("Tak, działa.\n\nPozdrawiam,\nAnna"),
        folded=("Czy działa?", "Nie działa"),
    ),
    Sample(
        "zoho-html",
        client="Zoho Mail",
        language="en",
        style="top, HTML only",
        how=How.ATTRIBUTION,
        text="It is 4471.",
        folded=("On Tue, 24 Nov", "Which order"),
    ),
    Sample(
        "fastmail-html",
        client="Fastmail",
        language="en",
        style="top",
        how=How.ATTRIBUTION,
        text="It is 4471.",
        folded=("On Tue, Nov 24", "Which order"),
    ),
    Sample(
        "spark-pl",
        client="Spark",
        language="pl",
        style="top, HTML only",
        how=How.ATTRIBUTION,
        text="Podpisana.",
        folded=("W dniu 24 lis", "Czy umowa"),
    ),
    Sample(
        "tutanota-pl",
        client="Tuta",
        language="pl",
        style="top, HTML only",
        how=How.ATTRIBUTION,
        text="Podpisana.",
        folded=("24 lis 2026", "Czy umowa", "Tuta Mail"),
    ),
    Sample(
        "wp-mobile-pl",
        client="WP Poczta (phone)",
        language="pl",
        style="mobile footer, HTML only",
        how=How.ATTRIBUTION,
        text="Plik dotarł.",
        folded=("WP Poczta", "Czy plik"),
    ),
    Sample(
        "blackberry-en",
        client="BlackBerry",
        language="en",
        style="mobile footer",
        how=How.HEADERS,
        text="4471",
        folded=("BlackBerry", "Which order"),
    ),
    Sample(
        "outlook-pl-html-inline-blue",
        client="Outlook for Windows",
        language="pl",
        style="a table in the new text, HTML only",
        how=How.HEADERS,
        text=("Dzień dobry,\n\nceny są takie:\n\nUsługa | Cena\nWizyta | 120 zł\n\nPozdrawiam"),
        folded=("Jakie są ceny",),
    ),
    Sample(
        "gmail-pl-kobieta",
        client="Gmail web",
        language="pl",
        style="top",
        how=How.ATTRIBUTION,
        text="Podpisana.",
        folded=("niedz., 22", "Czy umowa"),
    ),
    Sample(
        "gmail-middle-answer-en",
        client="Gmail web",
        language="en",
        style="an answer amid one quote",
        how=How.INLINE,
        text=("> Which currency is used?\n\nPolish zloty everywhere."),
        folded=("##- Please write", "Regards"),
    ),
    Sample(
        "mail-ru-en",
        client="Mail.ru",
        language="en",
        style="top",
        how=How.ATTRIBUTION,
        text="It is 4471.",
        folded=("24 November", "Which order"),
    ),
    Sample(
        "gmx-de",
        client="GMX",
        language="de",
        style="top, HTML only",
        how=How.ATTRIBUTION,
        text="Die Datei ist da.",
        folded=("Gesendet", "Ist die Datei"),
    ),
    Sample(
        "pine-en",
        client="Alpine",
        language="en",
        style="bottom",
        how=How.ATTRIBUTION,
        text="It is 4471.",
        folded=("On Tue, 24", "Which order"),
    ),
    Sample(
        "two-answers-top-and-bottom-pl",
        client="Thunderbird",
        language="pl",
        style="above and below",
        how=How.ATTRIBUTION,
        text=("Dzień dobry,\n\npodpisana, w załączniku."),
        folded=("Czy umowa", "Acme Clinic"),
    ),
    Sample(
        "exchange-external-banner-en",
        client="Outlook for Windows, with a notice on top of what is answered",
        language="en",
        style="top",
        how=How.DELIMITER,
        text="The ID is 55310.",
        folded=("CAUTION", "##- Please write"),
    ),
    Sample(
        "apple-watch-en",
        client="Mail on Apple Watch",
        language="en",
        style="mobile footer",
        how=How.DELIMITER,
        text="OK",
        folded=("Apple Watch", "##- Please write"),
    ),
    Sample(
        "poczta-home-pl",
        client="poczta home.pl",
        language="pl",
        style="top",
        how=How.ATTRIBUTION,
        text="Plik dotarł.",
        folded=("24 lis 2026", "Czy plik"),
    ),
    Sample(
        "outlook-pl-dw-only-names",
        client="Outlook for Windows",
        language="pl",
        style="top, names without addresses",
        how=How.HEADERS,
        text="Wysłałam ponownie.",
        folded=("Cc: Casetrail", "Proszę wysłać"),
    ),
)

UNSOLVED: Final = (
    Sample(
        "the-bat-pl",
        client="The Bat!",
        language="pl",
        style="lines marked with initials are not seen as quoted",
        how=How.ATTRIBUTION,
        text=("Witam,\n\nto jest 4471."),
        folded=("napisano:", "Które to"),
    ),
    Sample(
        "outlook-inline-pl",
        client="Outlook for Windows",
        language="pl",
        style="an answer written into an original without marks, when it is not known what was sent",
        how=How.INLINE,
        text=(
            "Odpowiedzi poniżej.\n\n"
            "> Które to zamówienie?\n\n"
            "[AK] To jest 4471.\n\n"
            "> Kiedy je złożono?\n\n"
            "[AK] W poniedziałek."
        ),
        folded=("Wysłano:",),
    ),
    Sample(
        "signature-without-mark-pl",
        client="any",
        language="pl",
        style="a signature without a mark is kept",
        how=How.ATTRIBUTION,
        text=("Umowa jest podpisana.\n\nZ poważaniem\nAnna Kowalska"),
        folded=("Dyrektor", "Czy umowa"),
    ),
    Sample(
        "disclaimer-en",
        client="a gateway",
        language="en",
        style="a notice of confidentiality is kept",
        how=How.ATTRIBUTION,
        text="It is 4471.",
        folded=("confidential", "Which order"),
    ),
    Sample(
        "answer-in-a-quoted-line-en",
        client="a phone",
        language="en",
        style="an answer typed at the end of a quoted line is folded with it",
        how=How.INLINE,
        text="> Which order is it? 4471",
        folded=("On 24/11",),
    ),
    Sample(
        "attribution-in-an-unknown-language",
        client="a client in Icelandic, plain text only",
        language="is",
        style="an original without marks below a line in an unknown language",
        how=How.ATTRIBUTION,
        text="It is 4471.",
        folded=("Þann", "Which order"),
    ),
    Sample(
        "pgp-in-the-text-en",
        client="a script",
        language="en",
        style="the lines of a PGP signature within the text are kept",
        how=How.WHOLE,
        text="It is 4471.",
        folded=("BEGIN PGP SIGNATURE",),
    ),
)
"""What is wanted and not done; `style` says why."""
