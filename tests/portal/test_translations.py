"""The words of the pages are there in every language."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

from contracts.wording import LANGUAGES, Language
from services.portal.translations import SOURCE_LANGUAGE, load_translations, read_catalogue

PORTAL = Path(__file__).parents[2] / "services" / "portal"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
OPTIONS = {"**/templates/**.html": {"trimmed": "true", "extensions": "jinja2.ext.do", "silent": "false"}}


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != SOURCE_LANGUAGE])
def test_every_message_is_translated_and_none_is_left_over(language: Language) -> None:
    catalogue = read_catalogue(language)
    used = {message for _, _, message, _, _ in extract_from_dir(PORTAL, METHODS, OPTIONS)}
    known = {message.id for message in catalogue if message.id}
    assert used - known == set(), "make messages, and translate"
    assert known - used == set(), "make messages"
    for message in catalogue:
        if message.id:
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(strings), message.id
            assert not message.fuzzy, message.id
            assert list(message.check(catalogue)) == [], message.id


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 odpowiedź"),
        (2, "2 odpowiedzi"),
        (4, "4 odpowiedzi"),
        (5, "5 odpowiedzi"),
        (22, "22 odpowiedzi"),
    ],
)
def test_polish_counts_as_polish_does(count: int, words: str) -> None:
    ngettext = load_translations()["pl"].ngettext
    assert ngettext("%(count)s reply", "%(count)s replies", count) % {"count": count} == words
