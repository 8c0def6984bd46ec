"""Every role against every request of the ticket service, in its own account, in another's, and over all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from contracts import wording
from contracts.errors import STATUS_HEADER, ErrorReply
from contracts.number import shown
from contracts.subjects import TICKETS
from services.runtime.health import Health
from services.runtime.streams import stream_info
from tests.access_log import Actor
from tests.guard.conftest import ACME, GLOBEX, PEOPLE, World, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

OK, HIDDEN, NO, NAME_ONE, WHO = "ok", "hidden", "not_permitted", "account_missing", "actor_missing"
"""What may come of a request. Hidden: told as what does not exist."""

READS: Final = ("get", "history", "list", "lookup", "topics")
WRITES: Final = ("open", "reply", "close", "reopen")

# For each: reading and writing in acme, reading and writing in globex, lists and looking up over all.
TABLE: Final[dict[str, tuple[str, str, str, str, str]]] = {
    "member of acme": (OK, OK, HIDDEN, HIDDEN, NAME_ONE),
    "admin of acme": (OK, OK, HIDDEN, HIDDEN, NAME_ONE),
    "member of globex": (HIDDEN, HIDDEN, OK, OK, NAME_ONE),
    "agent": (OK, OK, OK, OK, OK),
    "auditor": (OK, NO, OK, NO, OK),
    "operator": (NO, NO, NO, NO, NO),
    "agent as a member": (HIDDEN, HIDDEN, HIDDEN, HIDDEN, NAME_ONE),
    "member as an agent": (NO, NO, NO, NO, NO),
    "stranger": (HIDDEN, HIDDEN, HIDDEN, HIDDEN, NAME_ONE),
    "nobody": (WHO, WHO, WHO, WHO, WHO),
    "writing system of acme": (OK, OK, HIDDEN, HIDDEN, NAME_ONE),
    "reading system of acme": (OK, NO, HIDDEN, HIDDEN, NAME_ONE),
    "subscribing system of acme": (NO, NO, HIDDEN, HIDDEN, NAME_ONE),
    "revoked system of acme": (HIDDEN, HIDDEN, HIDDEN, HIDDEN, NAME_ONE),
    "terminal": (OK, NO, OK, NO, OK),
}

WORDS: Final = {
    "not_permitted": ("You may not do that here.", "Nie masz tu do tego uprawnień."),
    "account_missing": (
        "Say which account; only the platform's own people may ask for all of them.",
        "Podaj konto; o wszystkie naraz mogą pytać tylko osoby z platformy.",
    ),
    "actor_missing": ("The request does not say who asks.", "Żądanie nie podaje, kto pyta."),
    "account_not_found": ("There is no account {account} here.", "Nie ma tu konta {account}."),
    "ticket_not_found": ("There is no ticket {number} here.", "Nie ma tu zgłoszenia {number}."),
}
STATUS: Final = {"account_not_found": "404", "ticket_not_found": "404"}  # the others: 403


def _cases() -> Iterator[tuple[str, str, str | None, str]]:
    for who, (acme_reads, acme_writes, globex_reads, globex_writes, over_all) in TABLE.items():
        expected = {(ACME, READS): acme_reads, (ACME, WRITES): acme_writes}
        expected |= {(GLOBEX, READS): globex_reads, (GLOBEX, WRITES): globex_writes}
        for (account, names), outcome in expected.items():
            for name in names:
                if who != "nobody" or name in READS:  # a command without an actor does not even parse
                    yield who, name, account, outcome
        for name in ("list", "lookup", "topics"):
            yield who, name, None, over_all


async def _body(world: World, name: str, account: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {} if account is None else {"account": account}
    if name in WRITES:
        body["command_id"] = new_id()
    if name in ("reply", "close", "reopen", "get", "history"):
        assert account is not None
        body["number"] = await world.ticket(account, closed=name == "reopen")
    match name:
        case "open":
            body |= {"title": "Nie działa", "message": "Od wczoraj."}
        case "reply":
            body["text"] = "Już działa."
        case "close":
            body["reason"] = "solved"
        case "reopen":
            body["reason"] = "Jednak nie."
        case "lookup":
            body["value"] = "M-77"
    return body


async def _last_position(world: World) -> int:
    return int((await stream_info(world.root, TICKETS))["state"]["last_seq"])


@pytest.mark.parametrize(
    ("who", "name", "account", "outcome"),
    [pytest.param(*case, id=f"{case[0]}, {case[1]} in {case[2] or 'all'}: {case[3]}") for case in _cases()],
)
async def test_a_role_may_do_what_the_table_says(
    world: World, tickets: Health, who: str, name: str, account: str | None, outcome: str
) -> None:
    body = await _body(world, name, account)
    before = await _last_position(world)
    status, answer = await world.ask(PEOPLE[who], name, **body)
    if outcome == OK:
        assert status is None, answer
        assert await _last_position(world) == before + (name in WRITES)
        return
    assert await _last_position(world) == before, "refused, and yet something was written"
    code = outcome
    if outcome == HIDDEN:
        code = "ticket_not_found" if "number" in body else "account_not_found"
    refused = ErrorReply.model_validate(answer)
    assert (refused.kind, refused.code, status) == ("refused", code, STATUS.get(code, "403"))
    spoken = {"account": account, "number": shown(body.get("number", ""))}
    english, polish = (sentence.format_map(spoken) for sentence in WORDS[code])
    assert refused.message == english
    assert wording.refusal(refused.code, refused.data, "pl") == polish


@pytest.mark.parametrize("name", ["get", "history"])
@pytest.mark.parametrize("account", [ACME, GLOBEX])
@pytest.mark.parametrize("who", TABLE)
async def test_a_ticket_asked_for_by_number_alone_is_shown_to_those_who_may_see_its_account(
    world: World, tickets: Health, who: str, account: str, name: str
) -> None:
    number = await world.ticket(account)
    reads_acme, _, reads_globex, _, _ = TABLE[who]
    outcome = reads_acme if account == ACME else reads_globex
    status, answer = await world.ask(PEOPLE[who], name, number=number)
    if outcome == OK:
        assert (status, answer["number"], answer["account"]) == (None, number, account)
    else:
        assert answer["code"] == ("ticket_not_found" if outcome == HIDDEN else outcome)


async def test_the_table_names_everybody_and_every_request() -> None:
    assert TABLE.keys() == PEOPLE.keys()
    assert {name for _, name, _, _ in _cases()} == {*READS, *WRITES}


async def test_nobody_speaks_for_a_system_that_is_not_their_own(world: World, tickets: Health) -> None:
    for who in ("writing system of acme", "terminal"):
        system = PEOPLE[who]
        assert system is not None
        status, answer = await _through(world, "cli", "requests.tickets.list", system)
        assert (status, answer["code"]) == ("403", "actor_not_yours")
        assert answer["message"] == f"Whoever sent this may not speak for system:{system['id']}."
        polish = wording.refusal(answer["code"], answer["data"], "pl")
        assert polish == f"Nadawca nie może występować w imieniu system:{system['id']}."
        assert (await world.ask(system, "list", account=ACME))[0] is None


async def test_a_system_speaks_for_nobody_but_itself(world: World, tickets: Health) -> None:
    user = "acme_writer"
    for who in ("member of acme", "agent", "terminal", "reading system of acme"):
        status, answer = await _through(world, user, f"systems.{user}.tickets.list", PEOPLE[who])
        assert (status, answer["code"]) == ("403", "actor_not_yours"), who


async def _through(
    world: World, user: str, subject: str, actor: Actor | None
) -> tuple[str | None, dict[str, Any]]:
    """The status and the answer, when that NATS user asks on that subject under that name."""
    nc = await world.connect(user)
    reply = await nc.request(subject, json.dumps({"actor": actor, "account": ACME}).encode(), timeout=15)
    return (reply.headers or {}).get(STATUS_HEADER), json.loads(reply.data)
