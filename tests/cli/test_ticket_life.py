"""The life of a ticket by the command line, on a real system: every command, and every way to be refused."""

from __future__ import annotations

import pytest

from contracts.number import derive_number, is_number
from tests.cli.conftest import JAN, OLA, OLA_ACTS, Casetrail, System

NOWHERE = derive_number("acme", "a command that was never sent")
TICKET_KEYS = {"number", "account", "status", "title", "revision", "position"}


def shown(number: str) -> str:
    return f"{number[:3]}-{number[3:6]}-{number[6:]}"


def test_the_whole_life_of_a_ticket(casetrail: Casetrail, account: str) -> None:
    opened = casetrail.process(
        "ticket", "open", "--account", account, "--title", "Brak wypłat", "--text", "Od poniedziałku",
        "--topic", "payouts", "--identifier", "merchant=M-77", "--identifier", "order=A=1", "--as", JAN,
        "--json",
    )  # fmt: skip
    assert (opened.code, opened.err) == (0, "")
    ticket = opened.object
    assert ticket.keys() >= TICKET_KEYS
    assert (ticket["status"], ticket["revision"], ticket["topic"]) == ("open", 1, "payouts")
    assert ticket["identifiers"] == [{"kind": "merchant", "value": "M-77"}, {"kind": "order", "value": "A=1"}]
    number = ticket["number"]

    text = "Sprawdzamy.\nŁódź".encode()
    by = ("--as", OLA, "--json")
    replied = casetrail.process("ticket", "reply", shown(number), "--text", "-", *by, stdin=text)
    assert replied.object["revision"] == 2
    closed = casetrail.process(
        "ticket", "close", number, "--reason", "solved", "--note", "Wysłane", "--as", OLA, "--json"
    )
    assert (closed.object["status"], closed.object["closing"]["reason"]) == ("closed", "solved")

    late = casetrail.process("ticket", "reply", number, "--text", "Nadal nic", "--as", JAN)
    assert (late.code, late.out) == (3, "")
    assert f"Ticket {shown(number)} is closed" in late.err
    again = casetrail.process("ticket", "close", number, "--reason", "solved", "--as", OLA, "--json")
    assert (again.code, again.out, again.error["code"]) == (3, "", "ticket_is_already_closed")

    reopened = casetrail.process("ticket", "reopen", number, "--reason", "Nadal nic", "--as", JAN, "--json")
    assert (reopened.object["status"], reopened.object["revision"]) == ("open", 4)
    refused = casetrail.process("ticket", "reopen", number, "--reason", "Nadal nic", "--as", JAN, "--json")
    assert (refused.code, refused.error["code"]) == (3, "ticket_is_open")

    now = casetrail.process("ticket", "show", number, "--json").object
    assert now.keys() >= TICKET_KEYS
    assert [event["event"]["type"].split(".")[2] for event in now["events"]] == [
        "opened", "replied", "closed", "reopened",
    ]  # fmt: skip
    assert now["events"][1]["event"]["data"]["content"]["text"] == "Sprawdzamy.\nŁódź"
    assert now["events"][1]["event"]["actor"] == OLA_ACTS
    history = casetrail.process("ticket", "history", number, "--json").object
    assert (history["number"], history["account"], history["events"]) == (number, account, now["events"])


def test_a_ticket_is_shown_as_it_stood(casetrail: Casetrail, system: System) -> None:
    ticket = system.open()
    number = ticket["number"]
    replied = casetrail("ticket", "reply", number, "--text", "Halo", "--as", JAN, "--json").object
    casetrail("ticket", "close", number, "--reason", "declined", "--as", OLA)
    for point in (
        ["--revision", "2"],
        ["--position", str(replied["position"])],
        ["--as-of", replied["updated_at"]],
    ):
        then = casetrail("ticket", "show", number, *point, "--json").object
        assert (then["status"], then["revision"], len(then["events"])) == ("open", 2, 2), point
    before = casetrail("ticket", "show", number, "--as-of", "1h", "--json")
    assert (before.out, before.error["code"]) == ("", "ticket_did_not_exist")


