"""What the pages of signing in and out say, in every language of Casetrail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from contracts.wording import LANGUAGES, Language, Wording

FAILURES: Final[Mapping[str, Wording]] = {
    "cancelled": Wording("Signing in was cancelled.", "Logowanie zostało przerwane."),
    "attempt_unknown": Wording(
        "This sign-in was not started in this browser, took longer than ten minutes, or was used already. "
        "Please start again.",
        "To logowanie nie zostało rozpoczęte w tej przeglądarce, trwało dłużej niż dziesięć minut "
        "albo zostało już wykorzystane. Zacznij od nowa.",
    ),
    "identity_unproven": Wording(
        "The answer of the sign-in service could not be verified, so you were not signed in.",
        "Nie udało się zweryfikować odpowiedzi usługi logowania, dlatego logowanie nie powiodło się.",
    ),
    "email_unverified": Wording(
        "The sign-in service has not verified your e-mail address. Verify it there, then sign in again.",
        "Usługa logowania nie potwierdziła Twojego adresu e-mail. Potwierdź go tam i zaloguj się ponownie.",
    ),
    "unavailable": Wording(
        "This does not work at the moment. Please try again shortly.",
        "To chwilowo nie działa. Spróbuj ponownie za chwilę.",
    ),
    "not_from_here": Wording(
        "The request did not come from a page of ours, so nothing was done.",
        "Żądanie nie pochodziło z naszej strony, więc nic nie zostało zrobione.",
    ),
}

NOT_SIGNED_IN: Final = Wording("You are not signed in", "Nie zalogowano")
NOT_SIGNED_OUT: Final = Wording("You are still signed in", "Nie wylogowano")
SIGN_IN: Final = Wording("Sign in", "Zaloguj się")
SIGN_OUT: Final = Wording("Sign out", "Wyloguj się")
SIGN_OUT_HERE: Final = Wording("Sign out in this browser", "Wyloguj się w tej przeglądarce")
SIGN_OUT_EVERYWHERE: Final = Wording(
    "Sign out everywhere, in all browsers", "Wyloguj się wszędzie, we wszystkich przeglądarkach"
)
SIGNED_IN_AS: Final = Wording("You are signed in as {name}.", "Zalogowano jako {name}.")
SIGNED_OUT: Final = Wording("You are signed out", "Wylogowano")
PROVIDER_MAY_KNOW: Final = Wording(
    "The sign-in service itself may still know you. On a computer that others use, sign out there as well.",
    "Sama usługa logowania może Cię nadal pamiętać. Na wspólnym komputerze wyloguj się również tam.",
)


def preferred_language(accept_language: str | None) -> Language:
    """The language of ours that comes first in the header (RFC 9110, section 12.5.4); else English."""
    wanted: dict[str, float] = {}
    for entry in (accept_language or "").split(","):
        tag, _, weight = entry.partition(";")
        primary = tag.strip().partition("-")[0].lower()
        wanted[primary] = max(wanted.get(primary, 0.0), _weight(weight))
    best = max(LANGUAGES, key=lambda language: wanted.get(language, 0.0))  # the first one when none is there
    return best if wanted.get(best, 0.0) > 0 else "en"


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name == "q" else 0.0
    except ValueError:
        return 0.0
