"""Reports of undeliverable e-mails, in the shapes in which servers write them."""

from __future__ import annotations

ADA = "ada@partner.example"
OURS = "<01a206b5.mail@help.example.net>"

RETURNED = f"""\
From: Support <support@help.example.net>
To: {ADA}
Subject: [483-029-1746] Bookings do not arrive
Message-ID: {OURS}
Auto-Submitted: auto-generated

News of your ticket, see https://help.example.net
"""


def dsn(
    *fields: str,
    author: str = "Mail Delivery System <MAILER-DAEMON@mx.partner.example>",
    text: str = "I'm sorry to have to inform you that your message could not be delivered.",
    about: str = "Reporting-MTA: dns; mx.partner.example",
    returned: str = f"Content-Type: message/rfc822\n\n{RETURNED}",
    subject: str = "Undelivered Mail Returned to Sender",
    extra: str = "Auto-Submitted: auto-replied",
) -> bytes:
    """A report as of RFC 3464; each of `fields` is what it says of one recipient."""
    status = "\n\n".join((about, *fields))
    raw = f"""\
From: {author}
To: bounces@help.example.net
Subject: {subject}
{extra}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_1"

--=_1
Content-Type: text/plain; charset=utf-8
Content-Description: Notification

{text}

--=_1
Content-Type: message/delivery-status

{status}

--=_1
{returned}
--=_1--
"""
    return raw.replace("\n", "\r\n").encode()


def plain(text: str, *, author: str = "MAILER-DAEMON@mx.partner.example", extra: str = "X-A: b") -> bytes:
    """A report in words only."""
    raw = f"From: {author}\nTo: bounces@help.example.net\nSubject: failure notice\n{extra}\n\n{text}\n"
    return raw.replace("\n", "\r\n").encode()


def recipient(status: str, action: str = "failed", address: str = ADA, more: str = "") -> str:
    """The fields about one recipient."""
    return f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}" + (
        f"\n{more}" if more else ""
    )


POSTFIX = dsn(
    f"Final-Recipient: rfc822; {ADA}\nOriginal-Recipient: rfc822;{ADA}\nAction: failed\nStatus: 5.1.1\n"
    f"Remote-MTA: dns; mx1.partner.example\nDiagnostic-Code: smtp; 550 5.1.1 <{ADA}>: rejected",
    about=(
        "Reporting-MTA: dns; out.help.example.net\nX-Postfix-Queue-ID: 4B1F\n"
        "X-Postfix-Sender: rfc822; bounces@help.example.net\nArrival-Date: Wed, 25 Nov 2026 10:00:00 +0100"
    ),
    text=f"This is the mail system at host out.help.example.net.\n\n<{ADA}>: host mx1.partner.example said",
)

EXIM = plain(
    f"""This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {ADA}
    host mx1.partner.example [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<{ADA}>:
    550 5.1.1 No such user here

------ This is a copy of the message, including all the headers. ------

Return-path: <bounces@help.example.net>
{RETURNED}""",
    author="Mail Delivery System <Mailer-Daemon@out.help.example.net>",
    extra=f"X-Failed-Recipients: {ADA}\nAuto-Submitted: auto-replied",
)

EXCHANGE = dsn(
    recipient(
        "5.1.10", more="Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found"
    ),
    author=(
        "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@partner.onmicrosoft.example>"
    ),
    about="Reporting-MTA: dns;AM0PR01.prod.outlook.example\nReceived-From-MTA: dns;out.help.example.net",
    subject="Niedostarczalne: [483-029-1746] Bookings do not arrive",
    text=f"Twoja wiadomość do {ADA} nie mogła zostać dostarczona.\nNie znaleziono ada.",
    extra=f"In-Reply-To: {OURS}\nX-MS-Exchange-Message-Is-Ndr:\nContent-Language: pl-PL",
)