def test_a_point_without_a_state_is_told_for_what_it_is(casetrail: Casetrail, system: System) -> None:
    number = system.open()["number"]
    for point in (["--revision", "99"], ["--as-of", "1h"]):
        done = casetrail("ticket", "show", number, *point)
        assert (done.code, done.out) == (4, "")
        assert done.err == (
            f"casetrail: Ticket {shown(number)} has no state at that point: "
            "it was opened later, or has fewer events.\n"
        )


@pytest.mark.parametrize(("language", "told"), [("en", "have not arrived here yet"), ("pl", "nie dotarły")])
def test_a_position_that_the_service_has_not_reached_is_told_as_such(
    casetrail: Casetrail, system: System, language: str, told: str
) -> None:
    number = system.open()["number"]
    there = casetrail.having(CASETRAIL_LANG=language)
    done = there("ticket", "show", number, "--position", "99999")
    assert (done.code, done.out) == (5, "")
    assert told in done.err
    assert "casetrail up" not in done.err


def test_a_repeated_command_has_one_effect_and_the_same_answer(casetrail: Casetrail, system: System) -> None:
    number = system.open()["number"]
    reply = (
        "ticket",
        "reply",
        number,
        "--text",
        "Halo",
        "--as",
        JAN,
        "--command-id",
        f"r-{number}",
        "--json",
    )
    first = casetrail(*reply).object
    assert first["command_id"] == f"r-{number}"
    assert casetrail(*reply).object == first
    casetrail("ticket", "close", number, "--reason", "solved", "--as", OLA)
    assert casetrail(*reply).object == first
    assert casetrail("ticket", "show", number, "--json").object["replies"] == 1


def test_the_account_may_be_left_out_or_must_be_right(
    casetrail: Casetrail, system: System, account: str
) -> None:
    number = system.open(account=account)["number"]
    reply = ("ticket", "reply", number, "--text", "Halo", "--as", JAN, "--json")
    assert casetrail(*reply).object["account"] == account
    assert casetrail(*reply, "--account", account).code == 0
    foreign = casetrail(*reply, "--account", "somebody-else")
    assert (foreign.code, foreign.error["code"]) == (4, "ticket_not_found")


def test_lists_are_filtered_and_paged(casetrail: Casetrail, system: System, account: str) -> None:
    def numbers(*options: str) -> list[str]:
        return [
            t["number"]
            for t in casetrail("ticket", "list", "--account", account, *options, "--json").object["tickets"]
        ]

    first = system.open(account=account, title="Łódź nie działa", identifier="merchant=M-1")["number"]
    second = system.open(account=account, topic="refunds", follows=first)["number"]
    casetrail("ticket", "close", first, "--reason", "duplicate", "--as", OLA)
    system.has_heard(first, 2)
    assert numbers() == [second, first]
    assert numbers("--status", "closed") == [first]
    assert numbers("--topic", "refunds") == [second]
    assert numbers("--words", "lodz") == [first]
    assert numbers("--identifier", "merchant=M-1") == numbers("--identifier", "m-1") == [first]
    assert numbers("--number", shown(second)) == [second]
    page = casetrail("ticket", "list", "--account", account, "--limit", "1", "--json").object
    assert page["counts"] == {"open": 1, "closed": 1}
    assert numbers("--before", str(page["next_before"])) == [first]


def test_anything_in_hands_is_looked_up(casetrail: Casetrail, system: System, account: str) -> None:
    number = system.open(account=account, identifier=f"merchant={account}")["number"]
    for value in (number, shown(number), account.upper()):
        found = casetrail("ticket", "lookup", value, "--json").object
        assert [match["ticket"]["number"] for match in found["matches"]] == [number]
    nothing = casetrail("ticket", "lookup", f"{account}-x", "--json")
    assert (nothing.code, nothing.object["matches"], nothing.error["code"]) == (4, [], "nothing_found")
    mistyped = casetrail("ticket", "lookup", number[:-1] + str((int(number[-1]) + 1) % 10), "--json")
    assert (mistyped.code, mistyped.object["number_mistyped"]) == (2, True)
    assert mistyped.error["fields"][0]["rule"] == "number_mistyped"


