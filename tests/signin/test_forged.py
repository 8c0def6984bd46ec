"""Forged, stale, replayed and swapped answers, tokens and cookies, over HTTP: none signs anybody in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from itsdangerous import Signer
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from nats.js import JetStreamContext
from structlog.testing import capture_logs

from contracts.subjects import SESSIONS_STREAM
from services.signin.cookies import SESSION, Cookie
from tests.signin.clock import MovableClock
from tests.signin.conftest import KEY, StartPortal
from tests.signin.forging_provider import Claims, ForgingProvider
from tests.signin.steps import forged, to_provider, whoami


async def _sign_in(browser: httpx2.AsyncClient, origin: str) -> httpx2.Response:
    return await browser.get(await forged(browser, await to_provider(browser, origin)))


async def _refused(browser: httpx2.AsyncClient, origin: str, answer: httpx2.Response, words: str) -> None:
    assert words in answer.text
    assert answer.status_code in {400, 403, 503}
    assert "set-cookie" not in answer.headers or "casetrail=" not in answer.headers["set-cookie"]
    assert await whoami(browser, origin) is None


UNPROVEN = "could not be verified, so you were not signed in"
UNKNOWN = "was not started in this browser"


async def test_an_honest_answer_of_a_strict_provider_signs_in(
    forged_portal: str, browser: httpx2.AsyncClient
) -> None:
    assert (await _sign_in(browser, forged_portal)).status_code == 303
    session = await whoami(browser, forged_portal)
    assert session is not None
    assert (session["email"], session["name"], session["language"]) == ("jan@example.com", "Jan Nowak", "pl")


FORGERIES: dict[str, tuple[Callable[[Claims], Claims], str]] = {
    "another issuer": (lambda claims: claims | {"iss": "https://elsewhere.example"}, "Invalid claim: 'iss'"),
    "no issuer": (
        lambda claims: {key: claims[key] for key in claims if key != "iss"},
        "Missing claim: 'iss'",
    ),
    "another audience": (lambda claims: claims | {"aud": "somebody-else"}, "Invalid claim: 'aud'"),
    "no audience": (
        lambda claims: {key: claims[key] for key in claims if key != "aud"},
        "Missing claim: 'aud'",
    ),
    "issued to another client": (lambda claims: claims | {"azp": "somebody-else"}, "azp"),
    "several audiences and no azp": (
        lambda claims: claims | {"aud": [claims["aud"], "somebody-else"]},
        "azp",
    ),
    "another nonce": (lambda claims: claims | {"nonce": "another"}, "Invalid claim: 'nonce'"),
    "several nonces": (lambda claims: claims | {"nonce": [claims["nonce"]]}, "nonce is not text"),
    "no nonce": (
        lambda claims: {key: claims[key] for key in claims if key != "nonce"},
        "Missing claim: 'nonce'",
    ),
    "expired": (lambda claims: claims | {"exp": time.time() - 120}, "The token is expired"),
    "no expiry": (
        lambda claims: {key: claims[key] for key in claims if key != "exp"},
        "Missing claim: 'exp'",
    ),
    "expiry that is no number": (lambda claims: claims | {"exp": float("inf")}, "Claim 'exp' must be"),
    "issued in the future": (lambda claims: claims | {"iat": time.time() + 120}, "issued in the future"),
    "issued before the sign-in began": (lambda claims: claims | {"iat": time.time() - 120}, "issued before"),
    "no time of issue": (
        lambda claims: {key: claims[key] for key in claims if key != "iat"},
        "Missing claim: 'iat'",
    ),
    "no subject": (
        lambda claims: {key: claims[key] for key in claims if key != "sub"},
        "Missing claim: 'sub'",
    ),
    "subject of two lines": (lambda claims: claims | {"sub": "jan\n1"}, "sub: not"),
    "subject that is no text": (lambda claims: claims | {"sub": 1}, "Claim 'sub' must be"),
}


@pytest.mark.parametrize(("change", "reason"), FORGERIES.values(), ids=FORGERIES)
async def test_a_token_with_a_wrong_claim_is_refused(
    forged_portal: str,
    forging: ForgingProvider,
    browser: httpx2.AsyncClient,
    change: Callable[[Claims], Claims],
    reason: str,
) -> None:
    forging.forge = lambda claims: forging.sign(change(claims))
    with capture_logs() as logs:
        await _refused(browser, forged_portal, await _sign_in(browser, forged_portal), UNPROVEN)
    assert reason in logs[0]["reason"]


def _unsigned(header: Claims, claims: Claims, signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _signed_by_another(forging: ForgingProvider) -> Callable[[Claims], str]:
    another = RSAKey.generate_key(2048, parameters={"kid": forging.key.kid or ""})
    return lambda claims: forging.sign(claims, key=another)


def _signed_by_its_header(_: ForgingProvider) -> Callable[[Claims], str]:
    own = ECKey.generate_key("P-256")
    header = {"alg": "ES256", "jwk": own.as_dict(private=False)}
    return lambda claims: jwt.encode(header, claims, own)


def _hmac_of_public_key(forging: ForgingProvider) -> Callable[[Claims], str]:
    def forge(claims: Claims) -> str:
        signed = _unsigned({"alg": "HS256", "kid": forging.key.kid}, claims).rpartition(".")[0]
        digest = hmac.new(forging.key.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

    return forge


def _changed_after_signing(forging: ForgingProvider) -> Callable[[Claims], str]:
    def forge(claims: Claims) -> str:
        header, _, signature = forging.sign(claims).split(".")
        changed = json.dumps(claims | {"sub": "olivia-1"}).encode()
        return f"{header}.{base64.urlsafe_b64encode(changed).decode().rstrip('=')}.{signature}"

    return forge


SIGNATURES: dict[str, tuple[Callable[[ForgingProvider], Callable[[Claims], str]], str]] = {
    "alg none": (lambda _: lambda claims: _unsigned({"alg": "none"}, claims), "'none' is not allowed"),
    "alg None with the key's id": (
        lambda f: lambda claims: _unsigned({"alg": "None", "kid": f.key.kid}, claims),
        "'None' is not supported",
    ),
    "no algorithm": (
        lambda f: lambda claims: _unsigned({"kid": f.key.kid}, claims, b"x"),
        "MissingAlgorithmError",
    ),
    "another key of the same id": (_signed_by_another, "BadSignatureError"),
    "a key of its own, in its header": (_signed_by_its_header, "InvalidKeyTypeError"),
    "HMAC with the public key": (_hmac_of_public_key, "'HS256' is not allowed"),
    "changed after signing": (_changed_after_signing, "BadSignatureError"),
    "no signature": (lambda f: lambda claims: f.sign(claims).rpartition(".")[0] + ".", "BadSignatureError"),
    "no token": (lambda _: lambda _claims: "not.a.token", "DecodeError"),
    "not three parts": (lambda _: lambda _claims: "x", "DecodeError"),
}


@pytest.mark.parametrize(("forgery", "reason"), SIGNATURES.values(), ids=SIGNATURES)
async def test_a_token_that_the_provider_did_not_sign_is_refused(
    forged_portal: str,
    forging: ForgingProvider,
    browser: httpx2.AsyncClient,
    forgery: Callable[[ForgingProvider], Callable[[Claims], str]],
    reason: str,
) -> None:
    forging.forge = forgery(forging)
    with capture_logs() as logs:
        await _refused(browser, forged_portal, await _sign_in(browser, forged_portal), UNPROVEN)
    assert reason in logs[0]["reason"]


@pytest.mark.parametrize(
    "claims",
    [{"email_verified": False}, {"email_verified": "true"}, {"email": None}, {"email": "not an address"}],
    ids=str,
)
async def test_only_a_verified_address_counts(
    forged_portal: str, forging: ForgingProvider, browser: httpx2.AsyncClient, claims: Claims
) -> None:
    forging.claims |= claims
    await _refused(
        browser, forged_portal, await _sign_in(browser, forged_portal), "has not verified your e-mail"
    )


async def test_an_address_that_only_userinfo_tells_counts(
    forged_portal: str, forging: ForgingProvider, browser: httpx2.AsyncClient
) -> None:
    forging.claims = {"sub": "jan-1"}
    forging.user_info = {"sub": "jan-1", "email": "jan@example.com", "email_verified": True, "iss": "x"}
    assert (await _sign_in(browser, forged_portal)).status_code == 303


async def test_userinfo_of_another_person_is_refused(
    forged_portal: str, forging: ForgingProvider, browser: httpx2.AsyncClient
) -> None:
    forging.claims = {"sub": "jan-1"}
    forging.user_info = {"sub": "olivia-1", "email": "olivia@example.com", "email_verified": True}
    await _refused(browser, forged_portal, await _sign_in(browser, forged_portal), UNPROVEN)


async def test_a_key_that_the_provider_has_just_changed_to_is_fetched(
    forged_portal: str, forging: ForgingProvider, browser: httpx2.AsyncClient
) -> None:
    forging.key = RSAKey.generate_key(2048, auto_kid=True)
    forging.published.append(forging.key)
    assert (await _sign_in(browser, forged_portal)).status_code == 303


async def test_an_answer_cannot_be_used_twice(forged_portal: str, browser: httpx2.AsyncClient) -> None:
    callback = await forged(browser, await to_provider(browser, forged_portal))
    attempt = browser.cookies["casetrail-sign-in"]
    assert (await browser.get(callback)).status_code == 303
    async with httpx2.AsyncClient(cookies={"casetrail-sign-in": attempt}) as again:
        await _refused(again, forged_portal, await again.get(callback), UNPROVEN)


async def test_an_attempt_cannot_be_used_with_a_second_code(
    forged_portal: str, browser: httpx2.AsyncClient
) -> None:
    provider_url = await to_provider(browser, forged_portal)
    first, second = await forged(browser, provider_url), await forged(browser, provider_url)
    attempt = browser.cookies["casetrail-sign-in"]
    assert (await browser.get(first)).status_code == 303
    async with httpx2.AsyncClient(cookies={"casetrail-sign-in": attempt}) as again:
        await _refused(again, forged_portal, await again.get(second), UNKNOWN)


async def test_the_answer_for_another_browser_is_refused(
    forged_portal: str, browser: httpx2.AsyncClient, other_browser: httpx2.AsyncClient
) -> None:
    mallorys = await forged(other_browser, await to_provider(other_browser, forged_portal))
    await _refused(browser, forged_portal, await browser.get(mallorys), UNKNOWN)
    jans = await to_provider(browser, forged_portal)
    await _refused(browser, forged_portal, await browser.get(mallorys), UNKNOWN)
    assert (await browser.get(await forged(browser, jans))).status_code == 303  # which was not disturbed


@pytest.mark.parametrize("state", ["", "guessed", "ł", "x" * 5000])
async def test_a_guessed_state_is_refused(
    forged_portal: str, browser: httpx2.AsyncClient, state: str
) -> None:
    await to_provider(browser, forged_portal)
    answer = await browser.get(f"{forged_portal}/sign-in/callback", params={"state": state, "code": "x"})
    await _refused(browser, forged_portal, answer, UNKNOWN)


async def test_a_parameter_twice_is_refused(forged_portal: str, browser: httpx2.AsyncClient) -> None:
    callback = await forged(browser, await to_provider(browser, forged_portal))
    await _refused(browser, forged_portal, await browser.get(f"{callback}&code=another"), UNKNOWN)


async def test_an_attempt_that_took_too_long_is_refused(
    forged_portal: str, browser: httpx2.AsyncClient, clock: MovableClock
) -> None:
    callback = await forged(browser, await to_provider(browser, forged_portal))
    clock.advance(timedelta(minutes=10))
    await _refused(browser, forged_portal, await browser.get(callback), UNKNOWN)


async def test_who_cannot_prove_an_identity_leaves_nothing_behind(
    forged_portal: str, browser: httpx2.AsyncClient, js: JetStreamContext
) -> None:
    callback = await forged(browser, await to_provider(browser, forged_portal))
    state = parse_qs(urlsplit(callback).query)["state"][0]
    guessed = urlencode({"state": state, "code": "guessed"})
    await _refused(
        browser, forged_portal, await browser.get(f"{forged_portal}/sign-in/callback?{guessed}"), UNPROVEN
    )
    assert (await js.stream_info(SESSIONS_STREAM)).state.last_seq == 0


async def test_a_stolen_code_is_of_no_use_in_another_attempt(
    forged_portal: str, browser: httpx2.AsyncClient, other_browser: httpx2.AsyncClient
) -> None:
    """PKCE: the code belongs to the verifier of the attempt that it was issued for."""
    jans = parse_qs(urlsplit(await forged(browser, await to_provider(browser, forged_portal))).query)
    mallorys = await to_provider(other_browser, forged_portal)
    state = parse_qs(urlsplit(mallorys).query)["state"][0]
    query = urlencode({"state": state, "code": jans["code"][0]})
    answer = await other_browser.get(f"{forged_portal}/sign-in/callback?{query}")
    await _refused(other_browser, forged_portal, answer, UNPROVEN)


async def test_the_answer_of_another_provider_is_refused(
    forged_portal: str, browser: httpx2.AsyncClient
) -> None:
    callback = await forged(browser, await to_provider(browser, forged_portal))
    answer = await browser.get(f"{callback}&{urlencode({'iss': 'https://elsewhere.example'})}")
    await _refused(browser, forged_portal, answer, UNPROVEN)


async def test_a_provider_that_says_who_answers_must_do_so(
    start_portal: StartPortal, forging: ForgingProvider, browser: httpx2.AsyncClient
) -> None:
    forging.metadata = {"authorization_response_iss_parameter_supported": True}
    async with start_portal(forging.issuer) as origin:
        await _refused(browser, origin, await _sign_in(browser, origin), UNPROVEN)
        callback = await forged(browser, await to_provider(browser, origin))
        assert (await browser.get(f"{callback}&{urlencode({'iss': forging.issuer})}")).status_code == 303


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
    ids=str,
)
async def test_a_provider_with_a_wrong_configuration_is_not_used(
    start_portal: StartPortal, forging: ForgingProvider, browser: httpx2.AsyncClient, metadata: Claims
) -> None:
    forging.metadata = metadata
    async with start_portal(forging.issuer) as origin:
        told = await browser.get(f"{origin}/sign-in")
        assert told.status_code == 503
        assert "does not work at the moment" in told.text


async def test_a_provider_that_is_away_is_told(
    start_portal: StartPortal, browser: httpx2.AsyncClient
) -> None:
    async with start_portal("http://127.0.0.1:9") as origin:
        assert (await browser.get(f"{origin}/sign-in")).status_code == 503


@pytest.mark.parametrize(
    "return_to",
    [
        "https://elsewhere.example/",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "/\t/elsewhere.example",
        "\\\\elsewhere.example",
        "javascript:alert(1)",
        "/sign-out",
        "/tickets\r\nset-cookie: x=y",
    ],
)
async def test_nobody_is_sent_elsewhere_after_signing_in(
    forged_portal: str, browser: httpx2.AsyncClient, return_to: str
) -> None:
    back = await browser.get(await forged(browser, await to_provider(browser, forged_portal, return_to)))
    assert back.headers["location"] == f"{forged_portal}/"


def _cut(value: str) -> str:
    return value[:-1]


def _other_person(value: str) -> str:
    return "p" + "a" * 15 + value[value.index(".") :]


def _other_secret(value: str) -> str:
    person, _, signature = value.split(".")
    return f"{person}.{'A' * 43}.{signature}"


def _unsigned_value(value: str) -> str:
    return value.rpartition(".")[0]


def _signed_with_another_key(value: str) -> str:
    return (
        Signer("another-key-which-is-also-long-enough", salt="casetrail.cookie.casetrail")
        .sign(value.rpartition(".")[0])
        .decode()
    )


@pytest.mark.parametrize(
    "tampered",
    [
        _cut,
        _other_person,
        _other_secret,
        _unsigned_value,
        _signed_with_another_key,
        lambda _: "x",
        lambda _: "",
    ],
)
async def test_a_changed_session_cookie_is_nobodys(
    forged_portal: str, browser: httpx2.AsyncClient, tampered: Callable[[str], str]
) -> None:
    await _sign_in(browser, forged_portal)
    value = browser.cookies["casetrail"]
    browser.cookies.set("casetrail", tampered(value), domain="127.0.0.1")
    assert await whoami(browser, forged_portal) is None
    browser.cookies.set("casetrail", value, domain="127.0.0.1")
    assert await whoami(browser, forged_portal) is not None


async def test_even_our_own_signature_opens_no_session_of_another_person(
    forged_portal: str,
    forging: ForgingProvider,
    browser: httpx2.AsyncClient,
    other_browser: httpx2.AsyncClient,
) -> None:
    await _sign_in(browser, forged_portal)
    forging.claims |= {"sub": "olivia-1", "email": "olivia@example.com"}
    await _sign_in(other_browser, forged_portal)
    jan, _, _ = browser.cookies["casetrail"].split(".")
    _, olivias_secret, _ = other_browser.cookies["casetrail"].split(".")
    signer = Cookie(SESSION, keys=[KEY], secure=False)._signer
    crossed = signer.sign(f"{jan}.{olivias_secret}").decode()
    async with httpx2.AsyncClient(cookies={"casetrail": crossed}) as mallorys:
        assert await whoami(mallorys, forged_portal) is None


async def test_the_cookie_of_an_attempt_is_no_session(
    forged_portal: str, browser: httpx2.AsyncClient
) -> None:
    await to_provider(browser, forged_portal)
    attempt = browser.cookies["casetrail-sign-in"]
    async with httpx2.AsyncClient(cookies={"casetrail": attempt}) as mallorys:
        assert await whoami(mallorys, forged_portal) is None
