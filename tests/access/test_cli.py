"""`casetrail access` as an operator and the people of an account run it, as the real users of NATS."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from contracts.access.people import person_id
from services.cli.exit_codes import ExitCode
from services.cli.main import app
from services.guard.settings import GuardSettings
from services.runtime.health import Health
from services.runtime.service import Context
from services.runtime.settings import load
from services.tickets.app import tickets as tickets_service
from tests.access.conftest import agent, running
from tests.conftest import SecuredNats

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]


class Terminal:
    """Runs `casetrail` as the user `cli`, in English and in UTC."""

    def __init__(self, nats: SecuredNats) -> None:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("CASETRAIL_", "LC_"))
        }
        self._env = kept | {
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONPATH": str(ROOT),
            "CASETRAIL_NATS_URL": nats.server.url,
            "CASETRAIL_NATS_CREDS": str(nats.creds_file("cli")),
            "CASETRAIL_NATS_INBOX_USER": "cli",
        }

    async def __call__(self, *arguments: str, **env: str) -> Done:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli.main", "access", *arguments,
            env=self._env | env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return Done(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def terminal(secured_nats: SecuredNats, tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal beside the running service, which has the permissions of its own user."""
    directory = tmp_path / "replica"
    directory.mkdir()
    async with running(await secured_nats.connect("access"), directory):
        yield Terminal(secured_nats)
    assert secured_nats.violations == []


OPERATOR, ANNA, JAN = "ola@desk.example", "anna@acme.example", "jan@acme.example"


async def test_an_operator_registers_an_account_whose_administrator_manages_its_people(
    terminal: Terminal,
) -> None:
    appointed = await terminal("appoint", "--operator", OPERATOR, "--display-name", "Ola Żak", "--json")
    assert appointed.code == ExitCode.DONE, appointed.err
    assert appointed.object["person"] == person_id(OPERATOR)
    as_operator, as_anna = ("--as", f"agent:{OPERATOR}"), ("--as", ANNA)
    registered = await terminal(
        "register", "--account", "acme", "--name", "Acme Clinic", "--language", "pl",
        "--identifier", "merchant=M-77", *as_operator,
    )  # fmt: skip
    assert registered.out.startswith("The account acme is registered.\nrevision 1, position 3, command ")

    invited = await terminal("invite", "--account", "acme", "--email", ANNA, "--role", "admin", *as_operator)
    assert invited.out.startswith(f"{ANNA} is invited to acme.\n")
    token = invited.out.split("--token ")[1].strip()
    accepted = await terminal("accept", "--token", token, *as_anna, "--display-name", "Anna")
    assert accepted.out.startswith("You have access to acme.\n")
    repeated = ("invite", "--account", "acme", "--email", JAN, *as_anna, "--command-id", "c-1", "--json")
    assert (await terminal(*repeated)).object == (await terminal(*repeated)).object

    people = (await terminal("people", "--account", "acme", *as_anna, "--json")).object["people"]
    assert {each["email"]: (each["status"], each["role"]) for each in people} == {
        ANNA: ("member", "admin"),
        JAN: ("invited", "member"),
    }
    shown = await terminal("people", "--account", "acme", CASETRAIL_LANG="pl")
    assert "administrator konta" in shown.out
    assert "zaproszenie do " in shown.out
    (account,) = (await terminal("list", "--words", "CLINIC", "--json")).object["accounts"]
    assert (account["account"], account["identifiers"]) == ("acme", [{"kind": "merchant", "value": "M-77"}])
    me = await terminal("whoami", *as_anna)
    assert me.out == f"Anna\n{ANNA}  {person_id(ANNA)}\nacme (Acme Clinic): administrator\n"

    may = await terminal("permissions", "--person", ANNA, "--account", "acme", "--json")
    (grant,) = may.object["grants"]
    assert (grant["role"], "people_manage" in grant["permissions"]) == ("admin", True)
    before = await terminal("permissions", "--person", ANNA, "--as-of", "1h", *as_anna)
    assert before.out == "Nobody may do anything.\n"


INTEREST: dict[str, Any] = {
    "account": "new-partners",
    "title": "New partner: Przychodnia Łąkowa",
    "message": "We would like to offer our appointments.",
    "identifiers": [
        {"kind": "reference", "value": "R-7K3M-9QX2-81FG"},
        {"kind": "email", "value": "ewa@lakowa.example"},
    ],
    "answers": [
        {"link_id": "city", "question": "Where are you?", "values": ["Łódź"]},
        {"link_id": "company", "question": "What is your company called?", "values": ["Przychodnia Łąkowa"]},
    ],
}


@pytest.fixture
async def tickets(secured_nats: SecuredNats, tmp_path: Path) -> AsyncIterator[None]:
    """The ticket service, as the user that it has in the system."""
    registry = CollectorRegistry()
    context = Context(
        settings=load(GuardSettings, data_dir=tmp_path / "tickets"),
        nc=await secured_nats.connect("tickets"),
        health=Health(registry),
        registry=registry,
        user="tickets",
        version="1.0.0",
        failed=asyncio.get_running_loop().create_future(),
    )
    async with tickets_service(context):
        yield