def test_ten_digits_that_are_no_ticket_number_may_be_another_identifier(
    casetrail: Casetrail, system: System, account: str
) -> None:
    digits = next(f"{n:010d}" for n in range(10**9, 10**9 + 20) if not is_number(f"{n:010d}"))
    number = system.open(account=account, identifier=f"order={digits}")["number"]
    lookup = ("ticket", "lookup", digits, "--account", account)
    found = casetrail(*lookup)
    assert found.code == 0
    assert shown(number) in found.out
    assert f"As a ticket number {digits} would be wrong" in found.err
    assert "byłby błędny" in casetrail.having(CASETRAIL_LANG="pl")(*lookup).err
    as_json = casetrail(*lookup, "--json")
    assert (as_json.object["number_mistyped"], as_json.err) == (True, "")
    assert casetrail("ticket", "lookup", number, "--account", account).err == ""


def test_a_title_and_a_text_cannot_reorder_what_stands_on_the_terminal(
    casetrail: Casetrail, system: System, account: str
) -> None:
    evil, seen = "a\u202eb\u2066c\u200fd", "a<U+202E>b<U+2066>c<U+200F>d"
    ticket = system.open(
        account=account, title=evil, text=f"Dzień {evil}", identifier=f"order={account}{evil}"
    )
    by = ("--as", OLA, "--account", account)
    casetrail("ticket", "close", ticket["number"], "--reason", "solved", "--note", evil, *by)
    casetrail("ticket", "reopen", ticket["number"], "--reason", evil, *by)
    system.has_heard(ticket["number"], 3)
    page = casetrail("ticket", "show", ticket["number"])
    assert page.out.count(seen) == 5
    for done in (page, casetrail("ticket", "list", "--account", account)):
        assert seen in done.out
        assert "\u202e" not in done.out
    exact = casetrail("ticket", "show", ticket["number"], "--json").object
    assert exact["title"] == evil
    assert exact["events"][0]["event"]["data"]["content"]["message"] == f"Dzień {evil}"


def test_what_is_not_there_is_exit_code_4(casetrail: Casetrail) -> None:
    for command in (
        ("show",),
        ("history",),
        ("reply", "--text", "x", "--as", JAN),
        ("close", "--reason", "solved", "--as", JAN, "--account", "acme"),
    ):
        missing = casetrail("ticket", command[0], NOWHERE, *command[1:])
        assert (missing.code, missing.out) == (4, ""), command
        assert missing.err == f"casetrail: There is no ticket {shown(NOWHERE)} here.\n"


def test_people_read_it_in_their_language(casetrail: Casetrail, system: System) -> None:
    ticket = system.open(title="Tytuł [bold]z[/bold] nawiasami", text="Pierwsza\n  druga")
    number = ticket["number"]
    done = casetrail("ticket", "close", number, "--reason", "solved", "--note", "Wysłane", "--as", OLA)
    assert done.out.startswith(f"Ticket {shown(number)} is closed.\nrevision 2, ")
    system.has_heard(number, 2)
    page = casetrail("ticket", "show", number).out
    for words in (
        shown(number), "closed", "Tytuł [bold]z[/bold] nawiasami", "   Pierwsza\n     druga\n",
        "closed: solved", OLA_ACTS, "just now", "Wysłane",
    ):  # fmt: skip
        assert words in page, words
    assert "\x1b" not in page
    polish = casetrail.having(CASETRAIL_LANG="pl")("ticket", "show", number).out
    assert "zamknięte: rozwiązane" in polish
    refused = casetrail.having(LANG="pl_PL.UTF-8")("ticket", "reply", number, "--text", "x", "--as", JAN)
    assert refused.err.startswith(f"casetrail: Zgłoszenie {shown(number)} jest zamknięte")
    for narrow in ("30", "80", "200"):
        assert shown(number) in casetrail.having(COLUMNS=narrow)("ticket", "list", "--number", number).out
    assert casetrail("ticket", "history", number).out.splitlines()[1].split()[0] == "revision"


def test_a_long_history_is_shown_whole(casetrail: Casetrail, system: System) -> None:
    number = system.open()["number"]
    text = ("żółć " * 7000).encode()  # eight of these are more than a page of the service
    for _ in range(9):
        replied = casetrail("ticket", "reply", number, "--text", "-", "--as", JAN, stdin=text)
        assert replied.code == 0
    system.has_heard(number, 10)
    history = casetrail("ticket", "history", number, "--json").object
    assert [event["event"]["revision"] for event in history["events"]] == list(range(1, 11))
    assert len(casetrail("ticket", "show", number, "--revision", "9", "--json").object["events"]) == 9
