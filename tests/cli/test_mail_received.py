"""Answers from the inbox, and the command line's view of what came in: a running system, all of it real."""

from __future__ import annotations

import re
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import JAN, OLA, Casetrail, System, eventually
from tests.cli.test_mail import arrived, opened, sent


def listener(system: System) -> int:
    """The port that e-mails come in at, as the log of `up` names it."""
    said = (system.data.parent / "up.log").read_text()
    ports = re.findall(r"mail\.listening\s+.*?port=([0-9]+)", re.sub(r"\x1b\[[0-9;]*m", "", said))
    return int(ports[-1])


def hand_over(system: System, message: EmailMessage, recipient: str) -> str:
    """The id under which the e-mail was kept."""
    with smtplib.SMTP("127.0.0.1", listener(system)) as client:
        client.ehlo()
        client.mail(message["From"])
        client.rcpt(recipient)
        code, words = client.data(bytes(message))
    assert code == 250, words
    return words.decode().rpartition(" ")[2]


def written(text: str, *, sender: str, recipient: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, "Re: your mail"
    message["Message-ID"] = f"<{abs(hash((text, sender, recipient)))}@mail.example>"
    message.set_content(text)
    return message


def became(casetrail: Casetrail, received: str) -> Any:
    """The summary of an e-mail, once it was handled."""
    found: list[Any] = []

    def is_handled() -> bool:
        shown = casetrail("mail", "received", "show", received, "--json")
        found[:] = [shown.object["mail"]] if shown.code == 0 else []
        return bool(found) and "outcome" in found[0]

    eventually(is_handled, "the e-mail is handled")
    return found[0]


def test_an_answer_from_the_inbox_becomes_a_reply(
    system: System, casetrail: Casetrail, account: str, tmp_path: Path
) -> None:
    ticket = opened(casetrail, account)
    sent(casetrail, ticket)
    told = arrived(system, f"About {account}")
    assert told is not None
    answer = written("From my inbox.", sender=JAN, recipient=str(told["Reply-To"]))
    received = hand_over(system, answer, str(told["Reply-To"]))
    mail = became(casetrail, received)
    assert (mail["outcome"], mail["ticket"], mail["sender"]) == ("replied", ticket, JAN)
    system.has_heard(ticket, 3)
    assert "From my inbox." in casetrail("ticket", "show", ticket, "--as", JAN, "--account", account).out
    shown = casetrail("mail", "received", "show", received)
    for words in ("received", "outcome=replied", "From my inbox.", "Re: your mail"):
        assert words in shown.out
    listed = casetrail("mail", "received", "list", "--ticket", ticket)
    assert received in listed.out
    file = tmp_path / "mail.eml"
    assert casetrail("mail", "received", "get", received, "--out", str(file)).code == 0
    assert b"From my inbox." in file.read_bytes()
    assert casetrail("mail", "received", "get", received, "--out", str(file)).code == 2


def test_what_waits_is_put_on_a_ticket_or_dismissed(
    system: System, casetrail: Casetrail, account: str
) -> None:
    ticket = opened(casetrail, account)
    ids = [
        hand_over(
            system,
            written(
                f"Lost mail {turn} of {account}", sender="x@y.example", recipient="support@casetrail.example"
            ),
            "support@casetrail.example",
        )
        for turn in range(2)
    ]
    for received in ids:
        assert became(casetrail, received)["waits"] is True
    waiting = casetrail("mail", "received", "list", "--waiting", "--limit", "200").out
    assert all(received in waiting for received in ids)
    done = casetrail("mail", "received", "put", ids[0], "--ticket", ticket, "--as", OLA)
    assert done.code == 0, done.err
    system.has_heard(ticket, 3)
    assert f"Lost mail 0 of {account}" in casetrail("ticket", "show", ticket).out
    assert casetrail("mail", "received", "dismiss", ids[1]).code == 0

    def none_waits() -> bool:
        waiting = casetrail("mail", "received", "list", "--waiting", "--limit", "200").out
        return not any(received in waiting for received in ids)

    eventually(none_waits, "both have left the queue")
    again = casetrail("mail", "received", "dismiss", ids[1])
    assert again.code == 3
    assert "already" in again.err


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["list", "--as", JAN], 3),
        (["list", "--outcome", "lost"], 2),
        (["list", "--limit", "0"], 2),
        (["show", "nothing"], 4),
        (["show", "not/an/id"], 2),
        (["get", "nothing"], 4),
        (["put", "nothing", "--ticket", "1", "--as", OLA], 2),
        (["dismiss", "nothing"], 4),
        (["dismiss", "nothing", "--as", JAN], 3),
    ],
)
def test_wrong_input_is_named(casetrail: Casetrail, command: list[str], code: int) -> None:
    done = casetrail("mail", "received", *command)
    assert done.code == code, done.err
    assert done.err
    assert "Traceback" not in done.err