async def test_an_agent_admits_a_company_by_the_ticket_of_its_interest_form(
    terminal: Terminal, tickets: None, secured_nats: SecuredNats
) -> None:
    await terminal("register", "--account", "new-partners", "--name", "New partners")
    await terminal("appoint", "--agent", OPERATOR)
    nc = await secured_nats.connect("cli")
    opened = await nc.request(
        "requests.tickets.open",
        json.dumps({**INTEREST, "actor": agent(OPERATOR), "command_id": "c-1"}).encode(),
        timeout=15,
    )
    number = json.loads(opened.data)["number"]

    by_ticket = ("admit", "--account", "lakowa", "--ticket", number, "--as", f"agent:{OPERATOR}")
    admitted = await terminal(*by_ticket, "--command-id", "c-2", "--language", "pl")
    assert admitted.code == ExitCode.DONE, admitted.err
    assert admitted.out.startswith(
        "Przychodnia Łąkowa has the account lakowa, and ewa@lakowa.example is invited as its administrator.\n"
    )
    token = admitted.out.split("--token ")[1].strip()
    assert (await terminal("accept", "--token", token, "--as", "ewa@lakowa.example")).code == ExitCode.DONE
    repeated = await terminal(*by_ticket, "--command-id", "c-2", "--language", "pl", "--json")
    assert (repeated.object["token"], repeated.object["command_id"]) == (token, "c-2")

    (account,) = (await terminal("list", "--words", "lakowa", "--json")).object["accounts"]
    assert (account["name"], account["languages"]) == ("Przychodnia Łąkowa", ["pl"])
    given = await terminal(
        "admit", "--account", "other", "--ticket", number, "--name", "Other", "--email", JAN, "--json"
    )
    assert given.code == ExitCode.DONE, given.err
    taken = await terminal(*by_ticket, "--json")
    assert (taken.code, taken.error["code"]) == (ExitCode.REFUSED, "account_is_taken")


async def test_what_a_ticket_does_not_say_is_asked_for(
    terminal: Terminal, tickets: None, secured_nats: SecuredNats
) -> None:
    await terminal("register", "--account", "new-partners", "--name", "New partners")
    await terminal("appoint", "--agent", OPERATOR)
    nc = await secured_nats.connect("cli")
    without = {**INTEREST, "identifiers": [], "actor": agent(OPERATOR), "command_id": "c-1"}
    opened = await nc.request("requests.tickets.open", json.dumps(without).encode(), timeout=15)
    number = json.loads(opened.data)["number"]
    told = await terminal("admit", "--account", "lakowa", "--ticket", number)
    assert (told.code, told.err) == (
        ExitCode.USAGE,
        "casetrail: --email: is needed: the ticket does not say it\n",
    )


async def test_what_is_refused_is_told_in_the_persons_language_and_by_the_exit_code(
    terminal: Terminal,
) -> None:
    await terminal("register", "--account", "acme", "--name", "Acme")
    invited = await terminal("invite", "--account", "acme", "--email", ANNA, "--role", "admin", "--json")
    token = invited.object["token"]
    refused = await terminal("accept", "--token", token, "--as", JAN)
    assert refused.code == ExitCode.REFUSED
    assert refused.err.startswith("casetrail: This invitation is for another e-mail address")
    await terminal("accept", "--token", token, "--as", ANNA)
    last = await terminal("remove", "--account", "acme", "--person", ANNA, CASETRAIL_LANG="pl")
    assert (last.code, last.err) == (
        ExitCode.REFUSED,
        "casetrail: To ostatni administrator konta acme. Najpierw nadaj tę rolę komuś innemu.\n",
    )
    for account in ("acme", "nobody"):  # whose it is and whether it is there are one answer
        hidden = await terminal("people", "--account", account, "--as", JAN, "--json")
        assert (hidden.code, hidden.error["code"]) == (ExitCode.NOT_FOUND, "account_not_found")
    forged = await terminal("register", "--account", "other", "--name", "X", "--as", f"agent:{JAN}", "--json")
    assert (forged.code, forged.error["code"]) == (ExitCode.REFUSED, "not_permitted")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("dismiss",), "--operator: exactly one of --operator, --agent, --auditor is needed"),
        (("appoint", "--agent", "a@x.pl", "--auditor", "b@x.pl"), "--auditor: exactly one of"),
        (("appoint", "--agent", "ola"), "--agent: holds no e-mail address"),
        (("role", "--account", "acme", "--person", "x", "--role", "boss"), "--role: must be 'member'"),
        (("register", "--account", "ACME", "--name", "x"), "--account: must be an account id"),
        (("register", "--account", "acme", "--name", "x", "--language", "polski"), "--language: does"),
        (("invite", "--account", "acme", "--email", "jan"), "--email: must be an e-mail address"),
        (("invite", "--account", "acme", "--email", ANNA, "--valid-days", "31"), "--valid-days: must be at"),
        (("admit", "--account", "acme", "--email", ANNA), "--name: is needed, or --ticket NUMBER"),
        (("admit", "--account", "acme", "--name", "Acme"), "--email: is needed, or --ticket NUMBER"),
        (("admit", "--account", "acme", "--name", "Acme", "--email", "anna"), "--email: must be an e-mail"),
        (("admit", "--account", "acme", "--ticket", "12"), "NUMBER: must be a ticket number"),
        (("permissions",), "names neither a person nor an account"),
        (("permissions", "--person", "x", "--as-of", "1h", "--position", "1"), "--position: only one of"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_by_the_option_before_anybody_is_asked(
    arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # where nothing runs
    for variable in ("CASETRAIL_LANG", "LC_ALL", "LC_MESSAGES", "CASETRAIL_DATA", "CASETRAIL_NATS_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    done = CliRunner().invoke(app, ["access", *arguments])
    assert done.exit_code == ExitCode.USAGE
    assert done.stderr.startswith(f"casetrail: {told}")
