"""From templates to pages: Jinja with autoescape, our assets, numbers and times as people read them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_decimal
from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader
from markupsafe import Markup, escape

from contracts.number import shown as shown_number
from contracts.wording import Language
from services.portal.timeline import Entry
from services.portal.translations import Translations

MAX_ENTRIES: Final = 5_000
"""Entries of timelines that are kept made, in each language."""

_ADDRESS: Final = re.compile(r"""(\bhttps?://[^\s<>"']*[^\s<>"'.,;:!?()\[\]{}])""", re.IGNORECASE)
"""Without what ends a sentence, or a pair of brackets around it."""

_LINK: Final = Markup('<a class="govuk-link" href="{}" rel="nofollow noopener noreferrer">{}</a>')

ZONE: Final = ZoneInfo("Europe/Warsaw")
"""Where times are local without scripts; with them the browser's own zone is shown."""


class Templates:
    """The templates, once for each language."""

    def __init__(
        self,
        translations: Translations,
        assets: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._assets: dict[str, str] = json.loads((assets / "manifest.json").read_text(encoding="utf-8"))
        self._environments = {
            language: self._environment(language, translations, now) for language in translations
        }
        self._translations = translations

    def render(self, template: str, language: Language, **context: Any) -> str:
        """The page as text."""
        return self._environments[language].get_template(template).render(**context)

    def gettext(self, language: Language) -> Callable[[str], str]:
        """What translates a message into a language."""
        return self._translations[language].gettext

    def _environment(
        self, language: Language, translations: Translations, now: Callable[[], datetime]
    ) -> Environment:
        environment = Environment(
            loader=ChoiceLoader(
                [
                    PackageLoader("services.portal"),
                    PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
                ]
            ),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        )
        environment.install_gettext_translations(translations[language], newstyle=True)  # type: ignore[attr-defined]
        environment.globals["asset"] = self._asset
        environment.globals["language"] = language
        environment.globals["entry_html"] = _entries(environment, now)
        environment.filters.update(filters(language, now, translations[language].gettext))
        return environment

    def _asset(self, name: str) -> str:
        return f"/assets/{self._assets[name]}"


def _entries(
    environment: Environment, now: Callable[[], datetime]
) -> Callable[[Entry, str, str, bool], Markup]:
    """What makes an entry of a timeline, once: an event never changes, but for how its day is called."""

    @lru_cache(maxsize=MAX_ENTRIES)
    def made(entry: Entry, base: str, number: str, is_auditor: bool, _today: date) -> Markup:
        template = environment.get_template("entry.html")
        return Markup(template.render(entry=entry, base=base, number=number, is_auditor=is_auditor))  # noqa: S704  # by the template

    def entry_html(entry: Entry, base: str, number: str, is_auditor: bool) -> Markup:
        return made(entry, base, number, is_auditor, now().astimezone(ZONE).date())

    return entry_html


def _linked(line: str) -> Markup:
    """Text in which addresses of the web lead there, and show where."""
    parts = _ADDRESS.split(line)
    for index, part in enumerate(parts):
        parts[index] = _LINK.format(part, part) if index % 2 else escape(part)
    return Markup("").join(parts)


def filters(
    language: Language, now: Callable[[], datetime], gettext: Callable[[str], str]
) -> Mapping[str, Callable[..., Any]]:
    """What templates may pipe values through."""

    def number(value: str) -> str:
        return shown_number(value)

    def decimal(value: float) -> str:
        return str(format_decimal(value, locale=language))

    def size(value: int) -> str:
        for limit, unit in ((1024 * 1024, "MB"), (1024, "kB")):
            if value >= limit:
                return f"{format_decimal(round(value / limit, 1), locale=language)} {unit}"
        return f"{value} B"

    def exact(value: datetime) -> str:
        return str(format_datetime(value, "d MMMM y, HH:mm:ss zzzz", tzinfo=ZONE, locale=language))

    def moment(value: datetime) -> str:
        local, today = value.astimezone(ZONE), now().astimezone(ZONE)
        time = format_time(local, "HH:mm", locale=language)
        if local.date() == today.date():
            return str(time)
        pattern = "d MMM" if local.year == today.year else "d MMM y"
        return f"{format_date(local.date(), pattern, locale=language)}, {time}"

    def ago(value: datetime) -> str:
        past = value - now()
        if past > timedelta(seconds=-60):
            return gettext("just now")
        return str(format_timedelta(past, add_direction=True, locale=language))

    def time_element(value: datetime, form: str = "moment") -> Markup:
        shown = ago(value) if form == "ago" else moment(value)
        return Markup('<time datetime="{}" title="{}" data-local="{}">{}</time>').format(
            value.astimezone(UTC).isoformat(timespec="seconds"), exact(value), form, shown
        )

    def paragraphs(text: str, *, links: bool = False) -> Markup:
        """What a person wrote, with its own line breaks, and with links where asked for; all else is text."""
        shown = _linked if links else escape
        return Markup('<div class="prose">{}</div>').format(
            Markup("").join(
                Markup("<p>{}</p>").format(Markup("<br>").join(shown(line) for line in block.split("\n")))
                for block in text.replace("\r\n", "\n").strip().split("\n\n")
            )
        )

    return {
        "number": number,
        "decimal": decimal,
        "size": size,
        "exact": exact,
        "moment": moment,
        "ago": ago,
        "time": time_element,
        "paragraphs": paragraphs,
    }
