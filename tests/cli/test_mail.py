"""E-mails on the command line: a running system, whose mails arrive in the development mailbox."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from tests.cli.conftest import JAN, OLA, Casetrail, System, eventually


def arrived(system: System, wanted: str) -> EmailMessage | None:
    """A mail in whose subject the words stand."""
    for file in sorted((system.data / "mail").glob("*.eml")):
        message: Any = message_from_bytes(file.read_bytes(), policy=default)
        if wanted in str(message["Subject"]):
            return message  # type: ignore[no-any-return]
    return None


def opened(casetrail: Casetrail, account: str) -> str:
    """A ticket on which Ola has replied, so that Jan gets a mail."""
    ticket = casetrail(
        "ticket", "open", "--account", account, "--title", f"About {account}", "--text", "M", "--as", JAN,
        "--json",
    ).object["number"]  # fmt: skip
    done = casetrail("ticket", "reply", ticket, "--account", account, "--text", "Done.", "--as", OLA)
    assert done.code == 0, done.err
    return str(ticket)


def sent(casetrail: Casetrail, ticket: str) -> Any:
    """The mail about the ticket, once the server has taken it."""
    found: list[Any] = []

    def is_sent() -> bool:
        found[:] = casetrail("mail", "list", "--ticket", ticket, "--json").object["mails"]
        return bool(found) and found[0]["state"] == "sent"

    eventually(is_sent, "the mail is sent")
    return found[0]


def test_a_reply_reaches_the_inbox_and_its_reference_finds_the_ticket(
    system: System, casetrail: Casetrail, account: str
) -> None:
    ticket = opened(casetrail, account)
    mail = sent(casetrail, ticket)
    assert (mail["email"], mail["kind"], mail["account"]) == (JAN, "ticket", account)
    message = arrived(system, f"About {account}")
    assert message is not None
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Done." in text
    assert mail["reference"] in text
    spelled = mail["reference"].replace("-", "").lower()
    found = casetrail("ticket", "lookup", spelled, "--as", JAN, "--account", account, "--json")
    assert [match["ticket"]["number"] for match in found.object["matches"]] == [ticket]
    elsewhere = casetrail("ticket", "lookup", spelled, "--as", JAN, "--account", "acme")
    assert elsewhere.code == 4


def test_the_record_of_a_mail_says_everything(casetrail: Casetrail, account: str) -> None:
    mail = sent(casetrail, opened(casetrail, account))
    shown = casetrail("mail", "show", mail["reference"]).out
    for words in ("queued", "sending attempt=1", "sent attempt=1 code=250", JAN, "Done.", "involved"):
        assert words in shown
    assert casetrail("mail", "show", mail["mail"]).out == shown
    assert casetrail("mail", "show", "R-7K3M-9QX2-81FG").code == 4


def test_a_test_mail_arrives(system: System, casetrail: Casetrail, account: str) -> None:
    done = casetrail("mail", "send-test", f"{account}@acme.example", "--language", "pl", "--json")
    assert done.code == 0, done.err
    assert (done.object["mail"]["state"], done.object["mail"]["code"]) == ("sent", 250)
    assert list((system.data / "mail").glob(f"*{account}@acme.example*"))
    assert casetrail("mail", "send-test", "nobody").code == 2


def test_what_was_not_given_up_is_not_sent_again(casetrail: Casetrail, account: str) -> None:
    mail = sent(casetrail, opened(casetrail, account))
    refused = casetrail("mail", "dead", "retry", mail["mail"])
    assert refused.code == 3
    assert "nothing to send again" in refused.err
    assert casetrail("mail", "dead", "retry", "nowhere").code == 4
    given_up = casetrail("mail", "dead", "list", "--json").object["mails"]
    assert mail["mail"] not in {each["mail"] for each in given_up}


def test_a_partner_sees_no_records_of_mails(casetrail: Casetrail) -> None:
    for command in (["list"], ["show", "R-7K3M-9QX2-81FG"], ["dead", "list"]):
        assert casetrail("mail", *command, "--as", JAN).code == 3


def test_the_link_in_a_mail_ends_mails_and_a_wish_brings_them_back(
    system: System, casetrail: Casetrail, account: str
) -> None:
    member = f"{account}@acme.example"
    invited = casetrail("access", "invite", "--account", account, "--email", member, "--json").object
    assert casetrail("access", "accept", "--token", invited["token"], "--as", member).code == 0

    def mails_after_a_ticket() -> list[Any]:
        ticket = opened(casetrail, account)
        sent(casetrail, ticket)
        every = casetrail("mail", "list", "--ticket", ticket, "--json").object["mails"]
        return [each for each in every if each["email"] == member]

    eventually(lambda: len(mails_after_a_ticket()) == 2, "mails of both events")
    message = arrived(system, f"About {account}")
    assert message is not None
    files = sorted((system.data / "mail").glob(f"*{member}*"))
    own: list[Any] = [message_from_bytes(file.read_bytes(), policy=default) for file in files]
    about_tickets = [each["List-Unsubscribe"] for each in own if each["List-Unsubscribe"]]  # one invites
    link = re.fullmatch(r"<(.*)>", about_tickets[0])
    assert link is not None
    stopped = casetrail("mail", "stop", link[1])
    assert stopped.code == 0, stopped.err
    assert member in stopped.out
    assert casetrail("mail", "stop", link[1]).code == 0
    assert casetrail("mail", "stop", link[1][:-3]).code == 3
    eventually(lambda: mails_after_a_ticket() == [], "no mails")
    assert casetrail("mail", "wish", "--tickets", "all", "--as", member).code == 0
    assert casetrail("mail", "wish", "--tickets", "some", "--as", member).code == 2
    eventually(lambda: len(mails_after_a_ticket()) == 2, "mails again")
