"""The forms of a page, as a browser finds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

import lxml.html  # type: ignore[import-untyped]

from tests.portal.gallery import Sight


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a page: where it goes, its hidden fields, and those that somebody fills in.

    `buttons` are the addresses of those of its buttons that send it elsewhere.
    """

    who: str
    page: str
    action: str
    hidden: tuple[tuple[str, str], ...]
    filled: tuple[str, ...]
    buttons: tuple[str, ...]


def forms_of(sight: Sight, html: str) -> Iterator[Form]:
    """Those that are sent by POST."""
    for form in lxml.html.fromstring(html).xpath("//form[translate(@method, 'POST', 'post')='post']"):
        action = urljoin(sight.path, form.get("action") or sight.path)
        fields = [
            each for each in form.xpath(".//input | .//textarea | .//select | .//button") if each.get("name")
        ]
        hidden = tuple((f.get("name"), f.get("value", "")) for f in fields if f.get("type") == "hidden")
        filled = tuple(
            dict.fromkeys(f.get("name") for f in fields if f.get("type") not in {"hidden", "file"})
        )
        buttons = tuple(each.get("formaction") for each in form.xpath(".//button[@formaction]"))
        yield Form(sight.who, sight.path, action, hidden, filled, buttons)