GMAIL = dsn(
    f"Final-Recipient: rfc822; {ADA}\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.google.example\n"
    "Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.\n"
    "Last-Attempt-Date: Wed, 25 Nov 2026 01:00:00 -0800 (PST)",
    author="Mail Delivery Subsystem <mailer-daemon@googlemail.example>",
    about=f"Reporting-MTA: dns; googlemail.example\nArrival-Date: Wed, 25 Nov 2026 01:00:00 -0800 (PST)\n"
    f"X-Original-Message-ID: {OURS}",
    text=f"** Nie znaleziono adresu **\n\nWiadomość nie została dostarczona do {ADA}",
    subject="Delivery Status Notification (Failure)",
    extra=f"Auto-Submitted: auto-replied\nX-Failed-Recipients: {ADA}\nIn-Reply-To: {OURS}",
)

YAHOO = plain(
    f"""Sorry, we were unable to deliver your message to the following address.

<{ADA}>:
554: delivery error: dd This user doesn't have a yahoo.com account (ada@partner.example) [0]

--- Below this line is a copy of the message.

{RETURNED}""",
    author="MAILER-DAEMON@yahoo.example",
    extra="X-Yahoo: 1\nSubject: Failure Notice",
)

SES = dsn(
    f"Final-Recipient: rfc822;{ADA}\nDiagnostic-Code: smtp; 550 unknown\nAction: failed\nStatus: 5.1.1",
    author="MAILER-DAEMON@eu-west-1.amazonses.example",
    about="Reporting-MTA: dsn; a4-1.smtp-out.eu-west-1.amazonses.example",
    text=f"An error occurred while trying to deliver the mail to the following recipients:\n{ADA}",
    subject="Delivery Status Notification (Failure)",
    extra="X-SES-Outgoing: 2026.11.25",
)

QMAIL = plain(
    f"""Hi. This is the qmail-send program at out.help.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{ADA}>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 user unknown
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.

Return-Path: <bounces@help.example.net>
{RETURNED}"""
)

SENDMAIL = dsn(
    f"Final-Recipient: RFC822; {ADA}\nAction: failed\nStatus: 5.1.1\nRemote-MTA: DNS; mx1.partner.example\n"
    "Diagnostic-Code: SMTP; 550 5.1.1 User unknown\nLast-Attempt-Date: Wed, 25 Nov 2026 10:00:00 +0100",
    author="Mail Delivery Subsystem <MAILER-DAEMON@out.help.example.net>",
    text=(
        "The original message was received at Wed, 25 Nov 2026 10:00:00 +0100\n\n"
        f"   ----- The following addresses had permanent fatal errors -----\n<{ADA}>\n"
        "    (reason: 550 5.1.1 User unknown)\n\n   ----- Transcript of session follows -----"
    ),
    subject="Returned mail: see transcript for details",
    returned=f"Content-Type: text/rfc822-headers\n\n{RETURNED.partition(chr(10) * 2)[0]}\n",
    extra="Auto-Submitted: auto-generated (failure)",
)

WP = dsn(
    recipient("5.1.1", more="Diagnostic-Code: smtp; 550 5.1.1 Nie ma takiego konta / No such user"),
    author="Serwer poczty WP <MAILER-DAEMON@wp.example>",
    text=f"Przykro nam, ale wiadomość nie dotarła do adresata.\n\n<{ADA}>: nie ma takiego konta",
    subject="Zwrot: wiadomość niedostarczona",
)

O2 = dsn(
    recipient("5.2.2", more="Diagnostic-Code: smtp; 552 5.2.2 Skrzynka jest przepełniona / Mailbox full"),
    author="MAILER-DAEMON@o2.example",
    text="Skrzynka odbiorcy jest przepełniona.",
    subject="Niedostarczona wiadomość",
)

ONET = dsn(
    recipient("5.7.1", more="Diagnostic-Code: smtp; 554 5.7.1 Odrzucono / Message rejected"),
    author="Mail Delivery System <MAILER-DAEMON@onet.example>",
    text="Wiadomość została odrzucona przez serwer odbiorcy.",
)
