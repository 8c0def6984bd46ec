"""An account sees nothing of another: what is not its own is answered as what does not exist, to the byte.

The same request is sent before and after another account has what it asks for, and whatever comes back is
compared: subject tokens, headers and payload. What the service did for it is compared, too, call by call, so
that not even the time it takes tells.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest
from nats.aio.msg import Msg

import services
from contracts.number import derive_number
from services.runtime.health import Health
from tests.guard.conftest import ACME, GLOBEX, PEOPLE, World, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT: Final = Path(services.__path__[0])
TRACED: Final = ("guard/guard.py", "guard/picture.py", "tickets/", "runtime/aggregate_commands.py")
BACKGROUND: Final = "guard/guard.py:Guard.run"
"""Follows the access log ten times a second, whatever is asked."""
WRITES: Final = ("open", "reply", "close", "reopen")
OUTSIDERS: Final = (
    "member of acme",
    "admin of acme",
    "writing system of acme",
    "reading system of acme",
    "subscribing system of acme",
    "revoked system of acme",
    "stranger",
    "agent as a member",
    "member as an agent",
    "operator",
    "nobody",
)

Body = dict[str, Any]


def complete(reply: Msg) -> tuple[dict[str, str] | None, bytes]:
    """All of a reply that its receiver can see."""
    return None if reply.headers is None else dict(reply.headers), reply.data


@contextmanager
def calls(into: list[str]) -> Iterator[None]:
    """Writes down which functions of the service run meanwhile on this thread, the event loop's."""

    def note(frame: FrameType, event: str, _arg: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT):
            name = f"{path.relative_to(ROOT)}:{frame.f_code.co_qualname}"
            if name.startswith(TRACED) and name != BACKGROUND:
                into.append(name)

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def by_number(**more: Any) -> Callable[[str, str], Body]:
    return lambda _account, number: {"number": number, **more}


def in_account(**more: Any) -> Callable[[str, str], Body]:
    return lambda account, _number: {"account": account, **more}


def in_account_by_number(**more: Any) -> Callable[[str, str], Body]:
    return lambda account, number: {"account": account, "number": number, **more}


REQUESTS: Final[dict[str, tuple[str, Callable[[str, str], Body]]]] = {
    "get by number": ("get", by_number()),
    "get in its account": ("get", in_account_by_number()),
    "get as of a revision": ("get", by_number(as_of_revision=1)),
    "get as of a time": ("get", by_number(as_of_time="2026-01-01T00:00:00Z")),
    "history by number": ("history", by_number()),
    "history in its account": ("history", in_account_by_number()),
    "list of the account": ("list", in_account()),
    "list by number": ("list", in_account_by_number()),
    "list by words": ("list", in_account(words="tajemnica")),
    "topics of the account": ("topics", in_account()),
    "look up the number": ("lookup", lambda account, number: {"account": account, "value": number}),
    "look up its identifier": ("lookup", in_account(value="M-4711")),
    "open in the account": (
        "open",
        in_account(title="x", message="x", command_id="the-same-each-time"),
    ),
    "reply": ("reply", in_account_by_number(text="x", command_id="the-same-each-time")),
    "close": ("close", in_account_by_number(reason="solved", command_id="the-same-each-time")),
    "reopen": ("reopen", in_account_by_number(reason="x", command_id="the-same-each-time")),
}


@pytest.mark.parametrize(
    ("who", "what"),
    [
        (who, what)
        for who in OUTSIDERS
        for what, (name, _) in REQUESTS.items()
        if who != "nobody" or name not in WRITES  # a command without an actor does not even parse
    ],
)
async def test_another_account_and_its_ticket_answer_as_if_they_did_not_exist(
    world: World, tickets: Health, who: str, what: str
) -> None:
    account, opening = f"a{new_id()[:10]}", new_id()
    number = derive_number(account, opening)
    name, make = REQUESTS[what]
    body = make(account, number)

    async def ask() -> tuple[object, list[str]]:
        called: list[str] = []
        with calls(called):
            reply = await world.send(PEOPLE[who], name, **body)
        return complete(reply), called

    before, did_before = await ask()
    await world.access.account(account)
    opened = {"title": "Tajemnica", "message": "x", "identifiers": [{"kind": "merchant", "value": "M-4711"}]}
    done = await world.done(PEOPLE["agent"], "open", command_id=opening, account=account, **opened)
    assert done["number"] == number
    await world.done(PEOPLE["agent"], "get", number=number, at_least=done["position"])
    after, did_after = await ask()
    assert after == before
    assert did_after == did_before
    assert did_after


SEARCHES: Final[dict[str, tuple[str, Callable[[str], Body]]]] = {
    "look up a number": ("lookup", lambda value: {"value": value}),
    "look up an identifier": ("lookup", lambda value: {"value": value}),
    "list by number": ("list", lambda value: {"number": value}),
    "list by identifier": ("list", lambda value: {"identifier": {"value": value}}),
    "list by words": ("list", lambda value: {"words": value}),
    "get": ("get", lambda value: {"number": value}),
}


@pytest.mark.parametrize("what", SEARCHES)
async def test_a_search_in_ones_own_account_finds_nothing_of_another(
    world: World, tickets: Health, what: str
) -> None:
    """Compared at one position of the log, which a page of a list names, and every account moves."""
    name, make = SEARCHES[what]
    secret = f"m{new_id()}"
    identifiers = [{"kind": "merchant", "value": secret}]
    theirs = await world.ticket(GLOBEX, message=f"To {secret}.", identifiers=identifiers)
    absent = derive_number(GLOBEX, new_id())
    value, other = (theirs, absent) if "number" in what or what == "get" else (secret, f"m{new_id()}")
    found = complete(await world.send(PEOPLE["member of acme"], name, account=ACME, **make(value)))
    missing = complete(await world.send(PEOPLE["member of acme"], name, account=ACME, **make(other)))
    if what == "get":  # which repeats the number that was asked for, in both spellings
        for spelled in (str, _shown):
            found = found[0], found[1].replace(spelled(theirs).encode(), spelled(absent).encode())
    assert found == missing
    theirs_to_see = await world.done(PEOPLE["member of globex"], name, account=GLOBEX, **make(value))
    assert theirs in str(theirs_to_see), "the search itself finds nothing"


async def test_a_ticket_of_another_account_cannot_be_followed_up(world: World, tickets: Health) -> None:
    theirs, absent = await world.ticket(GLOBEX), derive_number(GLOBEX, new_id())
    jan = PEOPLE["member of acme"]
    opening = {"account": ACME, "title": "x", "message": "x", "command_id": new_id()}
    found = complete(await world.send(jan, "open", follows=theirs, **opening))
    missing = complete(await world.send(jan, "open", follows=absent, **opening))
    for spelled in (str, _shown):
        found = found[0], found[1].replace(spelled(theirs).encode(), spelled(absent).encode())
    assert found == missing


async def test_the_same_command_id_in_two_accounts_is_two_commands(world: World, tickets: Health) -> None:
    command_id = new_id()
    numbers = {}
    for who, account in (("member of acme", ACME), ("member of globex", GLOBEX)):
        opening = {"account": account, "title": "x", "message": "x", "command_id": command_id}
        numbers[account] = (await world.done(PEOPLE[who], "open", **opening))["number"]
    assert numbers[ACME] != numbers[GLOBEX]


def _shown(number: str) -> str:
    return f"{number[:3]}-{number[3:6]}-{number[6:]}"
