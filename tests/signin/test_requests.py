"""What requests say: where to return to, from which page they come, in which language, by which cookie."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from contracts.wording import Language
from services.signin.cookies import SESSION, Cookie
from services.signin.failures import SignInFailed
from services.signin.origins import is_from_own_page
from services.signin.returning import own_path
from services.signin.words import FAILURES, preferred_language

OLD, NEW = "an-old-key-of-more-than-32-characters", "a-new-key-of-more-than-32-characters"


@pytest.mark.parametrize(
    "asked",
    [
        "/",
        "/tickets",
        "/tickets/483-029-1746?reply=1#last",
        "/tickets?words=rezerw*&status=open",
        "/a//b",
        "/~x",
    ],
)
def test_a_page_of_ours_is_returned_to(asked: str) -> None:
    assert own_path(asked) == asked


def test_a_path_of_other_letters_is_returned_to_as_browsers_spell_it() -> None:
    assert own_path("/zgłoszenia") == "/zg%C5%82oszenia"
    assert own_path("/zg%C5%82oszenia") == "/zg%C5%82oszenia"


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "",
        "tickets",
        "//elsewhere.example",
        "///elsewhere.example",
        "/\\elsewhere.example",
        "/tickets\\..",
        "\\/elsewhere.example",
        " /tickets",
        "/ /elsewhere.example",
        "/\t/elsewhere.example",
        "/\n/elsewhere.example",
        "http:elsewhere.example",
        "/sign-in",
        "/sign-in?return_to=/sign-in",
        "/sign-in/callback?code=x",
        "/sign-out-everywhere",
        "/" + "x" * 2000,
        "/\ud800",
    ],
)
def test_anything_else_leads_to_the_first_page(asked: str | None) -> None:
    assert own_path(asked) == "/"


@given(st.one_of(st.text(), st.text(alphabet="/\\:@.?#%\t\n\r ae").map(lambda text: "/" + text)))
def test_no_text_at_all_leads_to_another_host(asked: str) -> None:
    path = own_path(asked)
    path.encode("ascii")
    assert urlsplit(urljoin("https://support.example/sign-in/callback", path)).netloc == "support.example"
    assert path[:1] == "/"
    assert path[1:2] not in {"/", "\\"}
    assert not set(path) & set("\\\t\r\n ")


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://support.example"}, False),
        ({"origin": "https://support.example"}, True),
        ({"origin": "http://support.example"}, False),
        ({"origin": "https://support.example.elsewhere.example"}, False),
        ({"origin": "null"}, False),
        ({}, False),
    ],
)
def test_a_change_is_taken_from_our_own_pages_only(headers: dict[str, str], ours: bool) -> None:
    assert is_from_own_page(Headers(headers), "https://support.example") is ours


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("pl", "pl"),
        ("pl-PL,pl;q=0.9,en-US;q=0.8,en;q=0.7", "pl"),
        ("en-GB,en;q=0.9,pl;q=0.8", "en"),
        ("de,pl;q=0.1", "pl"),
        ("de", "en"),
        ("pl;q=0", "en"),
        ("en;q=0.1, PL ; q=0.2", "pl"),
        ("pl;q=x,en;q=0.1", "en"),
        ("*", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(header: str | None, language: Language) -> None:
    assert preferred_language(header) == language


def _round_trip(writer: Cookie, reader: Cookie) -> str | None:
    response = Response()
    writer.write(response, "p123.secret")
    value = response.headers["set-cookie"].partition(";")[0].encode()
    return reader.read(Request({"type": "http", "headers": [(b"cookie", value)]}))


def test_over_https_a_cookie_can_come_from_this_host_only() -> None:
    response = Response()
    Cookie(SESSION, keys=[NEW], secure=True).write(response, "x")
    flags = response.headers["set-cookie"].split("; ")
    assert flags[0].startswith("__Host-casetrail=x.")
    assert {flag.lower() for flag in flags[1:]} == {"httponly", "path=/", "samesite=lax", "secure"}


def test_a_new_key_signs_and_the_old_one_is_still_believed() -> None:
    old, both, new = (Cookie(SESSION, keys=keys, secure=True) for keys in ([OLD], [OLD, NEW], [NEW]))
    assert _round_trip(old, both) == "p123.secret"
    assert _round_trip(both, new) == "p123.secret"
    assert _round_trip(both, old) is None


def test_every_failure_has_its_words_in_both_languages() -> None:
    codes = {failure.code for failure in SignInFailed.__subclasses__()} | {"not_from_here"}
    assert codes == set(FAILURES)
    assert all(wording.en != wording.pl for wording in FAILURES.values())
