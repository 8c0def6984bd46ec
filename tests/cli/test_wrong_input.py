"""Wrong input is told by its option, before anything is sent; where nothing runs, the way out is told."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts import wording
from contracts.number import derive_number
from services.cli.main import app
from services.credentials.nkeys import KeyKind, KeyPair, write_private
from tests.cli.conftest import JAN, PROGRAM, Casetrail, System

NUMBER = derive_number("acme", "a command that was never sent")
MISTYPED = NUMBER[:-1] + str((int(NUMBER[-1]) + 1) % 10)
OPEN = ("ticket", "open", "--account", "acme", "--title", "T", "--text", "X", "--as", JAN)
REPLY = ("ticket", "reply", NUMBER, "--text", "-", "--as", JAN)
CLOSE = ("ticket", "close", NUMBER, "--as", JAN, "--reason")

WRONG = {
    "unknown reason": ((*CLOSE, "bored"), b"", "--reason", "enum"),
    "number with a wrong digit": (("ticket", "show", MISTYPED), b"", "NUMBER", "number_check_digit"),
    "number of nine digits": (("ticket", "history", NUMBER[:-1]), b"", "NUMBER", "number_shape"),
    "NUL": (REPLY, b"a\0b", "--text", "text_control_character"),
    "escape": (REPLY, b"\x1b[2J", "--text", "text_control_character"),
    "invalid UTF-8": (REPLY, "zażółć".encode("cp1250"), "--text", "not_utf8"),
    "text of invalid UTF-8": ((*OPEN, "--text", "ab\udcff"), b"", "--text", "not_utf8"),
    "title of invalid UTF-8": ((*OPEN, "--title", "\udcb9"), b"", "--title", "not_utf8"),
    "identifier of invalid UTF-8": ((*OPEN, "--identifier", "a=\udcff"), b"", "--identifier", "not_utf8"),
    "70 KB": (REPLY, b"x" * 70_000, "--text", "input_too_long"),
    "nothing on standard input": (REPLY, b"", "--text", "text_blank"),
    "blank text": ((*OPEN, "--text", " "), b"", "--text", "text_blank"),
    "text of 70 KB": ((*OPEN, "--text", "ż" * 35_000), b"", "--text", "text_too_long"),
    "long title": ((*OPEN, "--title", "x" * 201), b"", "--title", "string_too_long"),
    "e-mail as account": ((*OPEN, "--account", "a@b.c"), b"", "--account", "account_id_shape"),
    "half an address": ((*OPEN, "--as", "jan@"), b"", "--as", "person_address"),
    "another system": ((*OPEN, "--as", "system:acme_sync"), b"", "--as", "another_system"),
    "unknown capacity": ((*OPEN, "--as", "boss:ola"), b"", "--as", "person_kind"),
    "person with a space": ((*OPEN, "--as", "Jan Kowalski"), b"", "--as", "person_id_shape"),
    "identifier without kind": ((*OPEN, "--identifier", "M-77"), b"", "--identifier", "identifier_shape"),
    "identifier of a wrong kind": (
        (*OPEN, "--identifier", "A B=1"), b"", "--identifier", "code_shape",
    ),
    "too many identifiers": ((*OPEN, *["--identifier", "a=b"] * 21), b"", "--identifier", "too_long"),
    "followed number": ((*OPEN, "--follows", "12"), b"", "--follows", "number_shape"),
    "command id": ((*OPEN, "--command-id", "a b"), b"", "--command-id", "command_id_shape"),
    "revision 0": (("ticket", "show", NUMBER, "--revision", "0"), b"", "--revision", "greater_than_equal"),
    "revision in words": (("ticket", "show", NUMBER, "--revision", "two"), b"", "--revision", "int_parsing"),
    "two points": (
        ("ticket", "show", NUMBER, "--revision", "1", "--as-of", "1h"), b"", "--revision", "only_one_of",
    ),
    "no time": (("ticket", "show", NUMBER, "--as-of", "yesterday"), b"", "--as-of", "time_shape"),
    "no such day": (("ticket", "show", NUMBER, "--as-of", "2026-02-30"), b"", "--as-of", "time_shape"),
    "unknown status": (("ticket", "list", "--status", "new"), b"", "--status", "enum"),
    "limit": (("ticket", "list", "--limit", "201"), b"", "--limit", "less_than_equal"),
    "nothing to look up": (("ticket", "lookup", " "), b"", "VALUE", "text_blank"),
    "unknown kind": (("events", "--kind", "lost"), b"", "--kind", "enum"),
    "negative position": (("events", "--position", "-1"), b"", "--position", "greater_than_equal"),
    "no ticket": (("events", "--ticket", "12"), b"", "--ticket", "number_shape"),
    "wildcard": (("events", "--account", ">"), b"", "--account", "account_id_shape"),
    "two beginnings": (("events", "--from-start", "--since", "1h"), b"", "--since", "only_one_of"),
    "events since when": (("events", "--since", "soon"), b"", "--since", "time_shape"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASETRAIL_LANG", "en")


@pytest.mark.parametrize(("arguments", "stdin", "option", "rule"), WRONG.values(), ids=list(WRONG))
def test_wrong_input_names_the_option_and_the_rule(
    arguments: Sequence[str], stdin: bytes, option: str, rule: str
) -> None:
    as_json = CliRunner().invoke(app, [*arguments, "--json"], input=stdin)
    assert (as_json.exit_code, as_json.stdout) == (2, "")
    error = json.loads(as_json.stderr)["error"]
    assert (error["kind"], error["status"], error["code"]) == ("malformed", 400, "malformed")
    assert (error["fields"][0]["field"], error["fields"][0]["rule"]) == (option, rule)
    for_people = CliRunner().invoke(app, arguments, input=stdin)
    assert (for_people.exit_code, for_people.stdout) == (2, "")
    assert for_people.stderr == "".join(
        f"casetrail: {field['field']}: {field['message']}\n" for field in error["fields"]
    )


def test_every_broken_rule_is_told_at_once() -> None:
    wrong = CliRunner().invoke(app, [*OPEN, "--title", "x" * 201, "--account", "A", "--topic", "ż"])
    assert wrong.stderr.splitlines() == [
        "casetrail: --account: " + wording.rule("account_id_shape", {}),
        "casetrail: --title: is longer than 200 characters",
        "casetrail: --topic: " + wording.rule("code_shape", {}),
    ]


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"CASETRAIL_LANG": "pl"}, "jest dłuższe niż 200 znaków"),
        ({"CASETRAIL_LANG": "", "LC_ALL": "pl_PL.UTF-8", "LANG": "en_GB"}, "jest dłuższe niż 200 znaków"),
        ({"CASETRAIL_LANG": "", "LC_ALL": "", "LC_MESSAGES": "pl"}, "jest dłuższe niż 200 znaków"),
        ({"CASETRAIL_LANG": "en", "LC_ALL": "pl_PL.UTF-8"}, "is longer than 200 characters"),
        ({"CASETRAIL_LANG": "", "LC_ALL": "", "LC_MESSAGES": "", "LANG": "plt_MG"}, "is longer than"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_the_language_is_that_of_the_person(env: dict[str, str], told: str) -> None:
    wrong = CliRunner().invoke(app, [*OPEN, "--title", "x" * 201], env=env)
    assert wrong.stderr.startswith(f"casetrail: --title: {told}")


@pytest.mark.parametrize(
    "arguments", [("ticket", "list", "--colour"), ("ticket", "merge"), ("ticket", "open")]
)
def test_unknown_and_missing_options_are_wrong_usage(arguments: Sequence[str]) -> None:
    wrong = CliRunner().invoke(app, arguments)
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "Usage:" in wrong.stderr


def test_arguments_that_are_not_utf8_are_told_by_their_byte(nowhere: Casetrail) -> None:
    done = subprocess.run(
        [*map(os.fsencode, PROGRAM), *map(os.fsencode, OPEN), b"--text", b"\xc5\xbc\xff"],
        env=nowhere.env, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"casetrail: --text: is not valid UTF-8: byte 3 is 0xFF\n"


def test_standard_input_is_read_to_its_limit_and_no_further(nowhere: Casetrail) -> None:
    with Path("/dev/zero").open("rb") as endless:
        done = subprocess.run(
            [*PROGRAM, *REPLY], stdin=endless, env=nowhere.env, capture_output=True, timeout=30, check=False
        )
    assert done.returncode == 2
    assert b"is longer than 65536 bytes" in done.stderr


def test_where_nothing_runs_the_way_out_is_told(nowhere: Casetrail) -> None:
    for arguments in (("ticket", "list"), OPEN, ("events",)):
        done = nowhere(*arguments)
        assert (done.code, done.out) == (5, "")
        assert "`casetrail up`" in done.err.splitlines()[0]
    error = nowhere(*OPEN, "--command-id", "c-7", "--json").error
    assert (error["kind"], error["code"], error["command_id"]) == ("unavailable", "nobody_runs", "c-7")


def test_a_command_that_was_not_answered_can_be_repeated_by_its_id(nowhere: Casetrail) -> None:
    done = nowhere.having(CASETRAIL_NATS_URL="nats://127.0.0.1:1")(*OPEN)
    assert (done.code, done.out) == (5, "")
    refused, repeat = done.err.splitlines()
    assert "127.0.0.1:1" in refused
    assert "`casetrail up`" in refused
    assert repeat.startswith("To repeat it safely, add: --command-id ")


def test_the_environment_wins_over_what_runs_here(system: System) -> None:
    assert system.casetrail("ticket", "list").code == 0
    assert system.casetrail.having(CASETRAIL_NATS_URL="nats://127.0.0.1:1")("ticket", "list").code == 5
    creds = str(system.data / "creds" / "cli.creds")
    url = json.loads((system.data / "up.json").read_text())["nats_url"]
    elsewhere = system.casetrail.having(CASETRAIL_DATA="/nonexistent")
    assert elsewhere("ticket", "list").code == 5
    named = elsewhere.having(
        CASETRAIL_NATS_URL=url, CASETRAIL_NATS_CREDS=creds, CASETRAIL_NATS_INBOX_USER="cli"
    )("ticket", "list")
    assert (named.code, named.err) == (0, "")


@pytest.mark.parametrize(("language", "told"), [("en", "refused the credentials"), ("pl", "dane logowania")])
def test_refused_credentials_are_not_taken_for_a_system_that_does_not_run(
    system: System, nowhere: Casetrail, tmp_path: Path, language: str, told: str
) -> None:
    url = json.loads((system.data / "up.json").read_text())["nats_url"]
    stranger = tmp_path / "stranger.nk"  # a key that is unknown to the server
    write_private(stranger, KeyPair.new(KeyKind.USER).seed)
    without = nowhere.having(CASETRAIL_NATS_URL=url, CASETRAIL_LANG=language)
    for there in (
        without,
        without.having(CASETRAIL_NATS_NKEY_SEED_FILE=str(stranger)),
    ):
        for command in (("ticket", "list"), ("events",)):
            done = there(*command)
            assert (done.code, done.out) == (5, "")
            assert told in done.err
            assert "casetrail up" not in done.err
    assert without("ticket", "list", "--json").error["code"] == "credentials_refused"


@pytest.mark.parametrize("variable", ["CASETRAIL_NATS_URL", "CASETRAIL_NATS_NKEY_SEED_FILE"])
def test_a_wrong_setting_is_named(system: System, variable: str) -> None:
    done = system.casetrail.having(**{variable: "nonsense"})("ticket", "list")
    assert (done.code, done.out) == (2, "")
    assert variable in done.err
