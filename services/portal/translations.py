"""The words of the pages: gettext catalogues, read from their `.po` files at start.

English is what stands in templates and code, so it has no catalogue. `tests/portal/test_translations.py` sees
that every other language has every message.
"""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from contracts.wording import LANGUAGES, Language

LOCALE: Final = Path(__file__).parent / "locale"
SOURCE_LANGUAGE: Final[Language] = "en"

Translations = Mapping[Language, gettext.NullTranslations]


def catalogue_file(language: Language) -> Path:
    """Where the messages of a language are."""
    return LOCALE / language / "LC_MESSAGES" / "portal.po"


def read_catalogue(language: Language) -> Catalog:
    """The messages of a language, as its file has them."""
    with catalogue_file(language).open("rb") as file:
        return read_po(file, locale=language)


def load_translations() -> Translations:
    """Every language of Casetrail."""
    return {language: _loaded(language) for language in LANGUAGES}


def _loaded(language: Language) -> gettext.NullTranslations:
    if language == SOURCE_LANGUAGE:
        return gettext.NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, read_catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
