"""Hostile input into every form of every page: a clear answer, and nothing stored of what was refused."""

from __future__ import annotations

import itertools
from typing import Final
from urllib.parse import quote_from_bytes

import httpx2
import lxml.html  # type: ignore[import-untyped]
import pytest
import pytest_asyncio
from nats.aio.client import Client

from contracts.subjects import DRAFTS, INTERESTS, STREAMS, bucket_stream
from tests.portal.desk import DeskSystem
from tests.portal.found_forms import Form, forms_of
from tests.portal.gallery import PEOPLE, furnished, kind, sights

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900), pytest.mark.pages]

MARK: Final = "x7q"
MARKUP: Final = f"<script>{MARK}()</script>\"'><img src=x onerror={MARK}()>{{{{7*7}}}}${{7*7}}"
TEXTS: Final = {
    "markup": MARKUP.encode(),
    "huge": b"a" * 70_000,
    "larger than any form": b"a" * 600_000,
    "nothing": b"",
    "white space": b" \t\r\n ",
    "control characters": b"a\x00b\x1b[31m\x7f",
    "no UTF-8": b"\xff\xfe\xc3\x28",
    "lone surrogates": "\ud800".encode("utf-8", "surrogatepass"),
    "turned around": "\u202eexe.fdp".encode(),
    "a template and a path": b"../../../etc/passwd%00{{config}}",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everybody(desk: DeskSystem) -> dict[str, httpx2.AsyncClient]:
    return {who: await desk.system.browser(email) for who, email in PEOPLE.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forms(desk: DeskSystem, everybody: dict[str, httpx2.AsyncClient]) -> list[Form]:
    lively = await furnished(desk)
    found: dict[tuple[str, str, tuple[str, ...]], Form] = {}
    for sight in await sights(desk.system, lively):
        page = await everybody[sight.who].get(sight.path)
        for form in forms_of(sight, page.text):
            if "sign-out" not in form.action:
                found.setdefault((form.who, kind(form.action), form.filled), form)
    assert found
    return list(found.values())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def root(desk: DeskSystem) -> Client:
    return await desk.system.connect("root")


async def _stored(root: Client) -> dict[str, int]:
    """The last position of everything that keeps what people write."""
    js = root.jetstream()
    kept = [*(stream.name for stream in STREAMS), *map(bucket_stream, (DRAFTS, INTERESTS))]
    return {name: (await js.stream_info(name)).state.last_seq for name in kept}


def _body(form: Form, name: str, value: bytes) -> bytes:
    """The form with one field as it should not be, the others as plain words."""
    pairs = [(key, text.encode()) for key, text in form.hidden if key != name]
    pairs += [(each, b"words") for each in form.filled if each != name]
    return b"&".join(
        quote_from_bytes(key.encode()).encode() + b"=" + quote_from_bytes(text).encode()
        for key, text in [*pairs, (name, value)]
    )


async def test_hostile_text_in_any_field_has_a_clear_answer_and_is_not_stored_when_refused(
    everybody: dict[str, httpx2.AsyncClient], forms: list[Form], root: Client
) -> None:
    problems: list[str] = []
    for form in forms:
        names = [*form.filled, *(name for name, _ in form.hidden)]
        for name, (what, value) in itertools.product(names, TEXTS.items()):
            before = await _stored(root)
            answer = await _post(everybody[form.who], form, _body(form, name, value))
            problem = _wrong(answer, refused_but_stored=before != await _stored(root))
            if problem is not None:
                problems.append(f"{form.who} {form.action} {name}: {what}: {problem}")
    assert "\n".join(problems) == ""


async def _post(browser: httpx2.AsyncClient, form: Form, body: bytes, **headers: str) -> httpx2.Response:
    given = {"content-type": "application/x-www-form-urlencoded", **headers}
    return await browser.post(form.action, content=body, headers=given, follow_redirects=True)


def _wrong(answer: httpx2.Response, *, refused_but_stored: bool) -> str | None:
    text = answer.text
    if answer.status_code >= 500 and answer.status_code != 503:
        return f"status {answer.status_code}"
    if "Traceback" in text or "Internal Server Error" in text:
        return "shows what went wrong inside"
    if f"<script>{MARK}" in text or f"<img src=x onerror={MARK}" in text:
        return "markup was not escaped"
    if answer.status_code >= 400 and refused_but_stored:
        return f"status {answer.status_code}, and something was stored"
    if answer.status_code >= 400 and len(lxml.html.fromstring(text).text_content().split()) < 5:
        return f"status {answer.status_code}, and nothing is said"
    return None


async def test_forms_from_elsewhere_and_of_other_kinds_are_refused(
    everybody: dict[str, httpx2.AsyncClient], forms: list[Form], root: Client
) -> None:
    problems: list[str] = []
    for form in forms:
        body = _body(form, form.filled[0] if form.filled else "x", b"words")
        before = await _stored(root)
        for headers in (
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
        ):
            answer = await _post(everybody[form.who], form, body, **headers)
            if answer.status_code != 403:
                problems.append(f"{form.action} {headers}: {answer.status_code}")
        for content_type, content in (
            ("application/json", b'{"a": 1}'),
            ("multipart/form-data; boundary=b", b"--b\r\nbroken"),
            ("multipart/form-data", b"no boundary"),
            ("text/plain", body),
            ("application/x-www-form-urlencoded", b"%%%&&&===" + b"&a=1" * 1_000),
        ):
            answer = await _post(everybody[form.who], form, content, **{"content-type": content_type})
            if answer.status_code >= 500 or "Traceback" in answer.text:
                problems.append(f"{form.action} {content_type}: {answer.status_code}")
        if form.filled and await _stored(root) != before:  # else an empty form says all there is to say
            problems.append(f"{form.action}: something was stored")
    assert "\n".join(problems) == ""


async def test_nobody_gets_anywhere_with_somebody_elses_session_or_none(
    desk: DeskSystem, forms: list[Form], root: Client
) -> None:
    stranger = await desk.system.browser()
    problems: list[str] = []
    before = await _stored(root)
    for form in forms:
        if form.who == "stranger":
            continue
        body = _body(form, form.filled[0] if form.filled else "x", b"words")
        answer = await stranger.post(
            form.action, content=body, headers={"content-type": "application/x-www-form-urlencoded"},
            follow_redirects=False,
        )  # fmt: skip
        if answer.status_code not in {302, 303, 401, 403, 404, 422, 400}:
            problems.append(f"{form.action}: {answer.status_code}")
    assert await _stored(root) == before
    assert "\n".join(problems) == ""
