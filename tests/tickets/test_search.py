"""Finding tickets by words, over NATS."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from nats.aio.client import Client

from services.tickets import search
from tests.access_log import AccessLog
from tests.tickets.conftest import Caller, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = 250


async def test_words_are_found_in_every_text_of_a_ticket(caller: Caller) -> None:
    opened = await caller.open(
        title="Tytułowe",
        message="Wiadomość druga",
        answers=[{"link_id": "1", "question": "Pytanie?", "values": ["odpowiedziane", "podwójnie"]}],
        identifiers=[{"kind": "merchant", "value": "Sklep-77"}],
    )
    number = opened["number"]
    await caller.reply(number, "replika")
    await caller.close(number, note="zamykająca")
    last = await caller.reopen(number, reason="otwierająca")
    for word in (
        "Tytułowe", "wiadomość", "druga", "odpowiedziane", "podwójnie", "Sklep-77", "77", "replika",
        "zamykająca", "otwierająca",
    ):  # fmt: skip
        assert await caller.found(words=word, at_least=last["position"]) == [number], word
    for word in ("Pytanie", "tytulow", "jan", "solved", caller.account):
        assert await caller.found(words=word) == [], word


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Łódź", "lodz"), ("lodz", "ŁÓDŹ"), ("zażółć gęślą jaźń", "ZAZOLC jazn gesla"), ("GĘŚ", "gęś"),
        ("za\u017co\u0301łc\u0301", "zażółć"), ("Straße", "STRASSE"), ("Ørsted", "orsted"),
        ("Привет", "привет"), ("東京タワー", "東京タワー"), ("e-mail: a.b@c.example", "a.b@c.example"),
        ("faktura 12/2026", "12/2026"), ("naïve", "naive"), ("O'Hara", "o'hara"),
        ("ﬁrma", "firma"), ("firma", "ﬁrma"), ("ＡＢＣ", "abc"), ("ᲐᲑ", "აბ"), ("ᲐᲑ", "ᲐᲑ"), ("𞤀𞤁", "𞤢𞤣"),
        ("𞤀𞤁", "𞤀𞤁"), ("ꭰꭱ", "ᎠᎡ"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("Ǡx", "ax"), ("m²", "m2"),
    ],
)  # fmt: skip
async def test_case_and_diacritics_do_not_matter(caller: Caller, text: str, asked: str) -> None:
    opened = await caller.open(message=f"przed {text} po")
    assert await caller.found(words=asked, at_least=opened["position"]) == [opened["number"]]


async def test_several_words_may_stand_in_different_texts_of_the_ticket(caller: Caller) -> None:
    both = (await caller.open(title="kalendarz", message="x"))["number"]
    await caller.reply(both, "błąd")
    one = (await caller.open(title="kalendarz", message="x"))["number"]
    other = (await caller.open(title="y", message="błąd"))["number"]
    last = await caller.reply(other, "x")
    await caller.reply(both, "synchronizacja kalendarz")
    query: dict[str, Any] = {"at_least": last["position"]}
    assert await caller.found(words="kalendarz błąd", **query) == [both]
    assert await caller.found(words="błąd kalendarz x", **query) == [both]
    assert await caller.found(words="kalendarz", **query) == [one, both]
    assert await caller.found(words="kalendarz nieznane", **query) == []


async def test_a_word_finds_whole_words_and_with_a_star_their_beginnings(caller: Caller) -> None:
    first = (await caller.open(message="rezerwacja gości"))["number"]
    last = await caller.open(message="rezerwować stolik")
    second = last["number"]
    assert await caller.found(words="rezerw", at_least=last["position"]) == []
    assert await caller.found(words="rezerw*") == [second, first]
    assert await caller.found(words="REZERWACJ* gosc*") == [first]
    assert await caller.found(words="gości rezerw*") == [first]
    assert await caller.found(words="rezerw* nieznan*") == []


@pytest.mark.parametrize(
    "words",
    ['x"', '"x" OR y', "words : x", "x AND NOT y", "NEAR(a b)", "(x", "x)", "{x}", "^x", "a+b", "x*y*", "-x",
     "account : x", "a\u0301", "'; DROP TABLE texts; --", "\U0001f642 x", "*x", "\\x", "%x%", "x**"],
)  # fmt: skip
async def test_nothing_that_is_asked_is_taken_for_a_command_of_the_index(caller: Caller, words: str) -> None:
    await caller.open(message="zupełnie co innego")
    page = await caller.done("list", account=caller.account, words=words)
    assert page["tickets"] == []


async def test_an_account_is_found_by_nobody_elses_words(caller: Caller) -> None:
    base = f"c{new_id()[:8]}"
    accounts = [f"{base}-clinic", base, f"{base}clinic", f"{base}-clin-ic"]
    opened = {account: await (await caller.elsewhere(account)).open(message="sekret") for account in accounts}
    last = max(answer["position"] for answer in opened.values())
    for account in accounts:
        asking = await caller.elsewhere(account)
        for words in ("sekret", "sekr*"):
            assert await asking.found(words=words, at_least=last) == [opened[account]["number"]]
    everybody = await caller.found(account=None, words="sekret")
    assert everybody[:4] == [opened[account]["number"] for account in reversed(accounts)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(nc: Client, access: AccessLog, service: None) -> tuple[Caller, list[str]]:
    """An account with many tickets, newest first; each has `wszystkie`, every third `trzecie` in a reply."""
    caller = await Caller.of(nc, f"d{new_id()[:12]}", access)
    opened = await asyncio.gather(
        *(caller.open(message=f"wszystkie numer{n} {'parzyste' * (n % 2 == 0)}") for n in range(MANY))
    )
    by_position = sorted(opened, key=lambda answer: -answer["position"])
    numbers = [answer["number"] for answer in by_position]
    await asyncio.gather(*(caller.reply(number, "trzecie") for number in numbers[::3]))
    await asyncio.gather(*(caller.close(number) for number in numbers[::50]))
    last = await caller.last_position()
    await caller.done("list", at_least=last)
    return caller, numbers


@pytest.mark.parametrize("limit", [7, 200])
async def test_pages_of_many_found_tickets_have_each_once_and_in_order(
    crowd: tuple[Caller, list[str]], limit: int
) -> None:
    caller, numbers = crowd
    assert await caller.found(words="wszystkie", limit=limit) == numbers
    assert await caller.found(words="wszystk* trzecie", limit=limit) == numbers[::3]
    assert await caller.found(words="wszystkie", status="closed", limit=limit) == numbers[::50]


@pytest.mark.parametrize("steps", [1, 60])
@pytest.mark.parametrize(
    ("words", "every"),
    [
        ("wszystkie", 1),
        ("wszystkie trzecie", 3),
        ("trzecie wszystkie", 3),
        ("wszystk* trzecie", 3),
        ("t*", 3),
    ],
)
async def test_a_search_that_is_cut_short_goes_on_where_it_was(
    crowd: tuple[Caller, list[str]], monkeypatch: pytest.MonkeyPatch, steps: int, words: str, every: int
) -> None:
    caller, numbers = crowd
    monkeypatch.setattr(search, "MAX_STEPS", steps)
    assert await caller.found(words=words, limit=200) == numbers[::every]
    assert await caller.found(words=words, status="closed", limit=200) == [
        number for number in numbers[::50] if number in numbers[::every]
    ]
